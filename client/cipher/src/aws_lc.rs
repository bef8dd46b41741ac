//! The library that is linked.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use crate::{KEY, NONCE, TAG};

/// A key as the library keeps it; it wipes it itself.
pub(crate) struct AwsLc(LessSafeKey);

impl AwsLc {
    pub fn new(key: &[u8; KEY]) -> Self {
        AwsLc(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has 32 bytes")))
    }

    pub fn seal(&self, nonce: &[u8; NONCE], text: &mut [u8]) -> [u8; TAG] {
        let tag = self.0.seal_in_place_separate_tag(Nonce::from(nonce), Aad::empty(), text);
        let tag = tag.expect("a text is below the cipher's limit");
        tag.as_ref().try_into().expect("the cipher's tags have 16 bytes")
    }

    pub fn open(&self, nonce: &[u8; NONCE], sealed: &[u8], tag: &[u8; TAG], plain: &mut [u8]) -> bool {
        self.0.open_separate_gather(Nonce::from(nonce), Aad::empty(), sealed, tag, plain).is_ok()
    }
}
