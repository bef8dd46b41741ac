//! Interrupted and continued: at any point, and whatever has become of the journal, the CAR and the files since.
#![cfg(unix)]

mod anew;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::pipeline::{age_in, decrypted, plainly};
use super::*;
use crate::car::{self, Profile};
use crate::crypt::BodyKey;
use crate::pack::journal::{Begun, Secret, Seen};
use crate::pack::output::comm_p;
use crate::pack::sealing::{Cutter, sealed_size};
use crate::pack::single::SealedFile;
use crate::piece::{CommP, Engine, KEPT_NODE};

/// A place for a CAR, and the journal of packing into it.
struct Try {
    case: Case,
    all: Vec<Identity>,
}

/// What a try did.
struct Outcome {
    packed: Result<Packed, Error>,
    /// Bytes of the CAR that were there before.
    resumed: u64,
    writes: u64,
}

impl Try {
    fn new() -> Self {
        let case = Case::new();
        fs::create_dir(case.path("out")).unwrap();
        fs::create_dir(case.path("home")).unwrap();
        let all = vec![case.owner.clone()];
        Try { case, all }
    }

    fn journal(&self) -> PathBuf {
        self.case.path("home/journal")
    }

    fn left(&self) -> Vec<PathBuf> {
        fs::read_dir(self.case.path("out")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// The CAR of an interrupted try.
    fn part(&self) -> Option<PathBuf> {
        self.left().into_iter().find(|path| !path.ends_with("whole"))
    }

    /// Packs, and is stopped at a write.
    fn pack(&self, name: &str, stop_at: u64) -> Outcome {
        let (writes, mut resumed) = (Cell::new(0), 0);
        let stop = || {
            writes.set(writes.get() + 1);
            // The thread that writes the journal is not always so fast.
            std::thread::sleep(std::time::Duration::from_millis(2));
            if writes.get() >= stop_at { Err(std::io::Error::other("enough")) } else { Ok(()) }
        };
        let mut tell = |progress: Progress| {
            if progress.phase == Phase::Resume {
                resumed = progress.done;
            }
        };
        let options = Options { progress: Some(&mut tell), stop: Some(&stop), ..Options::default() };
        let resume = Resume { journal: &self.journal(), identities: &self.all, every: 100_000 };
        let make = || tempfile::Builder::new().prefix(".bauta-").tempfile_in(self.case.path("out"));
        let packed = pack_into_file(&self.case.path(name), &[self.case.owner.recipient()], make, &resume, options);
        let packed = packed.map(|(packed, file)| {
            file.persist(self.case.path("out/whole")).unwrap();
            resume.forget().unwrap();
            packed
        });
        Outcome { packed, resumed, writes: writes.get() }
    }

    /// The CAR that came out, checked against all that was said of it. Nothing else is left.
    fn whole(&self, packed: &Packed) -> Vec<u8> {
        let car = fs::read(self.case.path("out/whole")).unwrap();
        assert_eq!(CommP::of(&car).unwrap(), packed.piece);
        assert_eq!(Engine::new().keep(KEPT_NODE).unwrap().tree_of(&car).unwrap(), packed.tree);
        assert_eq!(self.left(), [self.case.path("out/whole")]);
        assert!(!self.journal().exists());
        fs::remove_file(self.case.path("out/whole")).unwrap();
        car
    }
}

#[test]
fn a_file_goes_on_from_any_point_as_if_nothing_had_been() {
    let each = Try::new();
    let plain = bytes((9 << 20) + 12_345);
    fs::write(each.case.path("film"), &plain).unwrap();
    let writes = each.pack("film", u64::MAX).writes;
    assert!(writes > 9);
    fs::remove_file(each.case.path("out/whole")).unwrap();
    let mut went_on = 0;
    for stop_at in 1..writes {
        let first = each.pack("film", stop_at);
        if first.packed.is_ok() {
            // A checkpoint more or less is a write more or less: near its end a pass may come through.
            fs::remove_file(each.case.path("out/whole")).unwrap();
            continue;
        }
        assert!(matches!(first.packed, Err(Error::Io { .. })));
        assert_eq!((each.part().is_some(), first.resumed), (each.journal().exists(), 0));
        // A second time in between, for an owner who has got another key meanwhile.
        let second = each.pack("film", 3);
        let last = each.pack("film", u64::MAX);
        let packed = last.packed.unwrap();
        went_on += u64::from(second.resumed > 0) + u64::from(last.resumed > 0);
        let car = each.whole(&packed);
        let age = age_in(&car);
        assert!(decrypted(&age, &packed.file_key) == plain, "stopped at write {stop_at}");
        let (root, expected) = plainly(&age, &Profile::V1_2025);
        assert!(root == packed.payload_cid && car == expected, "stopped at write {stop_at}");
        assert_eq!(crypt::unwrap(&packed.wraps[0], &each.case.owner).unwrap().expose(), packed.file_key.expose());
        assert_eq!(packed.metadata.size, plain.len() as u64);
    }
    assert!(went_on > writes / 2, "{went_on} of {writes}");
}

/// Packs a file with few links a node, so that parents stand in the middle of its CAR.
fn with_parents(plain: &[u8], owner: &Identity) -> (FileKey, Vec<u8>) {
    let mut car = Cursor::new(Vec::new());
    let mut pipeline = Pipeline::new(&mut car, &[owner.recipient()]).unwrap();
    pipeline.max_links = 3;
    let sealed = pipeline.add(plain, None).unwrap();
    let (_, files) = pipeline.drain().unwrap();
    let root = files[0].cid;
    let packed = sealed.packed(pipeline.into_car().unwrap(), root, metadata(), Vec::new()).unwrap();
    (packed.file_key, car.into_inner())
}

fn metadata() -> Metadata {
    Metadata { name: String::new(), media_type: String::new(), size: 0, kind: ContentKind::File }
}

#[test]
fn the_rest_is_the_same_behind_any_block() {
    let owner = Identity::generate();
    let plain = bytes((11 << 20) + 99);
    let (key, whole) = with_parents(&plain, &owner);
    let blocks = car::walk(Cursor::new(&whole), whole.len() as u64).unwrap();
    let leaves: Vec<_> = blocks.iter().filter(|block| car::is_leaf(&block.cid)).collect();
    assert!(leaves.len() == 12 && blocks.len() > leaves.len() + 3);
    let first = &whole[(leaves[0].end - leaves[0].size) as usize..];
    let total: u64 = leaves.iter().map(|leaf| leaf.size).sum();
    let header = &first[..(total - sealed_size(plain.len() as u64)) as usize];
    for kept in 1..=blocks.iter().position(|block| block.cid == leaves[10].cid).unwrap() {
        let kept = &blocks[..kept];
        let end = kept.last().unwrap().end;
        let ours: Vec<Cid> = kept.iter().map(|block| block.cid).filter(car::is_leaf).collect();
        let last = &whole[..leaves[ours.len() - 1].end as usize];
        let body = BodyKey::new(&key, &header[header.len() - 16..]);
        let cutter = Cutter::resume(header.len(), body, ours.len() as u64, last, &mut Cursor::new(&plain));
        let cutter = cutter.unwrap().unwrap();
        // Where reading goes on is the reader's; the cutter has left it there.
        let mut reader = Cursor::new(&plain);
        let body = BodyKey::new(&key, &header[header.len() - 16..]);
        Cutter::resume(header.len(), body, ours.len() as u64, last, &mut reader).unwrap().unwrap();

        let mut car = Cursor::new(whole[..end as usize].to_vec());
        car.set_position(end);
        let mut comm_p = comm_p();
        comm_p.update(car.get_ref()).unwrap();
        let cids = kept.iter().map(|block| &block.cid);
        let mut pipeline = Pipeline::resume(&mut car, &[owner.recipient()], comm_p, cids).unwrap();
        pipeline.max_links = 3;
        let begun = Begun {
            path: Default::default(),
            seen: Seen(Vec::new()),
            key: Secret(key.clone()),
            header: header.to_vec().into(),
            wraps: Vec::new(),
            start: 59,
            digest: None,
        };
        pipeline.add_rest(&mut reader, &begun, &ours, cutter).unwrap();
        let (_, files) = pipeline.drain().unwrap();
        let sealed = SealedFile { key: key.clone(), wraps: Vec::new() };
        let packed = sealed.packed(pipeline.into_car().unwrap(), files[0].cid, metadata(), Vec::new()).unwrap();
        assert!(car.get_ref() == &whole, "{} blocks", kept.len());
        assert_eq!(packed.piece, CommP::of(&whole).unwrap());
    }
    // Another file than the one that was begun is noticed where a chunk lies across the end.
    let mut other = plain.clone();
    other.iter_mut().for_each(|byte| *byte ^= 1);
    let body = BodyKey::new(&key, &header[header.len() - 16..]);
    let last = &whole[..leaves[0].end as usize];
    assert!(Cutter::resume(header.len(), body, 1, last, Cursor::new(&other)).unwrap().is_none());
}

/// Files of all sizes in folders, some of them alike.
fn folder(each: &Try) -> PathBuf {
    let root = each.case.path("folder");
    fs::create_dir_all(root.join("deep/er")).unwrap();
    for i in 0..1010 {
        let at = if i % 3 == 0 { root.join(format!("deep/{i:04}")) } else { root.join(format!("{i:04}")) };
        // No two alike, but for those that are.
        let size = if i % 100 == 7 { 333 } else { i % 90 };
        let mut content = bytes(size);
        if size != 333 {
            content.extend_from_slice(&(i as u64).to_le_bytes());
        }
        fs::write(at, content).unwrap();
    }
    for (name, size) in
        [("0500-film", 4 << 20), ("deep/er/film", 2 << 20), ("zz", (1 << 20) + 70_007), ("0500-twin", 4 << 20)]
    {
        fs::write(root.join(name), bytes(size)).unwrap();
    }
    fs::hard_link(root.join("zz"), root.join("a-name-of-zz")).unwrap();
    std::os::unix::fs::symlink("0001", root.join("link")).unwrap();
    root
}

/// Paths and contents.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let inner = path.strip_prefix(folder).unwrap().to_path_buf();
            if path.is_symlink() {
                all.insert(inner, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes());
            } else if path.is_dir() {
                folders.push(path);
            } else {
                all.insert(inner, fs::read(&path).unwrap());
            }
        }
    }
    all
}

fn comes_back(each: &Try, packed: &Packed, root: &Path) {
    let car = each.whole(packed);
    each.case.unpack(&car, "back").unwrap();
    assert!(content(&each.case.path("back")) == content(root));
    fs::remove_dir_all(each.case.path("back")).unwrap();
    // Identical files share a payload still: some files, of which 10, 2 and 2 are one each.
    let package = Package::open(Cursor::new(&car), None, Key::Identity(&each.case.owner)).unwrap();
    let files = package.entries().iter().filter_map(|entry| match &entry.content {
        Content::File { payload, .. } => Some(*payload),
        _ => None,
    });
    let mut payloads: Vec<_> = files.collect();
    payloads.sort();
    payloads.dedup();
    assert_eq!(payloads.last(), Some(&(payloads.len() as u64 - 1)), "no payload is left over");
}

#[test]
fn a_folder_goes_on_from_any_point() {
    let each = Try::new();
    let root = folder(&each);
    let whole = each.pack("folder", u64::MAX);
    comes_back(&each, &whole.packed.unwrap(), &root);
    let mut went_on = 0;
    let stops: Vec<u64> = (1..whole.writes).step_by(3).collect();
    for stop_at in &stops {
        if each.pack("folder", *stop_at).packed.is_ok() {
            fs::remove_file(each.case.path("out/whole")).unwrap();
            continue;
        }
        let second = each.pack("folder", 4);
        let last = each.pack("folder", u64::MAX);
        went_on += u64::from(second.resumed > 0) + u64::from(last.resumed > 0);
        let packed = last.packed.unwrap();
        assert!(packed.skipped.is_empty());
        comes_back(&each, &packed, &root);
    }
    assert!(went_on > stops.len() as u64 / 2, "{went_on} of {}", stops.len());
}

/// What an earlier run has read is one version of the file, and the rest has to be of the same.
#[test]
fn a_file_that_changes_while_it_is_gone_on_with_is_noticed() {
    use std::os::unix::fs::FileExt;

    for name in ["film", "folder"] {
        let each = Try::new();
        fs::create_dir(each.case.path("folder")).unwrap();
        let at = each.case.path(if name == "film" { "film" } else { "folder/film" });
        let plain = bytes(9 << 20);
        let (mut noticed, mut went_on) = (0, 0);
        for _ in 0..20 {
            fs::write(&at, &plain).unwrap();
            each.pack(name, 7).packed.unwrap_err();
            let mut changed = false;
            let mut change = |progress: Progress| {
                if progress.phase == Phase::Resume {
                    went_on += u32::from(progress.done > 0);
                }
                // The plan is made by then.
                if progress.phase == Phase::Pack && progress.done > 0 && !std::mem::replace(&mut changed, true) {
                    let file = fs::OpenOptions::new().write(true).open(&at).unwrap();
                    file.write_all_at(b"another version", 1000).unwrap();
                    file.write_all_at(b"another version", (9 << 20) - 20).unwrap();
                }
            };
            let options = Options { progress: Some(&mut change), ..Options::default() };
            let resume = Resume { journal: &each.journal(), identities: &each.all, every: 100_000 };
            let make = || tempfile::Builder::new().prefix(".bauta-").tempfile_in(each.case.path("out"));
            match pack_into_file(&each.case.path(name), &[each.case.owner.recipient()], make, &resume, options) {
                Err(Error::Changed(path)) => {
                    assert_eq!(path, at);
                    noticed += 1;
                }
                // It is met again, and packed anew.
                Ok((packed, file)) if name == "folder" => {
                    let car = fs::read(file.path()).unwrap();
                    assert!(changed);
                    if packed.skipped.is_empty() {
                        let back = each.case.path("back");
                        let _ = fs::remove_dir_all(&back);
                        each.case.unpack(&car, "back").unwrap();
                        assert!(fs::read(back.join("film")).unwrap() == fs::read(&at).unwrap());
                    }
                    noticed += 1;
                    resume.forget().unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(noticed, 20);
        assert!(went_on > 10, "{went_on} went on");
    }
}

#[test]
fn two_do_not_write_one_car() {
    let each = Try::new();
    fs::write(each.case.path("film"), bytes(6 << 20)).unwrap();
    for _ in 0..20 {
        each.pack("film", 6).packed.unwrap_err();
        if each.part().is_some() {
            break;
        }
    }
    let part = each.part().expect("one of many tries gets as far as a checkpoint");
    let other = fs::File::open(&part).unwrap();
    other.try_lock().unwrap();
    assert!(
        matches!(each.pack("film", u64::MAX).packed, Err(Error::Busy(path)) if path.ends_with(part.file_name().unwrap()))
    );
    drop(other);
    assert!(each.pack("film", u64::MAX).resumed > 0);
}

#[test]
fn a_full_disk_has_its_own_error_and_leaves_nothing() {
    let each = Try::new();
    fs::write(each.case.path("film"), bytes(6 << 20)).unwrap();
    for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded, std::io::ErrorKind::FileTooLarge] {
        let writes = Cell::new(0);
        let stop = || {
            writes.set(writes.get() + 1);
            std::thread::sleep(std::time::Duration::from_millis(2));
            if writes.get() > 5 { Err(kind.into()) } else { Ok(()) }
        };
        let options = Options { stop: Some(&stop), ..Options::default() };
        let resume = Resume { journal: &each.journal(), identities: &each.all, every: 100_000 };
        let make = || tempfile::Builder::new().tempfile_in(each.case.path("out"));
        let outcome = pack_into_file(&each.case.path("film"), &[each.case.owner.recipient()], make, &resume, options);
        assert!(matches!(outcome, Err(Error::NoRoom { .. })), "{kind}");
        assert!(each.left().is_empty() && !each.journal().exists());
    }
}
