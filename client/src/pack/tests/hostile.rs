//! CARs that lie: nothing is written outside, nothing half-written stays.

use super::*;
use crate::car::Blocks as _;
use crate::car::{Profile, add_directory, add_file};
use crate::pack::manifest::encode;

/// A folder as the packer would write it, with any manifest.
fn forge(case: &Case, entries: &[Entry], payloads: &[&[u8]]) -> (FileKey, Vec<u8>) {
    let mut car = CarWriter::new(Vec::new()).unwrap();
    let all = [case.owner.recipient()];
    let seal = |plain: &[u8], car: &mut CarWriter<Vec<u8>>| {
        let mut sealed = crypt::seal(plain, &all).unwrap();
        let link = add_file(&mut sealed, &Profile::V1_2025, car).unwrap();
        (link, sealed.file_key().clone())
    };
    let mut data = Vec::new();
    for (i, payload) in payloads.iter().enumerate() {
        data.push((folder::payload_name(i as u64), seal(payload, &mut car).0));
    }
    let group = add_directory(data, &mut car).unwrap();
    let data = add_directory(vec![("0".into(), group)], &mut car).unwrap();
    let (manifest, key) = seal(&encode(entries), &mut car);
    let root = add_directory(vec![("data".into(), data), ("manifest.age".into(), manifest)], &mut car).unwrap();
    let (mut car, header) = car.finish(&root.cid).unwrap();
    car[..header.len()].copy_from_slice(&header);
    (key, car)
}

fn entry(path: &str, content: Content) -> Entry {
    Entry { path: path.into(), mode: 0o644, mtime_ms: 0, content }
}

fn link(path: &str, target: &str) -> Entry {
    entry(path, Content::Symlink(target.into()))
}

fn file(path: &str) -> Entry {
    entry(path, Content::File { size: 1, payload: 0, key: FileKey::from_bytes([0; 16]) })
}

#[test]
fn no_manifest_leads_outside_the_destination() {
    let case = Case::new();
    fs::create_dir(case.path("outside")).unwrap();
    let outside = case.path("outside").to_string_lossy().into_owned();
    for entries in [
        vec![file("../outside/x")],
        vec![file("..")],
        vec![file("/etc/passwd")],
        vec![file(&format!("{outside}/x"))],
        vec![entry("a", Content::Directory), file("a/../../outside/x")],
        vec![link("a", &outside), file("a/x")],
        vec![link("a", &outside), entry("a/b", Content::Directory)],
        vec![entry("a", Content::Directory), link("a", &outside), file("a/x")],
        vec![link("a", &outside), link("a", &outside)],
        vec![file("a"), file("a")],
        vec![entry("a", Content::Directory), entry("a", Content::Directory)],
        vec![file("a/x")],
        vec![file("a"), file("a/x")],
        vec![file("b"), file("a")],
        vec![file("a//b")],
        vec![file("a/")],
        vec![file("./a")],
        vec![file("a\0b")],
    ] {
        let (_, car) = forge(&case, &entries, &[b"x"]);
        let paths: Vec<_> = entries.iter().map(|entry| String::from_utf8_lossy(&entry.path)).collect();
        let outcome = case.unpack(&car, "back");
        assert!(matches!(outcome, Err(Error::Corrupt { .. })), "{paths:?}: {outcome:?}");
        assert_eq!(case.names(), ["outside"], "{paths:?}");
        assert_eq!(fs::read_dir(case.path("outside")).unwrap().count(), 0, "{paths:?}");
    }
}

#[test]
fn payloads_are_what_the_manifest_says() {
    let case = Case::new();
    let (_, good) = forge(&case, &[], &[b"x"]);
    let mut car = crate::car::CarFile::open(Cursor::new(&good), None).unwrap();
    let root = car.root();
    let cid = car.resolve(&root, "data/0/000.age").unwrap();
    let key = crypt::open(car.file(&cid).unwrap(), &case.owner).unwrap().file_key().clone();
    // The key of payload 0 is not known before it is sealed, so each of these is wrong in some way.
    let wrong_key = file("a");
    let far = entry("a", Content::File { size: 1, payload: 7, key: key.clone() });
    let other_group = entry("a", Content::File { size: 1, payload: 1000, key });
    for (entry, what) in [(wrong_key, "not the one of this file"), (far, "missing"), (other_group, "missing")] {
        let (_, car) = forge(&case, &[file_before(), entry], &[b"x"]);
        match case.unpack(&car, "back") {
            Err(Error::Corrupt { what: found, at }) => assert!(found.contains(what) && at == "a", "{at}: {found}"),
            other => panic!("{what}: {other:?}"),
        }
        assert!(case.names().is_empty());
    }
}

fn file_before() -> Entry {
    entry("0", Content::Directory)
}

#[test]
fn a_forged_block_or_a_cut_car_leaves_nothing() {
    let case = Case::new();
    fs::create_dir(case.path("folder")).unwrap();
    fs::write(case.path("folder/one"), bytes(1000)).unwrap();
    fs::write(case.path("folder/two"), bytes(2 << 20)).unwrap();
    let (packed, car) = case.pack("folder").unwrap();
    for at in (60..car.len()).step_by(20_011).chain(car.len() - 100..car.len()) {
        let mut broken = car.clone();
        broken[at] ^= 0x10;
        let outcome = case.unpack(&broken, "back");
        assert!(
            matches!(outcome, Err(Error::Corrupt { .. } | Error::TooLarge(_) | Error::Unsupported(_))),
            "byte {at}: {outcome:?}"
        );
        assert_eq!(case.names(), ["folder"], "byte {at}");
    }
    for keep in (0..car.len()).step_by(30_011).chain(car.len() - 60..car.len()) {
        let outcome = case.unpack(&car[..keep], "back");
        assert!(matches!(outcome, Err(Error::Corrupt { .. })), "{keep} bytes: {outcome:?}");
        assert_eq!(case.names(), ["folder"], "{keep} bytes");
    }
    // As a provider may send it: padded with zeros to the size of the piece.
    let mut padded = car.clone();
    padded.resize(packed.piece.padded_size.unpadded().0 as usize, 0);
    case.unpack(&padded, "back").unwrap();
}

#[test]
fn content_of_others_is_named_as_such() {
    let case = Case::new();
    let mut car = CarWriter::new(Vec::new()).unwrap();
    let link = add_file(&b"hello"[..], &Profile::V1_2025, &mut car).unwrap();
    let root = add_directory(vec![("hello.txt".into(), link.clone())], &mut car).unwrap();
    let (mut car, header) = car.finish(&root.cid).unwrap();
    car[..header.len()].copy_from_slice(&header);
    assert!(matches!(case.unpack(&car, "back"), Err(Error::Unsupported(_))));
    let header = crate::car::header(&link.cid).unwrap();
    car[..header.len()].copy_from_slice(&header);
    assert!(matches!(case.unpack(&car, "back"), Err(Error::Corrupt { .. })), "no age file");
    assert!(case.names().is_empty());
}
