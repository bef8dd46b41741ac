//! f410 accounts. The VM turns a placeholder into one at its first message.

use fvm_sdk::{actor, message};
use fvm_shared::MethodNum;

use crate::eth::EthAddress;
use crate::failure::illegal_argument;
use crate::method::{CONSTRUCTOR, FIRST_EXPORTED};
use crate::runtime::{Answer, Params, SYSTEM, caller_is, done, unhandled};

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            params.none()?;
            caller_is(&[SYSTEM])?;
            match actor::lookup_delegated_address(message::receiver()) {
                Some(f4) if EthAddress::of_f410(&f4).is_some() => done(),
                _ => Err(illegal_argument("receiver must have an f410 address")),
            }
        }
        // Like an account, it takes every message for it as delivered.
        FIRST_EXPORTED.. => done(),
        _ => unhandled(),
    }
}
