//! Genesis of our own actors without running them: what their constructors make of a new network, and the Bauta actor's
//! of its state, is kept as data beside this file. Compiling them would be most of a new network's start.
//!
//! The data holds no code and no key of a user: codes, accounts, the network's name and where providers listen are filled
//! in here. A test builds genesis both ways and compares the roots; `UPDATE_VECTORS=1` makes it write the data anew.

use std::collections::HashMap;
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use cid::Cid;
use fvm::machine::Manifest;
use fvm::state_tree::StateTree;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_ipld_encoding::tuple::{Deserialize_tuple, Serialize_tuple, serde_tuple};
use fvm_ipld_encoding::{BytesDe, BytesSer, CborStore, DAG_CBOR, from_slice, to_vec};
use fvm_ipld_hamt::{BytesKey, Hamt};
use fvm_shared::address::{Address, Protocol};
use fvm_shared::econ::TokenAmount;
use fvm_shared::state::{ActorState, StateTreeVersion};
use fvm_shared::{ActorID, HAMT_BIT_WIDTH, IPLD_RAW};
use multihash_codetable::Code;

use super::Kind;
use super::founders::{Founder, first_created_by};
use crate::bundle::BAUTA_ACTOR;
use crate::links::links;
use crate::store::Store;

static DATA: &[u8] = include_bytes!("prepared.cbor");

const SYSTEM: ActorID = 0;
const INIT: ActorID = 1;

/// Networks with up to so many founders are prepared.
#[cfg(test)]
pub(super) const PREPARED_FOUNDERS: usize = 4;

/// Networks without accounts of users, by the number of their founders.
#[derive(Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(super) struct Prepared {
    /// The miner that stands for the rest of the network.
    pub anchor: ActorID,
    /// Who they are; where they listen is filled in.
    founders: Vec<Founder>,
    networks: Vec<Begun>,
    /// All blocks that the states hang on: DAG-CBOR.
    #[serde(with = "blocks")]
    blocks: Vec<Vec<u8>>,
}

/// One network.
#[derive(Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
struct Begun {
    /// Id, type in the manifest (0: the Bauta actor), state, nonce, balance. The states of the system and the init actor
    /// are made anew.
    actors: Vec<(ActorID, u32, Cid, u64, TokenAmount)>,
    /// The init actor's table.
    addresses: Vec<(Address, ActorID)>,
}

/// Byte strings.
mod blocks {
    use super::{BytesDe, BytesSer};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(blocks: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
        blocks.iter().map(|block| BytesSer(block)).collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<u8>>, D::Error> {
        Ok(Vec::<BytesDe>::deserialize(deserializer)?.into_iter().map(|block| block.0).collect())
    }
}

/// What is to be filled in.
pub(super) struct Wanted<'a> {
    pub manifest: Cid,
    pub name: &'a str,
    pub founders: &'a [Founder],
    pub funded: Vec<(Address, TokenAmount)>,
    pub with_bauta: bool,
}

impl Prepared {
    /// The data in this program; nothing where there is none.
    pub fn load() -> Option<Self> {
        from_slice(DATA).ok()
    }

    /// Writes the state tree; gives its root. `None`: somebody is to be funded who is no plain account, or there are more
    /// or other founders.
    pub fn build(self, store: &Rc<Store>, wanted: Wanted<'_>) -> Result<Option<Cid>> {
        let plain = |(address, _): &(Address, _)| matches!(address.protocol(), Protocol::Secp256k1 | Protocol::BLS);
        let are_ours =
            wanted.founders.iter().zip(&self.founders).all(|(wanted, ours)| is_same_but_for_place(wanted, ours));
        let count = wanted.founders.len();
        if !wanted.funded.iter().all(plain) || !are_ours || count >= self.networks.len() {
            return Ok(None);
        }
        let Begun { actors, addresses } = self.networks.into_iter().nth(count).expect("the count is below");
        let mut known: HashMap<Address, ActorID> = addresses.into_iter().collect();
        for block in &self.blocks {
            store.put(Code::Blake2b256, &Block::new(DAG_CBOR, block))?;
        }
        let mut moves = Vec::with_capacity(count);
        for (ours, wanted) in self.founders.iter().zip(wanted.founders) {
            let robust = first_created_by(&ours.owner.0);
            let miner = known.get(&robust).context("a founder has no miner")?;
            moves.push((*miner, ours, wanted));
        }
        let manifest = Manifest::load(store, &wanted.manifest, 1)?;
        let code = |kind: u32| manifest.code_by_id(kind).copied().context("the bundle lacks an actor");
        let mut tree = StateTree::new(store.clone(), StateTreeVersion::V5)?;
        let mut addresses = Hamt::<_, ActorID>::new_with_bit_width(store.clone(), HAMT_BIT_WIDTH);
        for (address, id) in &known {
            addresses.set(BytesKey(address.to_bytes()), *id)?;
        }
        let mut next = known.values().map(|id| id + 1).max().unwrap_or(100);
        let mut faucet = None;
        for (id, kind, mut state, sequence, balance) in actors {
            if let Some((_, ours, wanted)) = moves.iter().find(|(miner, ..)| *miner == id) {
                state = relocate(store, &state, &ours.multiaddr, &wanted.multiaddr).context("a founder's miner")?;
            }
            let actor =
                |code, state| ActorState { code, state, sequence, balance: balance.clone(), delegated_address: None };
            match (id, kind) {
                (SYSTEM, _) => {
                    faucet = Some(actor(code(kind)?, store.put_cbor(&(wanted.manifest,), Code::Blake2b256)?))
                }
                (_, 0) if !wanted.with_bauta => {}
                (_, 0) => {
                    let code = store.put(Code::Blake2b256, &Block::new(IPLD_RAW, BAUTA_ACTOR))?;
                    tree.set_actor(id, actor(code, state));
                }
                _ => tree.set_actor(id, actor(code(kind)?, state)),
            }
        }
        let mut faucet = faucet.context("the prepared genesis has no faucet")?;
        for (address, amount) in wanted.funded {
            faucet.balance -= &amount;
            if let Some(id) = known.get(&address) {
                let mut actor = tree.get_actor(*id)?.context("an address without an actor")?;
                actor.balance += amount;
                tree.set_actor(*id, actor);
                continue;
            }
            let state = store.put_cbor(&(address,), Code::Blake2b256)?;
            let code = code(Kind::Account as u32)?;
            tree.set_actor(next, ActorState { code, state, sequence: 0, balance: amount, delegated_address: None });
            addresses.set(BytesKey(address.to_bytes()), next)?;
            known.insert(address, next);
            next += 1;
        }
        if faucet.balance.is_negative() {
            bail!("there is not so much money");
        }
        tree.set_actor(SYSTEM, faucet);
        let init = tree.get_actor(INIT)?.context("the prepared genesis has no init actor")?;
        let state = store.put_cbor(&(addresses.flush()?, next, wanted.name), Code::Blake2b256)?;
        tree.set_actor(INIT, ActorState { state, ..init });
        Ok(Some(tree.flush()?))
    }

    /// Takes networks apart that were built by constructors with none, one, two… of these founders, without accounts and
    /// with the Bauta actor.
    #[cfg(test)]
    pub fn of(
        store: &Rc<Store>,
        roots: &[Cid],
        manifest: &Cid,
        anchor: ActorID,
        founders: Vec<Founder>,
    ) -> Result<Self> {
        let manifest = Manifest::load(store, manifest, 1)?;
        let (mut networks, mut blocks, mut seen) = (vec![], vec![], std::collections::BTreeSet::new());
        for root in roots {
            let state = crate::state::State::at(store, root)?;
            let mut actors = vec![];
            for (id, actor) in state.actors()? {
                let kind = if id == super::BAUTA_ID { 0 } else { manifest.id_by_code(&actor.code) };
                let state = if matches!(id, SYSTEM | INIT) { fvm_shared::EMPTY_ARR_CID } else { actor.state };
                let mut open = if matches!(id, SYSTEM | INIT) { vec![] } else { vec![state] };
                while let Some(cid) = open.pop() {
                    if cid.codec() == DAG_CBOR && seen.insert(cid) {
                        let block = store.get(&cid)?.context("a block is missing")?;
                        open.extend(links(&block));
                        blocks.push(block);
                    }
                }
                actors.push((id, kind, state, actor.sequence, actor.balance));
            }
            let (map, _, _): (Cid, ActorID, String) = state.object(&Address::new_id(INIT))?;
            let mut addresses = Vec::new();
            Hamt::<_, ActorID>::load_with_bit_width(&map, store, HAMT_BIT_WIDTH)?.for_each(|key, id| {
                addresses.push((Address::from_bytes(key)?, *id));
                Ok(())
            })?;
            addresses.sort_by_key(|(address, id)| (*id, address.to_bytes()));
            networks.push(Begun { actors, addresses });
        }
        blocks.sort();
        Ok(Self { anchor, founders, networks, blocks })
    }
}

fn is_same_but_for_place(one: &Founder, other: &Founder) -> bool {
    Founder { multiaddr: vec![], ..one.clone() } == Founder { multiaddr: vec![], ..other.clone() }
}

/// The state of a miner that listens elsewhere: its first link is to its `MinerInfo`, which holds the multiaddr.
fn relocate(store: &Store, state: &Cid, from: &[u8], to: &[u8]) -> Result<Cid> {
    let block = store.get(state)?.context("its state is missing")?;
    let info = links(&block).into_iter().next().context("its state has no info")?;
    let moved = replace(
        &store.get(&info)?.context("its info is missing")?,
        &to_vec(&BytesSer(from))?,
        &to_vec(&BytesSer(to))?,
    )?;
    let moved = store.put(Code::Blake2b256, &Block::new(DAG_CBOR, moved))?;
    let block = replace(&block, &info.to_bytes(), &moved.to_bytes())?;
    store.put(Code::Blake2b256, &Block::new(DAG_CBOR, block))
}

/// Puts something else in the only place where something is.
fn replace(block: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    let mut places = block.windows(old.len()).enumerate().filter(|(_, bytes)| *bytes == old);
    let (Some((at, _)), None) = (places.next(), places.next()) else {
        bail!("what is to be replaced is not there once")
    };
    Ok([&block[..at], new, &block[at + old.len()..]].concat())
}
