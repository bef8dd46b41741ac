//! Sending a call and reading what came back.

use bauta_abi::Wire;

use super::{Actor, ActorError, Call, Rejection};
use crate::message::SignedMessage;
use crate::sender::{Cost, SendError, Sender, Sent, Watch};
use fvm_shared::clock::ChainEpoch;

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
        let value = call.returned(&sent.receipt.return_data)?;
        Ok(Done { value, sent })
    }

    /// Sends a call whose method returns nothing.
    pub async fn send_only(&self, sender: &Sender, call: &Call, watch: &dyn Watch) -> Result<Sent, ActorError> {
        sender.send(&call.to(self), watch).await.map_err(|error| told(call, error))
    }

    /// Goes on with a call that was signed before; see [`Sender::resume`].
    pub async fn resume<R: Wire>(
        &self,
        sender: &Sender,
        call: &Call,
        signed: &SignedMessage,
        since: ChainEpoch,
        watch: &dyn Watch,
    ) -> Result<Done<R>, ActorError> {
        let sent = sender.resume(signed, since, watch).await.map_err(|error| told(call, error))?;
        let value = call.returned(&sent.receipt.return_data)?;
        Ok(Done { value, sent })
    }

    /// What a call costs at most; nothing is signed.
    pub async fn estimate(&self, sender: &Sender, call: &Call) -> Result<Cost, ActorError> {
        sender.estimate(&call.to(self)).await.map_err(|error| told(call, error))
    }
}

/// A no of the actor gets its sentence, everything else stays as it is.
fn told(call: &Call, error: SendError) -> ActorError {
    match error {
        SendError::Rejected { exit_code, message, cid } => {
            Rejection { method: call.method.name().into(), code: exit_code, message, executed: cid }.into()
        }
        other => other.into(),
    }
}
