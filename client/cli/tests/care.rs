//! Looking after what is stored: status, repair, renew, watch.
#![allow(missing_docs)]

mod support;

use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};
use support::{Lines, Net, User, days, ends, interrupt, noise};

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
    let mut lines = Lines::of(child.stdout.take().unwrap());
    let repaired = lines.until("a repair", |line| line.contains("repaired with"));
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
    let mut lines = Lines::of(child.stdout.take().unwrap());
    assert!(lines.next().unwrap().contains("1 of 1 files well"));
    let mut complaints = Lines::of(child.stderr.take().unwrap());
    net.stop();
    complaints.until("that it tries again", |line| line.contains("trying again"));
    net.again();
    // Rounds from before the end say no more than one file.
    let other = alice.write("other.bin", &noise(1_000));
    alice.ok(&["put", &other]);
    lines.until("that both are well", |line| line.contains("2 of 2 files well"));
    assert_eq!(interrupt(&mut child), 0);
    // Once, it says that the network is the trouble.
    net.stop();
    alice.fails(5, &["watch", "--once"]);
}

/// How many copies a file is to have, how many are good, and its version.
fn wanted(user: &User) -> (Value, Value, Value) {
    let file = user.ok(&["status", "1"])["files"][0].clone();
    (file["wanted"].clone(), file["good"].clone(), user.ok(&["info", "1"])["version"].clone())
}

#[test]
fn an_update_keeps_the_wished_copies_unless_it_says_otherwise() {
    let net = Net::start(&["--providers", "3"]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let (one, two, three) = (alice.write("1", b"one"), alice.write("2", b"two"), alice.write("3", b"three"));
    alice.ok(&["put", &one, "--copies", "3"]);
    let update = |path: &str, more: &[&str]| alice.ok(&[&["put", path, "--update", "1"], more].concat());
    assert_eq!(update(&two, &[])["providers"].as_array().unwrap().len(), 3);
    assert_eq!(wanted(&alice), (json!(3), json!(3), json!(2)));
    // The same again is the same, and says nothing new.
    assert_eq!(update(&two, &[])["version"], 2);
    assert_eq!(wanted(&alice), (json!(3), json!(3), json!(2)));
    assert_eq!(update(&three, &["--copies", "2"])["providers"].as_array().unwrap().len(), 2);
    assert_eq!(wanted(&alice), (json!(2), json!(2), json!(3)));
    let named = update(&one, &["--provider", &net.provider(2)]);
    assert_eq!((&named["version"], &named["providers"][0]["provider"]), (&json!(4), &json!(net.provider(2))));
    assert_eq!(wanted(&alice), (json!(1), json!(1), json!(4)));
}

#[test]
fn a_provider_is_where_the_command_says() {
    let net = Net::start(&["--providers", "2"]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let path = alice.write("data", b"some bytes");
    let url = net.banner["providers"][1]["url"].as_str().unwrap();
    let (here, nowhere) = (format!("{}={url}", net.provider(1)), format!("{}=http://127.0.0.1:1", net.provider(1)));
    alice.ok(&["put", &path, "--provider", &net.provider(1)]);
    for command in
        [&["get", "1", "-o", "out"][..], &["verify", "1"], &["status", "1"], &["renew", "1"], &["repair", "1"]]
    {
        alice.ok(&[command, &["--provider", &here]].concat());
    }
    assert_eq!(std::fs::read(alice.path("out")).unwrap(), b"some bytes");
    // The only one that has it is not where it is said to be.
    let said = alice.run(&["get", "1", "-o", "other", "--provider", &nowhere]);
    assert_eq!(said.code, 5, "{}", said.stderr);
    assert!(said.stderr.contains(&net.provider(1)) && !alice.path("other").exists(), "{}", said.stderr);
    for bad in ["t01000=ftp://h", "=http://h", "t01000="] {
        alice.fails(2, &["get", "1", "-o", "other", "--provider", bad]);
    }
}
