//! Keys through dispatch.

use crate::samples::*;
use crate::{Body, New, Result};
use bauta_abi::*;

fn publish(chain: &mut dyn Body, who: u64, recipient: &str) -> Result<()> {
    send(chain, who, Method::PublishKey, &PublishKeyParams { recipient: recipient.into() }, 0)
}

fn get(chain: &mut dyn Body, address: fvm_shared::address::Address) -> Result<GetKeyReturn> {
    call(chain, 1, Method::GetKey, &GetKeyParams { address }, 0)
}

pub fn a_key_is_replaced_by_a_next_version(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_multisig());
    assert_eq!(get(&mut chain, id(alice)), Ok(None));
    publish(&mut chain, alice, "age1aaa").unwrap();
    chain.wait(5);
    publish(&mut chain, alice, "age1bbb").unwrap();
    publish(&mut chain, bob, &format!("age1{}", "c".repeat(MAX_RECIPIENT - 4))).unwrap();

    let expected = Key { recipient: "age1bbb".into(), version: 2, epoch: 105 };
    assert_eq!(get(&mut chain, id(alice)), Ok(Some(expected.clone())));
    let robust = chain.robust(alice);
    assert_eq!(get(&mut chain, robust), Ok(Some(expected)));
    assert_eq!(get(&mut chain, id(bob)).unwrap().unwrap().version, 1);
    let published = |owner, version| Event::KeyPublished { owner, version };
    assert_eq!(chain.events(), [published(alice, 1), published(alice, 2), published(bob, 1)]);
}

pub fn many_keys_are_found_again(new: New<'_>) {
    let mut chain = new();
    let people: Vec<_> = (0..200).map(|_| chain.create_account()).collect();
    for who in &people {
        publish(&mut chain, *who, &format!("age1x{who}")).unwrap();
    }
    for who in &people {
        assert_eq!(get(&mut chain, id(*who)).unwrap().unwrap().recipient, format!("age1x{who}"));
    }
}

pub fn bad_keys_are_refused(new: New<'_>) {
    let mut chain = new();
    let alice = chain.create_account();
    let long = format!("age1{}", "c".repeat(MAX_RECIPIENT - 3));
    for bad in ["", "age1", "AGE1ABC", "age1 a", "age2abc", "xage1abc", "age1é", &long] {
        assert_eq!(exit(publish(&mut chain, alice, bad)), Exit::IllegalArgument, "{bad}");
    }
    let nobody = chain.robust(77);
    assert_eq!(exit(get(&mut chain, nobody)), Exit::NotFound);
}
