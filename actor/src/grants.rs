//! Handlers of grants.

use bauta_abi::{
    Event, GetGrantParams, GetGrantReturn, GrantAccessParams, GrantSpec, ListGrantsParams, ListGrantsReturn,
    ListSharedParams, ListSharedReturn, RevokeAccessParams,
};
use fvm_shared::ActorID;

use crate::error::{Error, Result};
use crate::events;
use crate::runtime::{Runtime, resolve, resolve_existing, transaction, view};
use crate::state::NewGrant;

pub fn grant_access<R: Runtime>(rt: &mut R, params: GrantAccessParams) -> Result<()> {
    let (caller, now, id) = (rt.caller(), rt.epoch(), params.id);
    let new_grant = |GrantSpec { address, wrap, rights, expiration }| {
        Ok(NewGrant { grantee: resolve_existing(rt, &address)?, wrap, rights, expiration })
    };
    let grants: Vec<NewGrant> = params.grants.into_iter().map(new_grant).collect::<Result<_>>()?;
    each_once(grants.iter().map(|grant| grant.grantee))?;
    let granted: Vec<_> = grants.iter().map(|grant| events::access_granted(id, caller, grant)).collect();
    transaction(rt, |state| state.grant_access(caller, id, grants, now))?;
    granted.iter().try_for_each(|event| rt.emit(event))
}

pub fn revoke_access<R: Runtime>(rt: &mut R, params: RevokeAccessParams) -> Result<()> {
    let (by, id) = (rt.caller(), params.id);
    let grantees: Vec<_> = params.addresses.iter().map(|address| resolve(rt, address)).collect::<Result<_>>()?;
    transaction(rt, |state| state.revoke_access(by, id, &grantees))?;
    grantees.into_iter().try_for_each(|grantee| rt.emit(&Event::AccessRevoked { id, grantee, by }))
}

pub fn get_grant<R: Runtime>(rt: &mut R, params: GetGrantParams) -> Result<GetGrantReturn> {
    let (now, grantee) = (rt.epoch(), resolve(rt, &params.address)?);
    view(rt, |state| state.grant(params.id, grantee, now))
}

pub fn list_grants<R: Runtime>(rt: &mut R, params: ListGrantsParams) -> Result<ListGrantsReturn> {
    let now = rt.epoch();
    view(rt, |state| state.list_grants(params.id, params.cursor, params.limit, now))
}

pub fn list_shared<R: Runtime>(rt: &mut R, params: ListSharedParams) -> Result<ListSharedReturn> {
    let (now, grantee) = (rt.epoch(), resolve(rt, &params.address)?);
    view(rt, |state| state.list_shared(grantee, params.cursor, params.limit, now))
}

/// Two addresses of one actor would be two grants of which one silently wins.
fn each_once(ids: impl Iterator<Item = ActorID>) -> Result<()> {
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    let twice = ids.windows(2).any(|pair| pair[0] == pair[1]);
    if twice { Err(Error::OutOfBounds("grants")) } else { Ok(()) }
}
