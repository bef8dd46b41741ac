//! The devnet as a node: over HTTP with the client's own types, in process, and with raw requests.

#[path = "rpc/bounds.rs"]
mod bounds;
#[path = "rpc/common.rs"]
mod common;
#[path = "rpc/delegated.rs"]
mod delegated;
#[path = "rpc/dialects.rs"]
mod dialects;
#[path = "rpc/events.rs"]
mod events;
#[path = "rpc/facts.rs"]
mod facts;
#[path = "rpc/odd.rs"]
mod odd;
#[path = "rpc/pool.rs"]
mod pool;
#[path = "rpc/rehearsal.rs"]
mod rehearsal;
#[path = "rpc/shapes.rs"]
mod shapes;
#[allow(dead_code, reason = "the providers' tests use what these do not")]
#[path = "providers/shop.rs"]
mod shop;

use std::time::Duration;

use bauta_client::address::{Address, Prefix};
use bauta_client::message::{self, Message};
use bauta_client::network::Endpoint;
use bauta_client::node::json::{EventFilter, TipsetKey};
use bauta_client::node::{HttpNode, HttpSettings, Node, NodeError};
use bauta_client::wallet::Key;
use bauta_devnet::bundle::Bundle;
use bauta_devnet::genesis::{Genesis, account_key};
use bauta_devnet::{Config, Devnet, spawn};
use fvm_ipld_encoding::{BytesSer, RawBytes};
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

fn config() -> Config {
    Config {
        listen: Some(([127, 0, 0, 1], 0).into()),
        genesis: Genesis { bundle: Bundle::from_environment(), accounts: 3, ..Genesis::default() },
        ..Config::default()
    }
}

async fn devnet() -> Devnet {
    spawn(config()).await.unwrap()
}

fn over_http(devnet: &Devnet) -> HttpNode {
    let endpoint = Endpoint::from_url(devnet.rpc_url().unwrap()).unwrap();
    HttpNode::new(endpoint, Prefix::Testnet, HttpSettings::default()).unwrap()
}

fn fil(n: i64) -> TokenAmount {
    TokenAmount::from_whole(n)
}

/// A message with nonce and gas from the node, signed.
async fn signed(node: &dyn Node, key: &Key, mut draft: Message) -> message::SignedMessage {
    draft.sequence = node.nonce(&key.address()).await.unwrap();
    key.sign(node.gas_estimate(&draft, None).await.unwrap()).unwrap()
}

fn send(from: &Key, to: Address, amount: TokenAmount) -> Message {
    message::draft(from.address(), to, amount, 0, RawBytes::default())
}

/// A raw request: HTTP status and body.
async fn raw(devnet: &Devnet, body: impl Into<String>) -> (u16, Value) {
    let url = devnet.rpc_url().unwrap();
    let response = reqwest::Client::new().post(url).body(body.into()).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null))
}

async fn call(devnet: &Devnet, method: &str, params: Value) -> (u16, Value) {
    raw(devnet, json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_sent_through_http_and_the_message_is_found_in_its_child_tipset() {
    let devnet = devnet().await;
    let http = over_http(&devnet);
    let node: &dyn Node = &http;
    let (from, to) = (account_key(0), account_key(1).address());
    let before = node.balance(&to).await.unwrap();
    let height = node.chain_head().await.unwrap().height;

    let signed = signed(node, &from, send(&from, to, fil(5))).await;
    assert!(signed.message.gas_limit > 0 && signed.message.gas_fee_cap > signed.message.gas_premium);
    let cid = node.mpool_push(&signed).await.unwrap();
    assert_eq!(cid, signed.cid());

    let found = node.search_msg(&TipsetKey::HEAD, &cid, -1).await.unwrap().expect("executed as push returns");
    assert_eq!((found.message, found.receipt.exit_code, found.height), (cid, 0, height + 2));
    let execution = node.tipset(&found.tip_set).await.unwrap();
    assert_eq!(execution.height, found.height);
    assert_eq!(node.balance(&to).await.unwrap(), before + fil(5));
    assert_eq!(node.get_message(&cid).await.unwrap().unwrap(), signed.message);
    assert_eq!(node.get_message(&message::cid(&signed.message)).await.unwrap().unwrap(), signed.message);

    let block = serde_json::to_value(bauta_client::node::json::CidJson(execution.cids.0[0])).unwrap();
    let (_, receipts) = call(&devnet, "Filecoin.ChainGetParentReceipts", json!([block])).await;
    assert_eq!(receipts["result"][0]["GasUsed"], json!(found.receipt.gas_used));
    let (_, messages) = call(&devnet, "Filecoin.ChainGetParentMessages", json!([block])).await;
    assert_eq!(messages["result"][0]["Cid"]["/"], json!(cid.to_string()));

    let waited = http.request("Filecoin.StateWaitMsg", json!([{ "/": cid.to_string() }, 3, -1, true])).await.unwrap();
    assert_eq!(waited["Height"], json!(found.height));
    assert!(node.chain_head().await.unwrap().height >= found.height + 3, "confidence has not passed");
    assert_eq!(node.devnet_check_invariants().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_when_the_missing_nonce_comes() {
    let devnet = devnet().await;
    let node = devnet.node();
    let from = account_key(0);
    let first = signed(&*node, &from, send(&from, account_key(1).address(), fil(1))).await;
    let mut second = first.message.clone();
    second.sequence += 1;
    let second = from.sign(second).unwrap();
    let cid = node.mpool_push(&second).await.unwrap();
    assert_eq!(node.search_msg(&TipsetKey::HEAD, &cid, -1).await.unwrap(), None);
    let params = json!([{ "/": cid.to_string() }, 0, -1, true]);
    let waiter = tokio::spawn({
        let node = node.clone();
        async move { node.request("Filecoin.StateWaitMsg", params).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiter.is_finished());
    node.mpool_push(&first).await.unwrap();
    let found = tokio::time::timeout(Duration::from_secs(120), waiter).await.unwrap().unwrap().unwrap();
    assert_eq!(found["Receipt"]["ExitCode"], json!(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_of_the_network_and_its_accounts() {
    let devnet = devnet().await;
    let http = over_http(&devnet);
    let node: &dyn Node = &http;
    assert_eq!(node.network_name().await.unwrap(), "bauta-local");
    assert_eq!(node.chain_id().await.unwrap(), 31_415_926);
    assert_eq!(node.network_version().await.unwrap(), 28);
    assert_eq!(node.network_params().await.unwrap().block_delay_secs, 30);
    assert_eq!(node.version().await.unwrap().block_delay, 30);
    // Params may be left out, and both names of the chain id are served.
    let (_, answer) = raw(&devnet, r#"{"jsonrpc":"2.0","id":"a","method":"eth_chainId"}"#).await;
    assert_eq!((&answer["id"], &answer["result"]), (&json!("a"), &json!("0x1df5e76")));
    let (_, batch) = raw(&devnet, r#"[{"id":1,"method":"Filecoin.Version"},{"id":2,"method":"x"}]"#).await;
    assert_eq!((batch.as_array().unwrap().len(), &batch[1]["error"]["code"]), (2, &json!(-32601)));

    let info = devnet.info().await.unwrap();
    assert_eq!(info.accounts.len(), 3);
    for account in &info.accounts {
        let key = Key::import(&account.key).unwrap();
        assert_eq!(key.address(), account.address);
        let id = node.lookup_id(&account.address).await.unwrap().unwrap();
        assert_eq!(node.account_key(&id).await.unwrap(), Some(account.address));
        let robust = http.request("Filecoin.StateLookupRobustAddress", json!([id.to_string(), null])).await.unwrap();
        assert_eq!(robust, json!(Prefix::Testnet.show(&account.address)));
    }
    let actor = info.actor.expect("the actor is installed");
    assert!(node.get_actor(&actor).await.unwrap().is_some());
    let state = http.request("Filecoin.StateReadState", json!([actor.to_string(), null])).await.unwrap();
    assert!(state["State"].is_array(), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anchor_miner_can_be_asked() {
    let devnet = devnet().await;
    let node = devnet.node();
    let miner = node.chain_head().await.unwrap().blocks[0].miner;
    let info = node.miner_info(&miner).await.unwrap().expect("it is on chain");
    assert_eq!((info.sector_size, info.window_post_partition_sectors), (32 << 30, 2349));
    let deadline = node.request("Filecoin.StateMinerProvingDeadline", json!([miner.to_string(), null])).await.unwrap();
    let number = |field: &str| deadline[field].as_i64().unwrap();
    assert!(number("Open") <= number("CurrentEpoch") && number("CurrentEpoch") < number("Close"));
    let nothing = node.market_balance(&account_key(0).address()).await.unwrap();
    assert_eq!((nothing.escrow, nothing.locked), (fil(0), fil(0)));
    assert_eq!(node.market_deal(7).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_see_the_head_and_leave_no_trace() {
    let devnet = devnet().await;
    let node = devnet.node();
    let (from, to) = (account_key(0), account_key(1).address());
    let head = node.chain_head().await.unwrap();
    let fine = node.state_call(&send(&from, to, fil(1)), &TipsetKey::HEAD).await.unwrap();
    assert_eq!(fine.msg_rct.unwrap().exit_code, 0);
    assert!(fine.execution_trace.unwrap().invoked_actor.is_some());
    let poor = node.state_call(&send(&from, to, fil(2_000_000)), &TipsetKey::HEAD).await.unwrap();
    assert_ne!(poor.msg_rct.unwrap().exit_code, 0);
    assert!(!poor.error.is_empty());
    let nobody = Key::from_seed(bauta_client::wallet::KeyKind::Secp256k1, b"nobody");
    let refused = node.state_call(&send(&nobody, to, fil(1)), &TipsetKey::HEAD).await.unwrap_err();
    assert!(matches!(&refused, NodeError::Refused { message, .. } if message.contains("not found on chain")));
    let refused = node.gas_estimate(&send(&from, to, fil(2_000_000)), None).await.unwrap_err();
    assert!(refused.execution_failure().is_some(), "{refused}");
    assert_eq!(node.chain_head().await.unwrap(), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_found_by_root_by_epoch_and_by_emitter() {
    let devnet = devnet().await;
    let http = over_http(&devnet);
    let node: &dyn Node = &http;
    let actor = devnet.info().await.unwrap().actor.expect("installed");
    let key = account_key(0);
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let params = RawBytes::serialize((recipient,)).unwrap();
    let method = bauta_abi::Method::PublishKey.number();
    let draft = message::draft(key.address(), actor, fil(0), method, params);
    let cid = node.mpool_push(&signed(node, &key, draft).await).await.unwrap();
    let found = node.search_msg(&TipsetKey::HEAD, &cid, -1).await.unwrap().unwrap();
    assert_eq!(found.receipt.exit_code, 0);
    let root = found.receipt.events_root.expect("the actor emits");
    let by_root = node.chain_events(&root).await.unwrap();
    let by_filter = node.actor_events(&EventFilter::of_actor(actor, 0, None)).await.unwrap();
    assert_eq!(by_root.len(), 1);
    assert_eq!(by_filter.len(), 1);
    assert_eq!(by_root[0].entries, by_filter[0].entries);
    assert_eq!((by_filter[0].msg_cid, by_filter[0].height, by_filter[0].emitter), (cid, found.height - 1, actor));
    let none = EventFilter::of_actor(Address::new_id(101), 0, None);
    assert!(node.actor_events(&none).await.unwrap().is_empty());
    let mut other = EventFilter::of_actor(actor, 0, None);
    let value = bauta_client::node::json::EventBlock { codec: 0x51, value: vec![0xff] };
    other.fields.insert(by_root[0].entries[0].key.clone(), vec![value]);
    assert!(node.actor_events(&other).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn time_and_money_come_on_demand() {
    let devnet = devnet().await;
    let node = devnet.node();
    let head = node.chain_head().await.unwrap().height;
    node.devnet_mine(1000).await.unwrap();
    let after = node.chain_head().await.unwrap();
    assert_eq!(after.height, head + 1000);
    // A null round answers with the tipset before it.
    assert_eq!(node.tipset_by_height(head + 500, &TipsetKey::HEAD).await.unwrap().height, head);
    let nobody = Key::from_seed(bauta_client::wallet::KeyKind::Bls, b"newcomer").address();
    node.devnet_fund(&nobody, &fil(3)).await.unwrap();
    assert_eq!(node.balance(&nobody).await.unwrap(), fil(3));
    assert!(node.devnet_fund(&nobody, &fil(0)).await.is_err());
    assert!(node.devnet_fund(&nobody, &fil(1_900_000_000)).await.is_err());
    assert_eq!(node.balance(&nobody).await.unwrap(), fil(3));
    let again = node.devnet_install_actor(bauta_devnet::bundle::BAUTA_ACTOR).await.unwrap();
    assert_eq!(Some(again.address), devnet.info().await.unwrap().actor);
    assert!(node.devnet_install_actor(b"junk").await.is_err());
    assert_eq!(node.devnet_check_invariants().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interval_makes_tipsets_by_itself() {
    let devnet = spawn(Config { block_time: Some(Duration::from_millis(50)), ..config() }).await.unwrap();
    let node = devnet.node();
    let from = account_key(0);
    let start = node.chain_head().await.unwrap().height;
    let signed = signed(&*node, &from, send(&from, account_key(1).address(), fil(1))).await;
    let cid = node.mpool_push(&signed).await.unwrap();
    let params = json!([{ "/": cid.to_string() }, 2, -1, true]);
    let wait = node.request("Filecoin.StateWaitMsg", params);
    let found = tokio::time::timeout(Duration::from_secs(120), wait).await.unwrap().unwrap();
    assert_eq!(found["Receipt"]["ExitCode"], json!(0));
    assert!(node.chain_head().await.unwrap().height >= start + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_survives_and_is_locked_while_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let with_folder = || Config { state: Some(folder.path().to_owned()), ..config() };
    let first = spawn(with_folder()).await.unwrap();
    let refused = spawn(with_folder()).await.err().expect("refused");
    assert!(format!("{refused:#}").contains("in use by another devnet"), "{refused:#}");
    let node = first.node();
    let from = account_key(0);
    let signed = signed(&*node, &from, send(&from, account_key(1).address(), fil(9))).await;
    let cid = node.mpool_push(&signed).await.unwrap();
    let (head, info) = (node.chain_head().await.unwrap(), first.info().await.unwrap());
    first.shutdown().await;
    assert!(node.chain_head().await.is_err(), "it has stopped");

    let second = spawn(Config { listen: None, ..with_folder() }).await.unwrap();
    assert_eq!(second.node().chain_head().await.unwrap(), head);
    assert_eq!(second.info().await.unwrap().accounts, info.accounts);
    assert_eq!(second.info().await.unwrap().actor, info.actor);
    let found = second.node().search_msg(&TipsetKey::HEAD, &cid, -1).await.unwrap();
    assert_eq!(found.unwrap().receipt.exit_code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn f4_addresses_are_understood() {
    let devnet = devnet().await;
    let node = devnet.node();
    let delegated = Address::new_delegated(10, &[0x42; 20]).unwrap();
    let shown = Prefix::Testnet.show(&delegated);
    let ask = async |method: &str, params: Value| node.request(&format!("Filecoin.{method}"), params).await;
    assert_eq!(ask("WalletBalance", json!([shown])).await.unwrap(), json!("0"));
    assert_eq!(
        ask("StateLookupID", json!([shown, null])).await.unwrap_err().to_string(),
        "the node refused (11): actor not found"
    );
    node.devnet_fund(&delegated, &fil(3)).await.unwrap();
    let id = ask("StateLookupID", json!([shown, null])).await.unwrap();
    for either in [json!(shown), id.clone(), json!(Prefix::Mainnet.show(&delegated))] {
        let actor = ask("StateGetActor", json!([either, null])).await.unwrap();
        assert_eq!((&actor["DelegatedAddress"], &actor["Balance"]), (&json!(shown), &json!(fil(3).atto().to_string())));
        assert_eq!(ask("StateAccountKey", json!([either, null])).await.unwrap(), json!(shown));
        assert_eq!(ask("WalletBalance", json!([either])).await.unwrap(), json!(fil(3).atto().to_string()));
    }
    assert_eq!(ask("StateLookupRobustAddress", json!([id, null])).await.unwrap(), json!(shown));
    // Paid by its f4 address like anybody.
    let from = account_key(0);
    let signed = signed(&*node, &from, send(&from, delegated, fil(1))).await;
    node.mpool_push(&signed).await.unwrap();
    assert_eq!(node.balance(&delegated).await.unwrap(), fil(4));
    // Another namespace is another address; a broken checksum is none.
    let broken = format!("{}a", &shown[..shown.len() - 1]);
    assert!(ask("WalletBalance", json!([broken])).await.unwrap_err().to_string().contains("is not a Filecoin address"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_browsers_may_call() {
    let devnet = spawn(Config { token: Some("sesame".into()), ..config() }).await.unwrap();
    let (url, client) = (devnet.rpc_url().unwrap(), reqwest::Client::new());
    let asked =
        client.request(reqwest::Method::OPTIONS, url).header("Origin", "https://example.org").send().await.unwrap();
    assert_eq!(
        (asked.status().as_u16(), &asked.headers()["access-control-allow-origin"]),
        (204, &"*".parse().unwrap())
    );
    assert!(asked.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    // What they may not do without the token, they may be told.
    for (token, status) in [("sesame", 200), ("open", 401)] {
        let called =
            client.post(url).bearer_auth(token).body(r#"{"id":1,"method":"Filecoin.Version"}"#).send().await.unwrap();
        assert_eq!(
            (called.status().as_u16(), &called.headers()["access-control-allow-origin"]),
            (status, &"*".parse().unwrap())
        );
    }
    // A WebSocket of a page has no headers.
    let status =
        async |query: &str| client.post(format!("{url}{query}")).body("[]").send().await.unwrap().status().as_u16();
    let all = (status("?token=sesame").await, status("?token=open").await, status("?x=1&token=sesame").await);
    assert_eq!(all, (400, 401, 400));
}
