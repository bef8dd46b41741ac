//! Making tipsets: duties, messages, cron, and one commit. A commit holds a tipset whole.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use bauta_client::message;
use cid::Cid;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_shared::address::Address;
use fvm_shared::bigint::BigInt;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::state::ActorState;
use fvm_shared::{ActorID, IPLD_RAW};
use multihash_codetable::Code;

use super::Chain;
use super::making::Making;
use crate::duties::Duties;
use crate::genesis::{Genesis, fund, install};
use crate::ledger::Ledger;
use crate::records::{Changes, NetworkRecord, TipsetRecord};
use crate::state::State;
use crate::store::{Roots, Store};
use crate::tipset::{self, Draft};
use crate::vm::Vm;

/// Ids that installed actors are given; the init actor hands out higher ones.
pub(crate) const INSTALLED_IDS: std::ops::Range<ActorID> = 64..98;
/// After so many null rounds with cron, the blocks that nothing hangs on any more are forgotten.
const PRUNE_EVERY: usize = 256;

/// A change that no message makes: it stands for the network's operators. Runs at the start of a tipset.
pub(crate) enum Intervention {
    /// Money from the faucet.
    Fund(Address, TokenAmount),
    /// A network upgrade that brings an actor: its id and code.
    Install(ActorID, Cid),
    /// Another state for an actor.
    State(ActorID, Cid),
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
        let answer = self.with_duties(|duties, chain| ask(duties, &Ledger::resting(chain))).flatten();
        Ok(answer.map(|epoch| epoch.max(self.head.height + 1)))
    }

    /// What those with duties answer to a method of theirs; `None` if it is not theirs.
    pub(crate) fn ask_command(
        &mut self,
        name: &str,
        values: &[serde_json::Value],
    ) -> Option<Result<serde_json::Value>> {
        self.with_duties(|duties, chain| duties.command(name, values, &Ledger::resting(chain)))?
    }

    /// Lets those with duties meet the chain. They stay with it even if they panic.
    pub(super) fn with_duties<T>(&mut self, meet: impl FnOnce(&mut dyn Duties, &mut Self) -> T) -> Option<T> {
        let mut duties = self.duties.take()?;
        let met = catch_unwind(AssertUnwindSafe(|| meet(duties.as_mut(), self)));
        self.duties = Some(duties);
        Some(met.unwrap_or_else(|panic| resume_unwind(panic)))
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

    /// Gives an actor another state, whose blocks have been put into [`Chain::store`] since the last tipset: for
    /// measurements on states too large to be made by messages.
    pub fn replace_state(&mut self, actor: ActorID, root: Cid) -> Result<()> {
        self.intervene(Intervention::State(actor, root))
    }

    /// Makes the tipset of `epoch`; the epochs between it and the head are null rounds. On failure nothing has changed.
    pub(crate) fn produce(&mut self, epoch: ChainEpoch, first: &[Intervention], durable: bool) -> Result<()> {
        let made = self.try_produce(epoch, first, durable);
        if made.is_err() {
            self.store.discard();
        } else if let Err(e) = self.tidy() {
            // What is not forgotten now is forgotten later.
            tracing::warn!("forgetting old states failed: {e:#}");
        }
        made.with_context(|| format!("making the tipset of epoch {epoch}"))
    }

    fn try_produce(&mut self, epoch: ChainEpoch, first: &[Intervention], durable: bool) -> Result<()> {
        ensure!(!self.stop.load(Ordering::Relaxed), "the devnet is being stopped");
        ensure!(epoch > self.head.height, "epoch {epoch} is not after the head's, {}", self.head.height);
        let mut parent_state = self.head.state;
        for (done, tick) in self.ticks(epoch)?.into_iter().enumerate() {
            if done % PRUNE_EVERY == PRUNE_EVERY - 1 {
                self.store.prune(&[parent_state]);
            }
            ensure!(!self.stop.load(Ordering::Relaxed), "the devnet is being stopped");
            let mut vm = Vm::open(&self.store, &self.rules, parent_state, tick)?;
            vm.cron()?;
            parent_state = vm.flush()?;
        }
        let act =
            |duties: &mut dyn Duties, chain: &mut Self| duties.act(&mut Ledger::acting(chain, epoch, parent_state));
        // Time goes on whatever they do: a tipset that waited for them would wait for ever.
        match catch_unwind(AssertUnwindSafe(|| self.with_duties(act))) {
            Ok(Some(Err(e))) => tracing::warn!("a duty at epoch {epoch} failed: {e:#}"),
            Ok(_) => {}
            Err(_) => tracing::error!("a duty at epoch {epoch} panicked, which is a defect"),
        }

        let mut made = Making::default();
        let mut network = None;
        let selected = self.select(&State::at(&self.store, &parent_state)?)?;
        let mut vm = Vm::open(&self.store, &self.rules, parent_state, epoch)?;
        for intervention in first {
            match intervention {
                Intervention::Fund(to, amount) => fund(&mut vm, to, amount)?,
                Intervention::State(id, root) => {
                    let address = Address::new_id(*id);
                    let actor = vm.actor(&address)?.with_context(|| format!("there is no actor t0{id}"))?;
                    vm.place(*id, ActorState { state: *root, ..actor });
                }
                Intervention::Install(id, code) => {
                    install(&mut vm, *id, *code)?;
                    let changed: &mut NetworkRecord = network.get_or_insert_with(|| self.network.clone());
                    changed.installed.push((*id, *code));
                }
            }
        }
        for pending in selected {
            made.run(&self.store, &mut vm, pending, epoch, self.network.chain_id)?;
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
        let mut history = vec![record.receipts, tipset::read_block(&self.store, &block)?.messages];
        history.append(&mut made.roots);
        let changes = Changes {
            network: network.clone(),
            tipset: Some(record.clone()),
            places: made.places,
            events: made.events,
            pool_in: vec![],
            pool_out: made.gone.iter().map(|p| p.cid).collect(),
        };
        let roots = Roots { states: &[state], history: &history, headers: &[block] };
        self.store.commit(roots, &changes, durable && self.is_durable())?;
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

    /// All miner actors there are now, in order of their ids.
    pub(crate) fn miners(&mut self) -> Result<Vec<ActorID>> {
        let state = self.state()?;
        Ok(self.deadlines.miners(&self.store, &state, self.network.manifest)?.to_vec())
    }

    pub(crate) fn block_miner(&self) -> Address {
        Address::new_id(self.network.anchor.unwrap_or_default())
    }
}

/// Genesis: state and first tipset in one commit.
pub(super) fn begin(store: &Rc<Store>, genesis: &Genesis) -> Result<(NetworkRecord, TipsetRecord)> {
    let (network, state) = genesis.build(store).context("genesis")?;
    let receipts = tipset::write_receipts(store, vec![])?;
    let block = tipset::write_block(
        store,
        Draft {
            miner: Address::new_id(network.anchor.unwrap_or_default()),
            height: 0,
            timestamp: network.genesis_time,
            // As on Lotus, genesis names a parent that does not exist: readers expect one.
            parent: Some(message::cid_of(b"before genesis")),
            parent_weight: BigInt::default(),
            parent_state_root: state,
            parent_receipts: receipts,
            bls: &[],
            secp256k1: &[],
            bls_aggregate: Making::default().aggregate()?,
        },
    )?;
    let head = TipsetRecord { height: 0, block, parent: None, parent_state: state, state, receipts, messages: vec![] };
    let changes = Changes { network: Some(network.clone()), tipset: Some(head.clone()), ..Changes::default() };
    let history = [receipts, tipset::read_block(store, &block)?.messages];
    store.commit(Roots { states: &[state], history: &history, headers: &[block] }, &changes, true)?;
    Ok((network, head))
}
