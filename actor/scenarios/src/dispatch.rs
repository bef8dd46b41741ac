//! What every method has in common: numbers, values, and params of any form.

use std::collections::BTreeSet;

use bauta_abi::*;
use cid::Cid;
use cid::multihash::Multihash;
use fvm_ipld_encoding::{BytesSer, to_vec};
use fvm_shared::ActorID;

use crate::samples::*;
use crate::{Body, New, Result};

/// A method, and params that it takes.
pub type Call = (Method, Vec<u8>);

fn scene(new: New<'_>) -> (Box<dyn Body>, u64, Vec<Call>) {
    let mut chain = new();
    let (alice, calls) = furnish(&mut chain);
    (chain, alice, calls)
}

/// Gives every method something to work on. Gives who owns it, and good params for each method.
pub fn furnish(chain: &mut impl Body) -> (u64, Vec<Call>) {
    let (alice, bob, miner) = (chain.create_account(), chain.create_account(), chain.create_miner());
    let file_id = register(chain, alice, 1);
    grant(chain, alice, file_id, grant_spec(bob, Rights::READ, 900)).expect("granted");
    let bounty = create(chain, alice, terms(1), 1_000).expect("created");
    seal(chain, miner, 7, 5_000);
    notify(chain, miner, vec![change(7, 5_000, piece(1), bounty)]).expect("notified");
    let page = (None, 1);
    let encoded = vec![
        (Method::PublishKey, bytes(&PublishKeyParams { recipient: "age1abc".into() })),
        (Method::GetKey, bytes(&GetKeyParams { address: id(alice) })),
        (Method::RegisterFile, bytes(&RegisterFileParams { files: vec![file(2)] })),
        (Method::UpdateFile, bytes(&UpdateFileParams { id: file_id, expected_version: 1, file: file(3) })),
        (Method::TransferFile, bytes(&TransferFileParams { id: file_id, to: id(bob), wrap: vec![1] })),
        (Method::RemoveFile, bytes(&RemoveFileParams { id: file_id })),
        (Method::GetFile, bytes(&GetFileParams { id: file_id })),
        (Method::ListFiles, bytes(&ListFilesParams { owner: id(alice), cursor: page.0, limit: page.1 })),
        (
            Method::GrantAccess,
            bytes(&GrantAccessParams { id: file_id, grants: vec![grant_spec(bob, Rights::ALL, 200)] }),
        ),
        (Method::RevokeAccess, bytes(&RevokeAccessParams { id: file_id, addresses: vec![id(bob)] })),
        (Method::GetGrant, bytes(&GetGrantParams { id: file_id, address: id(bob) })),
        (Method::ListGrants, bytes(&ListGrantsParams { id: file_id, cursor: page.0, limit: page.1 })),
        (Method::ListShared, bytes(&ListSharedParams { address: id(bob), cursor: page.0, limit: page.1 })),
        (Method::CreateBounty, bytes(&CreateBountyParams { terms: terms(2) })),
        (Method::FundBounty, bytes(&FundBountyParams { id: bounty })),
        (Method::SettleBounty, {
            let aux = LOCATION.to_vec();
            bytes(&SettleBountyParams { id: bounty, claims: vec![Settlement { claim: 0, aux }] })
        }),
        (Method::GetBounty, bytes(&GetBountyParams { id: bounty })),
        (Method::ListBounties, bytes(&ListBountiesParams { cursor: page.0, limit: page.1 })),
        (Method::ListBountyClaims, bytes(&ListBountyClaimsParams { id: bounty, cursor: page.0, limit: page.1 })),
        // Refused in this scene, but not for their form.
        (Method::ClaimBounty, bytes(&ClaimBountyParams { id: bounty, deal_id: 1 })),
        (Method::CancelBounty, bytes(&CancelBountyParams { id: bounty })),
        (Method::RefundBounty, bytes(&RefundBountyParams { id: bounty })),
    ];
    (alice, encoded)
}

fn bytes(params: &impl Wire) -> Vec<u8> {
    encode(params).expect("in bounds")
}

/// What the scene's messages end in; nothing for those that succeed.
pub fn outcome(method: Method) -> Option<Exit> {
    match method {
        Method::ClaimBounty => Some(Exit::NotFound),
        Method::CancelBounty => Some(Exit::BountyHasClaims),
        Method::RefundBounty => Some(Exit::BountyNotEnded),
        _ => None,
    }
}

/// The least value that a method takes.
pub fn value_for(method: Method) -> u128 {
    method.is_payable().into()
}

pub fn every_method_is_in_the_table(new: New<'_>) {
    let (_, _, encoded) = scene(new);
    let met: BTreeSet<_> = encoded.iter().map(|(method, _)| *method).chain([Method::SectorContentChanged]).collect();
    assert_eq!(met, Method::ALL.iter().copied().collect());
    for (method, params) in encoded {
        let (mut chain, alice, _) = scene(new);
        let answer = message(&mut chain, alice, method, Some(params), value_for(method));
        assert_eq!(answer.err(), outcome(method), "{method:?}");
    }
}

pub fn params_that_do_not_decode_are_refused(new: New<'_>) {
    let (mut chain, alice, encoded) = scene(new);
    let step = chain.stride();
    for (method, params) in encoded {
        let mut refused = |params: Option<Vec<u8>>, what: &str| {
            let answer = message(&mut chain, alice, method, params, value_for(method));
            assert_eq!(answer, Err(Exit::Serialization), "{method:?} with {what}");
        };
        refused(None, "none");
        refused(Some(vec![]), "nothing");
        refused(Some(vec![0xf6]), "null");
        refused(Some(vec![0xa0]), "a map");
        refused(Some(b"garbage".to_vec()), "a text");
        refused(Some([&params[..], &[0]].concat()), "a byte too many");
        refused(Some(vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), "an endless list");
        for len in (0..params.len()).step_by(step) {
            refused(Some(params[..len].to_vec()), "a cut");
        }
        let mut longer = params.clone();
        longer[0] += 1;
        longer.push(0);
        refused(Some(longer), "one element too many");
    }
}

/// Forms that a lenient decoder takes, and values at the edge of what they may be.
pub fn other_forms_of_a_value_are_refused(new: New<'_>) {
    let (mut chain, alice, _) = scene(new);
    let mut sent = |method: Method, params: Vec<u8>, expected: Option<Exit>, what: &str| {
        let answer = message(&mut chain, alice, method, Some(params), 0);
        assert_eq!(answer.err(), expected, "{what}");
    };
    let malformed = Some(Exit::Serialization);
    for (params, expected, what) in [
        (vec![0x81, 0x01], None, "a number"),
        (vec![0x81, 0x18, 0x01], malformed, "a number in two bytes"),
        (vec![0x81, 0x19, 0x00, 0x01], malformed, "a number in three bytes"),
        (vec![0x81, 0x1a, 0, 0, 0, 1], malformed, "a number in five bytes"),
        (vec![0x81, 0x1b, 0, 0, 0, 0, 0, 0, 0, 1], malformed, "a number in nine bytes"),
        (vec![0x81, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], None, "the largest number"),
        (vec![0x81, 0x1c], malformed, "a reserved head"),
        (vec![0x81, 0x1f], malformed, "a number without end"),
        (vec![0x81, 0x20], malformed, "a negative number"),
        (vec![0x81, 0xf4], malformed, "false"),
        (vec![0x81, 0xf6], malformed, "null"),
        (vec![0x81, 0xf9, 0x3c, 0x00], malformed, "1.0"),
        (vec![0x81, 0xc0, 0x01], malformed, "a tagged number"),
        (vec![0x98, 0x01, 0x01], malformed, "a long list head"),
        (vec![0x9f, 0x01, 0xff], malformed, "a list without end"),
        (vec![0x80], malformed, "an empty list"),
        (vec![0x01], malformed, "a bare number"),
    ] {
        sent(Method::GetFile, params, expected, what);
    }
    let address = |bytes: &[u8]| to_vec(&(BytesSer(bytes),)).expect("CBOR");
    for (bytes, expected, what) in [
        (&[0, 1][..], None, "an ID"),
        (&[0, 0x81, 0x00], malformed, "an ID with a needless byte"),
        (&[0], malformed, "an ID without a number"),
        (&[], malformed, "no address"),
        (&[0, 1, 1], malformed, "an ID and a byte"),
        (&[0, 0x80], malformed, "an ID that does not end"),
        (&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], None, "the largest ID"),
        (&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], malformed, "an ID above 64 bits"),
        (&[1; 21], Some(Exit::NotFound), "a key that nobody has"),
        (&[1; 20], malformed, "a short key"),
        (&[1; 22], malformed, "a long key"),
        (&[2; 21], Some(Exit::NotFound), "an actor that is not there"),
        (&[3; 49], Some(Exit::NotFound), "a BLS key that nobody has"),
        (&[3; 48], malformed, "a short BLS key"),
        (&[4, 10, 1, 2, 3], Some(Exit::NotFound), "a delegated address that nobody has"),
        (&[4; 57], malformed, "a long delegated address"),
        (&[5; 21], malformed, "an unknown protocol"),
    ] {
        sent(Method::GetKey, address(bytes), expected, what);
    }
    for (bytes, expected, what) in [
        (&b"\x81\x65age1a"[..], None, "a recipient"),
        (b"\x81\x45age1a", malformed, "bytes"),
        (b"\x81\x66age1\xc3\xa9", Some(Exit::IllegalArgument), "an accent"),
        (b"\x81\x65age1\xff", malformed, "no UTF-8"),
        (b"\x81\x66age1\xc0\x80", malformed, "an overlong zero"),
        (b"\x81\x67age1\xed\xa0\x80", malformed, "half of a surrogate pair"),
        (b"\x81\x68age1\xf4\x90\x80\x80", malformed, "beyond Unicode"),
        (b"\x81\x68age1\xf0\x9f\x98\x80", Some(Exit::IllegalArgument), "a face"),
        (b"\x81\x67age1\xf0\x9f\x98", malformed, "three quarters of a face"),
        (b"\x81\x78\x05age1a", malformed, "a long head"),
    ] {
        sent(Method::PublishKey, bytes.to_vec(), expected, what);
    }
    for (nth, (cid, expected)) in cids().into_iter().enumerate() {
        sent(Method::RegisterFile, with_cid(&cid), expected, &format!("CID {nth}: {cid:02x?}"));
    }
    for (amount, expected) in [
        (&[0, 1][..], None),
        (&[], Some(Exit::IllegalArgument)),
        (&[0], malformed),
        (&[1], malformed),
        (&[0, 0, 1], malformed),
        (&[1, 1], Some(Exit::IllegalArgument)),
        (&[2, 1], malformed),
        (&[0xff; 20], malformed),
        (&[&[0][..], &[1; 16]].concat(), Some(Exit::IllegalArgument)),
        (&[&[0][..], &[0xff; 17]].concat(), Some(Exit::IllegalArgument)),
        (&[&[0][..], &[0xff; 127]].concat(), Some(Exit::IllegalArgument)),
        (&[&[0][..], &[0xff; 128]].concat(), malformed),
        (&[&[1][..], &[0xff; 127]].concat(), Some(Exit::IllegalArgument)),
    ] {
        sent(Method::CreateBounty, with_reward(amount), expected, &format!("a reward of {amount:02x?}"));
    }
}

/// Bytes behind the tag of a link, and what a file with such a payload comes to.
fn cids() -> Vec<(Vec<u8>, Option<Exit>)> {
    let (bounds, malformed) = (Some(Exit::IllegalArgument), Some(Exit::Serialization));
    let linked = |cid: &[u8]| [&[0], cid].concat();
    let good = payload(1).to_bytes();
    let of = |codec, code, digest: &[u8]| Cid::new_v1(codec, Multihash::wrap(code, digest).expect("fits")).to_bytes();
    let mut zero = of(0x70, 0x12, &[1; 32]);
    zero[0] = 0;
    vec![
        (linked(&good), None),
        (linked(&of(0x55, 0x12, &[1; 32])), None),
        (linked(&of(0x71, 0x12, &[1; 32])), bounds),
        (linked(&of(0x70, 0x12, &[1; 20])), bounds),
        (linked(&of(0x70, 0x13, &[1; 64])), bounds),
        (linked(&of(0x70, 0, &[])), bounds),
        (linked(&of(u64::MAX, u64::MAX, &[1; 32])), bounds),
        (linked(&piece(1).to_bytes()), bounds),
        (linked(&[&[0x12, 0x20][..], &[1; 32]].concat()), bounds),
        (linked(&[&[0x12, 0x20][..], &[1; 31]].concat()), malformed),
        (linked(&[&[0x12, 0x20][..], &[1; 33]].concat()), malformed),
        (good.clone(), malformed),
        (vec![], malformed),
        (vec![0], malformed),
        (vec![1, 1], malformed),
        (linked(&good[..35]), malformed),
        (linked(&[&good[..], &[0]].concat()), malformed),
        (linked(&zero), malformed),
        (linked(&[&[2], &good[1..]].concat()), malformed),
        (linked(&[&[0x81, 0x00], &good[1..]].concat()), malformed),
        (linked(&[&[0x01, 0xf0, 0x00], &good[2..]].concat()), malformed),
        (linked(&[&[0x01, 0x70, 0x12, 0x41][..], &[1; 65]].concat()), malformed),
        (linked(&[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x00]), malformed),
    ]
}

fn with_cid(link: &[u8]) -> Vec<u8> {
    let whole = bytes(&RegisterFileParams { files: vec![file(1)] });
    // [[[tag 42, bytes], …]]: three heads, the tag, the head of the bytes.
    let (head, rest) = (&whole[..5], &whole[5 + 2 + 37..]);
    [head, &to_vec(&BytesSer(link)).expect("CBOR"), rest].concat()
}

fn with_reward(amount: &[u8]) -> Vec<u8> {
    let whole = bytes(&CreateBountyParams { terms: Terms { file_id: None, ..terms(1) } });
    let mark = to_vec(&BytesSer(&[0, 0x03, 0xe8])).expect("CBOR");
    let at = whole.windows(mark.len()).position(|window| window == mark).expect("the reward of 1,000");
    [&whole[..at], &to_vec(&BytesSer(amount)).expect("CBOR"), &whole[at + mark.len()..]].concat()
}

pub fn flipped_bits_never_break_the_state(new: New<'_>) {
    let (mut chain, alice, encoded) = scene(new);
    let mut nth = 0;
    for (method, params) in encoded {
        let mut copy = None;
        for at in 0..params.len().min(120) {
            for bit in 0..8 {
                nth += 1;
                if nth % chain.stride() != 0 {
                    continue;
                }
                let mut flipped = params.clone();
                flipped[at] ^= 1 << bit;
                let answer = message(&mut chain, alice, method, Some(flipped), value_for(method));
                if answer.is_ok() && !method.is_view() {
                    // What went through has changed the scene: the next one starts afresh.
                    copy = Some(scene(new).0);
                }
                if let Some(fresh) = copy.take() {
                    chain = fresh;
                }
            }
        }
    }
}

pub fn money_is_taken_where_it_belongs_only(new: New<'_>) {
    let (mut chain, alice, encoded) = scene(new);
    for (method, params) in encoded.into_iter().filter(|(method, _)| !method.is_payable()) {
        let answer = message(&mut chain, alice, method, Some(params), 1);
        assert_eq!(answer, Err(Exit::WrongValue), "{method:?}");
    }
    let miner = chain.create_miner();
    let answer = message(&mut chain, miner, Method::SectorContentChanged, Some(vec![0x80]), 1);
    assert_eq!(answer, Err(Exit::WrongValue));
}

pub fn other_numbers_are_unknown(new: New<'_>) {
    let (mut chain, alice, _) = scene(new);
    let mut sent = |from: ActorID, number: u64, attofil: u128| -> Result<_> {
        let before = chain.state();
        let answer = chain.message(from, number, Some(vec![0x80]), attofil);
        assert_eq!(chain.state(), before, "{number}");
        answer
    };
    // Numbers below 1,024 never reach a contract; the EVM answers some of them itself.
    for number in [1 << 10, (1 << 24) - 1, 1 << 24, 3_726_118_371, u64::MAX, Method::GetFile.number() + 1] {
        assert_eq!(sent(alice, number, 0), Err(Exit::UnhandledMessage), "{number}");
        assert_eq!(sent(alice, number, 1), Err(Exit::WrongValue), "{number}");
    }
}
