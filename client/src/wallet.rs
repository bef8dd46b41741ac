//! The wallet: keys that sign messages, in memory and on disk.

mod key;
mod keystore;
mod lotus;

pub use key::{Key, KeyError, KeyKind};
pub use keystore::{Entry, Keystore, WalletError};

#[cfg(test)]
mod tests;
