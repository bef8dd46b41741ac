//! What is asked wrongly, and what older clients ask.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_lotus_errors() {
    let devnet = devnet().await;
    let error = |answer: &(u16, Value)| (answer.0, answer.1["error"]["code"].as_i64().unwrap_or_default());
    let nobody = Key::from_seed(bauta_client::wallet::KeyKind::Secp256k1, b"nobody").address();
    let nobody = Prefix::Testnet.show(&nobody);
    let missing = json!({ "/": "bafy2bzacecm7xklkq3hkc2kgm5wnb5shlxmffino6lzhh7lte5acytb7sssr4" });

    assert_eq!(error(&call(&devnet, "Filecoin.Nonsense", json!([])).await), (500, -32601));
    assert_eq!(error(&call(&devnet, "eth_fillTransaction", json!([])).await), (500, -32601));
    assert_eq!(error(&call(&devnet, "Devnet.Nonsense", json!([])).await), (500, -32601));
    assert_eq!(error(&call(&devnet, "Filecoin.WalletBalance", json!([])).await), (500, -32602));
    assert_eq!(error(&call(&devnet, "Filecoin.WalletBalance", json!(["x"])).await), (500, -32700));
    assert_eq!(error(&raw(&devnet, "{").await), (500, -32700));
    assert_eq!(error(&raw(&devnet, "").await), (500, -32700));
    assert_eq!(error(&raw(&devnet, "[]").await), (400, -32600));
    assert_eq!(error(&raw(&devnet, "7").await), (400, -32600));
    assert_eq!(error(&raw(&devnet, r#"{"id":1}"#).await), (400, -32600));

    let (status, answer) = call(&devnet, "Filecoin.StateLookupID", json!([nobody, null])).await;
    assert_eq!((status, &answer["error"]["code"]), (200, &json!(11)));
    for method in ["Filecoin.StateGetActor", "Filecoin.StateReadState", "Filecoin.StateAccountKey"] {
        let params = if method.ends_with("Key") { json!(["t099999", []]) } else { json!([nobody, []]) };
        let (status, answer) = call(&devnet, method, params).await;
        assert_eq!((status, &answer["error"]["code"]), (200, &json!(1)), "{method}");
        let said = if method.ends_with("Key") { "failed to find actor: t099999" } else { "actor not found" };
        assert!(answer["error"]["message"].as_str().unwrap().contains(said), "{method}: {answer}");
    }
    assert_eq!(call(&devnet, "Filecoin.WalletBalance", json!([nobody])).await.1["result"], json!("0"));
    let (_, answer) = call(&devnet, "Filecoin.MpoolGetNonce", json!([nobody])).await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("actor not found"));
    let (_, answer) = call(&devnet, "Filecoin.ChainReadObj", json!([missing])).await;
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("blockstore get: ipld: could not find"));
    assert_eq!(call(&devnet, "Filecoin.ChainHasObj", json!([missing])).await.1["result"], json!(false));
    let (_, answer) = call(&devnet, "Filecoin.StateSearchMsg", json!([null, missing, -1, true])).await;
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("failed to load message"));
    let (_, answer) = call(&devnet, "Filecoin.ChainGetTipSetByHeight", json!([999, null])).await;
    let sentence = answer["error"]["message"].as_str().unwrap();
    assert!(sentence.starts_with("looking for tipset with height greater than start point, req: 999"));
    let (_, answer) = call(&devnet, "Filecoin.ChainGetTipSetByHeight", json!([-1, null])).await;
    assert_eq!(answer["error"]["message"], json!("height -1 is negative"));

    let url = devnet.rpc_url().unwrap();
    assert_eq!(reqwest::get(url).await.unwrap().status().as_u16(), 405);
    assert_eq!(reqwest::Client::new().post(url.replace("v1", "v9")).send().await.unwrap().status().as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_path_takes_fewer_params() {
    let devnet = devnet().await;
    let node = devnet.node();
    let from = account_key(0);
    let cid =
        node.mpool_push(&signed(&*node, &from, send(&from, account_key(1).address(), fil(1))).await).await.unwrap();
    let url = devnet.rpc_url().unwrap().replace("/v1", "/v0");
    let ask = |method: &str, params: Value| {
        let body = json!({ "id": 1, "method": method, "params": params }).to_string();
        reqwest::Client::new().post(&url).body(body).send()
    };
    for (method, params) in [
        ("Filecoin.StateSearchMsg", json!([{ "/": cid.to_string() }])),
        ("Filecoin.StateWaitMsg", json!([{ "/": cid.to_string() }, 0])),
        ("Filecoin.StateSearchMsgLimited", json!([{ "/": cid.to_string() }, 10])),
        ("Filecoin.StateWaitMsgLimited", json!([{ "/": cid.to_string() }, 0, 10])),
    ] {
        let answer: Value = ask(method, params).await.unwrap().json().await.unwrap();
        assert_eq!(answer["result"]["Receipt"]["ExitCode"], json!(0), "{answer}");
    }
    let receipt = ask("Filecoin.StateGetReceipt", json!([{ "/": cid.to_string() }, null])).await.unwrap();
    let receipt: Value = receipt.json().await.unwrap();
    assert_eq!(receipt["result"]["ExitCode"], json!(0), "{receipt}");
    // The new path does not know the old names.
    let (status, answer) = call(&devnet, "Filecoin.StateGetReceipt", json!([{ "/": cid.to_string() }, null])).await;
    assert_eq!((status, &answer["error"]["code"]), (500, &json!(-32601)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unused_value_of_params_is_kept_as_it_was() {
    let devnet = devnet().await;
    let (from, to) = (account_key(0).address(), account_key(1).address());
    let base = json!({ "From": Prefix::Mainnet.show(&from), "To": Prefix::Testnet.show(&to), "Value": "1" });
    for params in [json!(""), Value::Null] {
        let mut draft = base.clone();
        draft["Params"] = params.clone();
        let (_, answer) =
            call(&devnet, "Filecoin.GasEstimateMessageGas", json!([draft, { "MaxFee": "0" }, null])).await;
        assert_eq!(answer["result"]["Params"], params, "{answer}");
    }
    let mut long = base.clone();
    let bytes = RawBytes::serialize(BytesSer(&[7; 100])).unwrap();
    long["Params"] = json!(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes.bytes()));
    let (_, answer) = call(&devnet, "Filecoin.GasEstimateMessageGas", json!([long, null, []])).await;
    assert!(answer["result"]["GasLimit"].as_i64().unwrap() > 0, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_version_is_not_served() {
    let devnet = devnet().await;
    let url = devnet.rpc_url().unwrap().replace("/v1", "/v2");
    let asked = reqwest::Client::new().post(url).body(r#"{"id":1,"method":"Filecoin.Version"}"#).send().await.unwrap();
    assert_eq!(asked.status().as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_bounded_in_calls_and_in_bytes() {
    let devnet = devnet().await;
    let batch = |call: Value, count: usize| Value::Array(vec![call; count]).to_string();
    let version = json!({ "id": 1, "method": "Filecoin.Version" });
    let (status, refused) = raw(&devnet, batch(version.clone(), 1001)).await;
    let sentence = "invalid request: batch too large: 1001 calls, at most 1000";
    assert_eq!((status, &refused["error"]["message"]), (400, &json!(sentence)));
    assert_eq!(raw(&devnet, batch(version, 1000)).await.1.as_array().map(Vec::len), Some(1000));

    let (_, codes) = call(&devnet, "Filecoin.StateActorCodeCIDs", json!([28])).await;
    let read = json!({ "id": 7, "method": "Filecoin.ChainReadObj", "params": [codes["result"]["evm"]] });
    let (_, one) = raw(&devnet, read.to_string()).await;
    let fit = (32 << 20) / one.to_string().len() + 1;
    assert!(fit < 1000, "{fit}");
    let (status, answers) = raw(&devnet, batch(read, 1000)).await;
    let answers = answers.as_array().unwrap();
    assert_eq!((status, answers.len()), (200, 1000));
    assert_eq!(answers.iter().take_while(|answer| answer.get("result").is_some()).count(), fit);
    let sentence = "response too large: the answers to a batch have at most 33554432 bytes";
    let refused = json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": -32003, "message": sentence } });
    assert!(answers[fit..].iter().all(|answer| *answer == refused), "{}", answers[fit]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_comes_after_what_its_sender_has_in_the_tipset() {
    let devnet = devnet().await;
    let node = devnet.node();
    let (from, to) = (account_key(0), account_key(1).address());
    let mut included = TipsetKey::HEAD;
    for _ in 0..2 {
        let cid = node.mpool_push(&signed(&*node, &from, send(&from, to, fil(5))).await).await.unwrap();
        let found = node.search_msg(&TipsetKey::HEAD, &cid, -1).await.unwrap().unwrap();
        included = node.tipset(&found.tip_set).await.unwrap().blocks[0].parents.clone();
    }
    let nonce = async |sender: Address, at: &TipsetKey| {
        let draft = message::draft(sender, to, fil(1), 0, RawBytes::default());
        let called = node.state_call(&draft, at).await.unwrap();
        assert_eq!(called.msg_rct.unwrap().exit_code, 0);
        called.msg.message.sequence
    };
    let id = node.lookup_id(&from.address()).await.unwrap().unwrap();
    assert_eq!(nonce(from.address(), &included).await, 2);
    // By another address it is another sender, as on Lotus.
    assert_eq!(nonce(id, &included).await, 1);
    // All that it then owns is all that it can send.
    let state = node.request("Filecoin.StateGetActor", json!([id.to_string(), null])).await.unwrap();
    let rest = TokenAmount::from_atto(state["Balance"].as_str().unwrap().parse::<u128>().unwrap());
    let exit = async |value: TokenAmount| {
        let draft = message::draft(from.address(), to, value, 0, RawBytes::default());
        node.state_call(&draft, &included).await.unwrap().msg_rct.unwrap().exit_code
    };
    assert_eq!(exit(rest.clone()).await, 0);
    assert_ne!(exit(rest + TokenAmount::from_atto(1)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_key_is_looked_up_only_behind_an_id() {
    let devnet = devnet().await;
    let ask = async |address: &Address| {
        call(&devnet, "Filecoin.StateAccountKey", json!([Prefix::Testnet.show(address), null])).await.1
    };
    let unknown = Address::new_delegated(10, &[0x77; 20]).unwrap();
    assert_eq!(ask(&unknown).await["result"], json!(Prefix::Testnet.show(&unknown)));
    let refused = ask(&Address::new_actor(b"anybody")).await;
    assert_eq!(refused["error"]["message"], json!("cannot resolve actor address to key address"));
    let refused = ask(&Address::new_id(1)).await;
    assert_eq!(refused["error"]["message"], json!("failed to get account actor state for t01: not an account actor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_mined_and_never_less() {
    let devnet = devnet().await;
    let node = devnet.node();
    let from = account_key(0);
    node.mpool_push(&signed(&*node, &from, send(&from, account_key(1).address(), fil(1))).await).await.unwrap();
    let supply = node.request("Filecoin.StateVMCirculatingSupplyInternal", json!([null])).await.unwrap();
    assert_eq!(supply["FilMined"], json!("0"), "{supply}");
}
