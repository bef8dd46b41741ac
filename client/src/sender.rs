//! Carries a message to the chain: checks the network, fills in nonce and gas, signs, hands it over once, and waits for the receipt.
//!
//! ```no_run
//! # async fn example(node: std::sync::Arc<dyn bauta_client::node::Node>) -> Result<(), Box<dyn std::error::Error>> {
//! use bauta_client::message::{METHOD_SEND, TokenAmount};
//! use bauta_client::network::Network;
//! use bauta_client::sender::{Call, Sender, Silent};
//! use bauta_client::wallet::{Key, KeyKind};
//!
//! let key = Key::from_seed(KeyKind::Secp256k1, b"an account of the devnet");
//! let sender = Sender::new(node, key, Network::Local);
//! let call = Call::new(bauta_client::address::parse("t01001")?, METHOD_SEND).with_value(TokenAmount::from_whole(1));
//! println!("at most {} FIL for gas", sender.estimate(&call).await?.max_fee);
//! let sent = sender.send(&call, &Silent).await?;
//! println!("{} used {} gas", sent.cid, sent.receipt.gas_used);
//! # Ok(())
//! # }
//! ```

mod call;
mod error;
mod resume;
mod slips;
mod standing;
mod watch;

use std::sync::Arc;

use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

pub use call::{Call, Cost, Sent};
pub use error::{ExitName, SendError};
pub use slips::{Slip, Slips};
pub use standing::{Standing, standing};
use watch::Written;
pub use watch::{Silent, Watch};

use crate::address::EthAddress;
use crate::home::Lock;
use crate::message::eth::{EthError, EthTransaction, INVOKE_CONTRACT};
use crate::message::{self, METHOD_SEND, Message, SignedMessage};
use crate::network::Network;
use crate::node::json::MsgLookup;
use crate::node::{Node, NodeError, WaitError, WaitSettings};
use crate::wallet::{Key, KeyError, KeyKind};

/// Sends messages of one key on one network.
pub struct Sender {
    node: Arc<dyn Node>,
    key: Key,
    network: Network,
    wait: WaitSettings,
    fee_limit: TokenAmount,
    slips: Option<Slips>,
    network_checked: OnceCell<()>,
    // From asking for the nonce to handing over: two messages must not get the same one.
    turn: Mutex<()>,
}

impl Sender {
    /// Sends by `node`, which has to be one of `network`.
    pub fn new(node: Arc<dyn Node>, key: Key, network: Network) -> Self {
        let wait = WaitSettings::for_network(&network);
        Self {
            node,
            key,
            network,
            wait,
            fee_limit: TokenAmount::from_whole(5),
            slips: None,
            network_checked: OnceCell::new(),
            turn: Mutex::new(()),
        }
    }

    /// Waits otherwise than [`WaitSettings::for_network`] says.
    pub fn with_wait(mut self, wait: WaitSettings) -> Self {
        self.wait = wait;
        self
    }

    /// The slips, if it writes any.
    pub fn slips(&self) -> Option<&Slips> {
        self.slips.as_ref()
    }

    /// Refuses to pay more than this for one message's gas; 5 FIL by default.
    pub fn with_fee_limit(mut self, limit: TokenAmount) -> Self {
        self.fee_limit = limit;
        self
    }

    /// Writes every message down before it can reach the chain, and goes on with those that an earlier run has left: see [`Sender::send`].
    pub fn with_slips(mut self, slips: Slips) -> Self {
        self.slips = Some(slips);
        self
    }

    /// The address that messages are from.
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The node.
    pub fn node(&self) -> &Arc<dyn Node> {
        &self.node
    }

    /// The key, for what is signed beside messages (a provider's deal).
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Compares the node's network name and chain id with the network's; once is enough.
    ///
    /// Errors: WrongNetwork.
    pub async fn check_network(&self) -> Result<(), SendError> {
        let check = || async {
            let wrong = |what, expected: String, found: String| {
                Err(SendError::WrongNetwork { network: self.network.to_string(), what, expected, found })
            };
            let name = self.node.network_name().await?;
            if let Some(expected) = self.network.node_name().filter(|expected| *expected != name) {
                return wrong("name", expected.to_string(), name);
            }
            if let Some(expected) = self.network.chain_id() {
                let found = self.node.chain_id().await?;
                if found != expected {
                    return wrong("chain id", expected.to_string(), found.to_string());
                }
            }
            Ok(())
        };
        self.network_checked.get_or_try_init(check).await.copied()
    }

    /// Says what a call costs at most, without signing or sending anything.
    ///
    /// Errors: as [`Sender::send`], up to the signature.
    pub async fn estimate(&self, call: &Call) -> Result<Cost, SendError> {
        self.check_network().await?;
        Ok(self.price(call).await?.1)
    }

    /// Sends a call and waits for its receipt.
    ///
    /// With [`Sender::with_slips`], a call whose message an earlier run has signed and not seen the end of is that message: it is looked up,
    /// handed over if no node knows it, and waited for. Only one that can never have an effect any more is made anew. A slip goes when its
    /// receipt has been seen, or by [`Sender::forget`] if the call is [kept](Call::kept).
    ///
    /// Errors: WrongNetwork; Funds; NoTransaction; TooExpensive; Rejected without CID: the node tried the call and the actor refused it,
    /// nothing was sent;
    /// Stopped: `watch` said so; Unreachable: nothing was sent; Refused: nothing was sent, or as far as the node says, and then the slip stays; Unconfirmed: it was or may have been sent, see
    /// [`Sender::resume`]; Rejected with CID: it was executed, and failed; Slip: nothing was sent.
    pub async fn send(&self, call: &Call, watch: &dyn Watch) -> Result<Sent, SendError> {
        self.check_network().await?;
        let Some(slips) = &self.slips else { return self.send_anew(call, watch).await };
        let name = Slips::name(&self.address(), call);
        let _mine = self.take(slips, &name)?;
        if let Some(sent) = self.left(slips, &name, call.kept, watch).await? {
            return Ok(sent);
        }
        let since = self.node.chain_head().await?.height - 1;
        let sent = self.send_anew(call, &Written { slips, name: &name, since, kept: call.kept, watch }).await;
        if sent.as_ref().map_or_else(SendError::is_over, |_| !call.kept) {
            slips.forget(&name)?;
        }
        sent
    }

    async fn send_anew(&self, call: &Call, watch: &dyn Watch) -> Result<Sent, SendError> {
        let turn = self.turn().await?;
        let (mut message, cost) = self.price(call).await?;
        watch.priced(&cost).map_err(SendError::Stopped)?;
        message.sequence = self.node.nonce(&self.key.address()).await?;
        message::check(&message)?;
        let signed = self.key.sign_on(message, self.chain_id().await?)?;
        signed.check()?;
        let since = self.node.chain_head().await?.height - 1;
        watch.before_push(&signed).map_err(SendError::Stopped)?;
        self.push(&signed).await?;
        drop(turn);
        self.confirm(&signed, since, watch).await
    }

    /// Keeps other messages of this address from being given a nonce: those of this process, and with slips those of others.
    async fn turn(&self) -> Result<(MutexGuard<'_, ()>, Option<Lock>), SendError> {
        let here = self.turn.lock().await;
        let everywhere = match &self.slips {
            Some(slips) => Some(slips.turn(&self.address()).await?),
            None => None,
        };
        Ok((here, everywhere))
    }

    /// The network's chain id, or that of the node of a network that nobody knows.
    async fn chain_id(&self) -> Result<u64, SendError> {
        match self.network.chain_id() {
            Some(known) => Ok(known),
            None if self.key.kind() == KeyKind::Delegated => {
                let found = self.node.chain_id().await?;
                // Signed for a network that we know, it would hold there.
                let known = [Network::Mainnet, Network::Calibration, Network::Local];
                match known.iter().find(|known| known.chain_id() == Some(found)) {
                    Some(known) => Err(SendError::WrongNetwork {
                        network: self.network.to_string(),
                        what: "chain id",
                        expected: "one of its own".into(),
                        found: format!("{found}, of {known}"),
                    }),
                    None => Ok(found),
                }
            }
            None => Ok(0),
        }
    }

    async fn price(&self, call: &Call) -> Result<(Message, Cost), SendError> {
        let from = self.key.address();
        let balance = self.node.balance(&from).await?;
        if balance < call.value || balance.is_zero() {
            // A sender that is not on the chain, or a value that it does not have: nodes word these two in many ways.
            return Err(SendError::Funds { have: balance, need: call.value.clone() });
        }
        // A transfer of an f410 account is a call of a contract that may be none.
        let method = match (self.key.kind(), call.method) {
            (KeyKind::Delegated, METHOD_SEND) => INVOKE_CONTRACT,
            (_, method) => method,
        };
        // Its transactions name actors by f410 address or id.
        let to = match EthAddress::of(&call.to) {
            None if self.key.kind() == KeyKind::Delegated => self.node.lookup_id(&call.to).await?.unwrap_or(call.to),
            _ => call.to,
        };
        let draft = message::draft(from, to, call.value.clone(), method, call.params.clone());
        if self.key.kind() == KeyKind::Delegated {
            self.check_transaction(&draft, call)?;
        }
        let estimated = self.node.gas_estimate(&draft, None).await.map_err(SendError::from_estimate)?;
        let cost = Cost {
            value: call.value.clone(),
            max_fee: message::max_fee(&estimated),
            gas_limit: estimated.gas_limit,
            balance,
        };
        if cost.max_fee > self.fee_limit {
            return Err(SendError::TooExpensive { fee: cost.max_fee, limit: self.fee_limit.clone() });
        }
        if cost.balance < cost.total() {
            return Err(SendError::Funds { need: cost.total(), have: cost.balance });
        }
        Ok((estimated, cost))
    }

    /// Whether an Ethereum transaction can say a message; the chain id makes no difference.
    fn check_transaction(&self, draft: &Message, call: &Call) -> Result<(), SendError> {
        let to = self.network.show(&call.to);
        EthTransaction::of_message(draft, 0).map(drop).map_err(|why| match why {
            EthError::Method(method) => {
                SendError::NoTransaction(format!("method {method} of {to} takes another account"))
            }
            EthError::ManagerMethod => SendError::NoTransaction(format!("{to} makes contracts and does nothing else")),
            EthError::Recipient => SendError::NoTransaction(format!("{to} is not on the chain yet")),
            why => KeyError::NoTransaction(why).into(),
        })
    }

    /// Hands a message over once. When the answer is lost, the message is looked up: what the node knows has arrived.
    async fn push(&self, signed: &SignedMessage) -> Result<(), SendError> {
        let cid = signed.cid();
        match self.node.mpool_push(signed).await {
            Ok(answer) if answer == cid => Ok(()),
            // It took something; what it took is found out by the CID that we know.
            Ok(_) | Err(NodeError::Malformed(_)) => Ok(()),
            Err(NodeError::Unreachable(reason)) => match self.is_known(&cid).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(SendError::Unreachable(reason)),
                Err(_) => Err(SendError::Unconfirmed { cid, reason }),
            },
            Err(error) if error.is_already_pending() => Ok(()),
            Err(error) if error.is_lack_of_funds() => {
                let have = self.node.balance(&signed.message.from).await.unwrap_or_default();
                Err(SendError::Funds { have, need: message::required_funds(&signed.message) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the node holds a message, pending or executed.
    async fn is_known(&self, cid: &Cid) -> Result<bool, NodeError> {
        Ok(self.node.get_message(cid).await?.is_some())
    }

    async fn confirm(&self, signed: &SignedMessage, since: ChainEpoch, watch: &dyn Watch) -> Result<Sent, SendError> {
        let cid = signed.cid();
        let waited = self.node.wait_msg(&cid, since, &self.wait, |progress| watch.waiting(progress)).await;
        let MsgLookup { receipt, height, .. } = waited.map_err(|error| match error {
            WaitError::TimedOut(_) => SendError::Unconfirmed { cid, reason: error.to_string() },
            // Another message was executed in its place.
            WaitError::Node(error) if error.is_replaced() => error.into(),
            WaitError::Node(error) => SendError::Unconfirmed { cid, reason: error.to_string() },
        })?;
        if receipt.exit_code == 0 {
            Ok(Sent { cid, receipt, height })
        } else {
            let exit_code = receipt.exit_code;
            let mut message = ExitName(exit_code).to_string();
            if !receipt.return_data.is_empty() {
                // A contract says there why it has reverted.
                message = format!("{message}: 0x{}", hex::encode(&receipt.return_data));
            }
            Err(SendError::Rejected { exit_code, message, cid: Some(cid) })
        }
    }
}

#[cfg(test)]
mod tests;
