//! Somebody with an Ethereum key: everything that the contract does, by transactions that MetaMask could have signed, and a plain word about
//! what no such transaction can say.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use support::{Net, User, noise, wait_until};

/// Somebody with money and a key of this kind.
fn rich(net: &Net, kind: &str) -> User {
    let user = User::on(net);
    user.ok(&["wallet", "new", "--kind", kind]);
    user.ok(&["key", "new"]);
    net.rpc("Devnet.Fund", &json!([user.address(), "100000000000000000000"]));
    user
}

fn amount(value: &Value) -> u128 {
    value.as_str().unwrap().parse().unwrap()
}

/// A message as Ethereum's tools see it.
fn transaction(net: &Net, message: &Value) -> Value {
    let hash = net.rpc("Filecoin.EthGetTransactionHashByCid", &json!([{ "/": message["cid"] }]));
    net.rpc("eth_getTransactionByHash", &json!([hash]))
}

#[test]
fn an_ethereum_account_keeps_shares_and_funds_files() {
    let net = Net::start(&["--without-actor"]);
    let (carol, mut alice) = (rich(&net, "delegated"), rich(&net, "secp256k1"));
    let (first, second) = (net.provider(0), net.provider(1));
    for provider in [&first, &second] {
        alice.ok(&["devnet", "provider", provider, "--hunting", "off"]);
    }
    let listed = carol.ok(&["wallet", "list"]);
    let ethereum = listed.to_string().split('"').find(|part| part.starts_with("0x")).map(str::to_string);
    assert!(carol.address().starts_with("t410f"), "{listed}");

    // She makes the contract herself, and says where it is.
    let deployed = carol.ok(&["deploy", "--body", "evm"]);
    let actor = deployed["actor"].as_str().unwrap();
    assert_eq!(deployed["new"], true);
    alice.told_of(actor);
    carol.ok(&["deploy", "--check"]);
    carol.ok(&["key", "publish"]);
    alice.ok(&["key", "publish"]);

    // Stored by a provider, who takes the signature of an Ethereum key; updated, read, opened, closed.
    let bytes = noise(200_000);
    let path = carol.write("data.bin", &bytes);
    let put = carol.ok(&["put", &path, "--provider", &first]);
    assert_eq!((&put["file_id"], &put["providers"][0]["state"]), (&json!(1), &json!("sealed")));
    assert_eq!(carol.ok(&["put", &path, "--provider", &first])["file_id"], 1, "the same again is nothing new");
    carol.ok(&["get", "1", "-o", "back"]);
    assert!(std::fs::read(carol.path("back")).unwrap() == bytes);
    alice.fails(6, &["get", "1"]);
    let granted = carol.ok(&["grant", "1", &alice.address(), "--expires", "30d"]);
    alice.ok(&["get", "1", "-o", "copy"]);
    assert!(std::fs::read(alice.path("copy")).unwrap() == bytes);
    assert_eq!(carol.ok(&["grants", "1"])["grants"].as_array().unwrap().len(), 1);
    carol.ok(&["revoke", "1", &alice.address()]);
    alice.fails(6, &["get", "1", "-o", "again"]);
    let changed = carol.write("data.bin", &noise(200_001));
    assert_eq!(carol.ok(&["put", &changed, "--update", "1", "--no-store"])["version"], 2);
    // The other way round: an f1 account opens a file to her.
    let note = alice.write("note.txt", b"dear Carol");
    assert_eq!(alice.ok(&["put", &note, "--grant", &carol.address()])["file_id"], 2);
    assert_eq!(carol.ok(&["ls", "--shared"])["files"].as_array().unwrap().len(), 1);
    assert_eq!(carol.run(&["get", "2", "-o", "-"]).stdout, b"dear Carol");
    alice.ok(&["transfer", "2", &carol.address()]);
    carol.ok(&["rm", "2"]);
    // What the contract refuses has its own code and sentence, though it comes out of a revert.
    carol.fails(4, &["rm", "9"]);
    let theirs = alice.ok(&["put", &note, "--no-store"])["file_id"].to_string();
    carol.fails(6, &["rm", &theirs]);

    // A bounty, with money.
    let terms = ["--reward", "2", "--replicas", "1", "--duration", "180d", "--deadline", "30d", "--fund", "1.5"];
    let put = carol.ok(&["put", &carol.write("kept.bin", &noise(100_000)), "--provider", &first]);
    let file = put["file_id"].to_string();
    let created = carol.ok(&[&["bounty", "create", &file][..], &terms].concat());
    assert_eq!(created["bounty_id"], 1, "{created}");
    alice.ok(&["bounty", "fund", "1", "0.5"]);
    alice.ok(&["devnet", "provider", &second, "take", "1"]);
    let open = || carol.ok(&["bounty", "claims", "1"])["claims"][0]["status"] == "open";
    wait_until("a claim", open);
    alice.ok(&["mine", "90d"]);
    let settled = carol.ok(&["bounty", "settle", "1"]);
    let half = 1_000_000_000_000_000_000;
    assert!((half..half + half / 5).contains(&amount(&settled["paid"])), "half of the time: {settled}");
    alice.ok(&["mine", "100d"]);
    carol.ok(&["bounty", "settle", "1"]);
    carol.ok(&[
        "bounty",
        "create",
        &file,
        "--reward",
        "1",
        "--replicas",
        "1",
        "--duration",
        "180d",
        "--deadline",
        "30d",
        "--fund",
        "1",
    ]);
    carol.ok(&["bounty", "cancel", "2"]);
    assert_eq!(amount(&carol.ok(&["bounty", "refund", "2"])["amount"]), 1_000_000_000_000_000_000);

    carol.ok(&["wallet", "send", &alice.address(), "1"]);
    // All of it were EIP-1559 transactions: to the contract, but for the one that made it.
    let ethereum = ethereum.expect("the list shows the Ethereum form");
    for (message, to) in [(&granted["messages"][0], true), (&deployed["messages"][0], false)] {
        let seen = transaction(&net, message);
        assert_eq!((&seen["type"], seen["to"].is_string()), (&json!("0x2"), to), "{seen}");
        assert!(seen["from"].as_str().unwrap().eq_ignore_ascii_case(&ethereum), "{seen}");
    }
    assert_eq!(alice.ok(&["devnet", "check"])["violations"].as_array().unwrap().len(), 0);
}

#[test]
fn what_no_transaction_can_say_is_refused_before_anything_is_sent() {
    let net = Net::start(&[]);
    let (carol, nobody) = (rich(&net, "delegated"), User::alone());
    nobody.ok(&["wallet", "new"]);
    let before = carol.ok(&["wallet", "balance"])["balance"].clone();
    let says = |args: &[&str], why: &str| {
        let message = carol.fails(2, args);
        assert!(message.contains("an f410 account") && message.contains(why), "{args:?}: {message}");
    };
    // Native actors are called by their own methods: here the Wasm body is one, and the market is one everywhere.
    says(&["key", "publish"], "takes another account");
    says(&["market", "deposit", "1"], "method 822473126 of t05 takes another account");
    // Money goes to whoever is on the chain, and to any f410 address.
    says(&["wallet", "send", &nobody.address(), "1"], "is not on the chain yet");
    assert_eq!(carol.ok(&["wallet", "balance"])["balance"], before);
    let other = User::alone();
    other.ok(&["wallet", "new", "--kind", "delegated"]);
    carol.ok(&["wallet", "send", &other.address(), "1"]);
    assert_eq!(amount(&carol.ok(&["wallet", "balance", &other.address()])["balance"]), 1_000_000_000_000_000_000);
    // A newcomer has the keys and is told what is missing.
    let newcomer = User::on(&net);
    assert!(newcomer.fails(3, &["init", "--kind", "delegated"]).contains("an f410 account"));
}
