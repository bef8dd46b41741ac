//! A contract's state while it runs: written before it calls anybody, read again afterwards, because whoever is called may
//! call back.

use cid::Cid;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::strict_bytes;
use fvm_ipld_encoding::tuple::*;
use fvm_ipld_kamt::{Config, Kamt};
use fvm_sdk::{gas, message, sself, vm};
use fvm_shared::address::Address;
use fvm_shared::crypto::hash::SupportedHashes;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::{ErrorNumber, ExitCode};
use fvm_shared::sys::SendFlags;
use fvm_shared::{ActorID, EMPTY_ARR_CID, IPLD_RAW, METHOD_SEND, MethodNum, Response};
use multihash_codetable::Code;
use revm_interpreter::context_interface::cfg::{GasId, GasParams};
use revm_interpreter::primitives::U256;

use super::bad_code;
use super::machine::Frame;
use crate::blocks;
use crate::eth::{ByValue, Word};
use crate::failure::{Failure, Result, failure, forbidden, illegal_state};
use crate::runtime::{Answer, Store, load, outcome, try_send};

/// Longest code of a contract (EIP-170).
const MAX_CODE: usize = 24 << 10;
/// First byte that no code may have (EIP-3541).
const RESERVED_BYTE: u8 = 0xef;
/// keccak256 of nothing.
pub(super) const EMPTY_HASH: [u8; 32] = [
    0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0, 0xe5, 0x00, 0xb6,
    0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70,
];

/// One message of the chain: what is transient lives as long as it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub(super) struct Lifespan {
    origin: ActorID,
    nonce: u64,
}

impl Lifespan {
    fn now() -> Self {
        Self { origin: message::origin(), nonce: message::nonce() }
    }
}

/// Transient storage (EIP-1153).
#[derive(Debug, Clone, Copy, Serialize_tuple, Deserialize_tuple)]
pub(super) struct Transient {
    slots: Cid,
    lifespan: Lifespan,
}

/// A contract as the chain keeps it.
#[derive(Debug, Serialize_tuple, Deserialize_tuple)]
pub(super) struct State {
    /// The code, a raw block.
    pub bytecode: Cid,
    /// keccak256 of the code.
    #[serde(with = "strict_bytes")]
    pub bytecode_hash: [u8; 32],
    /// Storage: KAMT of words.
    pub slots: Cid,
    /// Transient storage, if there is any.
    pub transient: Option<Transient>,
    /// The number of the next contract that it makes, from 1.
    pub nonce: u64,
    /// The message in which it destroyed itself.
    pub tombstone: Option<Lifespan>,
}

impl State {
    /// That of this actor.
    pub fn load() -> Result<Self> {
        load()
    }

    /// True once the message in which it destroyed itself is over.
    pub fn is_dead(&self) -> bool {
        self.tombstone.is_some_and(|message| message != Lifespan::now())
    }
}

type Slots = Kamt<Store, Word, Word, ByValue>;

/// As in the official actor: Solidity's first slots near the root, long runs behind extensions.
fn layout() -> Config {
    Config { bit_width: 5, min_data_depth: 0, max_array_width: 1 }
}

impl From<fvm_ipld_kamt::Error> for Failure {
    fn from(_: fvm_ipld_kamt::Error) -> Self {
        illegal_state("broken storage")
    }
}

/// The contract that runs.
pub(super) struct Contract {
    code: Option<(Cid, [u8; 32])>,
    slots: Slots,
    transient: Slots,
    pub nonce: u64,
    tombstone: Option<Lifespan>,
    /// The state as it is stored; `None` if something has changed since.
    saved: Option<Cid>,
    /// Nothing may be written: a static call.
    pub readonly: bool,
    /// The call that runs.
    pub frame: Frame,
    /// Why the code was stopped, if not by itself.
    pub failure: Option<Failure>,
    /// The interpreter's prices: none.
    pub prices: GasParams,
}

impl Contract {
    fn new(readonly: bool) -> Self {
        Self {
            code: None,
            slots: Slots::new_with_config(Store, layout()),
            transient: Slots::new_with_config(Store, layout()),
            nonce: 1,
            tombstone: None,
            saved: None,
            readonly,
            frame: Frame::default(),
            failure: None,
            prices: no_prices(),
        }
    }

    /// A new one. Exit 20: there is one already.
    pub fn create() -> Result<Self> {
        let root = sself::root().map_err(|_| illegal_state("no state"))?;
        if root != EMPTY_ARR_CID {
            return Err(illegal_state("can't create over an existing actor"));
        }
        Ok(Self::new(vm::read_only()))
    }

    /// A new one in place of a dead one. Exit 18: that lives.
    pub fn resurrect() -> Result<Self> {
        if !State::load()?.is_dead() {
            return Err(forbidden("can only resurrect a dead contract"));
        }
        Ok(Self::new(vm::read_only()))
    }

    /// From its state. A dead one has no code and cannot be written.
    pub fn load() -> Result<Self> {
        let root = sself::root().map_err(|_| illegal_state("no state"))?;
        let state: State = blocks::get(&Store, &root)?;
        if state.is_dead() {
            return Ok(Self::new(true));
        }
        let mut contract = Self::new(vm::read_only());
        contract.take(root, state)?;
        Ok(contract)
    }

    fn take(&mut self, root: Cid, state: State) -> Result<()> {
        match state.transient {
            Some(transient) if transient.lifespan == Lifespan::now() => self.transient.set_root(&transient.slots)?,
            _ => self.transient.clear(),
        }
        self.slots.set_root(&state.slots)?;
        self.code = Some((state.bytecode, state.bytecode_hash));
        self.nonce = state.nonce;
        self.tombstone = state.tombstone;
        self.saved = Some(root);
        Ok(())
    }

    /// Writes what has changed. Exit 18: in a static call.
    pub fn flush(&mut self) -> Result<()> {
        if self.saved.is_some() {
            return Ok(());
        }
        if self.readonly {
            return Err(forbidden("contract invocation is read only"));
        }
        if self.code.is_none() {
            self.set_code(&[])?;
        }
        let (bytecode, bytecode_hash) = self.code.expect("it was set above");
        let transient = if self.transient.is_empty() {
            None
        } else {
            Some(Transient { slots: self.transient.flush()?, lifespan: Lifespan::now() })
        };
        let slots = self.slots.flush()?;
        let (nonce, tombstone) = (self.nonce, self.tombstone);
        let root = blocks::put(&Store, &State { bytecode, bytecode_hash, slots, transient, nonce, tombstone })?;
        sself::set_root(&root).map_err(|_| failure(ExitCode::USR_READ_ONLY, "state cannot be written"))?;
        self.saved = Some(root);
        Ok(())
    }

    fn reload(&mut self) -> Result<()> {
        if self.readonly {
            return Ok(());
        }
        let root = sself::root().map_err(|_| illegal_state("no state"))?;
        if self.saved == Some(root) {
            return Ok(());
        }
        self.take(root, blocks::get(&Store, &root)?)
    }

    // --- code --------------------------------------------------------------------------------------------------------

    /// The code's CID; none before there is any, and of a dead contract.
    pub fn code(&self) -> Option<Cid> {
        self.code.map(|(cid, _)| cid)
    }

    /// Sets the code. Exit 16: longer than 24,576 bytes, or beginning with `ef`.
    pub fn set_code(&mut self, code: &[u8]) -> Result<()> {
        self.saved = None;
        if code.len() > MAX_CODE {
            return Err(bad_code("the code is longer than 24,576 bytes"));
        }
        if code.first() == Some(&RESERVED_BYTE) {
            return Err(bad_code("code starting with the 0xEF byte is disallowed (EIP-3541)"));
        }
        let mut hash = [0; 32];
        fvm_sdk::crypto::hash_into(SupportedHashes::Keccak256, code, &mut hash);
        let cid = Store.put(Code::Blake2b256, &Block::new(IPLD_RAW, code));
        self.code = Some((cid.map_err(|_| illegal_state("cannot store the code"))?, hash));
        Ok(())
    }

    // --- storage -----------------------------------------------------------------------------------------------------

    /// A slot of storage.
    pub fn slot(&self, key: U256) -> Result<Word> {
        Ok(self.slots.get(&Word(key))?.copied().unwrap_or_default())
    }

    /// Writes a slot.
    pub fn set_slot(&mut self, key: U256, value: U256) -> Result<()> {
        if write(&mut self.slots, key, value)? {
            self.saved = None;
        }
        Ok(())
    }

    /// A slot of transient storage.
    pub fn transient_slot(&self, key: U256) -> Result<Word> {
        Ok(self.transient.get(&Word(key))?.copied().unwrap_or_default())
    }

    /// Writes a transient slot.
    pub fn set_transient_slot(&mut self, key: U256, value: U256) -> Result<()> {
        if write(&mut self.transient, key, value)? {
            self.saved = None;
        }
        Ok(())
    }

    /// One more contract has been made.
    pub fn count_creation(&mut self) {
        self.saved = None;
        self.nonce += 1;
    }

    /// It lives until the message ends.
    pub fn mark_destroyed(&mut self) {
        self.saved = None;
        self.tombstone = Some(Lifespan::now());
    }

    // --- other actors ------------------------------------------------------------------------------------------------

    /// Calls another actor. The outer error ends this call, the inner one is the VM's.
    pub fn send_raw(
        &mut self,
        to: &Address,
        method: MethodNum,
        params: Option<IpldBlock>,
        value: TokenAmount,
        gas: Option<u64>,
        flags: SendFlags,
    ) -> Result<std::result::Result<Response, ErrorNumber>> {
        self.flush()?;
        let response = fvm_sdk::send::send(to, method, params, value, gas, flags);
        if response.as_ref().is_ok_and(|response| response.exit_code.is_success()) {
            self.reload()?;
        }
        Ok(response)
    }

    /// The same, with everything but success as an error.
    pub fn send(
        &mut self,
        to: &Address,
        method: MethodNum,
        params: Option<IpldBlock>,
        value: TokenAmount,
        gas: Option<u64>,
        flags: SendFlags,
    ) -> Answer {
        match self.send_raw(to, method, params, value, gas, flags)? {
            Err(_) => Err(failure(ExitCode::USR_UNSPECIFIED, "send failed")),
            response => outcome(response),
        }
    }

    /// Pays; the payee cannot call back.
    pub fn pay(&self, to: &Address, value: TokenAmount) -> Result<()> {
        outcome(try_send(to, METHOD_SEND, None, value, SendFlags::default())).map(|_| ())
    }
}

fn no_prices() -> GasParams {
    let mut table = [0; 256];
    // What the square of memory's size is divided by.
    table[GasId::memory_quadratic_reduction().as_usize()] = u64::MAX;
    GasParams::new(table.into())
}

fn write(slots: &mut Slots, key: U256, value: U256) -> Result<bool> {
    Ok(if value.is_zero() {
        slots.delete(&Word(key))?.is_some()
    } else {
        slots.set(Word(key), Word(value))? != Some(Word(value))
    })
}

/// Gas for a call: what was asked for, at most 63 of 64 parts of what is left (EIP-150).
pub(super) fn gas_for_call(asked: U256) -> u64 {
    u64::try_from(asked).unwrap_or(u64::MAX).min(gas_for_creation())
}

/// 63 of 64 parts of what is left (EIP-150).
pub(super) fn gas_for_creation() -> u64 {
    let left = gas::available();
    left - left.div_ceil(64)
}
