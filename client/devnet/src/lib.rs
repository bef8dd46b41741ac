//! A local Filecoin in one process: the real FVM, signed messages, tipsets, receipts, events, an embedded database, and
//! JSON-RPC in the Lotus dialect.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use bauta_devnet::{Config, spawn};
//!
//! let devnet = spawn(Config { listen: Some(([127, 0, 0, 1], 0).into()), ..Config::default() }).await?;
//! println!("{} at {:?}", devnet.info().await?.network_name, devnet.rpc_url());
//! devnet.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! For tests without a server or a second thread there is [`chain::Chain::in_memory`] inside [`on_large_stack`].

pub mod archive;
pub mod bundle;
pub mod chain;
pub mod clock;
mod config;
mod deadlines;
pub mod duties;
pub mod estimate;
pub mod genesis;
pub mod invariants;
mod ledger;
mod links;
pub mod mempool;
pub mod provider;
pub mod records;
mod rpc;
mod sectors;
pub mod state;
pub mod store;
pub mod tipset;
pub mod vm;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bauta_client::node::{DevnetInfo, Node};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

pub use clock::on_large_stack;
pub use config::{Config, Inhabit};
pub use rpc::{RpcError, methods};

use chain::Chain;
use clock::{Clock, Handle};
use rpc::Service;

/// A running devnet; it stops when this is dropped.
pub struct Devnet {
    service: Service,
    clock: Option<Clock>,
    stop: Option<oneshot::Sender<()>>,
}

/// Starts a devnet on the current tokio runtime; returns when it answers.
pub async fn spawn(config: Config) -> Result<Devnet> {
    let Config { state, listen, token, block_time, mut genesis, actor, inhabit, check, keep } = config;
    let listener = match listen {
        Some(address) => Some(bind(address, token.is_some())?),
        None => None,
    };
    let serves = listener.is_some();
    let open = move |handle: &Handle| {
        if genesis.actor.is_none() {
            genesis.actor = actor.clone();
        }
        let mut chain = match state {
            Some(folder) => Chain::open(&folder, &genesis)?,
            None => Chain::in_memory(&genesis)?,
        };
        chain.set_keep(keep);
        if let Some(wasm) = actor
            && chain.network().installed.is_empty()
        {
            chain.install(&wasm).context("installing the actor")?;
        }
        if let Some(check) = check {
            chain.set_check(check);
        }
        if let Some(inhabit) = inhabit {
            let mut duties = inhabit(handle)?;
            for (address, amount) in chain.welcome(&mut *duties)? {
                chain.fund(&address, &amount)?;
            }
            chain.set_duties(duties);
        }
        // Whoever serves is going to need the actors; whoever answers one command only what that takes.
        if serves {
            chain.compile_beside(handle.waker())?;
        }
        Ok(chain)
    };
    let clock = tokio::task::spawn_blocking(move || Clock::start(open, block_time)).await??;
    let url = match &listener {
        Some(listener) => Some(format!("http://{}/rpc/v1", listener.local_addr()?)),
        None => None,
    };
    let service = Service { handle: clock.handle.clone(), url };
    let stop = listener.map(|listener| {
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(rpc::serve(listener, service.clone(), token, stopped));
        stop
    });
    Ok(Devnet { service, clock: Some(clock), stop })
}

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: u32 = 4096;

fn bind(address: SocketAddr, has_token: bool) -> Result<TcpListener> {
    ensure!(
        has_token || address.ip().is_loopback(),
        "{address} can be reached from other machines, and who reaches a devnet commands it: listen on 127.0.0.1, or set \
         a token (BAUTA_DEVNET_TOKEN) that requests must carry"
    );
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart finds its port free.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().with_context(|| format!("cannot listen on {address}"))
}

impl Devnet {
    /// The devnet as a node, in process.
    pub fn node(&self) -> Arc<dyn Node> {
        Arc::new(self.service.clone())
    }

    /// What it is and has: network, actor, providers, funded accounts with their keys. On demand, what must be done at its
    /// beginning is done when this returns.
    pub async fn info(&self) -> Result<DevnetInfo> {
        self.handle().run_and_settle(|_| ()).await?.1?;
        Ok(self.node().devnet_info().await?)
    }

    /// Where it serves JSON-RPC, if it does.
    pub fn rpc_url(&self) -> Option<&str> {
        self.service.url.as_deref()
    }

    /// Runs something on the chain's own thread.
    pub fn handle(&self) -> &Handle {
        &self.service.handle
    }

    /// Ends the server and the chain; returns when the state folder is free.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        if let Some(clock) = self.clock.take() {
            // Waits for the chain's thread, which may be in the middle of a tipset.
            let _ = tokio::task::spawn_blocking(move || drop(clock)).await;
        }
    }
}
