//! Proposals for the built-in market (f05): their CBOR, their signature.
//!
//! Source: builtin-actors `actors/market/src/deal.rs`.

use cid::Cid;
use fvm_ipld_encoding::tuple::*;
use fvm_ipld_encoding::{BytesSer, from_slice, to_vec};
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::message::{Signature, SignatureError, cid_of};
use crate::piece::PieceInfo;
use crate::wallet::Key;

/// The market actor.
pub const MARKET: Address = Address::new_id(5);

/// Longest label, in bytes.
pub const MAX_LABEL: usize = 256;

/// What the client writes on a deal: a text or some bytes, up to 256 bytes. By convention the root of the CAR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(to),
            Self::Bytes(bytes) => BytesSer(bytes).serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl serde::de::Visitor<'_> for Either {
            type Value = Label;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a text or a byte string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Label, E> {
                Ok(Label::Text(text.to_string()))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Label, E> {
                Ok(Label::Bytes(bytes.to_vec()))
            }
        }
        from.deserialize_any(Either)
    }
}

/// What a client offers to one provider: an 11-tuple.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct DealProposal {
    /// The piece commitment, v1 form.
    pub piece_cid: Cid,
    /// Its padded size.
    pub piece_size: PaddedPieceSize,
    /// Always `false`: datacap ended with FIP-0118.
    pub verified_deal: bool,
    /// Who pays.
    pub client: Address,
    /// The miner actor.
    pub provider: Address,
    /// For the client to read.
    pub label: Label,
    /// Last epoch in which the sector may become active, and the first that is paid.
    pub start_epoch: ChainEpoch,
    /// First epoch that is not paid.
    pub end_epoch: ChainEpoch,
    /// attoFIL for one epoch.
    pub storage_price_per_epoch: TokenAmount,
    /// What the provider loses if it fails.
    pub provider_collateral: TokenAmount,
    /// What the client loses if the deal is slashed.
    pub client_collateral: TokenAmount,
}

/// A proposal and the client's signature: a 2-tuple.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ClientDealProposal {
    /// What is offered.
    pub proposal: DealProposal,
    /// Over the proposal's CBOR.
    pub client_signature: Signature,
}

/// `PublishStorageDeals`' params: a 1-tuple of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct PublishStorageDealsParams {
    /// All for the same provider.
    pub deals: Vec<ClientDealProposal>,
}

/// Why a proposal is none.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProposalError {
    /// Another key's address.
    #[error("the proposal is from another client than the key's")]
    NotTheClient,
    /// Longer than 256 bytes.
    #[error("a label has at most {MAX_LABEL} bytes")]
    Label,
    /// Ends before it starts, or is shorter or longer than the market takes.
    #[error("a deal lasts {MIN}..={MAX} epochs, not {0}", MIN = super::MIN_DURATION, MAX = LONGEST)]
    Duration(ChainEpoch),
    /// A negative price or collateral.
    #[error("the {0} is negative")]
    Negative(&'static str),
    /// Does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// Longest deal that the market takes, in epochs: 1,278 days.
const LONGEST: ChainEpoch = 1278 * 2880;

impl DealProposal {
    /// Offers a piece without price and collateral from `start` on; the fields are there to be changed.
    pub fn new(piece: &PieceInfo, client: Address, provider: Address, start: ChainEpoch, duration: ChainEpoch) -> Self {
        Self {
            piece_cid: piece.piece_cid,
            piece_size: piece.padded_size,
            verified_deal: false,
            client,
            provider,
            label: Label::Text(String::new()),
            start_epoch: start,
            end_epoch: start.saturating_add(duration),
            storage_price_per_epoch: TokenAmount::default(),
            provider_collateral: TokenAmount::default(),
            client_collateral: TokenAmount::default(),
        }
    }

    /// Epochs from start to end.
    pub fn duration(&self) -> ChainEpoch {
        self.end_epoch.saturating_sub(self.start_epoch)
    }

    /// What the client must have in the market's escrow.
    pub fn client_balance_requirement(&self) -> TokenAmount {
        self.storage_price_per_epoch.clone() * self.duration() + self.client_collateral.clone()
    }

    /// Whether a deal on the chain is this one, in all that it says. The chain names the client by its ID.
    pub fn is_published_as(&self, found: &crate::node::json::DealProposal, client: Option<&Address>) -> bool {
        let label = match &self.label {
            Label::Text(text) => text == &found.label,
            Label::Bytes(_) => found.label.is_empty(),
        };
        let terms = |start, end, price, theirs, ours| (start, end, price, theirs, ours);
        label
            && (found.client == self.client || Some(&found.client) == client)
            && (self.piece_cid, self.piece_size.0, self.provider) == (found.piece_cid, found.piece_size, found.provider)
            && terms(
                self.start_epoch,
                self.end_epoch,
                &self.storage_price_per_epoch,
                &self.provider_collateral,
                &self.client_collateral,
            ) == terms(
                found.start_epoch,
                found.end_epoch,
                &found.storage_price_per_epoch,
                &found.provider_collateral,
                &found.client_collateral,
            )
    }

    /// Whether these bytes are a proposal, so that a signature over them binds whoever made it.
    pub fn is_one(bytes: &[u8]) -> bool {
        from_slice::<Self>(bytes).is_ok()
    }

    /// Checks what the market checks of a proposal alone.
    pub fn check(&self) -> Result<(), ProposalError> {
        let label = match &self.label {
            Label::Text(text) => text.len(),
            Label::Bytes(bytes) => bytes.len(),
        };
        if label > MAX_LABEL {
            return Err(ProposalError::Label);
        }
        if !(super::MIN_DURATION..=LONGEST).contains(&self.duration()) {
            return Err(ProposalError::Duration(self.duration()));
        }
        for (amount, name) in [
            (&self.storage_price_per_epoch, "price"),
            (&self.provider_collateral, "provider's collateral"),
            (&self.client_collateral, "client's collateral"),
        ] {
            if amount.is_negative() {
                return Err(ProposalError::Negative(name));
            }
        }
        Ok(())
    }

    /// The bytes that are signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_vec(self).expect("a proposal holds only what CBOR can write")
    }

    /// The name of a proposal: CIDv1, dag-cbor, blake2b-256.
    pub fn cid(&self) -> Cid {
        cid_of(&self.to_bytes())
    }

    /// Signs the proposal.
    ///
    /// Errors: what [`DealProposal::check`] finds; another client's key.
    pub fn sign(self, key: &Key) -> Result<ClientDealProposal, ProposalError> {
        self.check()?;
        if self.client != key.address() {
            return Err(ProposalError::NotTheClient);
        }
        let client_signature = key.sign_bytes(&self.to_bytes());
        Ok(ClientDealProposal { proposal: self, client_signature })
    }
}

impl ClientDealProposal {
    /// Checks the proposal and that `client`, the key address of its client, signed it.
    pub fn verify(&self, client: &Address) -> Result<(), ProposalError> {
        self.proposal.check()?;
        Ok(self.client_signature.verify(&self.proposal.to_bytes(), client)?)
    }
}
