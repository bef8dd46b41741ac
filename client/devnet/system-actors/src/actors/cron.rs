//! f03: calls the power and the market actor at the end of every epoch.

use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sys::SendFlags;
use fvm_shared::{ActorID, MethodNum};

use crate::method::{CONSTRUCTOR, cron};
use crate::runtime::{Answer, Params, SYSTEM, caller_is, done, load, save, try_send, unhandled};

/// Whom to call, and the method.
type State = (Vec<(Address, MethodNum)>,);

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    const ALLOWED: &[ActorID] = &[SYSTEM];
    match method {
        CONSTRUCTOR => {
            caller_is(ALLOWED)?;
            save(&params.get::<State>()?)?;
        }
        cron::EPOCH_TICK => {
            params.none()?;
            caller_is(ALLOWED)?;
            let (entries,): State = load()?;
            for (to, method) in entries {
                // One actor's failure must not stop the others, nor the chain.
                let _ = try_send(&to, method, None, TokenAmount::default(), SendFlags::default());
            }
        }
        _ => return unhandled(),
    }
    done()
}
