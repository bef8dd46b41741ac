//! The FVM as a [`Runtime`], and the entry point.

use bauta_abi::Event;
use cid::Cid;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_ipld_encoding::CBOR;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_sdk as sdk;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sys::SendFlags;
use multihash_codetable::Code;

use super::{Answer, Runtime};
use crate::dispatch::dispatch;
use crate::error::{Error, Result};

/// Runs the message that the FVM has called us for; returns the block of the answer, or leaves with the error's exit code.
pub fn invoke(params: u32) -> u32 {
    sdk::vm::set_panic_handler();
    let params = sdk::message::params_raw(params).unwrap_or_default();
    match dispatch(&mut Fvm { store: ChainStore }, sdk::message::method_number(), params) {
        Ok(Some(reply)) => match sdk::ipld::put_block(CBOR, &reply) {
            Ok(block) => block,
            Err(e) => abort(&Error::BrokenState(e.to_string())),
        },
        Ok(None) => sdk::NO_DATA_BLOCK_ID,
        Err(e) => abort(&e),
    }
}

fn abort(e: &Error) -> ! {
    sdk::vm::abort(e.exit().code().value(), Some(&e.to_string()))
}

struct Fvm {
    store: ChainStore,
}

impl Runtime for Fvm {
    type Store = ChainStore;

    fn caller(&self) -> ActorID {
        sdk::message::caller()
    }

    fn value_received(&self) -> TokenAmount {
        sdk::message::value_received()
    }

    fn epoch(&self) -> ChainEpoch {
        sdk::network::curr_epoch()
    }

    fn resolve(&self, address: &Address) -> Option<ActorID> {
        sdk::actor::resolve_address(address)
    }

    fn exists(&self, id: ActorID) -> bool {
        sdk::actor::get_actor_code_cid(&Address::new_id(id)).is_some()
    }

    fn builtin_type(&self, id: ActorID) -> Option<i32> {
        let code = sdk::actor::get_actor_code_cid(&Address::new_id(id))?;
        sdk::actor::get_builtin_actor_type(&code)
    }

    fn store(&self) -> &ChainStore {
        &self.store
    }

    fn root(&self) -> Result<Cid> {
        sdk::sself::root().map_err(|_| Error::BrokenState("no root".into()))
    }

    fn set_root(&mut self, root: &Cid) -> Result<()> {
        sdk::sself::set_root(root).map_err(|e| Error::BrokenState(e.to_string()))
    }

    fn ask(&self, to: ActorID, method: u64, params: Option<IpldBlock>) -> Option<Answer> {
        deliver(to, method, params, TokenAmount::default(), SendFlags::READ_ONLY)
    }

    fn send(&mut self, to: ActorID, method: u64, value: &TokenAmount) -> Option<Answer> {
        deliver(to, method, None, value.clone(), SendFlags::empty())
    }

    fn emit(&mut self, event: &Event) -> Result<()> {
        sdk::event::emit_event(&event.to_actor_event()).map_err(|e| Error::BrokenState(e.to_string()))
    }
}

fn deliver(
    to: ActorID,
    method: u64,
    params: Option<IpldBlock>,
    value: TokenAmount,
    flags: SendFlags,
) -> Option<Answer> {
    let response = sdk::send::send(&Address::new_id(to), method, params, value, None, flags).ok()?;
    Some(Answer { exit: response.exit_code, data: response.return_data })
}

/// The chain's own blocks. The FVM hashes what is put: doing it here would cost more gas.
#[derive(Debug)]
struct ChainStore;

impl Blockstore for ChainStore {
    fn get(&self, k: &Cid) -> anyhow::Result<Option<Vec<u8>>> {
        sdk::ipld::get(k).map(Some).map_err(|e| anyhow::anyhow!("{e}"))
    }

    fn put_keyed(&self, k: &Cid, block: &[u8]) -> anyhow::Result<()> {
        let hash = k.hash();
        let put = sdk::ipld::put(hash.code(), u32::from(hash.size()), k.codec(), block);
        let put = put.map_err(|e| anyhow::anyhow!("{e}"))?;
        anyhow::ensure!(put == *k, "the block has another CID");
        Ok(())
    }

    fn put<D: AsRef<[u8]>>(&self, hash: Code, block: &Block<D>) -> anyhow::Result<Cid> {
        const DIGEST: u32 = 32;
        sdk::ipld::put(hash.into(), DIGEST, block.codec, block.as_ref()).map_err(|e| anyhow::anyhow!("{e}"))
    }
}
