//! SIGKILL at the worst moments, to the whole devnet or to the client: the other side carries on, and the end is as without it.
#![allow(missing_docs)]

mod support;

use std::os::unix::fs::MetadataExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Net, Run, User, noise};

/// Two chunks and a bit of an upload.
const LARGE: usize = 40 << 20;

fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what} does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How many chunks of uploads a provider has.
fn chunks(net: &Net) -> usize {
    let uploads = net.state().join("providers/provider-0/uploads");
    let folders = std::fs::read_dir(uploads).into_iter().flatten().flatten();
    let inner = |folder: std::fs::DirEntry| std::fs::read_dir(folder.path()).into_iter().flatten().flatten();
    folders.flat_map(inner).filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).count()
}

/// The provider's own notes, as they are on the disk.
fn book(net: &Net) -> String {
    std::fs::read_to_string(net.state().join("providers/provider-0/provider.json")).unwrap_or_default()
}

fn begin(user: &User, args: &[&str]) -> Child {
    user.command(args).arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Value {
    let run = Run::of(child.wait_with_output().unwrap());
    let document = run.json();
    assert_eq!(run.code, 0, "{document}\n{}", run.stderr);
    document["data"].clone()
}

/// What there is at the end, without what differs from run to run.
fn outcome(net: &Net, user: &User, sent: &[u8], out: &str) -> Value {
    let described = user.ok(&["devnet", "provider", &net.provider(0)])["result"].clone();
    let states = |list: &str| -> Vec<Value> {
        described[list].as_array().unwrap().iter().map(|one| one["State"].clone()).collect()
    };
    let listed = user.ok(&["ls"])["files"].as_array().unwrap().len();
    user.ok(&["get", "1", "-o", out]);
    assert!(std::fs::read(user.path(out)).unwrap() == sent, "the bytes are those that were put");
    user.ok(&["devnet", "check"]);
    json!({"files": listed, "jobs": states("Jobs"), "sectors": states("Sectors"),
           "pieces": described["Pieces"].as_array().unwrap().len(), "chunks": chunks(net)})
}

fn undisturbed() -> Value {
    json!({"files": 1, "jobs": ["complete"], "sectors": ["active"], "pieces": 1, "chunks": 0})
}

fn alice(net: &Net, bytes: &[u8]) -> User {
    let alice = User::on(net);
    alice.ok(&["init"]);
    alice.write("file", bytes);
    alice
}

#[test]
fn a_devnet_killed_in_the_middle_of_an_upload() {
    let mut net = Net::start(&["--providers", "1"]);
    let sent = noise(LARGE);
    let alice = alice(&net, &sent);
    let put = begin(&alice, &["put", "file"]);
    until("a chunk", || chunks(&net) > 0);
    net.kill();
    net.again();
    // The client has not noticed more than a pause, or says that it did not get through and goes on when it is called again.
    let run = Run::of(put.wait_with_output().unwrap());
    if run.code != 0 {
        assert_eq!(run.code, 5, "{}", run.stderr);
        alice.ok(&["put", "file"]);
    }
    assert_eq!(outcome(&net, &alice, &sent, "out"), undisturbed());
    // Without a kill it is the same.
    assert_eq!(alice.ok(&["put", "file"])["file_id"], 1);
    assert_eq!(outcome(&net, &alice, &sent, "again"), undisturbed());
}

#[test]
fn a_client_killed_in_the_middle_of_an_upload() {
    let net = Net::start(&["--providers", "1"]);
    let sent = noise(LARGE);
    let alice = alice(&net, &sent);
    let mut put = begin(&alice, &["put", "file"]);
    until("a chunk", || chunks(&net) > 0);
    put.kill().unwrap();
    put.wait().unwrap();
    let put = end(begin(&alice, &["put", "file"]));
    assert_eq!((&put["file_id"], &put["providers"][0]["state"]), (&json!(1), &json!("sealed")));
    assert_eq!(outcome(&net, &alice, &sent, "out"), undisturbed());
}

#[test]
fn a_devnet_killed_in_the_middle_of_sealing() {
    let mut net = Net::start(&["--providers", "1", "--block-time", "1s"]);
    let sent = noise(300_000);
    let alice = alice(&net, &sent);
    let put = begin(&alice, &["put", "file"]);
    until("sealing", || book(&net).contains("PreCommitted"));
    net.kill();
    net.again();
    let run = Run::of(put.wait_with_output().unwrap());
    if run.code != 0 {
        assert!(matches!(run.code, 5 | 9), "{}", run.stderr);
    }
    until("a seal", || book(&net).contains("Sealed"));
    let put = alice.ok(&["put", "file"]);
    assert_eq!((&put["file_id"], &put["providers"][0]["state"]), (&json!(1), &json!("sealed")));
    assert_eq!(outcome(&net, &alice, &sent, "out"), undisturbed());
}

#[test]
fn a_devnet_killed_in_the_middle_of_a_download() {
    const DOWNLOAD: usize = 160 << 20;
    let mut net = Net::start(&["--providers", "1"]);
    let sent = noise(DOWNLOAD);
    let alice = alice(&net, &sent);
    alice.ok(&["put", "file"]);
    let fetching = alice.home.path().join("fetching");
    let size = |entry: std::fs::DirEntry| entry.metadata().map_or(0, |about| about.blocks() * 512);
    let kept = || std::fs::read_dir(&fetching).into_iter().flatten().flatten().map(size).sum::<u64>();
    let mut get = begin(&alice, &["get", "1", "-o", "out"]);
    until("a beginning", || kept() > 1 << 20);
    net.kill();
    let had = kept();
    assert!(had < DOWNLOAD as u64, "killed on the way, at {had}");
    assert!(get.try_wait().unwrap().is_none(), "the client is still at it");
    // It gives up in time, says so, writes nothing half, and keeps what has come.
    let run = Run::of(get.wait_with_output().unwrap());
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(!alice.path("out").exists());
    net.again();
    let again = alice.run(&["get", "1", "-o", "out"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("going on where an earlier get stopped"), "{}", again.stderr);
    assert!(std::fs::read(alice.path("out")).unwrap() == sent);
    assert_eq!(kept(), 0, "nothing stays");
    assert_eq!(outcome(&net, &alice, &sent, "once-more"), undisturbed());
}

/// The messages of a user that are on their way.
fn slips(user: &User) -> usize {
    let sent = user.home.path().join("journal/local/sent");
    let chains = std::fs::read_dir(sent).into_iter().flatten().flatten();
    let files = chains.flat_map(|chain| std::fs::read_dir(chain.path()).into_iter().flatten().flatten());
    files.filter(|file| file.path().extension().is_some_and(|kind| kind == "json")).count()
}

#[test]
fn a_client_killed_while_its_money_is_on_the_way_pays_once() {
    let net = Net::start(&["--providers", "1", "--block-time", "1s"]);
    let (alice, bob) = (alice(&net, b"a file"), User::on(&net));
    bob.ok(&["init"]);
    alice.ok(&["put", "file"]);
    let whose = bob.address();
    let had = |user: &User| -> u128 {
        let balance = user.ok(&["wallet", "balance"])["balance"].as_str().unwrap().to_string();
        balance.parse().unwrap()
    };
    let whole = 1_000_000_000_000_000_000;
    let before = had(&bob);
    let again = |args: &[&str], then: u64, later: u64| {
        let mut child = begin(&alice, args);
        until("a slip", || slips(&alice) == 1);
        std::thread::sleep(Duration::from_millis(then));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(slips(&alice), 1, "it is still on the way");
        std::thread::sleep(Duration::from_millis(later));
        let run = alice.run(args);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stderr.contains("nothing is sent a second time"), "{}", run.stderr);
        assert_eq!(slips(&alice), 0);
    };
    // Killed before the push, while it is made, and after it.
    for (round, then) in [0, 2, 10, 100].into_iter().enumerate() {
        again(&["wallet", "send", &whose, "1"], then, 0);
        assert_eq!(had(&bob) - before, (round as u128 + 1) * whole, "killed {then} ms after it was written down");
    }
    again(&["market", "deposit", "3"], 1, 0);
    assert_eq!(alice.ok(&["market", "balance"])["escrow"], (3 * whole).to_string());
    let bounty =
        ["bounty", "create", "1", "--reward", "2", "--replicas", "1", "--duration", "180d", "--deadline", "30d"];
    // Two epochs later, the deadline that was meant is the same.
    again(&bounty, 1, 2_100);
    assert_eq!(alice.ok(&["bounty", "ls"])["bounties"].as_array().unwrap().len(), 1);
    // Once more is once more.
    alice.ok(&["wallet", "send", &whose, "1"]);
    assert_eq!(had(&bob) - before, 5 * whole);
    alice.ok(&["devnet", "check"]);
}
