//! Sending a call and reading what came back.

use bauta_abi::{Wire, WireError};
use fvm_ipld_encoding::{BytesDe, from_slice};
use fvm_shared::address::Protocol;

use super::{Actor, ActorError, Call, Rejection, contract};
use crate::message::{draft, eth};
use crate::node::json::TipsetKey;
use crate::sender::{self, Cost, SendError, Sender, Sent, Slip, Watch};

/// A call that was executed, and what it returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<R> {
    /// What the method returned.
    pub value: R,
    /// The message and its receipt.
    pub sent: Sent,
}

impl Actor {
    /// Sends a call and decodes what the method returned.
    pub async fn send<R: Wire>(&self, sender: &Sender, call: &Call, watch: &dyn Watch) -> Result<Done<R>, ActorError> {
        let sent = self.send_only(sender, call, watch).await?;
        let value = call.returned(&sent)?;
        Ok(Done { value, sent })
    }

    /// The call in the form that this sender's messages can have, and whether that is a wrapped one.
    ///
    /// An f410 account signs Ethereum transactions, which say InvokeEVM and nothing else; everybody else calls the method itself.
    async fn form(&self, sender: &Sender, call: &Call) -> Result<(sender::Call, bool), ActorError> {
        let plain = call.to(self);
        if sender.address().protocol() != Protocol::Delegated || !self.is_contract().await? {
            return Ok((plain, false));
        }
        let invocation = contract::invocation(call.method.number(), call.params.bytes());
        let wrapped = sender::Call::new(self.address(), eth::INVOKE_CONTRACT)
            .with_value(plain.value)
            .with_params(eth::params(&invocation))
            .with_meaning(plain.meaning)
            .kept(plain.kept);
        Ok((wrapped, true))
    }

    /// Whether the actor is a contract: only contracts and Ethereum accounts have an f410 address.
    async fn is_contract(&self) -> Result<bool, ActorError> {
        if self.address().protocol() == Protocol::Delegated {
            return Ok(true);
        }
        Ok(self.node().get_actor(&self.address()).await?.is_some_and(|actor| actor.delegated_address.is_some()))
    }

    /// Sends a call whose method returns nothing.
    pub async fn send_only(&self, sender: &Sender, call: &Call, watch: &dyn Watch) -> Result<Sent, ActorError> {
        let (message, wrapped) = self.form(sender, call).await?;
        match sender.send(&message, watch).await {
            Ok(sent) => unwrapped(call, wrapped, sent),
            Err(error) => Err(self.told(sender, call, &message, error).await),
        }
    }

    /// Goes on with a call that an earlier run has sent, and sends nothing new; see [`Sender::go_on`].
    pub async fn go_on<R: Wire>(
        &self,
        sender: &Sender,
        call: &Call,
        watch: &dyn Watch,
    ) -> Result<Option<Done<R>>, ActorError> {
        let (message, wrapped) = self.form(sender, call).await?;
        // It was executed, or nobody knows: there is nothing to ask for.
        let Some(sent) = sender.go_on(&message, watch).await.map_err(|error| told(call, error))? else {
            return Ok(None);
        };
        let sent = unwrapped(call, wrapped, sent)?;
        Ok(Some(Done { value: call.returned(&sent)?, sent }))
    }

    /// Whether an earlier run has signed a message for a call; see [`Sender::has_left`].
    pub async fn has_left(&self, sender: &Sender, call: &Call) -> Result<bool, ActorError> {
        Ok(sender.has_left(&self.form(sender, call).await?.0)?)
    }

    /// Takes a call's message over from where an earlier build wrote it down; see [`Sender::adopt`].
    pub async fn adopt(&self, sender: &Sender, call: &Call, slip: Slip) -> Result<(), ActorError> {
        Ok(sender.adopt(&self.form(sender, call).await?.0, slip)?)
    }

    /// What a call costs at most; nothing is signed.
    pub async fn estimate(&self, sender: &Sender, call: &Call) -> Result<Cost, ActorError> {
        let (message, _) = self.form(sender, call).await?;
        match sender.estimate(&message).await {
            Ok(cost) => Ok(cost),
            Err(error) => Err(self.told(sender, call, &message, error).await),
        }
    }

    /// A no of the actor gets its sentence. A node that only tried a call says that it has reverted, and may keep for itself with which data.
    async fn told(&self, sender: &Sender, call: &Call, message: &sender::Call, error: SendError) -> ActorError {
        let is_silent = matches!(&error, SendError::Rejected { exit_code: contract::REVERTED, message, cid: None }
            if contract::rejection_in(message).is_none());
        if is_silent && message.method == eth::INVOKE_CONTRACT {
            let draft =
                draft(sender.address(), message.to, message.value.clone(), message.method, message.params.clone());
            let tried = self.node().state_call(&draft, &TipsetKey::HEAD).await;
            let receipt = tried.ok().and_then(|tried| tried.msg_rct);
            let data = receipt.and_then(|receipt| from_slice::<BytesDe>(&receipt.return_data).ok());
            if let Some(code) = data.and_then(|BytesDe(data)| contract::rejection(&data)) {
                let message = format!("the contract reverted with its code {code}");
                return Rejection { method: call.method.name().into(), code, message, executed: None }.into();
            }
        }
        told(call, error)
    }
}

/// A receipt as if the method itself had been called.
fn unwrapped(call: &Call, wrapped: bool, mut sent: Sent) -> Result<Sent, ActorError> {
    if wrapped {
        let output: Option<BytesDe> = from_slice(&sent.receipt.return_data).ok();
        let returned = output.as_ref().and_then(|output| contract::returned(&output.0));
        let why = || WireError::Malformed("the contract's answer is not wrapped as it should be".into());
        let unread = || ActorError::Unread { method: call.method, cid: sent.cid.into(), why: why() };
        sent.receipt.return_data = returned.ok_or_else(unread)?.to_vec();
    }
    Ok(sent)
}

/// A no of the actor gets its sentence, everything else stays as it is.
fn told(call: &Call, error: SendError) -> ActorError {
    match error {
        SendError::Rejected { exit_code, message, cid } => {
            // A wrapped call that the contract refused has reverted, and says in its data with which code.
            let code = if exit_code == contract::REVERTED { contract::rejection_in(&message) } else { None };
            let code = code.unwrap_or(exit_code);
            Rejection { method: call.method.name().into(), code, message, executed: cid }.into()
        }
        other => other.into(),
    }
}
