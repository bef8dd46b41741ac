//! What is a table rather than a type: methods, exits, events.

use bauta_abi::*;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

use crate::samples::{payload, piece};

pub fn all() -> [(&'static str, Vec<Value>); 3] {
    [("methods.json", methods()), ("exits.json", exits()), ("events.json", events())]
}

fn methods() -> Vec<Value> {
    let row = |method: &Method| {
        json!({
            "name": method.name(),
            "expect": { "number": method.number(), "view": method.is_view(), "payable": method.is_payable() },
        })
    };
    Method::ALL.iter().map(row).collect()
}

fn exits() -> Vec<Value> {
    let row = |exit: &Exit| json!({ "name": format!("{exit:?}"), "expect": { "code": exit.code().value(), "sentence": exit.sentence() } });
    Exit::ALL.iter().map(row).collect()
}

fn events() -> Vec<Value> {
    let row = |event: &Event| {
        let form = event.to_actor_event();
        let entry = |e: &fvm_shared::event::Entry| json!([e.flags.bits(), e.key, e.codec, hex::encode(&e.value)]);
        let entries: Vec<_> = form.entries.iter().map(entry).collect();
        json!({ "name": event.kind(), "expect": { "event": format!("{event:?}"), "entries": entries } })
    };
    each_event().iter().map(row).collect()
}

pub fn each_event() -> Vec<Event> {
    let (payload_cid, piece_cid, amount) = (payload(1), piece(1), TokenAmount::from_atto(1_000));
    vec![
        Event::KeyPublished { owner: 1_001, version: 2 },
        Event::FileRegistered { id: 7, owner: 1_001, payload_cid, piece_cid },
        Event::FileUpdated { id: 7, owner: 1_001, version: 2, payload_cid, piece_cid },
        Event::FileTransferred { id: 7, from: 1_001, to: 1_002 },
        Event::FileRemoved { id: 7, owner: 1_002 },
        Event::AccessGranted { id: 7, grantee: 1_003, by: 1_001, rights: Rights::READ, expiration: EPOCH_NEVER },
        Event::AccessRevoked { id: 7, grantee: 1_003, by: 1_003 },
        Event::BountyCreated { id: 3, creator: 1_001, piece_cid },
        Event::BountyFunded { id: 3, funder: 1_002, amount: amount.clone() },
        Event::BountyClaimed { id: 3, claim: 0, provider: 2_001, sector: 9, deal: None },
        Event::BountySettled {
            id: 3,
            claim: 0,
            provider: 2_001,
            amount: amount.clone(),
            until: 500,
            status: ClaimStatus::Completed,
        },
        Event::BountyCancelled { id: 3 },
        Event::BountyRefunded { id: 3, funder: 1_002, amount },
    ]
}
