//! What the chain keeps about a file without being able to read it: name, media type, size.

use chacha20poly1305::aead::{Aead, AeadCore};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use fvm_ipld_encoding::{from_slice, to_vec};
use rand::rngs::OsRng;

use super::{Error, FileKey};

/// Largest sealed metadata, in bytes: what the actor keeps.
pub const MAX_METADATA: usize = 1024;

const VERSION: u64 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
const PADDING: usize = 64;
const MAX_NAME: usize = 512;
const MAX_MEDIA_TYPE: usize = 255;

/// Whether a file is one file or a folder of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentKind {
    /// One file.
    File,
    /// A folder: a manifest and its payloads.
    Folder,
}

/// Name, media type, size and kind of what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Name of the file or folder, without a path; up to 512 bytes.
    pub name: String,
    /// Media type, as in `image/png`; up to 255 bytes.
    pub media_type: String,
    /// Bytes of the original; of a folder, of all its files together.
    pub size: u64,
    /// File or folder.
    pub kind: ContentKind,
}

/// `[version, name, media type, size, kind]`.
type Tuple = (u64, String, String, u64, u64);

impl Metadata {
    /// Encrypts under the file key, with a new nonce: at most 1,024 bytes. A name longer than 512 bytes is cut at a character,
    /// a media type longer than 255 bytes is left out.
    pub fn seal(&self, key: &FileKey) -> Vec<u8> {
        let name = &self.name[..self.name.floor_char_boundary(MAX_NAME)];
        let media_type = if self.media_type.len() <= MAX_MEDIA_TYPE { &*self.media_type } else { "" };
        let kind = match self.kind {
            ContentKind::File => 0u64,
            ContentKind::Folder => 1,
        };
        let tuple = (VERSION, name, media_type, self.size, kind);
        let mut plain = to_vec(&tuple).expect("numbers and texts have an encoding");
        plain.resize(plain.len().next_multiple_of(PADDING), 0);
        seal_plain(&plain, key)
    }

    /// Decrypts.
    ///
    /// Errors: [`Error::WrongKey`] when it does not authenticate, [`Error::Malformed`], [`Error::TooLarge`],
    /// [`Error::Unsupported`] for another version or kind of content.
    pub fn open(sealed: &[u8], key: &FileKey) -> Result<Metadata, Error> {
        if sealed.len() > MAX_METADATA {
            return Err(Error::TooLarge { what: "metadata", limit: MAX_METADATA });
        }
        let size = sealed.len().checked_sub(NONCE + TAG).filter(|size| *size > 0 && size.is_multiple_of(PADDING));
        if size.is_none() {
            return Err(Error::Malformed("metadata has a size that none can have"));
        }
        let (nonce, sealed) = sealed.split_at(NONCE);
        let plain = cipher(key).decrypt(nonce.into(), sealed).map_err(|_| Error::WrongKey)?;
        decode(&plain)
    }
}

/// Encrypts padded plaintext: nonce, ciphertext, tag.
pub(super) fn seal_plain(plain: &[u8], key: &FileKey) -> Vec<u8> {
    let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
    let sealed = cipher(key).encrypt(&nonce, plain).expect("metadata is far below the cipher's limit");
    [&nonce[..], &sealed].concat()
}

/// Decodes the tuple in front of fewer than 64 zeros. CBOR is prefix-free: at most one length decodes.
fn decode(padded: &[u8]) -> Result<Metadata, Error> {
    let malformed = Error::Malformed("metadata is malformed");
    let content = padded.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    // The tuple itself may end with zeros: those of its size and of its kind.
    let longest = padded.len().min(content + 9);
    let found = (content..=longest).find_map(|end| Some((end, from_slice::<Tuple>(&padded[..end]).ok()?)));
    let (end, tuple) = found.ok_or(malformed)?;
    let canonical = to_vec(&tuple).is_ok_and(|bytes| bytes == padded[..end]);
    let (version, name, media_type, size, kind) = tuple;
    if version != VERSION {
        return Err(Error::Unsupported(format!("version {version} of metadata")));
    }
    if !canonical || padded.len() - end >= PADDING {
        return Err(Error::Malformed("metadata is not written in its one form"));
    }
    if name.len() > MAX_NAME || media_type.len() > MAX_MEDIA_TYPE {
        return Err(Error::TooLarge { what: "a name in metadata", limit: MAX_NAME });
    }
    let kind = match kind {
        0 => ContentKind::File,
        1 => ContentKind::Folder,
        _ => return Err(Error::Unsupported("this kind of content".into())),
    };
    Ok(Metadata { name, media_type, size, kind })
}

fn cipher(key: &FileKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*key.derive(&[], b"bauta/v1 metadata")).into())
}
