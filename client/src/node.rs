//! Nodes: the one trait that everything above speaks through, its JSON-RPC implementation, and the calls that Bauta makes.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use bauta_client::network::Network;
//! use bauta_client::node::{HttpNode, Node};
//!
//! let network = Network::Local;
//! let node = HttpNode::connect(&network)?;
//! let node: &dyn Node = &node;
//! let head = node.chain_head().await?;
//! println!("{} is at epoch {}", node.network_name().await?, head.height);
//! # Ok(())
//! # }
//! ```

mod calls;
mod deals;
mod devnet;
mod error;
mod events;
mod http;
pub mod json;
mod rehearsal;
mod sectors;
mod wait;

use async_trait::async_trait;
use serde_json::Value;

use crate::address::Prefix;
use crate::network::Network;
use json::TipsetKey;

pub use devnet::{
    DevnetAccount, DevnetInfo, DevnetProvider, ExportedChain, InstalledActor, ProviderSettings, Serving, Taking,
    Telling,
};
pub use error::NodeError;
pub(crate) use error::words;
pub use events::WINDOW;
pub use http::{HttpNode, HttpSettings};
pub use rehearsal::{Asked, Rehearsal, Rehearsed};
pub use sectors::{ProvenSector, SectorLife};
pub use wait::{WaitError, WaitSettings, Waiting};

/// Something that answers calls in the Lotus dialect.
///
/// The devnet implements it in process; [`HttpNode`] over JSON-RPC. The typed calls are methods of `dyn Node`.
#[async_trait]
pub trait Node: Send + Sync {
    /// One call in the Lotus dialect; `method` with its prefix, e.g. `Filecoin.ChainHead`.
    ///
    /// Errors: the call did not arrive or no answer came back; the node refused it; the answer is not JSON-RPC.
    async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError>;

    /// The letter that addresses in requests begin with: Forest refuses the other network's.
    fn prefix(&self) -> Prefix {
        Prefix::Testnet
    }
}

/// What tells a chain apart: the network's name; for local ones, which come and go, also the first tipset.
pub async fn chain_name(node: &dyn Node, network: &Network) -> Result<String, NodeError> {
    let mut chain = network.name().to_string();
    if *network == Network::Local {
        let genesis = node.tipset_by_height(0, &TipsetKey::HEAD).await?;
        chain.extend(genesis.cids.0.iter().map(|cid| format!(" {cid}")));
    }
    Ok(chain)
}

#[cfg(test)]
mod tests;
