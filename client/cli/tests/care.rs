//! Looking after what is stored: status, repair, renew, watch; bounties from the provider's side; pieces served to providers.
#![allow(missing_docs)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use bauta_client::deal::mk20::Deal;
use bauta_client::deal::{Curio, StorageProvider, Timeouts};
use bauta_client::wallet::Key;
use serde_json::{Value, json};
use support::{Net, User, noise, wait_until};

/// The health of each provider's copy of the first file, by provider.
fn healths(status: &Value) -> Vec<(String, String)> {
    let copies = status["files"][0]["copies"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let mut all: Vec<_> = copies.iter().map(|copy| (text(&copy["provider"]), text(&copy["health"]))).collect();
    all.sort();
    all
}

fn health_of(status: &Value, provider: &str) -> String {
    healths(status).into_iter().find(|(who, _)| who == provider).map(|(_, health)| health).unwrap_or_default()
}

/// Lets days pass, some at a time: on a busy machine a leap over half a year takes longer than a client waits for an answer.
fn days(user: &User, mut days: u32) {
    while days > 0 {
        let step = days.min(5);
        user.ok(&["mine", &format!("{step}d")]);
        days -= step;
    }
}

/// The document of a run that has to end with a code.
fn ends(user: &User, code: i32, args: &[&str]) -> Value {
    let run = user.run(&[args, &["--json"]].concat());
    let document = run.json();
    assert_eq!(run.code, code, "{args:?}: {document}\n{}", run.stderr);
    document
}

#[test]
fn what_is_lost_is_brought_back_from_who_still_has_it() {
    let net = Net::start(&["--providers", "4"]);
    let (alice, bob) = (User::on(&net), User::on(&net));
    alice.ok(&["init"]);
    bob.ok(&["init"]);
    let bytes = noise(400_000);
    let path = alice.write("data.bin", &bytes);
    let who: Vec<String> = (0..4).map(|index| net.provider(index)).collect();
    let put = alice.ok(&["put", &path, "--copies", "2"]);
    assert_eq!(put["providers"].as_array().unwrap().len(), 2);

    let status = alice.ok(&["status"]);
    let file = &status["files"][0];
    assert_eq!((&file["wanted"], &file["good"], &file["name"]), (&2.into(), &2.into(), &"data.bin".into()));
    for copy in file["copies"].as_array().unwrap() {
        let (deal, sector) = (&copy["deals"][0], &copy["sectors"][0]);
        assert_eq!((&deal["state"], &sector["state"]), (&"sealed".into(), &"active".into()), "{copy}");
        assert_eq!(deal["sector"], sector["sector"]);
        let (end, expiration) = (copy["ends"].as_i64().unwrap(), sector["expiration"].as_i64().unwrap());
        assert!((518_400..=expiration).contains(&end), "{copy}");
        assert_eq!(copy["served"]["right"], true);
    }
    let text = alice.run(&["status", "1"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("file 1  data.bin  2 of 2 copies good") && !text.contains("repair"), "{text}");

    // One says it has it no more: one copy is made of the other, at a third.
    alice.ok(&["devnet", "provider", &who[0], "--serving", "lost"]);
    let status = ends(&alice, 3, &["status", "1"]);
    assert_eq!(
        (status["data"]["files"][0]["good"].clone(), health_of(&status["data"], &who[0])),
        (1.into(), "lost".into())
    );
    let repaired = alice.ok(&["repair", "1"]);
    assert_eq!(repaired["made"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&repaired["made"][0]["provider"], &repaired["made"][0]["state"]),
        (&who[2].clone().into(), &"sealed".into())
    );
    assert_eq!(repaired["file"]["good"], 2);
    alice.ok(&["status"]);
    // The same again, and the put again, make no further deal.
    assert_eq!(alice.ok(&["repair", "1"])["made"].as_array().unwrap().len(), 0);
    let again = alice.ok(&["put", &path, "--copies", "2"]);
    assert_eq!(again["file_id"], 1);
    assert_eq!(healths(&alice.ok(&["status"])).iter().filter(|(_, health)| health == "good").count(), 2);

    // Another one lies: somebody without the key, and not the owner, pays for the next copy. The wish is not theirs to know.
    alice.ok(&["devnet", "provider", &who[1], "--serving", "corrupt"]);
    assert_eq!(health_of(&ends(&alice, 3, &["status"])["data"], &who[1]), "forged");
    let repaired = bob.ok(&["repair", "1", "--copies", "2"]);
    assert_eq!(repaired["made"][0]["provider"], who[3]);
    assert_eq!(repaired["file"]["name"], Value::Null, "nothing was decrypted");
    let fetched = alice.run(&["get", "1", "-o", "back", "--provider", &who[3]]);
    assert_eq!((fetched.code, std::fs::read(alice.path("back")).unwrap()), (0, bytes), "{}", fetched.stderr);

    // Nobody is left to ask: what there is stands, and the exit says so.
    alice.ok(&["devnet", "provider", &who[2], "--serving", "lost"]);
    let partly = ends(&alice, 3, &["repair", "1"]);
    assert!(partly["error"]["message"].as_str().unwrap().contains("--provider"), "{partly}");
    assert_eq!(partly["data"]["file"]["good"], 1);
    // One that lost it takes it again when it is named.
    alice.ok(&["devnet", "provider", &who[0], "--serving", "honest"]);
    alice.ok(&["devnet", "provider", &who[2], "--serving", "honest"]);
    alice.ok(&["status", "1"]);
    // Nobody serves it at all: nothing is made of nothing.
    for one in &who {
        alice.ok(&["devnet", "provider", one, "--serving", "lost"]);
    }
    assert!(alice.fails(5, &["repair", "1", "--provider", &who[0]]).contains("nobody"));
    alice.fails(4, &["repair", "9"]);
    alice.fails(4, &["status", "9"]);
    assert_eq!(alice.ok(&["devnet", "check"])["violations"].as_array().unwrap().len(), 0);
}

#[test]
fn sectors_that_fail_or_end_are_seen_on_the_chain() {
    let net = Net::start(&["--providers", "3"]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let path = alice.write("data.bin", &noise(100_000));
    let who: Vec<String> = (0..3).map(|index| net.provider(index)).collect();
    alice.ok(&["put", &path, "--provider", &who[0], "--provider", &who[1]]);

    alice.ok(&["devnet", "provider", &who[0], "--proving", "off"]);
    alice.ok(&["mine", "2d"]);
    let status = ends(&alice, 3, &["status", "1"]);
    assert_eq!(health_of(&status["data"], &who[0]), "faulty");
    // It may recover, and does.
    alice.ok(&["devnet", "provider", &who[0], "--proving", "on"]);
    alice.ok(&["mine", "3d"]);
    assert_eq!(health_of(&alice.ok(&["status", "1"]), &who[0]), "good");

    let sector = alice.ok(&["status", "1"])["files"][0]["copies"][1]["sectors"][0]["sector"].clone();
    net.rpc("Devnet.Terminate", &json!([who[1], sector]));
    alice.ok(&["mine", "1"]);
    assert_eq!(health_of(&ends(&alice, 3, &["status", "1"])["data"], &who[1]), "dead");
    let repaired = alice.ok(&["repair", "1", "--pull"]);
    assert_eq!((&repaired["made"][0]["provider"], &repaired["file"]["good"]), (&who[2].clone().into(), &2.into()));

    // Who stalls is silent, and not waited for without end.
    alice.ok(&["devnet", "provider", &who[2], "--serving", "stall"]);
    let begun = Instant::now();
    let status = ends(&alice, 3, &["status", "1"]);
    assert_eq!(health_of(&status["data"], &who[2]), "silent", "after {:?}", begun.elapsed());
    assert!(status["data"]["files"][0]["copies"][2]["silent_since"].is_u64());
}

#[test]
fn storage_that_ends_is_prolonged_before() {
    let net = Net::start(&[]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let path = alice.write("data.bin", &noise(50_000));
    alice.ok(&["put", &path, "--copies", "2"]);
    let nothing = alice.ok(&["renew", "1"]);
    assert_eq!(nothing["made"].as_array().unwrap().len(), 0, "it lasts for half a year yet");
    days(&alice, 165);
    let text = String::from_utf8(alice.run(&["status", "1"]).stdout).unwrap();
    assert!(text.contains("bauta renew 1"), "{text}");

    let before = alice.ok(&["status", "1"]);
    let renewed = alice.ok(&["renew", "1", "--duration", "200d"]);
    let mut made: Vec<&str> =
        renewed["made"].as_array().unwrap().iter().map(|deal| deal["provider"].as_str().unwrap()).collect();
    made.sort_unstable();
    assert_eq!(made, [net.provider(0), net.provider(1)], "each goes on with its own copy");
    let end = |status: &Value| status["files"][0]["ends"].as_i64().unwrap();
    assert!(end(&alice.ok(&["status", "1"])) >= end(&before) + 180 * 2880);
    assert_eq!(alice.ok(&["renew", "1"])["made"].as_array().unwrap().len(), 0, "once");
    days(&alice, 60);
    let later = alice.ok(&["status", "1"]);
    assert_eq!(later["files"][0]["good"], 2, "the old sectors are gone, the new ones hold it: {later}");
    alice.ok(&["get", "1", "-o", "back"]);
    alice.fails(2, &["renew", "1", "--duration", "10d"]);
    alice.fails(4, &["renew", "7"]);
    assert_eq!(alice.ok(&["devnet", "check"])["violations"].as_array().unwrap().len(), 0);
}

#[test]
fn a_file_without_copies_gets_some_when_they_are_wished_for() {
    let net = Net::start(&[]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    assert_eq!(alice.ok(&["status"])["files"].as_array().unwrap().len(), 0);
    let path = alice.write("note.txt", b"mine alone");
    alice.ok(&["put", &path, "--no-store"]);
    let status = alice.ok(&["status"]);
    let file = &status["files"][0];
    assert_eq!((&file["wanted"], &file["copies"].as_array().unwrap().len()), (&0.into(), &0));
    assert!(std::path::Path::new(file["here"].as_str().unwrap()).exists());
    assert!(alice.fails(2, &["repair", "1"]).contains("--copies"));
    alice.fails(2, &["repair"]);
    alice.fails(2, &["repair", "1", "--copies", "0"]);
    assert_eq!(alice.ok(&["repair", "1", "--copies", "2"])["made"].as_array().unwrap().len(), 2);
    assert_eq!(alice.ok(&["status"])["files"][0]["good"], 2);
    // More than there are providers: those that there are, and 3.
    let other = alice.write("other.txt", b"for three");
    let put = ends(&alice, 3, &["put", &other, "--copies", "3"]);
    assert_eq!(put["data"]["providers"].as_array().unwrap().len(), 2);
    assert!(put["error"]["message"].as_str().unwrap().contains("2 of 3"), "{put}");
    let status = ends(&alice, 3, &["status"]);
    assert_eq!(status["error"]["message"], "1 of 2 files have fewer copies than are wished for");
}

#[test]
fn with_nothing_running_the_chain_in_this_process_is_looked_after() {
    let alone = User::alone();
    // Nobody listens there, whatever runs on this machine.
    let config = alone.home.path().join("config.toml");
    std::fs::write(&config, "[networks.local]\nrpc_url = \"http://127.0.0.1:1/rpc/v1\"\n").unwrap();
    alone.ok(&["init"]);
    let path = alone.write("note.txt", b"nothing runs");
    let first = alone.ok(&["put", &path])["providers"][0]["provider"].as_str().unwrap().to_string();
    assert_eq!(alone.ok(&["status"])["files"][0]["good"], 1);
    let repaired = alone.ok(&["repair", "1", "--copies", "2"]);
    assert_eq!(repaired["made"].as_array().unwrap().len(), 1, "{repaired}");
    assert_ne!(repaired["made"][0]["provider"], first);
    alone.ok(&["devnet", "provider", &first, "--serving", "lost"]);
    let round = ends(&alone, 3, &["watch", "--once"]);
    assert_eq!((&round["data"]["files"][0]["good"], &round["data"]["files"][0]["wanted"]), (&1.into(), &2.into()));
    alone.ok(&["devnet", "provider", &first, "--serving", "honest"]);
    assert_eq!(alone.ok(&["watch", "--once"])["files"][0]["good"], 2);
}

#[test]
fn who_cannot_pay_for_the_registration_goes_on_later_without_a_second_deal() {
    let net = Net::start(&[]);
    let (alice, bob) = (User::on(&net), User::on(&net));
    alice.ok(&["init"]);
    bob.ok(&["init", "--no-publish"]);
    let path = bob.write("data.bin", &noise(50_000));
    bob.fails(8, &["put", &path, "--copies", "2"]);
    alice.ok(&["wallet", "send", &bob.address(), "10"]);
    let put = bob.ok(&["put", &path, "--copies", "2"]);
    assert_eq!(put["file_id"], 1);
    for index in 0..2 {
        let provider = alice.ok(&["devnet", "provider", &net.provider(index)]);
        assert_eq!(provider["result"]["Jobs"].as_array().unwrap().len(), 1, "{provider}");
    }
    assert_eq!(bob.ok(&["status"])["files"][0]["good"], 2);
    bob.ok(&["wallet", "send", &alice.address(), "9.9"]);
    let bounty =
        ["bounty", "create", "1", "--reward", "1", "--replicas", "1", "--duration", "180d", "--deadline", "30d"];
    bob.fails(8, &bounty);
}

#[test]
fn a_watch_repairs_by_itself_and_ends_when_it_is_told() {
    let net = Net::start(&["--providers", "3"]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let path = alice.write("data.bin", &noise(50_000));
    alice.ok(&["put", &path, "--copies", "2"]);
    assert!(alice.fails(2, &["watch"]).contains("--once"));
    let round = alice.ok(&["watch", "--once"]);
    assert_eq!((&round["files"][0]["good"], &round["files"][0]["repaired"]), (&2.into(), &json!([])));

    let first = net.provider(0);
    alice.ok(&["devnet", "provider", &first, "--serving", "lost"]);
    let mut command = alice.command(&["watch", "--every", "300ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let repaired = lines.find(|line| line.contains("repaired with")).unwrap();
    assert!(repaired.contains(&net.provider(2)) && repaired.contains("2 of 2 copies good"), "{repaired}");
    // A healthy round is one line.
    assert!(lines.next().unwrap().contains("1 of 1 files well"));
    assert!(lines.next().unwrap().contains("1 of 1 files well"));
    assert!(alice.fails(1, &["watch", "--once"]).contains("another"), "one at a time");
    assert_eq!(interrupt(&mut child), 0);
    drop(lines);

    // Half a year later, and a provider that has been silent for less than a day.
    days(&alice, 160);
    let round = alice.ok(&["watch", "--once", "--within", "30d"]);
    assert_eq!(round["files"][0]["renewed"].as_array().unwrap().len(), 2, "{round}");
    alice.ok(&["devnet", "provider", &net.provider(1), "--serving", "stall"]);
    let round = ends(&alice, 3, &["watch", "--once"]);
    assert_eq!(round["data"]["files"][0]["repaired"], json!([]), "it is waited for: {round}");
}

#[test]
fn a_watch_outlives_its_node() {
    let mut net = Net::start(&[]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let path = alice.write("data.bin", &noise(50_000));
    alice.ok(&["put", &path]);
    let mut command = alice.command(&["watch", "--every", "200ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("1 of 1 files well"));
    let mut complaints = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    net.stop();
    assert!(complaints.any(|line| line.contains("trying again")));
    net.again();
    assert!(lines.any(|line| line.contains("1 of 1 files well")));
    assert_eq!(interrupt(&mut child), 0);
    // Once, it says that the network is the trouble.
    net.stop();
    alice.fails(5, &["watch", "--once"]);
}

fn interrupt(child: &mut Child) -> i32 {
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    child.wait().unwrap().code().unwrap_or(-1)
}

/// `bauta serve`, running.
struct Server {
    child: Child,
    banner: Value,
}

impl Server {
    fn start(user: &User, args: &[&str]) -> Self {
        let all = [&["serve", "--listen", "127.0.0.1:0", "--json"], args].concat();
        let mut child = user.command(&all).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let banner: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        Self { child, banner: banner["data"].clone() }
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
