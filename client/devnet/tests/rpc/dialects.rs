//! The client on nodes that are not the devnet: in front of it stands one that speaks as Forest, FRC-0116 or a Lotus gateway does,
//! with their limits and moods. What the client does comes out the same everywhere.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bauta_client::address::{Address, Prefix};
use bauta_client::message::{RawBytes, SignedMessage, TokenAmount};
use bauta_client::network::{Endpoint, Network};
use bauta_client::node::json::TipsetKey;
use bauta_client::node::{HttpNode, HttpSettings, Node, NodeError, WaitSettings};
use bauta_client::sender::{Call, SendError, Sender, Silent, Watch};
use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::genesis::account_key;
use serde_json::{Value, json};

use crate::shop;

/// How a node answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Lotus,
    Forest,
    Frc0116,
    Gateway,
}

/// The node that is spoken to, and the devnet behind it.
struct Front {
    dialect: Dialect,
    devnet: Arc<dyn Node>,
    token: &'static str,
    pushes: AtomicU32,
    /// How often a read was asked for: a gateway turns the first away.
    reads: Mutex<HashMap<String, u32>>,
    /// The answer to the next push is lost.
    loses: AtomicU32,
}

/// As `api/api_gateway.go` has them: what Bauta calls, without what a gateway does not serve.
const GATEWAY: [&str; 17] = [
    "Version",
    "StateNetworkName",
    "StateNetworkVersion",
    "EthChainId",
    "ChainHead",
    "ChainGetTipSet",
    "ChainGetTipSetByHeight",
    "ChainGetMessage",
    "ChainReadObj",
    "StateGetActor",
    "StateLookupID",
    "WalletBalance",
    "MpoolGetNonce",
    "GasEstimateMessageGas",
    "StateCall",
    "StateSearchMsg",
    "MpoolPush",
];

async fn stand(State(front): State<Arc<Front>>, headers: HeaderMap, body: String) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("authorization") != format!("Bearer {}", front.token) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if matches!(front.dialect, Dialect::Forest | Dialect::Frc0116) && header("content-type") != "application/json" {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let call: Value = serde_json::from_str(&body).unwrap();
    let (id, method) = (call["id"].clone(), call["method"].as_str().unwrap());
    let short = method.strip_prefix("Filecoin.").unwrap();
    let mut params = call["params"].as_array().unwrap().clone();
    if front.dialect == Dialect::Forest {
        assert!(!body.contains("\"f0") && !body.contains("\"f1"), "Forest refuses mainnet's letter: {body}");
        assert!(short != "GasEstimateMessageGas" || params[1].is_null(), "Forest wants all fields of a spec, or none");
        assert!(short != "StateSearchMsg" || params[2].is_i64(), "Forest wants a number");
    }
    if front.dialect == Dialect::Gateway {
        if !GATEWAY.contains(&short) {
            return said(&front, id, Err((-32601, format!("method '{method}' not found"))));
        }
        if short != "MpoolPush" {
            let mut reads = front.reads.lock().unwrap();
            let count = reads.entry(short.to_owned()).or_default();
            *count += 1;
            match *count {
                1 => return (StatusCode::TOO_MANY_REQUESTS, "slow down").into_response(),
                2 => return (StatusCode::BAD_GATEWAY, "<html></html>").into_response(),
                _ => {}
            }
        }
        if short == "StateSearchMsg" && params[2].as_i64().is_none_or(|back| !(0..=20).contains(&back)) {
            params[2] = json!(20);
        }
    }
    let mut asked = method.to_owned();
    if short == "MpoolPush" {
        front.pushes.fetch_add(1, Ordering::SeqCst);
        if front.dialect == Dialect::Gateway {
            asked = "Filecoin.MpoolPushUntrusted".into();
        }
    }
    let answer = front.devnet.request(&asked, Value::Array(params)).await;
    if short == "MpoolPush" && front.loses.swap(0, Ordering::SeqCst) == 1 {
        return (StatusCode::GATEWAY_TIMEOUT, "").into_response();
    }
    let answer = match answer {
        Err(NodeError::Refused { message, .. })
            if front.dialect == Dialect::Forest && short == "StateGetActor" && message.contains("actor not found") =>
        {
            Ok(Value::Null)
        }
        Err(NodeError::Refused { code, message }) => Err((code, message)),
        answer => Ok(answer.unwrap()),
    };
    said(&front, id, answer)
}

fn said(front: &Front, id: Value, answer: Result<Value, (i64, String)>) -> Response {
    let (code, message) = match answer {
        Ok(result) => return json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string().into_response(),
        Err(error) => error,
    };
    let (status, code, message) = match (front.dialect, code) {
        (Dialect::Lotus | Dialect::Gateway, -32601 | -32602 | -32700) => (500, code, message),
        (Dialect::Lotus | Dialect::Gateway, _) => (200, code, message),
        (Dialect::Forest, -32601) => (200, -32601, "Method not found".into()),
        (Dialect::Forest, _) => (200, -32603, as_forest(message)),
        (Dialect::Frc0116, -32601) => (404, -32601, "Method not found".into()),
        (Dialect::Frc0116, -32602 | -32700) => (400, -32602, message),
        (Dialect::Frc0116, _) => (500, code, message),
    };
    let body = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}

fn as_forest(message: String) -> String {
    let words = [
        ("actor not found", "Actor not found: addr=t1xyz"),
        ("message with nonce already exists", "Message with sequence already in mempool"),
        ("message nonce too low", "Message sequence too low"),
        ("not enough funds", "Not enough funds to execute transaction, balance: 0, required: 1"),
    ];
    words.iter().find(|(lotus, _)| message.contains(lotus)).map_or(message.clone(), |(_, forest)| (*forest).into())
}

/// Writes down what is signed, as a journal does.
#[derive(Default)]
struct Journal(Mutex<Vec<SignedMessage>>);

impl Watch for Journal {
    fn before_push(&self, signed: &SignedMessage) -> Result<(), String> {
        self.0.lock().unwrap().push(signed.clone());
        Ok(())
    }
}

async fn on(dialect: Dialect) {
    let devnet = shop::devnet(None, 0).await;
    let actor = devnet.info().await.unwrap().actor.unwrap();
    let token = "aaaa.bbbb.cccc";
    let front = Arc::new(Front {
        dialect,
        devnet: devnet.node(),
        token,
        pushes: AtomicU32::new(0),
        reads: Mutex::default(),
        loses: AtomicU32::new(0),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = Router::new().route("/rpc/v1", post(stand)).with_state(front.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

    // As Lotus's users say where their node is.
    let endpoint = Endpoint::from_api_info(&format!("{token}:/ip4/127.0.0.1/tcp/{port}/http")).unwrap();
    let settings = HttpSettings { pause: Duration::from_millis(5), ..HttpSettings::default() };
    let node = HttpNode::new(endpoint.clone(), Prefix::Testnet, settings.clone()).unwrap();
    let node: Arc<dyn Node> = Arc::new(node);
    let network = Network::Custom {
        name: "somewhere".into(),
        node_name: Some("bauta-local".into()),
        chain_id: Some(bauta_client::network::LOCAL_CHAIN_ID),
    };
    let wait = WaitSettings {
        confidence: 0,
        timeout: Duration::from_secs(30),
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(50),
        lookback: 20,
    };
    let sender = |key: Key, network: &Network| Sender::new(node.clone(), key, network.clone()).with_wait(wait.clone());
    let me = sender(account_key(0), &network);

    // A call of our actor, and one that it refuses.
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let publish = bauta_abi::Method::PublishKey.number();
    let call = Call::new(actor, publish).with_params(RawBytes::serialize((recipient,)).unwrap());
    let sent = me.send(&call, &Silent).await.unwrap();
    let call = Call::new(actor, publish).with_params(RawBytes::serialize(("not a recipient",)).unwrap());
    let refused = me.send(&call, &Silent).await.unwrap_err();
    assert!(matches!(refused, SendError::Rejected { exit_code: 16, cid: None, .. }), "{dialect:?}: {refused}");
    assert_eq!(front.pushes.load(Ordering::SeqCst), 1, "{dialect:?}: nothing is sent that would fail");

    // Nobody, and nothing.
    let nobody = Key::from_seed(KeyKind::Secp256k1, b"nobody");
    assert_eq!(node.get_actor(&nobody.address()).await, Ok(None), "{dialect:?}");
    assert_eq!(node.lookup_id(&nobody.address()).await, Ok(None), "{dialect:?}");
    assert_eq!(node.nonce(&nobody.address()).await, Ok(0), "{dialect:?}");
    assert_eq!(node.balance(&nobody.address()).await, Ok(TokenAmount::default()), "{dialect:?}");
    assert_eq!(node.read_obj(&bauta_client::message::cid_of(b"nothing")).await, Ok(None), "{dialect:?}");
    let pay = Call::new(Address::new_id(100), 0).with_value(TokenAmount::from_atto(1));
    let poor = sender(nobody, &network).send(&pay, &Silent).await.unwrap_err();
    assert!(matches!(poor, SendError::Funds { .. }), "{dialect:?}: {poor}");
    let unknown = node.request("Filecoin.NoSuchMethod", json!([])).await.unwrap_err();
    assert!(unknown.is_unknown_method(), "{dialect:?}: {unknown}");

    // Another network than was meant: nothing is signed.
    let other = Network::Custom { name: "other".into(), node_name: Some("bauta-local".into()), chain_id: Some(314) };
    let wrong = sender(account_key(0), &other).send(&pay, &Silent).await.unwrap_err();
    assert!(matches!(wrong, SendError::WrongNetwork { what: "chain id", .. }), "{dialect:?}: {wrong}");
    let wrong = sender(account_key(0), &Network::Mainnet).send(&pay, &Silent).await.unwrap_err();
    assert!(matches!(wrong, SendError::WrongNetwork { what: "name", .. }), "{dialect:?}: {wrong}");
    assert_eq!(front.pushes.load(Ordering::SeqCst), 1, "{dialect:?}");

    // The answer to a push is lost: the message is found, and not pushed again.
    let journal = Journal::default();
    front.loses.store(1, Ordering::SeqCst);
    let found = me.send(&pay, &journal).await.unwrap();
    assert_eq!(front.pushes.load(Ordering::SeqCst), 2, "{dialect:?}");
    // The process died, and begins again long after: the same message, once.
    node_of(&front).devnet_mine(300).await.unwrap();
    let signed = journal.0.lock().unwrap()[0].clone();
    let again = me.resume(&signed, found.height - 10, &Silent).await.unwrap();
    assert_eq!(
        (again.cid, again.height, front.pushes.load(Ordering::SeqCst)),
        (found.cid, found.height, 2),
        "{dialect:?}"
    );
    let search = node.search_msg(&TipsetKey::HEAD, &sent.cid, -1).await.unwrap();
    assert_eq!(search.is_some(), dialect != Dialect::Gateway, "{dialect:?}: gateways do not look back so far");

    // A wrong token is not tried again and again.
    let stranger = HttpNode::new(endpoint.with_token("x.y.z"), Prefix::Testnet, settings).unwrap();
    let refused = (&stranger as &dyn Node).chain_head().await.unwrap_err();
    assert!(matches!(refused, NodeError::Refused { code: 401, .. }), "{dialect:?}: {refused}");
    server.abort();
    devnet.shutdown().await;
}

/// What only the devnet can do is asked of it directly.
fn node_of(front: &Front) -> &dyn Node {
    &*front.devnet
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_meets_lotus() {
    on(Dialect::Lotus).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_meets_forest() {
    on(Dialect::Forest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_meets_frc_0116() {
    on(Dialect::Frc0116).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_meets_a_gateway() {
    on(Dialect::Gateway).await;
}
