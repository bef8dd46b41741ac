use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::vectors;

#[test]
fn vectors() {
    let mut files = vectors::walk("address", &["accept.json", "ethereum.json", "reject.json"]);
    for case in files.remove("ethereum.json").expect("walked") {
        let parsed = case.text("text").parse::<EthAddress>();
        case.check(parsed.as_ref().map(|address| {
            let masked = address.as_id();
            // JSON's numbers end where ids go on.
            let masked = masked.map(|id| if id > 1 << 53 { json!(id.to_string()) } else { json!(id) });
            json!({ "shown": address.to_string(), "masked": masked })
        }));
        if let Ok(address) = parsed {
            assert_eq!(EthAddress::of(&address.to_filecoin()), Some(address), "{}", case.name);
            let any: AnyAddress = case.text("text").parse().expect("any address");
            assert_eq!(any.0, address.to_filecoin(), "{}", case.name);
            assert!(parse(case.text("text")).is_err(), "{}: nodes do not read it", case.name);
        }
    }
    for case in files.remove("accept.json").expect("walked") {
        let address = parse(case.text("text")).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        case.check::<AddressError>(Ok(json!({
            "bytes": hex::encode(address.to_bytes()),
            "mainnet": Prefix::Mainnet.show(&address),
            "testnet": Prefix::Testnet.show(&address),
        })));
        let origin = || case.bytes("origin");
        let made = match case.value["of"].as_str() {
            None => continue,
            Some("secp256k1") => Address::new_secp256k1(&origin()).expect("65 bytes"),
            Some("actor") => Address::new_actor(&origin()),
            Some("bls") => Address::new_bls(&origin()).expect("48 bytes"),
            Some("delegated") => {
                Address::new_delegated(case.text("namespace").parse().expect("a number"), &origin()).expect("54 bytes")
            }
            Some(other) => panic!("{}: `{other}` is no origin", case.name),
        };
        assert_eq!(made, address, "{}", case.name);
    }
    for case in files.remove("reject.json").expect("walked") {
        case.check(parse(case.text("text")).map(|address| json!(address.to_string())));
    }
}

proptest! {
    #[test]
    fn shown_and_parsed(bytes in prop_oneof![
        any::<u64>().prop_map(|id| Address::new_id(id).to_bytes()),
        any::<([u8; 32], bool)>().prop_map(|(seed, actor)| {
            let mut bytes = Address::new_actor(&seed).to_bytes();
            bytes[0] = if actor { 2 } else { 1 };
            bytes
        }),
        proptest::collection::vec(any::<u8>(), 48).prop_map(|key| Address::new_bls(&key).expect("48 bytes").to_bytes()),
        (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..=54))
            .prop_map(|(space, sub)| Address::new_delegated(space, &sub).expect("54 bytes").to_bytes()),
    ]) {
        let address = Address::from_bytes(&bytes).expect("made from an address");
        for prefix in [Prefix::Mainnet, Prefix::Testnet] {
            let text = prefix.show(&address);
            prop_assert!(text.starts_with(prefix.letter()));
            prop_assert_eq!(parse(&text), Ok(address));
        }
    }

    #[test]
    fn any_text_is_refused_or_canonical(text in "[ft][0-5][a-z2-7f]{0,60}") {
        if let Ok(address) = parse(&text) {
            let prefix = if text.starts_with('f') { Prefix::Mainnet } else { Prefix::Testnet };
            prop_assert_eq!(prefix.show(&address), text);
        }
    }
}
