//! The body of an age file: chunks of 64 KiB under ChaCha20-Poly1305. [`BodyKey`] is the one place that runs the cipher.

use std::io::{self, Read};

use super::{Error, FileKey};

#[cfg(not(target_arch = "wasm32"))]
use native::Cipher;
#[cfg(target_arch = "wasm32")]
use portable::Cipher;

/// Plaintext bytes of all chunks but the last.
pub(crate) const CHUNK: usize = 64 << 10;
/// Bytes of the tag behind each chunk.
pub(crate) const TAG: usize = 16;
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
        self.0.seal(nonce(index, last), chunk)
    }

    /// Decrypts a chunk with its tag into as many bytes as it holds.
    ///
    /// Errors: [`Error::Truncated`], [`Error::TrailingData`], [`Error::Chunk`], [`Error::Malformed`].
    pub fn open(&self, index: u64, last: bool, sealed: &[u8], plain: &mut [u8]) -> Result<(), Error> {
        let size = sealed.len().checked_sub(TAG).ok_or(Error::Truncated)?;
        let (body, tag) = sealed.split_at(size);
        let mut open = |last| self.0.open(nonce(index, last), body, tag, plain);
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

/// The fastest maintained library that needs nothing from the system: see `client/DESIGN.md`.
#[cfg(not(target_arch = "wasm32"))]
mod native {
    use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

    use super::TAG;

    pub struct Cipher(LessSafeKey);

    impl Cipher {
        pub fn new(key: &[u8; 32]) -> Self {
            Cipher(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has 32 bytes")))
        }

        pub fn seal(&self, nonce: [u8; 12], chunk: &mut [u8]) -> [u8; TAG] {
            let tag = self.0.seal_in_place_separate_tag(Nonce::from(&nonce), Aad::empty(), chunk);
            let tag = tag.expect("a chunk is far below the cipher's limit");
            tag.as_ref().try_into().expect("the cipher's tags have 16 bytes")
        }

        pub fn open(&self, nonce: [u8; 12], body: &[u8], tag: &[u8], plain: &mut [u8]) -> bool {
            self.0.open_separate_gather(Nonce::from(&nonce), Aad::empty(), body, tag, plain).is_ok()
        }
    }
}

/// Pure Rust, for where there is no C compiler; elsewhere the oracle of the tests.
#[cfg(any(target_arch = "wasm32", test))]
pub(super) mod portable {
    use chacha20poly1305::aead::AeadInPlace;
    use chacha20poly1305::{ChaCha20Poly1305, KeyInit};

    use super::TAG;

    pub struct Cipher(ChaCha20Poly1305);

    impl Cipher {
        pub fn new(key: &[u8; 32]) -> Self {
            Cipher(ChaCha20Poly1305::new(key.into()))
        }

        pub fn seal(&self, nonce: [u8; 12], chunk: &mut [u8]) -> [u8; TAG] {
            let tag = self.0.encrypt_in_place_detached(&nonce.into(), &[], chunk);
            tag.expect("a chunk is far below the cipher's limit").into()
        }

        pub fn open(&self, nonce: [u8; 12], body: &[u8], tag: &[u8], plain: &mut [u8]) -> bool {
            plain.copy_from_slice(body);
            self.0.decrypt_in_place_detached(&nonce.into(), &[], plain, tag.into()).is_ok()
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ciphers_are_one() {
        let (key, nonce) = ([7; 32], nonce(5, true));
        let (native, portable) = (native::Cipher::new(&key), portable::Cipher::new(&key));
        for size in [0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 257, 1023, 4097, CHUNK - 1, CHUNK] {
            let plain: Vec<u8> = crate::vectors::lcg(size as u32).take(size).collect();
            let (mut one, mut other) = (plain.clone(), plain.clone());
            let tag = native.seal(nonce, &mut one);
            assert_eq!((portable.seal(nonce, &mut other), &other), (tag, &one), "{size} bytes");
            let mut found = vec![0; size];
            assert!(native.open(nonce, &one, &tag, &mut found) && found == plain);
            assert!(portable.open(nonce, &one, &tag, &mut found) && found == plain);
            let mut wrong = tag;
            wrong[size % 16] ^= 1;
            assert!(!native.open(nonce, &one, &wrong, &mut found) && !portable.open(nonce, &one, &wrong, &mut found));
        }
    }
}
