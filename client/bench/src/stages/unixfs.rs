//! The UnixFS DAG of bytes in memory: 1 MiB chunks, 1,024 links, raw leaves. Gives the root.

use anyhow::{Context, Result};
use bauta_client::car::{CarWriter, Profile, add_file};
use rust_unixfs::file::adder::{BalancedCollector, Chunker, FileAdder};

pub const CHUNK: usize = 1 << 20;

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

/// The maintained UnixFS crate, at once.
pub fn rust_unixfs(payload: &[u8]) -> Result<String> {
    let mut dag = RustUnixFs::new();
    dag.push(payload);
    dag.finish()
}

/// The maintained UnixFS crate, piece by piece. Pieces of whole chunks it does not copy.
pub struct RustUnixFs {
    adder: FileAdder,
    root: Option<String>,
}

impl RustUnixFs {
    pub fn new() -> Self {
        let collector = BalancedCollector::with_branching_factor(1024);
        let adder = FileAdder::builder().with_chunker(Chunker::Size(CHUNK)).with_collector(collector).build();
        RustUnixFs { adder, root: None }
    }

    pub fn push(&mut self, mut payload: &[u8]) {
        while !payload.is_empty() {
            let (blocks, consumed) = self.adder.push(payload);
            for (cid, block) in blocks {
                std::hint::black_box(&block);
                self.root = Some(cid.to_string());
            }
            payload = &payload[consumed..];
        }
    }

    pub fn finish(self) -> Result<String> {
        let mut root = self.root;
        for (cid, block) in self.adder.finish() {
            std::hint::black_box(&block);
            root = Some(cid.to_string());
        }
        root.context("there is a root")
    }
}
