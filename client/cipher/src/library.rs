//! The libraries, and which of them the machine does fastest.

use std::fmt;
use std::str::FromStr;

/// Whose code runs the cipher. All give the same results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Library {
    /// `aws-lc-rs`, which is linked.
    AwsLc,
    /// `libcrypto.so.3` of the system, where there is one.
    OpenSsl,
    /// The `chacha20poly1305` crate: pure Rust.
    RustCrypto,
}

impl Library {
    /// All there are, on any machine.
    pub const ALL: [Library; 3] = [Library::AwsLc, Library::OpenSsl, Library::RustCrypto];

    /// Says whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Library::AwsLc => cfg!(not(target_arch = "wasm32")),
            Library::RustCrypto => true,
            #[cfg(target_os = "linux")]
            Library::OpenSsl => crate::openssl::OpenSsl::get().is_some(),
            #[cfg(not(target_os = "linux"))]
            Library::OpenSsl => false,
        }
    }

    /// Gives the one that [`Cipher::new`](crate::Cipher::new) takes for much text: that which the environment variable `BAUTA_CIPHER` names,
    /// or the fastest. Decided once, in some milliseconds, most of which go into opening OpenSSL.
    pub fn chosen() -> Library {
        crate::choice::chosen()
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Library::AwsLc => "aws-lc",
            Library::OpenSsl => "openssl",
            Library::RustCrypto => "rustcrypto",
        })
    }
}

impl FromStr for Library {
    type Err = UnknownLibrary;

    /// Reads a name as [`Display`](fmt::Display) writes it; whether this machine has it is not asked.
    ///
    /// Errors: [`UnknownLibrary`].
    fn from_str(name: &str) -> Result<Self, UnknownLibrary> {
        Library::ALL.into_iter().find(|library| library.to_string() == name).ok_or_else(|| UnknownLibrary(name.into()))
    }
}

/// The name of no library.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no library: aws-lc, openssl or rustcrypto")]
pub struct UnknownLibrary(String);

/// A library that this machine does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this machine does not have the library {0}")]
pub struct Unavailable(pub Library);
