//! What the VM offers an actor, and the frame every message runs in.

use cid::Cid;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::{CBOR, to_vec};
use fvm_sdk::{actor, message, network, sself};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::{ErrorNumber, ExitCode};
use fvm_shared::event::{ActorEvent, Entry, Flags};
use fvm_shared::sys::SendFlags;
use fvm_shared::{ActorID, METHOD_SEND, MethodNum, Response};
use multihash_codetable::Code;
use num_traits::Zero;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blocks;
use crate::failure::{Failure, Result, failure, forbidden, illegal_argument, illegal_state, not_found};
use crate::method::FIRST_EXPORTED;

/// The system actor.
pub const SYSTEM: ActorID = 0;
/// The init actor.
pub const INIT: ActorID = 1;
/// The reward actor.
pub const REWARD: ActorID = 2;
/// The cron actor.
pub const CRON: ActorID = 3;
/// The power actor.
pub const POWER: ActorID = 4;
/// The market actor.
pub const MARKET: ActorID = 5;
/// The Ethereum address manager.
pub const EAM: ActorID = 10;
/// The account that money is burnt to.
pub const BURNT_FUNDS: ActorID = 99;

/// Type ids of built-in actors: their place in the manifest.
#[allow(missing_docs)]
pub mod kind {
    pub const INIT: i32 = 2;
    pub const ACCOUNT: i32 = 4;
    pub const POWER: i32 = 5;
    pub const MINER: i32 = 6;
    pub const PAYMENT_CHANNEL: i32 = 8;
    pub const MULTISIG: i32 = 9;
    pub const PLACEHOLDER: i32 = 13;
    pub const EVM: i32 = 14;
    pub const ETH_ACCOUNT: i32 = 16;
}

/// What a method returns: a block, or nothing.
pub type Answer = Result<Option<IpldBlock>>;

/// The params of a message.
pub struct Params(Option<IpldBlock>);

impl Params {
    /// Decodes them. Exit 16: there are none; 21: they do not decode.
    // Not inlined, as the handlers: the VM compiles functions in parallel, and a huge one slowly.
    #[inline(never)]
    pub fn get<T: DeserializeOwned>(&self) -> Result<T> {
        let block = self.0.as_ref().ok_or_else(|| illegal_argument("method expects arguments"))?;
        block.deserialize().map_err(|_| failure(ExitCode::USR_SERIALIZATION, "params do not decode"))
    }

    /// The same for actors that anybody may call. Exit 16: there are none.
    #[inline(never)]
    pub fn required<T: DeserializeOwned>(&self) -> Result<T> {
        if self.0.is_none() { Err(illegal_argument("method expects arguments")) } else { self.get() }
    }

    /// The same, in one encoding. Exit 21: in another.
    pub fn coded<T: DeserializeOwned>(&self, codec: u64) -> Result<T> {
        match &self.0 {
            Some(block) if block.codec != codec => Err(failure(ExitCode::USR_SERIALIZATION, "unexpected codec")),
            _ => self.required(),
        }
    }

    /// As they came.
    pub fn block(&self) -> Option<&IpldBlock> {
        self.0.as_ref()
    }

    /// Exit 16: there are none.
    pub fn some(&self) -> Result<()> {
        if self.0.is_some() { Ok(()) } else { Err(illegal_argument("method expects arguments")) }
    }

    /// Exit 16: there are some.
    pub fn none(&self) -> Result<()> {
        if self.0.is_some() { Err(illegal_argument("method expects no arguments")) } else { Ok(()) }
    }
}

/// Runs one message. Internal methods are for built-in callers only.
pub fn run(params_id: u32, handle: fn(MethodNum, &Params) -> Answer) -> u32 {
    run_open(params_id, |method, params| {
        if method < FIRST_EXPORTED {
            match kind_of(message::caller()) {
                None | Some(kind::EVM) => return Err(forbidden("internal method: caller must be built-in")),
                Some(_) => {}
            }
        }
        handle(method, params)
    })
}

/// Runs one message of an actor whose methods are for everybody.
pub fn run_open(params_id: u32, handle: impl FnOnce(MethodNum, &Params) -> Answer) -> u32 {
    fvm_sdk::initialize();
    let method = message::method_number();
    let answer = (|| {
        let params = message::params_raw(params_id).map_err(|_| illegal_argument("unreadable params"))?;
        handle(method, &Params(params))
    })();
    match answer {
        Ok(None) => fvm_sdk::NO_DATA_BLOCK_ID,
        Ok(Some(block)) => fvm_sdk::ipld::put_block(block.codec, &block.data).unwrap_or_else(|_| {
            fvm_sdk::vm::exit(ExitCode::USR_ILLEGAL_STATE.value(), None, Some("return value too large"))
        }),
        Err(Failure { code, why, data }) => fvm_sdk::vm::exit(code.value(), data, Some(&why)),
    }
}

/// Exit 22: the actor has no such method.
pub fn unhandled() -> Answer {
    Err(failure(ExitCode::USR_UNHANDLED_MESSAGE, "invalid method"))
}

/// A return value.
pub fn reply(value: &impl Serialize) -> Answer {
    Ok(Some(IpldBlock { codec: CBOR, data: to_vec(value)? }))
}

/// No return value.
pub fn done() -> Answer {
    Ok(None)
}

// --- caller ----------------------------------------------------------------------------------------------------------

/// Exit 18: the caller is none of these.
pub fn caller_is(allowed: &[ActorID]) -> Result<()> {
    if allowed.contains(&message::caller()) { Ok(()) } else { Err(forbidden("caller is not allowed")) }
}

/// Exit 18: the caller is not a miner actor. Returns its id.
pub fn caller_is_miner() -> Result<ActorID> {
    let caller = message::caller();
    if kind_of(caller) == Some(kind::MINER) { Ok(caller) } else { Err(forbidden("caller is not a miner")) }
}

/// Type of a built-in actor.
pub fn kind_of(id: ActorID) -> Option<i32> {
    actor::get_actor_code_cid(&Address::new_id(id)).and_then(|code| actor::get_builtin_actor_type(&code))
}

/// Whether there is an actor with an id.
pub fn exists(id: ActorID) -> bool {
    actor::get_actor_code_cid(&Address::new_id(id)).is_some()
}

/// The id behind an address.
pub fn resolve(address: &Address) -> Option<ActorID> {
    actor::resolve_address(address)
}

/// The id behind an address, after making an account for it if there is none.
///
/// Exit 16: no account can be made of it; 17: an id without an actor, where one is wanted.
pub fn resolve_or_create(address: &Address, must_exist: bool) -> Result<ActorID> {
    if resolve(address).is_none() {
        outcome(try_send(address, METHOD_SEND, None, TokenAmount::zero(), SendFlags::default()))?;
    }
    let id = resolve(address).ok_or_else(|| illegal_argument("address cannot be resolved"))?;
    if must_exist && !exists(id) {
        return Err(not_found("no actor has this address"));
    }
    Ok(id)
}

/// blake2b-256, by the VM.
pub fn blake2b(data: &[u8]) -> [u8; 32] {
    fvm_sdk::crypto::hash_blake2b(data)
}

/// Current epoch.
pub fn now() -> i64 {
    network::curr_epoch()
}

// --- state -----------------------------------------------------------------------------------------------------------

/// The VM's blocks.
#[derive(Debug, Clone, Copy)]
pub struct Store;

impl Blockstore for Store {
    fn get(&self, cid: &Cid) -> anyhow::Result<Option<Vec<u8>>> {
        // The VM aborts the message by itself where a block is unreachable.
        Ok(fvm_sdk::ipld::get(cid).ok())
    }

    fn put_keyed(&self, cid: &Cid, data: &[u8]) -> anyhow::Result<()> {
        let hash = cid.hash();
        match fvm_sdk::ipld::put(hash.code(), hash.size().into(), cid.codec(), data) {
            Ok(stored) if stored == *cid => Ok(()),
            _ => unstorable(),
        }
    }

    // The VM hashes: no hash function has to be compiled in.
    fn put<D: AsRef<[u8]>>(&self, code: Code, block: &Block<D>) -> anyhow::Result<Cid> {
        Ok(fvm_sdk::ipld::put(code.into(), 32, block.codec, block.data.as_ref()).unwrap_or_else(|_| unstorable()))
    }
}

/// Exit 20, at once and not by an error on the way up: making an `anyhow::Error` links in how it prints backtraces, half
/// of a small module that the VM compiles.
fn unstorable() -> ! {
    fvm_sdk::vm::exit(ExitCode::USR_ILLEGAL_STATE.value(), None, Some("cannot store a block"))
}

/// The actor's state.
pub fn load<S: DeserializeOwned>() -> Result<S> {
    let root = sself::root().map_err(|_| illegal_state("no state"))?;
    blocks::get(&Store, &root)
}

/// Replaces the actor's state.
pub fn save(state: &impl Serialize) -> Result<()> {
    let root = blocks::put(&Store, state)?;
    sself::set_root(&root).map_err(|_| failure(ExitCode::USR_READ_ONLY, "state cannot be written"))
}

/// The actor's balance, with what this message brought.
pub fn balance() -> TokenAmount {
    sself::current_balance()
}

// --- other actors ----------------------------------------------------------------------------------------------------

/// Calls another actor. The outer result is the VM's: the call could not be made at all.
pub fn try_send(
    to: &Address,
    method: MethodNum,
    params: Option<IpldBlock>,
    value: TokenAmount,
    flags: SendFlags,
) -> std::result::Result<Response, ErrorNumber> {
    fvm_sdk::send::send(to, method, params, value, None, flags)
}

/// Params for another actor.
pub fn block(params: &impl Serialize) -> Result<Option<IpldBlock>> {
    Ok(Some(IpldBlock { codec: CBOR, data: to_vec(params)? }))
}

/// What a call came back with: its exit code as a caller may pass it on, and what was returned, also by one that failed.
pub fn received(response: std::result::Result<Response, ErrorNumber>) -> (ExitCode, Option<IpldBlock>) {
    match response {
        Ok(Response { exit_code, return_data }) => {
            let code = match exit_code {
                code if code.is_success() => code,
                ExitCode::SYS_MISSING_RETURN | ExitCode::SYS_ILLEGAL_INSTRUCTION | ExitCode::SYS_ILLEGAL_EXIT_CODE => {
                    ExitCode::USR_UNSPECIFIED
                }
                code if code.is_system_error() => ExitCode::USR_ASSERTION_FAILED,
                code => code,
            };
            (code, return_data)
        }
        // The call could not be made: no receiver, no money, no right to change anything, calls too deep.
        Err(ErrorNumber::NotFound) => (ExitCode::USR_UNSPECIFIED, None),
        Err(ErrorNumber::InsufficientFunds) => (ExitCode::USR_INSUFFICIENT_FUNDS, None),
        Err(ErrorNumber::ReadOnly) => (ExitCode::USR_READ_ONLY, None),
        Err(_) => (ExitCode::USR_ASSERTION_FAILED, None),
    }
}

/// What a call came back with, or how it failed: with the callee's exit code.
pub fn outcome(response: std::result::Result<Response, ErrorNumber>) -> Answer {
    match received(response) {
        (code, data) if code.is_success() => Ok(data),
        (code, data) => Err(failure(code, "a called actor failed").with(data)),
    }
}

/// Calls an actor and passes its failure on.
pub fn send(to: ActorID, method: MethodNum, params: Option<IpldBlock>, value: TokenAmount) -> Answer {
    outcome(try_send(&Address::new_id(to), method, params, value, SendFlags::default()))
}

/// Calls an actor for its answer.
pub fn ask<T: DeserializeOwned>(to: ActorID, method: MethodNum, params: Option<IpldBlock>) -> Result<T> {
    decode(send(to, method, params, TokenAmount::zero())?)
}

/// Decodes what another actor returned.
pub fn decode<T: DeserializeOwned>(data: Option<IpldBlock>) -> Result<T> {
    let unreadable = || failure(ExitCode::USR_SERIALIZATION, "unreadable return value");
    data.ok_or_else(unreadable)?.deserialize().map_err(|_| unreadable())
}

/// Pays an actor.
pub fn pay(to: ActorID, amount: TokenAmount) -> Result<()> {
    send(to, METHOD_SEND, None, amount).map(|_| ())
}

/// Takes money out of the world.
pub fn burn(amount: TokenAmount) -> Result<()> {
    if amount.is_positive() { pay(BURNT_FUNDS, amount) } else { Ok(()) }
}

// --- events ----------------------------------------------------------------------------------------------------------

/// Emits an event. Exit 24: the VM refuses it, too large as it is.
pub fn emit(event: &ActorEvent) -> Result<()> {
    fvm_sdk::event::emit_event(event).map_err(|_| failure(ExitCode::USR_ASSERTION_FAILED, "failed to emit event"))
}

/// An event under construction.
pub struct Event(Vec<Entry>);

impl Event {
    /// An event of a type.
    pub fn of(kind: &str) -> Result<Self> {
        Self(vec![]).entry("$type", &kind, Flags::FLAG_INDEXED_ALL)
    }

    /// Adds a field that is searchable by key and value.
    pub fn indexed(self, key: &str, value: &impl Serialize) -> Result<Self> {
        self.entry(key, value, Flags::FLAG_INDEXED_ALL)
    }

    /// Adds a field that is searchable by key.
    pub fn field(self, key: &str, value: &impl Serialize) -> Result<Self> {
        self.entry(key, value, Flags::FLAG_INDEXED_KEY)
    }

    fn entry(mut self, key: &str, value: &impl Serialize, flags: Flags) -> Result<Self> {
        self.0.push(Entry { flags, key: key.into(), codec: CBOR, value: to_vec(value)? });
        Ok(self)
    }

    /// Emits it.
    pub fn emit(self) -> Result<()> {
        emit(&ActorEvent::from(self.0))
    }
}
