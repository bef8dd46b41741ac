//! What people do by mistake: a clear error, its code, and nothing lost.
#![allow(missing_docs)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use support::line::{Cut, Line};
use support::{Net, User, noise};

fn packed(user: &User, name: &str) -> String {
    let car = format!("{name}.car");
    user.ok(&["pack", name, "-o", &car]);
    car
}

#[test]
fn a_file_never_takes_the_place_of_a_folder() {
    let net = Net::start(&["--providers", "1"]);
    let user = User::on(&net);
    user.ok(&["init"]);
    fs::write(user.path("file"), noise(3_000)).unwrap();
    fs::create_dir(user.path("Docs")).unwrap();
    fs::write(user.path("Docs/a.txt"), "a").unwrap();
    for name in ["file", "Docs"] {
        user.ok(&["put", name]);
    }
    fs::write(user.path("notes"), "n").unwrap();
    user.ok(&["put", "notes"]);
    fs::remove_file(user.path("notes")).unwrap();
    fs::create_dir(user.path("notes")).unwrap();
    let car = packed(&user, "file");
    fs::create_dir_all(user.path("precious/deep")).unwrap();
    for force in [&[][..], &["--force"]] {
        let at = [&["unpack", &car, "-o", "precious"], force].concat();
        assert_eq!(user.run(&at).code, if force.is_empty() { 1 } else { 2 });
        // Nor by a name that whoever shared it has chosen.
        let named_by_others = user.run(&[&["get", "3"], force].concat());
        assert_eq!(named_by_others.code, if force.is_empty() { 1 } else { 2 }, "{}", named_by_others.stderr);
    }
    assert_eq!(user.run(&["pack", "file", "-o", "precious", "--force"]).code, 2);
    assert_eq!(user.run(&["get", "2", "-o", "file", "--force"]).code, 2, "nor a folder that of a file");
    // As with `cp`, a file goes into a folder that is named.
    assert!(user.ok(&["get", "1", "-o", "precious"])["path"].as_str().unwrap().ends_with("precious/file"));
    assert_eq!(user.run(&["get", "1", "-o", "precious"]).code, 1, "it is there now");
    assert!(user.path("precious/deep").is_dir() && user.path("Docs/a.txt").is_file());
    assert_eq!(user.run(&["get", "1", "-o", "nowhere/"]).code, 2);
    // Paths inside are written in many ways.
    for path in ["a.txt", "./a.txt", "/a.txt"] {
        assert_eq!(user.run(&["get", "2", "--path", path, "-o", "-"]).stdout, b"a");
    }
    // What is packed is not overwritten by its own package.
    assert_eq!(user.run(&["pack", "file", "-o", "./file", "--force"]).code, 2);
    assert_eq!(fs::read(user.path("file")).unwrap(), noise(3_000));
    // Touched, one file is the same file.
    fs::File::open(user.path("file")).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(user.ok(&["put", "file"])["file_id"], 1);
}

#[test]
fn what_the_actor_refuses_is_said_in_words() {
    let net = Net::start(&["--providers", "1"]);
    let user = User::on(&net);
    user.ok(&["init"]);
    fs::write(user.path("file"), "x").unwrap();
    user.ok(&["put", "file", "--no-store"]);
    let me = user.address();
    let bounty = ["bounty", "create", "1", "--reward", "1", "--duration", "180d", "--source", "http://localhost/x"];
    for (code, args, says) in [
        (4, &["rm", "99"][..], "there is no file 99"),
        (4, &["revoke", "99", "t01234"], "there is no file 99"),
        (4, &["revoke", "1", "t01234"], "file 1 is not open to t01234"),
        (2, &["transfer", "1", &me], "somebody else than the owner"),
        (2, &[&bounty[..], &["--replicas", "99", "--deadline", "3d"]].concat(), "1 to 16"),
        (2, &[&bounty[..], &["--replicas", "1", "--deadline", "9999d"]].concat(), "within 365 days"),
        (2, &["bounty", "create", "1", "--reward", "1", "--source", "a place"], "http:// or https://"),
        (2, &["bounty", "create", "1", "--reward", "1,5"], "with a point"),
        (2, &["bounty", "create", "1", "--duration", "9223372036854775807"], "longer than any chain"),
        (4, &["market", "deal", "1", "--provider", "t0999", "--source", "http://localhost/x"], "there is no provider"),
    ] {
        let said = user.fails(code, args);
        assert!(said.contains(says) && !said.contains("backtrace"), "{args:?}: {said}");
    }
}

#[test]
fn secret_keys_are_not_repeated() {
    let user = User::alone();
    user.ok(&["init", "--no-publish"]);
    fs::write(user.path("file"), "x").unwrap();
    let identity = String::from_utf8(user.run(&["key", "export"]).stdout).unwrap();
    let identity = identity.lines().last().unwrap();
    let wallet = String::from_utf8(user.run(&["wallet", "export", &user.address()]).stdout).unwrap();
    let wallet = wallet.trim();
    let hex = "0f".repeat(32);
    for args in [
        &["pack", "file", "-o", "s.car", "--recipient", identity][..],
        &["key", "import", identity],
        &["wallet", "import", wallet],
        &["wallet", "import", &hex],
        &["wallet", "send", wallet, "1"],
        &["wallet", "verify", wallet, "00", "00"],
    ] {
        for json in [&[][..], &["--json"]] {
            let run = user.run(&[args, json].concat());
            let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), run.stderr);
            assert_ne!(run.code, 0);
            for secret in [identity, wallet, &hex] {
                assert!(!said.contains(&secret[..40]), "{said}");
            }
            assert!(said.contains("pass the file"), "{said}");
        }
    }
    // Whatever the arguments are, an error is an error.
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    let run = support::Run::of(user.command(&["pack", "-o", "x.car", "--json"]).arg(odd).output().unwrap());
    assert!(run.code > 0 && run.json()["error"]["code"] == run.code, "{}", run.stderr);
}

#[test]
fn a_damaged_wallet_is_no_empty_one() {
    let user = User::alone();
    user.ok(&["init", "--no-publish"]);
    let (me, default) = (user.address(), user.home.path().join("wallet/default"));
    let keys = || user.ok(&["wallet", "list"])["keys"].as_array().unwrap().len();
    fs::write(&default, "garbage").unwrap();
    for args in [&["wallet", "balance"][..], &["init", "--no-publish"]] {
        let said = user.fails(4, args);
        assert!(said.contains("bauta wallet default ADDRESS"), "{said}");
    }
    assert_eq!(keys(), 1);
    user.ok(&["wallet", "default", &me]);
    // The only key is the one that is meant.
    fs::remove_file(&default).unwrap();
    assert_eq!(user.ok(&["init", "--no-publish"])["address"].as_str().unwrap(), me);
    let other = user.ok(&["wallet", "new"])["address"].as_str().unwrap().to_string();
    fs::remove_file(&default).unwrap();
    user.fails(4, &["init", "--no-publish"]);
    // A default whose file is gone.
    user.ok(&["wallet", "default", &other]);
    let file = format!("wallet/f{}.key", &other[1..]);
    fs::remove_file(user.home.path().join(file)).unwrap();
    let said = user.fails(4, &["init", "--no-publish"]);
    assert!(said.contains(&other), "{said}");
    assert_eq!(keys(), 1);
}

#[test]
fn flags_beat_the_environment() {
    let user = User::alone();
    fs::write(user.path("file"), "x").unwrap();
    let with = |name: &str, value: &str, args: &[&str]| {
        let run = user.command(args).env(name, value).output().unwrap();
        (run.status.code().unwrap(), String::from_utf8_lossy(&run.stderr).into_owned())
    };
    let init = ["init", "--no-publish", "--encrypt", "--password-command", "echo secret"];
    assert_eq!(with("BAUTA_PASSWORD_FILE", "/nowhere", &init).0, 0);
    // Both said in the same breath exclude each other as ever.
    assert_eq!(with("BAUTA_QUIET", "1", &[&init[..], &["--password-file", "x"]].concat()).0, 2);
    for empty in ["BAUTA_ADDRESS", "BAUTA_NETWORK", "BAUTA_RPC_URL"] {
        let (code, said) = with(empty, "", &["wallet", "list"]);
        assert_eq!(code, 0, "{empty}: {said}");
    }
    // Also where something that is required comes from a variable.
    let mut deal = user.command(&["market", "deal", "1", "--password-command", "echo x"]);
    deal.env("BAUTA_PROVIDER", "t01000").env("BAUTA_PASSWORD_FILE", "/nowhere");
    let said = String::from_utf8_lossy(&deal.output().unwrap().stderr).into_owned();
    assert!(!said.contains("cannot be used with"), "{said}");
    let (code, said) = with("BAUTA_HOME", "relative", &["wallet", "list"]);
    assert!(code == 2 && said.contains("relative"), "{said}");
    // What needs no home asks for none.
    for args in [&["completions", "bash"][..], &["commp", "file"]] {
        let mut command = user.command(args);
        let run = command.env_remove("BAUTA_HOME").env_remove("HOME").output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }
}

#[test]
fn pipes_that_end_and_pipes_that_do_not() {
    let user = User::alone();
    user.ok(&["init", "--no-publish"]);
    fs::write(user.path("file"), noise(4 << 20)).unwrap();
    let car = packed(&user, "file");
    // Whoever reads has enough.
    for args in [&["unpack", &car, "-o", "-"][..], &["pack", "file", "-o", "-"]] {
        let mut child = user.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut some = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut some).unwrap();
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success() && ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    // Nobody writes into it: that is said at once, not waited for.
    let made = std::process::Command::new("mkfifo").arg(user.path("pipe")).status().unwrap();
    assert!(made.success());
    let begun = Instant::now();
    assert_eq!(user.run(&["pack", "pipe", "-o", "p.car"]).code, 1);
    let said = user.fails(1, &["put", "pipe"]);
    assert!(said.contains("neither a file nor a folder"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(60));
    // A part is a part through a pipe, too.
    fs::create_dir(user.path("folder")).unwrap();
    fs::rename(user.path("pipe"), user.path("folder/pipe")).unwrap();
    fs::write(user.path("folder/a"), "a").unwrap();
    let run = user.run(&["pack", "folder", "-o", "-"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(!run.stdout.is_empty());
}

/// Sends a process a signal.
fn signal(child: &Child, signal: &str) {
    let kill = ["-s", signal, &child.id().to_string()];
    assert!(std::process::Command::new("kill").args(kill).status().unwrap().success());
}

#[test]
fn who_waits_for_what_is_typed_ends_when_asked() {
    let user = User::alone();
    user.ok(&["init", "--no-publish"]);
    let me = user.address();
    let signature = user.ok(&["wallet", "sign", &user.write("text", b"it is me")])["signature"].clone();
    let made = std::process::Command::new("mkfifo").arg(user.path("pipe")).status().unwrap();
    assert!(made.success());
    let before = (support::tree(user.home.path()), fs::read_dir(user.work.path()).unwrap().count());
    for args in [
        &["wallet", "import", "-"][..],
        &["wallet", "import", "-", "--mnemonic"],
        &["wallet", "sign", "-"],
        &["wallet", "sign", "pipe"],
        &["wallet", "verify", &me, signature.as_str().unwrap(), "-"],
        &["key", "import", "-", "--force"],
        &["unpack", "-", "-o", "out"],
        &["pack", "-", "-o", "out.car"],
        &["commp", "-"],
    ] {
        for by in ["INT", "TERM"] {
            let mut command = user.command(&[args, &["--json"]].concat());
            let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = piped.spawn().unwrap();
            let typed = child.stdin.take();
            support::wait_until_interruptible(&mut child);
            signal(&child, by);
            let begun = Instant::now();
            support::ended(&mut child);
            assert!(begun.elapsed() < Duration::from_secs(8), "{args:?} takes its time");
            let ended = support::Run::of(child.wait_with_output().unwrap());
            assert_eq!((ended.code, &ended.json()["error"]["code"]), (130, &json!(130)), "{args:?}: {}", ended.stderr);
            drop(typed);
        }
    }
    let after = (support::tree(user.home.path()), fs::read_dir(user.work.path()).unwrap().count());
    assert!(before == after, "nothing is left of it");
}

#[test]
fn nobody_who_reads_makes_no_success_of_a_failure() {
    let user = User::alone();
    user.ok(&["key", "new"]);
    fs::create_dir(user.path("folder")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(user.path("folder/socket")).unwrap();
    for (code, args) in [
        (0, &["key", "show"][..]),
        (4, &["wallet", "default"]),
        (2, &["wallet", "balance", "--nonsense"]),
        (3, &["pack", "folder", "-o", "folder.car"]),
    ] {
        for json in [&[][..], &["--json"]] {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let ended = user.command(&[args, json].concat()).stdout(writer).output().unwrap();
            assert_eq!(ended.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&ended.stderr));
            let _ = fs::remove_file(user.path("folder.car"));
        }
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let piped = user.command(&["pack", "folder", "-o", "-"]).stdout(writer).output().unwrap();
    assert_eq!(piped.status.code(), Some(3), "{}", String::from_utf8_lossy(&piped.stderr));
}

#[test]
fn what_cannot_be_rehearsed_is_said_as_it_is() {
    let user = User::alone();
    for args in [
        &["init"][..],
        &["renew", "1"],
        &["repair", "1"],
        &["watch", "--once"],
        &["market", "deposit", "1"],
        &["market", "withdraw"],
        &["market", "deal", "1", "--provider", "t01000"],
        &["wallet", "pending", "--finish"],
    ] {
        let said = user.fails(2, &[args, &["--dry-run"]].concat());
        assert!(said.contains("cannot be rehearsed yet"), "{args:?}: {said}");
    }
    for args in [&["ls"][..], &["market", "balance"], &["wallet", "pending"], &["devnet", "--export", "x"]] {
        let said = user.fails(2, &[args, &["--dry-run"]].concat());
        assert!(said.contains("this is none"), "{args:?}: {said}");
    }
    assert_eq!(support::tree(user.home.path()), []);
}

#[test]
fn a_file_that_does_not_open_is_no_node_that_is_away() {
    let net = Net::start(&["--providers", "1"]);
    let line = Line::to(&net, &[]);
    let (alice, bob, nobody) = (User::at(line.url()), User::on(&net), User::on(&net));
    alice.ok(&["init"]);
    bob.ok(&["init"]);
    alice.write("file", b"a file");
    alice.ok(&["put", "file"]);
    alice.ok(&["verify", "1"]);
    for (who, code) in [(&bob, 6), (&nobody, 4)] {
        let ended = support::ends(who, code, &["verify", "1"]);
        let checks = ended["data"]["checks"].as_array().unwrap();
        assert_eq!((&checks[1]["what"], &checks[1]["ok"]), (&json!("key"), &json!(false)), "{ended}");
        assert!(checks[2]["ok"] == true && checks.len() == 3, "the rest is looked at: {ended}");
    }
    line.cut("Filecoin.StateLookupID", Cut::Before);
    alice.fails(5, &["verify", "1"]);
}

/// However a program is asked to end, it says so and leaves nothing half-written.
#[test]
fn asked_to_end_it_does() {
    let user = User::alone();
    user.ok(&["init", "--no-publish"]);
    // Tests that are run by `nohup` pass on that nobody wants to hear of hangups.
    let signals: &[&str] = if support::is_ignored(1) { &["INT", "TERM"] } else { &["INT", "TERM", "HUP"] };
    for signal in signals {
        let mut command = user.command(&["pack", "-", "-o", "out.car", "--json"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&noise(3 << 20)).unwrap();
        self::signal(&child, signal);
        // Its threads notice at the next leaf, however long the signal takes.
        let more = std::thread::spawn(move || while input.write_all(&[7; 1 << 16]).is_ok() {});
        support::ended(&mut child);
        more.join().unwrap();
        let ended = support::Run::of(child.wait_with_output().unwrap());
        assert_eq!((ended.code, &ended.json()["error"]["code"]), (130, &json!(130)), "{signal}: {}", ended.stderr);
        assert!(!user.path("out.car").exists());
        let left: Vec<_> = fs::read_dir(user.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".bauta-")), "{left:?}");
    }
}
