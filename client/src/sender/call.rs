//! What is asked of an actor, what it costs, and what came of it.

use cid::Cid;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use num_traits::Zero;

use crate::node::json::Receipt;

/// What is asked of an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which actor.
    pub to: Address,
    /// Which method.
    pub method: u64,
    /// attoFIL sent along.
    pub value: TokenAmount,
    /// CBOR.
    pub params: RawBytes,
    /// What of the params makes two calls the same, where some of them follow from the hour; the params themselves without it. It is not sent.
    pub meaning: Option<RawBytes>,
    /// Whether its slip stays when its receipt has been seen, until [`Sender::forget`](super::Sender::forget): for who writes down what came of it.
    pub kept: bool,
}

impl Call {
    /// A call without value and params.
    pub fn new(to: Address, method: u64) -> Self {
        Self { to, method, value: TokenAmount::zero(), params: RawBytes::default(), meaning: None, kept: false }
    }

    /// Sends money along.
    pub fn with_value(mut self, value: TokenAmount) -> Self {
        self.value = value;
        self
    }

    /// Sends params along.
    pub fn with_params(mut self, params: RawBytes) -> Self {
        self.params = params;
        self
    }

    /// Says what makes it the same as another one, for [`Sender::send`](super::Sender::send) with slips.
    pub fn with_meaning(mut self, meaning: Option<RawBytes>) -> Self {
        self.meaning = meaning;
        self
    }

    /// Keeps its slip until [`Sender::forget`](super::Sender::forget): sent again before that, it is still the same message.
    pub fn kept(mut self, kept: bool) -> Self {
        self.kept = kept;
        self
    }
}

/// What a call costs at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// attoFIL sent along.
    pub value: TokenAmount,
    /// The most that gas can take.
    pub max_fee: TokenAmount,
    /// The highest gas use that is allowed.
    pub gas_limit: u64,
    /// What the sender has.
    pub balance: TokenAmount,
}

impl Cost {
    /// Value and fee.
    pub fn total(&self) -> TokenAmount {
        self.value.clone() + self.max_fee.clone()
    }
}

/// A message that is on the chain, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The CID that nodes know it by.
    pub cid: Cid,
    /// Its receipt; the exit code is 0.
    pub receipt: Receipt,
    /// The epoch that it was executed at.
    pub height: ChainEpoch,
}
