//! The wallet: keys that sign messages, in memory and on disk.

mod key;
mod lotus;

pub use key::{Key, KeyError, KeyKind};

#[cfg(test)]
mod tests;
