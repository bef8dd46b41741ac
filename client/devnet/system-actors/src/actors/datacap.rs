//! f07: the token of verified deals. There is none on this network, and nobody can make any: reads answer, the rest is not
//! served.

use fvm_shared::MethodNum;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;

use crate::failure::{failure, illegal_argument};
use crate::method::{CONSTRUCTOR, datacap};
use crate::runtime::{Answer, Params, SYSTEM, caller_is, done, reply, resolve, save};

/// The smallest amount of it.
const GRANULARITY: u64 = 1_000_000_000_000_000_000;

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            let governor: Address = params.get()?;
            caller_is(&[SYSTEM])?;
            let governor = resolve(&governor).ok_or_else(|| illegal_argument("governor is not an actor"))?;
            save(&(Address::new_id(governor),))?;
            done()
        }
        datacap::NAME => {
            params.none()?;
            reply(&"DataCap")
        }
        datacap::SYMBOL => {
            params.none()?;
            reply(&"DCAP")
        }
        datacap::GRANULARITY => {
            params.none()?;
            reply(&GRANULARITY)
        }
        datacap::TOTAL_SUPPLY => {
            params.none()?;
            reply(&TokenAmount::default())
        }
        datacap::BALANCE => {
            let _holder: Address = params.get()?;
            reply(&TokenAmount::default())
        }
        datacap::ALLOWANCE => {
            let _owner_and_operator: (Address, Address) = params.get()?;
            reply(&TokenAmount::default())
        }
        _ => Err(failure(ExitCode::USR_UNHANDLED_MESSAGE, "there is no datacap on this network")),
    }
}
