//! The VM at one epoch: opens on a state root, runs messages, gives the next root.
//!
//! Nothing here knows of tipsets. Opening takes some 30 µs, so every query gets its own [`Vm`] and leaves no trace by never
//! flushing it. Actors are compiled when they are first called (`vm/lazy.rs`).

mod lazy;
mod revert;

use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bauta_system_actors::method::cron::EPOCH_TICK;
use cid::Cid;
use fvm::call_manager::DefaultCallManager;
use fvm::engine::{EnginePool, MultiEngine};
use fvm::executor::{ApplyKind, ApplyRet, DefaultExecutor, Executor};
use fvm::externs;
use fvm::kernel::filecoin::DefaultFilecoinKernel;
use fvm::machine::{DefaultMachine, Machine, Manifest, NetworkConfig};
use fvm::trace::ExecutionTrace;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::RawBytes;
use fvm_ipld_encoding::de::DeserializeOwned;
use fvm_shared::address::Address;
use fvm_shared::chainid::ChainID;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::consensus::ConsensusFault;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::event::StampedEvent;
use fvm_shared::message::Message;
use fvm_shared::receipt::Receipt;
use fvm_shared::state::ActorState;
use fvm_shared::version::NetworkVersion;
use fvm_shared::{ActorID, MethodNum};
use multihash_codetable::{Code, MultihashDigest};

pub use revert::{Revert, named};

use crate::store::Store;
use crate::tipset::key_cid;

type Exec = DefaultExecutor<DefaultFilecoinKernel<DefaultCallManager<lazy::Lazy>>>;

/// The system actor, which all implicit messages of the network come from.
pub const SYSTEM: Address = Address::new_id(0);
const CRON: Address = Address::new_id(3);

/// Seconds between two epochs.
pub const EPOCH_SECONDS: u64 = 30;
/// Gas that fits in a block; also the highest gas limit of a message.
pub const BLOCK_GAS: u64 = 10_000_000_000;
/// Implicit messages are not bounded by blocks; nodes give them 10,000 block limits.
const IMPLICIT_GAS: u64 = BLOCK_GAS * 10_000;
/// The base fee never moves: attoFIL per gas.
pub const BASE_FEE: u64 = 100;

/// Compiled actors, shared by all chains of a process.
static ENGINES: LazyLock<MultiEngine> = LazyLock::new(|| MultiEngine::new(8));

/// The two kinds of randomness that actors ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Tickets.
    Chain,
    /// drand.
    Beacon,
}

/// What a source says at an epoch: its hash is the randomness.
pub(crate) fn seed(source: Source, epoch: ChainEpoch) -> Vec<u8> {
    let name = match source {
        Source::Chain => "chain",
        Source::Beacon => "beacon",
    };
    [name.as_bytes(), &epoch.to_be_bytes()].concat()
}

/// The 32 bytes of a source at an epoch. Everybody can compute them, which is what proofs without proving need.
pub fn randomness(source: Source, epoch: ChainEpoch) -> [u8; 32] {
    blake2b(&seed(source, epoch))
}

/// blake2b-256.
pub fn blake2b(data: &[u8]) -> [u8; 32] {
    Code::Blake2b256.digest(data).digest().try_into().expect("a blake2b-256 digest has 32 bytes")
}

/// What a node answers to the VM about the chain outside the state tree.
pub(crate) struct Surroundings(Rc<Store>);

impl externs::Externs for Surroundings {}

impl externs::Rand for Surroundings {
    fn get_chain_randomness(&self, round: ChainEpoch) -> Result<[u8; 32]> {
        Ok(randomness(Source::Chain, round))
    }
    fn get_beacon_randomness(&self, round: ChainEpoch) -> Result<[u8; 32]> {
        Ok(randomness(Source::Beacon, round))
    }
}

impl externs::Consensus for Surroundings {
    fn verify_consensus_fault(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(Option<ConsensusFault>, i64)> {
        Ok((None, 0))
    }
}

impl externs::Chain for Surroundings {
    fn get_tipset_cid(&self, epoch: ChainEpoch) -> Result<Cid> {
        // The last tipset before a null round stands for it. Contracts read it as the block's hash.
        let record = self.0.tipset_at_or_before(epoch)?.context("there is no such tipset")?;
        Ok(key_cid(&[record.block]))
    }
}

/// What is the same in every epoch of a network.
#[derive(Clone)]
pub struct Rules {
    config: NetworkConfig,
    engine: EnginePool,
    genesis_time: u64,
    supply: TokenAmount,
}

impl Rules {
    /// The rules of a network; `supply` is what actors are told about circulating money.
    pub fn new(version: NetworkVersion, chain_id: u64, genesis_time: u64, supply: TokenAmount) -> Result<Self> {
        let mut config = NetworkConfig::new(version);
        config.chain_id(ChainID::from(chain_id));
        let engine = ENGINES.get(&config)?;
        lazy::prepare(&engine)?;
        Ok(Self { config, engine, genesis_time, supply })
    }

    /// Compiles code, or says why it is not an actor's.
    pub fn preload(&self, store: &impl Blockstore, codes: &[Cid]) -> Result<()> {
        self.engine.acquire().preload_all(store, codes)?;
        Ok(())
    }

    /// Seconds since 1970 at an epoch.
    pub fn timestamp(&self, epoch: ChainEpoch) -> u64 {
        self.genesis_time + EPOCH_SECONDS * u64::try_from(epoch).unwrap_or(0)
    }

    /// The gas that a message of `length` bytes costs before it does anything.
    pub fn inclusion_gas(&self, length: usize) -> u64 {
        self.config.price_list.on_chain_message(length).total().round_up()
    }

    /// The network version.
    pub fn version(&self) -> NetworkVersion {
        self.config.network_version
    }
}

/// What came of one message.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// 0 or why the actor refused.
    pub exit: ExitCode,
    /// Gas used, of which the sender pays.
    pub gas: u64,
    /// What the method returned: CBOR, or empty.
    pub value: RawBytes,
    /// Root of the events' AMT, if there are events.
    pub events_root: Option<Cid>,
    /// The events.
    pub events: Vec<StampedEvent>,
    /// Why it failed, in the VM's words; empty if it did not. See [`Outcome::error`].
    pub failure: String,
    /// What gas cost: burnt for the base fee, burnt for a limit too high, paid to the miner.
    pub fees: Fees,
    /// Calls and gas charges, where they were asked for.
    pub trace: ExecutionTrace,
    /// False: the message could not even be paid for, and is no part of a block.
    pub includable: bool,
    /// Wall time.
    pub took: Duration,
}

/// Where the money for gas goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// Burnt: gas used at the base fee.
    pub base_fee_burn: TokenAmount,
    /// Burnt: for a limit far above the use.
    pub over_estimation_burn: TokenAmount,
    /// The miner's fine for including what it should not have.
    pub miner_penalty: TokenAmount,
    /// The miner's tip.
    pub miner_tip: TokenAmount,
    /// Given back.
    pub refund: TokenAmount,
}

impl Fees {
    /// What the sender has paid.
    pub fn total(&self) -> TokenAmount {
        &self.base_fee_burn + &self.over_estimation_burn + &self.miner_tip
    }
}

impl Outcome {
    /// Decodes the return value.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        fvm_ipld_encoding::from_slice(self.value.bytes()).context("unexpected return value")
    }

    /// Itself, or an error that names exit code and failure.
    pub fn ok(self) -> Result<Self> {
        if !self.exit.is_success() {
            bail!("exit {}: {}", self.exit.value(), self.failure.trim());
        }
        Ok(self)
    }

    /// As the chain keeps it.
    pub fn receipt(&self) -> Receipt {
        Receipt {
            exit_code: self.exit,
            return_data: self.value.clone(),
            gas_used: self.gas,
            events_root: self.events_root,
        }
    }
}

/// The VM inside one epoch.
pub struct Vm {
    exec: Exec,
    epoch: ChainEpoch,
}

impl Vm {
    /// Opens `epoch` on the state tree `root`.
    pub fn open(store: &Rc<Store>, rules: &Rules, root: Cid, epoch: ChainEpoch) -> Result<Self> {
        Self::open_with(store, rules, root, epoch, BASE_FEE, false)
    }

    /// The same, keeping execution traces.
    pub fn open_tracing(store: &Rc<Store>, rules: &Rules, root: Cid, epoch: ChainEpoch) -> Result<Self> {
        Self::open_with(store, rules, root, epoch, BASE_FEE, true)
    }

    /// The same for what nobody pays for: as on Lotus the base fee is zero there, which contracts see.
    pub fn open_free(store: &Rc<Store>, rules: &Rules, root: Cid, epoch: ChainEpoch) -> Result<Self> {
        Self::open_with(store, rules, root, epoch, 0, false)
    }

    /// The same, keeping execution traces.
    pub fn open_free_tracing(store: &Rc<Store>, rules: &Rules, root: Cid, epoch: ChainEpoch) -> Result<Self> {
        Self::open_with(store, rules, root, epoch, 0, true)
    }

    fn open_with(
        store: &Rc<Store>,
        rules: &Rules,
        root: Cid,
        epoch: ChainEpoch,
        base_fee: u64,
        tracing: bool,
    ) -> Result<Self> {
        let mut context = rules.config.for_epoch(epoch, rules.timestamp(epoch), root);
        context.set_base_fee(TokenAmount::from_atto(base_fee)).set_circulating_supply(rules.supply.clone());
        if tracing {
            context.enable_tracing();
        }
        let machine = DefaultMachine::new(&context, store.clone(), Surroundings(store.clone()))?;
        Ok(Self { exec: lazy::executor(rules.engine.clone(), machine)?, epoch })
    }

    /// The epoch it is in.
    pub fn epoch(&self) -> ChainEpoch {
        self.epoch
    }

    /// Runs a chain message: nonce, balance and gas rules apply; the signature is the mempool's business.
    /// `length` is the message's length on chain.
    pub fn explicit(&mut self, message: Message, length: usize) -> Result<Outcome> {
        self.apply(message, ApplyKind::Explicit, length)
    }

    /// Runs a message that is not on the chain: from any actor, free of fees.
    pub fn implicit(
        &mut self,
        from: &Address,
        to: &Address,
        method: MethodNum,
        value: &TokenAmount,
        params: RawBytes,
    ) -> Result<Outcome> {
        let message = Message {
            version: 0,
            from: *from,
            to: *to,
            sequence: 0,
            value: value.clone(),
            method_num: method,
            params,
            gas_limit: IMPLICIT_GAS,
            gas_fee_cap: TokenAmount::default(),
            gas_premium: TokenAmount::default(),
        };
        self.apply(message, ApplyKind::Implicit, 0)
    }

    /// Runs a message as if it came from nowhere, with its own gas limit; fees and nonce do not count.
    pub fn unpaid(&mut self, message: Message) -> Result<Outcome> {
        self.apply(message, ApplyKind::Implicit, 0)
    }

    /// The end of an epoch: the cron actor ticks.
    pub fn cron(&mut self) -> Result<()> {
        let tick = self.implicit(&SYSTEM, &CRON, EPOCH_TICK, &TokenAmount::default(), RawBytes::default())?;
        tick.ok().with_context(|| format!("cron at epoch {}", self.epoch))?;
        Ok(())
    }

    fn apply(&mut self, message: Message, kind: ApplyKind, length: usize) -> Result<Outcome> {
        let start = Instant::now();
        let done: ApplyRet = self.exec.execute_message(message, kind, length)?;
        let prevalidation = matches!(done.failure_info, Some(fvm::executor::ApplyFailure::PreValidation(_)));
        Ok(Outcome {
            exit: done.msg_receipt.exit_code,
            gas: done.msg_receipt.gas_used,
            value: done.msg_receipt.return_data,
            events_root: done.msg_receipt.events_root,
            events: done.events,
            failure: done.failure_info.map(|f| f.to_string()).unwrap_or_default(),
            fees: Fees {
                base_fee_burn: done.base_fee_burn,
                over_estimation_burn: done.over_estimation_burn,
                miner_penalty: done.penalty,
                miner_tip: done.miner_tip,
                refund: done.refund,
            },
            trace: done.exec_trace,
            includable: !prevalidation,
            took: start.elapsed(),
        })
    }

    /// The id behind an address.
    pub fn resolve(&self, address: &Address) -> Result<Option<ActorID>> {
        Ok(self.exec.state_tree().lookup_id(address)?)
    }

    /// An actor's entry in the state tree.
    pub fn actor(&self, address: &Address) -> Result<Option<ActorState>> {
        match self.resolve(address)? {
            Some(id) => Ok(self.exec.state_tree().get_actor(id)?),
            None => Ok(None),
        }
    }

    /// Puts an actor into the state tree by hand, as genesis and network upgrades do.
    pub fn place(&mut self, id: ActorID, actor: ActorState) {
        self.exec.state_tree_mut().set_actor(id, actor);
    }

    /// Decodes an actor's state object.
    pub fn state<T: DeserializeOwned>(&self, address: &Address) -> Result<T> {
        let actor = self.actor(address)?.with_context(|| format!("there is no actor {address}"))?;
        self.object(&actor.state)
    }

    /// Decodes a block, written or not.
    pub fn object<T: DeserializeOwned>(&self, cid: &Cid) -> Result<T> {
        let block = self.exec.blockstore().get(cid)?.with_context(|| format!("block {cid} is missing"))?;
        Ok(fvm_ipld_encoding::from_slice(&block)?)
    }

    /// Which code is which built-in actor.
    pub fn manifest(&self) -> &Manifest {
        self.exec.builtin_actors()
    }

    /// Writes the state tree to the store; gives its root.
    pub fn flush(mut self) -> Result<Cid> {
        self.exec.flush()
    }
}
