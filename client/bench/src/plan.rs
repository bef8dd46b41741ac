//! Everything that is measured: whose it is, how large an input it can take, and on how many cores it can use.

/// Whose work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// Ours.
    Ours,
    /// A peer's.
    Peer,
    /// Nobody's: what a stage or an instruction allows at most.
    Limit,
}

/// One thing to measure.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// Part of the data path.
    pub section: &'static str,
    /// Name, also for the process that measures it.
    pub name: &'static str,
    /// Whose it is.
    pub whose: Whose,
    /// Largest input in MiB; slow ones are spared more. Zero where there is no input.
    pub most: u64,
    /// Whether it can use more than one core.
    pub parallel: bool,
}

const fn item(section: &'static str, name: &'static str, whose: Whose, most: u64, parallel: bool) -> Item {
    Item { section, name, whose, most, parallel }
}

use Whose::{Limit, Ours, Peer};

impl Item {
    /// The programs or packages that do it, below the folder of tools; none where it is in this process.
    pub fn programs(&self) -> impl Iterator<Item = &'static str> {
        let packages = self.name.contains("npm") || self.name.contains("ipfs-car");
        let rage = self.name.contains("rage");
        packages.then_some("npm/node_modules").into_iter().chain(rage.then_some("bin/rage"))
    }

    /// Whether it works on nothing but registers: then it is measured once, whatever the sizes.
    pub fn is_input_free(&self) -> bool {
        self.most == 0
    }
}

/// The plan, in the order of the data.
pub const PLAN: &[Item] = &[
    item("encrypt", "encrypt: cipher alone", Limit, 4096, true),
    item("encrypt", "encrypt: cipher alone, aws-lc", Limit, 256, false),
    item("encrypt", "encrypt: cipher alone, openssl", Limit, 256, false),
    item("encrypt", "encrypt: cipher alone, ring", Limit, 256, false),
    item("encrypt", "encrypt: cipher alone, rustcrypto", Limit, 256, false),
    item("encrypt", "encrypt: bauta", Ours, 256, false),
    item("encrypt", "encrypt: age crate", Peer, 256, false),
    item("encrypt", "encrypt: rage to a file", Peer, 256, true),
    item("unixfs", "unixfs: leaf hashes alone", Limit, 4096, true),
    item("unixfs", "unixfs: bauta", Ours, 256, false),
    item("unixfs", "unixfs: rust-unixfs", Peer, 256, false),
    item("unixfs", "unixfs: ipfs-unixfs-importer (npm)", Peer, 256, false),
    item("unixfs", "unixfs: ipfs-car (npm) to a file", Peer, 256, false),
    item("commp", "commp: parts alone", Limit, 4096, true),
    item("commp", "commp: instructions alone, avx512", Limit, 0, false),
    item("commp", "commp: instructions alone, sha-ni", Limit, 0, false),
    item("commp", "commp: bauta", Ours, 256, true),
    item("commp", "commp: bauta, avx512", Ours, 256, false),
    item("commp", "commp: bauta, sha-ni", Ours, 256, false),
    item("commp", "commp: bauta, sha-ni-vl", Ours, 256, false),
    item("commp", "commp: bauta, avx2", Ours, 256, false),
    item("commp", "commp: bauta, portable", Ours, 256, false),
    item("commp", "commp: hashtree", Peer, 256, false),
    item("commp", "commp: hashtree, avx512", Peer, 256, false),
    item("commp", "commp: filecoin-proofs-api", Peer, 256, true),
    item("commp", "commp: fr32 wasm (npm)", Peer, 16, false),
    item("commp", "commp: synapse-core (npm)", Peer, 16, false),
    item("commp", "commp: data-segment (npm)", Peer, 16, false),
    item("pipeline", "pack: bauta to nowhere", Ours, u64::MAX, true),
    item("pipeline", "pack: bauta to a file", Ours, u64::MAX, true),
    item("pipeline", "unpack: bauta to a file", Ours, u64::MAX, true),
    item("pipeline", "pack: best libraries, in memory", Peer, 256, false),
    item("chain", "pack: rage, ipfs-car, data-segment", Peer, 16, true),
    item("folder", "pack folder: bauta", Ours, u64::MAX, true),
    item("folder", "unpack folder: bauta", Ours, u64::MAX, true),
];
