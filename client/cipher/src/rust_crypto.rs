//! Pure Rust, for where there is no C compiler; elsewhere the oracle of the tests.

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};

use crate::{KEY, NONCE, TAG};

pub(crate) fn seal(key: &[u8; KEY], nonce: &[u8; NONCE], text: &mut [u8]) -> [u8; TAG] {
    let tag = ChaCha20Poly1305::new(key.into()).encrypt_in_place_detached(nonce.into(), &[], text);
    tag.expect("a text is below the cipher's limit").into()
}

pub(crate) fn open(key: &[u8; KEY], nonce: &[u8; NONCE], sealed: &[u8], tag: &[u8; TAG], plain: &mut [u8]) -> bool {
    plain.copy_from_slice(sealed);
    ChaCha20Poly1305::new(key.into()).decrypt_in_place_detached(nonce.into(), &[], plain, tag.into()).is_ok()
}
