//! The other actors we ask: their numbers, and the parts of their answers that we use. All read-only.
//!
//! Numbers: FRC-0042, as the built-in actors export them (builtin-actors v18, `actors/market` and `actors/miner`). Bare values, not
//! one-tuples, unless said otherwise.

use bauta_abi::{Exit, MIN_DEAL_LEFT};
use cid::Cid;
use frc42_macros::method_hash;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::{BytesSer, CBOR, DAG_CBOR, from_slice};
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;
use fvm_shared::error::ExitCode;
use fvm_shared::piece::PaddedPieceSize;
use fvm_shared::sector::SectorNumber;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::runtime::Runtime;
use crate::state::{Proof, SectorStatus};

/// The built-in type of miner actors: the position of "storageminer" in the bundle's manifest.
pub const MINER_TYPE: i32 = 6;
/// The built-in market.
pub const MARKET: ActorID = 5;

/// `deal -> [piece CID, padded size]`
pub const GET_DEAL_DATA_COMMITMENT: u64 = method_hash!("GetDealDataCommitment");
/// `deal -> provider`
pub const GET_DEAL_PROVIDER: u64 = method_hash!("GetDealProvider");
/// `deal -> [start, duration]`
pub const GET_DEAL_TERM: u64 = method_hash!("GetDealTerm");
/// `deal -> [activated, terminated]`, -1 for never
pub const GET_DEAL_ACTIVATION: u64 = method_hash!("GetDealActivation");
/// `deal -> sector`
pub const GET_DEAL_SECTOR: u64 = method_hash!("GetDealSector");
/// All that the market is asked of a deal.
pub const DEAL_QUESTIONS: [u64; 5] =
    [GET_DEAL_DATA_COMMITMENT, GET_DEAL_PROVIDER, GET_DEAL_TERM, GET_DEAL_ACTIVATION, GET_DEAL_SECTOR];
/// `[sector, status, aux] -> bool` (FIP-0112)
pub const VALIDATE_SECTOR_STATUS: u64 = method_hash!("ValidateSectorStatus");
/// `sector -> epoch` (FIP-0112)
pub const GET_NOMINAL_SECTOR_EXPIRATION: u64 = method_hash!("GetNominalSectorExpiration");

/// FIP-0112's numbers, in the order in which we ask.
const STATUSES: [(u8, SectorStatus); 3] =
    [(1, SectorStatus::Active), (2, SectorStatus::Faulty), (0, SectorStatus::Dead)];

/// Why a question has no answer.
enum Unanswered {
    /// The other actor refused.
    Refused(ExitCode),
    /// It was not reached, or its answer is no such value.
    Garbage,
}

/// Asks the market what a deal is and the miner when its sector expires. The market goes on calling a deal active that has ended, until somebody
/// settles it, and by then its sector may hold something else: so its term is asked for as well.
///
/// Errors: 17 no such deal; 46 it is not active, over or soon over, or one of the answers makes no sense.
pub fn proof_of_deal<R: Runtime>(rt: &R, deal: DealID) -> Result<Proof> {
    let (piece, size): (Cid, PaddedPieceSize) = market(rt, GET_DEAL_DATA_COMMITMENT, deal)?;
    let provider: ActorID = market(rt, GET_DEAL_PROVIDER, deal)?;
    let (activated, terminated): (ChainEpoch, ChainEpoch) = market(rt, GET_DEAL_ACTIVATION, deal)?;
    if activated < 0 || terminated >= 0 {
        return Err(Error::DealDoesNotFit("the deal is not active"));
    }
    let (start, duration): (ChainEpoch, ChainEpoch) = market(rt, GET_DEAL_TERM, deal)?;
    if start.saturating_add(duration) <= rt.epoch().saturating_add(MIN_DEAL_LEFT) {
        return Err(Error::DealDoesNotFit("the deal ends too soon"));
    }
    let sector: SectorNumber = market(rt, GET_DEAL_SECTOR, deal)?;
    let expiration = ask(rt, provider, GET_NOMINAL_SECTOR_EXPIRATION, &sector)
        .map_err(|_| Error::DealDoesNotFit("the provider does not know the deal's sector"))?;
    Ok(Proof { provider, sector, deal: Some(deal), piece, size, expiration })
}

/// Asks a miner how its sector is, and when it will expire. `None`: it is not where `aux` says.
pub fn sector<R: Runtime>(
    rt: &R,
    miner: ActorID,
    sector: SectorNumber,
    aux: &[u8],
) -> Option<(SectorStatus, ChainEpoch)> {
    let holds = |status: u8| {
        let params = (sector, status, BytesSer(aux));
        matches!(ask(rt, miner, VALIDATE_SECTOR_STATUS, &params), Ok(true))
    };
    let (_, status) = STATUSES.into_iter().find(|(number, _)| holds(*number))?;
    if status == SectorStatus::Dead {
        return Some((status, 0));
    }
    let expiration = ask(rt, miner, GET_NOMINAL_SECTOR_EXPIRATION, &sector).ok()?;
    Some((status, expiration))
}

fn market<R: Runtime, T: DeserializeOwned>(rt: &R, method: u64, deal: DealID) -> Result<T> {
    ask(rt, MARKET, method, &deal).map_err(|e| match e {
        Unanswered::Refused(exit) if exit == Exit::NotFound.code() => Error::NotFound("deal"),
        Unanswered::Refused(_) => Error::DealDoesNotFit("the market says that it is over or not active"),
        Unanswered::Garbage => Error::DealDoesNotFit("the market's answer makes no sense"),
    })
}

fn ask<R: Runtime, T: DeserializeOwned>(
    rt: &R,
    to: ActorID,
    method: u64,
    params: &impl Serialize,
) -> std::result::Result<T, Unanswered> {
    let params = IpldBlock::serialize_cbor(params).map_err(|_| Unanswered::Garbage)?;
    let answer = rt.ask(to, method, params).ok_or(Unanswered::Garbage)?;
    if !answer.exit.is_success() {
        return Err(Unanswered::Refused(answer.exit));
    }
    let block = answer.data.filter(|block| matches!(block.codec, CBOR | DAG_CBOR)).ok_or(Unanswered::Garbage)?;
    from_slice(&block.data).map_err(|_| Unanswered::Garbage)
}
