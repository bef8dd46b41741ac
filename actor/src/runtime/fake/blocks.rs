//! Blocks in memory that count what the chain would charge for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use cid::Cid;
use fvm_ipld_blockstore::Blockstore;

/// Gas of reading a block (network version 25 and later).
const OPEN: u64 = 187_440;
/// Gas of a byte read.
const OPEN_BYTE: u64 = 10;
/// Gas of writing a block: storing and flushing it.
const WRITE: u64 = 334_000 + 172_000;
/// Gas of a byte written.
const WRITE_BYTE: u64 = 3_340;

/// Blocks, shared by all clones: they are never removed.
#[derive(Debug, Clone, Default)]
pub struct Blocks {
    blocks: Rc<RefCell<HashMap<Cid, Rc<[u8]>>>>,
    gas: Rc<Cell<u64>>,
}

impl Blocks {
    /// What reading and writing has cost since the last call, without execution.
    pub fn take_gas(&self) -> u64 {
        self.gas.take()
    }

    /// A copy without one block.
    pub fn without(&self, link: &Cid) -> Self {
        let mut blocks = self.blocks.borrow().clone();
        blocks.remove(link);
        Self { blocks: Rc::new(RefCell::new(blocks)), ..Self::default() }
    }

    /// All blocks.
    pub fn all(&self) -> Vec<(Cid, Vec<u8>)> {
        self.blocks.borrow().iter().map(|(link, bytes)| (*link, bytes.to_vec())).collect()
    }
}

impl Blockstore for Blocks {
    fn get(&self, k: &Cid) -> anyhow::Result<Option<Vec<u8>>> {
        let found = self.blocks.borrow().get(k).map(|bytes| bytes.to_vec());
        let bytes = found.as_ref().map_or(0, Vec::len) as u64;
        self.gas.set(self.gas.get() + OPEN + OPEN_BYTE * bytes);
        Ok(found)
    }

    fn put_keyed(&self, k: &Cid, block: &[u8]) -> anyhow::Result<()> {
        self.blocks.borrow_mut().insert(*k, block.into());
        self.gas.set(self.gas.get() + WRITE + WRITE_BYTE * block.len() as u64);
        Ok(())
    }
}
