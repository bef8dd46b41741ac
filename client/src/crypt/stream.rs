//! The body of an age file: chunks of 64 KiB under ChaCha20-Poly1305. [`BodyKey`] is the one place that runs the cipher.

use std::io::{self, Read};

use bauta_cipher::Cipher;

use super::{Error, FileKey};

/// Plaintext bytes of all chunks but the last.
pub(crate) const CHUNK: usize = 64 << 10;
/// Bytes of the tag behind each chunk.
pub(crate) const TAG: usize = bauta_cipher::TAG;
/// Bytes of a whole chunk in the file.
pub(crate) const SEALED_CHUNK: usize = CHUNK + TAG;

/// The key of a body.
pub(crate) struct BodyKey(Cipher);

impl BodyKey {
    pub fn new(key: &FileKey, nonce: &[u8]) -> Self {
        BodyKey(Cipher::new(&key.derive(nonce, b"payload")))
    }

    /// Encrypts a chunk in place and gives its tag.
    pub fn seal(&self, index: u64, last: bool, chunk: &mut [u8]) -> [u8; TAG] {
        self.0.seal(&nonce(index, last), chunk)
    }

    /// Decrypts a chunk with its tag into as many bytes as it holds.
    ///
    /// Errors: [`Error::Truncated`], [`Error::TrailingData`], [`Error::Chunk`], [`Error::Malformed`].
    pub fn open(&self, index: u64, last: bool, sealed: &[u8], plain: &mut [u8]) -> Result<(), Error> {
        let size = sealed.len().checked_sub(TAG).ok_or(Error::Truncated)?;
        let (body, tag) = sealed.split_at(size);
        let tag = tag.try_into().expect("as long as a tag");
        let mut open = |last| self.0.open(&nonce(index, last), body, tag, plain);
        if open(last) {
            // Only the whole file may be an empty chunk.
            let empty = last && size == 0 && index > 0;
            return if empty { Err(Error::Malformed("the age file ends with an empty chunk")) } else { Ok(()) };
        }
        // Whole, but not in its place?
        Err(match (size == CHUNK && open(!last), last) {
            (true, true) => Error::Truncated,
            (true, false) => Error::TrailingData,
            (false, _) => Error::Chunk(index),
        })
    }
}

/// Eleven bytes of counter, big-endian, and one that marks the last chunk.
fn nonce(index: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&index.to_be_bytes());
    nonce[11] = last.into();
    nonce
}

/// Replaces `chunk` by the next `size` bytes, or all that are left.
pub(super) fn read_chunk(input: &mut impl Read, size: usize, chunk: &mut Vec<u8>) -> io::Result<()> {
    chunk.clear();
    input.by_ref().take(size as u64).read_to_end(chunk)?;
    Ok(())
}
