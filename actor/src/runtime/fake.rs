//! A chain in memory for tests: accounts, miners with sectors, market deals, and other actors that misbehave on request.
//!
//! It keeps the chain's promises that the actor relies on: a message that fails changes nothing, a question changes nothing, money is
//! neither made nor lost.

mod blocks;
mod others;

pub use blocks::Blocks;
pub use others::{Deal, Sector};

use std::collections::BTreeMap;

use bauta_abi::{CONSTRUCTOR, Event, Method};
use cid::Cid;
use fvm_ipld_encoding::CBOR;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_shared::address::{Address, Payload};
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::{ActorID, EMPTY_ARR_CID, METHOD_SEND};

use super::{Answer, Runtime};
use crate::dispatch::{Reply, dispatch};
use crate::error::Result;
use crate::ext;
use crate::state::check_state_invariants;

/// Built-in types, as in the bundle's manifest.
const ACCOUNT_TYPE: i32 = 3;
const MULTISIG_TYPE: i32 = 8;

/// Our own ID.
const SELF: ActorID = 999;

#[derive(Debug, Clone, Default)]
struct Actor {
    kind: Option<i32>,
    balance: TokenAmount,
    /// What it answers to money.
    refuses: Option<ExitCode>,
}

/// The chain.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Now.
    pub epoch: ChainEpoch,
    /// Everything that was emitted by messages that succeeded.
    pub events: Vec<Event>,
    /// The sectors of miners.
    pub sectors: BTreeMap<(ActorID, u64), Sector>,
    /// The deals of the market.
    pub deals: BTreeMap<u64, Deal>,
    /// Answers that replace those of an actor to a method; `None` is a call that the chain does not deliver.
    pub forged: BTreeMap<(ActorID, u64), Option<Answer>>,
    store: Blocks,
    root: Cid,
    actors: BTreeMap<ActorID, Actor>,
    addresses: BTreeMap<Address, ActorID>,
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

impl Chain {
    /// Starts a chain on which the actor has just been constructed.
    pub fn new() -> Self {
        let mut chain = Self::unconstructed();
        let answer = chain.message(1, CONSTRUCTOR, None, 0);
        assert_eq!(answer, Ok(None), "an empty actor can be constructed");
        chain
    }

    /// Starts a chain on which the actor is installed and nothing more.
    pub fn unconstructed() -> Self {
        let actors = [1, ext::MARKET, SELF].map(|id| (id, Actor::default()));
        Self {
            epoch: 100,
            events: vec![],
            sectors: BTreeMap::new(),
            deals: BTreeMap::new(),
            forged: BTreeMap::new(),
            store: Blocks::default(),
            root: EMPTY_ARR_CID,
            actors: actors.into(),
            addresses: BTreeMap::new(),
        }
    }

    /// Makes an account with plenty of money.
    pub fn create_account(&mut self) -> ActorID {
        self.create(ACCOUNT_TYPE)
    }

    /// Makes a multisig with plenty of money.
    pub fn create_multisig(&mut self) -> ActorID {
        self.create(MULTISIG_TYPE)
    }

    /// Makes a miner.
    pub fn create_miner(&mut self) -> ActorID {
        self.create(ext::MINER_TYPE)
    }

    fn create(&mut self, kind: i32) -> ActorID {
        let id = 1_000 + self.actors.len() as u64;
        let balance = TokenAmount::from_whole(1_000_000);
        self.actors.insert(id, Actor { kind: Some(kind), balance, refuses: None });
        self.addresses.insert(self.robust(id), id);
        id
    }

    /// The f2 address of an actor.
    pub fn robust(&self, id: ActorID) -> Address {
        Address::new_actor(&id.to_be_bytes())
    }

    /// Takes an actor out of the state; its robust address still leads to its ID, as that of a payment channel that was collected.
    pub fn delete(&mut self, id: ActorID) {
        self.actors.remove(&id).expect("the actor exists");
    }

    /// Makes an actor refuse money from now on.
    pub fn refuse_money(&mut self, id: ActorID, exit: Option<ExitCode>) {
        self.actors.get_mut(&id).expect("the actor exists").refuses = exit;
    }

    /// What an actor has.
    pub fn balance(&self, id: ActorID) -> TokenAmount {
        self.actors[&id].balance.clone()
    }

    /// What our actor has.
    pub fn own_balance(&self) -> TokenAmount {
        self.balance(SELF)
    }

    /// All money there is.
    pub fn supply(&self) -> TokenAmount {
        self.actors.values().map(|actor| &actor.balance).sum()
    }

    /// The root of our state.
    pub fn state_root(&self) -> Cid {
        self.root
    }

    /// Puts our state where it was made without messages.
    pub fn set_state_root(&mut self, root: Cid) {
        self.root = root;
    }

    /// The same chain with one block of our state lost.
    pub fn without_block(&self, link: &Cid) -> Self {
        Self { store: self.store.without(link), ..self.clone() }
    }

    /// The blocks of the chain.
    pub fn blocks(&self) -> &Blocks {
        &self.store
    }

    /// Sends our actor a message in CBOR; when it succeeds, its effects stay.
    pub fn message(&mut self, from: ActorID, method: u64, params: Option<Vec<u8>>, attofil: u128) -> Result<Reply> {
        let params = params.map(|data| IpldBlock { codec: CBOR, data });
        self.message_with(from, method, params, attofil)
    }

    /// Sends our actor a message in any codec.
    pub fn message_with(
        &mut self,
        from: ActorID,
        method: u64,
        params: Option<IpldBlock>,
        attofil: u128,
    ) -> Result<Reply> {
        let before = self.clone();
        let value = TokenAmount::from_atto(attofil);
        self.pay(from, SELF, &value);
        let reply = dispatch(&mut Message { chain: self, caller: from, value }, method, params);
        if reply.is_err() {
            *self = before.clone();
        }
        let read_only = reply.is_err() || Method::from_number(method).is_some_and(Method::is_view);
        assert!(!read_only || self.unchanged_since(&before), "method {method} must change nothing");
        reply
    }

    fn unchanged_since(&self, before: &Self) -> bool {
        self.root == before.root && self.events == before.events && self.own_balance() == before.own_balance()
    }

    /// Lists what is wrong with our state.
    pub fn check(&self) -> Vec<String> {
        check_state_invariants(&self.store, &self.root, &self.own_balance())
    }

    fn pay(&mut self, from: ActorID, to: ActorID, value: &TokenAmount) {
        let sender = self.actors.get_mut(&from).expect("the sender exists");
        assert!(sender.balance >= *value, "the sender has the money");
        sender.balance -= value;
        self.actors.get_mut(&to).expect("the receiver exists").balance += value;
    }
}

/// One message on its way.
struct Message<'c> {
    chain: &'c mut Chain,
    caller: ActorID,
    value: TokenAmount,
}

impl Runtime for Message<'_> {
    type Store = Blocks;

    fn caller(&self) -> ActorID {
        self.caller
    }

    fn value_received(&self) -> TokenAmount {
        self.value.clone()
    }

    fn epoch(&self) -> ChainEpoch {
        self.chain.epoch
    }

    fn resolve(&self, address: &Address) -> Option<ActorID> {
        match address.payload() {
            Payload::ID(id) => Some(*id),
            _ => self.chain.addresses.get(address).copied(),
        }
    }

    fn exists(&self, id: ActorID) -> bool {
        self.chain.actors.contains_key(&id)
    }

    fn builtin_type(&self, id: ActorID) -> Option<i32> {
        self.chain.actors.get(&id)?.kind
    }

    fn store(&self) -> &Blocks {
        &self.chain.store
    }

    fn root(&self) -> Result<Cid> {
        Ok(self.chain.root)
    }

    fn set_root(&mut self, root: &Cid) -> Result<()> {
        self.chain.root = *root;
        Ok(())
    }

    fn ask(&self, to: ActorID, method: u64, params: Option<IpldBlock>) -> Option<Answer> {
        if let Some(forged) = self.chain.forged.get(&(to, method)) {
            return forged.clone();
        }
        Some(self.chain.answer(to, method, &params?))
    }

    fn send(&mut self, to: ActorID, method: u64, value: &TokenAmount) -> Option<Answer> {
        assert_eq!(method, METHOD_SEND, "we send nothing but money");
        if self.chain.own_balance() < *value {
            return None;
        }
        let exit = self.chain.actors.get(&to)?.refuses.unwrap_or(ExitCode::OK);
        if exit.is_success() {
            self.chain.pay(SELF, to, value);
        }
        Some(Answer { exit, data: None })
    }

    fn emit(&mut self, event: &Event) -> Result<()> {
        let form = event.to_actor_event();
        assert_eq!(Event::from_entries(&form.entries).as_ref(), Some(event), "an event reads back as itself");
        assert!(form.entries.iter().all(|entry| entry.codec == CBOR), "the chain takes no other codec");
        self.chain.events.push(event.clone());
        Ok(())
    }
}
