//! Where the built-in actors come from: our own, carried inside, or an official bundle.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cid::Cid;
use fvm_ipld_blockstore::{Block, Blockstore, MemoryBlockstore};
use fvm_ipld_encoding::CborStore;
use fvm_shared::IPLD_RAW;
use multihash_codetable::Code;

macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!(env!("BAUTA_WASM"), "/system/", $name, ".wasm")) as &[u8])),*]
    };
}

/// Our own built-in actors in the order of their type ids, from 1.
static MODULES: [(&str, &[u8]); 16] = modules![
    "system",
    "init",
    "cron",
    "account",
    "storagepower",
    "storageminer",
    "storagemarket",
    "paymentchannel",
    "multisig",
    "reward",
    "verifiedregistry",
    "datacap",
    "placeholder",
    "evm",
    "eam",
    "ethaccount",
];

/// The Bauta actor's Wasm.
pub static BAUTA_ACTOR: &[u8] = include_bytes!(concat!(env!("BAUTA_WASM"), "/bauta_actor.wasm"));

/// A set of built-in actors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Bundle {
    /// Our own.
    #[default]
    Own,
    /// An official one: a CAR file whose root is `[1, manifest]`.
    Car(PathBuf),
}

impl Bundle {
    /// The bundle that the tests are to run on: `BAUTA_BUNDLE` names a CAR file, otherwise our own.
    pub fn from_environment() -> Self {
        std::env::var_os("BAUTA_BUNDLE")
            .filter(|path| !path.is_empty())
            .map_or(Self::Own, |path| Self::Car(path.into()))
    }

    /// Puts the actors' code and the manifest into the store; gives the CID of the manifest's data.
    pub fn load(&self, store: &impl Blockstore) -> Result<Cid> {
        match self {
            Self::Own => own(store),
            Self::Car(path) => {
                car(store, path).with_context(|| format!("{} is not a bundle of built-in actors", path.display()))
            }
        }
    }

    /// Checks that a network was made with this bundle. A network made with our own actors keeps those it was made with,
    /// even if there are newer ones.
    pub(crate) fn check_is(&self, manifest: Cid) -> Result<()> {
        if matches!(self, Self::Car(_)) {
            let wanted = self.load(&MemoryBlockstore::default())?;
            ensure!(
                wanted == manifest,
                "the network in this state folder was made with another bundle of built-in actors"
            );
        }
        Ok(())
    }
}

fn own(store: &impl Blockstore) -> Result<Cid> {
    let mut data: Vec<(&str, Cid)> = Vec::with_capacity(MODULES.len());
    for (name, wasm) in MODULES {
        data.push((name, store.put(Code::Blake2b256, &Block::new(IPLD_RAW, wasm))?));
    }
    store.put_cbor(&data, Code::Blake2b256)
}

fn car(store: &impl Blockstore, path: &Path) -> Result<Cid> {
    let file = std::fs::File::open(path)?;
    let roots = fvm_ipld_car::load_car(store, BufReader::new(file))?;
    ensure!(roots.len() == 1, "it has {} roots instead of one", roots.len());
    let (version, manifest): (u32, Cid) = store.get_cbor(&roots[0])?.context("its root is missing")?;
    ensure!(version == 1, "its manifest has version {version}; only 1 is known");
    Ok(manifest)
}
