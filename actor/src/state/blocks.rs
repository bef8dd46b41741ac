//! Blocks of the state: DAG-CBOR under blake2b-256.

use cid::Cid;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_ipld_encoding::{DAG_CBOR, from_slice, to_vec};
use multihash_codetable::Code;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Reads a block.
pub fn get<T: DeserializeOwned>(store: &impl Blockstore, link: &Cid) -> Result<T> {
    let bytes = store.get(link).map_err(broken)?;
    let bytes = bytes.ok_or_else(|| Error::BrokenState(format!("no block {link}")))?;
    from_slice(&bytes).map_err(broken)
}

/// Writes a block.
pub fn put<T: Serialize>(store: &impl Blockstore, value: &T) -> Result<Cid> {
    let bytes = to_vec(value).map_err(broken)?;
    store.put(Code::Blake2b256, &Block::new(DAG_CBOR, bytes)).map_err(broken)
}

fn broken(e: impl std::fmt::Display) -> Error {
    Error::BrokenState(e.to_string())
}
