//! `bauta deploy`: once, whatever happens to it on the way; on every network the body that it takes; never other code than ours.
#![allow(missing_docs)]

mod support;

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bauta_client::address::{EthAddress, Prefix};
use bauta_client::message::{TokenAmount, eth};
use bauta_client::network::{Endpoint, Network};
use bauta_client::node::{HttpNode, HttpSettings};
use bauta_client::sender::{Call, Sender, Silent};
use bauta_client::wallet::{Key, KeyKind};
use serde_json::{Value, json};
use support::line::{Cut, Line};
use support::{Net, User, wait_until};

const PUSH: &str = "Filecoin.MpoolPush";
const CONTRACT: [&str; 3] = ["deploy", "--body", "evm"];

fn begin(user: &User, args: &[&str]) -> Child {
    user.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Somebody with money, who asks the node behind this URL.
fn rich(net: &Net, url: String) -> User {
    let user = User::at(url);
    user.ok(&["init", "--no-publish"]);
    net.rpc("Devnet.Fund", &json!([user.address(), "100000000000000000000"]));
    user
}

fn nonce(net: &Net, user: &User) -> u64 {
    net.rpc("Filecoin.MpoolGetNonce", &json!([user.address()])).as_u64().unwrap()
}

/// How many actors on the chain have the code of this one.
fn like(net: &Net, actor: &str) -> usize {
    let code = |address: &Value| net.rpc("Filecoin.StateGetActor", &json!([address, null]))["Code"].clone();
    let wanted = code(&json!(actor));
    let all = net.rpc("Filecoin.StateListActors", &json!([null]));
    all.as_array().unwrap().iter().filter(|address| code(address) == wanted).count()
}

/// Where earlier builds noted the message, in the form of a slip.
fn noted(user: &User) -> PathBuf {
    user.home.path().join("journal/local/deploy.json")
}

/// Finishes what was begun: one message of this user has been executed, and everybody agrees on what it made.
fn finish(net: &Net, user: &User) -> String {
    let done = user.ok(&CONTRACT);
    let actor = done["actor"].as_str().unwrap().to_string();
    assert_eq!(nonce(net, user), 1, "one message, and so one contract: {done}");
    let again = user.ok(&CONTRACT);
    assert_eq!((&again["new"], &again["actor"]), (&json!(false), &done["actor"]));
    assert_eq!(user.ok(&["deploy", "--check"])["actor"], done["actor"]);
    let config = std::fs::read_to_string(user.home.path().join("config.toml")).unwrap();
    assert!(config.contains(&actor), "{config}");
    assert!(!noted(user).exists() && user.slips().is_empty(), "nothing is left to go on with");
    actor
}

#[test]
fn the_contract_is_deployed_once_whenever_it_is_killed() {
    let net = Net::start(&["--without-actor", "--providers", "0", "--accounts", "0", "--block-time", "500ms"]);
    let line = Line::to(&net, &[]);
    let (mut seed, mut actors, mut journaled) = (7u64, Vec::new(), 0);
    // Some moments after each step of the way has begun; most of the time goes by in the first.
    let steps = [("Filecoin.GasEstimateMessageGas", 1000), ("Filecoin.MpoolGetNonce", 30), (PUSH, 30)];
    for (step, within) in steps.into_iter().chain([(PUSH, 300), ("Filecoin.StateSearchMsg", 30)]) {
        let user = rich(&net, line.url());
        for _ in 0..2 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let before = line.calls(step).len();
            let mut child = begin(&user, &CONTRACT);
            // The second time it may have nothing left to do there.
            wait_until(step, || line.calls(step).len() > before || child.try_wait().unwrap().is_some());
            std::thread::sleep(Duration::from_millis((seed >> 33) % within));
            kill(child);
            assert!(!noted(&user).exists(), "a message is written down once");
            journaled += user.slips().len();
        }
        actors.push(finish(&net, &user));
    }
    println!("killed {journaled} of 10 times with a message signed and not seen through");
    assert_eq!(like(&net, &actors[0]), actors.len());
}

#[test]
fn the_contract_is_deployed_once_whatever_is_lost_around_the_push() {
    let net = Net::start(&["--without-actor", "--providers", "0", "--accounts", "0"]);
    let line = Line::to(&net, &[]);
    let mut actors = Vec::new();
    // Killed with the message signed, before the node has it and after; then while it waits for the receipt.
    let moments = [(PUSH, Cut::HeldBefore), (PUSH, Cut::HeldAfter), ("Filecoin.StateSearchMsg", Cut::HeldBefore)];
    // In a slip, or as an earlier build has left it: in a journal of its own, with or without a slip beside it.
    let builds = [None, Some(false), Some(true)];
    for ((method, cut), earlier) in moments.into_iter().flat_map(|moment| builds.map(|build| (moment, build))) {
        let user = rich(&net, line.url());
        let before = line.calls(PUSH).len();
        line.cut(method, cut);
        let child = begin(&user, &CONTRACT);
        line.wait_held();
        kill(child);
        line.release();
        let at_the_node = nonce(&net, &user);
        assert_eq!(at_the_node, u64::from((method, cut) != (PUSH, Cut::HeldBefore)));
        let slip = user.slips().remove(0);
        let kept = user.path("slip");
        std::fs::copy(&slip, &kept).unwrap();
        match earlier {
            Some(true) => assert!(std::fs::copy(&slip, noted(&user)).is_ok()),
            Some(false) => std::fs::rename(&slip, noted(&user)).unwrap(),
            None => {}
        }
        actors.push(finish(&net, &user));
        let pushed = &line.calls(PUSH)[before..];
        assert_eq!(pushed.len() as u64, 2 - at_the_node, "what the node has is not sent again");
        assert!(pushed.iter().all(|message| *message == pushed[0]), "the very same bytes: {method} {cut:?}");
        // Killed with the receipt seen, before the address was recorded or after it.
        for recorded in [false, true] {
            std::fs::copy(&kept, &slip).unwrap();
            if !recorded {
                std::fs::remove_file(user.home.path().join("config.toml")).unwrap();
            }
            assert_eq!(finish(&net, &user), *actors.last().unwrap());
        }
    }
    // Nobody is killed; the line breaks. An answer alone is not missed, and with a dead line nothing is known.
    for (cut, exit, at_the_node) in [(Cut::AnswerOnly, 0, 1), (Cut::Before, 9, 0), (Cut::After, 9, 1)] {
        let user = rich(&net, line.url());
        line.cut(PUSH, cut);
        let run = user.run(&[&CONTRACT[..], &["--json"]].concat());
        line.mend();
        assert_eq!((run.code, nonce(&net, &user)), (exit, at_the_node), "{cut:?}: {}", run.stderr);
        actors.push(finish(&net, &user));
    }
    assert_eq!(like(&net, &actors[0]), actors.len());
}

#[test]
fn the_wasm_is_installed_once_whatever_is_lost() {
    let net = Net::start(&["--without-actor", "--providers", "0"]);
    let line = Line::to(&net, &[]);
    let user = User::at(line.url());
    assert!(user.fails(3, &["init"]).contains("bauta deploy"));
    for cut in [Cut::HeldBefore, Cut::HeldAfter] {
        line.cut("Devnet.InstallActor", cut);
        let child = begin(&user, &["deploy"]);
        line.wait_held();
        kill(child);
        line.release();
    }
    let deployed = user.ok(&["deploy"]);
    assert_eq!((&deployed["new"], &deployed["body"]), (&json!(false), &json!("wasm")), "the second got there");
    assert_eq!(like(&net, deployed["actor"].as_str().unwrap()), 1);
    user.ok(&["key", "publish"]);
}

#[test]
fn check_tells_our_code_from_any_other() {
    let net = Net::start(&["--without-actor", "--providers", "0"]);
    let user = rich(&net, net.url());
    assert!(user.fails(4, &["deploy", "--check"]).contains("bauta deploy"));
    // Wasm: ours with a section more does the same and is other code.
    let ours = user.ok(&["deploy"]);
    assert_eq!(user.ok(&["deploy", "--check"])["code_cid"], ours["code_cid"]);
    let other = user.write("other.wasm", &[bauta_devnet::bundle::BAUTA_ACTOR, &[0, 2, 1, b'x']].concat());
    assert!(user.fails(7, &["deploy", "--check", "--wasm", &other]).contains("this program's wasm"));
    let theirs = user.ok(&["deploy", "--wasm", &other]);
    assert_ne!(theirs["code_cid"], ours["code_cid"]);
    assert!(user.fails(7, &["deploy", "--check"]).contains(theirs["code_cid"].as_str().unwrap()));
    assert_eq!(user.ok(&["deploy", "--check", "--wasm", &other])["code_cid"], theirs["code_cid"]);

    // The contract, and what is none of ours: another contract, another actor, nobody.
    let contract = user.ok(&CONTRACT);
    assert_eq!(user.ok(&["deploy", "--check"])["code_cid"], contract["code_cid"]);
    let ethereum = foreign_contract(&net);
    let foreign = Prefix::Testnet.show(&ethereum.to_filecoin());
    let message = user.fails(7, &["deploy", "--check", "--actor", &foreign]);
    assert!(message.contains(&foreign) && message.contains("this program's evm"), "{message}");
    user.fails(7, &["deploy", "--check", "--actor", "t01"]);
    user.fails(7, &["deploy", "--check", "--actor", &user.address()]);
    user.fails(4, &["deploy", "--check", "--actor", "t0999999"]);
    user.fails(4, &["deploy", "--check", "--actor", "0x00000000000000000000000000000000000bad00"]);

    // A record that names a foreign contract is neither used nor overwritten, unless that is asked for.
    let config = user.home.path().join("config.toml");
    let text =
        std::fs::read_to_string(&config).unwrap().replace(contract["actor"].as_str().unwrap(), &ethereum.to_string());
    std::fs::write(&config, &text).unwrap();
    assert!(user.fails(1, &CONTRACT).contains("--new"));
    assert_eq!(std::fs::read_to_string(&config).unwrap(), text);
    let new = user.ok(&["deploy", "--body", "evm", "--new"]);
    assert!(new["new"] == true && new["actor"] != contract["actor"], "{new}");
    assert_eq!(user.ok(&["deploy", "--check"])["actor"], new["actor"]);
}

/// A contract whose whole code is one STOP.
fn foreign_contract(net: &Net) -> EthAddress {
    let stop = b"\x60\x01\x5f\xf3"; // PUSH1 1, PUSH0, RETURN: a byte of fresh memory
    let sent = async {
        let node = HttpNode::new(Endpoint::from_url(&net.url())?, Prefix::Testnet, HttpSettings::default())?;
        let sender = Sender::new(Arc::new(node), Key::from_seed(KeyKind::Secp256k1, b"a stranger"), Network::Local);
        sender.node().devnet_fund(&sender.address(), &TokenAmount::from_whole(10)).await?;
        let call = Call::new(eth::ADDRESS_MANAGER, eth::CREATE_EXTERNAL).with_params(eth::params(stop));
        anyhow::Ok(sender.send(&call, &Silent).await?)
    };
    let sent = tokio::runtime::Runtime::new().unwrap().block_on(sent).unwrap();
    let (_, ethereum) = sent.receipt.return_data.split_last_chunk::<20>().unwrap();
    EthAddress(*ethereum)
}

#[test]
fn where_the_chain_takes_no_wasm_the_contract_is_deployed() {
    let alone = User::alone();
    for network in ["calibration", "mainnet"] {
        for file in [["--body", "wasm"], ["--wasm", "any"]] {
            let message = alone.fails(1, &[&["deploy", "--network", network][..], &file].concat());
            assert!(message.starts_with(network) && message.contains("takes no native Wasm"), "{message}");
        }
    }

    // A node that says it is Calibration's: everything is as it would be there, but for the chain behind it. There one waits for epochs.
    let net = Net::start(&["--without-actor", "--providers", "0", "--block-time", "300ms"]);
    let claims = [("Filecoin.StateNetworkName", json!("calibrationnet")), ("Filecoin.EthChainId", json!("0x4cb2f"))];
    let line = Line::to(&net, &claims);
    let user = User::at(line.url());
    let ready = user.ok(&["init"]);
    assert!(ready["published"] == false && ready["next"].as_str().unwrap().contains("faucet"), "{ready}");
    assert!(user.fails(4, &["deploy", "--check"]).contains("--actor"));
    assert!(user.fails(8, &["deploy"]).contains("not enough funds"));
    net.rpc("Devnet.Fund", &json!([user.address(), "100000000000000000000"]));
    let refused = user.run(&["deploy", "--body", "wasm"]);
    let line_count = refused.stderr.trim_end().lines().count();
    assert_eq!((refused.code, line_count), (1, 1), "{}", refused.stderr);
    assert!(refused.stderr.contains("calibration takes no native Wasm"), "{}", refused.stderr);
    assert!(line.calls("Devnet.InstallActor").is_empty() && line.calls(PUSH).is_empty());

    // Without a word about the body it is the contract; the price comes first.
    let run = user.run(&["deploy", "--json"]);
    assert!(run.stderr.starts_with("network calibration: deploying the contract costs at most"), "{}", run.stderr);
    let deployed = run.json()["data"].clone();
    assert_eq!((&deployed["new"], &deployed["body"]), (&json!(true), &json!("evm")));
    assert_eq!(user.ok(&["deploy"])["new"], false);
    assert_eq!(user.ok(&["deploy", "--check"])["network"], "calibration");
    user.ok(&["key", "publish"]);
    let note = user.write("note.txt", b"dear Calibration");
    assert_eq!(user.ok(&["put", &note, "--no-store"])["file_id"], 1);
    assert_eq!(user.ok(&["ls"])["files"].as_array().unwrap().len(), 1);
    assert!(line.calls("Devnet.Fund").is_empty(), "nothing there is a devnet's");
    // The same home on the devnet: what is recorded for the one network is not used on the other.
    let there = user.command(&["deploy", "--check"]).env("BAUTA_RPC_URL", net.url()).output().unwrap();
    assert_eq!(there.status.code(), Some(4));
}

#[test]
fn the_contract_is_deployed_once_and_does_everything() {
    let net = Net::start(&["--without-actor"]);
    let (alice, bob) = (User::on(&net), User::on(&net));
    alice.fails(3, &["init"]);

    // The rehearsal says all of it, and does nothing.
    let rehearsed = alice.ok(&["deploy", "--body", "evm", "--dry-run"]);
    let messages = rehearsed["messages"].as_array().unwrap();
    assert_eq!((messages.len(), &messages[0]["Method"], &messages[0]["To"]), (1, &4.into(), &"t010".into()));
    let calls: Vec<_> =
        rehearsed["calls"].as_array().unwrap().iter().map(|call| call["method"].as_str().unwrap()).collect();
    let order =
        ["Filecoin.GasEstimateMessageGas", "Filecoin.MpoolGetNonce", "Filecoin.MpoolPush", "Filecoin.StateSearchMsg"];
    let at =
        order.map(|name| calls.iter().position(|call| *call == name).unwrap_or_else(|| panic!("{name}: {calls:?}")));
    assert!(at.is_sorted(), "{calls:?}");
    let push = &rehearsed["calls"][at[2]]["params"][0]["Signature"]["Data"];
    assert!(push.as_str().unwrap().chars().all(|c| c == 'A' || c == '='), "nobody can send it: {push}");
    alice.fails(4, &["deploy", "--check"]);

    let deployed = alice.ok(&["deploy", "--body", "evm"]);
    assert_eq!((&deployed["new"], &deployed["body"]), (&true.into(), &"evm".into()));
    let again = alice.ok(&["deploy", "--body", "evm"]);
    assert_eq!((&again["new"], &again["actor"]), (&false.into(), &deployed["actor"]));
    let actor = deployed["actor"].as_str().unwrap();
    assert!(actor.starts_with("t410f"), "{actor}");
    assert_eq!(alice.ok(&["deploy", "--check"])["code_cid"], deployed["code_cid"]);

    alice.ok(&["key", "publish"]);
    bob.fails(3, &["init"]);
    bob.ok(&["key", "publish", "--actor", actor]);
    alice.write("tree/letter.txt", b"dear bob");
    let put = alice.ok(&["put", "tree"]);
    assert_eq!(put["file_id"], 1);
    let rehearsed = alice.ok(&["grant", "1", &bob.address(), "--dry-run"]);
    assert_eq!(rehearsed["messages"].as_array().unwrap().len(), 1);
    bob.fails(6, &["get", "1", "--actor", actor]);
    alice.ok(&["grant", "1", &bob.address()]);
    bob.ok(&["get", "1", "--actor", actor]);
    assert_eq!(std::fs::read(bob.path("tree/letter.txt")).unwrap(), b"dear bob");
    alice.ok(&["put", "tree", "--update", "1"]);
    alice.fails(4, &["bounty", "refund", "9"]);
}
