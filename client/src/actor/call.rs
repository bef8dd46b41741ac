//! Messages to the actor as values: method, params, and the money that goes along.

use bauta_abi::*;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::deal::DealID;
use fvm_shared::econ::TokenAmount;
use num_traits::Zero;
use serde::Serialize;

use super::{Actor, ActorError};
use crate::sender;

/// A method with its encoded params and value; nothing has been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    /// Which method.
    pub method: Method,
    /// Its params, within the ABI's bounds.
    pub params: RawBytes,
    /// attoFIL that go along.
    pub value: TokenAmount,
    /// See [`sender::Call::meaning`].
    pub meaning: Option<RawBytes>,
    /// See [`sender::Call::kept`].
    pub kept: bool,
}

impl Call {
    fn new<P: Wire>(method: Method, params: &P) -> Result<Self, ActorError> {
        let params = encode(params).map_err(|why| ActorError::Params { method, why })?;
        Ok(Self { method, params: RawBytes::new(params), value: TokenAmount::zero(), meaning: None, kept: false })
    }

    fn with_value(self, value: TokenAmount) -> Self {
        Self { value, ..self }
    }

    /// Publishes the sender's recipient.
    pub fn publish_key(recipient: String) -> Result<Self, ActorError> {
        Self::new(Method::PublishKey, &PublishKeyParams { recipient })
    }

    /// Registers files of the sender.
    pub fn register_file(files: Vec<FileSpec>) -> Result<Self, ActorError> {
        Self::new(Method::RegisterFile, &RegisterFileParams { files })
    }

    /// Replaces a file's content where it still has the expected version.
    pub fn update_file(id: FileId, expected_version: u64, file: FileSpec) -> Result<Self, ActorError> {
        Self::new(Method::UpdateFile, &UpdateFileParams { id, expected_version, file })
    }

    /// Gives a file away.
    pub fn transfer_file(id: FileId, to: Address, wrap: Vec<u8>) -> Result<Self, ActorError> {
        Self::new(Method::TransferFile, &TransferFileParams { id, to, wrap })
    }

    /// Removes a file.
    pub fn remove_file(id: FileId) -> Result<Self, ActorError> {
        Self::new(Method::RemoveFile, &RemoveFileParams { id })
    }

    /// Opens a file to up to 32 others.
    pub fn grant_access(id: FileId, grants: Vec<GrantSpec>) -> Result<Self, ActorError> {
        Self::new(Method::GrantAccess, &GrantAccessParams { id, grants })
    }

    /// Closes a file to up to 32 others.
    pub fn revoke_access(id: FileId, addresses: Vec<Address>) -> Result<Self, ActorError> {
        Self::new(Method::RevokeAccess, &RevokeAccessParams { id, addresses })
    }

    /// Says what makes this call the same as another one: anything with a CBOR form.
    ///
    /// Errors: Params: it has none.
    pub fn meaning<M: Serialize>(self, meaning: &M) -> Result<Self, ActorError> {
        let unencodable = |why: fvm_ipld_encoding::Error| WireError::Malformed(why.to_string());
        let meaning = RawBytes::serialize(meaning).map_err(unencodable);
        let meaning = meaning.map_err(|why| ActorError::Params { method: self.method, why })?;
        Ok(Self { meaning: Some(meaning), ..self })
    }

    /// Keeps its slip until [`sender::Sender::forget`]: sent again before that, it is still the same message.
    pub fn kept(self) -> Self {
        Self { kept: true, ..self }
    }

    /// Offers a reward, funded with `value`.
    pub fn create_bounty(terms: Terms, value: TokenAmount) -> Result<Self, ActorError> {
        Ok(Self::new(Method::CreateBounty, &CreateBountyParams { terms })?.with_value(value))
    }

    /// Adds to a bounty.
    pub fn fund_bounty(id: BountyId, value: TokenAmount) -> Result<Self, ActorError> {
        Ok(Self::new(Method::FundBounty, &FundBountyParams { id })?.with_value(value))
    }

    /// Claims a bounty by a market deal.
    pub fn claim_bounty(id: BountyId, deal_id: DealID) -> Result<Self, ActorError> {
        Self::new(Method::ClaimBounty, &ClaimBountyParams { id, deal_id })
    }

    /// Pays what up to 32 claims have earned.
    pub fn settle_bounty(id: BountyId, claims: Vec<Settlement>) -> Result<Self, ActorError> {
        Self::new(Method::SettleBounty, &SettleBountyParams { id, claims })
    }

    /// Ends a bounty that nobody has claimed.
    pub fn cancel_bounty(id: BountyId) -> Result<Self, ActorError> {
        Self::new(Method::CancelBounty, &CancelBountyParams { id })
    }

    /// Takes the sender's share of what was not earned back.
    pub fn refund_bounty(id: BountyId) -> Result<Self, ActorError> {
        Self::new(Method::RefundBounty, &RefundBountyParams { id })
    }

    /// The call in the form that a sender takes.
    pub fn to(&self, actor: &Actor) -> sender::Call {
        sender::Call::new(actor.address(), self.method.number())
            .with_value(self.value.clone())
            .with_params(self.params.clone())
            .with_meaning(self.meaning.clone())
            .kept(self.kept)
    }

    /// Decodes what the method returned in a message that is on the chain.
    pub fn returned<R: Wire>(&self, sent: &sender::Sent) -> Result<R, ActorError> {
        let unread = |why| ActorError::Unread { method: self.method, cid: sent.cid.into(), why };
        decode(&sent.receipt.return_data).map_err(unread)
    }
}
