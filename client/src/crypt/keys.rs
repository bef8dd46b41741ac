//! Who can read: identities, recipients, and the key of one file.

use std::fmt;
use std::str::FromStr;

use age::secrecy::ExposeSecret;
use age::x25519;
use age_core::format::{FILE_KEY_BYTES, Stanza};
use age_core::primitives::{bech32_decode, hkdf};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use rand::RngCore;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::{Commitment, Error};

/// A secret key: `AGE-SECRET-KEY-1…`. Cleared from memory when dropped, never printed.
#[derive(Clone)]
pub struct Identity(x25519::Identity);

impl Identity {
    /// Makes a new one.
    pub fn generate() -> Self {
        Identity(x25519::Identity::generate())
    }

    /// Gives the public half.
    pub fn recipient(&self) -> Recipient {
        Recipient(Kind::X25519(self.0.to_public()))
    }

    /// Reads an identity file as `age-keygen` writes it: one secret key a line, `#` begins a comment, blank lines are
    /// ignored. Gives at least one identity.
    ///
    /// Errors: [`Error::Malformed`], [`Error::Unsupported`] for other kinds of keys and for encrypted identity files. No
    /// error repeats what the file holds.
    pub fn parse_file(text: &str) -> Result<Vec<Identity>, Error> {
        if text.starts_with("age-encryption.org/") || text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") {
            return Err(Error::Unsupported("an identity file under a passphrase".into()));
        }
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let identities = lines.map(str::parse).collect::<Result<Vec<_>, _>>()?;
        if identities.is_empty() { Err(Error::Malformed("the identity file holds no key")) } else { Ok(identities) }
    }

    /// Writes an identity file as `age-keygen` does: the recipient in a comment, then the secret key.
    pub fn to_file(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("# public key: {}\n{}\n", self.recipient(), self.0.to_string().expose_secret()))
    }

    /// Tries the stanzas of one header.
    pub(super) fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Result<FileKey, Error> {
        match age::Identity::unwrap_stanzas(&self.0, stanzas) {
            Some(Ok(key)) => Ok(FileKey::from_bytes(*key.expose_secret())),
            Some(Err(_)) => Err(Error::Malformed("a stanza of an age header is malformed")),
            None => Err(Error::NoMatch),
        }
    }
}

impl FromStr for Identity {
    type Err = Error;

    /// Reads `AGE-SECRET-KEY-1…`.
    ///
    /// Errors: [`Error::Malformed`]; [`Error::Unsupported`] for post-quantum and plugin identities. Neither repeats the text.
    fn from_str(text: &str) -> Result<Self, Error> {
        for (prefix, kind) in
            [("AGE-SECRET-KEY-PQ-1", "a post-quantum identity"), ("AGE-PLUGIN-", "the identity of an age plugin")]
        {
            if text.starts_with(prefix) {
                return Err(Error::Unsupported(kind.into()));
            }
        }
        text.parse().map(Identity).map_err(|_| Error::Malformed("this is no age identity (AGE-SECRET-KEY-1…)"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity(of {})", self.recipient())
    }
}

/// A public key that files are encrypted to: `age1…`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Recipient(Kind);

/// The kinds of recipients; a hybrid post-quantum one will stand here when the library has it.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind {
    X25519(x25519::Recipient),
}

impl Recipient {
    /// Wraps a file key: the stanzas of this recipient in a header.
    pub(super) fn wrap(&self, key: &FileKey) -> Result<Vec<Stanza>, Error> {
        let Kind::X25519(recipient) = &self.0;
        let key = age_core::format::FileKey::new(Box::new(*key.expose()));
        let (stanzas, _) = age::Recipient::wrap_file_key(recipient, &key)
            .map_err(|_| Error::Malformed("the key cannot be wrapped"))?;
        Ok(stanzas)
    }
}

impl FromStr for Recipient {
    type Err = Error;

    /// Reads `age1…`.
    ///
    /// Errors: [`Error::Malformed`], also for a point of low order; [`Error::Unsupported`] for other kinds of recipients.
    fn from_str(text: &str) -> Result<Self, Error> {
        const BAD: Error = Error::Malformed("this is no age recipient (age1…)");
        // `age1`, a kind, `1`: bech32 takes the last 1 as the separator, so other kinds have a second one.
        if text.starts_with("ssh-") || text.strip_prefix("age1").is_some_and(|rest| rest.contains('1')) {
            let kind = text.split_at(text.rfind('1').unwrap_or(3)).0;
            return Err(Error::Unsupported(format!("the kind of recipient \"{}\"", kind.escape_debug())));
        }
        let recipient = text.parse().map_err(|_| BAD)?;
        let point = bech32_decode(text, |_| BAD, |_| Ok(()), |_, bytes| Ok(bytes.collect::<Vec<_>>()))?;
        if is_low_order(&point) {
            return Err(Error::Malformed("this age recipient is a point of low order: anybody could read"));
        }
        Ok(Recipient(Kind::X25519(recipient)))
    }
}

/// Says whether every exchange with this point gives zero. The age crate refuses such a share in a stanza before it tries
/// to decrypt, and panics when such a recipient is used.
fn is_low_order(point: &[u8]) -> bool {
    let stanza = Stanza {
        tag: "X25519".into(),
        args: vec![BASE64_STANDARD_NO_PAD.encode(point)],
        body: vec![0; FILE_KEY_BYTES + 16],
    };
    matches!(age::Identity::unwrap_stanza(&x25519::Identity::generate(), &stanza), Some(Err(_)))
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::X25519(recipient) => recipient.fmt(f),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

/// The key of one age file: 16 bytes. Who holds it reads the file. Cleared from memory when dropped, never printed.
#[derive(Clone)]
pub struct FileKey(Zeroizing<[u8; FILE_KEY_BYTES]>);

impl FileKey {
    /// Makes a new one.
    pub fn generate() -> Self {
        let mut key = FileKey(Zeroizing::default());
        OsRng.fill_bytes(&mut *key.0);
        key
    }

    /// Takes the 16 bytes.
    pub fn from_bytes(bytes: [u8; FILE_KEY_BYTES]) -> Self {
        FileKey(Zeroizing::new(bytes))
    }

    /// Gives the 16 bytes. They are the secret.
    pub fn expose(&self) -> &[u8; FILE_KEY_BYTES] {
        &self.0
    }

    /// Gives what everybody may know of this key: HKDF-SHA256 with the info `bauta/v1 key commitment`.
    pub fn commitment(&self) -> Commitment {
        Commitment(*self.derive(&[], b"bauta/v1 key commitment"))
    }

    /// HKDF-SHA256 of the key, 32 bytes.
    pub(super) fn derive(&self, salt: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(hkdf(salt, info, self.expose()))
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(secret)")
    }
}
