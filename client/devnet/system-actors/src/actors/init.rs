//! f01: hands out actor ids and creates actors. The VM reads its state to resolve addresses.

use cid::Cid;
use fvm_ipld_encoding::RawBytes;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::tuple::*;
use fvm_ipld_hamt::Hamt;
use fvm_sdk::{actor, message};
use fvm_shared::address::Address;
use fvm_shared::{ActorID, HAMT_BIT_WIDTH, MethodNum};

use crate::abi::{Created, Exec4Params, ExecParams};
use crate::failure::{Failure, Result, forbidden, illegal_argument, illegal_state};
use crate::method::{CONSTRUCTOR, init};
use crate::runtime::{
    Answer, EAM, Params, SYSTEM, Store, caller_is, done, kind, kind_of, load, reply, save, send, unhandled,
};

/// Ids below are for singletons.
const FIRST_ID: ActorID = 100;

/// As the VM expects it (`fvm::init_actor::State`).
#[derive(Serialize_tuple, Deserialize_tuple)]
struct State {
    address_map: Cid,
    next_id: ActorID,
    network_name: String,
}

/// Entry point.
pub fn invoke(method: MethodNum, params: &Params) -> Answer {
    match method {
        CONSTRUCTOR => {
            let (network_name,): (String,) = params.get()?;
            caller_is(&[SYSTEM])?;
            let address_map = Hamt::<_, ActorID>::new_with_bit_width(Store, HAMT_BIT_WIDTH).flush()?;
            save(&State { address_map, next_id: FIRST_ID, network_name })?;
            done()
        }
        init::EXEC => {
            let ExecParams { code, constructor_params } = params.get()?;
            let caller = message::caller();
            let allowed = match actor::get_builtin_actor_type(&code) {
                Some(kind::MULTISIG | kind::PAYMENT_CHANNEL) => true,
                Some(kind::MINER) => kind_of(caller) == Some(kind::POWER),
                _ => false,
            };
            if !allowed {
                return Err(forbidden("caller cannot create actors of this code"));
            }
            create(code, constructor_params, None)
        }
        init::EXEC4 => {
            let Exec4Params { code, constructor_params, subaddress } = params.get()?;
            caller_is(&[EAM])?;
            let delegated = Address::new_delegated(message::caller(), subaddress.bytes())
                .map_err(|_| illegal_argument("invalid delegated address"))?;
            create(code, constructor_params, Some(delegated))
        }
        _ => unhandled(),
    }
}

fn create(code: Cid, constructor_params: RawBytes, delegated: Option<Address>) -> Answer {
    let robust = actor::next_actor_address();
    let (id, existing) = assign(&robust, delegated.as_ref())?;
    if existing && kind_of(id) != Some(kind::PLACEHOLDER) {
        return Err(forbidden("cannot replace an actor"));
    }
    actor::create_actor(id, &code, delegated).map_err(|_| illegal_state("cannot create the actor"))?;
    let value = message::value_received();
    let params: Option<IpldBlock> = constructor_params.into();
    send(id, CONSTRUCTOR, params, value)
        .map_err(|f| Failure { why: format!("constructor failed: {}", f.why).into(), ..f })?;
    reply(&Created { id: Address::new_id(id), robust })
}

/// Gives the addresses an id: a new one, unless the delegated address has one already.
fn assign(robust: &Address, delegated: Option<&Address>) -> Result<(ActorID, bool)> {
    let mut state: State = load()?;
    let mut map = Hamt::<_, ActorID>::load_with_bit_width(&state.address_map, Store, HAMT_BIT_WIDTH)?;
    let known = match delegated {
        Some(address) => map.get(&address.to_bytes())?.copied(),
        None => None,
    };
    let id = known.unwrap_or(state.next_id);
    if known.is_none() {
        state.next_id += 1;
        if let Some(address) = delegated {
            map.set(address.to_bytes().into(), id)?;
        }
    }
    if map.set(robust.to_bytes().into(), id)?.is_some() {
        return Err(forbidden("robust address is already allocated"));
    }
    state.address_map = map.flush()?;
    save(&state)?;
    Ok((id, known.is_some()))
}
