//! Vectors of the wire, and the client against small servers that answer as they should not.

mod serving;
mod wire;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cid::Cid;
use fvm_ipld_encoding::{from_slice, to_vec};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

use super::market::{ClientDealProposal, DealProposal, Label, ProposalError};
use super::mk20::{Deal, StatusAnswer};
use super::*;
use crate::piece::CommP;
use crate::vectors::{Case, update, walk};
use crate::wallet::{Key, KeyKind};

const FILES: [&str; 6] = ["auth.json", "exchange.json", "mk20.json", "multiaddr.json", "proposal.json", "wire.json"];

fn cases(file: &str) -> Vec<Case> {
    walk("deal", &FILES).remove(file).expect("walk gives every file")
}

fn key(kind: &str) -> Key {
    Key::from_seed(KeyKind::from_name(kind).expect("a kind"), b"deal vectors")
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn auth_headers() {
    update("deal", "auth.json", auth_cases);
    for case in cases("auth.json") {
        let header = case.value["header"].as_str();
        let (method, path, now) = (case.text("method"), case.text("path"), at(case.number("now")));
        let outcome = auth::verify(header, method, path, now);
        if let (Some(kind), Some(made)) = (case.value["key"].as_str(), case.value["made"].as_u64()) {
            let again = auth::authorization(&key(kind), method, path, at(made));
            assert_eq!(Some(again.as_str()), header, "{}: signing is deterministic", case.name);
        }
        case.check(outcome.map(|address| json!(Prefix::Mainnet.show(&address))));
    }
}

use crate::address::Prefix;

/// Headers as they should be, and spoiled ones.
fn auth_cases() -> Vec<Value> {
    let made = 1_795_341_905; // 2026-11-22T10:05:05Z
    let (method, path) = ("POST", "/market/mk20/deal");
    let mut all = Vec::new();
    for kind in ["secp256k1", "bls", "delegated"] {
        let header = auth::authorization(&key(kind), method, path, at(made));
        let owner = json!(Prefix::Mainnet.show(&key(kind).address()));
        let good = |name: &str, now: u64| {
            json!({"name": format!("{kind}: {name}"), "header": header, "method": method, "path": path, "now": now,
                   "key": kind, "made": made, "expect": owner})
        };
        let bad = |name: &str, header: Option<String>, method: &str, path: &str, now: u64, error: &str| json!({"name": format!("{kind}: {name}"), "header": header, "method": method, "path": path, "now": now, "error": error});
        let fields: Vec<&str> = header.splitn(3, ':').collect();
        let other = auth::authorization(&Key::from_seed(key(kind).kind(), b"somebody else"), method, path, at(made));
        let other: Vec<&str> = other.splitn(3, ':').collect();
        let wrong = "not this client's";
        all.extend([
            good("the same minute", made + 50),
            good("the minute after", made + 60),
            good("the minute before", made - 6),
            bad("two minutes later", Some(header.clone()), method, path, made + 120, wrong),
            bad("two minutes earlier", Some(header.clone()), method, path, made - 66, wrong),
            bad("another method", Some(header.clone()), "GET", path, made, wrong),
            bad("another path", Some(header.clone()), method, "/market/mk20/deal/", made, wrong),
            bad(
                "somebody else's address",
                Some(format!("{}:{}:{}", fields[0], other[1], fields[2])),
                method,
                path,
                made,
                wrong,
            ),
            bad(
                "somebody else's signature",
                Some(format!("{}:{}:{}", fields[0], fields[1], other[2])),
                method,
                path,
                made,
                wrong,
            ),
            bad("no header", None, method, path, made, "Missing"),
            bad("another scheme", Some(header.replace("CurioAuth", "Bearer")), method, path, made, "scheme"),
            bad("two fields", Some(format!("{}:{}", fields[0], fields[1])), method, path, made, "three fields"),
            bad(
                "an address that is no base64",
                Some(format!("{}:!:{}", fields[0], fields[2])),
                method,
                path,
                made,
                "base64",
            ),
            bad(
                "an address that is none",
                Some(format!("{}:AQID:{}", fields[0], fields[2])),
                method,
                path,
                made,
                "the address",
            ),
            bad(
                "an empty signature",
                Some(format!("{}:{}:", fields[0], fields[1])),
                method,
                path,
                made,
                "the signature",
            ),
            bad("a cut signature", Some(header[..header.len() - 8].to_string()), method, path, made, "the signature"),
            bad("an unknown kind", Some(header.replace(kind, "ed25519")), method, path, made, "not supported"),
            bad(
                "the other kind",
                Some(header.replace(kind, if kind == "bls" { "secp256k1" } else { "bls" })),
                method,
                path,
                made,
                "another kind",
            ),
        ]);
    }
    all
}

/// The expected digests were computed with Python's hashlib over the parts, so this does not check the code against itself.
#[test]
fn the_signed_bytes_are_those_of_the_protocol() {
    let address = Address::new_id(1000).to_bytes();
    let minute = auth::minute(at(1_795_341_905));
    assert_eq!(minute, "2026-11-22T10:05:00Z");
    let digest = auth::digest(&address, "post", "/market/mk20/deal", &minute);
    assert_eq!(hex::encode(digest), "166348d7822a157a91cf2ddacaacbf5cb102550383da6bee3b436a2c142583fc");
    for (seconds, expected) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (1_798_761_599, "2026-12-31T23:59:00Z"),
    ] {
        assert_eq!(auth::minute(at(seconds)), expected);
    }
}

#[test]
fn deals_in_json() {
    for case in cases("mk20.json") {
        let outcome = serde_json::from_value::<Deal>(case.value["deal"].clone())
            .map(|deal| serde_json::to_value(deal).expect("a deal has a JSON form"));
        case.check(outcome);
    }
}

#[test]
fn a_proposal_becomes_the_deal_that_curio_documents() {
    let piece = CommP::of(b"bauta").expect("small enough");
    let id: DealId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("a ULID");
    let client = Address::new_id(1001);
    let mut proposal = Proposal::upload(piece.clone(), 518_400);
    proposal.notify = Some((Address::new_id(64), vec![7]));
    let deal = Deal::of(id, &client, Address::new_id(1000), &proposal, Prefix::Testnet);
    let expected = json!({
        "identifier": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "client": "t01001",
        "data": {
            "piece_cid": {"/": crate::piece::piece_cid_v2(&piece).to_string()},
            "format": {"car": {}}, "source_http_put": {},
        },
        "products": {
            "ddo_v1": {
                "provider": "t01000", "start_epoch": null, "duration": 518_400, "market_address": "",
                "market_deal_id": null, "notification_address": "t064", "notification_payload": "Bw==",
            },
            "retrieval_v1": {"indexing": true, "announce_payload": false, "announce_piece": false},
        },
    });
    assert_eq!(serde_json::to_value(deal).expect("a deal has a JSON form"), expected);
}

/// What a devnet's provider answered once; its own tests replay it.
#[test]
fn recorded_exchanges_are_understood() {
    for case in cases("exchange.json") {
        let (path, answer) = (case.text("path"), &case.value["expect"]["body"]);
        if path.starts_with("/market/mk20/status/") && case.value["expect"]["status"] == 200 {
            let parsed: StatusAnswer =
                serde_json::from_value(answer.clone()).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            assert!(parsed.ddo_v1.is_some(), "{}", case.name);
        }
        let of_the_market = path.starts_with("/market/mk20/") && matches!(case.text("method"), "POST" | "PUT");
        if let Some(error) = case.value["error"].as_str().filter(|_| of_the_market && path != "/market/mk20/deals") {
            let code: u16 = error[..3].parse().unwrap_or_else(|e| panic!("{}: {e}", case.name));
            assert!(!matches!(DealCode::from(code), DealCode::Other(_)), "{}: code {code}", case.name);
        }
    }
}

#[test]
fn multiaddrs() {
    for case in cases("multiaddr.json") {
        case.check(http_url(&case.bytes("multiaddr")).map(Value::from));
    }
    for (socket, url) in [("127.0.0.1:1235", "http://127.0.0.1:1235"), ("[::1]:80", "http://[::1]")] {
        assert_eq!(http_url(&http_multiaddr(socket.parse().expect("a socket"))).as_deref(), Ok(url));
    }
}

#[test]
fn market_proposals() {
    for case in cases("proposal.json") {
        let outcome = from_slice::<DealProposal>(&case.bytes("cbor"))
            .map_err(|e| e.to_string())
            .and_then(|proposal| proposal.check().map_err(|e| e.to_string()).map(|()| proposal))
            .map(|proposal| {
                assert_eq!(hex::encode(proposal.to_bytes()), case.text("cbor"), "{}", case.name);
                json!({"client": proposal.client.to_string(), "duration": proposal.duration(),
                       "requires": proposal.client_balance_requirement().atto().to_string()})
            });
        case.check(outcome);
    }
}

#[test]
fn a_signed_proposal_holds_until_a_bit_changes() {
    let piece = CommP::of(b"bauta").expect("small enough");
    for kind in ["secp256k1", "bls"] {
        let key = key(kind);
        let mut offer = DealProposal::new(&piece, key.address(), Address::new_id(1000), 2880, MIN_DURATION);
        offer.label = Label::Bytes(vec![1, 2]);
        offer.storage_price_per_epoch = TokenAmount::from_atto(5);
        assert_eq!(offer.client_balance_requirement(), TokenAmount::from_atto(5 * MIN_DURATION));
        let signed = offer.clone().sign(&key).expect("its own key");
        assert_eq!(signed.verify(&key.address()), Ok(()));
        let bytes = to_vec(&signed).expect("it encodes");
        let mut again: ClientDealProposal = from_slice(&bytes).expect("it decodes");
        assert_eq!(again, signed);
        again.proposal.end_epoch += 1;
        assert!(matches!(again.verify(&key.address()), Err(ProposalError::Signature(_))));
        let stranger = Key::from_seed(key.kind(), b"stranger");
        assert_eq!(offer.clone().sign(&stranger), Err(ProposalError::NotTheClient));
        offer.label = Label::Text("x".repeat(257));
        assert_eq!(offer.sign(&key), Err(ProposalError::Label));
    }
}

#[test]
fn mk12_params_are_a_map_with_gos_names() {
    let key = key("secp256k1");
    let piece = CommP::of(b"bauta").expect("small enough");
    let offer = DealProposal::new(&piece, key.address(), Address::new_id(1000), 2880, MIN_DURATION);
    let params = mk12::DealParams {
        deal_uuid: [7; 16],
        is_offline: false,
        client_deal_proposal: offer.sign(&key).expect("its own key"),
        deal_data_root: Cid::default(),
        transfer: mk12::Transfer::http("http://example.org/a.car", 5),
        remove_unsealed_copy: false,
        skip_ipni_announce: true,
    };
    let bytes = to_vec(&params).expect("it encodes");
    assert_eq!(bytes[0], 0xa7, "a map of seven");
    assert_eq!(from_slice::<mk12::DealParams>(&bytes).expect("it decodes"), params);
    for name in [
        "DealUUID",
        "IsOffline",
        "ClientDealProposal",
        "DealDataRoot",
        "Transfer",
        "RemoveUnsealedCopy",
        "SkipIPNIAnnounce",
    ] {
        assert!(bytes.windows(name.len()).any(|w| w == name.as_bytes()), "{name}");
    }
    let request: Value = serde_json::from_slice(&params.transfer.params).expect("JSON");
    assert_eq!(request, json!({"URL": "http://example.org/a.car", "Headers": {}}));
}

#[test]
fn codes_are_http_statuses() {
    for status in 0..=u16::MAX {
        assert_eq!(u16::from(DealCode::from(status)), status);
    }
    assert_eq!(DealCode::from(441), DealCode::DurationTooShort);
}
