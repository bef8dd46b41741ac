//! Genesis: every singleton is placed with its code and the empty state, then built by its own constructor, whatever the
//! bundle. What that comes to for our own actors is known beforehand (`genesis/prepared.rs`).
//!
//! By hand are only: the system actor (its constructor cannot know the bundle) and the burnt-funds account (the account
//! constructor insists on a key address).

mod founders;
mod prepared;

use std::rc::Rc;

use anyhow::{Context, Result};
use bauta_client::address::Prefix;
use bauta_client::wallet::{Key, KeyKind};
use bauta_system_actors::method::power::{
    CREATE_MINER_EXPORTED as CREATE_MINER, UPDATE_CLAIMED_POWER, UPDATE_PLEDGE_TOTAL,
};
use cid::Cid;
use fvm::machine::Manifest;
use fvm::state_tree::StateTree;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_ipld_encoding::{CborStore, RawBytes};
use fvm_shared::address::Address;
use fvm_shared::bigint::{BigInt, bigint_ser::BigIntSer};
use fvm_shared::econ::TokenAmount;
use fvm_shared::state::{ActorState, StateTreeVersion};
use fvm_shared::version::NetworkVersion;
use fvm_shared::{ActorID, EMPTY_ARR_CID, IPLD_RAW, METHOD_CONSTRUCTOR, METHOD_SEND};
use multihash_codetable::Code;

use crate::bundle::{BAUTA_ACTOR, Bundle};
use crate::records::NetworkRecord;
use crate::store::Store;
use crate::vm::{Rules, SYSTEM, Vm};
pub use founders::Founder;
pub(crate) use founders::first_created_by;
use prepared::{Prepared, Wanted};

/// Positions in a bundle's manifest (`fil_actors_runtime::builtins::Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    System = 1,
    Init = 2,
    Cron = 3,
    Account = 4,
    Power = 5,
    Miner = 6,
    Market = 7,
    Reward = 10,
    Verifreg = 11,
    Datacap = 12,
    Evm = 14,
    Eam = 15,
}

/// Id of an actor that is there from the beginning.
const BAUTA_ID: ActorID = 64;
const POWER: Address = Address::new_id(4);
pub(crate) const BURNT: ActorID = 99;

/// FIL of the system actor: accounts and the faucet are paid from it.
const FAUCET_FIL: i64 = 900_000_000;
/// FIL of the reward actor.
pub(crate) const MINING_FIL: i64 = 1_100_000_000;
/// What actors are told circulates.
const CIRCULATING_FIL: i64 = 500_000_000;
/// What every funded account begins with.
pub const ACCOUNT_FIL: i64 = 100_000;

/// How a network begins.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// As `StateNetworkName` answers.
    pub name: String,
    /// EIP-155.
    pub chain_id: u64,
    /// Network version.
    pub version: NetworkVersion,
    /// Seconds since 1970 of epoch 0.
    pub time: u64,
    /// The built-in actors.
    pub bundle: Bundle,
    /// Storage providers that are there from the beginning.
    pub founders: Vec<Founder>,
    /// How many funded accounts.
    pub accounts: u64,
    /// Other addresses that are given money.
    pub funded: Vec<(Address, TokenAmount)>,
    /// The Wasm of an actor that is there from the beginning, as f064.
    pub actor: Option<Vec<u8>>,
}

impl Default for Genesis {
    /// Our own actors, no providers, ten accounts, network version 28, a fixed time.
    fn default() -> Self {
        Self {
            name: bauta_client::network::LOCAL_NODE_NAME.to_owned(),
            chain_id: bauta_client::network::LOCAL_CHAIN_ID,
            version: NetworkVersion::V28,
            time: 1_790_000_010,
            bundle: Bundle::default(),
            founders: vec![],
            accounts: 10,
            funded: vec![],
            actor: None,
        }
    }
}

/// The key of the funded account `index`, the same on every devnet. Everybody knows it: nothing of worth belongs there.
pub fn account_key(index: u64) -> Key {
    Key::from_seed(KeyKind::Secp256k1, format!("bauta devnet account {index}").as_bytes())
}

impl Genesis {
    /// Writes the state tree of epoch 0 into the store.
    pub(crate) fn build(&self, store: &Rc<Store>) -> Result<(NetworkRecord, Cid)> {
        let manifest = self.bundle.load(store)?;
        let ours = self.actor.as_deref().is_none_or(|wasm| wasm == BAUTA_ACTOR);
        if self.bundle == Bundle::Own
            && ours
            && let Some(prepared) = Prepared::load()
        {
            let anchor = prepared.anchor;
            if let Some(root) = prepared.build(store, self.wanted(manifest))? {
                return Ok((self.record(manifest, anchor), root));
            }
        }
        self.build_by_constructors(store, manifest)
    }

    fn wanted(&self, manifest: Cid) -> Wanted<'_> {
        let (name, founders, with_bauta) = (&self.name, &self.founders, self.actor.is_some());
        Wanted { manifest, name, founders, funded: self.all_funded(), with_bauta }
    }

    fn build_by_constructors(&self, store: &Rc<Store>, manifest: Cid) -> Result<(NetworkRecord, Cid)> {
        let root = singletons(store, manifest)?;
        let circulating = TokenAmount::from_whole(CIRCULATING_FIL);
        let rules = Rules::new(self.version, self.chain_id, self.time, circulating)?;
        let mut vm = Vm::open(store, &rules, root, 0)?;
        self.construct(&mut vm)?;
        let anchor = anchor(&mut vm).context("the anchor miner")?;
        for (index, founder) in self.founders.iter().enumerate() {
            founder.settle(&mut vm).with_context(|| format!("provider {index}"))?;
        }
        if let Some(wasm) = &self.actor {
            let code = store.put(Code::Blake2b256, &Block::new(IPLD_RAW, wasm))?;
            install(&mut vm, BAUTA_ID, code)?;
        }
        for (address, amount) in self.all_funded() {
            fund(&mut vm, &address, &amount)?;
        }
        Ok((self.record(manifest, anchor), vm.flush()?))
    }

    fn all_funded(&self) -> Vec<(Address, TokenAmount)> {
        let accounts = (0..self.accounts).map(|n| (account_key(n).address(), TokenAmount::from_whole(ACCOUNT_FIL)));
        accounts.chain(self.funded.iter().cloned()).collect()
    }

    fn record(&self, manifest: Cid, anchor: ActorID) -> NetworkRecord {
        let installed = self.actor.iter().map(|wasm| {
            let code = Block::new(IPLD_RAW, wasm).cid(Code::Blake2b256);
            (BAUTA_ID, code)
        });
        NetworkRecord {
            name: self.name.clone(),
            chain_id: self.chain_id,
            version: self.version.into(),
            genesis_time: self.time,
            manifest,
            anchor: Some(anchor),
            accounts: self.accounts,
            supply: TokenAmount::from_whole(FAUCET_FIL + MINING_FIL),
            circulating: TokenAmount::from_whole(CIRCULATING_FIL),
            installed: installed.collect(),
        }
    }

    fn construct(&self, vm: &mut Vm) -> Result<()> {
        let id = Address::new_id;
        let constructors: [(ActorID, RawBytes); 7] = [
            (1, RawBytes::serialize((&self.name,))?),
            // A bare bigint: the network's power at genesis.
            (2, RawBytes::serialize(BigIntSer(&BigInt::default()))?),
            // Power's OnEpochTickEnd is 5, the market's CronTick is 9.
            (3, RawBytes::serialize((vec![(id(4), 5u64), (id(5), 9u64)],))?),
            (4, RawBytes::default()),
            (5, RawBytes::default()),
            // A bare address: the root key holder, never used here.
            (6, RawBytes::serialize(id(80))?),
            // A bare address: the governor.
            (7, RawBytes::serialize(id(6))?),
        ];
        for (actor, params) in constructors {
            vm.implicit(&SYSTEM, &id(actor), METHOD_CONSTRUCTOR, &TokenAmount::default(), params)?
                .ok()
                .with_context(|| format!("the constructor of t0{actor}"))?;
        }
        Ok(())
    }
}

/// Code and balance of the singletons; their states are still empty.
fn singletons(store: &Rc<Store>, manifest_cid: Cid) -> Result<Cid> {
    let manifest = Manifest::load(store, &manifest_cid, 1)?;
    let code = |kind: Kind| manifest.code_by_id(kind as u32).copied().context("the bundle lacks an actor");
    let mut tree = StateTree::new(store.clone(), StateTreeVersion::V5)?;
    let none = TokenAmount::default;
    let mut place = |id, code, state, balance| {
        tree.set_actor(id, ActorState { code, state, sequence: 0, balance, delegated_address: None });
    };
    for (id, kind, balance) in [
        (1, Kind::Init, none()),
        (2, Kind::Reward, TokenAmount::from_whole(MINING_FIL)),
        (3, Kind::Cron, none()),
        (4, Kind::Power, none()),
        (5, Kind::Market, none()),
        (6, Kind::Verifreg, none()),
        (7, Kind::Datacap, none()),
        (10, Kind::Eam, none()),
    ] {
        place(id, code(kind)?, EMPTY_ARR_CID, balance);
    }
    // The system actor's state is how the machine finds the built-in actors.
    let system = store.put_cbor(&(manifest_cid,), Code::Blake2b256)?;
    place(0, code(Kind::System)?, system, TokenAmount::from_whole(FAUCET_FIL));
    // Burnt funds: an account whose "key" is its own id address.
    let burnt = store.put_cbor(&(Address::new_id(BURNT),), Code::Blake2b256)?;
    place(BURNT, code(Kind::Account)?, burnt, none());
    Ok(tree.flush()?)
}

/// Pays from the faucet, creating the account if it is new.
pub(crate) fn fund(vm: &mut Vm, to: &Address, amount: &TokenAmount) -> Result<()> {
    vm.implicit(&SYSTEM, to, METHOD_SEND, amount, RawBytes::default())?
        .ok()
        .with_context(|| format!("paying {} from the faucet", Prefix::Testnet.show(to)))?;
    Ok(())
}

/// Puts an actor into the tree, as a network upgrade does, and calls its constructor.
pub(crate) fn install(vm: &mut Vm, id: ActorID, code: Cid) -> Result<()> {
    let blank = ActorState {
        code,
        state: EMPTY_ARR_CID,
        sequence: 0,
        balance: TokenAmount::default(),
        delegated_address: None,
    };
    vm.place(id, blank);
    vm.implicit(&SYSTEM, &Address::new_id(id), METHOD_CONSTRUCTOR, &TokenAmount::default(), RawBytes::default())?
        .ok()
        .context("the actor's constructor")?;
    Ok(())
}

/// Makes the miner that stands for the rest of the network, with power and pledge but no sectors, so that it needs no
/// proofs.
///
/// Without it a small network of official actors breaks in two ways. (1) Actors v18 lock the creation deposit as vesting
/// funds but never add it to the network's pledge total, yet subtract it when it vests or pays fees; once the total would
/// go negative, TerminateSectors fails with exit 20 and a failing deadline cron deletes the miner's power claim. (2)
/// Deposits and fees follow the reward per unit of network power, which is enormous if there is none.
fn anchor(vm: &mut Vm) -> Result<ActorID> {
    let owner = Key::from_seed(KeyKind::Secp256k1, b"bauta devnet anchor owner").address();
    let worker = Key::from_seed(KeyKind::Bls, b"bauta devnet anchor worker").address();
    let deposit = TokenAmount::from_whole(10_000);
    fund(vm, &owner, &(deposit.clone() * 2u64))?;
    fund(vm, &worker, &TokenAmount::from_whole(1))?;
    let id = founders::create_miner(vm, &owner, &worker, b"anchor", &[], &deposit)?;
    let miner = Address::new_id(id);
    // 3 EiB raw and 15 EiB quality-adjusted power, 100M FIL of pledge: the size of the public network.
    let (raw, adjusted) = (BigInt::from(3u64 << 60), BigInt::from(15u64 << 60));
    let power = RawBytes::serialize((BigIntSer(&raw), BigIntSer(&adjusted)))?;
    let pledge = RawBytes::serialize(TokenAmount::from_whole(100_000_000))?;
    for (method, params) in [(UPDATE_CLAIMED_POWER, power), (UPDATE_PLEDGE_TOTAL, pledge)] {
        vm.implicit(&miner, &POWER, method, &TokenAmount::default(), params)?
            .ok()
            .with_context(|| format!("power actor, method {method}"))?;
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::prepared::PREPARED_FOUNDERS;
    use super::*;
    use crate::on_large_stack;

    /// `UPDATE_VECTORS=1` writes the prepared genesis anew.
    #[test]
    fn the_prepared_genesis_is_what_constructors_make() {
        on_large_stack(|| {
            let store = Rc::new(Store::temporary().unwrap());
            let manifest = Bundle::Own.load(&store).unwrap();
            let bare = Genesis { accounts: 0, actor: Some(BAUTA_ACTOR.to_vec()), ..Genesis::default() };
            let founders =
                |count, port| crate::provider::founders((0..count).map(|n| ([127, 0, 0, 1], port + n as u16).into()));
            let mut begun = Vec::new();
            for count in 0..=PREPARED_FOUNDERS {
                let genesis = Genesis { founders: founders(count, 1000), ..bare.clone() };
                begun.push(genesis.build_by_constructors(&store, manifest).unwrap());
            }
            let anchor = begun[0].0.anchor.unwrap();
            let roots: Vec<Cid> = begun.into_iter().map(|(_, root)| root).collect();
            let prepared =
                || Prepared::of(&store, &roots, &manifest, anchor, founders(PREPARED_FOUNDERS, 1000)).unwrap();
            if std::env::var_os("UPDATE_VECTORS").is_some() {
                let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/genesis/prepared.cbor");
                std::fs::write(file, fvm_ipld_encoding::to_vec(&prepared()).unwrap()).unwrap();
            } else {
                let is_kept = Prepared::load() == Some(prepared());
                assert!(is_kept, "run this test with UPDATE_VECTORS=1, then build again");
            }
            let twice = vec![(account_key(1).address(), TokenAmount::from_whole(5)); 2];
            let owner = founders(1, 0)[0].owner.clone();
            for genesis in [
                Genesis { name: "another".into(), ..bare.clone() },
                Genesis { accounts: 3, funded: twice.clone(), actor: None, ..bare.clone() },
                // The widths of their numbers differ.
                Genesis { founders: founders(1, 7), ..bare.clone() },
                Genesis { founders: founders(2, 40_000), accounts: 10, ..bare.clone() },
                Genesis {
                    founders: founders(PREPARED_FOUNDERS, 65_000),
                    funded: vec![owner],
                    actor: None,
                    ..bare.clone()
                },
            ] {
                let (_, built) = genesis.build_by_constructors(&store, manifest).unwrap();
                let made = prepared().build(&store, genesis.wanted(manifest)).unwrap().expect("plain accounts");
                let actors = |root| crate::state::State::at(&store, root).unwrap().actors().unwrap();
                assert_eq!(actors(&made), actors(&built));
                assert_eq!(made, built);
                for founder in &genesis.founders {
                    let state = crate::state::State::at(&store, &made).unwrap();
                    let miner = state.resolve(&first_created_by(&founder.owner.0)).unwrap();
                    assert!(miner.is_some(), "its miner is where its provider looks for it");
                }
            }
            let mut strangers = founders(2, 1000);
            strangers.reverse();
            for founders in [strangers, founders(PREPARED_FOUNDERS + 1, 1000)] {
                let genesis = Genesis { founders, ..bare.clone() };
                assert!(prepared().build(&store, genesis.wanted(manifest)).unwrap().is_none());
            }
        });
    }
}
