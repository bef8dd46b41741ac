//! The chain: a row of tipsets, the messages that wait for the next one, and what can be read of it.
//!
//! As on Lotus, the messages of a tipset run on the state that its header names, at its epoch; what comes of them is in
//! the header of its child. The devnet runs them as soon as the tipset is made and keeps the result beside it, so one
//! commit holds a tipset whole. Cron of null rounds between two tipsets runs before the later one's messages, but only in
//! epochs in which it can do something (`deadlines.rs`).

mod making;
mod replay;
mod retention;
mod snapshots;
mod tipsets;
mod verify;

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use bauta_client::address::Prefix;
use bauta_client::message::{self, SignedMessage};
use bauta_client::wallet::Key;
use cid::Cid;
use fvm_ipld_blockstore::{Blockstore, MemoryBlockstore};
use fvm_ipld_encoding::{CborStore, RawBytes};
use fvm_shared::MethodNum;
use fvm_shared::address::{Address, Protocol};
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::state::ActorState;
use fvm_shared::version::NetworkVersion;
use tokio::sync::watch;

use crate::archive::Export;
use crate::deadlines::Deadlines;
use crate::duties::{Duties, Included, Waker};
use crate::estimate::{self, Prices};
use crate::genesis::Genesis;
use crate::invariants::{self, Check};
use crate::ledger::Ledger;
use crate::mempool::{Limits, Mempool, Pending, Sender};
use crate::records::{Changes, NetworkRecord, TipsetRecord};
use crate::rpc::Filters;
use crate::state::State;
use crate::store::Store;
use crate::tipset;
use crate::vm::{Outcome, Rules, Vm};

pub use retention::{Forgotten, Keep};
pub(crate) use tipsets::INSTALLED_IDS;
pub use tipsets::Installed;

/// The chain. Needs a thread with a large stack ([`crate::on_large_stack`]) and never leaves it.
pub struct Chain {
    pub(crate) store: Rc<Store>,
    pub(crate) rules: Rules,
    pub(crate) network: NetworkRecord,
    pub(crate) head: TipsetRecord,
    pub(crate) pool: Mempool,
    pub(crate) duties: Option<Box<dyn Duties>>,
    pub(crate) check: Option<Check>,
    pub(crate) filters: Filters,
    pub(crate) stop: Arc<AtomicBool>,
    /// Premiums that messages paid lately.
    pub(crate) prices: Prices,
    deadlines: Deadlines,
    heads: watch::Sender<ChainEpoch>,
    keep: Keep,
    /// Tipsets since somebody looked for old ones, and the epoch up to which they looked.
    untidy: u64,
    looked: ChainEpoch,
    /// Whether somebody else sees to it that what was done is on the disk before it is said.
    is_synced_by_others: bool,
    compiling: Arc<AtomicBool>,
    pub(crate) exported: Option<Export>,
}

impl Chain {
    /// Opens the chain in a state folder, or begins one there.
    pub fn open(folder: &Path, genesis: &Genesis) -> Result<Self> {
        Self::on(Rc::new(Store::open(folder)?), genesis)
    }

    /// A chain in memory, gone when it is dropped.
    pub fn in_memory(genesis: &Genesis) -> Result<Self> {
        Self::on(Rc::new(Store::temporary()?), genesis)
    }

    /// From here on [`Store::sync`] is called before anybody is told that something is done: one wait for the disk for
    /// everything that an order brings about.
    pub fn be_synced_by_others(&mut self) {
        self.is_synced_by_others = true;
    }

    /// Compiles the actors that a tipset needs on a thread of its own, which wakes the clock in the end: meanwhile the chain
    /// answers whatever needs none of them.
    pub(crate) fn compile_beside(&mut self, waker: Waker) -> Result<()> {
        let manifest: Vec<(String, Cid)> = self.store.get_cbor(&self.network.manifest)?.context("no manifest")?;
        let needed = |name: &str| manifest.iter().find(|(n, _)| n == name).map(|(_, code)| *code);
        let codes: Vec<Cid> = self.network.installed.iter().map(|(_, code)| *code).collect();
        let names = ["cron", "reward", "storagepower", "storagemarket", "init", "account", "storageminer"];
        let mut wasm = Vec::new();
        for code in names.into_iter().filter_map(needed).chain(codes) {
            wasm.push((code, self.store.get(&code)?.context("the code of an actor is missing")?));
        }
        let (rules, compiling) = (self.rules.clone(), Arc::new(AtomicBool::new(true)));
        self.compiling = compiling.clone();
        std::thread::Builder::new().name("compiler".into()).spawn(move || {
            for (code, wasm) in wasm {
                let store = MemoryBlockstore::default();
                let put = store.put_keyed(&code, &wasm);
                if let Err(e) = put.and_then(|()| rules.preload(&store, &[code])) {
                    // Whoever calls it is told again.
                    tracing::warn!("compiling an actor: {e:#}");
                }
            }
            compiling.store(false, Ordering::Release);
            waker.wake();
        })?;
        Ok(())
    }

    /// True while the actors are being compiled that the next tipset needs.
    pub(crate) fn is_compiling(&self) -> bool {
        self.compiling.load(Ordering::Acquire)
    }

    /// Whether a commit waits for the disk.
    fn is_durable(&self) -> bool {
        !self.is_synced_by_others
    }

    pub(crate) fn on(store: Rc<Store>, genesis: &Genesis) -> Result<Self> {
        let (network, head) = match (store.network()?, store.head()?) {
            (Some(network), Some(head)) => {
                genesis.bundle.check_is(network.manifest)?;
                (network, head)
            }
            (None, None) => tipsets::begin(&store, genesis)?,
            _ => anyhow::bail!("the state folder's database is damaged: it lacks its network record or its tipsets"),
        };
        let version = NetworkVersion::from(network.version);
        let rules = Rules::new(version, network.chain_id, network.genesis_time, network.circulating.clone())?;
        let mut pool = Mempool::default();
        let mut waiting = Vec::new();
        for bytes in store.pool()? {
            waiting.push(SignedMessage::from_bytes(&bytes).context("a message in the stored mempool")?);
        }
        waiting.sort_by_key(|signed| signed.message.sequence);
        waiting.into_iter().for_each(|signed| pool.restore(signed));
        Ok(Self {
            heads: watch::Sender::new(head.height),
            store,
            rules,
            network,
            head,
            pool,
            duties: None,
            check: None,
            filters: Filters::default(),
            stop: Arc::default(),
            prices: Prices::default(),
            deadlines: Deadlines::default(),
            keep: Keep::default(),
            untidy: 0,
            looked: 0,
            is_synced_by_others: false,
            compiling: Arc::default(),
            exported: None,
        })
    }

    /// The network's constants.
    pub fn network(&self) -> &NetworkRecord {
        &self.network
    }

    /// The last tipset.
    pub fn head(&self) -> &TipsetRecord {
        &self.head
    }

    /// The epoch of the last tipset.
    pub fn epoch(&self) -> ChainEpoch {
        self.head.height
    }

    /// All blocks of state and chain.
    pub fn store(&self) -> &Rc<Store> {
        &self.store
    }

    /// The state after everything that is in tipsets.
    pub fn state(&self) -> Result<State> {
        State::at(&self.store, &self.head.state)
    }

    /// An actor after everything that is in tipsets.
    pub fn actor(&self, address: &Address) -> Result<Option<ActorState>> {
        self.state()?.actor(address)
    }

    /// The newest head's epoch, as it changes.
    pub fn heads(&self) -> watch::Receiver<ChainEpoch> {
        self.heads.subscribe()
    }

    /// The tipset that holds a message, and what came of it.
    pub fn included(&self, message: &Cid) -> Result<Option<Included>> {
        let Some(place) = self.store.place(message)? else { return Ok(None) };
        let tipset = self.store.tipset_at_or_before(place.epoch)?.context("a tipset is missing")?;
        ensure!(tipset.height == place.epoch, "the tipset at {} is missing", place.epoch);
        let receipt =
            tipset::read_receipt(&self.store, &tipset.receipts, place.index)?.context("a receipt is missing")?;
        Ok(Some(Included { epoch: place.epoch, receipt }))
    }

    /// Calls a method on the newest state without leaving a trace.
    pub fn query(&self, from: &Address, to: &Address, method: MethodNum, params: RawBytes) -> Result<Outcome> {
        self.query_at(self.head.state, self.head.height, from, to, method, params)
    }

    pub(crate) fn query_at(
        &self,
        state: Cid,
        epoch: ChainEpoch,
        from: &Address,
        to: &Address,
        method: MethodNum,
        params: RawBytes,
    ) -> Result<Outcome> {
        Vm::open(&self.store, &self.rules, state, epoch)?.implicit(from, to, method, &TokenAmount::default(), params)
    }

    /// Violations of what must hold after every message; empty if all is well.
    pub fn violations(&self) -> Result<Vec<String>> {
        invariants::violations(self)
    }

    /// Sets what [`Chain::violations`] asks about installed actors' states.
    pub fn set_check(&mut self, check: Check) {
        self.check = Some(check);
    }

    /// Shows somebody the chain; gives what they need before having a life on it.
    pub(crate) fn welcome(&mut self, duties: &mut dyn Duties) -> Result<Vec<(Address, TokenAmount)>> {
        let view = Ledger::resting(self);
        duties.arrive(&view)?;
        duties.lacking(&view)
    }

    /// Gives somebody a life on this chain.
    pub fn set_duties(&mut self, duties: Box<dyn Duties>) {
        self.duties = Some(duties);
    }

    /// What the state says about a sender; `None` if it is not on chain.
    pub fn sender(&self, from: &Address) -> Result<Option<Sender>> {
        Ok(self.actor(from)?.map(|actor| Sender { nonce: actor.sequence, balance: actor.balance }))
    }

    /// The nonce of the sender's next message, counting those that wait.
    pub fn next_nonce(&self, from: &Address) -> Result<Option<u64>> {
        let Some(sender) = self.sender(from)? else { return Ok(None) };
        Ok(Some(self.pool.next_nonce(&self.key_address(from)?, sender.nonce)))
    }

    /// The address that an account signs with, which the mempool knows it by; anything that is no account keeps its own.
    pub(crate) fn key_address(&self, address: &Address) -> Result<Address> {
        if address.protocol() != Protocol::ID {
            return Ok(*address);
        }
        let state = self.state()?;
        let Some(actor) = state.actor(address)? else { return Ok(*address) };
        if let Some(delegated) = actor.delegated_address {
            return Ok(delegated);
        }
        // An account's state is its key address alone; other states have another shape.
        let key = state.object::<(Address,)>(address).ok().map(|(key,)| key);
        let is_key = |key: &Address| matches!(key.protocol(), Protocol::Secp256k1 | Protocol::BLS);
        Ok(key.filter(is_key).unwrap_or(*address))
    }

    /// Takes a signed message into the mempool, and writes that down.
    pub fn push(&mut self, signed: SignedMessage) -> Result<Cid> {
        self.admit(signed, Limits::TRUSTED, true)
    }

    /// The same for somebody who is not trusted: without gaps, and fewer from one sender.
    pub fn push_untrusted(&mut self, signed: SignedMessage) -> Result<Cid> {
        self.admit(signed, Limits::UNTRUSTED, true)
    }

    /// The same; what is not `durable` is so with the next durable commit.
    pub(crate) fn admit(&mut self, signed: SignedMessage, limits: Limits, durable: bool) -> Result<Cid> {
        let chain_id = self.network.chain_id;
        Mempool::check(&signed, self.rules.inclusion_gas(signed.on_chain_len()), chain_id)?;
        let from = signed.message.from;
        let sender = self.sender(&from)?.with_context(|| {
            let from = Prefix::Testnet.show(&from);
            format!(
                "failed to look up actor state nonce: resolution lookup failed ({from}): resolve address {from}: actor not \
                 found: validation failure"
            )
        })?;
        let bytes = signed.to_bytes();
        let hash = crate::rpc::hash_of(&signed, chain_id);
        let admitted = self.pool.would_take(&signed, &sender, limits)?;
        let changes = Changes {
            pool_in: vec![(admitted.cid, bytes)],
            pool_out: admitted.replaced.into_iter().collect(),
            ..Changes::default()
        };
        // First on the disk: what cannot be kept is not there.
        self.store.record(&changes, durable && self.is_durable())?;
        self.pool.take(signed, &admitted);
        hash.into_iter().for_each(|hash| self.filters.arrived(hash));
        Ok(admitted.cid)
    }

    /// Estimates, signs, sends and executes one message; for tests and measurements.
    pub fn send(
        &mut self,
        key: &Key,
        to: &Address,
        method: MethodNum,
        value: &TokenAmount,
        params: RawBytes,
    ) -> Result<Included> {
        let mut draft = message::draft(key.address(), *to, value.clone(), method, params);
        draft.sequence = self.next_nonce(&key.address())?.context("the sender is not on chain")?;
        estimate::fill(self, self.head.state, self.head.height + 1, &mut draft)?;
        let cid = self.push(key.sign(draft)?)?;
        self.mine_one()?;
        self.included(&cid)?.context("the message was not included")
    }

    /// True if a message waits that the next tipset can take.
    pub fn has_runnable(&self) -> Result<bool> {
        Ok(!self.selected()?.is_empty())
    }

    /// The messages that the next tipset would take.
    pub(crate) fn selected(&self) -> Result<Vec<Pending>> {
        self.select(&self.state()?)
    }

    fn select(&self, state: &State) -> Result<Vec<Pending>> {
        let mut failure = None;
        let selected = self.pool.select(|from| match state.actor(from) {
            Ok(actor) => actor.map_or(u64::MAX, |a| a.sequence),
            Err(e) => {
                failure = Some(e);
                u64::MAX
            }
        });
        failure.map_or(Ok(selected), Err)
    }
}
