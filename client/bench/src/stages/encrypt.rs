//! Encryption of bytes in memory to nowhere, as an age file.

use std::io::{self, Write};

use anyhow::Result;
use bauta_cipher::{Cipher, Library};
use bauta_client::crypt;

const KEY: [u8; 32] = [7; 32];

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

/// The cipher alone, by the library that is chosen on this machine, in chunks of 64 KiB as age has them: what encryption may cost at least.
pub fn cipher(data: &mut [u8]) {
    seal(&Cipher::new(&KEY), data);
}

/// The same by a certain library, if this machine has it.
pub fn cipher_of(library: Library) -> Option<fn(&mut [u8])> {
    let run: fn(&mut [u8]) = match library {
        Library::AwsLc => |data| seal_by(Library::AwsLc, data),
        Library::OpenSsl => |data| seal_by(Library::OpenSsl, data),
        Library::RustCrypto => |data| seal_by(Library::RustCrypto, data),
    };
    library.is_available().then_some(run)
}

/// The same by ring.
pub fn ring(data: &mut [u8]) {
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &KEY).expect("the key has 32 bytes"));
    for (nonce, chunk) in chunks(data) {
        let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), chunk);
        std::hint::black_box(tag.expect("a chunk is far below the limit").as_ref());
    }
}

fn seal_by(library: Library, data: &mut [u8]) {
    seal(&Cipher::with(library, &KEY).expect("it is there"), data);
}

fn seal(cipher: &Cipher, data: &mut [u8]) {
    for (nonce, chunk) in chunks(data) {
        std::hint::black_box(cipher.seal(&nonce, chunk));
    }
}

fn chunks(data: &mut [u8]) -> impl Iterator<Item = ([u8; 12], &mut [u8])> {
    data.chunks_mut(64 << 10).enumerate().map(|(i, chunk)| {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&(i as u64).to_be_bytes());
        (nonce, chunk)
    })
}
