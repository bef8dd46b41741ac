//! Two people, two providers, one devnet: everything that the README promises, by the binary alone.
#![allow(missing_docs)]

mod support;

use support::{Lines, Net, User, ends, named, noise, tree, wait_for_a_checkpoint, wait_until};

#[test]
fn store_share_fetch_revoke() {
    let net = Net::start(&[]);
    let (alice, bob, carol) = (User::on(&net), User::on(&net), User::on(&net));
    assert_eq!(alice.ok(&["init"])["published"], true);
    assert_eq!(bob.ok(&["init"])["published"], true);
    let again = alice.ok(&["init"]);
    assert_eq!(again["messages"].as_array().unwrap().len(), 0, "nothing is done twice");
    let bob_address = bob.address();

    alice.write("tree/letter.txt", b"dear bob");
    alice.write("tree/deep/noise.bin", &noise(1_500_000));
    let put = alice.ok(&["put", "tree", "--copies", "2"]);
    assert_eq!((&put["file_id"], &put["version"]), (&1.into(), &1.into()));
    assert_eq!(put["providers"].as_array().unwrap().len(), 2);
    assert!(put["providers"].as_array().unwrap().iter().all(|p| p["state"] == "sealed"), "{put}");

    // The same command again: the same file, the same deals, no message, nothing spent.
    let before = alice.ok(&["wallet", "balance"])["balance"].clone();
    let same = alice.ok(&["put", "tree", "--copies", "2"]);
    assert_eq!((&same["file_id"], &same["providers"]), (&put["file_id"], &put["providers"]));
    assert_eq!(same["registration"]["cid"], put["registration"]["cid"]);
    assert_eq!(alice.ok(&["wallet", "balance"])["balance"], before);

    let listed = alice.ok(&["ls"]);
    assert_eq!(listed["files"][0]["metadata"]["name"], "tree");
    assert!(bob.fails(6, &["get", "1"]).contains("not open to"));
    assert_eq!(bob.ok(&["ls", "--shared"])["files"].as_array().unwrap().len(), 0);
    assert_eq!(alice.fails(4, &["get", "99"]), "there is no file 99");

    // Carol has a wallet and no published key.
    carol.ok(&["init", "--no-publish"]);
    let message = alice.fails(4, &["grant", "1", &bob_address, &carol.address()]);
    assert!(message.contains("bauta key publish") && message.contains(&carol.address()), "{message}");
    assert_eq!(alice.ok(&["grants", "1"])["grants"].as_array().unwrap().len(), 0, "all or nobody");

    let granted = alice.ok(&["grant", "1", &bob_address, "--expires", "30d"]);
    assert_eq!(granted["messages"].as_array().unwrap().len(), 1);
    assert_eq!(bob.ok(&["ls", "--shared"])["files"][0]["metadata"]["name"], "tree");
    bob.ok(&["get", "1"]);
    assert_eq!(tree(&bob.path("tree")), tree(&alice.path("tree")));
    assert!(bob.fails(1, &["get", "1"]).contains("--force"), "nothing is overwritten");
    bob.ok(&["get", "1", "--force"]);
    bob.ok(&["get", "1", "--path", "deep/noise.bin", "--range", "1000-2000", "-o", "part"]);
    assert_eq!(std::fs::read(bob.path("part")).unwrap(), noise(1_500_000)[1000..2000]);
    let streamed = bob.run(&["get", "1", "--path", "letter.txt", "-o", "-"]);
    assert_eq!((streamed.code, &streamed.stdout[..]), (0, &b"dear bob"[..]), "{}", streamed.stderr);
    assert!(bob.fails(4, &["get", "1", "--path", "nothing", "-o", "x"]).contains("not in the package"));
    bob.fails(2, &["get", "1", "--path", "letter.txt", "--range", "8-9", "-o", "x"]);
    bob.fails(2, &["get", "1", "-o", "-"]);
    let verified = bob.ok(&["verify", "1"]);
    assert!(verified["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true), "{verified}");

    // One who has no grant does not keep it open to the others.
    assert!(alice.fails(4, &["revoke", "1", &carol.address()]).contains("not open to"));
    let closed = ends(&alice, 3, &["revoke", "1", &bob_address, &carol.address()]);
    assert!(closed["error"]["message"].as_str().unwrap().contains(&carol.address()), "{closed}");
    assert_eq!(closed["data"]["addresses"], serde_json::json!([bob_address]));
    bob.fails(6, &["get", "1", "-o", "again"]);
    assert!(!bob.path("again").exists());

    // A new version under a new key makes a grant stale; a transfer changes who may do what.
    alice.ok(&["grant", "1", &bob_address]);
    alice.write("tree/letter.txt", b"dear bob, once more");
    let updated = alice.ok(&["put", "tree", "--update", "1"]);
    assert_eq!((&updated["file_id"], &updated["version"]), (&1.into(), &2.into()));
    assert!(bob.fails(6, &["get", "1", "-o", "again"]).contains("stale"));
    alice.ok(&["transfer", "1", &bob_address]);
    alice.fails(6, &["get", "1", "-o", "again"]);
    let text = bob.run(&["get", "1", "--path", "letter.txt", "-o", "-"]);
    assert_eq!(text.stdout, b"dear bob, once more");
    alice.fails(6, &["rm", "1"]);
    bob.ok(&["rm", "1"]);
    bob.fails(4, &["info", "1"]);
    // What was removed is stored anew when it is put again.
    let anew = alice.ok(&["put", "tree"]);
    assert_eq!(anew["file_id"], 2);
    assert_eq!(alice.ok(&["devnet", "check"])["violations"].as_array().unwrap().len(), 0);
}

#[test]
fn providers_that_lie_lose_or_stall_are_named_and_passed_over() {
    let mut net = Net::start(&[]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let bytes = noise(300_000);
    let path = alice.write("data.bin", &bytes);
    let (first, second) = (net.provider(0), net.provider(1));
    alice.ok(&["put", &path, "--provider", &first, "--provider", &second]);

    alice.ok(&["devnet", "provider", &first, "--serving", "corrupt"]);
    let run = named(&alice, "one", &first);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("dropped {first}")) && run.stderr.contains(&format!("served by {second}")),
        "{}",
        run.stderr
    );
    assert_eq!(std::fs::read(alice.path("one")).unwrap(), bytes);
    assert!(alice.fails(7, &["verify", "1"]).contains("not this file"));

    alice.ok(&["devnet", "provider", &second, "--serving", "corrupt"]);
    let message = alice.fails(7, &["get", "1", "-o", "two"]);
    assert!(message.contains("other bytes"), "{message}");

    alice.ok(&["devnet", "provider", &first, "--serving", "lost"]);
    alice.ok(&["devnet", "provider", &second, "--serving", "lost"]);
    alice.fails(5, &["get", "1", "-o", "two"]);
    assert!(!alice.path("two").exists(), "nothing half-written survives");
    let left = std::fs::read_dir(alice.home.path().join("fetching")).unwrap().count();
    assert_eq!(left, 0, "and nothing in the data folder");
    assert_eq!(net.stop(), 0, "Ctrl-C is how a devnet ends");
    alice.fails(5, &["ls"]);
}

#[test]
fn a_bounty_from_both_ends() {
    let net = Net::start(&[]);
    let (alice, bob) = (User::on(&net), User::on(&net));
    alice.ok(&["init"]);
    bob.ok(&["init"]);
    let path = alice.write("data.bin", &noise(200_000));
    let provider = net.provider(0);
    alice.ok(&["put", &path, "--provider", &provider]);
    for index in 0..2 {
        alice.ok(&["devnet", "provider", &net.provider(index), "--hunting", "off"]);
    }
    let create =
        ["bounty", "create", "1", "--reward", "2FIL", "--replicas", "1", "--duration", "180d", "--deadline", "30d"];
    let created = alice.ok(&[&create[..], &["--activation-bps", "1000", "--fund", "1.5"]].concat());
    assert_eq!(created["bounty"]["escrowed"], "1500000000000000000");
    let funded = bob.ok(&["bounty", "fund", "1", "500 milliFIL"]);
    assert_eq!(funded["bounty"]["escrowed"], "2000000000000000000");
    assert!(bob.fails(1, &["bounty", "fund", "1", "1"]).contains("cannot pay out that much"));
    assert!(bob.fails(4, &["bounty", "settle", "1"]).contains("no open claim"));
    assert!(bob.fails(6, &["bounty", "cancel", "1"]).contains("no right"));
    bob.fails(4, &["bounty", "show", "2"]);

    alice.ok(&["devnet", "provider", &provider, "take", "1"]);
    wait_until("a claim", || {
        alice.ok(&["mine", "10"]);
        !alice.ok(&["bounty", "claims", "1"])["claims"].as_array().unwrap().is_empty()
    });
    let claims = alice.ok(&["bounty", "claims", "1"]);
    assert_eq!(
        (&claims["claims"][0]["provider"], &claims["claims"][0]["status"]),
        (&provider.clone().into(), &"open".into())
    );

    alice.ok(&["mine", "90d"]);
    let settled = bob.ok(&["bounty", "settle", "1"]);
    let paid: u128 = settled["paid"].as_str().unwrap().parse().unwrap();
    assert!(paid > 1_000_000_000_000_000_000 && paid < 1_200_000_000_000_000_000, "{settled}");
    assert!(bob.fails(1, &["bounty", "refund", "1"]).contains("not ended"));

    // From here on it proves nothing, and is paid nothing.
    alice.ok(&["devnet", "provider", &provider, "--proving", "off"]);
    alice.ok(&["mine", "2d"]);
    let settled = bob.ok(&["bounty", "settle", "1"]);
    let some: u128 = settled["paid"].as_str().unwrap().parse().unwrap();
    assert!(some < 30_000_000_000_000_000, "at most the days before the fault: {settled}");
    alice.ok(&["mine", "100d"]);
    bob.ok(&["bounty", "settle", "1"]);
    let (a, b) = (alice.ok(&["bounty", "refund", "1"]), bob.ok(&["bounty", "refund", "1"]));
    let amount = |value: &serde_json::Value| value.as_str().unwrap().parse::<u128>().unwrap();
    let bounty = &b["bounty"];
    assert_eq!(
        amount(&bounty["funded"]),
        amount(&bounty["paid"]) + amount(&bounty["refunded"]) + amount(&bounty["escrowed"])
    );
    assert_eq!(amount(&bounty["refunded"]), amount(&a["amount"]) + amount(&b["amount"]));
    assert_eq!((amount(&bounty["escrowed"]), &bounty["state"]), (0, &"ended".into()));
    assert_eq!(alice.ok(&["devnet", "check"])["violations"].as_array().unwrap().len(), 0);
}

#[test]
fn with_nothing_running_the_chain_is_in_this_process() {
    let alone = User::alone();
    // Nobody listens there, whatever runs on this machine.
    let config = alone.home.path().join("config.toml");
    std::fs::write(&config, "[networks.local]\nrpc_url = \"http://127.0.0.1:1/rpc/v1\"\n").unwrap();
    alone.ok(&["init"]);
    let path = alone.write("note.txt", b"nothing runs");
    assert_eq!(alone.ok(&["put", &path])["file_id"], 1);
    let out = alone.run(&["get", "1", "-o", "-"]);
    assert_eq!((out.code, &out.stdout[..]), (0, &b"nothing runs"[..]), "{}", out.stderr);
    assert_eq!(alone.ok(&["ls"])["files"].as_array().unwrap().len(), 1);
    // Two commands at once take turns.
    let both = [alone.command(&["ls", "--json"]), alone.command(&["wallet", "balance", "--json"])];
    let both = both.map(|mut command| command.stdout(std::process::Stdio::null()).spawn().unwrap());
    assert!(both.into_iter().all(|mut child| child.wait().unwrap().success()));
    let deployed = alone.ok(&["deploy"]);
    assert_eq!(deployed["new"], false, "the same code is there already");
}

#[test]
fn a_put_that_is_killed_at_any_moment_goes_on_and_does_nothing_twice() {
    let net = Net::start(&[]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    // Two checkpoints long; its holes cost nothing to make.
    let path = alice.write("big.bin", &noise(3_000_000));
    std::fs::File::options().write(true).open(&path).unwrap().set_len(72 << 20).unwrap();
    let journals = alice.home.path().join("journal/local");
    let packing = || {
        let all = std::fs::read_dir(&journals).into_iter().flatten().flatten();
        let mut journals = all.filter(|entry| entry.path().extension().is_some_and(|end| end == "packing"));
        Some(journals.next()?.metadata().ok()?.len())
    };
    // A whole CAR whose journal is still there has nothing to go on with.
    let half = || {
        let all = std::fs::read_dir(&journals).into_iter().flatten().flatten();
        all.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|end| end == "part"))
    };
    let (mut seed, mut seen, mut most) = (11u64, Vec::new(), 400);
    let (mut is_begun, mut resumed) = (false, false);
    // Killed without a chance to tidy up: behind a checkpoint, once it has gone on from there, and at moments that are the same in each run and
    // mean another one on each machine.
    for round in 0..14 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child = alice
            .command(&["put", &path, "--copies", "2"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = Lines::of(child.stderr.take().unwrap());
        match round {
            0 => wait_for_a_checkpoint(&mut child, packing),
            1 if is_begun => resumed = said.any(|line| line.contains("going on with packing")),
            _ => std::thread::sleep(std::time::Duration::from_millis((seed >> 33) % most)),
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // On a machine that was busy with something else it may be packed before it is killed.
        is_begun |= round == 0 && packing().is_some() && half();
        most += 50;
        for entry in std::fs::read_dir(&journals).into_iter().flatten() {
            let at = entry.unwrap().path();
            if at.extension().is_some_and(|end| end == "packing" || end == "json" || end == "new") {
                seen.push(std::fs::read(at).unwrap_or_default());
            }
        }
    }
    assert_eq!(resumed, is_begun, "a checkpoint is gone on from");
    // What a killed process left is swept once it is surely nobody's.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let put = alice.ok(&["put", &path, "--copies", "2"]);
    assert_eq!(put["file_id"], 1, "{put}");
    assert_eq!(alice.ok(&["ls"])["files"].as_array().unwrap().len(), 1);
    let deals: Vec<&str> =
        put["providers"].as_array().unwrap().iter().map(|p| p["provider"].as_str().unwrap()).collect();
    assert_eq!(deals.len(), 2);
    assert_ne!(deals[0], deals[1]);
    let again = alice.ok(&["put", &path, "--copies", "2"]);
    assert_eq!(again["providers"], put["providers"]);
    alice.ok(&["get", "1", "-o", "copy"]);
    assert!(std::fs::read(alice.path("copy")).unwrap() == std::fs::read(&path).unwrap());
    assert_eq!(alice.ok(&["devnet", "check"])["violations"].as_array().unwrap().len(), 0);

    // The journal of the put, its lock, what is remembered of the piece, and the folder of messages on their way: nothing else is left.
    let mut left: Vec<String> =
        std::fs::read_dir(&journals).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    let name = left[0].strip_suffix(".json").expect("the journal is the first").to_string();
    assert_eq!(left, [format!("{name}.json"), format!("{name}.lock"), "kept".into(), "pieces".into(), "sent".into()]);
    let sent = tree(&journals.join("sent"));
    assert!(
        sent.iter().all(|(path, _)| path.extension().is_none_or(|kind| kind == "lock")),
        "all have arrived: {sent:?}"
    );

    // The file's key is in no journal, as it is or in hex.
    let text = std::fs::read(journals.join(format!("{name}.json"))).unwrap();
    let journal: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let file: bauta_abi::FileSpec =
        bauta_abi::decode(&hex::decode(journal["file"].as_str().unwrap()).unwrap()).unwrap();
    let identity = std::fs::read_to_string(alice.home.path().join("identity.txt")).unwrap();
    let identity = &bauta_client::crypt::Identity::parse_file(&identity).unwrap()[0];
    let wrap = bauta_client::crypt::Wrap::from_bytes(file.owner_wrap).unwrap();
    let key = bauta_client::crypt::unwrap(&wrap, identity).unwrap();
    let in_hex = hex::encode(key.expose());
    seen.push(text);
    for journal in &seen {
        assert!(!journal.windows(16).any(|window| window == key.expose()));
        assert!(!journal.windows(32).any(|window| window == in_hex.as_bytes()));
    }
}

#[test]
fn what_cannot_be_read_is_left_out_of_a_put() {
    let net = Net::start(&["--providers", "0"]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    alice.write("tree/good", b"good");
    let _socket = std::os::unix::net::UnixListener::bind(alice.path("tree/socket")).unwrap();
    let run = alice.run(&["put", "tree", "--no-store", "--json"]);
    let document = run.json();
    assert_eq!((run.code, &document["data"]["file_id"]), (3, &1.into()), "{document}");
    assert!(document["data"]["skipped"][0].as_str().unwrap().contains("socket"));
    // Who goes on later is told the same.
    let run = alice.run(&["put", "tree", "--no-store", "--json"]);
    assert_eq!((run.code, &run.json()["data"]["skipped"]), (3, &document["data"]["skipped"]));
}

#[test]
fn a_file_without_a_provider_stays_here() {
    let net = Net::start(&["--providers", "0"]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let path = alice.write("note.txt", b"mine alone");
    let message = alice.fails(2, &["put", &path]);
    assert!(message.contains("--no-store"), "{message}");
    assert_eq!(alice.ok(&["ls"])["files"].as_array().unwrap().len(), 0, "nothing is registered that nobody stores");
    let put = alice.ok(&["put", &path, "--no-store"]);
    let car = std::path::PathBuf::from(put["car"].as_str().unwrap());
    let out = alice.run(&["get", "1", "-o", "-"]);
    assert_eq!((out.code, &out.stdout[..]), (0, &b"mine alone"[..]), "{}", out.stderr);
    // A CAR that was tampered with is nobody's file.
    let mut bytes = std::fs::read(&car).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&car, bytes).unwrap();
    alice.fails(7, &["get", "1", "-o", "copy"]);
    assert!(!alice.path("copy").exists());
}

#[test]
fn who_cannot_pay_is_told_before_anything_is_sent() {
    let net = Net::start(&["--providers", "0"]);
    let (alice, bob) = (User::on(&net), User::on(&net));
    alice.ok(&["init"]);
    bob.ok(&["init", "--no-publish"]);
    bob.fails(8, &["key", "publish"]);
    bob.fails(8, &["wallet", "send", &alice.address(), "1"]);
    alice.fails(8, &["wallet", "send", &bob.address(), "1000000"]);
    let sent = alice.run(&["wallet", "send", &bob.address(), "1.5"]);
    assert_eq!(sent.code, 0, "{}", sent.stderr);
    assert!(sent.stderr.starts_with("network local: sending costs 1.5 FIL and at most"), "{}", sent.stderr);
    assert_eq!(bob.ok(&["wallet", "balance"])["balance"], "1500000000000000000");
    let quiet = alice.run(&["wallet", "send", &bob.address(), "7 attoFIL", "-q"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
}

#[test]
fn the_network_is_the_one_that_was_meant() {
    let net = Net::start(&["--providers", "0"]);
    let (alice, lotus) = (User::on(&net), User::alone());
    alice.ok(&["init"]);
    let port = net.url().split(':').nth(2).unwrap().split('/').next().unwrap().to_string();

    // As Lotus's users name their node.
    let run = |args: &[&str], info: &str| {
        support::Run::of(lotus.command(&[args, &["--json"]].concat()).env("FULLNODE_API_INFO", info).output().unwrap())
    };
    let listed = run(&["wallet", "balance", &alice.address()], &format!("/ip4/127.0.0.1/tcp/{port}/http"));
    assert_eq!(listed.json()["data"]["network"], "local");
    assert_eq!(run(&["ls", "--owner", "t01"], "nonsense").code, 2);

    // A node of another network than the configuration says: nothing is sent there.
    let config = format!("[networks.calibration]\nrpc_url = \"{}\"\nactor = \"t064\"\n", net.url());
    std::fs::write(lotus.home.path().join("config.toml"), config).unwrap();
    lotus.ok(&["wallet", "new"]);
    let message = lotus.fails(2, &["wallet", "send", &alice.address(), "1", "--network", "calibration"]);
    assert!(message.contains("`calibration`") && message.contains("bauta-local"), "{message}");
}

#[test]
fn whoever_may_write_writes_for_the_owner() {
    let net = Net::start(&[]);
    let (alice, bob) = (User::on(&net), User::on(&net));
    alice.ok(&["init"]);
    bob.ok(&["init"]);
    let path = alice.write("note.txt", b"first");
    alice.ok(&["put", &path, "--grant", &bob.address()]);
    let theirs = bob.write("note.txt", b"second");
    assert!(bob.fails(6, &["put", &theirs, "--update", "1"]).contains("does not allow to write"));
    let begun = tree(&bob.home.path().join("journal/local"))
        .into_iter()
        .filter(|(path, bytes)| bytes.is_some() && path.extension().is_none_or(|e| e != "lock"));
    assert_eq!(begun.count(), 0, "nothing was packed, and so nothing uploaded");
    alice.ok(&["grant", "1", &bob.address(), "--rights", "read,write"]);
    let put = bob.ok(&["put", &theirs, "--update", "1"]);
    assert_eq!(put["version"], 2);
    assert_eq!(bob.ok(&["put", &theirs, "--update", "1"])["version"], 2, "the same again is nothing new");
    let read = alice.run(&["get", "1", "-o", "-"]);
    assert_eq!((read.code, &read.stdout[..]), (0, &b"second"[..]), "{}", read.stderr);
    assert!(bob.fails(6, &["get", "1", "-o", "x"]).contains("stale"));
    bob.fails(4, &["put", &theirs, "--update", "7"]);
}

/// A node could show its own key in place of a friend's.
#[test]
fn another_key_than_before_is_refused_until_a_person_trusts_it() {
    let net = Net::start(&[]);
    let (alice, bob) = (User::on(&net), User::on(&net));
    alice.ok(&["init"]);
    bob.ok(&["init"]);
    let (address, first) = (bob.address(), bob.ok(&["key", "show"])["recipient"].as_str().unwrap().to_owned());
    alice.write("one.txt", b"for bob");
    alice.ok(&["put", "one.txt"]);

    // What is only rehearsed is not written down.
    alice.ok(&["grant", "1", &address, "--dry-run"]);
    assert_eq!(alice.ok(&["key", "known"])["keys"].as_array().unwrap().len(), 0);
    let run = alice.run(&["grant", "1", &address]);
    assert!(run.code == 0 && run.stderr.contains("is new to you") && run.stderr.contains(&first), "{}", run.stderr);
    let known = alice.ok(&["key", "known"]);
    assert_eq!(
        (&known["keys"][0]["address"], &known["keys"][0]["recipient"]),
        (&(&*address).into(), &(&*first).into())
    );
    alice.ok(&["revoke", "1", &address]);
    let run = alice.run(&["grant", "1", &address]);
    assert!(run.code == 0 && !run.stderr.contains("is new to you"), "{}", run.stderr);

    bob.ok(&["key", "new", "--force"]);
    bob.ok(&["key", "publish"]);
    let second = bob.ok(&["key", "show"])["recipient"].as_str().unwrap().to_owned();
    alice.write("two.txt", b"for bob, too");
    let before = alice.ok(&["wallet", "balance"])["balance"].clone();
    for args in [
        &["grant", "1", &address][..],
        &["grant", "1", &address, "--dry-run"],
        &["put", "two.txt", "--grant", &address],
        &["transfer", "1", &address],
    ] {
        let message = alice.fails(6, args);
        assert!(message.contains(&format!("bauta key trust {address} {second}")), "{message}");
    }
    assert_eq!(alice.ok(&["wallet", "balance"])["balance"], before, "nothing was sent");
    assert_eq!(alice.ok(&["ls"])["files"].as_array().unwrap().len(), 1, "and nothing stored");

    alice.fails(2, &["key", "trust", &address, "age1nonsense"]);
    let trusted = alice.ok(&["key", "trust", &address, &second]);
    assert_eq!(trusted["before"], first);
    let put = alice.ok(&["put", "two.txt", "--grant", &address]);
    assert_eq!(put["granted"][0], address);
    bob.ok(&["get", "2"]);
    assert_eq!(std::fs::read(bob.path("two.txt")).unwrap(), b"for bob, too");
    let transferred = alice.ok(&["transfer", "1", &address]);
    assert_eq!((&transferred["keys"][0]["recipient"], &transferred["keys"][0]["new"]), (&second.into(), &false.into()));
}
