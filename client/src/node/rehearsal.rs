//! A node that sends nothing: what would have been asked and sent is written down instead.
//!
//! Reads go to the real node. A message that is pushed is tried there (`StateCall`) and taken for executed as it came out, so that whatever
//! comes after it can be rehearsed, too.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::json::SignedMessageJson;
use super::{Node, NodeError};
use crate::address::Prefix;

/// One call in the Lotus dialect.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The method, with its prefix.
    pub method: String,
    /// Its params. The signature of a pushed message is blotted out: whoever has it can send the message.
    pub params: Value,
}

/// What has been rehearsed so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rehearsed {
    /// Every call that the node would have been asked.
    pub calls: Vec<Asked>,
    /// Every message that would have been sent: the Lotus form of a message.
    pub messages: Vec<Value>,
    /// Where each was "executed".
    lookups: Vec<(Value, Value)>,
}

/// See the module.
pub struct Rehearsal {
    node: Arc<dyn Node>,
    done: Mutex<Rehearsed>,
}

impl Rehearsal {
    /// Rehearses on what this node knows.
    pub fn new(node: Arc<dyn Node>) -> Self {
        Self { node, done: Mutex::default() }
    }

    /// What has been asked and sent until now.
    pub fn so_far(&self) -> Rehearsed {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Rehearsed> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, method: &str, params: &Value) {
        let mut params = params.clone();
        if let Some(data) = params.pointer_mut("/0/Signature/Data") {
            // As long as it was, in base64.
            let padding = data.as_str().unwrap_or_default().chars().rev().take_while(|c| *c == '=').count();
            let digits = data.as_str().unwrap_or_default().len() - padding;
            *data = ("A".repeat(digits) + &"=".repeat(padding)).into();
        }
        self.lock().calls.push(Asked { method: method.into(), params });
    }

    /// Takes a message for executed.
    async fn push(&self, params: &Value) -> Result<Value, NodeError> {
        let malformed = |why: String| NodeError::Malformed(why);
        let form = params.get(0).cloned().unwrap_or_default();
        let signed: SignedMessageJson =
            serde_json::from_value(form.clone()).map_err(|error| malformed(error.to_string()))?;
        let cid = json!({ "/": signed.0.cid().to_string() });
        let message = form.get("Message").cloned().unwrap_or_default();
        let tried = self.node.request("Filecoin.StateCall", json!([message, null])).await;
        // What depends on a message before it cannot be tried: it is refused for what is not there yet, and taken for executed.
        let first = self.lock().messages.is_empty();
        let receipt = tried.ok().and_then(|tried| tried.get("MsgRct").cloned());
        let receipt = receipt.filter(|receipt| !receipt.is_null() && (first || receipt["ExitCode"] == 0));
        let receipt =
            receipt.unwrap_or_else(|| json!({"ExitCode": 0, "Return": null, "GasUsed": 0, "EventsRoot": null}));
        let head = self.node.request("Filecoin.ChainHead", json!([])).await?;
        let lookup = json!({
            "Message": cid, "Receipt": receipt, "ReturnDec": null, "TipSet": head["Cids"], "Height": head["Height"],
        });
        let mut done = self.lock();
        done.messages.push(message);
        done.lookups.push((cid.clone(), lookup));
        Ok(cid)
    }

    /// An estimate; of a message that depends on one before it, the message itself with the gas of a large one.
    async fn estimate(&self, params: Value) -> Result<Value, NodeError> {
        let answer = self.node.request("Filecoin.GasEstimateMessageGas", params.clone()).await;
        match answer {
            Err(NodeError::Refused { .. }) if !self.lock().messages.is_empty() => {
                let mut message = params.get(0).cloned().unwrap_or_default();
                message["GasLimit"] = 100_000_000.into();
                message["GasFeeCap"] = "1000000".into();
                message["GasPremium"] = "1000".into();
                Ok(message)
            }
            answer => answer,
        }
    }
}

#[async_trait]
impl Node for Rehearsal {
    async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        self.note(method, &params);
        match method {
            "Filecoin.MpoolPush" => self.push(&params).await,
            "Filecoin.GasEstimateMessageGas" => self.estimate(params).await,
            "Filecoin.MpoolGetNonce" => {
                let nonce = self.node.request(method, params).await?;
                let ahead = self.lock().messages.len() as u64;
                Ok(nonce.as_u64().map_or(nonce, |nonce| (nonce + ahead).into()))
            }
            "Filecoin.StateSearchMsg" => {
                let wanted = params.get(1);
                let known = self.lock().lookups.iter().find(|(cid, _)| Some(cid) == wanted).map(|(_, at)| at.clone());
                match known {
                    Some(lookup) => Ok(lookup),
                    None => self.node.request(method, params).await,
                }
            }
            _ if method.starts_with("Devnet.") && !matches!(method, "Devnet.Info") => Err(NodeError::Refused {
                code: 1,
                message: format!("{method} does something, and this is a rehearsal"),
            }),
            _ => self.node.request(method, params).await,
        }
    }

    fn prefix(&self) -> Prefix {
        self.node.prefix()
    }
}
