//! New sectors: announced, then proven. Seal proofs are fake: any bytes of a proof's length do.

use cid::{Cid, Version};
use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::RawBytes;
use fvm_ipld_encoding::tuple::*;
use fvm_sdk::{crypto, network};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::bigint::BigInt;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::commcid::{
    FIL_COMMITMENT_SEALED, FIL_COMMITMENT_UNSEALED, POSEIDON_BLS12_381_A1_FC1, SHA2_256_TRUNC254_PADDED,
};
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::piece::{PaddedPieceSize, PieceInfo};
use fvm_shared::sector::{RegisteredSealProof, SectorNumber};

use super::notify::notify;
use super::{burn_and_check, by_controller, change_pledge, enroll, info};
use crate::abi::BatchReturn;
use crate::blocks::{array, get, put};
use crate::failure::{Result, ensure, forbidden, illegal_argument, illegal_state, insufficient_funds, not_found};
use crate::miner::clock::Window;
use crate::miner::deadline::{Candidate, assign};
use crate::miner::partition::Queue;
use crate::miner::{PreCommit, PreCommitInfo, SectorInfo, State, money};
use crate::policy::{
    CHALLENGE_WINDOW, DEADLINES, MAX_PROVE_COMMIT_DURATION, MAX_SEAL_LOOKBACK, MAX_SECTOR_NUMBER,
    PRE_COMMIT_CHALLENGE_DELAY, PRE_COMMIT_CLEAN_UP_DELAY, SEAL_MAX_LIFE, SECTOR_LIFE, is_valid_seal,
};
use crate::runtime::{Answer, Event, Store, balance, done, load, now, reply, save};

/// Simple quality-adjusted power.
const FLAGS: u32 = 1;

// --- PreCommitSectorBatch2 -------------------------------------------------------------------------------------------

#[inline(never)]
pub fn pre_commit((sectors,): (Vec<PreCommitInfo>,)) -> Answer {
    let now = now();
    ensure(!sectors.is_empty(), || illegal_argument("batch empty"))?;
    let mut numbers = BitField::new();
    for info in &sectors {
        check_pre_commit(info, now)?;
        ensure(!numbers.get(info.sector), || illegal_argument("duplicate sector number"))?;
        numbers.set(info.sector);
    }

    let mut state: State = load()?;
    let available = state.available(&balance())?;
    let fee = state.repay_debt(&balance())?;
    let miner = info(&state)?;
    by_controller(&miner)?;
    for info in &sectors {
        let post = info.seal_proof.registered_window_post_proof();
        ensure(post == Ok(miner.post_proof), || illegal_argument("seal proof does not match the miner's proof type"))?;
    }
    let deposit = money::pre_commit_deposit(miner.bytes());
    let total = &deposit * sectors.len();
    ensure(available >= total, || insufficient_funds("insufficient funds for pre-commit deposit"))?;
    state.pre_commit_deposits += total;

    let allocated: BitField = get(&Store, &state.allocated_sectors)?;
    ensure(!allocated.contains_any(&numbers), || illegal_argument("sector number already allocated"))?;
    state.allocated_sectors = put(&Store, &(&allocated | &numbers))?;

    // Looked at by cron, at the end of every deadline: rounded up to one.
    let late = now + MAX_PROVE_COMMIT_DURATION + PRE_COMMIT_CLEAN_UP_DELAY;
    let clean_up = late + (state.proving_period_start - late).rem_euclid(CHALLENGE_WINDOW);
    let mut queue: Queue = get(&Store, &state.clean_ups)?;
    match queue.binary_search_by_key(&clean_up, |e| e.0) {
        Ok(at) => queue[at].1 |= &numbers,
        Err(at) => queue.insert(at, (clean_up, numbers.clone())),
    }
    state.clean_ups = put(&Store, &queue)?;

    let mut pre_commits = array(&Store, &state.pre_commits)?;
    for info in sectors {
        pre_commits.set(info.sector, PreCommit { info, deposit: deposit.clone(), epoch: now })?;
    }
    state.pre_commits = pre_commits.flush()?;

    let wake = !std::mem::replace(&mut state.deadline_cron_active, true);
    let last = Window::current(state.proving_period_start, now).last();
    save(&state)?;
    for number in numbers.iter() {
        Event::of("sector-precommitted")?.indexed("sector", &number)?.emit()?;
    }
    burn_and_check(fee)?;
    if wake {
        enroll(last)?;
    }
    done()
}

/// Exit 16 unless the announcement makes sense by itself.
fn check_pre_commit(info: &PreCommitInfo, now: ChainEpoch) -> Result<()> {
    let is = |cid: &Cid, codec, hash| {
        cid.version() == Version::V1 && cid.codec() == codec && cid.hash().code() == hash && cid.hash().size() == 32
    };
    ensure(is_valid_seal(info.seal_proof), || illegal_argument("unsupported seal proof type"))?;
    ensure(info.sector <= MAX_SECTOR_NUMBER, || illegal_argument("sector number out of range"))?;
    ensure(is(&info.sealed_cid, FIL_COMMITMENT_SEALED, POSEIDON_BLS12_381_A1_FC1), || {
        illegal_argument("sealed CID had wrong prefix")
    })?;
    ensure(info.seal_rand_epoch < now, || illegal_argument("seal challenge epoch must be before now"))?;
    ensure(info.seal_rand_epoch >= now - MAX_SEAL_LOOKBACK, || illegal_argument("seal challenge epoch too old"))?;
    if let Some(cid) = &info.unsealed_cid {
        ensure(is(cid, FIL_COMMITMENT_UNSEALED, SHA2_256_TRUNC254_PADDED), || {
            illegal_argument("unsealed CID had wrong prefix")
        })?;
    }
    ensure(info.deal_ids.is_empty(), || illegal_argument("deals are activated by notification"))?;
    // As if it were proven as late as possible.
    check_expiration(info.expiration, now + MAX_PROVE_COMMIT_DURATION, now)
}

/// Exit 16 unless a sector that lives from `activation` to `expiration` lives neither too short nor too long.
pub fn check_expiration(expiration: ChainEpoch, activation: ChainEpoch, now: ChainEpoch) -> Result<()> {
    let life = expiration - activation;
    ensure(life >= SECTOR_LIFE.0, || illegal_argument("sector would expire too early"))?;
    ensure(expiration <= now + SECTOR_LIFE.1, || illegal_argument("sector would expire too late"))?;
    ensure(life <= SEAL_MAX_LIFE, || illegal_argument("sector would outlive its seal"))
}

// --- ProveCommitSectors3 ---------------------------------------------------------------------------------------------

/// Params of ProveCommitSectors3.
#[derive(Deserialize_tuple)]
pub struct ProveCommitParams {
    activations: Vec<(SectorNumber, Vec<PieceManifest>)>,
    proofs: Vec<RawBytes>,
    aggregate_proof: RawBytes,
    aggregate_proof_type: Option<i64>,
    require_activation: bool,
    require_notification: bool,
}

/// One piece of a sector, in order.
#[derive(Clone, Deserialize_tuple)]
pub struct PieceManifest {
    /// Piece CID.
    pub cid: Cid,
    /// Padded size.
    pub size: PaddedPieceSize,
    /// Ignored: there is no datacap (FIP-0118).
    _allocation: Option<(ActorID, u64)>,
    /// Who is to be told, and what.
    pub notify: Vec<(Address, RawBytes)>,
}

#[inline(never)]
pub fn prove_commit(params: ProveCommitParams) -> Answer {
    let now = now();
    let state: State = load()?;
    let miner = info(&state)?;
    by_controller(&miner)?;
    let pre_commits = load_pre_commits(&state, &params.activations)?;
    check_proofs(&params, &pre_commits)?;

    let mut results = BatchReturn::default();
    let mut valid = vec![];
    for (pre_commit, (_, pieces)) in pre_commits.iter().zip(&params.activations) {
        ensure(pre_commit.info.seal_proof == pre_commits[0].info.seal_proof, || {
            illegal_state("mismatched seal proofs")
        })?;
        ensure(now > pre_commit.epoch + PRE_COMMIT_CHALLENGE_DELAY, || forbidden("too early to prove sector"))?;
        if now > pre_commit.epoch + MAX_PROVE_COMMIT_DURATION {
            ensure(!params.require_activation, || illegal_argument("too late to prove sector"))?;
            results.push(ExitCode::USR_ILLEGAL_ARGUMENT);
        } else {
            results.push(ExitCode::OK);
            valid.push((pre_commit, pieces.as_slice()));
        }
    }
    ensure(!valid.is_empty(), || illegal_argument("no valid precommits specified"))?;
    for (pre_commit, pieces) in &valid {
        check_data(&pre_commit.info, pieces)?;
    }

    let pledge = activate(&valid)?;
    change_pledge(&pledge)?;

    for (PreCommit { info, .. }, pieces) in &valid {
        let mut event = Event::of("sector-activated")?
            .indexed("sector", &info.sector)?
            .indexed("unsealed-cid", &info.unsealed_cid)?;
        for piece in *pieces {
            event = event.indexed("piece-cid", &piece.cid)?.field("piece-size", &piece.size)?;
        }
        event.emit()?;
    }
    let told: Vec<_> = valid.iter().map(|(p, pieces)| (p.info.sector, p.info.expiration, *pieces)).collect();
    notify(&told, params.require_notification)?;
    reply(&results)
}

/// Exit 17: a sector was not announced.
fn load_pre_commits(state: &State, activations: &[(SectorNumber, Vec<PieceManifest>)]) -> Result<Vec<PreCommit>> {
    let stored = array::<PreCommit, _>(&Store, &state.pre_commits)?;
    let mut found = vec![];
    for (sector, _) in activations {
        ensure(*sector <= MAX_SECTOR_NUMBER, || illegal_argument("sector number greater than maximum"))?;
        found.push(stored.get(*sector)?.cloned().ok_or_else(|| not_found("sector was not pre-committed"))?);
    }
    Ok(found)
}

/// Exit 16 unless the proofs have the right shape.
fn check_proofs(params: &ProveCommitParams, pre_commits: &[PreCommit]) -> Result<()> {
    let first = pre_commits.first().ok_or_else(|| illegal_argument("no sectors to prove"))?;
    ensure(params.proofs.is_empty() != params.aggregate_proof.is_empty(), || {
        illegal_argument("exactly one of sector proofs or aggregate proof must be non-empty")
    })?;
    ensure(params.aggregate_proof.is_empty(), || illegal_argument("aggregate proofs are not served on this network"))?;
    ensure(params.aggregate_proof_type.is_none(), || illegal_argument("aggregate proof type must be null"))?;
    ensure(params.proofs.len() == params.activations.len(), || illegal_argument("mismatched number of proofs"))?;
    let max = proof_size(first.info.seal_proof)?;
    ensure(params.proofs.iter().all(|p| p.len() <= max), || illegal_argument("sector proof too long"))
}

fn proof_size(seal_proof: RegisteredSealProof) -> Result<usize> {
    seal_proof.proof_size().map_err(|_| illegal_state("unknown proof size"))
}

/// Exit 16 unless the pieces make up what was announced.
fn check_data(info: &PreCommitInfo, pieces: &[PieceManifest]) -> Result<()> {
    // No pieces is the all-zero sector, and so is a missing CommD.
    let computed = if pieces.is_empty() { None } else { Some(comm_d(info.seal_proof, pieces)?) };
    if computed != info.unsealed_cid {
        let zero = || comm_d(info.seal_proof, &[]);
        let expand = |cid: Option<Cid>| cid.map_or_else(zero, Ok);
        ensure(expand(computed)? == expand(info.unsealed_cid)?, || {
            illegal_argument("unsealed CID does not match pieces")
        })?;
    }
    Ok(())
}

fn comm_d(seal_proof: RegisteredSealProof, pieces: &[PieceManifest]) -> Result<Cid> {
    let pieces: Vec<_> = pieces.iter().map(|p| PieceInfo { cid: p.cid, size: p.size }).collect();
    crypto::compute_unsealed_sector_cid(seal_proof, &pieces)
        .map_err(|_| illegal_argument("failed to compute unsealed sector CID"))
}

/// Makes announced sectors real: deposits go, pledge comes, and each gets a deadline. Returns the pledge.
fn activate(sectors: &[(&PreCommit, &[PieceManifest])]) -> Result<TokenAmount> {
    let now = now();
    let supply = network::total_fil_circ_supply();
    let mut state: State = load()?;
    let miner = info(&state)?;
    let (pledge, daily_fee) = (money::pledge(miner.bytes()), money::daily_fee(&supply, miner.bytes()));

    let mut infos = vec![];
    for (PreCommit { info, deposit, .. }, pieces) in sectors {
        let life = info.expiration - now;
        ensure(life >= SECTOR_LIFE.0, || illegal_argument("sector would expire too early"))?;
        let space: u64 = pieces.iter().map(|p| p.size.0).sum();
        state.pre_commit_deposits -= deposit;
        infos.push(SectorInfo {
            number: info.sector,
            seal_proof: info.seal_proof,
            sealed_cid: info.sealed_cid,
            deprecated_deal_ids: vec![],
            activation: now,
            expiration: info.expiration,
            deal_weight: BigInt::from(space) * life,
            verified_deal_weight: BigInt::from(0),
            initial_pledge: pledge.clone(),
            expected_day_reward: None,
            expected_storage_pledge: None,
            power_base_epoch: now,
            replaced_day_reward: None,
            sector_key_cid: None,
            flags: FLAGS,
            daily_fee: daily_fee.clone(),
        });
    }
    let total = &pledge * infos.len();
    ensure(state.unlocked(&balance())? >= total, || insufficient_funds("insufficient funds for initial pledge"))?;
    state.initial_pledge += &total;

    let mut pre_commits = array::<PreCommit, _>(&Store, &state.pre_commits)?;
    for info in &infos {
        ensure(pre_commits.delete(info.number)?.is_some(), || illegal_state("sector not pre-committed"))?;
    }
    state.pre_commits = pre_commits.flush()?;
    assign_deadlines(&mut state, &mut infos, miner.partition_sectors)?;
    state.put_sectors(&Store, infos)?;
    state.check_balance(&balance())?;
    save(&state)?;
    Ok(total)
}

fn assign_deadlines(state: &mut State, infos: &mut [SectorInfo], partition_size: u64) -> Result<()> {
    let now = now();
    let seed = state.proving_period_start;
    let mut candidates = vec![];
    for index in (0..DEADLINES).filter(|i| Window::next(seed, *i, now).is_mutable(now)) {
        let (total, live) = state.deadline(&Store, index)?.count();
        candidates.push(Candidate { index, total, live });
    }
    infos.sort_by_key(|i| i.number);
    for (info, index) in infos.iter().zip(assign(candidates, infos.len(), partition_size)?) {
        let mut deadline = state.deadline(&Store, index)?;
        deadline.add(info.number, Window::new(seed, index).round_up(info.expiration), partition_size);
        deadline.daily_fee += &info.daily_fee;
        state.set_deadline(&Store, index, deadline)?;
    }
    Ok(())
}
