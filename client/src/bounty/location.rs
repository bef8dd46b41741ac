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
    Ok(locate(actor, provider, sector).await?.1)
}

/// How a sector stands now, in one word: `active`, `faulty` or `dead`.
pub async fn sector_status(actor: &Actor, provider: ActorID, sector: SectorNumber) -> Result<&'static str, ActorError> {
    match locate(actor, provider, sector).await?.0 {
        0 => Ok("dead"),
        1 => Ok("active"),
        2 => Ok("faulty"),
        other => Err(malformed(&format!("sector status {other}"))),
    }
}

async fn locate(actor: &Actor, provider: ActorID, sector: SectorNumber) -> Result<(u8, Vec<u8>), ActorError> {
    let params = to_vec(&(sector,)).map_err(|e| malformed(&e.to_string()))?;
    let miner = Address::new_id(provider);
    let returned = actor.read(&miner, GENERATE_SECTOR_LOCATION, "GenerateSectorLocation", params).await?;
    // `[status, aux]`; the status holds for now only, and settling asks for it again on the chain.
    let (status, aux): (u8, ByteBuf) = from_slice(&returned).map_err(|e| malformed(&e.to_string()))?;
    Ok((status, aux.into_vec()))
}

fn malformed(why: &str) -> ActorError {
    NodeError::Malformed(format!("GenerateSectorLocation: {why}")).into()
}
