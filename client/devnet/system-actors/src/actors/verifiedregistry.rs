//! f06: there are no claims and no datacap on this network (frozen since network version 29, FIP-0118).

use fvm_shared::address::Address;
use fvm_shared::error::ExitCode;
use fvm_shared::{ActorID, MethodNum};

use crate::abi::BatchReturn;
use crate::failure::{forbidden, illegal_argument};
use crate::method::{CONSTRUCTOR, verifreg};
use crate::runtime::{Answer, Params, SYSTEM, caller_is, done, reply, resolve, save, unhandled};

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            let root: Address = params.get()?;
            caller_is(&[SYSTEM])?;
            let root = resolve(&root).ok_or_else(|| illegal_argument("root is not an actor"))?;
            save(&(Address::new_id(root),))?;
            done()
        }
        verifreg::GET_CLAIMS | verifreg::GET_CLAIMS_EXPORTED => {
            let (_provider, ids): (ActorID, Vec<u64>) = params.get()?;
            let mut results = BatchReturn::default();
            ids.iter().for_each(|_| results.push(ExitCode::USR_NOT_FOUND));
            reply(&(results, Vec::<()>::new()))
        }
        m if verifreg::FROZEN.contains(&m) => {
            params.some()?;
            Err(forbidden("the verified registry is frozen"))
        }
        _ => unhandled(),
    }
}
