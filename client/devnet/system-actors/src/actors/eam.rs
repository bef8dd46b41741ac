//! f010, the Ethereum address manager: gives contracts their addresses.

use fvm_ipld_encoding::tuple::*;
use fvm_ipld_encoding::{RawBytes, strict_bytes};
use fvm_sdk::{actor, message};
use fvm_shared::address::Address;
use fvm_shared::crypto::hash::SupportedHashes;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::sys::SendFlags;
use fvm_shared::{ActorID, MethodNum};
use num_traits::Zero;
use serde::{Deserialize, Serialize};

use crate::abi::{Created, Exec4Params};
use crate::eth::EthAddress;
use crate::failure::{Result, failure, forbidden};
use crate::method::{CONSTRUCTOR, account, eam, evm, init};
use crate::runtime::{
    Answer, EAM, INIT, Params, SYSTEM, block, caller_is, decode, done, kind, kind_of, outcome, reply, send, try_send,
    unhandled,
};

/// Code and nonce of the contract that creates.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct CreateParams {
    /// Code that makes the code.
    #[serde(with = "strict_bytes")]
    pub initcode: Vec<u8>,
    /// How many contracts the creator has made, from 1.
    pub nonce: u64,
}

/// Code and salt.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct Create2Params {
    /// Code that makes the code.
    #[serde(with = "strict_bytes")]
    pub initcode: Vec<u8>,
    /// Chosen by the creator.
    #[serde(with = "strict_bytes")]
    pub salt: [u8; 32],
}

/// A bare byte string.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct CreateExternalParams(#[serde(with = "strict_bytes")] Vec<u8>);

/// The contract that has been made.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct Return {
    /// Its id.
    pub id: ActorID,
    /// f2; none if a dead contract was brought back.
    pub robust: Option<Address>,
    /// Its address in Ethereum's form.
    pub address: EthAddress,
}

/// Params of a contract's constructor.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct Construct {
    /// Who makes it.
    pub creator: EthAddress,
    /// Code that makes the code.
    pub initcode: RawBytes,
}

/// Entry point. Anybody may call.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            params.none()?;
            if message::receiver() != EAM {
                return Err(forbidden("the address manager must be f010"));
            }
            caller_is(&[SYSTEM])?;
            done()
        }
        eam::CREATE => {
            let CreateParams { initcode, nonce } = params.required()?;
            let creator = calling_contract()?;
            create(creator, by_nonce(&creator, nonce), initcode)
        }
        eam::CREATE2 => {
            let Create2Params { initcode, salt } = params.required()?;
            let creator = calling_contract()?;
            let seed = [&[0xff], &creator.0[..], &salt, &keccak(&initcode)].concat();
            create(creator, last_20(&seed), initcode)
        }
        eam::CREATE_EXTERNAL => {
            let CreateExternalParams(initcode) = params.required()?;
            caller_is(&[message::origin()])?;
            let (creator, stable) = calling_account()?;
            create(creator, by_nonce(&stable, message::nonce()), initcode)
        }
        _ => unhandled(),
    }
}

fn create(creator: EthAddress, address: EthAddress, initcode: Vec<u8>) -> Answer {
    if address.is_reserved() {
        return Err(forbidden("cannot create address with a reserved prefix"));
    }
    let constructor_params = RawBytes::serialize(Construct { creator, initcode: initcode.into() })?;
    let value = message::value_received();
    if let Some(id) = actor::resolve_address(&address.into()) {
        match kind_of(id) {
            // Comes back to life if it is dead.
            Some(kind::EVM) => {
                send(id, evm::RESURRECT, constructor_params.into(), value)?;
                return reply(&Return { id, robust: None, address });
            }
            Some(kind::PLACEHOLDER) => {}
            _ => return Err(forbidden("cannot deploy contract over existing contract")),
        }
    }
    let code = actor::get_code_cid_for_type(kind::EVM);
    let exec = Exec4Params { code, constructor_params, subaddress: address.0.to_vec().into() };
    let Created { id, robust } = decode(send(INIT, init::EXEC4, block(&exec)?, value)?)?;
    let id = id.id().map_err(|_| failure(ExitCode::USR_ASSERTION_FAILED, "the init actor answers with an id"))?;
    reply(&Return { id, robust: Some(robust), address })
}

/// The address of the contract that calls.
fn calling_contract() -> Result<EthAddress> {
    if kind_of(message::caller()) != Some(kind::EVM) {
        return Err(forbidden("caller is not a contract"));
    }
    f410(message::caller())
}

fn f410(id: ActorID) -> Result<EthAddress> {
    actor::lookup_delegated_address(id)
        .and_then(|f4| EthAddress::of_f410(&f4))
        .ok_or_else(|| forbidden("caller doesn't have an eth address"))
}

/// The account that calls: its address for contracts, and the one that addresses are derived from. They differ for f1 and
/// f3 accounts, whose id could still change in a reorganisation.
fn calling_account() -> Result<(EthAddress, EthAddress)> {
    let caller = message::caller();
    match kind_of(caller) {
        Some(kind::ACCOUNT) => {
            let id = Address::new_id(caller);
            let asked = try_send(&id, account::PUBKEY_ADDRESS, None, TokenAmount::zero(), SendFlags::READ_ONLY);
            let key: Address = decode(outcome(asked)?)?;
            Ok((EthAddress::from_id(caller), last_20(&key.to_bytes())))
        }
        Some(kind::ETH_ACCOUNT) => {
            let address = f410(caller)?;
            Ok((address, address))
        }
        _ => Err(forbidden("disallowed caller type")),
    }
}

/// keccak256(rlp([address, nonce])), the last 20 bytes.
fn by_nonce(address: &EthAddress, nonce: u64) -> EthAddress {
    let bytes = nonce.to_be_bytes();
    let digits = &bytes[nonce.leading_zeros() as usize / 8..];
    let mut list = vec![0x80 + 20];
    list.extend(address.0);
    match digits {
        [small] if *small < 0x80 => list.push(*small),
        _ => {
            list.push(0x80 + digits.len() as u8);
            list.extend(digits);
        }
    }
    list.insert(0, 0xc0 + list.len() as u8);
    last_20(&list)
}

fn last_20(data: &[u8]) -> EthAddress {
    EthAddress(keccak(data)[12..].try_into().expect("32 - 12 = 20"))
}

fn keccak(data: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    fvm_sdk::crypto::hash_into(SupportedHashes::Keccak256, data, &mut digest);
    digest
}
