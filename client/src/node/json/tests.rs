use serde::de::DeserializeOwned;
use serde_json::Value;

use super::*;
use crate::vectors::{self, Case};

/// The last two are read by the devnet's tests.
pub(crate) const FILES: [&str; 6] =
    ["forms.json", "answers.json", "endpoints.json", "sentences.json", "methods.json", "shapes.json"];

fn round_trip<T: DeserializeOwned + Serialize>(case: &Case) {
    let read = serde_json::from_value::<T>(case.value["json"].clone());
    case.check(read.map(|value| serde_json::to_value(value).expect("what was read can be written")));
}

#[test]
fn forms() {
    let cases = vectors::walk("rpc", &FILES).remove("forms.json").expect("walked");
    for case in cases {
        match case.text("type") {
            "Cid" => round_trip::<CidJson>(&case),
            "TipsetKey" => round_trip::<TipsetKey>(&case),
            "Address" => round_trip::<AddressJson>(&case),
            "Token" => round_trip::<TokenJson>(&case),
            "Bytes" => round_trip::<BytesJson>(&case),
            "Message" => round_trip::<MessageJson>(&case),
            "SignedMessage" => round_trip::<SignedMessageJson>(&case),
            "Receipt" => round_trip::<Receipt>(&case),
            "MsgLookup" => round_trip::<MsgLookup>(&case),
            "ActorState" => round_trip::<ActorState>(&case),
            "TipSet" => round_trip::<TipSet>(&case),
            "InvocResult" => round_trip::<InvocResult>(&case),
            "MinerInfo" => round_trip::<MinerInfo>(&case),
            "MarketBalance" => round_trip::<MarketBalance>(&case),
            "MarketDeal" => round_trip::<MarketDeal>(&case),
            "ActorEvent" => round_trip::<ActorEvent>(&case),
            "ChainEvent" => round_trip::<ChainEvent>(&case),
            "EventFilter" => round_trip::<EventFilter>(&case),
            "NetworkParams" => round_trip::<NetworkParams>(&case),
            "Version" => round_trip::<Version>(&case),
            "SendSpec" => round_trip::<SendSpec>(&case),
            other => panic!("{}: `{other}` is no form", case.name),
        }
    }
}

#[test]
fn fields_are_written_in_the_order_of_go() {
    let message = crate::message::draft(
        fvm_shared::address::Address::new_id(0),
        fvm_shared::address::Address::new_id(1),
        fvm_shared::econ::TokenAmount::from_atto(1),
        0,
        crate::message::RawBytes::default(),
    );
    let text = serde_json::to_string(&MessageJson::from(message)).expect("encodes");
    let names =
        ["Version", "To", "From", "Nonce", "Value", "GasLimit", "GasFeeCap", "GasPremium", "Method", "Params", "CID"];
    let places: Vec<_> = names.iter().map(|name| text.find(&format!("\"{name}\":")).expect(name)).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn the_prefix_holds_for_one_encoding() {
    use crate::address::Prefix;
    let id = AddressJson(fvm_shared::address::Address::new_id(7));
    let show = || serde_json::to_value(id).expect("encodes");
    assert_eq!(show(), Value::from("t07"));
    with_prefix(Prefix::Mainnet, || {
        assert_eq!(show(), Value::from("f07"));
        with_prefix(Prefix::Testnet, || assert_eq!(show(), Value::from("t07")));
        assert_eq!(show(), Value::from("f07"));
    });
    assert_eq!(show(), Value::from("t07"));
    let panicked = std::panic::catch_unwind(|| with_prefix(Prefix::Mainnet, || panic!("inside")));
    assert!(panicked.is_err());
    assert_eq!(show(), Value::from("t07"));
}
