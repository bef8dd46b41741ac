//! Sectors that hold a piece: found by what miners emit when they prove one, described by the miner's state.

use std::collections::BTreeMap;

use cid::Cid;
use fvm_ipld_encoding::{from_slice, to_vec};
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::sector::SectorNumber;
use serde::{Deserialize, Serialize};

use super::json::{ActorEvent, AddressJson, EventBlock, EventFilter, TipsetKey};
use super::{Node, NodeError};

/// CBOR, as built-in actors encode the values of their events.
const CBOR: u64 = 0x51;

/// A sector that was proven with a certain piece in it. Whether it still is, the miner says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProvenSector {
    /// Its miner, by ID.
    pub miner: Address,
    /// Its number.
    pub sector: SectorNumber,
    /// The epoch of the proof.
    pub epoch: ChainEpoch,
}

/// From when until when a sector lives (`StateSectorGetInfo`; other fields are passed over).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SectorLife {
    /// The epoch of its proof.
    pub activation: ChainEpoch,
    /// Its nominal expiration.
    pub expiration: ChainEpoch,
}

impl<'n> dyn Node + 'n {
    /// The sectors that were proven with a piece in the epochs `from..=to`, of one miner or of all; `to` absent means up to the head.
    ///
    /// Errors: as `actor_events`.
    ///
    /// Source: FIP-0083, events `sector-activated` and `sector-updated`.
    pub async fn sectors_with_piece(
        &self,
        piece_cid: &Cid,
        miner: Option<&Address>,
        from: ChainEpoch,
        to: Option<ChainEpoch>,
    ) -> Result<Vec<ProvenSector>, NodeError> {
        let wanted = |value: Vec<u8>| EventBlock { codec: CBOR, value };
        let unencodable = |why: fvm_ipld_encoding::Error| NodeError::Malformed(format!("the filter: {why}"));
        let mut kinds = Vec::new();
        for kind in ["sector-activated", "sector-updated"] {
            kinds.push(wanted(to_vec(kind).map_err(unencodable)?));
        }
        let piece = wanted(to_vec(piece_cid).map_err(unencodable)?);
        let fields = BTreeMap::from([("$type".into(), kinds), ("piece-cid".into(), vec![piece])]);
        let addresses = miner.map(|miner| AddressJson(*miner)).into_iter().collect();
        let filter =
            EventFilter { addresses, fields, from_height: Some(from), to_height: to, ..EventFilter::default() };
        let events = self.actor_events(&filter).await?;
        // An emitter that is no ID is no miner.
        let mut found: Vec<_> = events.iter().filter(|event| !event.reverted).filter_map(proven).collect();
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// How long a sector lives; `None` if the miner has none with that number.
    pub async fn sector_life(&self, miner: &Address, sector: SectorNumber) -> Result<Option<SectorLife>, NodeError> {
        let params = self.params((AddressJson(*miner), sector, TipsetKey::HEAD))?;
        match self.call::<Option<SectorLife>>("Filecoin.StateSectorGetInfo", params).await {
            Err(error) if error.is_actor_not_found() || error.is_not_found() => Ok(None),
            answer => answer,
        }
    }
}

fn proven(event: &ActorEvent) -> Option<ProvenSector> {
    event.emitter.id().ok()?;
    let sector = event.entries.iter().find(|entry| entry.key == "sector" && entry.codec == CBOR)?;
    Some(ProvenSector { miner: event.emitter, sector: from_slice(&sector.value).ok()?, epoch: event.height })
}
