//! The body of an age file: chunks of 64 KiB under ChaCha20-Poly1305. [`BodyKey`] is the one place that runs the cipher.

use std::io::{self, Read};

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};

use super::FileKey;

/// Plaintext bytes of all chunks but the last.
pub(super) const CHUNK: usize = 64 << 10;
/// Bytes of the tag behind each chunk.
pub(super) const TAG: usize = 16;
/// Bytes of a whole chunk in the file.
pub(super) const SEALED_CHUNK: usize = CHUNK + TAG;

/// The key of a body.
pub(super) struct BodyKey(ChaCha20Poly1305);

impl BodyKey {
    pub fn new(key: &FileKey, nonce: &[u8]) -> Self {
        BodyKey(ChaCha20Poly1305::new((&*key.derive(nonce, b"payload")).into()))
    }

    /// Encrypts a chunk in place and appends its tag.
    pub fn seal(&self, index: u64, last: bool, chunk: &mut Vec<u8>) {
        let tag = self.0.encrypt_in_place_detached(&nonce(index, last).into(), &[], chunk);
        chunk.extend_from_slice(&tag.expect("a chunk is far below the cipher's limit"));
    }

    /// Decrypts a chunk in place and drops its tag. Says whether it authenticates; if not, leaves it as it was.
    pub fn open(&self, index: u64, last: bool, chunk: &mut Vec<u8>) -> bool {
        let Some(size) = chunk.len().checked_sub(TAG) else { return false };
        let (body, tag) = chunk.split_at_mut(size);
        let opened = self.0.decrypt_in_place_detached(&nonce(index, last).into(), &[], body, (&*tag).into()).is_ok();
        if opened {
            chunk.truncate(size);
        }
        opened
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
