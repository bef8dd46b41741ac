//! A machine whose actors are compiled when they are first called.
//!
//! `DefaultExecutor::new` compiles every actor of the machine's manifest, seconds of work for actors of which a command
//! calls two or three. Calling an actor compiles it anyway if nobody has (`Engine::instantiate`), so all the executor
//! needs is a manifest with nothing in it, until it has been made. Gas does not depend on when code is compiled.

use std::rc::Rc;
use std::sync::LazyLock;

use anyhow::Result;
use cid::Cid;
use fvm::engine::EnginePool;
use fvm::executor::DefaultExecutor;
use fvm::kernel::Result as KernelResult;
use fvm::machine::{DefaultMachine, Machine, MachineContext, Manifest};
use fvm::state_tree::StateTree;
use fvm_ipld_blockstore::{Block, Blockstore, MemoryBlockstore};
use fvm_shared::IPLD_RAW;
use multihash_codetable::Code;

use super::{Exec, Surroundings};
use crate::store::Store;

type Inner = DefaultMachine<Rc<Store>, Surroundings>;

/// The smallest Wasm module that can be metered: header, a type, and one function of it that does nothing.
const NOTHING: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";
/// Names without which there is no manifest.
const REQUIRED: [&str; 6] = ["account", "system", "init", "placeholder", "eam", "ethaccount"];

/// A manifest whose every actor is the module that does nothing.
static EMPTY: LazyLock<Manifest> = LazyLock::new(|| {
    let code = nothing().cid(Code::Blake2b256);
    Manifest::new(REQUIRED.map(|name| (name, code))).expect("it has all required names")
});

fn nothing() -> Block<&'static [u8]> {
    Block::new(IPLD_RAW, NOTHING)
}

/// Lets an engine know the module that [`executor`] shows it.
pub(super) fn prepare(engine: &EnginePool) -> Result<()> {
    let store = MemoryBlockstore::default();
    let code: Cid = store.put(Code::Blake2b256, &nothing())?;
    engine.acquire().preload(&code, &store)?;
    Ok(())
}

/// An executor that has compiled nothing yet.
pub(super) fn executor(engine: EnginePool, machine: Inner) -> Result<Exec> {
    let mut executor: Exec = DefaultExecutor::new(engine, Lazy { machine, shown: false })?;
    executor.shown = true;
    Ok(executor)
}

/// The machine; see the module.
pub(super) struct Lazy {
    machine: Inner,
    shown: bool,
}

impl Machine for Lazy {
    type Blockstore = <Inner as Machine>::Blockstore;
    type Externs = <Inner as Machine>::Externs;
    type Limiter = <Inner as Machine>::Limiter;

    fn blockstore(&self) -> &Self::Blockstore {
        self.machine.blockstore()
    }
    fn context(&self) -> &MachineContext {
        self.machine.context()
    }
    fn externs(&self) -> &Self::Externs {
        self.machine.externs()
    }
    fn builtin_actors(&self) -> &Manifest {
        if self.shown { self.machine.builtin_actors() } else { &EMPTY }
    }
    fn state_tree(&self) -> &StateTree<Self::Blockstore> {
        self.machine.state_tree()
    }
    fn state_tree_mut(&mut self) -> &mut StateTree<Self::Blockstore> {
        self.machine.state_tree_mut()
    }
    fn flush(&mut self) -> KernelResult<Cid> {
        self.machine.flush()
    }
    fn into_store(self) -> Self::Blockstore {
        self.machine.into_store()
    }
    fn machine_id(&self) -> &str {
        self.machine.machine_id()
    }
    fn new_limiter(&self) -> Self::Limiter {
        self.machine.new_limiter()
    }
}
