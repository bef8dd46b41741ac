//! What needs no network: usage, pieces, packages, output forms; the screens as snapshots, the round trips as code.
#![allow(missing_docs)]

mod support;

use support::{
    Lines, Run, User, bauta, interrupt, noise, tree, wait_for_a_checkpoint, wait_until, wait_until_interruptible,
};

#[test]
fn screens() {
    let home = tempfile::tempdir().unwrap();
    let cases = trycmd::TestCases::new();
    cases.env("BAUTA_HOME", home.path().display().to_string());
    cases.env("COLUMNS", "110");
    // The developer's own settings are no part of the screens; an empty one is none.
    for (name, _) in std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))) {
        if name.starts_with("BAUTA_") && name != "BAUTA_HOME" {
            cases.env(name, "");
        }
    }
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
    wait_until_interruptible(&mut child);
    assert_eq!(interrupt(&mut child), 130);

    user.write("big", &vec![7; 64 << 20]);
    let names = || -> Vec<_> {
        let all = std::fs::read_dir(user.work.path()).unwrap();
        all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).filter(|name| name != "big").collect()
    };
    // At its beginning, once there is something, behind a checkpoint, and close to its end.
    for moment in 0..4 {
        let mut child =
            user.command(&["pack", "big", "-o", "big.car"]).stderr(std::process::Stdio::null()).spawn().unwrap();
        wait_until_interruptible(&mut child);
        let mut has_ended = || child.try_wait().unwrap().is_some();
        match moment {
            0 => {}
            1 => wait_until("a beginning", || !names().is_empty() || has_ended()),
            2 => wait_for_a_checkpoint(&mut child, || journal(&user)),
            _ => wait_until("an end", || {
                let size = |name: String| user.path(&name).metadata().map_or(0, |about| about.len());
                names().into_iter().map(size).sum::<u64>() > 64 << 20 || has_ended()
            }),
        }
        let code = interrupt(&mut child);
        if code == 130 {
            // What is there, behind a checkpoint, is for the same command, which uses it up. The CAR is not.
            assert!(names().len() <= 1 && !user.path("big.car").exists(), "{:?}", names());
            if names().is_empty() {
                assert_eq!(journal(&user), None);
                continue;
            }
            user.ok(&["pack", "big", "-o", "big.car"]);
        } else {
            // It was through before it was interrupted.
            assert_eq!(code, 0);
        }
        assert_eq!((names(), journal(&user)), (vec!["big.car".into()], None));
        user.ok(&["unpack", "big.car", "-o", "back"]);
        assert!(std::fs::read(user.path("back")).unwrap() == std::fs::read(user.path("big")).unwrap());
        std::fs::remove_file(user.path("big.car")).unwrap();
        std::fs::remove_file(user.path("back")).unwrap();
    }
}

/// How long the journal of a pack is, where there is one.
fn journal(user: &User) -> Option<u64> {
    let journals = std::fs::read_dir(user.home.path().join("packing")).into_iter().flatten().flatten();
    journals.filter_map(|entry| Some(entry.metadata().ok()?.len())).max()
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
    let (mut seed, mut resumed, mut journals) = (7, 0, Vec::new());
    for round in 0..40 {
        let mut child = user
            .command(&["pack", "tree", "-o", "out.car"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = Lines::of(child.stderr.take().unwrap());
        let goes_on = |line: String| line.contains("going on where");
        let mut has_gone_on = false;
        match round % 4 {
            0 => wait_for_a_checkpoint(&mut child, || journal(&user)),
            1 => has_gone_on = said.any(goes_on),
            _ => std::thread::sleep(std::time::Duration::from_millis(random(&mut seed) % 100)),
        }
        child.kill().unwrap();
        child.wait().unwrap();
        resumed += usize::from(has_gone_on || said.any(goes_on));
        for entry in std::fs::read_dir(user.home.path().join("packing")).into_iter().flatten() {
            journals.push(std::fs::read(entry.unwrap().path()).unwrap());
        }
        if user.path("out.car").exists() {
            // It was sooner through than killed, perhaps just before it removed its journal.
            if resumed > 0 {
                break;
            }
            std::fs::remove_file(user.path("out.car")).unwrap();
        }
        if round > 8 && resumed > 3 {
            break;
        }
    }
    if !user.path("out.car").exists() || journal(&user).is_some() {
        user.ok(&["pack", "tree", "-o", "out.car", "--force"]);
    }
    assert!(resumed > 0, "kills that came behind a checkpoint");
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
