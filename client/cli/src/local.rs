//! The local chain in this process: the same one that `bauta devnet` serves, from its state folder.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bauta_client::home::{FileError, Lock};
use bauta_client::node::Node;
use bauta_devnet::{Config, Devnet, spawn};
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_shared::econ::TokenAmount;

use crate::exit::Failure;

/// How long another process may hold the chain; commands are short.
const PATIENCE: Duration = Duration::from_secs(60);

/// Providers of a new chain.
const PROVIDERS: u64 = 2;

/// A chain that runs in this process, and the lock that keeps others away from its folder.
pub struct Local {
    devnet: Devnet,
    _lock: Lock,
}

impl Local {
    /// Opens the chain of a folder, or begins one there; nothing is served but to this process.
    pub async fn open(state: &Path) -> anyhow::Result<Self> {
        Self::spawn(state, Config::default(), None, PATIENCE).await
    }

    /// Runs the chain of a folder as the configuration says, with so many providers, or those that it had and at least two.
    /// `patience` is how long another process may hold the folder.
    pub async fn spawn(
        state: &Path,
        config: Config,
        providers: Option<u64>,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let lock = wait_for_lock(state, patience).await?;
        let count = providers.unwrap_or_else(|| known_providers(state).max(PROVIDERS));
        let config = Config { state: Some(state.into()), check: Some(check), ..config }.with_providers(count);
        let devnet = spawn(config).await?;
        let local = Self { devnet, _lock: lock };
        local.wait_for_providers(count).await?;
        Ok(local)
    }

    /// Waits until the providers' miners are on the chain and say where they serve.
    async fn wait_for_providers(&self, count: u64) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            // Not `Devnet::info`, which would keep the chain from answering others meanwhile.
            let info = self.devnet.node().devnet_info().await?;
            let ready = info.providers.iter().filter(|provider| provider.url.is_some()).count() as u64;
            if ready >= count {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                anyhow::bail!("{ready} of {count} providers of the devnet came up");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The chain as a node.
    pub fn node(&self) -> Arc<dyn Node> {
        self.devnet.node()
    }

    /// Ends the chain; its folder is whole and free afterwards.
    pub async fn close(self) -> anyhow::Result<()> {
        self.devnet.shutdown().await;
        Ok(())
    }
}

/// How many providers a state folder has.
fn known_providers(state: &Path) -> u64 {
    (0..).take_while(|index| state.join(format!("providers/provider-{index}")).is_dir()).count() as u64
}

/// The actor's own invariants, for the devnet's check of everything.
fn check(get: &dyn Fn(&Cid) -> Option<Vec<u8>>, root: &Cid, balance: &TokenAmount) -> Vec<String> {
    bauta_actor::state::check_state_invariants(&Blocks(get), root, balance)
}

struct Blocks<'a>(&'a dyn Fn(&Cid) -> Option<Vec<u8>>);

impl Blockstore for Blocks<'_> {
    fn get(&self, cid: &Cid) -> anyhow::Result<Option<Vec<u8>>> {
        Ok((self.0)(cid))
    }

    fn put_keyed(&self, _: &Cid, _: &[u8]) -> anyhow::Result<()> {
        anyhow::bail!("a check writes nothing")
    }
}

/// The lock of a folder whose chain does not run.
pub fn lock(state: &Path) -> anyhow::Result<Lock> {
    match Lock::take(&state.with_extension("lock")) {
        Err(FileError::Busy(_)) => Err(busy(state)),
        other => Ok(other?),
    }
}

/// Somebody else runs the chain of a folder.
pub fn busy(state: &Path) -> anyhow::Error {
    Failure::because(
        crate::exit::Exit::Network,
        format!("another process runs the chain in {}: reach it with --rpc-url", state.display()),
    )
}

async fn wait_for_lock(state: &Path, patience: Duration) -> anyhow::Result<Lock> {
    let path = state.with_extension("lock");
    let begun = Instant::now();
    loop {
        match Lock::take(&path) {
            Ok(lock) => return Ok(lock),
            Err(FileError::Busy(_)) if begun.elapsed() < patience => {
                tokio::time::sleep(Duration::from_millis(100)).await
            }
            Err(FileError::Busy(_)) => return Err(busy(state)),
            Err(other) => return Err(other.into()),
        }
    }
}
