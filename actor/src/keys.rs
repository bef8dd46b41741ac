//! Handlers of keys.

use bauta_abi::{Event, GetKeyParams, GetKeyReturn, PublishKeyParams};

use crate::error::Result;
use crate::runtime::{Runtime, resolve, transaction, view};

pub fn publish_key<R: Runtime>(rt: &mut R, params: PublishKeyParams) -> Result<()> {
    let (owner, now) = (rt.caller(), rt.epoch());
    let version = transaction(rt, |state| state.publish_key(owner, params.recipient, now))?;
    rt.emit(&Event::KeyPublished { owner, version })
}

pub fn get_key<R: Runtime>(rt: &mut R, params: GetKeyParams) -> Result<GetKeyReturn> {
    let owner = resolve(rt, &params.address)?;
    view(rt, |state| state.key(owner))
}
