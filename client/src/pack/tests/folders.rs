//! Folders: everything that a file system can hold.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::*;
use crate::car::Blocks as _;

/// What a folder holds, to compare two of them: path, kind, mode, time and content.
fn snapshot(root: &Path) -> BTreeMap<std::path::PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let at = entry.unwrap().path();
            let about = at.symlink_metadata().unwrap();
            let what = if about.is_symlink() {
                format!("link {:?}", fs::read_link(&at).unwrap())
            } else {
                let time = super::super::scan::mtime_ms(&about);
                let mode = super::super::platform::mode_of(&about) & 0o777;
                let hash = if about.is_file() {
                    hex::encode(<sha2::Sha256 as sha2::Digest>::digest(fs::read(&at).unwrap()))
                } else {
                    "folder".into()
                };
                format!("{mode:o} {time} {hash}")
            };
            if about.is_dir() {
                folders.push(at.clone());
            }
            all.insert(at.strip_prefix(root).unwrap().to_path_buf(), what);
        }
    }
    all
}

#[test]
#[cfg(unix)]
fn a_folder_comes_back_as_it_was() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    let case = Case::new();
    let root = case.path("folder");
    for folder in ["a", "a/b/c/d/e", "empty", "read-only", "a-b"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("a/one"), bytes(1)).unwrap();
    fs::write(root.join("a/b/c/d/e/deep"), "deep").unwrap();
    fs::write(root.join("a-b/x"), "sorted between a and a/").unwrap();
    fs::write(root.join("nothing"), "").unwrap();
    fs::write(root.join("large"), bytes((3 << 20) + 5)).unwrap();
    fs::write(root.join("x".repeat(255)), "a long name").unwrap();
    fs::write(root.join(OsStr::from_bytes(b"\xff\xfe not UTF-8 \n")), "odd").unwrap();
    fs::write(root.join("ünïcödé 🎭"), "names").unwrap();
    fs::write(root.join("script"), "#!/bin/sh").unwrap();
    fs::write(root.join("read-only/file"), "inside").unwrap();
    fs::hard_link(root.join("large"), root.join("same")).unwrap();
    symlink("a/one", root.join("link")).unwrap();
    symlink("../../etc/passwd", root.join("outside")).unwrap();
    symlink("/nowhere", root.join("dangling")).unwrap();
    symlink(".", root.join("loop")).unwrap();
    let mode = |path: &str, mode| fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    mode("script", 0o4755);
    mode("nothing", 0o600);
    for (path, seconds) in [("a/one", -5000i64), ("script", 1_000_000_000), ("read-only", 1_234_567_890), ("a", 77)] {
        let time = match u64::try_from(seconds) {
            Ok(after) => SystemTime::UNIX_EPOCH + Duration::from_secs(after) + Duration::from_millis(123),
            Err(_) => SystemTime::UNIX_EPOCH - Duration::from_secs(seconds.unsigned_abs()) - Duration::from_millis(1),
        };
        fs::File::open(root.join(path)).unwrap().set_modified(time).unwrap();
    }
    mode("read-only", 0o555);

    let (packed, car) = case.pack("folder").unwrap();
    assert_eq!(packed.skipped, []);
    assert_eq!((&*packed.metadata.name, packed.metadata.kind), ("folder", ContentKind::Folder));
    assert_eq!(packed.piece, crate::piece::CommP::of(&car).unwrap());
    // Files with several names are stored once.
    assert!(car.len() < 4 << 20, "{} bytes", car.len());
    // No name is readable in the CAR.
    assert!(!car.windows(4).any(|window| window == b"deep" || window == b"link"));

    let unpacked = case.unpack(&car, "back").unwrap();
    assert_eq!(unpacked.entries as usize, snapshot(&root).len());
    assert_eq!(snapshot(&case.path("back")), snapshot(&root));
    assert_eq!(fs::metadata(case.path("back/script")).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(case.names(), ["back", "folder"]);
    for root in ["folder", "back"] {
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(case.path(root).join("read-only"), open).unwrap();
    }
}

#[test]
fn one_path_is_read_without_the_rest() {
    let case = Case::new();
    fs::create_dir_all(case.path("folder/sub")).unwrap();
    fs::write(case.path("folder/sub/one"), bytes(100)).unwrap();
    fs::write(case.path("folder/two"), bytes(200)).unwrap();
    let (packed, car) = case.pack("folder").unwrap();
    let mut package = Package::open(Cursor::new(&car), Some(&packed.payload_cid), Key::File(&packed.file_key)).unwrap();
    let mut read = |path: &str| {
        let mut found = Vec::new();
        package.open_path(path.as_bytes())?.read_to_end(&mut found).unwrap();
        Ok::<_, Error>(found)
    };
    assert_eq!(read("sub/one").unwrap(), bytes(100));
    assert_eq!(read("two").unwrap(), bytes(200));
    for path in ["", "one", "sub/", "/two", "./two", "sub/../two", "two/two", "sub/three"] {
        assert!(matches!(read(path), Err(Error::NotFound(p)) if p == path), "{path:?}");
    }
    assert!(matches!(read("sub"), Err(Error::Unsupported(_))));
    assert!(matches!(package.open_file(), Err(Error::Unsupported(_))));
    // The owner's identity opens the inner age files by itself, without the manifest.
    let mut car = crate::car::CarFile::open(Cursor::new(&car), None).unwrap();
    let cid = car.resolve(&packed.payload_cid, "data/0/001.age").unwrap();
    let mut plain = Vec::new();
    crypt::open(car.file(&cid).unwrap(), &case.owner).unwrap().read_to_end(&mut plain).unwrap();
    assert_eq!(plain, bytes(200));
}

#[test]
fn an_empty_folder_comes_back() {
    let case = Case::new();
    fs::create_dir(case.path("folder")).unwrap();
    let (_, car) = case.pack("folder").unwrap();
    assert_eq!(case.unpack(&car, "back").unwrap().entries, 0);
    assert!(case.path("back").is_dir());
    // An empty folder may be in the way, one with content and a file may not.
    fs::create_dir(case.path("there")).unwrap();
    case.unpack(&car, "there").unwrap();
    fs::write(case.path("there/file"), "mine").unwrap();
    assert!(matches!(case.unpack(&car, "there"), Err(Error::Exists(_))));
    assert!(matches!(case.unpack(&car, "there/file"), Err(Error::Exists(_))));
    let overwrite = Options { overwrite: true, ..Options::default() };
    let refused = unpack(Cursor::new(&car), None, Key::Identity(&case.owner), &case.path("there"), overwrite);
    assert!(matches!(refused, Err(Error::Exists(_))));
    assert_eq!(fs::read(case.path("there/file")).unwrap(), b"mine");
}

#[test]
fn more_payloads_than_a_directory_holds_get_several() {
    let case = Case::new();
    fs::create_dir(case.path("folder")).unwrap();
    for i in 0..2001 {
        fs::write(case.path(&format!("folder/{i:04}")), format!("file {i}")).unwrap();
    }
    let (packed, car) = case.pack("folder").unwrap();
    let mut archive = crate::car::CarFile::open(Cursor::new(&car), None).unwrap();
    for (path, count) in [("data", 3), ("data/0", 1000), ("data/1", 1000), ("data/2", 1)] {
        let cid = archive.resolve(&packed.payload_cid, path).unwrap();
        assert_eq!(archive.directory(&cid).unwrap().unwrap().len(), count, "{path}");
    }
    case.unpack(&car, "back").unwrap();
    assert_eq!(snapshot(&case.path("back")), snapshot(&case.path("folder")));
}

#[test]
#[cfg(unix)]
fn what_cannot_be_read_is_listed_and_the_rest_packed() {
    use std::os::unix::fs::PermissionsExt;
    let case = Case::new();
    let root = case.path("folder");
    fs::create_dir_all(root.join("closed")).unwrap();
    fs::write(root.join("good"), "good").unwrap();
    fs::write(root.join("closed/file"), "x").unwrap();
    fs::write(root.join("secret"), "x").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let mode = |path: &str, mode| fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    mode("closed", 0o000);
    mode("secret", 0o000);
    let (packed, car) = case.pack("folder").unwrap();
    let mut skipped: Vec<_> = packed.skipped.iter().map(|skipped| skipped.path.file_name().unwrap()).collect();
    skipped.sort();
    // The administrator reads everything.
    let all_readable = fs::read(root.join("secret")).is_ok();
    assert_eq!(skipped, if all_readable { vec!["socket"] } else { vec!["closed", "secret", "socket"] });
    mode("closed", 0o700);
    case.unpack(&car, "back").unwrap();
    assert_eq!(fs::read(case.path("back/good")).unwrap(), b"good");
    let closed = fs::Permissions::from_mode(0o700);
    fs::set_permissions(case.path("back/closed"), closed).unwrap();
    assert!(matches!(case.pack("folder/socket"), Err(Error::Unsupported(_))));
    assert!(matches!(case.pack("nowhere"), Err(Error::Io { path, .. }) if path.ends_with("nowhere")));
}

/// Changes files while they are packed, by way of the progress report.
fn pack_while(case: &Case, name: &str, mut change: impl FnMut(u64)) -> Result<(Packed, Vec<u8>), Error> {
    let mut car = Cursor::new(Vec::new());
    let mut tell = |progress: Progress| {
        if progress.phase == Phase::Pack {
            change(progress.done);
        }
    };
    let options = Options { progress: Some(&mut tell), ..Options::default() };
    let packed = pack(&case.path(name), &[case.owner.recipient()], &mut car, options)?;
    Ok((packed, car.into_inner()))
}

#[test]
fn a_file_that_changes_meanwhile_is_not_packed() {
    let case = Case::new();
    let sizes: [fn(u64) -> u64; 3] = [|size| size + 1, |size| size - 1, |_| 0];
    for to in sizes {
        let size = 4 << 20;
        fs::write(case.path("file"), bytes(size)).unwrap();
        let resize =
            |_| fs::OpenOptions::new().write(true).open(case.path("file")).unwrap().set_len(to(size as u64)).unwrap();
        let outcome = pack_while(&case, "file", resize);
        assert!(matches!(outcome, Err(Error::Changed(path)) if path == case.path("file")));
    }
    // Rewritten without a change of size.
    fs::write(case.path("file"), bytes(4 << 20)).unwrap();
    let touch = |done| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(done);
        fs::OpenOptions::new().write(true).open(case.path("file")).unwrap().set_modified(time).unwrap();
    };
    assert!(matches!(pack_while(&case, "file", touch), Err(Error::Changed(_))));
}

/// Waits until the clock that files are stamped by has gone on: kernels before 6.13 stamp by the timer's tick, some milliseconds long.
#[cfg(unix)]
fn wait_for_a_tick(probe: &Path) {
    use std::os::unix::fs::MetadataExt;
    let stamp = || {
        fs::write(probe, "").unwrap();
        let about = fs::metadata(probe).unwrap();
        (about.ctime(), about.ctime_nsec())
    };
    let first = stamp();
    while stamp() == first {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The time of a file's content is anybody's to set; that of its state is not.
#[test]
#[cfg(unix)]
fn a_change_is_noticed_whose_time_was_put_back() {
    use std::os::unix::fs::FileExt;

    let case = Case::new();
    fs::create_dir(case.path("folder")).unwrap();
    for name in ["file", "folder/file"] {
        fs::write(case.path(name), bytes(4 << 20)).unwrap();
        let time = fs::metadata(case.path(name)).unwrap().modified().unwrap();
        wait_for_a_tick(&case.path("probe"));
        let rewrite = |_| {
            let file = fs::OpenOptions::new().write(true).open(case.path(name)).unwrap();
            file.write_all_at(b"other bytes", (4 << 20) - 100).unwrap();
            file.set_modified(time).unwrap();
        };
        let outcome = pack_while(&case, name.split('/').next().unwrap(), rewrite);
        match outcome {
            Err(Error::Changed(path)) => assert_eq!(path, case.path("file")),
            Ok((packed, _)) => assert_eq!(packed.skipped[0].path, case.path("folder/file")),
            Err(other) => panic!("{other}"),
        }
    }
}

/// The names of one file have one content, however large the file has become between the first and the second of them.
#[test]
#[cfg(unix)]
fn a_file_of_several_names_that_grows_comes_back() {
    let case = Case::new();
    fs::create_dir(case.path("folder")).unwrap();
    fs::write(case.path("folder/a"), bytes(4 << 20)).unwrap();
    fs::write(case.path("folder/log"), bytes(1000)).unwrap();
    fs::hard_link(case.path("folder/log"), case.path("folder/other-name")).unwrap();
    let mut grown = false;
    let grow = |_| {
        if !std::mem::replace(&mut grown, true) {
            fs::write(case.path("folder/log"), bytes(2000)).unwrap();
        }
    };
    let (packed, car) = pack_while(&case, "folder", grow).unwrap();
    assert_eq!(packed.skipped, []);
    case.unpack(&car, "back").unwrap();
    for name in ["log", "other-name"] {
        assert_eq!(fs::read(case.path("back").join(name)).unwrap(), bytes(2000), "{name}");
    }
}

/// What is secret in a folder is so while it comes back; nothing tells the folder's own mode, so that it is its owner's alone.
#[test]
#[cfg(unix)]
fn nobody_else_gets_into_a_folder_that_comes_back() {
    use std::os::unix::fs::PermissionsExt;

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let case = Case::new();
    fs::create_dir_all(case.path("folder/inner")).unwrap();
    fs::set_permissions(case.path("folder/inner"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(case.path("folder/inner/large"), bytes(4 << 20)).unwrap();
    let (_, car) = case.pack("folder").unwrap();
    let mut modes = Vec::new();
    let mut look = |_: Progress| {
        let beside = fs::read_dir(case.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        modes.extend(beside.filter(|path| !path.ends_with("folder")).map(|path| mode(&path)));
    };
    let options = Options { progress: Some(&mut look), ..Options::default() };
    unpack(Cursor::new(&car), None, Key::Identity(&case.owner), &case.path("back"), options).unwrap();
    assert!(!modes.is_empty() && modes.iter().all(|mode| *mode == 0o700), "{modes:?}");
    assert_eq!((mode(&case.path("back")), mode(&case.path("back/inner"))), (0o700, 0o755));
    // A folder that was there stays as it was.
    fs::create_dir(case.path("there")).unwrap();
    fs::set_permissions(case.path("there"), fs::Permissions::from_mode(0o750)).unwrap();
    case.unpack(&car, "there").unwrap();
    assert_eq!(mode(&case.path("there")), 0o750);
}

#[test]
fn more_recipients_than_a_header_holds_are_refused() {
    let case = Case::new();
    fs::write(case.path("file"), "x").unwrap();
    let pack_for = |recipients: usize| {
        let all = vec![case.owner.recipient(); recipients];
        let mut car = Cursor::new(Vec::new());
        pack(&case.path("file"), &all, &mut car, Options::default()).map(|_| car.into_inner())
    };
    let car = pack_for(2_600).unwrap();
    case.unpack(&car, "back").unwrap();
    let error = pack_for(2_700).unwrap_err();
    assert!(error.to_string().contains("header"), "{error}");
}

#[test]
fn files_that_change_or_vanish_in_a_folder_are_listed() {
    let case = Case::new();
    fs::create_dir(case.path("folder")).unwrap();
    for (name, size) in [("1-changes", 3 << 20), ("2-vanishes", 10), ("3-grows", 10), ("4-stays", 2 << 20)] {
        fs::write(case.path("folder").join(name), bytes(size)).unwrap();
    }
    let change = |done: u64| {
        if done == 1 << 20 || done == 2 << 20 {
            let file = fs::OpenOptions::new().write(true).open(case.path("folder/1-changes")).unwrap();
            file.set_len((3 << 20) - 1).unwrap();
            let _ = fs::remove_file(case.path("folder/2-vanishes"));
        }
    };
    let (packed, car) = pack_while(&case, "folder", change).unwrap();
    let skipped: Vec<_> = packed.skipped.iter().map(|skipped| skipped.path.file_name().unwrap()).collect();
    assert_eq!(skipped, ["1-changes", "2-vanishes"]);
    case.unpack(&car, "back").unwrap();
    assert_eq!(fs::read(case.path("back/4-stays")).unwrap(), bytes(2 << 20));
    assert_eq!(fs::read_dir(case.path("back")).unwrap().count(), 2);
    assert_eq!(packed.metadata.size, (2 << 20) + 10);
}
