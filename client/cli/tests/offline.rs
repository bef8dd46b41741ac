//! What needs no network: usage, pieces, packages, keys, output forms; the screens as snapshots, the round trips as code.
#![allow(missing_docs)]

mod support;

use std::os::unix::fs::PermissionsExt;

use support::{Run, User, bauta, noise, tree};

#[test]
fn screens() {
    let home = tempfile::tempdir().unwrap();
    let cases = trycmd::TestCases::new();
    cases.env("BAUTA_HOME", home.path().display().to_string());
    cases.env("COLUMNS", "110");
    cases.case("tests/cmd/*.trycmd").run();
}

#[test]
fn a_package_goes_out_and_comes_back() {
    let user = User::alone();
    user.ok(&["key", "new"]);
    user.write("tree/a.txt", b"one");
    user.write("tree/b/c.bin", &noise(2_500_000));
    let packed = user.ok(&["pack", "tree", "-o", "tree.car"]);
    assert_eq!(user.ok(&["commp", "tree.car"])["piece_cid_v2"], packed["piece_cid_v2"]);
    user.ok(&["unpack", "tree.car", "-o", "back"]);
    assert_eq!(tree(&user.path("back")), tree(&user.path("tree")));
    user.fails(1, &["unpack", "tree.car", "-o", "back"]);
    user.fails(1, &["pack", "tree", "-o", "tree.car"]);
    user.ok(&["pack", "tree", "-o", "tree.car", "--force"]);
    user.ok(&["unpack", "tree.car", "-o", "back", "--force"]);

    let stranger = User::alone();
    stranger.ok(&["key", "new"]);
    let car = user.path("tree.car").display().to_string();
    stranger.fails(6, &["unpack", &car, "-o", "x"]);
    let bytes = std::fs::read(&car).unwrap();
    for (name, damaged) in [("cut", bytes[..bytes.len() / 2].to_vec()), ("flipped", flipped(&bytes, bytes.len() / 2))] {
        let path = user.write(name, &damaged);
        user.fails(7, &["unpack", &path, "-o", "x"]);
    }
    assert!(!user.path("x").exists() && !stranger.path("x").exists());
    let leftovers: Vec<_> = std::fs::read_dir(user.work.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(leftovers.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{leftovers:?}");
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

#[test]
fn streams_go_through_dashes() {
    use std::io::Write;
    use std::process::Stdio;
    let user = User::alone();
    user.ok(&["key", "new"]);
    let pipe = |args: &[&str], input: &[u8]| {
        let mut child =
            user.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Run::of(child.wait_with_output().unwrap())
    };
    let packed = pipe(&["pack", "-", "-o", "-"], b"through a pipe");
    assert_eq!(packed.code, 0, "{}", packed.stderr);
    let unpacked = pipe(&["unpack", "-", "-o", "-"], &packed.stdout);
    assert_eq!((unpacked.code, &unpacked.stdout[..]), (0, &b"through a pipe"[..]), "{}", unpacked.stderr);
    user.fails(2, &["pack", "x", "-o", "-"]);
}

#[test]
fn keys_are_private_and_leave_only_when_asked() {
    let user = User::alone();
    assert!(user.fails(4, &["key", "show"]).contains("bauta init"));
    let recipient = user.ok(&["key", "new"])["recipient"].clone();
    user.fails(1, &["key", "new"]);
    let file = user.home.path().join("identity.txt");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let exported = user.run(&["key", "export"]);
    let secret = String::from_utf8(exported.stdout).unwrap();
    assert!(secret.contains("AGE-SECRET-KEY-1"));
    user.ok(&["key", "export", "-o", "mine.txt"]);
    assert_eq!(std::fs::metadata(user.path("mine.txt")).unwrap().permissions().mode() & 0o777, 0o600);

    // A new key stands in front of the old one, which still opens what was sealed for it.
    let note = user.write("note", b"for the first key");
    user.ok(&["pack", &note, "-o", "old.car"]);
    let second = user.ok(&["key", "new", "--force"])["recipient"].clone();
    assert_ne!(recipient, second);
    user.ok(&["unpack", "old.car", "-o", "old.out"]);

    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(user.fails(1, &["key", "show"]).contains("chmod 600"));
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();

    let other = User::alone();
    let path = user.path("mine.txt").display().to_string();
    assert_eq!(other.ok(&["key", "import", &path])["recipient"], recipient);
}

#[test]
fn a_passphrase_comes_from_a_file_or_a_command_and_never_from_nowhere() {
    let user = User::alone();
    let passphrase = user.write("pass", b"correct horse\nsecond line\n");
    user.fails(2, &["key", "new", "--encrypt"]);
    user.ok(&["key", "new", "--encrypt", "--password-file", &passphrase]);
    let text = std::fs::read(user.home.path().join("identity.txt")).unwrap();
    assert!(text.starts_with(b"age-encryption.org/"));
    assert!(user.fails(6, &["key", "show"]).contains("--password-file"));
    user.fails(6, &["key", "show", "--password-command", "echo wrong"]);
    user.fails(2, &["key", "show", "--password-command", "exit 3"]);
    let command = "printf 'correct horse\\n'";
    user.ok(&["key", "show", "--password-command", command]);
    user.fails(2, &["key", "show", "--password-command", command, "--password-file", &passphrase]);
    let wallet = user.ok(&["wallet", "new", "--encrypt", "--password-file", &passphrase]);
    let address = wallet["address"].as_str().unwrap();
    user.fails(6, &["wallet", "export", address]);
    user.ok(&["wallet", "export", address, "--password-file", &passphrase]);
}

#[test]
fn wallet_keys_travel_as_lotus_writes_them() {
    let (user, other) = (User::alone(), User::alone());
    for kind in ["secp256k1", "bls"] {
        let address = user.ok(&["wallet", "new", "--kind", kind])["address"].as_str().unwrap().to_string();
        assert!(address.starts_with(if kind == "bls" { "t3" } else { "t1" }), "{address}");
        user.ok(&["wallet", "export", &address, "-o", kind]);
        let path = user.path(kind).display().to_string();
        let mainnet = other.ok(&["wallet", "import", &path, "--network", "mainnet"]);
        assert_eq!(mainnet["address"].as_str().unwrap()[1..], address[1..]);
        assert!(mainnet["address"].as_str().unwrap().starts_with('f'));
        assert_eq!(other.ok(&["wallet", "import", &path])["new"], false);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        other.fails(1, &["wallet", "import", &path]);
    }
    let listed = user.ok(&["wallet", "list"]);
    let keys = listed["keys"].as_array().unwrap();
    assert_eq!(keys.iter().filter(|key| key["default"] == true).count(), 1);
    let bls = keys.iter().find(|key| key["kind"] == "bls").unwrap()["address"].as_str().unwrap();
    assert_eq!(user.ok(&["wallet", "default", bls])["address"], bls);
    user.fails(4, &["wallet", "default", "t1duiiyeaoet5gw5q3342ot65oprfe5xmihni4daq"]);
    let rubbish = user.write("rubbish", b"7b7d");
    std::fs::set_permissions(&rubbish, PermissionsExt::from_mode(0o600)).unwrap();
    user.fails(1, &["wallet", "import", &rubbish]);
}

#[test]
fn a_phrase_gives_its_keys_again() {
    let (user, other) = (User::alone(), User::alone());
    // Nobody would see it, or nowhere to keep it.
    user.fails(2, &["wallet", "new", "--mnemonic"]);
    user.fails(2, &["wallet", "new", "--mnemonic", "--words", "13", "--phrase-out", "p"]);
    for kind in ["bls", "delegated"] {
        user.fails(2, &["wallet", "new", "--mnemonic", "--kind", kind, "--phrase-out", "p"]);
    }
    user.fails(2, &["wallet", "new", "--index", "1"]);
    assert!(!user.path("p").exists() && user.ok(&["wallet", "list"])["keys"].as_array().unwrap().is_empty());

    let made = user.ok(&["wallet", "new", "--mnemonic", "--words", "12", "--count", "3", "--phrase-out", "p"]);
    let keys = made["keys"].as_array().unwrap();
    let paths: Vec<&str> = keys.iter().map(|key| key["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["m/44'/461'/0'/0/0", "m/44'/461'/0'/0/1", "m/44'/461'/0'/0/2"]);
    assert_eq!(std::fs::metadata(user.path("p")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(user.path("p")).unwrap().split_whitespace().count(), 12);
    assert_eq!(user.ok(&["wallet", "default"])["address"], keys[0]["address"]);
    user.fails(1, &["wallet", "new", "--mnemonic", "--phrase-out", "p"]);
    assert_eq!(user.ok(&["wallet", "list"])["keys"].as_array().unwrap().len(), 3);

    let path = user.path("p").display().to_string();
    let second = other.ok(&["wallet", "import", &path, "--mnemonic", "--index", "1"]);
    assert_eq!(second["keys"][0]["address"], keys[1]["address"]);
    let all = other.ok(&["wallet", "import", &path, "--mnemonic", "--count", "3"]);
    let new: Vec<_> = all["keys"].as_array().unwrap().iter().map(|key| key["new"].clone()).collect();
    assert_eq!(new, [true, false, true]);
    let word = other.write("word", b"correct horse\n");
    let hidden = other.ok(&["wallet", "import", &path, "--mnemonic", "--phrase-password-file", &word]);
    assert_ne!(hidden["keys"][0]["address"], keys[0]["address"]);
    other.fails(1, &["wallet", "import", &path]);
    other.fails(2, &["wallet", "import", &path, "--mnemonic", "--path", "m/44h"]);
    other.fails(2, &["wallet", "import", &path, "--mnemonic", "--index", "2147483648"]);

    // Zondax's own vector: its path is not the standard one.
    let words = other.write("words", b"equip will roof matter pink blind book anxiety banner elbow sun young\n");
    std::fs::set_permissions(&words, PermissionsExt::from_mode(0o600)).unwrap();
    let theirs = other.ok(&["wallet", "import", &words, "--mnemonic", "--path", "m/44'/461'/0/0/1"]);
    assert_eq!(theirs["keys"][0]["address"], "t1rovwtiuo5ncslpmpjftzu5akswbgsgighjazxoi");
    let wrong = other.write("wrong", b"equip will roof matter pink blind book anxiety banner elbow sun zoo\n");
    std::fs::set_permissions(&wrong, PermissionsExt::from_mode(0o600)).unwrap();
    let said = other.fails(1, &["wallet", "import", &wrong, "--mnemonic"]);
    assert!(said.contains("do not belong together") && !said.contains("zoo"), "{said}");
    std::fs::set_permissions(&words, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(other.fails(1, &["wallet", "import", &words, "--mnemonic"]).contains("chmod 600"));
}

#[test]
fn what_is_signed_is_checked() {
    let user = User::alone();
    for kind in ["secp256k1", "bls"] {
        let address = user.ok(&["wallet", "new", "--kind", kind])["address"].as_str().unwrap().to_string();
        user.ok(&["wallet", "default", &address]);
        let (text, other) = (user.write("text", b"it is me"), user.write("other", b"it is not me"));
        let signed = user.ok(&["wallet", "sign", &text]);
        let signature = signed["signature"].as_str().unwrap();
        assert!(signature.starts_with(if kind == "bls" { "02" } else { "01" }), "{signature}");
        assert_eq!(user.ok(&["wallet", "verify", &address, signature, &text])["valid"], true);
        user.fails(7, &["wallet", "verify", &address, signature, &other]);
        // As Lotus signs: without the envelope.
        user.fails(7, &["wallet", "verify", &address, signature, &text, "--raw"]);
        let raw = user.ok(&["wallet", "sign", &text, "--raw"])["signature"].as_str().unwrap().to_string();
        assert_ne!(raw, signature);
        user.ok(&["wallet", "verify", &address, &raw, &text, "--raw"]);
        user.fails(2, &["wallet", "verify", &address, "xyz", &text]);
        user.fails(2, &["wallet", "verify", &address, "0102", &text]);
        user.fails(4, &["wallet", "sign", "missing"]);
    }
    // A signature over a message's CID is a signature over the message.
    let cid = user.write("cid", &[&[0x01, 0x71, 0xa0, 0xe4, 0x02, 0x20][..], &[7; 32]].concat());
    assert!(user.fails(2, &["wallet", "sign", &cid, "--raw"]).contains("a message to the chain"));
    user.ok(&["wallet", "sign", &cid]);
}

#[test]
fn usage_errors_are_json_too_wherever_the_wish_stands() {
    for args in [&["--json", "nonsense"][..], &["ls", "--nonsense", "--json"], &["grant", "--json"], &["--json"]] {
        let run = Run::of(bauta().args(args).env("BAUTA_HOME", "/nonexistent").output().unwrap());
        assert_eq!(run.code, 2, "{args:?}");
        run.json();
        assert_eq!(run.stderr, "");
    }
    let by_variable = Run::of(bauta().arg("nonsense").env("BAUTA_JSON", "1").output().unwrap());
    by_variable.json();
    let not = Run::of(bauta().arg("nonsense").env("BAUTA_JSON", "0").output().unwrap());
    assert!(not.stdout.is_empty() && !not.stderr.is_empty());
}

#[test]
fn a_flag_beats_the_environment_and_that_beats_the_configuration() {
    let user = User::alone();
    user.ok(&["wallet", "new"]);
    std::fs::write(user.home.path().join("config.toml"), "network = \"mainnet\"\n").unwrap();
    assert!(user.address().starts_with('f'), "configuration");
    let with = |args: &[&str]| {
        let run = Run::of(
            user.command(&[&["wallet", "default", "--json"], args].concat())
                .env("BAUTA_NETWORK", "calibration")
                .output()
                .unwrap(),
        );
        run.json()["data"]["address"].as_str().unwrap().to_string()
    };
    assert!(with(&[]).starts_with('t'), "environment");
    assert!(with(&["--network", "mainnet"]).starts_with('f'), "flag");
    user.fails(2, &["ls", "--network", "Not A Name"]);
    std::fs::write(user.home.path().join("config.toml"), "nonsense = 1\n").unwrap();
    user.fails(2, &["wallet", "list"]);
}

#[test]
fn interrupted_work_leaves_nothing() {
    let user = User::alone();
    user.ok(&["key", "new"]);
    // An input without an end: only the interruption stops it.
    let mut child = user.command(&["commp", "/dev/zero"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));

    user.write("big", &vec![7; 64 << 20]);
    let mut child =
        user.command(&["pack", "big", "-o", "big.car"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(60));
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let code = child.wait().unwrap().code();
    let names: Vec<_> = std::fs::read_dir(user.work.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    match code {
        // Killed by the signal itself, where it came before the program had begun.
        Some(130) | None if names.len() == 1 => {}
        // Behind a checkpoint: what is there is for the same command, which uses it up.
        Some(130) | None => {
            user.ok(&["pack", "big", "-o", "big.car"]);
            assert_eq!(std::fs::read_dir(user.work.path()).unwrap().count(), 2);
        }
        // A fast machine is through before it is interrupted; then the CAR is whole.
        code => assert_eq!((code, names.len()), (Some(0), 2), "{names:?}"),
    }
    // Where it was stopped early there is not even the folder.
    assert_eq!(std::fs::read_dir(user.home.path().join("packing")).map_or(0, |journals| journals.count()), 0);
}

#[test]
fn progress_is_on_stderr_and_only_where_it_is_wanted() {
    let user = User::alone();
    let path = user.write("bytes", &noise(5_000_000));
    let plain = user.run(&["commp", &path, "--progress", "plain"]);
    let lines: Vec<&str> = plain.stderr.lines().collect();
    assert!(
        matches!(lines[..], [.., last] if last.starts_with("hashing: 4.77 MiB of 4.77 MiB") && last.ends_with("done")),
        "{lines:?}"
    );
    assert_eq!(lines.iter().filter(|line| line.ends_with("done")).count(), 1);
    assert_eq!(user.run(&["commp", &path]).stderr, "", "no terminal, no bar");
    assert_eq!(user.run(&["commp", &path, "--progress", "plain", "--quiet"]).stderr, "");
}

/// A generator of the same numbers always.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn a_pack_that_is_killed_at_any_moment_goes_on() {
    let user = User::alone();
    user.ok(&["key", "new"]);
    // Long enough for several checkpoints, and nothing has to be written for it.
    std::fs::create_dir(user.path("tree")).unwrap();
    for i in 0..50 {
        user.write(&format!("tree/small/{i}"), &noise(i * 97));
    }
    std::fs::File::create(user.path("tree/film")).unwrap().set_len(160 << 20).unwrap();
    let (mut seed, mut resumed, mut journals, mut most) = (7, 0, Vec::new(), 60);
    for round in 0..40 {
        let mut child = user
            .command(&["pack", "tree", "-o", "out.car"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(random(&mut seed) % most));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        resumed += usize::from(String::from_utf8_lossy(&output.stderr).contains("going on where"));
        for entry in std::fs::read_dir(user.home.path().join("packing")).into_iter().flatten() {
            journals.push(std::fs::read(entry.unwrap().path()).unwrap());
        }
        // A slow machine needs longer before there is anything to go on with.
        most = if resumed == 0 { most + most / 4 } else { most };
        if user.path("out.car").exists() || (round > 8 && resumed > 3) {
            break;
        }
    }
    if !user.path("out.car").exists() {
        user.ok(&["pack", "tree", "-o", "out.car"]);
    }
    assert!(resumed > 0, "one of many kills comes behind a checkpoint");
    user.ok(&["unpack", "out.car", "-o", "back"]);
    assert!(tree(&user.path("back")) == tree(&user.path("tree")));
    let mut left: Vec<_> = std::fs::read_dir(user.work.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["back", "out.car", "tree"]);
    assert_eq!(std::fs::read_dir(user.home.path().join("packing")).unwrap().count(), 0);

    // No key of what came out stands in any of the journals.
    let identity = std::fs::read_to_string(user.home.path().join("identity.txt")).unwrap();
    let identity = &bauta_client::crypt::Identity::parse_file(&identity).unwrap()[0];
    let car = std::fs::File::open(user.path("out.car")).unwrap();
    let package = bauta_client::pack::Package::open(car, None, bauta_client::pack::Key::Identity(identity)).unwrap();
    let mut keys = vec![package.file_key().expose().to_vec()];
    keys.extend(package.entries().iter().filter_map(|entry| match &entry.content {
        bauta_client::pack::Content::File { key, .. } => Some(key.expose().to_vec()),
        _ => None,
    }));
    assert!(keys.len() == 52 && !journals.is_empty());
    for journal in &journals {
        assert!(keys.iter().all(|key| !journal.windows(16).any(|window| window == key)));
    }
}

#[test]
fn what_cannot_be_packed_is_named_and_the_rest_is_packed() {
    use std::os::unix::ffi::OsStrExt;
    let user = User::alone();
    user.ok(&["key", "new"]);
    user.write("tree/good", b"good");
    user.write("tree/empty", b"");
    user.write("tree/CON", b"reserved elsewhere");
    user.write("tree/ends with a dot.", b"so is this");
    user.write(&format!("tree/{}", "n".repeat(255)), b"as long as a name can be");
    let latin = std::ffi::OsStr::from_bytes(b"tree/caf\xe9\n");
    std::fs::write(user.work.path().join(latin), b"no UTF-8").unwrap();
    std::fs::File::create(user.path("tree/sparse")).unwrap().set_len(3_000_000).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(user.path("tree/socket")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(user.path("tree/pipe")).status().unwrap();
    assert!(made.success());
    // Links to anything, also out of the tree or to nowhere, are links; a device behind one is not opened.
    for (name, target) in [("out", "/etc/passwd"), ("nowhere", "no/where"), ("device", "/dev/zero"), ("loop", ".")] {
        std::os::unix::fs::symlink(target, user.path("tree").join(name)).unwrap();
    }
    let run = user.run(&["pack", "tree", "-o", "out.car", "--json"]);
    let document = run.json();
    assert_eq!(run.code, 3, "{document}");
    let skipped: Vec<&str> =
        document["data"]["skipped"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    assert!(
        skipped.len() == 2 && skipped.iter().all(|line| line.contains("neither a file, a folder nor a link")),
        "{skipped:?}"
    );
    user.ok(&["unpack", "out.car", "-o", "back"]);
    for name in ["good", "empty", "CON", "ends with a dot.", &"n".repeat(255), "sparse"] {
        assert!(
            std::fs::read(user.path("back").join(name)).unwrap()
                == std::fs::read(user.path("tree").join(name)).unwrap()
        );
    }
    assert_eq!(
        std::fs::read(user.work.path().join(std::ffi::OsStr::from_bytes(b"back/caf\xe9\n"))).unwrap(),
        b"no UTF-8"
    );
    for (name, target) in [("out", "/etc/passwd"), ("nowhere", "no/where"), ("device", "/dev/zero"), ("loop", ".")] {
        assert_eq!(std::fs::read_link(user.path("back").join(name)).unwrap(), std::path::Path::new(target));
    }
    // By themselves they are no input at all, and nobody waits for the other end of a pipe.
    for name in ["tree/pipe", "tree/socket", "/dev/null", "/dev/zero"] {
        assert!(user.fails(1, &["pack", name, "-o", "x.car"]).contains("neither a file nor a folder"), "{name}");
    }
    user.fails(4, &["pack", "tree/nothing", "-o", "x.car"]);
    user.fails(1, &["pack", "tree/good", "-o", "tree/good/x.car"]);
    user.fails(1, &["pack", "tree/good", "-o", ".."]);
    assert!(!user.path("x.car").exists());
    // A file alone may be empty, or mostly holes.
    for name in ["empty", "sparse"] {
        user.ok(&["pack", &format!("tree/{name}"), "-o", "one.car", "--force"]);
        user.ok(&["unpack", "one.car", "-o", "one", "--force"]);
        assert!(std::fs::read(user.path("one")).unwrap() == std::fs::read(user.path("tree").join(name)).unwrap());
    }
}

#[test]
fn a_full_disk_has_its_own_exit_code_and_leaves_nothing() {
    let user = User::alone();
    user.ok(&["key", "new"]);
    user.write("data", &noise(3_000_000));
    let before = std::fs::read_dir(user.work.path()).unwrap().count();
    // A limit on the size of files stands for a full disk: the system refuses the write in the same place.
    let limited = |kib: u64, args: &str| {
        let script = format!("ulimit -f {kib}; exec {} {args}", support::BAUTA);
        let mut command = user.command(&[]);
        let env: Vec<_> = command.get_envs().map(|(k, v)| (k.to_owned(), v.map(|v| v.to_owned()))).collect();
        command = std::process::Command::new("bash");
        command.env_clear().current_dir(user.work.path()).args(["-c", &script]).stdin(std::process::Stdio::null());
        for (key, value) in env {
            command.env(key, value.unwrap_or_default());
        }
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        Run::of(command.output().unwrap())
    };
    for kib in [0, 1, 100, 1000, 2900] {
        let run = limited(kib, "pack data -o out.car --json");
        let document = run.json();
        assert_eq!(run.code, 10, "{kib}: {document}");
        assert!(document["error"]["message"].as_str().unwrap().contains("no room"), "{document}");
        assert_eq!(std::fs::read_dir(user.work.path()).unwrap().count(), before, "{kib}");
    }
    user.ok(&["pack", "data", "-o", "out.car"]);
    let run = limited(1000, "unpack out.car -o back --json");
    assert_eq!((run.code, run.json()["error"]["code"].as_i64()), (10, Some(10)));
    assert!(!user.path("back").exists());
    assert_eq!(std::fs::read_dir(user.work.path()).unwrap().count(), before + 1);
    // A real one, where the system has it.
    if std::path::Path::new("/dev/full").exists() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let run = user.command(&["pack", "data", "-o", "-"]).stdout(full).output().unwrap();
        assert_eq!(run.status.code(), Some(10), "{}", String::from_utf8_lossy(&run.stderr));
    }
}
