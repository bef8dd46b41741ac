//! Puts the actor on a chain as an EVM contract, once: an interrupted deployment is continued by the next one.

use std::path::PathBuf;

use cid::Cid;
use fvm_ipld_encoding::{BytesDe, RawBytes, from_slice};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use multihash_codetable::{Code, MultihashDigest};
use num_traits::Zero;
use serde::Deserialize;

use crate::actor::contract;
use crate::address::EthAddress;
use crate::home::{FileError, Home, MAX_PRIVATE, read_note, remove};
use crate::message::draft;
use crate::message::eth::{ADDRESS_MANAGER, CREATE_EXTERNAL, created_by, params};
use crate::network::Network;
use crate::node::json::TipsetKey;
use crate::node::{Node, NodeError};
use crate::sender::{Call, SendError, Sender, Sent, Slip, Slips, Watch};

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

/// The deployment on one chain: a message whose slip stays until the address is written down.
#[derive(Debug, Clone)]
pub struct Deployment {
    slips: Slips,
    noted: PathBuf,
}

/// The form in which earlier builds noted the message.
#[derive(Deserialize)]
struct Noted {
    form: u64,
    #[serde(flatten)]
    slip: Slip,
}

/// The version of that form; another one is not read.
const FORM: u64 = 1;

impl Deployment {
    /// The deployment on the chain that a node belongs to.
    ///
    /// Errors: the node's.
    pub async fn of(home: &Home, node: &dyn Node, network: &Network) -> Result<Self, NodeError> {
        let noted = home.journals(network.name()).join("deploy.json");
        Ok(Self { slips: Slips::of(home, node, network).await?, noted })
    }

    /// What a deployment would send. It is the same deployment whatever code a build has: what was begun is what is gone on with.
    pub fn call() -> Call {
        let meaning = RawBytes::new(b"the contract".to_vec());
        Call::new(ADDRESS_MANAGER, CREATE_EXTERNAL)
            .with_params(params(contract::init_code()))
            .with_meaning(Some(meaning))
            .kept(true)
    }

    /// Whether one was begun and not finished.
    ///
    /// Errors: a note or a slip cannot be read; Damaged: what one says is not understood.
    pub fn is_pending(&self) -> Result<bool, FileError> {
        Ok(self.noted()?.is_some() || !self.begun()?.is_empty())
    }

    fn noted(&self) -> Result<Option<Slip>, FileError> {
        read_note(&self.noted, MAX_PRIVATE, |text| {
            let noted: Noted = serde_json::from_slice(text).ok()?;
            (noted.form == FORM).then_some(noted.slip)
        })
    }

    /// Whoever has signed them: it is one contract for the network.
    fn begun(&self) -> Result<Vec<Slip>, FileError> {
        self.slips.find(|message| message.to == ADDRESS_MANAGER && message.method_num == CREATE_EXTERNAL)
    }

    /// Makes the contract, or goes on with one that was begun: the same signed message, so that there is never a second contract.
    /// [`Deployment::finish`] forgets it, once the address is written down.
    ///
    /// Errors: NoSlips: the sender does not write its messages down; as [`Sender::send`]; File: a note or a slip; Answer: what came back
    /// is not where the message puts the contract.
    pub async fn run(&self, sender: &Sender, watch: &dyn Watch) -> Result<Deployed, DeployError> {
        sender.slips().ok_or(SendError::NoSlips)?;
        if let Some(slip) = self.noted()? {
            sender.adopt(&Self::call(), slip)?;
            remove(&self.noted)?;
        }
        for slip in self.begun()? {
            let cid = slip.signed.cid();
            watch.continued(&cid);
            match sender.resume(&slip.signed, slip.since, watch).await {
                Ok(sent) => return deployed(sent, &self.begun()?).map_err(DeployError::Answer),
                Err(error) if error.can_never_be() => sender.forget(&cid)?,
                Err(error) => return Err(error.into()),
            }
        }
        let sent = sender.send(&Self::call(), watch).await?;
        deployed(sent, &self.begun()?).map_err(DeployError::Answer)
    }

    /// Forgets a deployment whose address is written down.
    ///
    /// Errors: a slip cannot be read or removed.
    pub fn finish(&self, deployed: &Deployed) -> Result<(), FileError> {
        self.slips.forget_message(&deployed.sent.cid)
    }
}

/// Reads what the address manager answered, and compares it with where the message that was signed puts the contract: bounties are going to be paid to
/// it. The error says what is wrong.
fn deployed(sent: Sent, begun: &[Slip]) -> Result<Deployed, String> {
    type Created = (ActorID, Option<Address>, BytesDe);
    let (id, _, BytesDe(ethereum)) = from_slice::<Created>(&sent.receipt.return_data).map_err(|e| e.to_string())?;
    let ethereum = ethereum.try_into().map_err(|_| "an Ethereum address has 20 bytes")?;
    let signed = begun.iter().map(|slip| &slip.signed).find(|signed| signed.cid() == sent.cid);
    let expected = signed.and_then(|signed| created_by(&signed.message.from, signed.message.sequence));
    if expected != Some(EthAddress(ethereum)) {
        return Err(format!("{} is not where the message that was signed puts it", EthAddress(ethereum)));
    }
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
///
/// Errors: the node's.
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
