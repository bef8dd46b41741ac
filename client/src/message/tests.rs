use fvm_shared::address::Address;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::eth::{ADDRESS_MANAGER, CREATE_EXTERNAL, EthError, EthTransaction, Form, INVOKE_CONTRACT};
use super::*;
use crate::address::{EthAddress, keccak256};
use crate::network::LOCAL_CHAIN_ID;
use crate::node::json::{MessageJson, SignedMessageJson};
use crate::vectors::{self, Case};
use crate::wallet::{Key, KeyError, KeyKind};

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
        "ethereum.json",
        "reject-ethereum.json",
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
                "ethereum.json" => ethereum(&case),
                "reject-ethereum.json" => case.check(
                    EthTransaction::parse(&case.bytes("raw"), LOCAL_CHAIN_ID)
                        .and_then(|transaction| transaction.to_signed_message())
                        .map(|signed| json!(signed.cid().to_string())),
                ),
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

/// Both ways: the transaction gives a message, the message gives the same bytes back.
fn ethereum(case: &Case) {
    let raw = case.bytes("raw");
    let transaction = EthTransaction::parse(&raw, LOCAL_CHAIN_ID).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let signed = transaction.to_signed_message().unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let message = &signed.message;
    case.check::<EthError>(Ok(json!({
        "hash": hex::encode(transaction.hash()),
        "signing_hash": hex::encode(keccak256(&transaction.signing_bytes())),
        "from": EthAddress::of(&message.from).expect("f410").to_string(),
        "to": transaction.to.map(|to| to.to_string()),
        "nonce": message.sequence,
        "value": message.value.atto().to_string(),
        "input": hex::encode(&transaction.input),
        "gas_limit": message.gas_limit,
        "max_fee": message.gas_fee_cap.atto().to_string(),
        "max_priority_fee": message.gas_premium.atto().to_string(),
    })));
    assert_eq!(signed.verify_on(LOCAL_CHAIN_ID), Ok(()), "{}", case.name);
    assert_eq!(signed.verify(), Err(SignatureError::NeedsChain), "{}", case.name);
    let back = SignedMessage::from_bytes(&signed.to_bytes()).expect("its own bytes");
    let back = EthTransaction::of_signed(&back, LOCAL_CHAIN_ID).expect("it was one");
    assert_eq!(back.to_bytes(), raw, "{}", case.name);
    // Another chain: another signer, or none; a changed message: another signer.
    if transaction.form != Form::Homestead {
        assert!(signed.verify_on(314).is_err(), "{}", case.name);
    }
    let mut changed = signed.clone();
    changed.message.value += TokenAmount::from_atto(1);
    assert!(changed.verify_on(LOCAL_CHAIN_ID).is_err(), "{}", case.name);
}

#[test]
fn what_an_f410_account_can_say() {
    let key = Key::from_seed(KeyKind::Delegated, b"an f410 account");
    let mut message =
        draft(key.address(), Address::new_id(5), TokenAmount::zero(), INVOKE_CONTRACT, RawBytes::default());
    message.gas_limit = 1;
    let signed = key.sign_on(message.clone(), 314).expect("a call of an actor by its id");
    assert_eq!(signed.verify_on(314), Ok(()));
    assert_eq!(signed.verify_on(315), Err(EthError::Signature(SignatureError::Mismatch)));
    assert_eq!(key.sign(message.clone()), Err(KeyError::NeedsChain));
    let refused = |change: &dyn Fn(&mut Message)| {
        let mut message = message.clone();
        change(&mut message);
        match key.sign_on(message, 314) {
            Err(KeyError::NoTransaction(reason)) => reason,
            other => panic!("{other:?}"),
        }
    };
    let f1 = Key::from_seed(KeyKind::Secp256k1, b"f1").address();
    assert_eq!(refused(&|m| m.method_num = 2), EthError::Method(2));
    assert_eq!(refused(&|m| m.method_num = METHOD_SEND), EthError::Method(0));
    assert_eq!(refused(&|m| m.to = f1), EthError::Recipient);
    assert_eq!(refused(&|m| m.to = ADDRESS_MANAGER), EthError::ManagerMethod);
    assert!(matches!(refused(&|m| m.params = RawBytes::new(vec![0x40])), EthError::Params(_)));
    assert!(matches!(refused(&|m| m.params = RawBytes::new(vec![0x58, 1, 7])), EthError::Params(_)));
    assert!(matches!(refused(&|m| m.params = RawBytes::new(vec![0x41, 7, 7])), EthError::Params(_)));
    assert!(matches!(refused(&|m| m.params = RawBytes::new(vec![0x83, 1, 2, 3])), EthError::Params(_)));
    assert_eq!(refused(&|m| m.value = TokenAmount::from_atto(-1)), EthError::Amount);
    let other = Key::from_seed(KeyKind::Delegated, b"another");
    assert_eq!(other.sign_on(message.clone(), 314), Err(KeyError::NotTheSender));
    message.to = ADDRESS_MANAGER;
    message.method_num = CREATE_EXTERNAL;
    message.params = eth::params(&[1, 2, 3]);
    assert_eq!(key.sign_on(message, 314).expect("a deployment").verify_on(314), Ok(()));
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
        if let Ok(transaction) = EthTransaction::parse(&bytes, LOCAL_CHAIN_ID) {
            prop_assert_eq!(transaction.to_bytes(), bytes);
        }
    }
}

/// The first four contracts of an address, as Ethereum has them.
#[test]
fn a_contract_is_where_its_maker_and_nonce_put_it() {
    let maker: EthAddress = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0".parse().unwrap();
    for (nonce, at) in [
        (0, "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"),
        (1, "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"),
        (2, "0xf778b86fa74e846c4f0a1fbd1335fe81c00a0c91"),
        (3, "0xfffd933a0bc612844eaf0c6fe3e5b8e9b6c1d19c"),
    ] {
        let created = crate::message::eth::created_by(&maker.to_filecoin(), nonce).unwrap();
        assert_eq!(created, at.parse().unwrap(), "{nonce}");
    }
    assert_eq!(crate::message::eth::created_by(&fvm_shared::address::Address::new_id(7), 0), None);
}
