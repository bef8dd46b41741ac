//! Typed access to blocks: plain CBOR blocks and arrays.

use cid::Cid;
use fvm_ipld_amt::Amt;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_ipld_encoding::{DAG_CBOR, from_slice, to_vec};
use multihash_codetable::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::{Result, illegal_state};

/// Bit width of every array here; that of the official sectors array.
pub const WIDTH: u32 = 5;

/// Stores a value as a CBOR block.
pub fn put(store: &impl Blockstore, value: &impl Serialize) -> Result<Cid> {
    let data = to_vec(value)?;
    store.put(Code::Blake2b256, &Block::new(DAG_CBOR, data)).map_err(|_| illegal_state("cannot store a block"))
}

/// Loads a value from a CBOR block.
pub fn get<T: DeserializeOwned>(store: &impl Blockstore, cid: &Cid) -> Result<T> {
    let data = store.get(cid).ok().flatten().ok_or_else(|| illegal_state("missing block"))?;
    from_slice(&data).map_err(|_| illegal_state("broken block"))
}

/// An array of `T`, sparse, kept behind one CID.
pub type Array<'s, T, S> = Amt<T, &'s S>;

/// Opens the array at `root`.
pub fn array<'s, T: Serialize + DeserializeOwned, S: Blockstore>(store: &'s S, root: &Cid) -> Result<Array<'s, T, S>> {
    Ok(Amt::load(root, store)?)
}

/// An array without elements.
pub fn empty_array(store: &impl Blockstore) -> Result<Cid> {
    Ok(Amt::<u64, _>::new_with_bit_width(store, WIDTH).flush()?)
}

/// One element of the array at `root`.
pub fn element<T: Serialize + DeserializeOwned + Clone>(
    store: &impl Blockstore,
    root: &Cid,
    index: u64,
) -> Result<Option<T>> {
    Ok(array::<T, _>(store, root)?.get(index)?.cloned())
}
