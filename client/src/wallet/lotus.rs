//! The key file that Lotus and Forest import and export: hex of `{"Type":"secp256k1","PrivateKey":"<base64>"}`.
//!
//! Source: lotus `cmd/lotus/wallet.go`, `chain/types/keystore.go`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{Key, KeyError, KeyKind};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LotusKey {
    r#type: LotusKind,
    private_key: String,
}

/// Old key files name the kind by the signature type's number.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum LotusKind {
    Name(String),
    Number(u64),
}

impl Drop for LotusKey {
    fn drop(&mut self) {
        self.private_key.zeroize();
    }
}

impl Key {
    /// Reads the text of a Lotus key file, or the 64 digits by which Ethereum's wallets export a key; white space around it is allowed.
    ///
    /// Errors: not hex; not a key; a kind that signs no messages; a secret out of range.
    pub fn import(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let json = Zeroizing::new(hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|_| KeyError::NotHex)?);
        // A key file's JSON may be as short as a key.
        if json.len() == 32 && serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_err() {
            return Self::from_secret(KeyKind::Delegated, &json);
        }
        // serde_json's own sentence could repeat a piece of the secret.
        let file: LotusKey = serde_json::from_slice(&json).map_err(|_| KeyError::NotLotus("no Type and PrivateKey"))?;
        let kind = match &file.r#type {
            LotusKind::Name(name) => {
                KeyKind::from_name(name).ok_or_else(|| KeyError::Unsupported(name.chars().take(20).collect()))?
            }
            LotusKind::Number(1) => KeyKind::Secp256k1,
            LotusKind::Number(2) => KeyKind::Bls,
            LotusKind::Number(3) => KeyKind::Delegated,
            LotusKind::Number(other) => return Err(KeyError::Unsupported(other.to_string())),
        };
        let secret = Zeroizing::new(
            STANDARD.decode(&file.private_key).map_err(|_| KeyError::NotLotus("PrivateKey is not base64"))?,
        );
        Self::from_secret(kind, &secret)
    }

    /// Writes the text of a Lotus key file, without a line end.
    pub fn export(&self) -> Zeroizing<String> {
        let file = LotusKey {
            r#type: LotusKind::Name(self.kind().name().to_string()),
            private_key: STANDARD.encode(self.expose_secret()),
        };
        let json = Zeroizing::new(serde_json::to_vec(&file).expect("two strings always encode"));
        Zeroizing::new(hex::encode(json.as_slice()))
    }
}
