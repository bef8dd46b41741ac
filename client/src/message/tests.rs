use fvm_shared::address::Address;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::node::json::{MessageJson, SignedMessageJson};
use crate::vectors::{self, Case};
use crate::wallet::{Key, KeyKind};

fn message(case: &Case) -> Message {
    let json: MessageJson =
        serde_json::from_value(case.value["message"].clone()).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    json.message
}

fn signed(case: &Case) -> SignedMessage {
    let json: SignedMessageJson =
        serde_json::from_value(case.value["signed"].clone()).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    json.0
}

#[test]
fn vectors() {
    let files = [
        "encoding.json",
        "reject-encoding.json",
        "signing.json",
        "signed.json",
        "reject-signature.json",
        "reject-signed.json",
        "check.json",
    ];
    for (file, cases) in vectors::walk("message", &files) {
        for case in cases {
            match file.as_str() {
                "encoding.json" => encoding(&case),
                "reject-encoding.json" => case.check(from_bytes(&case.bytes("bytes")).map(|m| json!(format!("{m:?}")))),
                "signing.json" => signing(&case),
                "signed.json" => signed_bytes(&case),
                "reject-signature.json" => case.check(signed(&case).verify().map(|()| json!("verified"))),
                "reject-signed.json" => {
                    case.check(SignedMessage::from_bytes(&case.bytes("bytes")).map(|m| json!(m.cid().to_string())));
                }
                "check.json" => case.check(check(&message(&case)).map(|()| json!("valid"))),
                _ => unreachable!("walk knows the files"),
            }
        }
    }
}

fn encoding(case: &Case) {
    let message = message(case);
    let bytes = to_bytes(&message);
    case.check::<MessageError>(Ok(json!({"cbor": hex::encode(&bytes), "cid": cid(&message).to_string()})));
    assert_eq!(from_bytes(&bytes), Ok(message), "{}", case.name);
}

fn signing(case: &Case) {
    let kind = KeyKind::from_name(case.value["key"]["kind"].as_str().expect("a kind")).expect("a known kind");
    let secret = hex::decode(case.value["key"]["secret"].as_str().expect("a secret")).expect("hex");
    let key = Key::from_secret(kind, &secret).expect("a valid key");
    let message = message(case);
    let unsigned = cid(&message);
    let signed = key.sign(message).expect("the key is the sender's");
    signed.verify().expect("just signed");
    case.check::<MessageError>(Ok(json!({
        "cid": unsigned.to_string(),
        "signature": crate::node::json::SignatureJson(signed.signature.clone()),
        "signed_cid": signed.cid().to_string(),
        "on_chain_len": signed.on_chain_len(),
    })));
}

fn signed_bytes(case: &Case) {
    let signed = signed(case);
    let bytes = signed.to_bytes();
    case.check::<MessageError>(Ok(json!({
        "bytes": hex::encode(&bytes),
        "cid": signed.cid().to_string(),
        "verified": signed.verify().is_ok(),
    })));
    assert_eq!(SignedMessage::from_bytes(&bytes), Ok(signed), "{}", case.name);
}

#[test]
fn messages_have_a_greatest_length() {
    let key = Key::from_seed(KeyKind::Secp256k1, b"long");
    let sign = |params: usize| {
        let mut message =
            draft(key.address(), Address::new_id(100), TokenAmount::zero(), 2, RawBytes::new(vec![7; params]));
        message.gas_limit = 1;
        key.sign(message).expect("own message")
    };
    let overhead = sign(60_000).to_bytes().len() - 60_000;
    let longest = sign(MAX_MESSAGE_SIZE - overhead);
    assert_eq!(longest.to_bytes().len(), MAX_MESSAGE_SIZE);
    assert_eq!(longest.check(), Ok(()));
    assert_eq!(SignedMessage::from_bytes(&longest.to_bytes()), Ok(longest));
    let longer = sign(MAX_MESSAGE_SIZE - overhead + 1);
    assert_eq!(longer.check(), Err(MessageError::TooBig(MAX_MESSAGE_SIZE + 1)));
    assert_eq!(SignedMessage::from_bytes(&longer.to_bytes()), Err(MessageError::TooBig(MAX_MESSAGE_SIZE + 1)));
}

#[test]
fn fee_and_funds() {
    let mut message = draft(Address::new_id(1), Address::new_id(2), TokenAmount::from_atto(5), 0, RawBytes::default());
    message.gas_limit = 3;
    message.gas_fee_cap = TokenAmount::from_atto(7);
    assert_eq!(max_fee(&message), TokenAmount::from_atto(21));
    assert_eq!(required_funds(&message), TokenAmount::from_atto(26));
}

fn any_message() -> impl Strategy<Value = Message> {
    let gas = (1..=BLOCK_GAS_LIMIT, any::<u64>(), any::<u64>());
    (any::<[u64; 4]>(), any::<u128>(), gas, proptest::collection::vec(any::<u8>(), 0..200)).prop_map(
        |([to, nonce, method, seed], value, (gas_limit, fee_cap, premium), params)| Message {
            version: 0,
            from: Address::new_actor(&seed.to_be_bytes()),
            to: Address::new_id(to),
            sequence: nonce,
            value: TokenAmount::from_atto(value),
            method_num: method,
            params: RawBytes::new(params),
            gas_limit,
            gas_fee_cap: TokenAmount::from_atto(fee_cap),
            gas_premium: TokenAmount::from_atto(premium),
        },
    )
}

proptest! {
    #[test]
    fn round_trips(message in any_message()) {
        prop_assert_eq!(from_bytes(&to_bytes(&message)), Ok(message.clone()));
        let json = serde_json::to_value(MessageJson::from(message.clone())).expect("encodes");
        prop_assert_eq!(&json["CID"]["/"], &Value::String(cid(&message).to_string()));
        let back: MessageJson = serde_json::from_value(json).expect("decodes");
        prop_assert_eq!(back.message, message);
    }

    #[test]
    fn no_byte_of_a_signed_message_can_change(at in any::<prop::sample::Index>(), bit in 0u32..8) {
        let key = Key::from_seed(KeyKind::Secp256k1, b"flip");
        let mut message = draft(key.address(), Address::new_id(1000), TokenAmount::from_whole(1), 2, RawBytes::new(vec![1, 2, 3]));
        message.gas_limit = 1_000_000;
        let mut bytes = key.sign(message).expect("own message").to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let accepted = SignedMessage::from_bytes(&bytes).is_ok_and(|signed| signed.verify().is_ok());
        prop_assert!(!accepted, "byte {} bit {}", at, bit);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = from_bytes(&bytes) {
            prop_assert_eq!(to_bytes(&message), bytes.clone());
        }
        if let Ok(signed) = SignedMessage::from_bytes(&bytes) {
            prop_assert_eq!(signed.to_bytes(), bytes.clone());
        }
        let _ = Signature::from_bytes(&bytes);
    }
}
