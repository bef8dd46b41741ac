//! Encryption of bytes in memory to nowhere, as an age file.

use std::io::{self, Write};

use anyhow::Result;
use bauta_client::crypt;

/// Ours, on one thread, as it is used outside of packing.
pub fn ours(plain: &[u8]) -> Result<()> {
    let owner = crypt::Identity::generate();
    io::copy(&mut crypt::seal(plain, &[owner.recipient()])?, &mut io::sink())?;
    Ok(())
}

/// The library that the program `rage` is made of.
pub fn age(plain: &[u8]) -> Result<()> {
    let owner = age::x25519::Identity::generate();
    let recipient = owner.to_public();
    let recipients = [&recipient as &dyn age::Recipient];
    let mut out = age::Encryptor::with_recipients(recipients.into_iter())?.wrap_output(io::sink())?;
    out.write_all(plain)?;
    out.finish()?;
    Ok(())
}

/// The cipher alone, in chunks of 64 KiB as age has them: what encryption may cost at least with this library.
pub fn cipher(data: &mut [u8]) {
    use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).expect("the key has 32 bytes"));
    for (i, chunk) in data.chunks_mut(64 << 10).enumerate() {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&(i as u64).to_be_bytes());
        let tag = key.seal_in_place_separate_tag(Nonce::from(&nonce), Aad::empty(), chunk);
        std::hint::black_box(tag.expect("a chunk is far below the limit").as_ref());
    }
}
