//! Miner actors, asked through their own methods, so that any bundle answers.

use bauta_client::node::json::{BeneficiaryTerm, MinerInfo, PendingBeneficiaryChange, TipsetKey, TokenJson};
use bauta_system_actors::method::miner::{
    CONTROL_ADDRESSES, GET_BENEFICIARY_EXPORTED, GET_MULTIADDRS, GET_OWNER, GET_PEER_ID, GET_SECTOR_SIZE,
};
use bauta_system_actors::method::power::{CURRENT_TOTAL_POWER, MINER_POWER, MINER_RAW_POWER};
use cid::Cid;
use cid::multibase::{Base, encode};
use cid::multihash::Multihash;
use fvm_ipld_encoding::de::DeserializeOwned;
use fvm_ipld_encoding::tuple::{Deserialize_tuple, serde_tuple};
use fvm_ipld_encoding::{BytesDe, CborStore, RawBytes};
use fvm_shared::address::Address;
use fvm_shared::bigint::bigint_ser::BigIntDe;
use fvm_shared::bigint::{BigInt, bigint_ser};
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::args::answer;
use super::chain::find;
use super::fields::First;
use super::{Answer, Args, Method, RpcError, actors, sectors};
use crate::chain::Chain;
use crate::deadlines::MinerState;
use crate::vm::SYSTEM;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.StateMinerInfo", 2, info),
    Method::read("Filecoin.StateMinerProvingDeadline", 2, proving_deadline),
    Method::read("Filecoin.StateMinerPower", 2, power),
    Method::read("Filecoin.StateMinerAvailableBalance", 2, available_balance),
];

/// The power actor.
const POWER: Address = Address::new_id(4);

const PROVING_PERIOD: ChainEpoch = 2880;
const WINDOW: ChainEpoch = 60;
const DEADLINES: u64 = 48;
const CHALLENGE_LOOKBACK: ChainEpoch = 20;
const FAULT_CUTOFF: ChainEpoch = 70;

/// Sector size, number of the window proof's type, sectors of a partition.
const SIZES: [(u64, i64, u64); 5] =
    [(2 << 10, 10, 2), (8 << 20, 11, 2), (512 << 20, 12, 2), (32 << 30, 13, 2349), (64 << 30, 14, 2300)];

type Term = (TokenAmount, TokenAmount, ChainEpoch);
type PendingChange = (Address, TokenAmount, ChainEpoch, bool, bool);

fn info(chain: &mut Chain, args: &Args) -> Answer {
    let (miner, key) = (args.address(0)?, args.key(1)?);
    let (owner, worker, control): (Address, Address, Vec<Address>) = ask(chain, &key, &miner, CONTROL_ADDRESSES)?;
    let (_, pending_owner): (Address, Option<Address>) = ask(chain, &key, &miner, GET_OWNER)?;
    let sector_size: u64 = ask(chain, &key, &miner, GET_SECTOR_SIZE)?;
    let (peer,): (BytesDe,) = ask(chain, &key, &miner, GET_PEER_ID)?;
    let (multiaddrs,): (Vec<BytesDe>,) = ask(chain, &key, &miner, GET_MULTIADDRS)?;
    let ((beneficiary, term), change): ((Address, Term), Option<PendingChange>) =
        ask(chain, &key, &miner, GET_BENEFICIARY_EXPORTED)?;
    let (_, _, _, new_worker, _, _, _, _, _, consensus_fault_elapsed, ..) = recorded(chain, &key, &miner)?;
    let size = SIZES.iter().find(|(size, ..)| *size == sector_size);
    let (_, proof, partition) = size.ok_or_else(|| RpcError::application(format!("sector size {sector_size}?")))?;
    answer(MinerInfo {
        owner,
        worker,
        new_worker: new_worker.map(|(worker, _)| worker),
        control_addresses: control,
        worker_change_epoch: new_worker.map_or(-1, |(_, epoch)| epoch),
        peer_id: peer_id(&peer.0),
        multiaddrs: multiaddrs.into_iter().map(|m| m.0).collect(),
        window_post_proof_type: json!(proof),
        sector_size,
        window_post_partition_sectors: *partition,
        consensus_fault_elapsed,
        pending_owner_address: pending_owner,
        beneficiary,
        beneficiary_term: Some(BeneficiaryTerm { quota: term.0, used_quota: term.1, expiration: term.2 }),
        pending_beneficiary_term: change.map(|c| PendingBeneficiaryChange {
            new_beneficiary: c.0,
            new_quota: c.1,
            new_expiration: c.2,
            approved_by_beneficiary: c.3,
            approved_by_nominee: c.4,
        }),
    })
}

/// What a miner's state says of itself: owner, worker, control addresses, next worker and when it becomes that, peer id, addresses, type
/// of the window proof, sector size, sectors of a partition, until when a consensus fault shuts it out, proposed owner, beneficiary,
/// its term, and its proposed change.
type Info = (
    Address,
    Address,
    Vec<Address>,
    Option<(Address, ChainEpoch)>,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    u64,
    u64,
    ChainEpoch,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
);

/// It is the first object of the miner's state. No method tells all of it.
fn recorded(chain: &Chain, key: &TipsetKey, miner: &Address) -> Result<Info, RpcError> {
    let First(info) = actors::state_at(chain, key)?.object::<First<Cid>>(miner)?;
    let info = chain.store().get_cbor(&info)?;
    info.ok_or_else(|| RpcError::application("failed to load miner actor state: its info is missing"))
}

/// A libp2p peer id is a multihash; it is written in base58.
fn peer_id(bytes: &[u8]) -> Option<String> {
    Multihash::<64>::from_bytes(bytes).ok().map(|_| encode(Base::Base58Btc, bytes)[1..].to_owned())
}

/// Calls a method without params as the system actor would.
fn ask<T: DeserializeOwned>(chain: &Chain, key: &TipsetKey, miner: &Address, method: u64) -> Result<T, RpcError> {
    call(chain, key, miner, method, RawBytes::default(), || RpcError::unresolved(*miner))
}

/// Calls a method at a tipset and decodes its value; an exit code is `failure`.
pub(super) fn call<T: DeserializeOwned>(
    chain: &Chain,
    key: &TipsetKey,
    to: &Address,
    method: u64,
    params: RawBytes,
    failure: impl Fn() -> RpcError,
) -> Result<T, RpcError> {
    let tipset = find(chain, key)?;
    let outcome = chain.query_at(tipset.parent_state, tipset.height, &SYSTEM, to, method, params)?;
    if !outcome.exit.is_success() {
        return Err(failure());
    }
    Ok(outcome.decode()?)
}

fn proving_deadline(chain: &mut Chain, args: &Args) -> Answer {
    let (miner, key) = (args.address(0)?, args.key(1)?);
    let now = find(chain, &key)?.height;
    let state = actors::state_at(chain, &key)?;
    if state.actor(&miner)?.is_none() {
        return Err(RpcError::unresolved(miner));
    }
    let miner: MinerState = state.object(&miner)?;
    let into = (now - miner.10).rem_euclid(PROVING_PERIOD);
    let index = into / WINDOW;
    let period_start = now - into;
    let open = period_start + index * WINDOW;
    answer(json!({
        "CurrentEpoch": now,
        "PeriodStart": period_start,
        "Index": index,
        "Open": open,
        "Close": open + WINDOW,
        "Challenge": open - CHALLENGE_LOOKBACK,
        "FaultCutoff": open - FAULT_CUTOFF,
        "WPoStPeriodDeadlines": DEADLINES,
        "WPoStProvingPeriod": PROVING_PERIOD,
        "WPoStChallengeWindow": WINDOW,
        "WPoStChallengeLookback": CHALLENGE_LOOKBACK,
        "FaultDeclarationCutoff": FAULT_CUTOFF,
    }))
}

/// Raw and quality-adjusted bytes.
#[derive(Deserialize_tuple)]
struct Power {
    #[serde(with = "bigint_ser")]
    raw: BigInt,
    #[serde(with = "bigint_ser")]
    quality_adjusted: BigInt,
}

impl Power {
    fn show(&self) -> Value {
        json!({ "RawBytePower": self.raw.to_string(), "QualityAdjPower": self.quality_adjusted.to_string() })
    }
}

/// Of the whole network; what follows the first two fields is not shown.
#[derive(Deserialize_tuple)]
struct TotalPower {
    #[serde(with = "bigint_ser")]
    raw: BigInt,
    #[serde(with = "bigint_ser")]
    quality_adjusted: BigInt,
    pledge: TokenAmount,
    _smoothed: IgnoredAny,
    _ramp_start: IgnoredAny,
    _ramp_duration: IgnoredAny,
}

fn total(chain: &Chain, key: &TipsetKey) -> Result<TotalPower, RpcError> {
    call(chain, key, &POWER, CURRENT_TOTAL_POWER, RawBytes::default(), refused)
}

fn refused() -> RpcError {
    RpcError::application("the power actor refused")
}

/// What all miners lock for their sectors.
pub(super) fn pledge(chain: &Chain, key: &TipsetKey) -> Result<TokenAmount, RpcError> {
    Ok(total(chain, key)?.pledge)
}

/// Without a claim a miner has no power, which is no error.
fn power(chain: &mut Chain, args: &Args) -> Answer {
    let (miner, key) = (args.address(0)?, args.key(1)?);
    let total = total(chain, &key)?;
    let total = Power { raw: total.raw, quality_adjusted: total.quality_adjusted };
    let id = actors::state_at(chain, &key)?.resolve(&miner)?.ok_or_else(|| RpcError::unresolved(miner))?;
    let params = RawBytes::serialize(id).map_err(anyhow::Error::from)?;
    let claim: Option<Power> = call(chain, &key, &POWER, MINER_POWER, params.clone(), refused).ok();
    let meets = call::<(BigIntDe, bool)>(chain, &key, &POWER, MINER_RAW_POWER, params, refused).is_ok_and(|(_, is)| is);
    let claim = claim.unwrap_or_else(|| Power { raw: BigInt::default(), quality_adjusted: BigInt::default() });
    answer(json!({ "MinerPower": claim.show(), "TotalPower": total.show(), "HasMinPower": meets }))
}

/// What the owner could withdraw: with what has vested and was not unlocked yet.
fn available_balance(chain: &mut Chain, args: &Args) -> Answer {
    let epoch = find(chain, &args.key(1)?)?.height;
    let miner = sectors::miner(chain, args, 1)?;
    let actor = actors::state_at(chain, &args.key(1)?)?.actor(&args.address(0)?)?;
    let balance = actor.map(|actor| actor.balance).unwrap_or_default();
    answer(TokenJson(miner.available(&balance) + miner.vested(epoch)?))
}
