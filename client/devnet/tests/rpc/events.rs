//! Events by epochs and emitters: what Lotus finds, and with which sentences it refuses.
//!
//! Source: lotus `node/impl/full/actor_events.go`, `chain/events/filter/event.go`, `chain/index/events.go`.

use super::*;

/// A chain on which the actor has emitted one event; the event's epoch, and the actor's address in JSON.
async fn emitted() -> (Devnet, i64, Value) {
    let devnet = devnet().await;
    let node = devnet.node();
    let actor = devnet.info().await.unwrap().actor.unwrap();
    node.devnet_mine(5).await.unwrap();
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let params = RawBytes::serialize((recipient,)).unwrap();
    let key = account_key(0);
    let draft = message::draft(key.address(), actor, fil(0), bauta_abi::Method::PublishKey.number(), params);
    let cid = node.mpool_push(&signed(&*node, &key, draft).await).await.unwrap();
    let found = node.search_msg(&TipsetKey::HEAD, &cid, -1).await.unwrap().unwrap();
    node.devnet_mine(3).await.unwrap();
    (devnet, found.height - 1, json!(Prefix::Testnet.show(&actor)))
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_are_those_of_lotus() {
    let (devnet, at, _) = emitted().await;
    let node = devnet.node();
    let ask = async |filter: Value| node.request("Filecoin.GetActorEventsRaw", json!([filter])).await;
    let head = node.chain_head().await.unwrap().height;
    let all = ask(json!({ "fromHeight": 0 })).await.unwrap();
    assert_eq!((all.as_array().unwrap().len(), &all[0]["height"]), (1, &json!(at)));
    let key = all[0]["tipsetKey"].clone();
    for same in [
        json!({ "fromHeight": at, "toHeight": at }),
        json!({ "fromHeight": at, "toHeight": -1, "tipsetKey": [] }),
        json!({ "fromHeight": 0, "toHeight": head + 100 }),
        json!({ "fromHeight": 0, "addresses": null, "fields": { "$type": [] } }),
        json!({ "tipsetKey": key }),
    ] {
        assert_eq!(ask(same.clone()).await.unwrap(), all, "{same}");
    }
    for nothing in [
        Value::Null,
        json!({}),
        json!({ "tipsetKey": [] }),
        json!({ "toHeight": at }),
        json!({ "toHeight": head + 2880 }),
        json!({ "fromHeight": head }),
        json!({ "fromHeight": head + 1 }),
        json!({ "fromHeight": head + 10, "toHeight": head + 20 }),
        json!({ "fromHeight": at + 1 }),
        json!({ "fromHeight": 0, "toHeight": at - 1 }),
        json!({ "tipsetKey": node.chain_head().await.unwrap().cids }),
    ] {
        assert_eq!(ask(nothing.clone()).await.unwrap(), Value::Null, "{nothing}");
    }
    for (filter, sentence) in [
        (json!({ "fromHeight": -1 }), "range 'from' must be greater than or equal to 0".into()),
        (
            json!({ "fromHeight": 3, "toHeight": 2 }),
            "invalid epoch range: 'to' height (2) must be after 'from' height (3)".into(),
        ),
        (
            json!({ "fromHeight": 0, "toHeight": 2881 }),
            "invalid epoch range: range between to and 'from' heights is too large (maximum: 2880)".into(),
        ),
        (
            json!({ "toHeight": head + 2881 }),
            "invalid epoch range: 'to' height is too far in the future (maximum: 2880)".into(),
        ),
        (
            json!({ "fromHeight": at + 1, "toHeight": head + 1 }),
            format!("get events for filter: range end is in the future, highest epoch: {head}"),
        ),
        (
            json!({ "tipsetKey": key, "fromHeight": 0 }),
            "cannot specify both TipSetKey and FromHeight/ToHeight".to_owned(),
        ),
    ] {
        let refused = ask(filter.clone()).await.unwrap_err();
        assert_eq!(refused, NodeError::Refused { code: 1, message: sentence }, "{filter}");
    }
    node.devnet_mine(2890).await.unwrap();
    let refused = ask(json!({ "fromHeight": at })).await.unwrap_err().to_string();
    assert!(
        refused.ends_with("invalid epoch range: 'from' height is too far in the past (maximum: 2880)"),
        "{refused}"
    );
    assert_eq!(ask(json!({ "fromHeight": at, "toHeight": at + 2880 })).await.unwrap(), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn emitters_of_the_past_are_named_by_id_or_f410() {
    let (devnet, _, actor) = emitted().await;
    let node = devnet.node();
    let ask = async |filter: Value| node.request("Filecoin.GetActorEventsRaw", json!([filter])).await;
    let head = node.chain_head().await.unwrap().height;
    let key = json!(Prefix::Testnet.show(&account_key(0).address()));
    let contract = json!(Prefix::Testnet.show(&Address::new_delegated(10, &[1; 20]).unwrap()));
    let from = |addresses: Value| json!({ "addresses": addresses, "fromHeight": 0 });
    let found = ask(from(json!([actor]))).await.unwrap();
    assert_eq!(found[0]["emitter"], actor);
    assert_eq!(ask(from(json!(["t0101", actor]))).await.unwrap(), found);
    for nothing in [json!([contract]), json!(["t0101"]), json!([actor, contract])] {
        assert_eq!(ask(from(nothing.clone())).await.unwrap(), Value::Null, "{nothing}");
    }
    let refused = ask(from(json!([actor, key]))).await.unwrap_err().to_string();
    let sentence = "get events for filter: failed to make prefill filter query: can only query events by ID or Delegated \
                    addresses; but request has address: ";
    assert!(refused.ends_with(&format!("{sentence}{}", key.as_str().unwrap())), "{refused}");
    // Of the future anybody may be asked for.
    assert_eq!(ask(json!({ "addresses": [key], "fromHeight": head })).await.unwrap(), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_without_anything_are_null_where_lotus_has_null() {
    let devnet = devnet().await;
    let node = devnet.node();
    node.devnet_mine(2).await.unwrap();
    let ask = async |method: &str, params: Value| node.request(&format!("Filecoin.{method}"), params).await.unwrap();
    let (genesis, head) = (ask("ChainGetGenesis", json!([])).await, ask("ChainHead", json!([])).await);
    assert_eq!(ask("ChainGetParentMessages", json!([genesis["Cids"][0]])).await, Value::Null);
    assert_eq!(ask("ChainGetParentReceipts", json!([genesis["Cids"][0]])).await, Value::Null);
    assert_eq!(ask("ChainGetParentMessages", json!([head["Cids"][0]])).await, Value::Null);
    assert_eq!(ask("ChainGetParentReceipts", json!([head["Cids"][0]])).await, json!([]));
    assert_eq!(ask("ChainGetMessagesInTipset", json!([null])).await, Value::Null);
    assert_eq!(ask("MpoolSelect", json!([null, 1])).await, Value::Null);
    assert_eq!(ask("MpoolBatchPush", json!([[]])).await, Value::Null);
    assert_eq!(ask("MpoolPending", json!([null])).await, json!([]));
}
