//! JSON-RPC in the Lotus dialect: one table of methods, served over HTTP, WebSocket, and in process alike.

mod actors;
mod args;
mod bounds;
mod chain;
mod chance;
mod devnet;
mod error;
mod eth;
mod events;
mod fields;
mod gas;
mod http;
mod market;
mod miner;
mod mpool;
mod network;
mod replay;
mod search;
mod sectors;
mod socket;
mod subscription;
mod trace;
mod tree;
mod verified;
mod wallet;

use async_trait::async_trait;
use bauta_client::node::{Node, NodeError};
use serde_json::Value;

use crate::chain::Chain;
use crate::clock::Handle;

pub(crate) use args::Args;
pub use error::RpcError;
pub(crate) use eth::{Filters, hash_of};
pub(crate) use http::serve;

pub(crate) type Answer = Result<Value, RpcError>;

/// How a method is carried out.
enum Run {
    /// Only looks.
    Read(fn(&mut Chain, &Args) -> Answer),
    /// May need tipsets; on demand they are made before the answer.
    Settle(fn(&mut Chain, &Args) -> Answer),
    /// Waits for a message.
    Wait,
}

/// One row of the table.
struct Method {
    name: &'static str,
    /// Another name of the same.
    alias: Option<&'static str>,
    /// How many params it takes at least; those that are not given are null.
    least: usize,
    params: usize,
    run: Run,
}

impl Method {
    const fn read(name: &'static str, params: usize, run: fn(&mut Chain, &Args) -> Answer) -> Self {
        Self { name, alias: None, least: params, params, run: Run::Read(run) }
    }

    const fn settle(name: &'static str, params: usize, run: fn(&mut Chain, &Args) -> Answer) -> Self {
        Self { name, alias: None, least: params, params, run: Run::Settle(run) }
    }

    /// Serves it under another name, too.
    const fn also(self, alias: &'static str) -> Self {
        Self { alias: Some(alias), ..self }
    }

    /// Lets the last params be left out.
    const fn least(self, least: usize) -> Self {
        Self { least, ..self }
    }
}

/// All methods, room by room.
const TABLES: &[&[Method]] = &[
    network::METHODS,
    eth::METHODS,
    chain::METHODS,
    events::METHODS,
    wallet::METHODS,
    mpool::METHODS,
    gas::METHODS,
    search::METHODS,
    replay::METHODS,
    actors::METHODS,
    tree::METHODS,
    chance::METHODS,
    miner::METHODS,
    sectors::METHODS,
    market::METHODS,
    verified::METHODS,
    devnet::METHODS,
];

/// Names of all methods that answer once, with the number of their params.
pub fn methods() -> impl Iterator<Item = (&'static str, usize)> {
    let names =
        |method: &'static Method| std::iter::once(method.name).chain(method.alias).map(|name| (name, method.params));
    TABLES.iter().copied().flatten().flat_map(names)
}

/// What answers: the chain's thread, and what is known about how it is reached.
#[derive(Clone)]
pub(crate) struct Service {
    pub handle: Handle,
    /// Where JSON-RPC is served; absent in process.
    pub url: Option<String>,
}

impl Service {
    /// Answers one call.
    pub async fn call(&self, name: &str, params: Value) -> Answer {
        let is_it = |method: &&Method| method.name == name || method.alias == Some(name);
        let Some(method) = TABLES.iter().copied().flatten().find(is_it) else {
            return self.call_unknown(name, params).await;
        };
        let called = method.alias.filter(|alias| *alias == name).unwrap_or(method.name);
        let args = Args::new(called, method.least, method.params, params, self)?;
        match method.run {
            Run::Read(run) => self.handle.run(move |chain| run(chain, &args)).await?,
            Run::Settle(run) => {
                let (answer, settled) = self.handle.run_and_settle(move |chain| run(chain, &args)).await?;
                settled.map_err(|e| RpcError::application(format!("{e:#}")))?;
                answer
            }
            Run::Wait => search::wait(&self.handle, &args).await,
        }
    }

    /// Methods that only those with duties know.
    async fn call_unknown(&self, name: &str, params: Value) -> Answer {
        if subscription::is_known(name) {
            return Err(RpcError::no_channel(name));
        }
        if !name.starts_with("Devnet.") {
            return Err(RpcError::unknown_method(name));
        }
        let name = name.to_owned();
        let values = args::positional(params)?;
        let (answer, settled) = self.handle.run_and_settle(move |chain| chain.command(&name, &values)).await?;
        settled.map_err(|e| RpcError::application(format!("{e:#}")))?;
        answer
    }
}

#[async_trait]
impl Node for Service {
    async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        self.call(method, params).await.map_err(|e| NodeError::Refused { code: e.code, message: e.message })
    }
}
