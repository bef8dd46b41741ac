//! The chain: a row of tipsets, the messages that wait for the next one, and what can be read of it.
//!
//! As on Lotus, the messages of a tipset run on the state that its header names, at its epoch; what comes of them is in
//! the header of its child. The devnet runs them as soon as the tipset is made and keeps the result beside it, so one
//! commit holds a tipset whole. Cron of null rounds between two tipsets runs before the later one's messages, but only in
//! epochs in which it can do something (`deadlines.rs`).

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use bauta_client::message::{SignatureKind, SignedMessage};
use bls_signatures::Serialize as _;
use cid::Cid;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::bigint::BigInt;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::state::ActorState;
use fvm_shared::version::NetworkVersion;
use fvm_shared::{ActorID, EMPTY_ARR_CID, IPLD_RAW, METHOD_CONSTRUCTOR, MethodNum};
use multihash_codetable::Code;
use tokio::sync::watch;

use crate::deadlines::Deadlines;
use crate::duties::{Duties, Included};
use crate::genesis::{Genesis, fund};
use crate::invariants::{self, Check};
use crate::ledger::Ledger;
use crate::mempool::{Mempool, Pending, Sender};
use crate::records::{Changes, EventRecord, NetworkRecord, Place, TipsetRecord};
use crate::state::State;
use crate::store::Store;
use crate::tipset::{self, Draft};
use crate::vm::{Outcome, Rules, SYSTEM, Vm};

/// Ids that installed actors are given; the init actor hands out higher ones.
pub(crate) const INSTALLED_IDS: std::ops::Range<ActorID> = 64..98;

/// Bytes of a compressed point in G2.
const BLS_SIGNATURE_LENGTH: usize = 96;

/// The chain. Needs a thread with a large stack ([`crate::on_large_stack`]) and never leaves it.
pub struct Chain {
    pub(crate) store: Rc<Store>,
    pub(crate) rules: Rules,
    pub(crate) network: NetworkRecord,
    pub(crate) head: TipsetRecord,
    pub(crate) pool: Mempool,
    pub(crate) duties: Option<Box<dyn Duties>>,
    pub(crate) check: Option<Check>,
    pub(crate) stop: Arc<AtomicBool>,
    deadlines: Deadlines,
    heads: watch::Sender<ChainEpoch>,
}

/// A change that no message makes: it stands for the network's operators. Runs at the start of a tipset.
pub(crate) enum Intervention {
    /// Money from the faucet.
    Fund(Address, TokenAmount),
    /// A network upgrade that brings an actor: its id and code.
    Install(ActorID, Cid),
}

/// An actor that was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its id address.
    pub address: Address,
    /// The CID of its Wasm.
    pub code: Cid,
}

impl Chain {
    /// Opens the chain in a state folder, or begins one there.
    pub fn open(folder: &Path, genesis: &Genesis) -> Result<Self> {
        Self::on(Store::open(folder)?, genesis)
    }

    /// A chain in memory, gone when it is dropped.
    pub fn in_memory(genesis: &Genesis) -> Result<Self> {
        Self::on(Store::temporary()?, genesis)
    }

    fn on(store: Store, genesis: &Genesis) -> Result<Self> {
        let store = Rc::new(store);
        let (network, head) = match (store.network()?, store.head()?) {
            (Some(network), Some(head)) => (network, head),
            (None, None) => begin(&store, genesis)?,
            _ => anyhow::bail!("the state folder's database is damaged: it lacks its network record or its tipsets"),
        };
        let version = NetworkVersion::from(network.version);
        let rules = Rules::new(version, network.chain_id, network.genesis_time, network.circulating.clone())?;
        let codes: Vec<Cid> = network.installed.iter().map(|(_, code)| *code).collect();
        rules.preload(&store, &codes)?;
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
            stop: Arc::default(),
            deadlines: Deadlines::default(),
        })
    }

    // --- reading ---

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
        let receipt = tipset::read_receipt(&self.store, &tipset.receipts, place.index)?.context("a receipt is missing")?;
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

    /// Gives somebody a life on this chain.
    pub fn set_duties(&mut self, duties: Box<dyn Duties>) {
        self.duties = Some(duties);
    }

    // --- messages ---

    /// What the state says about a sender; `None` if it is not on chain.
    pub fn sender(&self, from: &Address) -> Result<Option<Sender>> {
        Ok(self.actor(from)?.map(|actor| Sender { nonce: actor.sequence, balance: actor.balance }))
    }

    /// The nonce of the sender's next message, counting those that wait.
    pub fn next_nonce(&self, from: &Address) -> Result<Option<u64>> {
        Ok(self.sender(from)?.map(|sender| self.pool.next_nonce(from, sender.nonce)))
    }

    /// Takes a signed message into the mempool, and writes that down.
    pub fn push(&mut self, signed: SignedMessage) -> Result<Cid> {
        self.admit(signed, true)
    }

    /// The same; what is not `durable` is so with the next durable commit.
    pub(crate) fn admit(&mut self, signed: SignedMessage, durable: bool) -> Result<Cid> {
        Mempool::check(&signed, self.rules.inclusion_gas(signed.on_chain_len()))?;
        let from = signed.message.from;
        let sender = self.sender(&from)?.with_context(|| {
            format!("failed to look up actor state nonce: resolution lookup failed ({from}): resolve address {from}: actor not found")
        })?;
        let bytes = signed.to_bytes();
        let admitted = self.pool.push(signed, &sender)?;
        let changes = Changes {
            pool_in: vec![(admitted.cid, bytes)],
            pool_out: admitted.replaced.into_iter().collect(),
            ..Changes::default()
        };
        self.store.record(&changes, durable)?;
        Ok(admitted.cid)
    }

    /// True if a message waits that the next tipset can take.
    pub fn has_runnable(&self) -> Result<bool> {
        Ok(!self.select(&self.state()?)?.is_empty())
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

    // --- tipsets ---

    /// Makes the tipset of the next epoch.
    pub fn mine_one(&mut self) -> Result<()> {
        self.produce(self.head.height + 1, &[], true)
    }

    /// Moves `epochs` ahead. Epochs in which nobody has a duty and no message waits are null rounds; the last one always
    /// gets a tipset.
    pub fn mine(&mut self, epochs: u64) -> Result<()> {
        let target = self.head.height.checked_add_unsigned(epochs).context("no such epoch")?;
        while self.head.height < target {
            let next = self.head.height + 1;
            let due = if self.has_runnable()? { Some(next) } else { self.next_duty()? };
            let epoch = due.unwrap_or(target).clamp(next, target);
            self.produce(epoch, &[], epoch == target)?;
        }
        Ok(())
    }

    /// When somebody must act, no earlier than the next epoch.
    pub(crate) fn next_duty(&mut self) -> Result<Option<ChainEpoch>> {
        self.ask_duties(|duties, ledger| duties.next(ledger))
    }

    /// Up to which epoch somebody waits for time to pass.
    pub(crate) fn awaited(&mut self) -> Result<Option<ChainEpoch>> {
        self.ask_duties(|duties, ledger| duties.awaited(ledger))
    }

    fn ask_duties(
        &mut self,
        ask: impl FnOnce(&mut dyn Duties, &Ledger<'_>) -> Option<ChainEpoch>,
    ) -> Result<Option<ChainEpoch>> {
        let Some(mut duties) = self.duties.take() else { return Ok(None) };
        let answer = ask(duties.as_mut(), &Ledger::resting(self));
        self.duties = Some(duties);
        Ok(answer.map(|epoch| epoch.max(self.head.height + 1)))
    }

    /// What those with duties answer to a method of theirs; `None` if it is not theirs.
    pub(crate) fn ask_command(&mut self, name: &str, values: &[serde_json::Value]) -> Option<Result<serde_json::Value>> {
        let mut duties = self.duties.take()?;
        let answer = duties.command(name, values, &Ledger::resting(self));
        self.duties = Some(duties);
        answer
    }

    /// Pays from the faucet, in a tipset of its own.
    pub fn fund(&mut self, to: &Address, amount: &TokenAmount) -> Result<()> {
        self.intervene(Intervention::Fund(*to, amount.clone()))
    }

    /// A tipset that begins with an intervention, and its child, from which on the change can be seen.
    fn intervene(&mut self, what: Intervention) -> Result<()> {
        self.produce(self.head.height + 1, &[what], true)?;
        self.mine_one()
    }

    /// Installs an actor, as a network upgrade would, in a tipset of its own: code, an id below 100, and its constructor. The
    /// same code is installed once.
    pub fn install(&mut self, wasm: &[u8]) -> Result<Installed> {
        let code = Block::new(IPLD_RAW, wasm).cid(Code::Blake2b256);
        if let Some((id, code)) = self.network.installed.iter().find(|(_, c)| *c == code) {
            return Ok(Installed { address: Address::new_id(*id), code: *code });
        }
        let taken = |id: &ActorID| self.network.installed.iter().any(|(i, _)| i == id);
        let id = INSTALLED_IDS.clone().find(|id| !taken(id)).context("no ids are left for installed actors")?;
        self.store.put_keyed(&code, wasm)?;
        self.rules.preload(&self.store, &[code]).context("this is not the Wasm of an actor that the FVM takes")?;
        self.intervene(Intervention::Install(id, code))?;
        Ok(Installed { address: Address::new_id(id), code })
    }

    /// Makes the tipset of `epoch`; the epochs between it and the head are null rounds. On failure nothing has changed.
    pub(crate) fn produce(&mut self, epoch: ChainEpoch, first: &[Intervention], durable: bool) -> Result<()> {
        let made = self.try_produce(epoch, first, durable);
        if made.is_err() {
            self.store.discard();
        }
        made.with_context(|| format!("making the tipset of epoch {epoch}"))
    }

    fn try_produce(&mut self, epoch: ChainEpoch, first: &[Intervention], durable: bool) -> Result<()> {
        ensure!(!self.stop.load(Ordering::Relaxed), "the devnet is being stopped");
        ensure!(epoch > self.head.height, "epoch {epoch} is not after the head's, {}", self.head.height);
        let mut parent_state = self.head.state;
        for tick in self.ticks(epoch)? {
            ensure!(!self.stop.load(Ordering::Relaxed), "the devnet is being stopped");
            let mut vm = Vm::open(&self.store, &self.rules, parent_state, tick)?;
            vm.cron()?;
            parent_state = vm.flush()?;
        }
        if let Some(mut duties) = self.duties.take() {
            let acted = duties.act(&mut Ledger::acting(self, epoch, parent_state));
            self.duties = Some(duties);
            if let Err(e) = acted {
                tracing::warn!("a duty at epoch {epoch} failed: {e:#}");
            }
        }

        let mut made = Tipset::default();
        let mut network = None;
        let selected = self.select(&State::at(&self.store, &parent_state)?)?;
        let mut vm = Vm::open(&self.store, &self.rules, parent_state, epoch)?;
        for intervention in first {
            match intervention {
                Intervention::Fund(to, amount) => fund(&mut vm, to, amount)?,
                Intervention::Install(id, code) => {
                    install(&mut vm, *id, *code)?;
                    let changed: &mut NetworkRecord = network.get_or_insert_with(|| self.network.clone());
                    changed.installed.push((*id, *code));
                }
            }
        }
        for pending in selected {
            made.run(&self.store, &mut vm, pending, epoch)?;
        }
        vm.cron()?;
        let state = vm.flush()?;

        let parent = tipset::read_block(&self.store, &self.head.block)?;
        let block = tipset::write_block(
            &self.store,
            Draft {
                miner: self.block_miner(),
                height: epoch,
                timestamp: self.rules.timestamp(epoch),
                parent: Some(self.head.block),
                parent_weight: parent.parent_weight + BigInt::from(1),
                parent_state_root: self.head.state,
                parent_receipts: self.head.receipts,
                bls: &made.bls,
                secp256k1: &made.secp256k1,
                bls_aggregate: made.aggregate()?,
            },
        )?;
        let record = TipsetRecord {
            height: epoch,
            block,
            parent: Some(self.head.block),
            parent_state: self.head.state,
            state,
            receipts: tipset::write_receipts(&self.store, std::mem::take(&mut made.receipts))?,
            messages: made.bls.iter().chain(&made.secp256k1).copied().collect(),
        };
        let mut roots = vec![state, block, record.receipts];
        roots.append(&mut made.roots);
        let changes = Changes {
            network: network.clone(),
            tipset: Some(record.clone()),
            places: made.places,
            events: made.events,
            pool_in: vec![],
            pool_out: made.gone.iter().map(|p| p.cid).collect(),
        };
        self.store.commit(&roots, &changes, durable)?;
        made.gone.iter().for_each(|pending| self.pool.remove(pending));
        self.network = network.unwrap_or_else(|| self.network.clone());
        self.head = record;
        self.heads.send_replace(epoch);
        Ok(())
    }

    /// The null rounds before `epoch` in which cron has something to do.
    fn ticks(&mut self, epoch: ChainEpoch) -> Result<Vec<ChainEpoch>> {
        if epoch == self.head.height + 1 {
            return Ok(vec![]);
        }
        let state = self.state()?;
        self.deadlines.ticks(&self.store, &state, self.network.manifest, self.head.height + 1..epoch)
    }

    pub(crate) fn block_miner(&self) -> Address {
        Address::new_id(self.network.anchor.unwrap_or_default())
    }
}

/// Genesis: state and first tipset in one commit.
fn begin(store: &Rc<Store>, genesis: &Genesis) -> Result<(NetworkRecord, TipsetRecord)> {
    let (network, state) = genesis.build(store).context("genesis")?;
    let receipts = tipset::write_receipts(store, vec![])?;
    let block = tipset::write_block(
        store,
        Draft {
            miner: Address::new_id(network.anchor.unwrap_or_default()),
            height: 0,
            timestamp: network.genesis_time,
            parent: None,
            parent_weight: BigInt::default(),
            parent_state_root: state,
            parent_receipts: receipts,
            bls: &[],
            secp256k1: &[],
            bls_aggregate: Tipset::default().aggregate()?,
        },
    )?;
    let head =
        TipsetRecord { height: 0, block, parent: None, parent_state: state, state, receipts, messages: vec![] };
    let changes = Changes { network: Some(network.clone()), tipset: Some(head.clone()), ..Changes::default() };
    store.commit(&[state, block, receipts], &changes, true)?;
    Ok((network, head))
}

fn install(vm: &mut Vm, id: ActorID, code: Cid) -> Result<()> {
    let address = Address::new_id(id);
    let blank =
        ActorState { code, state: EMPTY_ARR_CID, sequence: 0, balance: TokenAmount::default(), delegated_address: None };
    vm.place(id, blank);
    vm.implicit(&SYSTEM, &address, METHOD_CONSTRUCTOR, &TokenAmount::default(), RawBytes::default())?
        .ok()
        .context("the actor's constructor")?;
    Ok(())
}

/// A tipset while it is being made.
#[derive(Default)]
struct Tipset {
    bls: Vec<Cid>,
    secp256k1: Vec<Cid>,
    signatures: Vec<bls_signatures::Signature>,
    receipts: Vec<fvm_shared::receipt::Receipt>,
    places: Vec<(Cid, Place)>,
    events: Vec<EventRecord>,
    /// Messages that leave the mempool.
    gone: Vec<Pending>,
    /// Blocks to keep that hang on nothing else.
    roots: Vec<Cid>,
}

impl Tipset {
    /// Runs a message and notes all that a block says about it. One that cannot be paid for leaves the mempool unrun.
    fn run(&mut self, store: &Rc<Store>, vm: &mut Vm, pending: Pending, epoch: ChainEpoch) -> Result<()> {
        let SignedMessage { message, signature } = &pending.signed;
        let outcome = vm.explicit(message.clone(), pending.signed.on_chain_len())?;
        if !outcome.includable {
            tracing::info!("message {} was dropped: {}", pending.cid, outcome.failure.trim());
            self.gone.push(pending);
            return Ok(());
        }
        let index = u32::try_from(self.receipts.len()).context("too many messages in a tipset")?;
        let unsigned = bauta_client::message::cid(message);
        store.put_keyed(&unsigned, &bauta_client::message::to_bytes(message))?;
        self.roots.push(unsigned);
        self.places.push((unsigned, Place { epoch, index }));
        if signature.kind() == SignatureKind::Bls {
            self.bls.push(unsigned);
            self.signatures.push(bls_signatures::Signature::from_bytes(signature.data())?);
        } else {
            store.put_keyed(&pending.cid, &pending.signed.to_bytes())?;
            self.secp256k1.push(pending.cid);
            self.places.push((pending.cid, Place { epoch, index }));
        }
        if !outcome.events.is_empty() {
            let root = tipset::write_events(store, &outcome.events)?;
            ensure!(Some(root) == outcome.events_root, "the events' root is not the VM's");
            self.roots.push(root);
            let message = pending.cid;
            self.events.extend(outcome.events.iter().cloned().map(|event| EventRecord { message, event }));
        }
        self.receipts.push(outcome.receipt());
        self.gone.push(pending);
        Ok(())
    }

    /// The signature over all BLS messages, type byte first; without messages the point at infinity, as Lotus has it.
    fn aggregate(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![SignatureKind::Bls as u8];
        if self.signatures.is_empty() {
            bytes.push(0xc0);
            bytes.resize(1 + BLS_SIGNATURE_LENGTH, 0);
        } else {
            bytes.extend(bls_signatures::aggregate(&self.signatures)?.as_bytes());
        }
        Ok(bytes)
    }
}
