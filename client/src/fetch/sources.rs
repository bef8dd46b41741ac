//! Who may have a piece, when only the chain is known.

use std::fmt;
use std::path::PathBuf;

use cid::Cid;
use fvm_shared::address::Address;

use crate::actor::{Actor, ActorError};
use crate::deal::http_url;
use crate::node::{Node, NodeError};

/// One who may have a piece.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A storage provider.
    Provider {
        /// Its miner actor.
        miner: Address,
        /// Where it serves.
        url: String,
    },
    /// A CAR on this machine that was never uploaded.
    Here(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider { miner, url } => write!(f, "{miner} at {url}"),
            Self::Here(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Where a provider serves: the first HTTP multiaddr of its miner actor; none where it announces none, or there is no such miner.
pub async fn provider_url(node: &dyn Node, miner: &Address) -> Result<Option<String>, NodeError> {
    let info = node.miner_info(miner).await?;
    Ok(info.and_then(|info| info.multiaddrs.iter().find_map(|multiaddr| http_url(multiaddr).ok())))
}

/// The providers among these that announce where they serve.
pub async fn sources_of(node: &dyn Node, miners: &[Address]) -> Result<Vec<Source>, NodeError> {
    let mut sources = Vec::new();
    for miner in miners {
        if let Some(url) = provider_url(node, miner).await? {
            sources.push(Source::Provider { miner: *miner, url });
        }
    }
    Ok(sources)
}

/// The providers that claimed a bounty for this piece.
pub async fn sources_on_chain(actor: &Actor, piece_cid: &Cid) -> Result<Vec<Source>, ActorError> {
    let mut miners = Vec::new();
    for (id, bounty) in actor.bounties().await? {
        if bounty.terms.piece_cid == *piece_cid && bounty.claims > 0 {
            for (_, claim) in actor.claims(id).await? {
                let miner = Address::new_id(claim.provider);
                if !miners.contains(&miner) {
                    miners.push(miner);
                }
            }
        }
    }
    Ok(sources_of(&**actor.node(), &miners).await?)
}
