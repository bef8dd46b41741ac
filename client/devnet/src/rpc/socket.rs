//! JSON-RPC over WebSocket with go-jsonrpc's channels: a method that answers more than once answers with a channel's
//! number, its values follow as calls of `xrpc.ch.val`, `xrpc.cancel` ends it and `xrpc.ch.close` says that it is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::ws::{Message, WebSocket};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::http::{self, failed};
use super::subscription::{Channel, Subscription, is_known};
use super::{RpcError, Service, eth};

/// Calls of one connection at a time; the next one waits.
const MAX_CALLS: usize = 64;
/// Subscriptions of one connection.
const MAX_CHANNELS: usize = 64;
/// Texts that wait to be read by the other side.
const QUEUE: usize = 256;

/// Connections since the start.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// Serves one connection until it ends.
pub(super) async fn speak(socket: WebSocket, service: Service, old: bool) {
    let (mut sink, mut frames) = socket.split();
    let (out, mut queue) = mpsc::channel::<String>(QUEUE);
    // Dropped with everything that runs for the connection.
    let mut running = JoinSet::new();
    running.spawn(async move {
        while let Some(text) = queue.recv().await {
            if sink.send(Message::Text(text.into())).await.is_err() {
                break;
            }
        }
    });
    let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let (channels, subscriptions) = (HashMap::new(), HashMap::new());
    let mut connection = Connection { service, old, out, running, channels, subscriptions, number, next: 1 };
    let permits = Arc::new(Semaphore::new(MAX_CALLS));
    while let Some(Ok(frame)) = frames.next().await {
        let body = match frame {
            Message::Text(text) => text.as_bytes().to_vec(),
            Message::Binary(bytes) => bytes.to_vec(),
            Message::Close(_) => break,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        let Ok(permit) = permits.clone().acquire_owned().await else { break };
        while connection.running.try_join_next().is_some() {}
        if !connection.take(&body, permit).await {
            break;
        }
    }
}

/// What one connection has going on.
struct Connection {
    service: Service,
    old: bool,
    out: mpsc::Sender<String>,
    running: JoinSet<()>,
    /// By the id of the call that opened it, as JSON: number and task.
    channels: HashMap<String, (u64, AbortHandle)>,
    /// Ethereum's, by their names as JSON.
    subscriptions: HashMap<String, AbortHandle>,
    /// Its own number and that of the next channel.
    number: u64,
    next: u64,
}

impl Connection {
    /// Takes one message; false when the connection is gone.
    async fn take(&mut self, body: &[u8], permit: tokio::sync::OwnedSemaphorePermit) -> bool {
        let call: Value = match serde_json::from_slice(body) {
            Ok(call) => call,
            Err(e) => return self.send(&failed(Value::Null, &RpcError::parse(e)).1).await,
        };
        match call["method"].as_str() {
            Some("xrpc.cancel") => self.cancel(&call["params"]).await,
            Some(name) if eth::is_known(name) => {
                let opened = eth::Subscription::new(call["params"].clone());
                self.open_eth(call["id"].clone(), opened).await
            }
            Some("eth_unsubscribe" | "Filecoin.EthUnsubscribe") => {
                let subscription = self.subscriptions.remove(&call["params"][0].to_string());
                subscription.iter().for_each(AbortHandle::abort);
                self.send(&json!({ "jsonrpc": "2.0", "id": call["id"], "result": subscription.is_some() })).await
            }
            Some(name) if is_known(name) => {
                let opened = Subscription::new(name, call["params"].clone());
                self.open(call["id"].clone(), opened).await
            }
            _ => {
                let (service, old, out) = (self.service.clone(), self.old, self.out.clone());
                self.running.spawn(async move {
                    if let Some((_, answer)) = http::answers(&service, call, old).await {
                        let _ = out.send(answer.to_string()).await;
                    }
                    drop(permit);
                });
                true
            }
        }
    }

    async fn open(&mut self, id: Value, opened: Result<Subscription, RpcError>) -> bool {
        self.channels.retain(|_, (_, task)| !task.is_finished());
        let subscription = match self.begun(self.channels.len(), opened, Subscription::begin).await {
            Ok(subscription) => subscription,
            Err(error) => return self.send(&failed(id, &error).1).await,
        };
        let number = self.next;
        self.next += 1;
        // The number goes first, so that the other side knows whose values follow.
        if !self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": number })).await {
            return false;
        }
        let (service, out) = (self.service.clone(), self.out.clone());
        let task = self.running.spawn(async move {
            subscription.run(&service, &Channel { out: out.clone(), number }).await;
            let _ = out.send(closed(number).to_string()).await;
        });
        self.channels.insert(id.to_string(), (number, task));
        true
    }

    async fn open_eth(&mut self, id: Value, opened: Result<eth::Subscription, RpcError>) -> bool {
        self.subscriptions.retain(|_, task| !task.is_finished());
        let subscription = match self.begun(self.subscriptions.len(), opened, eth::Subscription::begin).await {
            Ok(subscription) => subscription,
            Err(error) => return self.send(&failed(id, &error).1).await,
        };
        let name = eth::new_id(self.number, self.next);
        self.next += 1;
        if !self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": name })).await {
            return false;
        }
        let task = self.running.spawn(subscription.run(self.service.clone(), self.out.clone(), name));
        self.subscriptions.insert(json!(name).to_string(), task);
        true
    }

    /// A subscription that has noted where it begins. What happens once it has been answered for is among what it tells, however late its
    /// task gets to run.
    async fn begun<S, B: Future<Output = Result<T, RpcError>>, T>(
        &self,
        open: usize,
        opened: Result<S, RpcError>,
        begin: impl FnOnce(S, Service) -> B,
    ) -> Result<T, RpcError> {
        if opened.is_ok() && open >= MAX_CHANNELS {
            return Err(RpcError::application(format!("at most {MAX_CHANNELS} subscriptions on one connection")));
        }
        begin(opened?, self.service.clone()).await
    }

    /// Ends a subscription. Calls that answer once are not interrupted.
    async fn cancel(&mut self, params: &Value) -> bool {
        match self.channels.remove(&params[0].to_string()) {
            Some((number, task)) if !task.is_finished() => {
                task.abort();
                self.send(&closed(number)).await
            }
            _ => true,
        }
    }

    async fn send(&self, message: &Value) -> bool {
        self.out.send(message.to_string()).await.is_ok()
    }
}

fn closed(channel: u64) -> Value {
    json!({ "jsonrpc": "2.0", "method": "xrpc.ch.close", "params": [channel] })
}
