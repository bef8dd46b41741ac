//! State as JSON: what an actor's root object holds, without the names that only its code knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bauta_client::address::Prefix;
use bauta_client::node::json::CidJson;
use cid::Cid;
use serde_json::{Map, Value, json};

use super::args::answer;
use super::{Answer, Args, Method, RpcError, actors};
use crate::chain::Chain;

pub(super) const METHODS: &[Method] = &[Method::read("Filecoin.StateReadState", 2, read_state)];

/// Deeper state is not shown.
const MAX_DEPTH: usize = 64;

fn read_state(chain: &mut Chain, args: &Args) -> Answer {
    let address = args.address(0)?;
    let state = actors::state_at(chain, &args.key(1)?)?;
    let unresolved = || RpcError::application(format!("getting actor: {}", RpcError::unresolved(address).message));
    let actor = state.actor(&address)?.ok_or_else(unresolved)?;
    let block = state.block(&actor)?;
    let mut rest = block.as_slice();
    let shown = item(&mut rest, 0).filter(|_| rest.is_empty());
    let shown = shown.ok_or_else(|| {
        RpcError::application(format!("the state of {} is not DAG-CBOR", Prefix::Testnet.show(&address)))
    })?;
    answer(json!({ "Balance": actor.balance.atto().to_string(), "Code": CidJson(actor.code), "State": shown }))
}

/// One DAG-CBOR item as DAG-JSON.
fn item(rest: &mut &[u8], depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    let first = *take(rest, 1)?.first()?;
    let value = match first & 0x1f {
        small @ 0..=23 => u64::from(small),
        size @ 24..=27 => take(rest, 1 << (size - 24))?.iter().fold(0, |n, b| n << 8 | u64::from(*b)),
        _ => return None,
    };
    Some(match first >> 5 {
        0 => json!(value),
        1 => json!(-1 - i64::try_from(value).ok()?),
        2 => json!({ "/": { "bytes": STANDARD_NO_PAD.encode(take(rest, value)?) } }),
        3 => json!(std::str::from_utf8(take(rest, value)?).ok()?),
        4 => {
            let mut list = Vec::new();
            for _ in 0..value {
                list.push(item(rest, depth + 1)?);
            }
            Value::Array(list)
        }
        5 => {
            let mut map = Map::new();
            for _ in 0..value {
                let Value::String(key) = item(rest, depth + 1)? else { return None };
                map.insert(key, item(rest, depth + 1)?);
            }
            Value::Object(map)
        }
        6 if value == 42 => link(rest)?,
        7 => match first & 0x1f {
            20 => json!(false),
            21 => json!(true),
            22 => Value::Null,
            27 => json!(f64::from_bits(value)),
            _ => return None,
        },
        _ => return None,
    })
}

fn link(rest: &mut &[u8]) -> Option<Value> {
    let bytes = match *take(rest, 1)?.first()? {
        short @ 0x40..=0x57 => take(rest, u64::from(short - 0x40))?,
        0x58 => {
            let length = *take(rest, 1)?.first()?;
            take(rest, u64::from(length))?
        }
        _ => return None,
    };
    let cid = Cid::try_from(bytes.strip_prefix(&[0])?).ok()?;
    serde_json::to_value(CidJson(cid)).ok()
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = tail;
    Some(head)
}
