//! The life of a local chain by the binary: out into a file, on from a file, back to a moment, and one writer at a time.
#![allow(missing_docs)]

mod support;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bauta_devnet::bundle::Bundle;
use bauta_devnet::chain::Chain;
use bauta_devnet::genesis::Genesis;
use bauta_devnet::on_large_stack;
use cid::Cid;
use fvm_ipld_blockstore::{Blockstore, MemoryBlockstore};
use fvm_ipld_encoding::CborStore;
use multihash_codetable::Code;
use serde_json::{Value, json};
use support::{Net, Run, User, ended, is_ignored, noise, tree, wait_until, wait_until_interruptible};

/// The folder's chain into a file.
fn exported(user: &User, state: &Path, file: &str) -> Value {
    user.ok(&["devnet", "--state", state.to_str().unwrap(), "--export", file])
}

fn head(net: &Net) -> Value {
    net.rpc("Filecoin.ChainHead", &json!([]))
}

#[test]
fn a_chain_goes_out_while_it_runs_and_afterwards_and_on_elsewhere() {
    let mut net = Net::start(&["--providers", "1"]);
    let state = net.state();
    let alice = User::on(&net);
    alice.ok(&["init"]);
    alice.write("note.txt", b"kept");
    alice.ok(&["put", "note.txt"]);

    // While it runs, the devnet writes it; to a pipe nothing but the file.
    let running = exported(&alice, &state, "running.car");
    assert_eq!(running["head"], head(&net)["Cids"][0]["/"]);
    assert_eq!(running["bytes"], std::fs::metadata(alice.path("running.car")).unwrap().len());
    let piped = alice.run(&["devnet", "--state", state.to_str().unwrap(), "--export", "-"]);
    assert_eq!((piped.code, piped.stdout), (0, std::fs::read(alice.path("running.car")).unwrap()), "{}", piped.stderr);
    // Nothing is overwritten unless it is forced.
    let here = state.to_str().unwrap();
    alice.fails(1, &["devnet", "--state", here, "--export", "running.car"]);
    alice.ok(&["devnet", "--state", here, "--export", "running.car", "--force"]);
    // Another devnet than the one of the folder is not mistaken for it, and none is begun instead.
    let other = Net::start(&["--providers", "0"]);
    let stranger = User::on(&other);
    let said = stranger.fails(5, &["devnet", "--state", here, "--export", "wrong.car"]);
    assert!(said.contains("another process runs the chain") && said.contains("--rpc-url"), "{said}");
    assert!(!stranger.path("wrong.car").exists());
    assert_eq!(tree(stranger.home.path()), []);

    assert_eq!(net.stop(), 0);
    let stopped = exported(&alice, &state, "stopped.car");
    assert!(stopped["epoch"].as_i64() >= running["epoch"].as_i64());
    assert_eq!(exported(&alice, &state, "again.car")["head"], stopped["head"], "looking changes nothing");
    assert_eq!(std::fs::read(alice.path("again.car")).unwrap(), std::fs::read(alice.path("stopped.car")).unwrap());

    // From the file and from a pipe the same chain goes on, with the same files in it.
    let file = alice.path("stopped.car");
    let imported = Net::start(&["--providers", "0", "--import", file.to_str().unwrap()]);
    let fed = Net::fed(&["--providers", "0", "--import", "-"], &file);
    for net in [&imported, &fed] {
        assert_eq!(head(net)["Cids"][0]["/"], stopped["head"]);
        alice.ok(&["mine", "5", "--rpc-url", &net.url()]);
        assert_eq!(head(net)["Height"].as_i64().unwrap(), stopped["epoch"].as_i64().unwrap() + 5);
        assert_eq!(alice.ok(&["ls", "--rpc-url", &net.url()])["files"].as_array().unwrap().len(), 1);
        assert_eq!(alice.ok(&["devnet", "check", "--rpc-url", &net.url()])["violations"], json!([]));
    }
    assert_eq!(head(&imported), head(&fed));
    // New providers begin there, more than at its genesis, and each takes deals.
    let peopled = Net::start(&["--providers", "2", "--import", file.to_str().unwrap()]);
    let bob = User::on(&peopled);
    bob.ok(&["init"]);
    for (index, id) in [(0, 2), (1, 3)] {
        let (provider, bytes) = (peopled.provider(index), noise(3_000 + index));
        bob.write("more.txt", &bytes);
        assert_eq!(bob.ok(&["put", "more.txt", "--provider", &provider])["file_id"], id);
        assert_eq!(bob.run(&["get", &id.to_string(), "-o", "-", "--provider", &provider]).stdout, bytes);
    }
    assert_eq!(bob.ok(&["devnet", "check"])["violations"], json!([]));
}

#[test]
fn what_is_no_whole_snapshot_is_refused_and_leaves_nothing() {
    let mut net = Net::start(&["--providers", "0"]);
    assert_eq!(net.stop(), 0);
    let user = User::alone();
    exported(&user, &net.state(), "good.car");
    let good = std::fs::read(user.path("good.car")).unwrap();
    let begin = |state: &str, file: &str| -> Run {
        let args = ["devnet", "--state", state, "--import", file, "--listen", "127.0.0.1:0", "--providers", "0"];
        user.run(&[&args[..], &["--json"]].concat())
    };
    let mut changed = good.clone();
    changed[good.len() / 2] ^= 1;
    user.write("changed.car", &changed);
    user.write("cut.car", &good[..good.len() - 1]);
    user.write("half.car", &good[..good.len() / 2]);
    user.write("text.car", b"this is no CAR");
    user.write("empty.car", b"");
    user.write("file", &noise(5_000));
    user.ok(&["pack", "file", "-o", "foreign.car", "--recipient", RECIPIENT]);
    let before = tree(user.work.path());
    for (file, code) in [
        ("changed.car", 7),
        ("cut.car", 7),
        ("half.car", 7),
        ("text.car", 7),
        ("empty.car", 7),
        ("foreign.car", 7),
        ("missing.car", 4),
        (".", 1),
    ] {
        let run = begin("new/state", file);
        assert_eq!(run.code, code, "{file}: {}", run.stderr);
        run.json();
        let now: Vec<_> = tree(user.work.path()).into_iter().filter(|(path, _)| !is_room(path)).collect();
        assert!(now == before, "{file} leaves something: {:?}", now.iter().map(|(path, _)| path).collect::<Vec<_>>());
    }
    // Nor is one taken with a bundle that is none.
    let bundle = user.write("bundle.car", &good);
    let args = ["devnet", "--state", "new/state", "--import", "good.car", "--bundle", &bundle];
    assert_ne!(user.run(&[&args[..], &["--listen", "127.0.0.1:0", "--json"]].concat()).code, 0);
    assert!(!user.path("new/state").exists());

    // A folder with a chain stays as it is; so does one without, which has none to export.
    let state = net.state();
    let before = tree(&state);
    let run = begin(state.to_str().unwrap(), "good.car");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.json()["error"]["message"].as_str().unwrap().contains("holds a chain already"));
    assert!(tree(&state) == before);
    user.fails(4, &["devnet", "--state", "nothing", "--export", "none.car"]);
    assert!(!user.path("none.car").exists() && !user.path("nothing").exists());
    user.fails(2, &["devnet", "--export", "a.car", "--import", "good.car"]);
    // And the good one is good.
    let good = user.path("good.car");
    Net::start(&["--providers", "0", "--import", good.to_str().unwrap()]);
}

/// A folder's names, but for those of locks.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.filter(|name| !name.ends_with(".lock")).collect();
    names.sort();
    names
}

/// Starts a devnet's command with both ends of it in our hands.
fn begin(user: &User, args: &[&str]) -> Child {
    let mut command = user.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: &str) {
    let kill = ["-s", signal, &child.id().to_string()];
    assert!(Command::new("kill").args(kill).status().unwrap().success());
}

#[test]
fn asked_to_end_an_export_or_import_does_and_leaves_nothing() {
    let user = User::alone();
    let state = user.path("chain");
    on_large_stack(|| drop(Chain::open(&state, &Genesis { accounts: 10, ..Genesis::default() }).unwrap()));
    exported(&user, &state, "good.car");
    let good = std::fs::read(user.path("good.car")).unwrap();
    let expected = ["chain", "good.car"];

    // Nobody reads on: it waits, and ends when asked to. Whoever has enough gets no complaint, and JSON has no place there.
    let piped = ["devnet", "--state", "chain", "--export", "-"];
    user.fails(2, &piped);
    for by in ["INT", "TERM"] {
        let mut child = begin(&user, &piped);
        let mut some = [0; 10];
        child.stdout.as_mut().unwrap().read_exact(&mut some).unwrap();
        signal(&child, by);
        assert_eq!(ended(&mut child), 130, "{by}");
    }
    let mut child = begin(&user, &piped);
    child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!((run.code, &run.stderr[..]), (0, ""));
    assert_eq!(names(user.work.path()), expected);

    // Into a file: what a killed one has left goes with the next.
    for by in ["KILL", "INT", "TERM"] {
        let mut child = begin(&user, &["devnet", "--state", "chain", "--export", "out.car"]);
        wait_until_interruptible(&mut child);
        wait_until("a beginning", || names(user.work.path()).len() > 2 || child.try_wait().unwrap().is_some());
        signal(&child, by);
        match ended(&mut child) {
            0 => std::fs::remove_file(user.path("out.car")).unwrap(),
            code => assert_eq!((code, user.path("out.car").exists()), (if by == "KILL" { -1 } else { 130 }, false)),
        }
        if by != "KILL" {
            assert_eq!(names(user.work.path()), expected, "{by}");
        }
    }

    // Half of it comes: no chain, no devnet.
    for by in ["KILL", "INT", "TERM", "HUP"] {
        if by == "HUP" && is_ignored(1) {
            continue;
        }
        let args = ["devnet", "--state", "new", "--import", "-", "--listen", "127.0.0.1:0", "--providers", "0"];
        let mut child = begin(&user, &args);
        child.stdin.as_mut().unwrap().write_all(&good[..good.len() / 2]).unwrap();
        assert!(names(user.work.path()).len() > 2, "it is at it");
        signal(&child, by);
        let begun = Instant::now();
        assert_eq!(ended(&mut child), if by == "KILL" { -1 } else { 130 }, "{by}");
        assert!(begun.elapsed() < Duration::from_secs(8), "{by}: it takes its time");
        let run = Run::of(child.wait_with_output().unwrap());
        assert_eq!(run.stdout, b"", "{by}: nothing is served");
        if by != "KILL" {
            assert_eq!(names(user.work.path()), expected, "{by}: nor is anything left, also of who was killed");
        }
    }
}

/// A bundle of built-in actors like ours, but for the order of two of them that nothing runs.
fn another_bundle() -> Vec<u8> {
    let store = MemoryBlockstore::default();
    let ours = Bundle::default().load(&store).unwrap();
    let mut modules: Vec<(String, Cid)> = store.get_cbor(&ours).unwrap().unwrap();
    let at = |name: &str| modules.iter().position(|(module, _)| module == name).unwrap();
    let (one, other) = (at("paymentchannel"), at("multisig"));
    modules.swap(one, other);
    let data = store.put_cbor(&modules, Code::Blake2b256).unwrap();
    let root = store.put_cbor(&(1, data), Code::Blake2b256).unwrap();
    let mut car = Vec::new();
    let mut frame = |parts: &[&[u8]]| {
        let bytes = parts.concat();
        let mut length = bytes.len();
        while length >= 0x80 {
            car.push(length as u8 | 0x80);
            length >>= 7;
        }
        car.push(length as u8);
        car.extend(bytes);
    };
    // {"roots": [root], "version": 1}
    frame(&[b"\xa2\x65roots\x81\xd8\x2a\x58\x27\x00", &root.to_bytes(), b"\x67version\x01"]);
    for cid in [root, data].into_iter().chain(modules.into_iter().map(|(_, code)| code)) {
        frame(&[&cid.to_bytes(), &store.get(&cid).unwrap().unwrap()]);
    }
    car
}

#[test]
fn a_snapshot_of_another_network_or_of_other_actors_is_refused_by_name() {
    let user = User::alone();
    for (folder, name, chain_id) in
        [("good", "bauta-local", 31_415_926), ("named", "elsewhere", 31_415_926), ("numbered", "bauta-local", 7)]
    {
        let state = user.path(folder);
        on_large_stack(|| {
            let genesis = Genesis { name: name.into(), chain_id, accounts: 1, ..Genesis::default() };
            drop(Chain::open(&state, &genesis).unwrap());
        });
        exported(&user, &state, &format!("{folder}.car"));
    }
    user.write("bundle.car", &another_bundle());
    let begin = |file: &str, extra: &[&str]| {
        let args = ["devnet", "--state", "new", "--import", file, "--listen", "127.0.0.1:0", "--providers", "0"];
        user.fails(2, &[&args[..], extra].concat())
    };
    let is_of =
        |found: &str| format!("the snapshot is of network {found}, and this devnet is bauta-local (chain id 31415926)");
    assert_eq!(begin("named.car", &[]), is_of("elsewhere (chain id 31415926)"));
    assert_eq!(begin("numbered.car", &[]), is_of("bauta-local (chain id 7)"));
    assert_eq!(
        begin("good.car", &["--bundle", "bundle.car"]),
        "the snapshot was made with other built-in actors than those in --bundle"
    );
    assert!(!user.path("new").exists(), "nothing is left");
    // With its own actors it is taken.
    let good = user.path("good.car");
    Net::start(&["--providers", "0", "--import", good.to_str().unwrap()]);
}

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

/// The folder above the state folder, and the lock in it: they are made first, and hold nothing.
fn is_room(path: &Path) -> bool {
    path == Path::new("new") || path == Path::new("new/state.lock")
}

#[test]
fn one_process_writes_and_the_next_is_told_where_to_turn() {
    let net = Net::start(&["--providers", "0"]);
    let user = User::alone();
    let state = net.state();
    let state = state.to_str().unwrap();
    let before = head(&net);
    for extra in [&[][..], &["--import", "whatever.car"]] {
        let args = ["devnet", "--state", state, "--listen", "127.0.0.1:0"];
        let said = user.fails(5, &[&args[..], extra].concat());
        assert_eq!(said, format!("another process runs the chain in {state}: reach it with --rpc-url"));
    }
    assert_eq!(head(&net), before);
    // As its own user, by its own folder's lock, which a killed one does not keep.
    let mut net = net;
    net.kill();
    net.again();
    assert_eq!(head(&net)["Height"], before["Height"]);
}

#[test]
fn a_revert_takes_back_deals_and_payments_and_both_can_be_had_again() {
    let net = Net::start(&[]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    alice.write("data.bin", &noise(200_000));
    let provider = net.provider(0);
    alice.ok(&["put", "data.bin", "--provider", &provider]);
    for index in 0..2 {
        alice.ok(&["devnet", "provider", &net.provider(index), "--hunting", "off"]);
    }
    let terms = ["--reward", "2", "--replicas", "1", "--duration", "180d", "--deadline", "30d"];
    alice.ok(&[&["bounty", "create", "1"][..], &terms].concat());
    assert!(alice.fails(1, &["devnet", "revert"]).contains("there is no snapshot"));
    let taken = alice.ok(&["devnet", "snapshot"]);
    let id = taken["snapshot"].as_u64().unwrap().to_string();

    let earn = || {
        alice.ok(&["devnet", "provider", &provider, "take", "1"]);
        let claimed = || alice.ok(&["bounty", "claims", "1"])["claims"].as_array().unwrap().len();
        wait_until("a claim", || {
            alice.ok(&["mine", "10"]);
            claimed() > 0
        });
        assert_eq!(claimed(), 1);
        alice.ok(&["mine", "90d"]);
        let paid = alice.ok(&["bounty", "settle", "1"])["paid"].as_str().unwrap().parse::<u128>().unwrap();
        let bounty = alice.ok(&["bounty", "show", "1"]);
        assert_eq!(bounty["paid"], paid.to_string(), "{bounty}");
        paid
    };
    let first = earn();
    alice.write("later.bin", &noise(100_000));
    let later = alice.ok(&["put", "later.bin", "--provider", &provider]);
    assert_eq!(later["file_id"], 2);

    let unknown = alice.fails(1, &["devnet", "revert", "77"]);
    assert!(unknown.contains("there is no snapshot 77"), "{unknown}");
    let back = alice.ok(&["devnet", "revert", &id]);
    assert_eq!((&back["snapshot"], &back["epoch"]), (&taken["snapshot"], &taken["epoch"]));
    alice.fails(1, &["devnet", "revert", &id]);
    alice.fails(4, &["info", "2"]);
    let bounty = alice.ok(&["bounty", "show", "1"]);
    assert_eq!((&bounty["paid"], &bounty["escrowed"]), (&"0".into(), &"2000000000000000000".into()), "{bounty}");
    assert_eq!(alice.ok(&["bounty", "claims", "1"])["claims"], json!([]));
    assert_eq!(alice.ok(&["devnet", "check"])["violations"], json!([]));

    // The providers have forgotten, too: the same is earned once more, not twice, and new deals go through.
    let second = earn();
    assert!(first.abs_diff(second) < first / 20, "{first} and {second}");
    let net_paid = second + alice.ok(&["bounty", "settle", "1"])["paid"].as_str().unwrap().parse::<u128>().unwrap();
    assert_eq!(alice.ok(&["bounty", "show", "1"])["paid"], net_paid.to_string());
    alice.write("other.bin", &noise(150_000));
    assert_eq!(alice.ok(&["put", "other.bin", "--provider", &provider])["file_id"], 2);
    assert_eq!(alice.run(&["get", "2", "-o", "-"]).stdout, noise(150_000));
    assert_eq!(alice.ok(&["devnet", "check"])["violations"], json!([]));
}

#[test]
fn half_a_year_with_sectors_passes_through_http() {
    let net = Net::start(&["--providers", "2"]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    alice.write("data.bin", &noise(50_000));
    alice.ok(&["put", "data.bin", "--copies", "2"]);
    let passed = alice.ok(&["mine", "180d"]);
    assert!(passed["to"].as_i64().unwrap() >= passed["from"].as_i64().unwrap() + 180 * 2880);
    assert_eq!(alice.ok(&["devnet", "check"])["violations"], json!([]));
    // More than ten years at once is refused as a whole.
    let said = alice.fails(1, &["mine", "10512001"]);
    assert!(said.contains("at most 10512000 epochs"), "{said}");
    assert!(head(&net)["Height"].as_i64().unwrap() < 200 * 2880);
}
