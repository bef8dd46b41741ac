//! How providers come to a devnet.

use std::net::TcpListener;

use anyhow::Context;
use tempfile::TempDir;

use super::Providers;
use super::funds::founders;
use super::shop::any_door;
use crate::config::Config;
use crate::store::Store;

impl Config {
    /// Adds `count` storage providers: their folders beside the chain's, their accounts and miner actors in the genesis. Their
    /// servers run on the current tokio runtime.
    ///
    /// Panics: outside a tokio runtime.
    pub fn with_providers(mut self, count: u64) -> Self {
        let runtime = tokio::runtime::Handle::current();
        let state = self.state.clone();
        // A new chain is told at its beginning where they listen.
        let is_new = state.as_deref().is_none_or(|folder| !Store::is_in(folder));
        let doors: Vec<TcpListener> = if is_new { (0..count).map_while(|_| any_door().ok()).collect() } else { vec![] };
        self.genesis.founders = founders(doors.iter().filter_map(|door| door.local_addr().ok()));
        self.inhabit = Some(Box::new(move |chain| {
            let temporary = if state.is_none() { Some(tempfile::tempdir()?) } else { None };
            let place = state.as_deref().or(temporary.as_ref().map(TempDir::path));
            let folder = place.context("a state folder or a temporary one")?.join("providers");
            let mut providers = Providers::open(&folder, count, doors, chain, &runtime)?;
            providers._temporary = temporary;
            Ok(Box::new(providers))
        }));
        self
    }
}
