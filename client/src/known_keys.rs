//! Other people's keys, as we met them first: a node that shows another one later is not believed.
//!
//! Published keys are read from the chain by asking a node, and a node could show its own key in place of a friend's: whatever was shared then would
//! be open to it. So it is as with the hosts of ssh: the first key of an address is written down, and any other one refused until a person says that it
//! is right, having asked its owner by another way. One file of JSON for each chain, 0600: whom somebody shares with is nobody else's business.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fvm_shared::address::Address;
use thiserror::Error;

use crate::address::{Prefix, parse};
use crate::crypt::Recipient;
use crate::home::{FileError, Home, Lock, read_private_up_to, replace_private};
use crate::network::Network;
use crate::node::{Node, NodeError, chain_name};

/// Some 600,000 people.
const MAX_FILE: u64 = 64 << 20;
/// How long another process may be writing.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a key is not believed, or could not be compared.
#[derive(Debug, Error)]
pub enum KnownKeyError {
    /// An address has another key than before.
    #[error(
        "{who} has another key than before: it was {known}, and the node shows {shown}. Whoever runs the node could have put theirs there: ask \
         {who} by another way, and if the new one is right, run `bauta key trust {who} {shown}`"
    )]
    Changed {
        /// Whose.
        who: String,
        /// The key that was met first, or trusted.
        known: String,
        /// The key that was shown now.
        shown: String,
    },
    /// The file is none of ours.
    #[error("{path} is damaged: {why}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The keys of a chain's people that we know.
#[derive(Debug, Clone)]
pub struct KnownKeys {
    file: PathBuf,
    keeps: bool,
}

impl KnownKeys {
    /// Uses a file; it is made when there is something to write down.
    pub fn at(file: &Path) -> Self {
        Self { file: file.into(), keeps: true }
    }

    /// Those of the chain that a node belongs to: a local one that was begun anew has others. Where the home is only rehearsed in, nothing is written.
    ///
    /// Errors: the node's.
    pub async fn of(home: &Home, node: &dyn Node, network: &Network) -> Result<Self, NodeError> {
        let file = home.known_keys(&chain_name(node, network).await?);
        Ok(Self { file, keeps: !home.is_rehearsed() })
    }

    /// Compares what a node shows with what is known, and writes down whom we did not know. Tells for each whether it is new.
    ///
    /// Errors: [`KnownKeyError::Changed`]: then nothing is written; [`KnownKeyError::Damaged`]; [`KnownKeyError::File`], Busy where another
    /// process is at it for ten seconds.
    pub async fn meet(&self, shown: &[(Address, &Recipient)], prefix: Prefix) -> Result<Vec<bool>, KnownKeyError> {
        let _lock = if self.keeps { Some(self.lock().await?) } else { None };
        let mut known = self.read()?;
        let mut new = Vec::with_capacity(shown.len());
        for (address, recipient) in shown {
            let recipient = recipient.to_string();
            match known.get(&name(address)) {
                Some(before) if *before != recipient => {
                    return Err(KnownKeyError::Changed {
                        who: prefix.show(address),
                        known: before.clone(),
                        shown: recipient,
                    });
                }
                Some(_) => new.push(false),
                None => {
                    known.insert(name(address), recipient);
                    new.push(true);
                }
            }
        }
        if new.contains(&true) {
            self.write(&known)?;
        }
        Ok(new)
    }

    /// Writes down what a person says. Gives the key that was known before, if it was another one.
    ///
    /// Errors: as [`KnownKeys::meet`], but for [`KnownKeyError::Changed`].
    pub async fn trust(&self, address: &Address, recipient: &Recipient) -> Result<Option<String>, KnownKeyError> {
        let _lock = self.lock().await?;
        let mut known = self.read()?;
        let before = known.insert(name(address), recipient.to_string());
        self.write(&known)?;
        Ok(before.filter(|before| *before != recipient.to_string()))
    }

    /// All of them, by address.
    ///
    /// Errors: [`KnownKeyError::Damaged`]; [`KnownKeyError::File`].
    pub fn list(&self) -> Result<Vec<(Address, Recipient)>, KnownKeyError> {
        let known = self.read()?.into_iter();
        known.map(|(address, recipient)| self.entry(&address, &recipient)).collect()
    }

    fn entry(&self, address: &str, recipient: &str) -> Result<(Address, Recipient), KnownKeyError> {
        let address = parse(address).map_err(|e| self.damaged(&e))?;
        Ok((address, recipient.parse().map_err(|e| self.damaged(&e))?))
    }

    async fn lock(&self) -> Result<Lock, FileError> {
        Lock::wait(&self.file.with_extension("lock"), PATIENCE).await
    }

    fn read(&self) -> Result<BTreeMap<String, String>, KnownKeyError> {
        match read_private_up_to(&self.file, MAX_FILE) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| self.damaged(&e)),
            Err(FileError::Missing(_)) => Ok(BTreeMap::new()),
            Err(e) => Err(e.into()),
        }
    }

    fn write(&self, known: &BTreeMap<String, String>) -> Result<(), KnownKeyError> {
        if !self.keeps {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(known).map_err(|e| self.damaged(&e))?;
        Ok(replace_private(&self.file, &text)?)
    }

    fn damaged(&self, why: &dyn std::fmt::Display) -> KnownKeyError {
        KnownKeyError::Damaged { path: self.file.clone(), why: why.to_string() }
    }
}

/// An address has one name here, whatever letter the network prints before it. What it resolves to is the node's word: f1… and f0… are two.
fn name(address: &Address) -> String {
    Prefix::Mainnet.show(address)
}

#[cfg(test)]
mod tests;
