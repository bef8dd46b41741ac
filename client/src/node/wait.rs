//! Waiting for a message: polled by `StateSearchMsg`, because gateways search few epochs back and hold no request open for long.

use std::time::Duration;

use cid::Cid;
use fvm_shared::clock::ChainEpoch;
use thiserror::Error;
use tokio::time::Instant;

use super::calls::LOOKBACK_NO_LIMIT;
use super::json::{MsgLookup, TipsetKey};
use super::{Node, NodeError};
use crate::network::Network;

/// What gateways make of any longer look back.
const GATEWAY_LOOKBACK: ChainEpoch = 20;
/// How far apart two searches start so that their ranges overlap by some null rounds.
const STRIDE: ChainEpoch = 15;
/// Gateways answer for the last 24 hours.
const GATEWAY_REACH: ChainEpoch = 2_880;

/// How a message is waited for.
#[derive(Clone, Debug)]
pub struct WaitSettings {
    /// Epochs that have to pass after the execution.
    pub confidence: ChainEpoch,
    /// When to give up. The message itself stays where it is.
    pub timeout: Duration,
    /// The first pause between two questions; each next one is half longer.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How many epochs one search looks back; -1 is all of them, which gateways don't do.
    pub lookback: ChainEpoch,
}

impl WaitSettings {
    /// What suits a network: the devnet executes at once and never reorganises; elsewhere 30-second epochs and gateways.
    pub fn for_network(network: &Network) -> Self {
        match network {
            Network::Local => Self {
                confidence: 0,
                timeout: Duration::from_secs(120),
                first_pause: Duration::from_millis(20),
                longest_pause: Duration::from_secs(1),
                lookback: LOOKBACK_NO_LIMIT,
            },
            _ => Self {
                confidence: 2,
                timeout: Duration::from_secs(15 * 60),
                first_pause: Duration::from_secs(2),
                longest_pause: Duration::from_secs(10),
                lookback: GATEWAY_LOOKBACK,
            },
        }
    }
}

/// How far the waiting has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Not executed yet.
    Pending {
        /// Time since the waiting began.
        elapsed: Duration,
    },
    /// Executed; more epochs have to pass.
    Executed {
        /// The epoch of the execution.
        height: ChainEpoch,
        /// Epochs since.
        confidence: ChainEpoch,
    },
    /// The node was not reached; it is asked again.
    Unreachable {
        /// Why.
        reason: String,
    },
}

/// Why the waiting ended without a receipt.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WaitError {
    /// Time is up. The message may still be executed.
    #[error("message {0} was not confirmed in time; it may still be executed")]
    TimedOut(Cid),
    /// The node refuses to search.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl WaitSettings {
    /// Whether a search from `head` reaches back to an epoch.
    pub fn reaches(&self, epoch: ChainEpoch, head: ChainEpoch) -> bool {
        self.lookback < 0 || head - epoch <= GATEWAY_REACH
    }
}

impl<'n> dyn Node + 'n {
    /// Waits until a message is executed and deep enough. A node that is not reached for a while is asked again until time is up.
    ///
    /// `since` is an epoch at which the message was not yet on the chain: nothing before it is searched.
    pub async fn wait_msg(
        &self,
        cid: &Cid,
        since: ChainEpoch,
        settings: &WaitSettings,
        mut progress: impl FnMut(Waiting) + Send,
    ) -> Result<MsgLookup, WaitError> {
        let begun = Instant::now();
        let mut pause = settings.first_pause;
        // Everything up to here has been searched.
        let mut searched = since;
        loop {
            match self.look(cid, &mut searched, settings).await {
                Ok(Some((lookup, confidence))) if confidence >= settings.confidence => return Ok(lookup),
                Ok(Some((lookup, confidence))) => {
                    progress(Waiting::Executed { height: lookup.height, confidence });
                    // A reorganisation could undo it, so it is looked for again from there on.
                    searched = searched.min(lookup.height - 1);
                }
                Ok(None) => progress(Waiting::Pending { elapsed: begun.elapsed() }),
                Err(NodeError::Unreachable(reason)) => progress(Waiting::Unreachable { reason }),
                Err(error) => return Err(error.into()),
            }
            if begun.elapsed() + pause > settings.timeout {
                return Err(WaitError::TimedOut(*cid));
            }
            tokio::time::sleep(pause).await;
            pause = (pause + pause / 2).min(settings.longest_pause);
        }
    }

    /// Searches once for an executed message, back to the epoch `since` or as far as the node and `settings` allow.
    pub async fn find_msg(
        &self,
        cid: &Cid,
        since: ChainEpoch,
        settings: &WaitSettings,
    ) -> Result<Option<MsgLookup>, NodeError> {
        let mut searched = since;
        Ok(self.look(cid, &mut searched, settings).await?.map(|(lookup, _)| lookup))
    }

    /// Searches once from the head back to `searched`, in steps where one search does not reach that far.
    async fn look(
        &self,
        cid: &Cid,
        searched: &mut ChainEpoch,
        settings: &WaitSettings,
    ) -> Result<Option<(MsgLookup, ChainEpoch)>, NodeError> {
        let head = self.chain_head().await?;
        let found = |lookup: MsgLookup| {
            let confidence = head.height - lookup.height;
            Some((lookup, confidence))
        };
        if let Some(lookup) = self.search_msg(&TipsetKey::HEAD, cid, settings.lookback).await? {
            return Ok(found(lookup));
        }
        if settings.lookback >= 0 {
            let bottom = (*searched).max(head.height - GATEWAY_REACH).max(0);
            let mut at = head.height - STRIDE;
            while at > bottom {
                let tipset = self.tipset_by_height(at, &head.cids).await?;
                if let Some(lookup) = self.search_msg(&tipset.cids, cid, settings.lookback).await? {
                    return Ok(found(lookup));
                }
                at = tipset.height.min(at) - STRIDE;
            }
        }
        // The head may change hands; the last few epochs are always searched again.
        *searched = (head.height - GATEWAY_LOOKBACK).max(*searched);
        Ok(None)
    }
}
