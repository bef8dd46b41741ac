//! A file key on its way to one reader, and the fingerprint that tells it from others.

use super::header::{parse_stanzas, write_stanza};
use super::{Error, FileKey, Identity, Recipient};

/// Largest wrap, in bytes: what the actor keeps.
pub const MAX_WRAP: usize = 2048;

/// A file key wrapped for a reader: the text of one or more age stanzas as they stand in a header, at most 2,048 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrap(Vec<u8>);

impl Wrap {
    /// Takes the text of stanzas, for instance from the chain.
    ///
    /// Errors: [`Error::TooLarge`], [`Error::Malformed`].
    pub fn from_bytes(text: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let text = text.into();
        if text.len() > MAX_WRAP {
            return Err(Error::TooLarge { what: "a wrapped key", limit: MAX_WRAP });
        }
        parse_stanzas(&text)?;
        Ok(Wrap(text))
    }

    /// Gives the text of the stanzas.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Gives the text of the stanzas.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Wraps a file key for a reader. Two wraps of one key differ.
///
/// Errors: [`Error::TooLarge`] when a recipient's stanzas do not fit.
pub fn wrap(key: &FileKey, recipient: &Recipient) -> Result<Wrap, Error> {
    let mut text = Vec::new();
    recipient.wrap(key)?.iter().for_each(|stanza| write_stanza(stanza, &mut text));
    Wrap::from_bytes(text)
}

/// Gives the file key that was wrapped for this identity. Stanzas of unknown kinds are passed over.
///
/// Errors: [`Error::NoMatch`] when no stanza is for it, [`Error::Malformed`] when one breaks the rules of its kind.
pub fn unwrap(wrap: &Wrap, identity: &Identity) -> Result<FileKey, Error> {
    identity.unwrap_stanzas(&parse_stanzas(&wrap.0)?)
}

/// Fingerprint of a file key: 32 bytes that everybody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment(pub [u8; 32]);

impl Commitment {
    /// Checks that a key is the one committed to: after every unwrap, before a download.
    ///
    /// Errors: [`Error::WrongKey`].
    pub fn check(&self, key: &FileKey) -> Result<(), Error> {
        if key.commitment() == *self { Ok(()) } else { Err(Error::WrongKey) }
    }
}
