//! Why a message did not do what it should: told apart by what the sender can do about it.

use std::fmt;

use cid::Cid;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use thiserror::Error;

use crate::home::FileError;
use crate::message::MessageError;
use crate::node::NodeError;
use crate::wallet::KeyError;

/// Why a message did not do what it should.
#[derive(Debug, Error)]
pub enum SendError {
    /// Nothing was sent: the node was not reached. Trying again is safe.
    #[error("the node was not reached: {0}")]
    Unreachable(String),
    /// Nothing was sent: the node did not take it.
    #[error("the node refused the message ({code}): {message}")]
    Refused {
        /// The JSON-RPC error code.
        code: i64,
        /// The node's sentence.
        message: String,
    },
    /// The node's answer is not understood; nothing was sent.
    #[error("the node's answer is not understood: {0}")]
    Malformed(String),
    /// The actor refused. Without a CID the node only tried the call, and nothing was sent; with one it was executed and has cost gas.
    #[error("the actor rejected the call with exit code {exit_code}: {message}")]
    Rejected {
        /// The actor's exit code.
        exit_code: u32,
        /// The VM's sentence, or the code's name.
        message: String,
        /// The message, if it was executed.
        cid: Option<Cid>,
    },
    /// It was or may have been sent, and no receipt is known. It may still be executed.
    #[error("message {cid} was sent but not confirmed: {reason}")]
    Unconfirmed {
        /// The message.
        cid: Cid,
        /// What stood in the way.
        reason: String,
    },
    /// An earlier run has signed it, another message or itself has taken its nonce, and the node does not look back that far.
    #[error(
        "message {cid} was signed at epoch {since}, its nonce is taken, and the node does not look back that far: an explorer tells whether it was executed; if it was not, remove {slip}"
    )]
    Forgotten {
        /// The message.
        cid: Cid,
        /// An epoch before it was signed.
        since: ChainEpoch,
        /// The file that it is written down in.
        slip: Box<str>,
    },
    /// The sender does not have that much.
    #[error("not enough funds: {have} FIL, and {need} FIL are needed")]
    Funds {
        /// The sender's balance.
        have: TokenAmount,
        /// Value and highest fee.
        need: TokenAmount,
    },
    /// Gas costs more than the sender allows.
    #[error("gas could cost {fee} FIL, which is above the limit of {limit} FIL")]
    TooExpensive {
        /// The highest fee.
        fee: TokenAmount,
        /// The limit.
        limit: TokenAmount,
    },
    /// The node belongs to another network.
    #[error("the node is not of network `{network}`: its {what} is `{found}`, not `{expected}`")]
    WrongNetwork {
        /// The network that was chosen.
        network: String,
        /// `name` or `chain id`.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The sender is an f410 account, and no Ethereum transaction can say this; nothing was sent.
    #[error(
        "an f410 account (0x…) can only call contracts, make them, and pay who is on the chain: {0}; an f1 or f3 account can do it"
    )]
    NoTransaction(String),
    /// Whoever watches said no; nothing was sent.
    #[error("stopped before anything was sent: {0}")]
    Stopped(String),
    /// What is to be sent must not be sent twice, and the sender writes nothing down; nothing was sent.
    #[error("the sender writes no messages down (`Sender::with_slips`), so what is begun could not be gone on with")]
    NoSlips,
    /// The message could not be written down; nothing was sent.
    #[error(transparent)]
    Slip(#[from] FileError),
    /// The message itself cannot be.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The key cannot sign it.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl SendError {
    /// A failed estimate: the actor's refusal, where the node tells it.
    pub(super) fn from_estimate(error: NodeError) -> Self {
        match error.execution_failure() {
            Some((exit_code, message)) => Self::Rejected { exit_code, message, cid: None },
            None => error.into(),
        }
    }

    /// Whether trying again later is sensible: the network's fault, and nothing was sent.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }

    /// Whether a message that was signed will never have an effect: it was executed and failed, or another one took its nonce.
    pub fn can_never_be(&self) -> bool {
        match self {
            Self::Rejected { cid, .. } => cid.is_some(),
            Self::Refused { message, code } => {
                let refused = NodeError::Refused { code: *code, message: message.clone() };
                message.contains("nonce too low") || refused.is_replaced()
            }
            _ => false,
        }
    }

    /// Whether nothing is left of a message that was just made: it was executed and failed, or no node has taken it. Otherwise it may still
    /// come out that it arrived.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Refused { code, message } => {
                NodeError::Refused { code: *code, message: message.clone() }.is_definite() || self.can_never_be()
            }
            Self::Unreachable(_) | Self::Unconfirmed { .. } | Self::Forgotten { .. } | Self::Malformed(_) => false,
            _ => true,
        }
    }
}

impl From<NodeError> for SendError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Unreachable(reason) => Self::Unreachable(reason),
            NodeError::Refused { code, message } => Self::Refused { code, message },
            NodeError::Malformed(reason) => Self::Malformed(reason),
        }
    }
}

/// Names an exit code that the chain itself or its conventions define; Bauta's own are named by its ABI.
///
/// Source: `fvm_shared::error::ExitCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitName(pub u32);

impl fmt::Display for ExitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "success",
            1 => "the sender is not an account that can send",
            2 => "the sender's nonce or balance is not what the message needs",
            4 => "the actor broke the rules of the virtual machine",
            5 => "the receiver does not exist",
            6 => "not enough funds",
            7 => "out of gas",
            9 => "the actor exited with a code that is not its to use",
            10 => "the virtual machine broke down",
            11 => "the actor's return value is missing",
            16 => "a param is out of bounds",
            17 => "not found",
            18 => "not the caller's right",
            19 => "not the value that the method takes",
            20 => "the actor's state is broken",
            21 => "the params do not decode",
            22 => "the actor has no such method",
            23 => "the actor failed without saying why",
            24 => "a check inside the actor failed",
            25 => "the method writes, and the call is read-only",
            26 => "the method takes no value",
            other => return write!(f, "code {other}"),
        })
    }
}
