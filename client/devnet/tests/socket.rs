//! JSON-RPC over WebSocket, and what Ethereum's tools read.

use std::time::Duration;

use bauta_client::message;
use bauta_client::node::Node;
use bauta_devnet::bundle::Bundle;
use bauta_devnet::genesis::{Genesis, account_key};
use bauta_devnet::{Config, Devnet, spawn};
use futures::{SinkExt as _, StreamExt as _};
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

async fn devnet() -> Devnet {
    let config = Config {
        listen: Some(([127, 0, 0, 1], 0).into()),
        genesis: Genesis { bundle: Bundle::from_environment(), accounts: 2, ..Genesis::default() },
        ..Config::default()
    };
    spawn(config).await.unwrap()
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn to(devnet: &Devnet) -> Self {
        Self(connect_async(devnet.rpc_url().unwrap().replace("http", "ws")).await.unwrap().0)
    }

    async fn say(&mut self, text: impl ToString) {
        self.0.send(Message::text(text.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        let next = tokio::time::timeout(Duration::from_secs(120), self.0.next());
        let frame = next.await.expect("something comes").expect("it is open").unwrap();
        serde_json::from_str(frame.to_text().unwrap()).unwrap()
    }
}

async fn send(node: &dyn Node, to: Address, method: u64, params: RawBytes) {
    let key = account_key(0);
    let mut draft = message::draft(key.address(), to, TokenAmount::default(), method, params);
    draft.sequence = node.nonce(&key.address()).await.unwrap();
    let signed = key.sign(node.gas_estimate(&draft, None).await.unwrap()).unwrap();
    node.mpool_push(&signed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tipset_is_told_in_order_until_the_subscription_ends() {
    let devnet = devnet().await;
    let node = devnet.node();
    let mut socket = Socket::to(&devnet).await;
    let head = node.chain_head().await.unwrap();
    socket.say(json!({ "jsonrpc": "2.0", "id": "a", "method": "Filecoin.ChainNotify", "params": [] })).await;
    let opened = socket.hear().await;
    assert_eq!(opened["id"], json!("a"));
    let channel = opened["result"].clone();
    assert!(channel.is_u64(), "{opened}");
    let current = socket.hear().await;
    assert_eq!((&current["method"], &current["params"][0]), (&json!("xrpc.ch.val"), &channel));
    assert_eq!(current["params"][1][0]["Type"], json!("current"));
    assert_eq!(current["params"][1][0]["Val"], serde_json::to_value(&head).unwrap());

    // Two tipsets a message, and a leap over null rounds.
    send(&*node, account_key(1).address(), 0, RawBytes::default()).await;
    node.devnet_mine(50).await.unwrap();
    let (mut heights, mut parent) = (vec![], json!(head.cids));
    while heights.len() < 3 {
        let told = socket.hear().await;
        for change in told["params"][1].as_array().unwrap() {
            assert_eq!((&change["Type"], &change["Val"]["Blocks"][0]["Parents"]), (&json!("apply"), &parent));
            parent = change["Val"]["Cids"].clone();
            heights.push(change["Val"]["Height"].as_i64().unwrap() - head.height);
        }
    }
    assert_eq!(heights, [1, 2, 52]);

    // Other calls are answered meanwhile, wrong ones with the errors of HTTP.
    socket.say(json!({ "id": 7, "method": "Filecoin.StateNetworkName" })).await;
    assert_eq!(socket.hear().await, json!({ "jsonrpc": "2.0", "id": 7, "result": "bauta-local" }));
    for (wrong, code) in [
        ("{", -32700),
        (r#"{"id":1,"method":"Filecoin.Nothing"}"#, -32601),
        (r#"{"id":1,"method":"Filecoin.ChainNotify","params":[1]}"#, -32602),
        (r#"{"id":1,"method":"Filecoin.SubscribeActorEventsRaw","params":[7]}"#, -32700),
        (r#"{"id":1,"method":"Filecoin.SubscribeActorEventsRaw","params":{}}"#, -32600),
        ("[]", -32600),
    ] {
        socket.say(wrong).await;
        assert_eq!(socket.hear().await["error"]["code"], json!(code), "{wrong}");
    }

    socket.say(json!({ "jsonrpc": "2.0", "method": "xrpc.cancel", "params": ["a"] })).await;
    assert_eq!(socket.hear().await, json!({ "jsonrpc": "2.0", "method": "xrpc.ch.close", "params": [channel] }));
    node.devnet_mine(1).await.unwrap();
    socket.say(json!({ "id": 8, "method": "Filecoin.ChainHasObj", "params": [head.cids] })).await;
    assert_eq!(socket.hear().await["id"], json!(8), "no tipset is told any more");
}

/// Takes what is told until the row of tipsets ends in one; gives how many were reverted.
async fn follow(socket: &mut Socket, row: &mut Vec<Value>, until: &Value) -> usize {
    let mut reverts = 0;
    while row.last() != Some(until) {
        for change in socket.hear().await["params"][1].as_array().unwrap() {
            let (key, parent) = (change["Val"]["Cids"].clone(), &change["Val"]["Blocks"][0]["Parents"]);
            if change["Type"] == "revert" {
                assert_eq!(row.pop(), Some(key));
                assert_eq!(row.last(), Some(parent));
                reverts += 1;
            } else {
                assert_eq!((&change["Type"], row.last()), (&json!("apply"), Some(parent)));
                row.push(key);
            }
        }
    }
    reverts
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_revert_undoes_is_told_from_the_head_down_before_what_comes_instead() {
    let devnet = devnet().await;
    let node = devnet.node();
    let mut socket = Socket::to(&devnet).await;
    socket.say(json!({ "id": 1, "method": "Filecoin.ChainNotify", "params": [] })).await;
    assert!(socket.hear().await["result"].is_u64());
    assert_eq!(socket.hear().await["params"][1][0]["Type"], json!("current"));

    let snapshot = node.devnet_snapshot().await.unwrap();
    let kept = node.chain_head().await.unwrap();
    send(&*node, account_key(1).address(), 0, RawBytes::default()).await;
    node.devnet_mine(50).await.unwrap();
    // Who follows the words alone ends where the chain is.
    let mut row = vec![json!(kept.cids)];
    let undone = node.chain_head().await.unwrap();
    assert_eq!(follow(&mut socket, &mut row, &json!(undone.cids)).await, 0);
    assert_eq!(row.len(), 4);

    assert!(node.devnet_revert(Some(snapshot + 1)).await.unwrap_err().to_string().contains("there is no snapshot"));
    assert_eq!(node.devnet_revert(Some(snapshot)).await.unwrap(), snapshot);
    assert_eq!(node.chain_head().await.unwrap(), kept);
    node.devnet_mine(7).await.unwrap();
    let head = node.chain_head().await.unwrap();
    let reverts = follow(&mut socket, &mut row, &json!(head.cids)).await;
    assert_eq!((row.len(), reverts), (2, 3), "one tipset instead of three");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_told_as_they_happen() {
    let devnet = devnet().await;
    let node = devnet.node();
    let actor = devnet.info().await.unwrap().actor.expect("installed");
    let mut socket = Socket::to(&devnet).await;
    for (id, address) in [(1, actor), (2, account_key(1).address())] {
        let filter = json!({ "addresses": [address.to_string()] });
        socket.say(json!({ "id": id, "method": "Filecoin.SubscribeActorEventsRaw", "params": [filter] })).await;
        assert_eq!(socket.hear().await["result"], json!(id));
    }
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let params = RawBytes::serialize((recipient,)).unwrap();
    send(&*node, actor, bauta_abi::Method::PublishKey.number(), params).await;
    let told = socket.hear().await;
    let filter = json!([{ "addresses": [actor.to_string()], "fromHeight": 0 }]);
    let asked = node.request("Filecoin.GetActorEventsRaw", filter).await.unwrap();
    assert_eq!((&told["params"][0], &told["params"][1]), (&json!(1), &asked[0]));
    assert_eq!(asked.as_array().unwrap().len(), 1);
    // The past is told to those who ask for it.
    let filter = json!({ "addresses": [actor.to_string()], "fromHeight": 0, "toHeight": 1000 });
    socket.say(json!({ "id": 3, "method": "Filecoin.SubscribeActorEventsRaw", "params": [filter] })).await;
    assert_eq!(socket.hear().await["result"], json!(3));
    assert_eq!(socket.hear().await["params"], json!([3, asked[0]]));
}

/// Test suites go back to a snapshot between their cases, and go on listening.
#[tokio::test(flavor = "multi_thread")]
async fn ethereums_block_filters_and_subscriptions_hear_what_comes_after_a_revert() {
    let devnet = devnet().await;
    let node = devnet.node();
    let actor = devnet.info().await.unwrap().actor.expect("installed");
    let publish = async |recipient: &str| {
        let params = RawBytes::serialize((recipient,)).unwrap();
        send(&*node, actor, bauta_abi::Method::PublishKey.number(), params).await;
    };
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let mut socket = Socket::to(&devnet).await;
    socket.say(json!({ "id": 1, "method": "eth_subscribe", "params": ["newHeads"] })).await;
    let heads = socket.hear().await["result"].clone();
    let snapshot = node.devnet_snapshot().await.unwrap();
    let blocks = node.request("eth_newBlockFilter", json!([])).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        publish(recipient).await;
    }
    let high = node.chain_head().await.unwrap().height;
    let number = |head: &Value| {
        let text = head["params"]["result"]["number"].as_str().unwrap();
        i64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
    };
    while told.last().is_none_or(|last| *last < high - 1) {
        let head = socket.hear().await;
        assert_eq!(head["params"]["subscription"], heads);
        told.push(number(&head));
    }
    let changes = async |id: &Value| {
        let found = node.request("eth_getFilterChanges", json!([id])).await.unwrap();
        found.as_array().unwrap().len()
    };
    assert!(changes(&blocks).await >= 3);
    node.devnet_revert(Some(snapshot)).await.unwrap();
    publish(recipient).await;
    let head = node.chain_head().await.unwrap().height;
    assert!(head < high, "the chain is shorter than it was");
    assert!(number(&socket.hear().await) < high - 1);
    assert!(changes(&blocks).await > 0);
    // A filter that is dearer than a chain can bear is refused.
    let many: Vec<String> = (0..1_001).map(|n| format!("0x{n:040x}")).collect();
    assert!(node.request("eth_newFilter", json!([{ "address": many }])).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_is_no_channel() {
    let devnet = devnet().await;
    for method in ["Filecoin.ChainNotify", "Filecoin.SubscribeActorEventsRaw"] {
        let body = json!({ "id": 1, "method": method, "params": [] }).to_string();
        let response = reqwest::Client::new().post(devnet.rpc_url().unwrap()).body(body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 500);
        let answer: Value = response.json().await.unwrap();
        let sentence = format!("method '{method}' not supported in this mode (no out channel support)");
        assert_eq!(answer["error"], json!({ "code": -32601, "message": sentence }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ethereum_tools_read_the_chain() {
    let devnet = devnet().await;
    let node = devnet.node();
    let ask = |method: &'static str, params: Value| node.request(method, params);
    let key = account_key(0).address();
    let id = node.lookup_id(&key).await.unwrap().unwrap().id().unwrap();
    let masked = format!("0xff{:038x}", id);
    send(&*node, account_key(1).address(), 0, RawBytes::default()).await;
    let head = node.chain_head().await.unwrap().height;

    assert_eq!(ask("eth_chainId", json!([])).await.unwrap(), json!("0x1df5e76"));
    assert_eq!(ask("net_version", json!([])).await.unwrap(), json!("31415926"));
    let number = |answer: Value| u64::from_str_radix(&answer.as_str().unwrap()[2..], 16).unwrap();
    let premium = number(ask("eth_maxPriorityFeePerGas", json!([])).await.unwrap());
    assert_eq!(number(ask("eth_gasPrice", json!([])).await.unwrap()), premium + 100);
    // The head's own messages have no results yet.
    assert_eq!(ask("eth_blockNumber", json!([])).await.unwrap(), json!(format!("{:#x}", head - 1)));
    let balance = node.balance(&key).await.unwrap();
    let shown = json!(format!("{:#x}", balance.atto()));
    assert_eq!(ask("eth_getBalance", json!([masked, "latest"])).await.unwrap(), shown);
    assert_eq!(ask("eth_getBalance", json!([masked, { "blockNumber": "latest" }])).await.unwrap(), shown);
    assert_eq!(ask("eth_getTransactionCount", json!([masked, "latest"])).await.unwrap(), json!("0x1"));
    assert_eq!(ask("eth_getTransactionCount", json!([masked, "0x0"])).await.unwrap(), json!("0x0"));
    let nobody = format!("0x{}", "11".repeat(20));
    assert_eq!(ask("eth_getBalance", json!([nobody, "latest"])).await.unwrap(), json!("0x0"));
    let rich = Address::new_delegated(10, &[0x11; 20]).unwrap();
    node.devnet_fund(&rich, &TokenAmount::from_atto(0x1234)).await.unwrap();
    assert_eq!(ask("Filecoin.EthGetBalance", json!([nobody, "latest"])).await.unwrap(), json!("0x1234"));
    for wrong in [
        json!([nobody]),
        json!(["0x11", "latest"]),
        json!([nobody, "newest"]),
        json!([nobody, "earliest"]),
        json!([nobody, "0xffffff"]),
        json!([nobody, "0x-1"]),
        json!([nobody, null]),
        json!([nobody, 7]),
    ] {
        assert!(ask("eth_getBalance", wrong.clone()).await.is_err(), "{wrong}");
    }
    assert!(ask("eth_fillTransaction", json!([{}])).await.unwrap_err().to_string().contains("not found"));
}
