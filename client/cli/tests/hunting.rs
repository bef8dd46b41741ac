//! Bounties from the provider's side: pieces served to providers, what can be earned, and the offers that earn it.
#![allow(missing_docs)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use bauta_client::deal::mk20::Deal;
use bauta_client::deal::{Curio, StorageProvider, Timeouts};
use bauta_client::wallet::Key;
use serde_json::{Value, json};
use support::line::{Cut, Line};
use support::{Net, User, banner_of, days, ends, interrupt, noise, wait_until};

/// `bauta serve`, running.
struct Server {
    child: Child,
    banner: Value,
}

impl Server {
    fn start(user: &User, args: &[&str]) -> Self {
        let all = [&["serve", "--listen", "127.0.0.1:0", "--json"], args].concat();
        let mut child = user.command(&all).stdout(Stdio::piped()).spawn().unwrap();
        let banner = banner_of(&mut child)["data"].clone();
        Self { child, banner }
    }

    fn url(&self) -> &str {
        self.banner["pieces"][0]["url"].as_str().unwrap()
    }

    /// Sends one request and gives status, headers in lower case, and body.
    fn ask(&self, method: &str, path: &str, headers: &[&str]) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.banner["listen"].as_str().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, answer[end + 4..].to_vec())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            interrupt(&mut self.child);
        }
    }
}

#[test]
fn pieces_are_served_whole_and_in_parts_and_nothing_else_is() {
    let user = User::alone();
    let bytes = noise(300_000);
    let path = user.write("piece.car", &bytes);
    let mut server = Server::start(&user, &[&path, "--public-url", "https://example.org/x/"]);
    let piece = &server.banner["pieces"][0];
    let (v1, v2) =
        (piece["piece_cid"].as_str().unwrap().to_string(), piece["piece_cid_v2"].as_str().unwrap().to_string());
    assert_eq!(user.ok(&["commp", &path])["piece_cid_v2"], v2);
    assert_eq!(server.url(), format!("https://example.org/x/piece/{v2}"));
    let target = format!("/piece/{v2}");
    let (status, head, body) = server.ask("GET", &target, &[]);
    assert_eq!((status, body == bytes), (200, true));
    assert!(head.contains(&format!("etag: \"{v2}\"")) && head.contains("accept-ranges: bytes"), "{head}");
    assert_eq!(server.ask("GET", &format!("/piece/{v1}"), &[]).0, 200);
    let (status, head, body) = server.ask("HEAD", &target, &[]);
    assert_eq!((status, body.len()), (200, 0));
    assert!(head.contains("content-length: 300000"), "{head}");
    let (status, head, body) = server.ask("GET", &target, &["Range: bytes=1000-1999"]);
    assert_eq!((status, &body[..]), (206, &bytes[1000..2000]));
    assert!(head.contains("content-range: bytes 1000-1999/300000"), "{head}");
    assert_eq!(server.ask("GET", &target, &["Range: bytes=-10"]).2, bytes[299_990..]);
    assert_eq!(server.ask("GET", &target, &["Range: bytes=300000-"]).0, 416);
    assert_eq!(server.ask("GET", &target, &["Range: bytes=0-9", "If-Range: \"other\""]).0, 200);
    assert_eq!(server.ask("GET", &target, &[&format!("If-None-Match: \"{v2}\"")]).0, 304);
    for (method, path, expected) in [
        ("GET", "/", 404),
        ("GET", "/piece/", 404),
        ("GET", "/piece/x", 404),
        ("GET", "/piece/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/etc/passwd", 404),
        ("POST", &target, 405),
        ("PUT", &target, 405),
    ] {
        assert_eq!(server.ask(method, path, &[]).0, expected, "{method} {path}");
    }
    // What is no longer the piece is not served as if it were.
    user.write("piece.car", &noise(200_000));
    assert_eq!(server.ask("GET", &target, &[]).0, 410);
    assert_eq!(interrupt(&mut server.child), 0);
    user.fails(2, &["serve"]);
    user.fails(4, &["serve", "missing.car"]);
    let empty = user.write("empty", b"");
    assert!(user.fails(2, &["serve", &empty]).contains("empty"));
    user.fails(2, &["serve", &path, "--public-url", "ftp://x"]);
}

#[test]
fn a_hunter_fetches_from_our_server_and_earns() {
    let net = Net::start(&["--providers", "1"]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let path = alice.write("data.bin", &noise(200_000));
    let put = alice.ok(&["put", &path, "--no-store"]);
    let server = Server::start(&alice, &[put["car"].as_str().unwrap()]);
    assert_eq!(server.banner["pieces"][0]["piece_cid"], put["piece_cid"]);
    let create =
        ["bounty", "create", "1", "--reward", "2", "--replicas", "1", "--duration", "180d", "--deadline", "30d"];
    alice.ok(&[&create[..], &["--source", server.url()]].concat());
    wait_until("a claim", || {
        alice.ok(&["mine", "20"]);
        !alice.ok(&["bounty", "claims", "1"])["claims"].as_array().unwrap().is_empty()
    });
    let status = alice.ok(&["status", "1"]);
    let copy = &status["files"][0]["copies"][0];
    assert_eq!((&copy["health"], &copy["claims"][0]["bounty_id"]), (&"good".into(), &1.into()), "{status}");
    // It is paid, and then the node is gone: nobody is told to try again.
    days(&alice, 30);
    let line = Line::to(&net, &[]);
    line.cut("Filecoin.StateSearchMsg", Cut::Behind);
    let settled = ends(&alice, 3, &["bounty", "settle", "1", "--rpc-url", &line.url()]);
    assert!(settled["error"]["message"].as_str().unwrap().starts_with("this is done"), "{settled}");
    assert_ne!(alice.ok(&["bounty", "show", "1"])["paid"], "0");
    assert_eq!(alice.ok(&["devnet", "check"])["violations"].as_array().unwrap().len(), 0);
}

#[test]
fn what_can_be_earned_is_listed_and_the_offer_earns_it() {
    let net = Net::start(&["--providers", "3"]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let path = alice.write("data.bin", &noise(200_000));
    let (holder, hunter, third) = (net.provider(0), net.provider(1), net.provider(2));
    for provider in [&holder, &hunter, &third] {
        alice.ok(&["devnet", "provider", provider, "--hunting", "off"]);
    }
    alice.ok(&["put", &path, "--provider", &holder]);
    assert_eq!(alice.ok(&["bounty", "ls", "--open"])["bounties"], json!([]));
    let create = |reward: &str, more: &[&str]| {
        let args =
            ["bounty", "create", "1", "--reward", reward, "--replicas", "2", "--duration", "180d", "--deadline", "30d"];
        alice.ok(&[&args[..], more].concat());
    };
    create("1", &[]);
    create("5", &["--provider", &holder]);
    create("3", &["--fund", "3"]);
    create("9", &["--fund", "8"]);
    let ids = |args: &[&str]| -> Vec<u64> {
        let listed = alice.ok(&[&["bounty", "ls", "--open"], args].concat());
        listed["bounties"].as_array().unwrap().iter().map(|row| row["bounty_id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(&[]), [2, 3, 1], "the best paid first; what lacks money is not there");
    assert_eq!(ids(&["--provider", &hunter]), [3, 1]);
    let listed = alice.ok(&["bounty", "ls", "--open"]);
    assert_eq!(listed["bounties"][1]["replicas_left"], 1, "as far as the money goes: {listed}");

    assert!(alice.fails(1, &["bounty", "offer", "2", "--provider", &hunter]).contains("names its providers"));
    assert!(alice.fails(1, &["bounty", "offer", "4", "--provider", &hunter]).contains("no further claim"));
    alice.fails(4, &["bounty", "offer", "9", "--provider", &hunter]);
    alice.fails(4, &["bounty", "offer", "1", "--provider", &alice.address()]);
    alice.fails(2, &["bounty", "offer", "1"]);
    assert!(alice.fails(2, &["bounty", "offer", "1", "--provider", &hunter, "--payload-size", "5"]).contains("padded"));

    // In a pipe it is the deal and nothing else; the same as in the document, but for its name.
    let plain = alice.run(&["bounty", "offer", "1", "--provider", &hunter]);
    let mut plain: Value = serde_json::from_slice(&plain.stdout).unwrap();
    let offered = alice.ok(&["bounty", "offer", "1", "--provider", &hunter]);
    plain["identifier"] = offered["deal"]["identifier"].clone();
    assert_eq!(plain, offered["deal"]);
    assert!(offered["deal"]["data"]["source_http"]["urls"][0]["url"].as_str().unwrap().contains("/piece/"));

    // That very JSON, posted to the provider as its operator would.
    let deal: Deal = serde_json::from_value(offered["deal"].clone()).unwrap();
    let exported = String::from_utf8(alice.run(&["wallet", "export", &alice.address()]).stdout).unwrap();
    let key = Key::import(exported.trim()).unwrap();
    let url = offered["post_to"].as_str().unwrap().strip_suffix("/market/mk20/deal").unwrap().to_string();
    let miner = bauta_client::address::parse(&hunter).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let curio = Curio::new(&url, miner, key, Timeouts::default()).unwrap();
        curio.post_deal(&deal).await.unwrap();
        assert!(curio.status(bauta_client::deal::DealId(deal.identifier)).await.unwrap().is_some());
    });
    wait_until("the claim", || {
        alice.ok(&["mine", "20"]);
        !alice.ok(&["bounty", "claims", "1"])["claims"].as_array().unwrap().is_empty()
    });
    let claims = alice.ok(&["bounty", "claims", "1"]);
    assert_eq!(
        (&claims["claims"][0]["provider"], &claims["claims"][0]["status"]),
        (&hunter.clone().into(), &"open".into())
    );
    assert!(alice.fails(1, &["bounty", "offer", "1", "--provider", &hunter]).contains("already"));
    assert_eq!(ids(&["--provider", &hunter]), [3]);
    // A bounty's piece is repaired by anybody, and whoever takes it has claimed it.
    let repaired = alice.ok(&["repair", "--bounty", "3", "--copies", "3"]);
    assert_eq!((&repaired["made"][0]["provider"], &repaired["file"]["good"]), (&third.clone().into(), &3.into()));
    let claims = alice.ok(&["bounty", "claims", "3"]);
    assert_eq!(claims["claims"][0]["provider"], third, "{claims}");
    let more = ends(&alice, 3, &["repair", "--bounty", "3", "--copies", "4"]);
    assert!(more["error"]["message"].as_str().unwrap().contains("nobody else"), "{more}");
    days(&alice, 90);
    let settled = alice.ok(&["bounty", "settle", "1"]);
    let paid: u128 = settled["paid"].as_str().unwrap().parse().unwrap();
    assert!(paid > 490_000_000_000_000_000 && paid < 510_000_000_000_000_000, "half of one FIL: {settled}");
    assert_eq!(alice.ok(&["devnet", "check"])["violations"].as_array().unwrap().len(), 0);
}
