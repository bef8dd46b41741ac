//! What the chain says of a sealed piece, whatever its provider says.
//!
//! A miner emits the CIDs of the pieces when it proves a sector, new or updated (FIP-0083), and answers how the sector stands (FIP-0112).

use std::sync::{Arc, Mutex, MutexGuard};

use cid::Cid;
use fvm_ipld_encoding::{RawBytes, from_slice};
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sector::SectorNumber;
use serde_bytes::ByteBuf;

use crate::message::draft;
use crate::node::json::TipsetKey;
use crate::node::{Node, NodeError, ProvenSector};

/// A miner actor's `GenerateSectorLocation`.
const GENERATE_SECTOR_LOCATION: u64 = 1_321_604_665;
/// Epochs that a node looks through at once, if it does not look through all.
const WINDOW: ChainEpoch = 2_000;
/// How many such windows are looked through, from the head back: ten days.
const WINDOWS: ChainEpoch = 15;
/// On whose behalf is read: nobody's.
const READER: Address = Address::new_id(0);
/// The status of a sector that is gone.
const DEAD: u8 = 0;

/// Looks at the chain for one piece.
#[derive(Clone)]
pub struct Witness {
    node: Arc<dyn Node>,
    piece: Cid,
    /// The miners that it was seen at.
    seen: Arc<Mutex<Vec<Address>>>,
}

/// What the chain knows of a piece at a miner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Testimony {
    /// It is in these sectors, which are not dead; the newest first.
    Sectors(Vec<SectorNumber>),
    /// No proven sector with it.
    Nothing,
    /// The node keeps no events, or not for long enough.
    Unknown(String),
}

impl Witness {
    /// Watches for a piece, v1 form.
    pub fn new(node: Arc<dyn Node>, piece: Cid) -> Self {
        Self { node, piece, seen: Arc::default() }
    }

    /// Finds the sectors of a miner that were proven with the piece in them.
    ///
    /// Errors: the node is not reached, or too busy to say.
    pub async fn look(&self, miner: &Address) -> Result<Testimony, NodeError> {
        let mut proven = match self.proven(miner).await {
            Ok(proven) => proven,
            // A node that is busy now keeps what it keeps.
            Err(error) if error.is_busy() => return Err(error),
            Err(NodeError::Refused { message, .. }) => return Ok(Testimony::Unknown(message)),
            Err(error) => return Err(error),
        };
        proven.sort_by_key(|proof| std::cmp::Reverse(proof.epoch));
        let mut sectors = Vec::new();
        for ProvenSector { sector, .. } in proven {
            if !sectors.contains(&sector) && self.is_alive(miner, sector).await? {
                sectors.push(sector);
            }
        }
        Ok(if sectors.is_empty() { Testimony::Nothing } else { Testimony::Sectors(sectors) })
    }

    /// Whether the chain has the piece at a miner. Where it cannot be asked, the provider's word has to do, and the log says so.
    pub(super) async fn has_seen(&self, miner: &Address) -> bool {
        if self.known().contains(miner) {
            return true;
        }
        let seen = match self.look(miner).await {
            Ok(Testimony::Sectors(_)) => true,
            Ok(Testimony::Nothing) => false,
            Ok(Testimony::Unknown(why)) => {
                tracing::warn!("the node does not tell what {miner} has sealed ({why}); the provider is believed");
                true
            }
            // Asked again at the next look.
            Err(error) => {
                tracing::debug!(%error, "the chain was not asked");
                false
            }
        };
        if seen {
            self.known().push(*miner);
        }
        seen
    }

    fn known(&self) -> MutexGuard<'_, Vec<Address>> {
        self.seen.lock().expect("nobody panics with it")
    }

    async fn proven(&self, miner: &Address) -> Result<Vec<ProvenSector>, NodeError> {
        let all = self.node.sectors_with_piece(&self.piece, Some(miner), 0, None).await;
        if !matches!(&all, Err(NodeError::Refused { .. })) {
            return all;
        }
        let head = self.node.chain_head().await?.height;
        let mut found = Vec::new();
        for window in (0..WINDOWS).rev() {
            let to = head - window * WINDOW;
            if to > 0 {
                let from = (to - WINDOW + 1).max(0);
                found.extend(self.node.sectors_with_piece(&self.piece, Some(miner), from, Some(to)).await?);
            }
        }
        Ok(found)
    }

    /// Whether a sector is there, faulty or not. A miner without that method is believed.
    async fn is_alive(&self, miner: &Address, sector: SectorNumber) -> Result<bool, NodeError> {
        let params = RawBytes::serialize((sector,)).expect("a number has a CBOR form");
        let call = draft(READER, *miner, TokenAmount::default(), GENERATE_SECTOR_LOCATION, params);
        let receipt = match self.node.state_call(&call, &TipsetKey::HEAD).await {
            Ok(result) => result.msg_rct,
            Err(error) if error.is_busy() => return Err(error),
            Err(NodeError::Refused { .. }) => return Ok(true),
            Err(error) => return Err(error),
        };
        let answer = receipt.filter(|receipt| receipt.exit_code == 0).map(|receipt| receipt.return_data);
        let status = answer.and_then(|data| from_slice::<(u8, ByteBuf)>(&data).ok()).map(|(status, _)| status);
        Ok(status != Some(DEAD))
    }
}

#[cfg(test)]
mod tests;
