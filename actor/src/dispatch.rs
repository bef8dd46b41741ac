//! One table: method to handler. The only place that decodes params and encodes returns.

use bauta_abi::{CONSTRUCTOR, Method, Wire, decode, encode};
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::{CBOR, DAG_CBOR, from_slice, to_vec};
use fvm_shared::EMPTY_ARR_CID;

use crate::error::{Error, Result};
use crate::runtime::Runtime;
use crate::state::State;
use crate::{bounties, files, grants, keys};

/// The CBOR of a return value, if the method has one.
pub type Reply = Option<Vec<u8>>;

/// Runs one message. On an error the caller must undo everything; the chain does so when we exit with the error's code.
pub fn dispatch<R: Runtime>(rt: &mut R, method: u64, params: Option<IpldBlock>) -> Result<Reply> {
    let takes_value = Method::from_number(method).is_some_and(Method::is_payable);
    if !takes_value && !rt.value_received().is_zero() {
        return Err(Error::WrongValue);
    }
    if method == CONSTRUCTOR {
        return construct(rt).map(|()| None);
    }
    match Method::from_number(method).ok_or(Error::UnknownMethod(method))? {
        Method::PublishKey => run(rt, params, keys::publish_key),
        Method::GetKey => call(rt, params, keys::get_key),

        Method::RegisterFile => call(rt, params, files::register_file),
        Method::UpdateFile => call(rt, params, files::update_file),
        Method::TransferFile => run(rt, params, files::transfer_file),
        Method::RemoveFile => run(rt, params, files::remove_file),
        Method::GetFile => call(rt, params, files::get_file),
        Method::ListFiles => call(rt, params, files::list_files),

        Method::GrantAccess => run(rt, params, grants::grant_access),
        Method::RevokeAccess => run(rt, params, grants::revoke_access),
        Method::GetGrant => call(rt, params, grants::get_grant),
        Method::ListGrants => call(rt, params, grants::list_grants),
        Method::ListShared => call(rt, params, grants::list_shared),

        Method::CreateBounty => call(rt, params, bounties::create_bounty),
        Method::FundBounty => run(rt, params, bounties::fund_bounty),
        Method::SectorContentChanged => {
            // Not `decode`: a miner is understood whatever form it chooses.
            let told = cbor(params).and_then(|data| from_slice(&data).map_err(|e| Error::Malformed(e.to_string())));
            reply(bounties::sector_content_changed(rt, told)?)
        }
        Method::ClaimBounty => call(rt, params, bounties::claim_bounty),
        Method::SettleBounty => call(rt, params, bounties::settle_bounty),
        Method::CancelBounty => run(rt, params, bounties::cancel_bounty),
        Method::RefundBounty => call(rt, params, bounties::refund_bounty),
        Method::GetBounty => call(rt, params, bounties::get_bounty),
        Method::ListBounties => call(rt, params, bounties::list_bounties),
        Method::ListBountyClaims => call(rt, params, bounties::list_bounty_claims),
    }
}

/// Makes the empty state, once: a new actor's root is the empty array.
fn construct<R: Runtime>(rt: &mut R) -> Result<()> {
    if rt.root()? != EMPTY_ARR_CID {
        return Err(Error::Forbidden("the actor is constructed already"));
    }
    let root = State::empty(rt.store())?.save()?;
    rt.set_root(&root)
}

/// A method that returns a value.
fn call<R: Runtime, P: Wire, T: Wire>(
    rt: &mut R,
    params: Option<IpldBlock>,
    handler: fn(&mut R, P) -> Result<T>,
) -> Result<Reply> {
    reply(handler(rt, decoded(params)?)?)
}

/// A method that returns nothing.
fn run<R: Runtime, P: Wire>(
    rt: &mut R,
    params: Option<IpldBlock>,
    handler: fn(&mut R, P) -> Result<()>,
) -> Result<Reply> {
    handler(rt, decoded(params)?)?;
    Ok(None)
}

fn decoded<P: Wire>(params: Option<IpldBlock>) -> Result<P> {
    Ok(decode(&cbor(params)?)?)
}

fn cbor(params: Option<IpldBlock>) -> Result<Vec<u8>> {
    let block = params.ok_or_else(|| Error::Malformed("there are none".into()))?;
    match block.codec {
        CBOR | DAG_CBOR => Ok(block.data),
        codec => Err(Error::Malformed(format!("codec {codec:#x}"))),
    }
}

fn reply<T: Wire>(value: T) -> Result<Reply> {
    debug_assert!(encode(&value).is_ok(), "a return value keeps its own bounds");
    to_vec(&value).map(Some).map_err(|e| Error::BrokenState(e.to_string()))
}
