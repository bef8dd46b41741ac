//! ChaCha20-Poly1305 (RFC 8439, without associated data), by whichever maintained library does it fastest on this machine.
//!
//! [`Cipher::new`] takes the library that is linked, and for much text the fastest; [`Cipher::with`] takes a certain one.

/// The examples in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(not(target_arch = "wasm32"))]
mod aws_lc;
#[cfg(not(target_arch = "wasm32"))]
mod choice;
mod library;
#[cfg(target_os = "linux")]
mod openssl;
mod rust_crypto;

#[cfg(test)]
mod tests;

/// Where nothing is linked there is no choice.
#[cfg(target_arch = "wasm32")]
mod choice {
    use crate::Library;

    pub(crate) fn for_text(_: usize) -> Library {
        chosen()
    }

    pub(crate) fn chosen() -> Library {
        Library::RustCrypto
    }
}

pub use library::{Library, Unavailable, UnknownLibrary};

use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY: usize = 32;
/// Bytes of a nonce.
pub const NONCE: usize = 12;
/// Bytes of a tag.
pub const TAG: usize = 16;

/// A key, ready for use by any number of threads. It is wiped when dropped.
pub struct Cipher {
    key: Zeroizing<[u8; KEY]>,
    #[cfg(not(target_arch = "wasm32"))]
    linked: aws_lc::AwsLc,
    /// None: the fastest, where that matters.
    library: Option<Library>,
}

impl Cipher {
    /// Takes a key for the linked library and, once a process has sealed or opened 32 MiB in texts of 64 KiB and more, for the fastest.
    pub fn new(key: &[u8; KEY]) -> Self {
        Cipher {
            key: Zeroizing::new(*key),
            #[cfg(not(target_arch = "wasm32"))]
            linked: aws_lc::AwsLc::new(key),
            library: None,
        }
    }

    /// Takes a key for a certain library.
    ///
    /// Errors: [`Unavailable`] where this machine does not have it.
    pub fn with(library: Library, key: &[u8; KEY]) -> Result<Self, Unavailable> {
        if !library.is_available() {
            return Err(Unavailable(library));
        }
        Ok(Cipher { library: Some(library), ..Cipher::new(key) })
    }

    /// Encrypts a text in place and gives its tag. A nonce must never come twice under one key.
    ///
    /// Panics: above 256 GiB, which the cipher's counter ends at; OpenSSL when there is no memory left.
    pub fn seal(&self, nonce: &[u8; NONCE], text: &mut [u8]) -> [u8; TAG] {
        match self.library_for(text.len()) {
            #[cfg(not(target_arch = "wasm32"))]
            Library::AwsLc => self.linked.seal(nonce, text),
            #[cfg(target_os = "linux")]
            Library::OpenSsl => openssl::OpenSsl::get().expect("it was chosen").seal(&self.key, nonce, text),
            _ => rust_crypto::seal(&self.key, nonce, text),
        }
    }

    /// Decrypts into as many bytes as there are. Where the tag is another, says `false`, and what was written is wiped.
    ///
    /// Panics: as [`Cipher::seal`]; if the two lengths differ.
    pub fn open(&self, nonce: &[u8; NONCE], sealed: &[u8], tag: &[u8; TAG], plain: &mut [u8]) -> bool {
        assert_eq!(sealed.len(), plain.len(), "as many bytes come out as go in");
        let good = match self.library_for(sealed.len()) {
            #[cfg(not(target_arch = "wasm32"))]
            Library::AwsLc => self.linked.open(nonce, sealed, tag, plain),
            #[cfg(target_os = "linux")]
            Library::OpenSsl => {
                openssl::OpenSsl::get().expect("it was chosen").open(&self.key, nonce, sealed, tag, plain)
            }
            _ => rust_crypto::open(&self.key, nonce, sealed, tag, plain),
        };
        if !good {
            plain.fill(0);
        }
        good
    }

    fn library_for(&self, size: usize) -> Library {
        self.library.unwrap_or_else(|| choice::for_text(size))
    }
}
