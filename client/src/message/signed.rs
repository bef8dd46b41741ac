//! A message with its signature.

use cid::Cid;
use fvm_shared::address::Protocol;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::eth::{EthError, EthTransaction};
use super::{MAX_MESSAGE_SIZE, Message, MessageError, Signature, SignatureError, SignatureKind, check, cid, cid_of};

/// A message and its signature. On the wire: the DAG-CBOR array `[message, type byte ‖ signature]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignedMessage {
    /// What is asked of the chain.
    pub message: Message,
    /// Made over the message's CID.
    pub signature: Signature,
}

impl SignedMessage {
    /// Encodes for the mempool and for the chain.
    pub fn to_bytes(&self) -> Vec<u8> {
        fvm_ipld_encoding::to_vec(self)
            .expect("a signed message holds only integers and byte strings, which always encode")
    }

    /// Decodes; only canonical bytes within [`MAX_MESSAGE_SIZE`] are taken.
    ///
    /// Errors: TooBig; Undecodable; Version: not 0; NotCanonical.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MAX_MESSAGE_SIZE {
            return Err(MessageError::TooBig(bytes.len()));
        }
        let signed: Self =
            fvm_ipld_encoding::from_slice(bytes).map_err(|error| MessageError::Undecodable(error.to_string()))?;
        if signed.message.version != 0 {
            return Err(MessageError::Version(signed.message.version));
        }
        if signed.to_bytes() == bytes { Ok(signed) } else { Err(MessageError::NotCanonical) }
    }

    /// The CID that nodes know this message by: that of the signed bytes, and for BLS that of the message alone, because blocks aggregate BLS
    /// signatures.
    pub fn cid(&self) -> Cid {
        match self.signature.kind() {
            SignatureKind::Bls => cid(&self.message),
            SignatureKind::Secp256k1 | SignatureKind::Delegated => cid_of(&self.to_bytes()),
        }
    }

    /// The bytes that the chain stores and charges for: BLS signatures are aggregated away.
    pub fn on_chain_len(&self) -> usize {
        match self.signature.kind() {
            SignatureKind::Bls => super::to_bytes(&self.message).len(),
            SignatureKind::Secp256k1 | SignatureKind::Delegated => self.to_bytes().len(),
        }
    }

    /// Checks the signature against the sender's address, f410 senders included; an ID sender has to be resolved to its key address first.
    ///
    /// Errors: the signature is not the sender's; what an f410 account says is no transaction of this chain.
    pub fn verify_on(&self, chain_id: u64) -> Result<(), EthError> {
        if self.signature.kind() != SignatureKind::Delegated {
            return Ok(self.verify()?);
        }
        let sender = EthTransaction::of_signed(self, chain_id)?.sender()?;
        if sender.to_filecoin() == self.message.from { Ok(()) } else { Err(SignatureError::Mismatch.into()) }
    }

    /// Checks the signature against the sender's address; an ID sender has to be resolved to its key address first.
    ///
    /// Errors: the signature is not the sender's; NeedsChain: it is an f410 account's, see [`SignedMessage::verify_on`].
    pub fn verify(&self) -> Result<(), SignatureError> {
        self.verify_for(&self.message.from)
    }

    /// Checks the signature against `signer`, the key address behind an ID sender.
    ///
    /// Errors: NeedsChain: it is an f410 account's, see [`SignedMessage::verify_on`]; as [`Signature::verify`].
    pub fn verify_for(&self, signer: &fvm_shared::address::Address) -> Result<(), SignatureError> {
        if self.signature.kind() == SignatureKind::Delegated && signer.protocol() == Protocol::Delegated {
            return Err(SignatureError::NeedsChain);
        }
        self.signature.verify(&cid(&self.message).to_bytes(), signer)
    }

    /// Checks what nodes check on arrival, except for signature, nonce and balance.
    ///
    /// Errors: TooBig: above [`MAX_MESSAGE_SIZE`]; as [`check`](super::check).
    pub fn check(&self) -> Result<(), MessageError> {
        let len = self.to_bytes().len();
        if len > MAX_MESSAGE_SIZE { Err(MessageError::TooBig(len)) } else { check(&self.message) }
    }
}

impl Serialize for SignedMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.message, &self.signature).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SignedMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (message, signature) = Deserialize::deserialize(deserializer)?;
        Ok(Self { message, signature })
    }
}
