//! Puts the actor on a chain as an EVM contract, once: an interrupted deployment is continued by the next one.

use std::path::{Path, PathBuf};

use cid::Cid;
use fvm_ipld_encoding::{BytesDe, RawBytes, from_slice};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use multihash_codetable::{Code, MultihashDigest};
use num_traits::Zero;
use serde::{Deserialize, Serialize};

use crate::actor::contract;
use crate::address::EthAddress;
use crate::home::{FileError, create_private_folder, read_private, remove, replace_private};
use crate::message::eth::{ADDRESS_MANAGER, CREATE_EXTERNAL, params};
use crate::message::{SignedMessage, draft};
use crate::node::json::TipsetKey;
use crate::node::{Node, NodeError, Waiting};
use crate::sender::{Call, Cost, SendError, Sender, Sent, Watch};

/// The EVM actor's `-> link of the bytecode | null`.
const GET_BYTECODE: u64 = 3;
/// The codec of plain bytes: how the chain names code.
const RAW: u64 = 0x55;
/// Who asks: on every network.
const READER: Address = Address::new_id(99);

/// A contract that has been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// Its f410 address.
    pub address: Address,
    /// Its Ethereum address.
    pub ethereum: [u8; 20],
    /// Its actor ID.
    pub id: ActorID,
    /// The message that made it.
    pub sent: Sent,
}

/// Why there is no contract.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The message.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The journal.
    #[error(transparent)]
    File(#[from] FileError),
    /// The chain's answer is none.
    #[error("the Ethereum address manager answered what it cannot: {0}")]
    Answer(String),
}

/// The deployment on one network: what has been signed and not been seen through.
#[derive(Debug, Clone)]
pub struct Deployment {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Pending {
    form: u64,
    signed: String,
    since: ChainEpoch,
}

/// The version of the journal's form; another one is not read.
const FORM: u64 = 1;

impl Deployment {
    /// The deployment whose journal is in a network's folder of journals.
    pub fn at(journals: &Path) -> Self {
        Self { path: journals.join("deploy.json") }
    }

    /// What a deployment would send.
    pub fn call() -> Call {
        Call::new(ADDRESS_MANAGER, CREATE_EXTERNAL).with_params(params(contract::init_code()))
    }

    /// Whether one was begun and not finished.
    pub fn is_pending(&self) -> bool {
        self.pending().is_some()
    }

    fn pending(&self) -> Option<(SignedMessage, ChainEpoch)> {
        let text = read_private(&self.path).ok()?;
        let Pending { form: FORM, signed, since } = serde_json::from_slice(&text).ok()? else { return None };
        Some((SignedMessage::from_bytes(&hex::decode(signed).ok()?).ok()?, since))
    }

    /// Makes the contract, or goes on with one that was begun: the same signed message, so that there is never a second contract.
    /// [`Deployment::finish`] forgets it, once the address is written down.
    pub async fn run(&self, sender: &Sender, watch: &dyn Watch) -> Result<Deployed, DeployError> {
        let begun = self.pending();
        let sent = match &begun {
            Some((signed, since)) => sender.resume(signed, *since, watch).await,
            None => {
                let since = sender.node().chain_head().await.map_err(SendError::from)?.height - 1;
                sender.send(&Self::call(), &Journaled { watch, path: &self.path, since }).await
            }
        };
        match sent {
            Ok(sent) => deployed(sent).map_err(DeployError::Answer),
            Err(e) => {
                // Only what can never be executed any more is forgotten; a node that is unwell knows nothing.
                let over = match &e {
                    SendError::Rejected { .. } => true,
                    SendError::Refused { message, .. } => begun.is_none() || message.contains("nonce too low"),
                    _ => false,
                };
                if over {
                    remove(&self.path)?;
                }
                Err(e.into())
            }
        }
    }

    /// Forgets a deployment that was seen through.
    pub fn finish(&self) -> Result<(), FileError> {
        remove(&self.path)
    }
}

/// Writes the message down before it can reach the chain.
struct Journaled<'w> {
    watch: &'w dyn Watch,
    path: &'w Path,
    since: ChainEpoch,
}

impl Watch for Journaled<'_> {
    fn priced(&self, cost: &Cost) -> Result<(), String> {
        self.watch.priced(cost)
    }

    fn before_push(&self, signed: &SignedMessage) -> Result<(), String> {
        let pending = Pending { form: FORM, signed: hex::encode(signed.to_bytes()), since: self.since };
        let text = serde_json::to_vec(&pending).map_err(|e| e.to_string())?;
        let folder = self.path.parent().ok_or("the journal has no folder")?;
        create_private_folder(folder).and_then(|()| replace_private(self.path, &text)).map_err(|e| e.to_string())?;
        self.watch.before_push(signed)
    }

    fn waiting(&self, progress: Waiting) {
        self.watch.waiting(progress);
    }
}

/// Reads what the address manager answered; the error says what is wrong with it.
fn deployed(sent: Sent) -> Result<Deployed, String> {
    type Created = (ActorID, Option<Address>, BytesDe);
    let (id, _, BytesDe(ethereum)) = from_slice::<Created>(&sent.receipt.return_data).map_err(|e| e.to_string())?;
    let ethereum = ethereum.try_into().map_err(|_| "an Ethereum address has 20 bytes")?;
    Ok(Deployed { address: EthAddress(ethereum).to_filecoin(), ethereum, id, sent })
}

/// What code is behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A native actor of this code.
    Native(Cid),
    /// An EVM contract of this bytecode.
    Contract(Cid),
}

/// Names code as the chain does.
pub fn code_cid(code: &[u8]) -> Cid {
    Cid::new_v1(RAW, Code::Blake2b256.digest(code))
}

/// Asks a node what code an actor has: its code CID or, of a contract, that of its bytecode.
pub async fn find(node: &dyn Node, address: &Address) -> Result<Found, NodeError> {
    let Some(actor) = node.get_actor(address).await? else { return Ok(Found::Nothing) };
    let is_contract =
        address.protocol() == fvm_shared::address::Protocol::Delegated || actor.delegated_address.is_some();
    if !is_contract {
        return Ok(Found::Native(actor.code));
    }
    let message = draft(READER, *address, TokenAmount::zero(), GET_BYTECODE, RawBytes::default());
    let answer = node.state_call(&message, &TipsetKey::HEAD).await?;
    let receipt = answer.msg_rct.as_ref().filter(|receipt| receipt.exit_code == 0);
    let link = receipt.and_then(|receipt| from_slice::<Option<Cid>>(&receipt.return_data).ok()).flatten();
    Ok(link.map_or(Found::Native(actor.code), Found::Contract))
}
