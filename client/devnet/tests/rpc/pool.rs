//! Messages that wait: replaced ones, and what estimates make of the others.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_message_is_told_from_a_lost_one() {
    // Nothing is mined meanwhile.
    let devnet = spawn(Config { block_time: Some(Duration::from_secs(3600)), ..config() }).await.unwrap();
    let node = devnet.node();
    let (from, to) = (account_key(0), account_key(1).address());
    let first = signed(&*node, &from, send(&from, to, fil(1))).await;
    let again = |premium: u64, value: TokenAmount| {
        let mut draft = first.message.clone();
        draft.gas_premium = TokenAmount::from_atto(premium);
        draft.gas_fee_cap = TokenAmount::from_atto(premium + 2_000);
        draft.value = value;
        from.sign(draft).unwrap()
    };
    let (same, other) = (again(200_000, fil(1)), again(300_000, fil(2)));
    let cids = [&first, &same, &other].map(|signed| json!({ "/": signed.cid().to_string() }));
    let search =
        async |cid: &Value, allow: bool| node.request("Filecoin.StateSearchMsg", json!([null, cid, -1, allow])).await;
    node.mpool_push(&first).await.unwrap();
    node.mpool_push(&same).await.unwrap();
    let cheap = node.mpool_push(&again(210_000, fil(2))).await.unwrap_err();
    assert!(cheap.to_string().ends_with("replace by fee has too low GasPremium"), "{cheap}");
    // Known, and not executed.
    assert_eq!(search(&cids[0], true).await.unwrap(), Value::Null);
    node.devnet_mine(2).await.unwrap();
    let found = search(&cids[0], true).await.unwrap();
    assert_eq!((&found["Message"], &found["Receipt"]["ExitCode"]), (&cids[1], &json!(0)));
    assert_eq!(search(&cids[0], false).await.unwrap(), Value::Null);
    let wait = node.request("Filecoin.StateWaitMsg", json!([cids[0], 0, -1, false])).await.unwrap_err();
    assert!(wait.to_string().contains("message was replaced: found message with equal nonce"), "{wait}");
    let wait = node.request("Filecoin.StateWaitMsg", json!([cids[0], 0, -1, true])).await.unwrap();
    assert_eq!(wait["Message"], cids[1]);

    // Another call with the same nonce is no replacement, whatever one allows.
    let second = signed(&*node, &from, send(&from, to, fil(3))).await;
    let mut instead = second.message.clone();
    instead.value = fil(4);
    instead.gas_premium = TokenAmount::from_atto(500_000);
    instead.gas_fee_cap = TokenAmount::from_atto(600_000);
    let instead = from.sign(instead).unwrap();
    node.mpool_push(&second).await.unwrap();
    node.mpool_push(&instead).await.unwrap();
    node.devnet_mine(2).await.unwrap();
    let gone = json!({ "/": second.cid().to_string() });
    assert_eq!(search(&gone, false).await.unwrap(), Value::Null);
    let lost = search(&gone, true).await.unwrap_err();
    assert!(lost.to_string().contains("NOT a valid replacement message"), "{lost}");
    // Never seen.
    let unseen = search(&cids[2], true).await.unwrap_err();
    assert!(unseen.to_string().contains("failed to load message"), "{unseen}");
    let deep = node.request("Filecoin.StateWaitMsg", json!([cids[1], 901, -1, true])).await.unwrap_err();
    assert!(deep.to_string().contains("message confidence exceeds maximum: 901 > 900"), "{deep}");
}

#[tokio::test(flavor = "multi_thread")]
async fn estimates_follow_what_is_paid_and_what_waits() {
    let devnet = spawn(Config { block_time: Some(Duration::from_secs(3600)), ..config() }).await.unwrap();
    let node = devnet.node();
    let (from, to) = (account_key(0), account_key(1).address());
    let shown = Prefix::Testnet.show(&from.address());
    let ask = async |method: &str, params: Value| node.request(&format!("Filecoin.{method}"), params).await;
    let premium = async |blocks: u64| ask("GasEstimateGasPremium", json!([blocks, shown, 0, null])).await.unwrap();
    for (blocks, least) in [(0, "200000"), (1, "200000"), (2, "150000"), (3, "100000"), (1_000_000, "100000")] {
        assert_eq!(premium(blocks).await, json!(least), "{blocks}");
    }
    // One message pays more: that is what the next is told, once it lies behind the head.
    let mut dear = signed(&*node, &from, send(&from, to, fil(1))).await.message;
    (dear.gas_premium, dear.gas_fee_cap) = (TokenAmount::from_atto(700_000), TokenAmount::from_atto(900_000));
    node.mpool_push(&from.sign(dear).unwrap()).await.unwrap();
    node.devnet_mine(1).await.unwrap();
    assert_eq!(premium(10).await, json!("100000"));
    node.devnet_mine(1).await.unwrap();
    assert_eq!(premium(10).await, json!("700000"));

    // The limit is 1.25 times the use; a maximal fee caps, or is used up.
    let draft = |fields: Value| {
        let mut draft = json!({ "From": shown, "To": Prefix::Testnet.show(&to), "Value": "1", "Nonce": 9 });
        draft.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        draft
    };
    let used = ask("GasEstimateGasLimit", json!([draft(json!({})), null])).await.unwrap().as_i64().unwrap();
    let filled = ask("GasEstimateMessageGas", json!([draft(json!({})), null, null])).await.unwrap();
    assert_eq!(filled["GasLimit"], json!(used + used / 4));
    let cap: u64 = filled["GasFeeCap"].as_str().unwrap().parse().unwrap();
    assert_eq!(cap, 700_000 + 1_054);
    let given = json!({ "GasLimit": 1_000_000, "GasFeeCap": "5000", "GasPremium": "4000" });
    let kept = ask("GasEstimateMessageGas", json!([draft(given.clone()), null, null])).await.unwrap();
    assert_eq!(
        (&kept["GasLimit"], &kept["GasFeeCap"], &kept["GasPremium"]),
        (&given["GasLimit"], &given["GasFeeCap"], &given["GasPremium"])
    );
    let capped =
        ask("GasEstimateMessageGas", json!([draft(given.clone()), { "MaxFee": "3000000000" }, null])).await.unwrap();
    assert_eq!((&capped["GasFeeCap"], &capped["GasPremium"]), (&json!("3000"), &json!("3000")));
    let whole =
        json!({ "MaxFee": "9000000000", "MsgUuid": "00000000-0000-0000-0000-000000000000", "MaximizeFeeCap": true });
    let whole = ask("GasEstimateMessageGas", json!([draft(given), whole, null])).await.unwrap();
    assert_eq!((&whole["GasFeeCap"], &whole["GasPremium"]), (&json!("9000"), &json!("4000")));

    // A sender that is not there, and a message that would fail.
    let nobody = Prefix::Testnet.show(&Key::from_seed(bauta_client::wallet::KeyKind::Bls, b"nobody").address());
    let absent = ask("GasEstimateMessageGas", json!([draft(json!({ "From": nobody })), null, null])).await.unwrap_err();
    assert!(
        absent.to_string().contains(&format!("sender {nobody} not found on chain: sender validation failed")),
        "{absent}"
    );
    let poor =
        ask("GasEstimateMessageGas", json!([draft(json!({ "Value": "9".repeat(30) })), null, null])).await.unwrap_err();
    assert_eq!(poor.execution_failure().map(|(exit, _)| exit), Some(6), "{poor}");

    // What waits is counted: a transfer of nearly everything can be estimated once, not after itself.
    let all = node.balance(&from.address()).await.unwrap() - fil(1);
    let big = signed(&*node, &from, send(&from, to, all.clone())).await;
    node.mpool_push(&big).await.unwrap();
    let after = ask("GasEstimateGasLimit", json!([draft(json!({ "Value": all.atto().to_string() })), null])).await;
    assert!(after.is_err());
    let instead = json!({ "Value": all.atto().to_string(), "Nonce": big.message.sequence });
    ask("GasEstimateGasLimit", json!([draft(instead), null])).await.unwrap();

    // The node's own wallet sends, with the next nonce, and refuses to be given one.
    let own = draft(json!({ "Nonce": 0 }));
    let pushed = ask("MpoolPushMessage", json!([own, null])).await.unwrap();
    assert_eq!(pushed["Message"]["Nonce"], json!(big.message.sequence + 1));
    assert_eq!(ask("MpoolSelect", json!([null, 1.0])).await.unwrap().as_array().unwrap().len(), 2);
    let given = ask("MpoolPushMessage", json!([draft(json!({})), null])).await.unwrap_err();
    assert!(given.to_string().contains("expects message nonce to be 0, was 9"), "{given}");
    let uuid = json!({ "MaxFee": "0", "MsgUuid": "7e5ae4bc-2a1c-4bd6-9a0e-3f4f0a0b6c11" });
    let once = ask("MpoolPushMessage", json!([draft(json!({ "Nonce": 0 })), uuid])).await.unwrap();
    assert_eq!(ask("MpoolPushMessage", json!([draft(json!({ "Nonce": 0 })), uuid])).await.unwrap(), once);
    assert_eq!(ask("MpoolPending", json!([null])).await.unwrap().as_array().unwrap().len(), 3);
    // By its id address the sender is the same.
    let id = ask("StateLookupID", json!([shown, null])).await.unwrap();
    assert_eq!(ask("MpoolGetNonce", json!([id])).await.unwrap(), ask("MpoolGetNonce", json!([shown])).await.unwrap());
    let foreign = draft(json!({ "From": nobody, "Nonce": 0 }));
    assert!(
        ask("MpoolPushMessage", json!([foreign, null])).await.unwrap_err().to_string().contains("key info not found")
    );
}
