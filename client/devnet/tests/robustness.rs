//! Requests that nobody should send: none takes the node down or holds the chain up, and each gets the documented answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bauta_devnet::bundle::Bundle;
use bauta_devnet::genesis::{Genesis, account_key};
use bauta_devnet::{Config, Devnet, methods, spawn};
use futures::future::join_all;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const REQUESTS: u64 = 10_000;
const PARTS: u64 = 5;
/// What one asks in a part at most: further on, on a very fast machine, the dice go back to a snapshot.
const MOST: u64 = 1_600;
const BLOCK_TIME: Duration = Duration::from_millis(100);
const CONNECTIONS: usize = 1_000;
/// Nobody waits longer for an answer, whatever else goes on.
const PATIENCE: Duration = Duration::from_secs(60);

async fn devnet() -> Devnet {
    let config = Config {
        listen: Some(([127, 0, 0, 1], 0).into()),
        block_time: Some(BLOCK_TIME),
        genesis: Genesis { bundle: Bundle::from_environment(), accounts: 2, ..Genesis::default() },
        ..Config::default()
    };
    spawn(config).await.unwrap()
}

/// Waits until the chain is higher than this.
async fn goes_on(devnet: &Devnet, height: i64) {
    let begun = Instant::now();
    while devnet.node().chain_head().await.unwrap().height <= height {
        assert!(begun.elapsed() < PATIENCE, "the chain stands at {height}");
        tokio::time::sleep(BLOCK_TIME / 4).await;
    }
}

/// Seeded: a failure can be repeated (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.roll(if depth == 0 { 14 } else { 16 }) {
            0 => Value::Null,
            1 => json!(self.roll(2) == 0),
            2 => json!(self.roll(1000)),
            3 => json!(-1),
            4 => json!(i64::MAX),
            5 => json!(u64::MAX),
            6 => json!(1.5e300),
            7 => json!(""),
            8 => json!("x".repeat(self.roll(100_000))),
            9 => json!(account_key(0).address().to_string()),
            10 => json!(format!("f0{}", self.roll(2000))),
            11 => json!({ "/": "bafy2bzacebc3bt6cedhoyw34drrmjvazhu4oj25er2ebk4u445pzycvq4ta4a" }),
            12 => json!(["-1", "99999999999999999999999999999999999", "0x10", "latest", "\u{0}", "é"][self.roll(6)]),
            13 => json!({ "From": account_key(0).address().to_string(), "To": "f01", "Value": "1", "Method": 2 }),
            14 => (0..self.roll(4)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let keys = ["Message", "Signature", "Params", "Value", "fields", "addresses"];
                (0..self.roll(4)).map(|_| (keys[self.roll(6)].to_owned(), self.value(depth - 1))).collect()
            }
        }
    }

    /// A request, and the code that its answer must have if that is certain.
    fn request(&mut self, methods: &[(&'static str, usize)]) -> (Vec<u8>, Option<i64>) {
        let (name, arity) = methods[self.roll(methods.len())];
        let call = |name: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": name, "params": params });
        let bytes = |value: Value| value.to_string().into_bytes();
        match self.roll(20) {
            0 => (Vec::new(), Some(-32700)),
            1 => ((0..self.roll(200)).map(|_| self.roll(256) as u8 | 0x80).collect(), Some(-32700)),
            2 => {
                let mut whole = bytes(call(name, json!([])));
                whole.truncate(self.roll(whole.len() - 1) + 1);
                (whole, Some(-32700))
            }
            3 => ("[".repeat(1 + self.roll(100_000)).into_bytes(), Some(-32700)),
            4 => (format!(r#"{{"id":1,"method":"{name}","params":[1e999999]}}"#).into_bytes(), Some(-32700)),
            5 => (bytes(call(&format!("{name}x"), json!([]))), None),
            6 => (bytes(call("Filecoin.NoSuchThing", self.value(2))), Some(-32601)),
            7 => (bytes(call(name, json!({ "named": 1 }))), Some(-32600)),
            8 => (bytes(json!({ "id": 1, "method": self.roll(9), "params": [] })), Some(-32600)),
            9 => (bytes(json!([])), Some(-32600)),
            10 => ((bytes((0..self.roll(20) + 1).map(|_| call(name, self.value(1))).collect())), None),
            11 => (bytes(self.value(3)), None),
            12..15 => {
                let wrong = arity + 1 + self.roll(4);
                (bytes(call(name, (0..wrong).map(|_| self.value(1)).collect())), Some(-32602))
            }
            _ => (bytes(call(name, (0..arity).map(|_| self.value(3)).collect())), None),
        }
    }
}

/// Checks an answer's form; gives its code, 0 for a result.
fn code(answer: &Value) -> i64 {
    let error = answer.get("error");
    assert!(answer.get("result").is_some() != error.is_some(), "result or error: {answer}");
    let Some(error) = error else { return 0 };
    assert!(error["message"].as_str().is_some_and(|m| !m.is_empty()), "{answer}");
    let code = error["code"].as_i64().expect("a code");
    assert!([1, 2, 3, 11, 12, -32700, -32600, -32601, -32602, -32005].contains(&code), "{answer}");
    code
}

async fn ask(client: &reqwest::Client, url: &str, body: Vec<u8>, certain: Option<i64>) {
    let shown = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
    let response = client.post(url).body(body).send().await.unwrap_or_else(|e| panic!("{e:?} for {shown}"));
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    if status == 204 {
        return;
    }
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} {text} for {shown}"));
    if let Value::Array(answers) = &answer {
        assert_eq!(status, 200, "{shown}");
        answers.iter().for_each(|answer| _ = code(answer));
        return;
    }
    let code = code(&answer);
    let of_code = match code {
        -32700 | -32601 | -32602 => 500,
        -32600 => 400,
        _ => 200,
    };
    assert_eq!(status, of_code, "{shown}");
    assert!(certain.is_none_or(|certain| certain == code), "{answer} instead of {certain:?} for {shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_bad_requests() {
    let devnet = devnet().await;
    let url: Arc<str> = devnet.rpc_url().unwrap().into();
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let table: Vec<_> = methods().collect();
    assert!(table.len() > 50, "{}", table.len());
    let began = Instant::now();
    let mut dice: Vec<Dice> = (0..8).map(Dice).collect();
    // The chain goes on all the while: in each part of the time, which is some block times at least, there are new tipsets.
    for part in 0..PARTS {
        let enough = Instant::now() + 5 * BLOCK_TIME;
        let start = devnet.node().chain_head().await.unwrap().height;
        let askers = dice.drain(..).map(|mut dice| {
            let (client, url, table) = (client.clone(), url.clone(), table.clone());
            tokio::spawn(async move {
                let mut asked = 0;
                while asked < REQUESTS / 8 / PARTS || (asked < MOST && Instant::now() < enough) {
                    asked += 1;
                    let (body, certain) = dice.request(&table);
                    ask(&client, &url, body, certain).await;
                }
                dice
            })
        });
        for asker in join_all(askers).await {
            dice.push(asker.unwrap());
        }
        let head = devnet.node().chain_head().await.unwrap().height;
        assert!(head > start, "no tipset in part {part}, {:?} after the beginning", began.elapsed());
    }
    assert_eq!(devnet.node().devnet_check_invariants().await.unwrap(), Vec::<String>::new());
}

fn text_or_binary(body: Vec<u8>) -> tokio_tungstenite::tungstenite::Message {
    use tokio_tungstenite::tungstenite::Message;
    String::from_utf8(body).map_or_else(|e| Message::binary(e.into_bytes()), Message::text)
}

/// How many connections this process can have with itself.
fn connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok());
    let possible = (files.unwrap_or(1024usize).saturating_sub(200) / 2).min(CONNECTIONS);
    if possible < CONNECTIONS {
        println!("only {possible} connections: this process may open no more files");
    }
    possible
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_slow_and_half_closed_ones_among_them() {
    let devnet = devnet().await;
    let address =
        devnet.rpc_url().unwrap().strip_prefix("http://").unwrap().strip_suffix("/rpc/v1").unwrap().to_owned();
    let body = r#"{"id":1,"method":"Filecoin.ChainHead"}"#;
    let whole = format!(
        "POST /rpc/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // All are open before any says a thing.
    let open = join_all((0..connections()).map(|_| TcpStream::connect(&address))).await;
    let talks = open.into_iter().enumerate().map(|(index, stream)| {
        let (mut stream, whole) = (stream.unwrap(), whole.clone());
        async move {
            let all = whole.as_bytes();
            match index % 4 {
                // Silent until the end, in the middle of headers or body.
                0 => stream.write_all(&all[..index % all.len()]).await.unwrap(),
                // Half closed in the middle, or after the whole of it.
                1 => {
                    stream.write_all(&all[..index % (all.len() + 1)]).await.unwrap();
                    stream.shutdown().await.unwrap();
                }
                // A whole request, at once or piece by piece: all get their answer.
                kind => {
                    for piece in all.chunks(if kind == 2 { all.len() } else { 20 }) {
                        stream.write_all(piece).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    let mut answer = String::new();
                    let read = stream.read_to_string(&mut answer).await;
                    assert!(read.is_ok(), "{read:?} on connection {index} after {answer:?}");
                    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"Height\""), "{answer}");
                }
            }
            stream
        }
    });
    let held = tokio::time::timeout(PATIENCE, join_all(talks)).await.expect("all are answered in time");
    // With all of them still there, others are served.
    let before = devnet.node().chain_head().await.unwrap().height;
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    ask(&client, devnet.rpc_url().unwrap(), body.into(), Some(0)).await;
    goes_on(&devnet, before).await;
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_all_bounds_are_refused_by_size_and_shape() {
    let devnet = devnet().await;
    let (url, client) = (devnet.rpc_url().unwrap(), reqwest::Client::builder().timeout(PATIENCE).build().unwrap());
    let before = devnet.node().chain_head().await.unwrap().height;
    // Who is told that it is too much may be so in the middle of it; and that connection is of no further use to anybody.
    let huge = reqwest::Client::new().post(url).timeout(PATIENCE).body(vec![b'['; 33 << 20]).send().await;
    let huge = huge.map(|response| response.status().as_u16());
    assert!(matches!(huge, Ok(413) | Err(_)), "{huge:?}");
    let nested =
        format!(r#"{{"id":1,"method":"Filecoin.ChainHead","params":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    ask(&client, url, nested.into(), Some(-32700)).await;
    let wide = json!({ "id": 1, "method": "Filecoin.ChainHead", "params": vec![0; 1_000_000] });
    ask(&client, url, wide.to_string().into(), Some(-32602)).await;
    let call = json!({ "id": 1, "method": "Filecoin.ChainHead" });
    ask(&client, url, json!(vec![call.clone(); 1001]).to_string().into(), Some(-32600)).await;
    ask(&client, url, json!(vec![call; 1000]).to_string().into(), None).await;
    for (number, code) in [
        ("1e400", -32700),
        ("18446744073709551616", -32700),
        ("-9223372036854775809", -32700),
        ("1.5", -32700),
        ("9223372036854775807", 1),
    ] {
        let by_height = format!(r#"{{"id":1,"method":"Filecoin.ChainGetTipSetByHeight","params":[{number},null]}}"#);
        ask(&client, url, by_height.into(), Some(code)).await;
    }
    for amount in ["9".repeat(311), "-".into(), "+1".into(), "0x10".into(), "1.0".into(), " 1".into()] {
        let fund = json!({ "id": 1, "method": "Devnet.Fund", "params": ["t01", amount] });
        ask(&client, url, fund.to_string().into(), Some(-32700)).await;
    }
    let fund = json!({ "id": 1, "method": "Devnet.Fund", "params": ["t01", "9".repeat(310)] });
    ask(&client, url, fund.to_string().into(), Some(1)).await;
    // Other methods and paths of HTTP.
    for (method, path, code) in [
        ("GET", "/rpc/v1", 405),
        ("PUT", "/rpc/v1", 405),
        ("DELETE", "/rpc/v1", 405),
        ("POST", "/rpc/v9", 404),
        ("POST", "/", 404),
        ("GET", "/rpc/v9", 404),
    ] {
        let at = url.replace("/rpc/v1", path);
        let answer = client.request(method.parse().unwrap(), at).body("{}").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), code, "{method} {path}");
    }
    assert!(devnet.node().chain_head().await.unwrap().height >= before);
    ask(&client, url, br#"{"id":1,"method":"Filecoin.ChainHead"}"#.to_vec(), Some(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_frames_are_answered_and_the_connection_goes_on() {
    use tokio_tungstenite::tungstenite::Message;
    let devnet = devnet().await;
    let url = devnet.rpc_url().unwrap().replace("http", "ws");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let (mut dice, table) = (Dice(77), methods().collect::<Vec<_>>());
    let mut open = 0;
    for number in 0..1000u32 {
        let (body, _) = dice.request(&table);
        // Only what certainly has one answer: batches and calls without an id may have none.
        let silent = serde_json::from_slice::<Value>(&body).is_ok_and(|call| !call.is_object() || call["id"].is_null());
        if silent {
            continue;
        }
        socket.send(if number % 2 == 0 { Message::binary(body) } else { text_or_binary(body) }).await.unwrap();
        open += 1;
        if open < 20 {
            continue;
        }
        // The order of answers is not that of the questions.
        while open > 0 {
            let frame = tokio::time::timeout(PATIENCE, socket.next()).await.expect("an answer").unwrap().unwrap();
            if let Message::Text(text) = frame {
                code(&serde_json::from_str(&text).unwrap());
                open -= 1;
            }
        }
    }
    socket.send(Message::text(r#"{"id":"last","method":"Filecoin.StateNetworkName"}"#)).await.unwrap();
    loop {
        let frame = tokio::time::timeout(PATIENCE, socket.next()).await.expect("an answer").unwrap().unwrap();
        if frame.to_text().is_ok_and(|text| text.contains("last") && text.contains("bauta-local")) {
            break;
        }
    }
    // What is no text in UTF-8 and too long a message end the connection, and nothing else.
    let begun = devnet.node().chain_head().await.unwrap().height;
    let _ = socket.send(Message::binary(vec![b' '; 33 << 20])).await;
    drop(socket);
    goes_on(&devnet, begun).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_machines_need_a_token() {
    let at = |listen: [u8; 4], token: Option<&str>| Config {
        listen: Some((listen, 0).into()),
        token: token.map(Into::into),
        actor: None,
        genesis: Genesis { bundle: Bundle::from_environment(), accounts: 1, ..Genesis::default() },
        ..Config::default()
    };
    let refused = spawn(at([0, 0, 0, 0], None)).await.err().expect("refused");
    assert!(refused.to_string().contains("token"), "{refused}");

    let devnet = spawn(at([0, 0, 0, 0], Some("sesame"))).await.unwrap();
    let url = devnet.rpc_url().unwrap().replace("0.0.0.0", "127.0.0.1");
    let status = async |authorization: Option<&str>| {
        let mut request = reqwest::Client::new().post(&url).body(r#"{"id":1,"method":"Filecoin.Version"}"#);
        if let Some(value) = authorization {
            request = request.header("Authorization", value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    for wrong in [None, Some("Bearer "), Some("Bearer sesam"), Some("sesame"), Some("Basic sesame")] {
        assert_eq!(status(wrong).await, 401, "{wrong:?}");
    }
    assert_eq!(status(Some("Bearer sesame")).await, 200);
}
