//! Accounts: a key address, and signatures checked against it.

use fvm_shared::MethodNum;
use fvm_shared::address::{Address, Protocol};
use fvm_shared::crypto::signature::{Signature, SignatureType};

use crate::abi::AuthenticateMessageParams;
use crate::failure::{illegal_argument, illegal_state};
use crate::method::{CONSTRUCTOR, FIRST_EXPORTED, account};
use crate::runtime::{Answer, Params, SYSTEM, caller_is, done, load, reply, save, unhandled};

/// The VM reads and writes this.
type State = (Address,);

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            let address: Address = params.get()?;
            caller_is(&[SYSTEM])?;
            if !matches!(address.protocol(), Protocol::Secp256k1 | Protocol::BLS) {
                return Err(illegal_argument("address must be a key address"));
            }
            save(&(address,))?;
            done()
        }
        account::PUBKEY_ADDRESS => {
            params.none()?;
            let (address,): State = load()?;
            reply(&address)
        }
        account::AUTHENTICATE_MESSAGE => {
            let AuthenticateMessageParams { signature: bytes, message } = params.get()?;
            let (address,): State = load()?;
            let sig_type = match address.protocol() {
                Protocol::Secp256k1 => SignatureType::Secp256k1,
                Protocol::BLS => SignatureType::BLS,
                _ => return Err(illegal_state("not a key address")),
            };
            match fvm_sdk::crypto::verify_signature(&Signature { sig_type, bytes }, &address, &message) {
                Ok(true) => reply(&true),
                _ => Err(illegal_argument("signature invalid")),
            }
        }
        // An account takes every message for it as delivered.
        FIRST_EXPORTED.. => done(),
        _ => unhandled(),
    }
}
