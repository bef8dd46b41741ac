//! Why something was not stored: told apart by whose fault it is.

use std::io;
use std::path::PathBuf;

use bauta_abi::FileId;
use fvm_shared::address::Address;

use crate::actor::ActorError;
use crate::deal::DealError;
use crate::fetch::FetchError;
use crate::home::FileError;
use crate::node::NodeError;
use crate::pack;
use crate::share::ShareError;

/// Why something was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What is at the path cannot be packed.
    #[error(transparent)]
    Pack(#[from] pack::Error),
    /// The original cannot be read.
    #[error("{}: {why}", path.display())]
    Source {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// Nobody to store it.
    #[error("nobody to store it with: name a provider with --provider, or register it only with --no-store")]
    NoProvider,
    /// Nobody took it; nothing was registered.
    #[error("no provider took it: {}", .0.iter().map(|(who, why)| format!("{who}: {why}")).collect::<Vec<_>>().join("; "))]
    NotStored(Vec<(Address, DealError)>),
    /// The file to be updated is not there.
    #[error("there is no file {0}")]
    NoSuchFile(FileId),
    /// The CAR of an earlier run is gone, and no provider has it.
    #[error("the packed file of an earlier run is gone and cannot be fetched again: {0}")]
    CarGone(FetchError),
    /// Files of our own.
    #[error(transparent)]
    Home(#[from] FileError),
    /// Somebody else's key.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// The chain.
    #[error(transparent)]
    Actor(#[from] ActorError),
}

impl From<NodeError> for StoreError {
    fn from(error: NodeError) -> Self {
        Self::Actor(error.into())
    }
}
