use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::json::tests::FILES;
use super::json::{EventFilter, TipsetKey};
use super::*;
use crate::address::Address;
use crate::network::Endpoint;
use crate::vectors;

/// Answers each request by a function of how many came before, its headers, and its body.
type Answer = dyn Fn(u32, &HeaderMap, &Value) -> (u16, String) + Send + Sync;

struct Server {
    url: String,
    requests: Arc<AtomicU32>,
    stop: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.abort();
    }
}

async fn serve(answer: impl Fn(u32, &HeaderMap, &Value) -> (u16, String) + Send + Sync + 'static) -> Server {
    type Shared = (Arc<AtomicU32>, Arc<Answer>);
    async fn handle(
        State((count, answer)): State<Shared>,
        headers: HeaderMap,
        body: axum::Json<Value>,
    ) -> (StatusCode, String) {
        let (status, text) = answer(count.fetch_add(1, Ordering::SeqCst), &headers, &body);
        (StatusCode::from_u16(status).expect("a status"), text)
    }
    let requests = Arc::new(AtomicU32::new(0));
    let answer: Arc<Answer> = Arc::new(answer);
    let router =
        axum::Router::new().route("/rpc/v1", axum::routing::post(handle)).with_state((requests.clone(), answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/rpc/v1", listener.local_addr().expect("bound"));
    let stop = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
    Server { url, requests, stop }
}

fn settings() -> HttpSettings {
    HttpSettings { pause: Duration::from_millis(1), timeout: Duration::from_secs(5), ..HttpSettings::default() }
}

fn client(server: &Server) -> HttpNode {
    HttpNode::new(Endpoint::from_url(&server.url).expect("a URL"), Prefix::Testnet, settings()).expect("a client")
}

fn result(request: &Value, value: Value) -> (u16, String) {
    (200, json!({"jsonrpc": "2.0", "id": request["id"], "result": value}).to_string())
}

#[tokio::test]
async fn dialects() {
    for case in vectors::walk("rpc", &FILES).remove("answers.json").expect("walked") {
        let status = u16::try_from(case.number("status")).expect("a status");
        let body = case.text("body").to_string();
        let server = serve(move |_, _, request| (status, body.replace("ID", &request["id"].to_string()))).await;
        // A write, so that nothing is tried again.
        case.check(client(&server).request("Filecoin.MpoolPush", json!([])).await);
        assert_eq!(server.requests.load(Ordering::SeqCst), 1, "{}", case.name);
    }
}

#[test]
fn sentences() {
    for case in vectors::walk("rpc", &FILES).remove("sentences.json").expect("walked") {
        let code = case.value["code"].as_i64().expect("a code");
        let error = NodeError::Refused { code, message: case.text("message").to_string() };
        let failure = error.execution_failure();
        case.check::<NodeError>(Ok(json!({
            "actor_not_found": error.is_actor_not_found(),
            "not_found": error.is_not_found(),
            "unknown_method": error.is_unknown_method(),
            "pending": error.is_already_pending(),
            "poor": error.is_lack_of_funds(),
            "exit": failure.as_ref().map(|(exit, _)| exit),
            "why": failure.as_ref().map(|(_, why)| why),
        })));
    }
}

#[tokio::test]
async fn requests_are_json_rpc() {
    let seen = Arc::new(Mutex::new(vec![]));
    let log = seen.clone();
    let server = serve(move |_, headers, request| {
        let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("text").to_string());
        log.lock().expect("one at a time").push((header("content-type"), header("authorization"), request.clone()));
        result(request, json!("0x1df5e76"))
    })
    .await;
    let endpoint = Endpoint::from_url(&server.url).expect("a URL").with_token("a.b.c");
    let node = HttpNode::new(endpoint, Prefix::Mainnet, settings()).expect("a client");
    assert!(!format!("{node:?}").contains("a.b.c"), "a token is a secret");
    let node: &dyn Node = &node;
    assert_eq!(node.chain_id().await, Ok(31_415_926));
    let _ = node.get_actor(&Address::new_id(7)).await;
    let seen = seen.lock().expect("done");
    let (content, authorization, first) = &seen[0];
    assert_eq!(content.as_deref(), Some("application/json"));
    assert_eq!(authorization.as_deref(), Some("Bearer a.b.c"));
    assert_eq!(first, &json!({"jsonrpc": "2.0", "id": 1, "method": "Filecoin.EthChainId", "params": []}));
    // The mainnet node is asked by mainnet's letter.
    assert_eq!(seen[1].2["params"], json!(["f07", []]));
}

#[tokio::test]
async fn reads_are_tried_again_and_writes_are_not() {
    let server =
        serve(|count, _, request| if count < 2 { (503, String::new()) } else { result(request, json!("net")) }).await;
    let node = client(&server);
    let node: &dyn Node = &node;
    assert_eq!(node.network_name().await, Ok("net".to_string()));
    assert_eq!(server.requests.load(Ordering::SeqCst), 3);

    let server = serve(|_, _, _| (503, String::new())).await;
    let node = client(&server);
    assert!(matches!(node.request("Filecoin.ChainHead", json!([])).await, Err(NodeError::Unreachable(_))));
    assert_eq!(server.requests.load(Ordering::SeqCst), 4);
    for write in
        ["Filecoin.MpoolPush", "Devnet.Mine", "Devnet.Fund", "Filecoin.ChainSetHead", "Filecoin.WalletNew", "Unknown"]
    {
        let before = server.requests.load(Ordering::SeqCst);
        assert!(matches!(node.request(write, json!([])).await, Err(NodeError::Unreachable(_))));
        assert_eq!(server.requests.load(Ordering::SeqCst), before + 1, "{write}");
    }

    let server = serve(|_, _, request| {
        (200, json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": 1, "message": "no"}}).to_string())
    })
    .await;
    assert!(matches!(
        client(&server).request("Filecoin.ChainHead", json!([])).await,
        Err(NodeError::Refused { code: 1, .. })
    ));
    assert_eq!(server.requests.load(Ordering::SeqCst), 1, "a refusal is an answer");
}

#[tokio::test]
async fn nobody_there() {
    // Held, and not listened at: nobody else gets it meanwhile.
    let held = tokio::net::TcpSocket::new_v4().expect("a socket");
    held.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let url = format!("http://{}", held.local_addr().expect("bound"));
    let settings = HttpSettings { retries: 1, ..settings() };
    let node = HttpNode::new(Endpoint::from_url(&url).expect("a URL"), Prefix::Testnet, settings).expect("a client");
    let error = node.request("Filecoin.ChainHead", json!([])).await.expect_err("nobody listens");
    assert!(matches!(&error, NodeError::Unreachable(why) if why.starts_with("no connection")), "{error}");
}

#[tokio::test]
async fn slow_and_endless_nodes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    // Accepts, and never answers.
    let silent = tokio::spawn(async move {
        let mut held = vec![];
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let impatient = HttpSettings { retries: 0, timeout: Duration::from_millis(100), ..settings() };
    let node = HttpNode::new(Endpoint::from_url(&url).expect("a URL"), Prefix::Testnet, impatient).expect("a client");
    let error = node.request("Filecoin.ChainHead", json!([])).await.expect_err("no answer");
    assert!(matches!(&error, NodeError::Unreachable(why) if why.contains("too long")), "{error}");
    silent.abort();

    let server = serve(|_, _, request| result(request, json!("x".repeat(10_000)))).await;
    let small = HttpSettings { max_answer: 5_000, ..settings() };
    let node =
        HttpNode::new(Endpoint::from_url(&server.url).expect("a URL"), Prefix::Testnet, small).expect("a client");
    let error = node.request("Filecoin.ChainHead", json!([])).await.expect_err("too long");
    assert!(matches!(&error, NodeError::Malformed(why) if why.contains("5000")), "{error}");
}

/// Answers by method and params, in process.
struct Scripted(Box<Script>);

type Script = dyn Fn(&str, &Value) -> Result<Value, NodeError> + Send + Sync;

#[async_trait::async_trait]
impl Node for Scripted {
    async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        (self.0)(method, &params)
    }
}

fn refused(code: i64, message: &str) -> Result<Value, NodeError> {
    Err(NodeError::Refused { code, message: message.to_string() })
}

#[tokio::test]
async fn absence_is_an_answer() {
    for absent in [
        refused(11, "actor not found"),
        refused(1, "resolution lookup failed (t1x): resolve address t1x: actor not found"),
        refused(-32603, "Actor not found: addr=t1x"),
        Ok(Value::Null),
    ] {
        let is_null = absent.is_ok();
        let node = Scripted(Box::new(move |_, _| absent.clone()));
        let (node, address): (&dyn Node, _) = (&node, Address::new_id(1234));
        assert_eq!(node.get_actor(&address).await, Ok(None));
        assert_eq!(node.lookup_id(&address).await, Ok(None));
        assert_eq!(node.account_key(&address).await, Ok(None));
        assert_eq!(node.miner_info(&address).await, Ok(None));
        if !is_null {
            assert_eq!(node.balance(&address).await, Ok(fvm_shared::econ::TokenAmount::from_atto(0)));
            assert_eq!(node.nonce(&address).await, Ok(0));
        }
    }
    let node = Scripted(Box::new(|_, _| refused(1, "blockstore get: ipld: could not find bafy")));
    let (node, cid): (&dyn Node, _) = (&node, crate::message::cid_of(b"absent"));
    assert_eq!(node.read_obj(&cid).await, Ok(None));
    assert_eq!(node.get_message(&cid).await, Ok(None));
    assert_eq!(node.search_msg(&TipsetKey::HEAD, &cid, 20).await, Ok(None));
    let node = Scripted(Box::new(|_, _| refused(1, "the node is syncing")));
    let node: &dyn Node = &node;
    assert!(node.get_actor(&Address::new_id(1)).await.is_err());
    assert!(node.nonce(&Address::new_id(1)).await.is_err());
    assert!(node.read_obj(&cid).await.is_err());
}

#[tokio::test]
async fn objects_are_what_their_cid_names() {
    let node = Scripted(Box::new(|_, _| Ok(json!("aGFp"))));
    let node: &dyn Node = &node;
    assert_eq!(node.read_obj(&crate::message::cid_of(b"hai")).await, Ok(Some(b"hai".to_vec())));
    assert!(matches!(node.read_obj(&crate::message::cid_of(b"hay")).await, Err(NodeError::Malformed(_))));
}

#[tokio::test]
async fn an_estimate_changes_gas_and_nothing_else() {
    let node = Scripted(Box::new(|method, params| {
        assert_eq!(method, "Filecoin.GasEstimateMessageGas");
        assert_eq!(params[0]["Params"], json!(""), "glif and Forest want no null");
        assert_eq!((&params[1], &params[2]), (&Value::Null, &json!([])));
        Ok(json!({"To": "t0666", "From": "t0666", "Value": "999", "Method": 9, "Nonce": 9, "Params": "AAAA",
            "GasLimit": 5, "GasFeeCap": "6", "GasPremium": "7"}))
    }));
    let node: &dyn Node = &node;
    let asked = crate::message::draft(
        Address::new_id(1),
        Address::new_id(2),
        fvm_shared::econ::TokenAmount::from_atto(3),
        4,
        crate::message::RawBytes::default(),
    );
    let estimated = node.gas_estimate(&asked, None).await.expect("estimated");
    let gas = |message: &crate::message::Message| (message.gas_limit, message.gas_fee_cap.atto().to_string());
    assert_eq!(gas(&estimated), (5, "6".to_string()));
    let ungassed = crate::message::Message {
        gas_limit: 0,
        gas_fee_cap: Default::default(),
        gas_premium: Default::default(),
        ..estimated
    };
    assert_eq!(ungassed, asked);
}

#[tokio::test]
async fn events_are_asked_for_with_a_first_epoch() {
    let node = Scripted(Box::new(|method, params| {
        assert_eq!(method, "Filecoin.GetActorEventsRaw");
        assert_eq!(params, &json!([{"addresses": ["t01005"], "fromHeight": 3}]));
        Ok(Value::Null)
    }));
    let node: &dyn Node = &node;
    assert_eq!(node.actor_events(&EventFilter::of_actor(Address::new_id(1005), 3, None)).await, Ok(vec![]));
}

mod waiting;
