//! Actors that only have to be there. Each has code of its own, because the VM tells actors apart by their code.

use fvm_shared::MethodNum;
use fvm_shared::address::Address;
use fvm_shared::error::ExitCode;

use crate::failure::{failure, illegal_argument};
use crate::method::{CONSTRUCTOR, FIRST_EXPORTED};
use crate::runtime::{Answer, Params, SYSTEM, caller_is, done, resolve, save, unhandled};

/// f07: takes its governor and serves nothing.
pub fn datacap(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            let governor: Address = params.get()?;
            caller_is(&[SYSTEM])?;
            let governor = resolve(&governor).ok_or_else(|| illegal_argument("governor is not an actor"))?;
            save(&(Address::new_id(governor),))?;
            done()
        }
        _ => not_served("datacap is not served on this network"),
    }
}

/// Cannot be constructed, so that nobody locks money in it.
pub fn paymentchannel(_: MethodNum, _: &Params) -> Answer {
    not_served("payment channels are not served on this network")
}

/// Cannot be constructed, so that nobody locks money in it.
pub fn multisig(_: MethodNum, _: &Params) -> Answer {
    not_served("multisigs are not served on this network")
}

/// An address without an actor: never runs.
pub fn placeholder(_: MethodNum, _: &Params) -> Answer {
    not_served("a placeholder cannot be called")
}

/// No contracts.
pub fn evm(_: MethodNum, _: &Params) -> Answer {
    not_served("contracts are not served on this network")
}

/// No contracts, so no manager of them.
pub fn eam(_: MethodNum, _: &Params) -> Answer {
    not_served("contracts cannot be deployed on this network")
}

/// An f410 account: like an account, it takes every message for it as delivered.
pub fn ethaccount(method: MethodNum, _: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            caller_is(&[SYSTEM])?;
            done()
        }
        FIRST_EXPORTED.. => done(),
        _ => unhandled(),
    }
}

fn not_served(why: &'static str) -> Answer {
    Err(failure(ExitCode::USR_UNHANDLED_MESSAGE, why))
}
