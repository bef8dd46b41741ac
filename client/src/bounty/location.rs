//! Where a sector is within its miner: looked up off the chain, because the lookup is too expensive to pay for (FIP-0112).

use fvm_ipld_encoding::{from_slice, to_vec};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::sector::SectorNumber;
use serde_bytes::ByteBuf;

use crate::actor::{Actor, ActorError};
use crate::node::NodeError;

/// A miner actor's `GenerateSectorLocation`.
const GENERATE_SECTOR_LOCATION: u64 = 1_321_604_665;

/// Looks a sector's place up: the `aux` that `SettleBounty` takes.
pub async fn sector_location(actor: &Actor, provider: ActorID, sector: SectorNumber) -> Result<Vec<u8>, ActorError> {
    let params = to_vec(&(sector,)).map_err(|e| malformed(&e.to_string()))?;
    let miner = Address::new_id(provider);
    let returned = actor.read(&miner, GENERATE_SECTOR_LOCATION, "GenerateSectorLocation", params).await?;
    // `[status, aux]`; the status is what the miner thinks now, and is asked again on the chain.
    let (_, aux): (u8, ByteBuf) = from_slice(&returned).map_err(|e| malformed(&e.to_string()))?;
    Ok(aux.into_vec())
}

fn malformed(why: &str) -> ActorError {
    NodeError::Malformed(format!("GenerateSectorLocation: {why}")).into()
}
