//! Large states, made by the actor's own rules.

use bauta_abi::{EPOCH_NEVER, FileSpec, Rights, Terms};
use bauta_actor::state::{NewGrant, State};
use bauta_devnet::store::Store;
use cid::Cid;
use cid::multihash::Multihash;
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;

/// Whose files there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// All of one owner.
    One,
    /// Each of another owner, in no order.
    Many,
}

/// One in so many entries belongs to the account that sends the messages, the others each to somebody else.
pub const EACH: u64 = 50;
/// Entries made between two sweeps of blocks that nothing needs any more.
const SWEEP: u64 = 20_000;

/// A file of the size that a person's file has: some 330 bytes of state.
pub fn file(n: u64) -> FileSpec {
    let digest = digest(n);
    FileSpec {
        payload_cid: Cid::new_v1(0x70, Multihash::wrap(0x12, &digest).expect("32 bytes")),
        piece_cid: Cid::new_v1(0xf101, Multihash::wrap(0x1012, &digest).expect("32 bytes")),
        padded_size: PaddedPieceSize(1 << 20),
        payload_size: 1_000_000,
        key_commitment: digest,
        // nonce, tag and one step of 64 bytes; one X25519 stanza
        metadata: vec![1; 104],
        owner_wrap: vec![2; 98],
    }
}

fn digest(n: u64) -> [u8; 32] {
    std::array::from_fn(|at| if at < 8 { n.to_le_bytes()[at] } else { 5 })
}

/// Somebody with a number, spread over the IDs that a chain has given out.
pub fn somebody(n: u64) -> ActorID {
    10_000 + n.wrapping_mul(6_364_136_223_846_793_005).rotate_left(17) % 4_000_000
}

/// Where states are made: in a chain's store, on which another state stands that is to be kept.
pub struct Ground<'s> {
    pub store: &'s Store,
    pub keep: Cid,
    pub me: ActorID,
}

/// An empty state.
pub fn empty(store: &Store) -> Cid {
    State::empty(store).and_then(State::save).expect("saved")
}

/// Registers files on top of a state.
pub fn register(ground: &Ground<'_>, root: Cid, first: u64, count: u64, owners: Owners) -> Cid {
    let (store, me) = (ground.store, ground.me);
    let mut state = State::load(store, &root).expect("loaded");
    for n in first..first + count {
        let owner = if owners == Owners::One { me } else { somebody(n) };
        state.register_files(owner, vec![file(n)], 1).expect("registered");
    }
    state.save().expect("saved")
}

/// A state with so many keys, files, grants and bounties.
pub fn everything(ground: &Ground<'_>, entries: u64, terms: &Terms, now: ChainEpoch) -> Cid {
    let (store, me) = (ground.store, ground.me);
    let mut state = State::empty(store).expect("made");
    for n in 0..entries {
        let mine = n % EACH == 0;
        let who = if mine { me } else { somebody(n) };
        let recipient = format!("age1{:058}", n);
        state.publish_key(somebody(n), recipient, now).expect("published");
        state.register_files(who, vec![file(n)], now).expect("registered");
        let grantee = somebody(n + 1_000_000);
        let grant = NewGrant { grantee, wrap: vec![3; 98], rights: Rights::READ, expiration: EPOCH_NEVER };
        state.grant_access(who, n + 1, vec![grant], now).expect("granted");
        let funded: TokenAmount = &terms.reward_per_replica * terms.replicas;
        state.create_bounty(who, terms.clone(), &funded, now).expect("created");
        state = swept(ground, state, n);
    }
    state.save().expect("saved")
}

fn swept<'s>(ground: &Ground<'s>, state: State<'s, Store>, n: u64) -> State<'s, Store> {
    if n % SWEEP != SWEEP - 1 {
        return state;
    }
    let root = state.save().expect("saved");
    ground.store.prune(&[root, ground.keep]);
    State::load(ground.store, &root).expect("loaded")
}
