//! The UnixFS DAG of bytes in memory: 1 MiB chunks, 1,024 links, raw leaves. Gives the root.

use anyhow::{Context, Result};
use bauta_client::car::{CarWriter, Profile, add_file};
use rust_unixfs::file::adder::{BalancedCollector, Chunker, FileAdder};

const CHUNK: usize = 1 << 20;

/// Ours, on one thread, as it is used outside of packing.
pub fn ours(payload: &[u8]) -> Result<String> {
    let mut car = CarWriter::new(std::io::sink())?;
    Ok(add_file(payload, &Profile::V1_2025, &mut car)?.cid.to_string())
}

/// The leaves' hashes alone, many at a time: what the DAG costs inside of packing.
pub fn leaves(payload: &[u8]) {
    let leaves: Vec<_> = payload.chunks(CHUNK).collect();
    for group in leaves.chunks(32) {
        std::hint::black_box(bauta_commp::sha256_each(group));
    }
}

/// The maintained UnixFS crate.
pub fn rust_unixfs(payload: &[u8]) -> Result<String> {
    let collector = BalancedCollector::with_branching_factor(1024);
    let mut adder = FileAdder::builder().with_chunker(Chunker::Size(CHUNK)).with_collector(collector).build();
    let mut root = None;
    let mut rest = payload;
    while !rest.is_empty() {
        let (blocks, consumed) = adder.push(rest);
        for (cid, block) in blocks {
            std::hint::black_box(&block);
            root = Some(cid);
        }
        rest = &rest[consumed..];
    }
    for (cid, block) in adder.finish() {
        std::hint::black_box(&block);
        root = Some(cid);
    }
    Ok(root.context("there is a root")?.to_string())
}
