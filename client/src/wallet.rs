//! The wallet: keys that sign messages, in memory and on disk.

mod key;
mod keystore;
mod lotus;
mod phrase;
mod text;

pub use key::{Key, KeyError, KeyKind};
pub use keystore::{Entry, Keystore, WalletError};
pub use phrase::{KeyPath, Phrase, PhraseError};
pub use text::enveloped;

#[cfg(test)]
mod tests;
