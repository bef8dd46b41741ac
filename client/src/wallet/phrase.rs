//! Keys from a phrase of words (BIP-39) along a path (BIP-32): one phrase, written down once, gives any number of keys again.
//!
//! secp256k1 only: BIP-32 knows no BLS keys. Source: BIP-39, BIP-32, SLIP-44 (461 is Filecoin).

use std::fmt;
use std::str::FromStr;

use bip32::{DerivationPath, XPrv};
use bip39::{Language, Mnemonic};
use rand::RngCore;
use rand::rngs::OsRng;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Key, KeyKind};

/// A phrase of 12, 15, 18, 21 or 24 words. Wiped when dropped, and never printed by Debug.
#[derive(Clone)]
pub struct Phrase(Zeroizing<Mnemonic>);

/// Why something is no phrase, or gives no key. The sentences never hold a word of it.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PhraseError {
    /// A number of words that no phrase has.
    #[error("a phrase has 12, 15, 18, 21 or 24 words, not {0}")]
    Length(usize),
    /// Not in the list of any language, or in that of another language than the rest.
    #[error("word {0} of the phrase is in no list of words, or not in that of the words before it")]
    Word(usize),
    /// A word is wrong or in the wrong place.
    #[error("these words do not belong together: one of them is wrong, or in the wrong place")]
    Checksum,
    /// Words that two languages share, and that mean something else in each.
    #[error("the phrase can be read in more than one language")]
    Ambiguous,
    /// Not a path.
    #[error("a path looks like m/44'/461'/0'/0/0: numbers below 2147483648, with ' for hardened ones")]
    Path,
    /// This path gives no key of this phrase: the chance is below 2^-127.
    #[error("this path gives no key: take the next one")]
    NoKey,
}

/// How many words phrases have.
const LENGTHS: [usize; 5] = [12, 15, 18, 21, 24];

fn refusal(error: bip39::Error, words: usize) -> PhraseError {
    match error {
        bip39::Error::BadWordCount(_) => PhraseError::Length(words),
        bip39::Error::UnknownWord(index) => PhraseError::Word(index + 1),
        bip39::Error::AmbiguousLanguages(_) => PhraseError::Ambiguous,
        bip39::Error::InvalidChecksum | bip39::Error::BadEntropyBitCount(_) => PhraseError::Checksum,
    }
}

/// A way from a phrase to one of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPath(DerivationPath);

impl KeyPath {
    /// The path that Filecoin's wallets use: `m/44'/461'/0'/0/index`.
    ///
    /// Errors: the index is 2^31 or above.
    pub fn filecoin(index: u32) -> Result<Self, PhraseError> {
        format!("m/44'/461'/0'/0/{index}").parse()
    }
}

impl FromStr for KeyPath {
    type Err = PhraseError;

    /// Reads `m/44'/461'/0'/0/0`: numbers below 2^31, with `'` for hardened ones.
    ///
    /// Errors: Path.
    fn from_str(text: &str) -> Result<Self, PhraseError> {
        // A number above 2^31 would be taken for a hardened one.
        let parts = text.strip_prefix("m/").ok_or(PhraseError::Path)?.split('/');
        for part in parts {
            let digits = part.strip_suffix('\'').unwrap_or(part);
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if !plain || digits.parse::<u32>().is_ok_and(|number| number >= 1 << 31) {
                return Err(PhraseError::Path);
            }
        }
        text.parse().map(Self).map_err(|_| PhraseError::Path)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Phrase {
    /// Makes a new English phrase from the operating system's randomness.
    ///
    /// Errors: Length.
    pub fn generate(words: usize) -> Result<Self, PhraseError> {
        if !LENGTHS.contains(&words) {
            return Err(PhraseError::Length(words));
        }
        // 32 bits for three words; their checksum comes on top.
        let mut entropy = Zeroizing::new(vec![0; words / 3 * 4]);
        OsRng.fill_bytes(&mut entropy);
        let mnemonic = Mnemonic::from_entropy_in(Language::English, &entropy)
            .expect("each number of words above has entropy of a length that BIP-39 takes");
        Ok(Self(Zeroizing::new(mnemonic)))
    }

    /// Reads a phrase in any of BIP-39's languages; white space and the case of letters do not matter.
    ///
    /// Errors: Length; Word; Checksum; Ambiguous.
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let mut joined = Zeroizing::new(String::with_capacity(text.len() * 2));
        let mut words = 0;
        for word in text.split_whitespace() {
            words += 1;
            if words > 1 {
                joined.push(' ');
            }
            joined.extend(word.chars().flat_map(char::to_lowercase));
        }
        if !LENGTHS.contains(&words) {
            return Err(PhraseError::Length(words));
        }
        let mnemonic = match Mnemonic::parse(joined.as_str()) {
            // Some words are French, too; who means those writes a word that is not English.
            Err(bip39::Error::AmbiguousLanguages(_)) => {
                Mnemonic::parse_in(Language::English, joined.as_str()).map_err(|_| PhraseError::Ambiguous)?
            }
            parsed => parsed.map_err(|error| refusal(error, words))?,
        };
        Ok(Self(Zeroizing::new(mnemonic)))
    }

    /// The words, with a space between each two. To be shown once, or written to a private file.
    pub fn expose_words(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string())
    }

    /// The key at the end of a path. `passphrase` is BIP-39's own: another one gives other keys, none is `""`.
    ///
    /// Errors: NoKey.
    pub fn key(&self, path: &KeyPath, passphrase: &str) -> Result<Key, PhraseError> {
        let seed = Zeroizing::new(self.0.to_seed(passphrase));
        let end = XPrv::derive_from_path(seed.as_slice(), &path.0).map_err(|_| PhraseError::NoKey)?;
        let secret = Zeroizing::new(end.to_bytes());
        Key::from_secret(KeyKind::Secp256k1, secret.as_slice()).map_err(|_| PhraseError::NoKey)
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phrase({} words)", self.0.word_count())
    }
}
