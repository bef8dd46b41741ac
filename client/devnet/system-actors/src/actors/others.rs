//! Actors that only have to be there. Each has code of its own, because the VM tells actors apart by their code.

use fvm_shared::MethodNum;
use fvm_shared::address::Address;
use fvm_shared::error::ExitCode;

use crate::failure::{failure, illegal_argument};
use crate::method::CONSTRUCTOR;
use crate::runtime::{Answer, Params, SYSTEM, caller_is, done, resolve, save};

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

/// An address without an actor: whatever is sent to it has arrived.
pub fn placeholder(_: MethodNum, _: &Params) -> Answer {
    done()
}

fn not_served(why: &'static str) -> Answer {
    Err(failure(ExitCode::USR_UNHANDLED_MESSAGE, why))
}
