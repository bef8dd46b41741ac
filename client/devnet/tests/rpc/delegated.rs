//! What f410 accounts may send: transactions, and nothing else, by whatever door.

use bauta_client::message::eth::{EthTransaction, INVOKE_CONTRACT};
use bauta_client::message::{SignedMessage, eth};
use bauta_client::network::LOCAL_CHAIN_ID;
use bauta_client::node::json::SignedMessageJson;
use bauta_client::wallet::KeyKind;

use super::*;

/// A call of nobody, with enough of everything; its receiver keeps the value.
fn call_of(key: &Key, nonce: u64) -> Message {
    let (to, value) = (Address::new_delegated(10, &[7; 20]).unwrap(), TokenAmount::from_atto(5));
    let mut draft = message::draft(key.address(), to, value, INVOKE_CONTRACT, eth::params(&[]));
    draft.sequence = nonce;
    (draft.gas_limit, draft.gas_fee_cap) = (50_000_000, TokenAmount::from_atto(10_000));
    draft
}

fn raw_transaction(bytes: &[u8]) -> Value {
    json!([format!("0x{}", hex::encode(bytes))])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_f410_account_gets_nothing_but_transactions_in() {
    let key = Key::from_seed(KeyKind::Delegated, b"a door for each");
    let mut config = config();
    config.genesis.funded = vec![(key.address(), fil(10))];
    let devnet = spawn(config).await.unwrap();
    let good = key.sign_on(call_of(&key, 0), LOCAL_CHAIN_ID).unwrap();
    let changed = |change: &dyn Fn(&mut Message)| {
        let mut message = good.message.clone();
        change(&mut message);
        SignedMessage { message, signature: good.signature.clone() }
    };
    // As messages: by the doors of a full node, of a gateway, and in a batch.
    let manager = Address::new_id(10);
    for (bad, said) in [
        (changed(&|m| m.method_num = 0), "invalid methodnum 0: only allowed method is InvokeContract"),
        (changed(&|m| m.method_num = 2), "invalid methodnum 2"),
        (changed(&|m| (m.to, m.method_num) = (manager, 3)), "unsupported EAM method"),
        (changed(&|m| m.params = RawBytes::new(vec![0x80])), "failed to read params byte array"),
        (changed(&|m| m.value = fil(2)), "signature"),
        (key.sign_on(call_of(&key, 0), 1).unwrap(), "signature"),
    ] {
        let signed = serde_json::to_value(SignedMessageJson(bad)).unwrap();
        for (method, params) in [
            ("Filecoin.MpoolPush", json!([signed])),
            ("Filecoin.MpoolPushUntrusted", json!([signed])),
            ("Filecoin.MpoolBatchPush", json!([[signed]])),
        ] {
            let (status, body) = call(&devnet, method, params).await;
            let error = &body["error"];
            assert_eq!((status, &error["code"]), (200, &json!(1)), "{method}: {body}");
            assert!(error["message"].as_str().unwrap().contains(said), "{method}: {error}: {said}");
        }
    }
    // As transactions: signed for another chain, changed afterwards, cut, with something behind, from somebody unknown.
    let transaction = |signed: &SignedMessage, chain| EthTransaction::of_signed(signed, chain).unwrap().to_bytes();
    let raw = transaction(&good, LOCAL_CHAIN_ID);
    let mut flipped = raw.clone();
    let signature = flipped.len() - 40;
    flipped[signature] ^= 1;
    let stranger = Key::from_seed(KeyKind::Delegated, b"nobody");
    let unknown = stranger.sign_on(call_of(&stranger, 0), LOCAL_CHAIN_ID).unwrap();
    for (name, bytes) in [
        ("another chain", transaction(&key.sign_on(call_of(&key, 0), 1).unwrap(), 1)),
        ("another signature", flipped),
        ("cut", raw[..raw.len() - 1].to_vec()),
        ("more", [&raw[..], &[0]].concat()),
        ("nothing", vec![]),
        ("unknown", transaction(&unknown, LOCAL_CHAIN_ID)),
    ] {
        for method in ["eth_sendRawTransaction", "Filecoin.EthSendRawTransaction"] {
            let (status, body) = call(&devnet, method, raw_transaction(&bytes)).await;
            assert_eq!((status, &body["error"]["code"]), (200, &json!(1)), "{name}: {body}");
        }
    }
    let pending = call(&devnet, "Filecoin.MpoolPending", json!([null])).await.1;
    assert!(pending["result"].as_array().is_none_or(Vec::is_empty), "{pending}");

    // The good one goes in, once.
    let (_, body) = call(&devnet, "eth_sendRawTransaction", raw_transaction(&raw)).await;
    let hash = body["result"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    let (_, receipt) = call(&devnet, "eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["result"]["status"], "0x1", "{receipt}");
    let (_, again) = call(&devnet, "eth_sendRawTransaction", raw_transaction(&raw)).await;
    assert!(again["error"]["message"].as_str().unwrap().contains("nonce too low"), "{again}");
    devnet.shutdown().await;
}
