//! Getting files back from several providers, good and bad, and going on after an interruption, by the binary alone.
#![allow(missing_docs)]

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::{Net, User, named, noise, tree};

/// Names in a folder; none where there is no folder yet.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).map(|entries| entries.collect::<Vec<_>>()).unwrap_or_default();
    let mut names: Vec<_> =
        entries.into_iter().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits until so many bytes have come, or the process has ended. Says how many there are.
fn wait_until(child: &mut Child, fetching: &Path, bytes: u64) -> u64 {
    loop {
        let size = |name: &String| std::fs::metadata(fetching.join(name)).map_or(0, |about| about.blocks() * 512);
        let kept = names(fetching).iter().map(size).sum();
        if kept >= bytes || child.try_wait().unwrap().is_some() {
            return kept;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_killed_get_goes_on_and_gives_the_same() {
    let net = Net::start(&[]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let bytes = noise(40_000_000);
    alice.write("tree/big.bin", &bytes);
    (0..300).for_each(|i| _ = alice.write(&format!("tree/small/{i}"), &noise(3000 + i)));
    alice.ok(&["put", "tree", "--copies", "2"]);
    let original = tree(&alice.path("tree"));
    std::fs::create_dir(alice.path("out")).unwrap();
    let fetching = alice.home.path().join("fetching");

    let mut seen = Vec::new();
    // Killed without a chance to tidy up: at once, ever later on the way, and when all has come and is being put in its place.
    for (bytes, then) in [
        (0, 0),
        (1, 0),
        (4_000_000, 0),
        (11_000_000, 3),
        (23_000_000, 1),
        (34_000_000, 0),
        (40_900_000, 2),
        (40_900_000, 9),
    ] {
        let get = ["get", "1", "-o", "out/tree"];
        let mut child = alice.command(&get).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        seen.push(wait_until(&mut child, &fetching, bytes));
        std::thread::sleep(Duration::from_millis(then));
        child.kill().unwrap();
        child.wait().unwrap();
        for name in names(&fetching) {
            let about = std::fs::metadata(fetching.join(name)).unwrap();
            assert_eq!(about.permissions().mode() & 0o777, 0o600);
        }
        if alice.path("out/tree").exists() {
            assert_eq!(tree(&alice.path("out/tree")), original, "what is there is whole");
            std::fs::remove_dir_all(alice.path("out/tree")).unwrap();
        }
    }
    assert!(seen.iter().any(|kept| (1_000_000..40_000_000).contains(kept)), "some were killed on the way: {seen:?}");
    let last = alice.run(&["get", "1", "-o", "out/tree"]);
    assert_eq!(last.code, 0, "{}", last.stderr);
    assert_eq!(tree(&alice.path("out/tree")), original);
    assert_eq!(names(&alice.path("out")), ["tree"], "nothing half-written stays");
    assert!(names(&fetching).is_empty(), "and nothing in the data folder");
}

#[test]
fn ctrl_c_keeps_what_came_and_says_so() {
    let net = Net::start(&[]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let bytes = noise(60_000_000);
    let path = alice.write("big.bin", &bytes);
    alice.ok(&["put", &path]);
    std::fs::create_dir(alice.path("out")).unwrap();
    let fetching = alice.home.path().join("fetching");
    let mut command = alice.command(&["get", "1", "-o", "out/big"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(&mut child, &fetching, 1_000_000);
    Command::new("kill").args(["-INT", &child.id().to_string()]).stderr(Stdio::null()).status().unwrap();
    let run = support::Run::of(child.wait_with_output().unwrap());
    // It may have been faster than the signal.
    if run.code != 0 {
        assert_eq!(run.code, 130, "{}", run.stderr);
        assert!(names(&alice.path("out")).is_empty(), "nothing half-written stays");
        let again = alice.run(&["get", "1", "-o", "out/big"]);
        assert!(again.stderr.contains("going on where an earlier get stopped"), "{}", again.stderr);
    }
    assert!(std::fs::read(alice.path("out/big")).unwrap() == bytes);
    assert!(names(&fetching).is_empty());
}

#[test]
fn four_providers_one_lies_one_stalls_one_has_lost_it() {
    let net = Net::start(&["--providers", "4"]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let bytes = noise(20_000_000);
    let path = alice.write("data.bin", &bytes);
    alice.ok(&["put", &path, "--copies", "4"]);
    let (liar, staller, lost, good) = (net.provider(0), net.provider(1), net.provider(2), net.provider(3));
    for (provider, serving) in [(&liar, "corrupt"), (&staller, "stall"), (&lost, "lost")] {
        alice.ok(&["devnet", "provider", provider, "--serving", serving]);
    }
    let run = named(&alice, "one", &liar);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(std::fs::read(alice.path("one")).unwrap() == bytes);
    let says = |text: String| assert!(run.stderr.contains(&text), "{text}: {}", run.stderr);
    says(format!("dropped {liar}"));
    says(format!("passed over {staller}"));
    says(format!("passed over {lost}"));
    says(format!("served by {good}"));

    // Parts of it, to a pipe: every byte has been authenticated.
    let part = alice.run(&["get", "1", "--range", "7000000-7000100", "-o", "-"]);
    assert_eq!((part.code, &part.stdout[..]), (0, &bytes[7_000_000..7_000_100]), "{}", part.stderr);
    let all = alice.run(&["get", "1", "-o", "-"]);
    assert!(all.code == 0 && all.stdout == bytes);

    // What each serves, by random parts; all of it where that is wanted.
    let checks = |args: &[&str], code| {
        let run = alice.run(&[args, &["--json"]].concat());
        assert_eq!(run.code, code, "{}", run.stderr);
        let checks = run.json()["data"]["checks"].as_array().unwrap().clone();
        let of = |who: &String| {
            let found = checks.iter().find(|check| check["what"].as_str().unwrap().starts_with(who.as_str())).unwrap();
            (found["ok"].as_bool().unwrap(), found["detail"].as_str().unwrap().to_string())
        };
        assert!(!of(&liar).0 && of(&liar).1.contains("other bytes"), "{}", of(&liar).1);
        assert!(!of(&lost).0);
        of(&good)
    };
    let (ok, detail) = checks(&["verify", "1"], 7);
    assert!(ok && detail.contains("the piece commitment") && detail.contains("the key opens it"), "{detail}");
    alice.ok(&["devnet", "provider", &staller, "--serving", "lost"]);
    let (ok, detail) = checks(&["verify", "1", "--full"], 7);
    assert!(ok && detail.contains("all of it"), "{detail}");
}

#[test]
fn a_disk_that_fills_is_named_and_what_came_is_kept() {
    let net = Net::start(&[]);
    let alice = User::on(&net);
    alice.ok(&["init"]);
    let bytes = noise(12_000_000);
    let path = alice.write("big.bin", &bytes);
    alice.ok(&["put", &path]);
    std::fs::create_dir(alice.path("out")).unwrap();
    // No file may have more than 4 MiB, neither the output nor what is kept.
    let get = format!("ulimit -f 4096; trap '' XFSZ; exec {} get 1 -o out/big --json", support::BAUTA);
    let mut command = Command::new("bash");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).args(["-c", &get]);
    command.env("BAUTA_HOME", alice.home.path()).env("BAUTA_RPC_URL", net.url()).current_dir(alice.work.path());
    let run = support::Run::of(command.output().unwrap());
    assert_eq!(run.code, 10, "{}", run.stderr);
    assert!(run.json()["error"]["message"].as_str().unwrap().contains("out"), "{}", run.json());
    assert!(names(&alice.path("out")).is_empty(), "nothing half-written stays");
    alice.ok(&["get", "1", "-o", "out/big"]);
    assert!(std::fs::read(alice.path("out/big")).unwrap() == bytes);
    assert_eq!(names(&alice.path("out")), ["big"]);
}
