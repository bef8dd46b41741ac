//! Why a message fails: one enum, one mapping to exit codes.

use std::fmt;

use bauta_abi::{ClaimId, Exit, OutOfBounds, WireError};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::error::ExitCode;

/// Everything that makes the actor refuse a message. A refusal leaves state and money as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The params have another form.
    Malformed(String),
    /// A param is out of its bounds.
    OutOfBounds(&'static str),
    /// The actor has no such method.
    UnknownMethod(u64),
    /// There is no such thing.
    NotFound(&'static str),
    /// An address that nothing on the chain has.
    UnknownAddress(Address),
    /// The caller has no right to do this.
    Forbidden(&'static str),
    /// The value sent is not what the method takes.
    WrongValue,
    /// The state is not what it should be: a defect of ours.
    BrokenState(String),
    /// The file has another version.
    VersionConflict {
        /// What the caller expected.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// The bounty takes no more of this.
    BountyClosed(&'static str),
    /// The bounty has been claimed.
    BountyHasClaims,
    /// The bounty still runs.
    BountyNotEnded,
    /// More than the bounty could ever pay out.
    Overfunded,
    /// The caller has no share.
    NothingToRefund,
    /// The deal does not earn this bounty.
    DealDoesNotFit(&'static str),
    /// The claim is settled to its end.
    ClaimClosed(ClaimId),
    /// The miner does not know the sector at that location.
    StaleLocation(ClaimId),
    /// A transfer failed.
    TransferFailed {
        /// Who should have been paid.
        to: ActorID,
        /// What they answered; none if the chain refused to deliver.
        exit: Option<ExitCode>,
    },
}

impl Error {
    /// The exit that the caller sees.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Malformed(_) => Exit::Serialization,
            Self::OutOfBounds(_) => Exit::IllegalArgument,
            Self::UnknownMethod(_) => Exit::UnhandledMessage,
            Self::NotFound(_) | Self::UnknownAddress(_) => Exit::NotFound,
            Self::Forbidden(_) => Exit::Forbidden,
            Self::WrongValue => Exit::WrongValue,
            Self::BrokenState(_) => Exit::IllegalState,
            Self::VersionConflict { .. } => Exit::VersionConflict,
            Self::BountyClosed(_) => Exit::BountyClosed,
            Self::BountyHasClaims => Exit::BountyHasClaims,
            Self::BountyNotEnded => Exit::BountyNotEnded,
            Self::Overfunded => Exit::Overfunded,
            Self::NothingToRefund => Exit::NothingToRefund,
            Self::DealDoesNotFit(_) => Exit::DealDoesNotFit,
            Self::ClaimClosed(_) => Exit::ClaimClosed,
            Self::StaleLocation(_) => Exit::StaleLocation,
            Self::TransferFailed { .. } => Exit::TransferFailed,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.exit().sentence())?;
        match self {
            Self::Malformed(why) | Self::BrokenState(why) => write!(f, ": {why}"),
            Self::OutOfBounds(what) | Self::NotFound(what) | Self::Forbidden(what) => write!(f, ": {what}"),
            Self::BountyClosed(what) | Self::DealDoesNotFit(what) => write!(f, ": {what}"),
            Self::UnknownMethod(number) => write!(f, ": {number}"),
            Self::UnknownAddress(address) => write!(f, ": {address}"),
            Self::VersionConflict { expected, actual } => write!(f, ": expected version {expected}, it is {actual}"),
            Self::ClaimClosed(claim) | Self::StaleLocation(claim) => write!(f, ": claim {claim}"),
            Self::TransferFailed { to, exit: Some(exit) } => write!(f, ": f0{to} answered {exit}"),
            Self::TransferFailed { to, exit: None } => write!(f, ": f0{to} could not be reached"),
            Self::WrongValue
            | Self::BountyHasClaims
            | Self::BountyNotEnded
            | Self::Overfunded
            | Self::NothingToRefund => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<WireError> for Error {
    fn from(e: WireError) -> Self {
        match e {
            WireError::Malformed(why) => Self::Malformed(why),
            WireError::OutOfBounds(what) => what.into(),
        }
    }
}

impl From<OutOfBounds> for Error {
    fn from(e: OutOfBounds) -> Self {
        Self::OutOfBounds(e.0)
    }
}

/// What every rule and handler returns.
pub type Result<T> = std::result::Result<T, Error>;
