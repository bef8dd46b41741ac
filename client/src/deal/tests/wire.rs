//! What the client sends, byte for byte: recorded against a server that answers by a script, with a clock that stands still.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fvm_shared::address::Address;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::*;
use super::{FILES, at, key};
use crate::piece::CommP;
use crate::vectors::{update, walk};

/// 2026-11-22T10:05:05Z.
const NOW: u64 = 1_795_341_905;
const ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
/// As long as a body may be to stand in the vectors; of longer ones their hash does.
const SHOWN: usize = 2048;

/// A request: its head as text, and its body.
type Request = (String, Vec<u8>);

/// Reads one request.
async fn request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            let mut body = bytes.split_off(end + 4);
            while body.len() < length {
                match stream.read(&mut buffer).await {
                    Ok(n) if n > 0 => body.extend_from_slice(&buffer[..n]),
                    _ => return None,
                }
            }
            return Some((head, body));
        }
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    }
}

/// What was sent, as it stands in the vectors.
fn recorded(name: String, head: &str, body: &[u8]) -> Value {
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_string(), value.to_string()))
        // The port is another one each time.
        .map(|(name, value)| if name == "host" { (name, "sp.example.org".to_string()) } else { (name, value) })
        .collect();
    let header = headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.clone());
    let body = match body {
        [] => Value::Null,
        long if long.len() > SHOWN => json!({"length": long.len(), "sha256": hex::encode(Sha256::digest(long))}),
        short => match std::str::from_utf8(short) {
            Ok(text) => json!(text),
            Err(_) => json!({"base64": STANDARD.encode(short)}),
        },
    };
    json!({"name": name, "method": method, "path": path, "headers": headers, "header": header, "body": body,
           "now": NOW, "expect": {"http": first.next()}})
}

/// Answers each request by what its line begins with, in order, and writes everything down.
async fn provider(script: Vec<(&'static str, u16, String)>, log: Arc<Mutex<Vec<Request>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        let mut script = script.into_iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some((head, body)) = request(&mut stream).await else { continue };
            let (line, status, answer) = script.next().expect("no more requests than the script has");
            assert!(head.starts_with(line), "{head}\nis not {line}");
            log.lock().expect("nobody panics with it").push((head, body));
            let head = format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
            let _ = stream.write_all((head + &answer).as_bytes()).await;
        }
    });
    url
}

fn status(state: &str) -> String {
    json!({"ddo_v1": {"status": state, "errorMsg": ""}}).to_string()
}

async fn exchange() -> Vec<Value> {
    let mut cases = Vec::new();
    let chunk = mk20::MIN_CHUNK as usize;
    let folder = tempfile::tempdir().expect("a folder");
    let (small, large) = (b"bauta".repeat(60), vec![7u8; chunk + 5]);
    let begun =
        json!({"total_chunks": 2, "uploaded": 0, "missing": 2, "uploaded_chunks": null, "missing_chunks": [1, 2]});
    let ok = |line| (line, 200, String::new());
    for (kind, bytes, script) in [
        (
            "secp256k1",
            &small,
            vec![
                ("GET /market/mk20/status/", 401, "Unauthorized\n".to_string()),
                ("POST /market/mk20/deal ", 200, "Reason: ".to_string()),
                ("GET /market/mk20/status/", 200, status("uploading")),
                ok("PUT /market/mk20/upload/"),
                ok("POST /market/mk20/upload/"),
                ("GET /market/mk20/status/", 200, status("processing")),
                ("GET /market/mk20/products ", 200, json!({"products": ["ddo_v1", "retrieval_v1"]}).to_string()),
                ("GET /market/mk20/sources ", 200, json!({"sources": ["http", "put"]}).to_string()),
                ("GET /market/mk20/contracts ", 200, json!({"contracts": null}).to_string()),
            ],
        ),
        (
            "bls",
            &large,
            vec![
                ("GET /market/mk20/status/", 200, status("uploading")),
                ("GET /market/mk20/status/", 200, status("uploading")),
                ("GET /market/mk20/uploads/", 425, "upload not initiated\n".to_string()),
                ok("POST /market/mk20/uploads/"),
                ("GET /market/mk20/uploads/", 200, begun.to_string()),
                ok("PUT /market/mk20/uploads/01ARZ3NDEKTSV4RRFFQ69G5FAV/1 "),
                ok("PUT /market/mk20/uploads/01ARZ3NDEKTSV4RRFFQ69G5FAV/2 "),
                ok("POST /market/mk20/uploads/finalize/"),
                ("GET /market/mk20/status/", 200, status("processing")),
            ],
        ),
    ] {
        let log = Arc::new(Mutex::new(Vec::new()));
        let url = provider(script, log.clone()).await;
        let curio = Curio::new(&url, Address::new_id(1000), key(kind), Timeouts::default()).expect("a URL");
        let uploads = Uploads { parallel: 1, attempts: 0, ..Uploads::default() };
        let curio = curio.with_clock(|| at(NOW)).with_uploads(uploads);
        let file = folder.path().join(kind);
        std::fs::write(&file, bytes).expect("a file");
        let piece = CommP::of(bytes).expect("small enough");
        let notify = Some((Address::new_id(64), vec![7]));
        let proposal = Proposal { notify, ..Proposal::upload(piece, MIN_DURATION) };
        let id = ID.parse().expect("a ULID");
        deliver(&curio, id, &proposal, &file, None).await.expect("the script is what is asked");
        if kind == "secp256k1" {
            assert_eq!(curio.offer().await.expect("it answers").products, ["ddo_v1", "retrieval_v1"]);
        }
        for (number, (head, body)) in log.lock().expect("nobody panics with it").iter().enumerate() {
            cases.push(recorded(format!("{kind} {}", number + 1), head, body));
        }
    }
    cases
}

/// `UPDATE_VECTORS=1` records anew.
#[tokio::test]
async fn what_the_client_sends() {
    let sent = exchange().await;
    update("deal", "wire.json", || sent.clone());
    let cases = walk("deal", &FILES).remove("wire.json").expect("walk gives every file");
    assert_eq!(cases.len(), sent.len());
    for (case, sent) in cases.iter().zip(&sent) {
        assert_eq!(&case.value, sent, "{}", case.name);
        // Every request lets its client in.
        let header = case.value["header"].as_str();
        auth::verify(header, case.text("method"), case.text("path"), at(NOW)).expect("signed");
    }
}
