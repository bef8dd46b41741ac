//! A payment channel: money that vouchers, signed off the chain, move from one to another. State and vouchers are as in
//! built-in actors.

use cid::Cid;
use fvm_ipld_amt::Amt;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::tuple::*;
use fvm_ipld_encoding::{BytesSer, CBOR, RawBytes, strict_bytes, to_vec};
use fvm_sdk::{message, sself};
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::crypto::signature::Signature;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::sys::SendFlags;
use fvm_shared::{ActorID, METHOD_SEND, MethodNum};
use num_traits::Zero;

use crate::failure::{Result, ensure, failure, forbidden, illegal_argument, illegal_state};
use crate::method::{CONSTRUCTOR, account, paymentchannel};
use crate::runtime::{
    Answer, Params, Store, balance, blake2b, block, caller_is, decode, done, kind, kind_of, load, now, outcome,
    resolve, resolve_or_create, save, try_send, unhandled,
};

/// Epochs between settling and collecting: 12 hours.
const SETTLE_DELAY: ChainEpoch = 12 * 120;
const MAX_LANE: u64 = i64::MAX as u64;
const MAX_SECRET: usize = 256;
/// Bit width of the array of lanes.
const WIDTH: u32 = 3;
/// Exit code: the channel is settled, and takes no vouchers.
const AFTER_SETTLED: ExitCode = ExitCode::new(32);

#[derive(Serialize_tuple, Deserialize_tuple)]
struct State {
    from: Address,
    to: Address,
    /// What `to` gets so far.
    to_send: TokenAmount,
    /// 0 until somebody settles.
    settling_at: ChainEpoch,
    min_settle_height: ChainEpoch,
    lanes: Cid,
}

#[derive(Clone, Default, PartialEq, Serialize_tuple, Deserialize_tuple)]
struct Lane {
    redeemed: TokenAmount,
    nonce: u64,
}

#[derive(Serialize_tuple, Deserialize_tuple)]
struct Voucher {
    channel: Address,
    time_lock_min: ChainEpoch,
    time_lock_max: ChainEpoch,
    #[serde(with = "strict_bytes")]
    secret_hash: Vec<u8>,
    extra: Option<Extra>,
    lane: u64,
    nonce: u64,
    amount: TokenAmount,
    min_settle_height: ChainEpoch,
    merges: Vec<Merge>,
    signature: Option<Signature>,
}

/// A call that has to succeed.
#[derive(Serialize_tuple, Deserialize_tuple)]
struct Extra {
    actor: Address,
    method: MethodNum,
    data: RawBytes,
}

#[derive(Serialize_tuple, Deserialize_tuple)]
struct Merge {
    lane: u64,
    nonce: u64,
}

#[derive(Deserialize_tuple)]
struct Update {
    voucher: Voucher,
    #[serde(with = "strict_bytes")]
    secret: Vec<u8>,
}

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => construct(params.get()?),
        paymentchannel::UPDATE_CHANNEL_STATE => update(params.get()?),
        paymentchannel::SETTLE => {
            params.none()?;
            settle()
        }
        paymentchannel::COLLECT => {
            params.none()?;
            collect()
        }
        _ => unhandled(),
    }
}

fn construct((from, to): (Address, Address)) -> Answer {
    ensure(kind_of(message::caller()) == Some(kind::INIT), || forbidden("caller is not the init actor"))?;
    let to = Address::new_id(resolve_or_create(&to, true)?);
    let from = Address::new_id(resolve_or_create(&from, true)?);
    let lanes = Amt::<Lane, _>::new_with_bit_width(Store, WIDTH).flush()?;
    save(&State { from, to, to_send: TokenAmount::zero(), settling_at: 0, min_settle_height: 0, lanes })?;
    done()
}

impl State {
    /// Exit 18: the caller has no part in it.
    fn check_caller(&self) -> Result<ActorID> {
        let parties = [self.from.id(), self.to.id()].map(|id| id.unwrap_or_default());
        caller_is(&parties)?;
        Ok(if message::caller() == parties[0] { parties[1] } else { parties[0] })
    }
}

fn update(Update { mut voucher, secret }: Update) -> Answer {
    let mut state: State = load()?;
    let other = state.check_caller()?;
    let signature = voucher.signature.take().ok_or_else(|| illegal_argument("voucher has no signature"))?;
    if state.settling_at != 0 && now() >= state.settling_at {
        return Err(failure(AFTER_SETTLED, "no vouchers can be processed after settling"));
    }
    ensure(secret.len() <= MAX_SECRET, || illegal_argument("secret must be at most 256 bytes long"))?;
    // What is signed is the voucher without a signature.
    let signed = to_vec(&voucher)?;
    let asked = block(&(BytesSer(&signature.bytes), BytesSer(&signed)))?;
    let (to, none) = (Address::new_id(other), TokenAmount::zero());
    let valid = outcome(try_send(&to, account::AUTHENTICATE_MESSAGE, asked, none, SendFlags::READ_ONLY))?;
    ensure(decode(valid)?, || illegal_argument("voucher signature authentication failed"))?;
    check(&voucher, &secret)?;
    if let Some(extra) = &voucher.extra {
        let params = Some(IpldBlock { codec: CBOR, data: extra.data.to_vec() });
        outcome(try_send(&extra.actor, extra.method, params, TokenAmount::zero(), SendFlags::default()))?;
        // It may have called us.
        state = load()?;
    }
    redeem(&mut state, voucher)?;
    save(&state)?;
    done()
}

fn check(voucher: &Voucher, secret: &[u8]) -> Result<()> {
    let channel = resolve(&voucher.channel).ok_or_else(|| illegal_argument("voucher's channel does not resolve"))?;
    ensure(channel == message::receiver(), || illegal_argument("voucher is for another channel"))?;
    ensure(now() >= voucher.time_lock_min, || illegal_argument("cannot use this voucher yet"))?;
    let open = voucher.time_lock_max == 0 || now() <= voucher.time_lock_max;
    ensure(open, || illegal_argument("this voucher has expired"))?;
    ensure(!voucher.amount.is_negative(), || illegal_argument("voucher amount must be non-negative"))?;
    let known = voucher.secret_hash.is_empty() || voucher.secret_hash == blake2b(secret);
    ensure(known, || illegal_argument("incorrect secret"))
}

fn redeem(state: &mut State, voucher: Voucher) -> Result<()> {
    let mut lanes: Amt<Lane, Store> = Amt::load(&state.lanes, Store)?;
    let mut lane = match find(&lanes, voucher.lane)? {
        Some(lane) if lane.nonce >= voucher.nonce => return Err(illegal_argument("voucher has an outdated nonce")),
        lane => lane.unwrap_or_default(),
    };
    let mut redeemed = lane.redeemed;
    for merge in voucher.merges {
        ensure(merge.lane != voucher.lane, || illegal_argument("voucher cannot merge lanes into its own lane"))?;
        let other = find(&lanes, merge.lane)?.ok_or_else(|| illegal_argument("invalid merge lane"))?;
        ensure(other.nonce < merge.nonce, || illegal_argument("merged lane has outdated nonce"))?;
        redeemed += &other.redeemed;
        lanes.set(merge.lane, Lane { nonce: merge.nonce, ..other })?;
    }
    state.to_send += &voucher.amount - redeemed;
    ensure(!state.to_send.is_negative(), || illegal_argument("voucher would leave channel balance negative"))?;
    ensure(state.to_send <= balance(), || illegal_argument("not enough funds in channel to cover voucher"))?;
    if voucher.min_settle_height != 0 {
        if state.settling_at != 0 {
            state.settling_at = state.settling_at.max(voucher.min_settle_height);
        }
        state.min_settle_height = state.min_settle_height.max(voucher.min_settle_height);
    }
    (lane.nonce, lane.redeemed) = (voucher.nonce, voucher.amount);
    lanes.set(voucher.lane, lane)?;
    state.lanes = lanes.flush()?;
    Ok(())
}

fn find(lanes: &Amt<Lane, Store>, id: u64) -> Result<Option<Lane>> {
    ensure(id <= MAX_LANE, || illegal_argument("maximum lane ID is 2^63-1"))?;
    Ok(lanes.get(id)?.cloned())
}

fn settle() -> Answer {
    let mut state: State = load()?;
    state.check_caller()?;
    ensure(state.settling_at == 0, || illegal_state("channel already settling"))?;
    state.settling_at = (now() + SETTLE_DELAY).max(state.min_settle_height);
    save(&state)?;
    done()
}

fn collect() -> Answer {
    let state: State = load()?;
    state.check_caller()?;
    let settled = state.settling_at != 0 && now() >= state.settling_at;
    ensure(settled, || forbidden("payment channel not settling or settled"))?;
    for (to, all) in [(&state.to, false), (&state.from, true)] {
        let amount = if all { balance() } else { state.to_send.clone() };
        outcome(try_send(to, METHOD_SEND, None, amount, SendFlags::default()))?;
    }
    sself::self_destruct(false).map_err(|_| illegal_state("cannot delete the channel"))?;
    done()
}
