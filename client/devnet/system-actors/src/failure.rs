//! Why a message failed: an exit code and a reason for people who debug.

use std::borrow::Cow;

use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_shared::error::ExitCode;

/// An exit code with a reason. The code is what the caller sees; the reason only reaches the logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Exit code of the message.
    pub code: ExitCode,
    /// Reason, in words.
    pub why: Cow<'static, str>,
    /// What the caller is given beside the code: a contract's reason.
    pub data: Option<IpldBlock>,
}

impl Failure {
    /// With data for the caller.
    pub fn with(self, data: Option<IpldBlock>) -> Self {
        Self { data, ..self }
    }
}

/// The usual result of everything here.
pub type Result<T> = std::result::Result<T, Failure>;

/// A failure with any exit code.
pub fn failure(code: ExitCode, why: impl Into<Cow<'static, str>>) -> Failure {
    Failure { code, why: why.into(), data: None }
}

/// Exit 16: a param is out of bounds.
pub fn illegal_argument(why: &'static str) -> Failure {
    failure(ExitCode::USR_ILLEGAL_ARGUMENT, why)
}

/// Exit 17: something named does not exist.
pub fn not_found(why: &'static str) -> Failure {
    failure(ExitCode::USR_NOT_FOUND, why)
}

/// Exit 18: not the caller's right, or not now.
pub fn forbidden(why: &'static str) -> Failure {
    failure(ExitCode::USR_FORBIDDEN, why)
}

/// Exit 19: too little money.
pub fn insufficient_funds(why: impl Into<Cow<'static, str>>) -> Failure {
    failure(ExitCode::USR_INSUFFICIENT_FUNDS, why)
}

/// Exit 20: state is not what it must be.
pub fn illegal_state(why: &'static str) -> Failure {
    failure(ExitCode::USR_ILLEGAL_STATE, why)
}

/// Fails with `error` unless `condition` holds.
pub fn ensure(condition: bool, error: impl FnOnce() -> Failure) -> Result<()> {
    if condition { Ok(()) } else { Err(error()) }
}

impl From<fvm_ipld_amt::Error> for Failure {
    fn from(_: fvm_ipld_amt::Error) -> Self {
        illegal_state("broken array")
    }
}

impl From<fvm_ipld_hamt::Error> for Failure {
    fn from(_: fvm_ipld_hamt::Error) -> Self {
        illegal_state("broken map")
    }
}

impl From<fvm_ipld_encoding::Error> for Failure {
    fn from(_: fvm_ipld_encoding::Error) -> Self {
        failure(ExitCode::USR_SERIALIZATION, "cannot encode or decode")
    }
}
