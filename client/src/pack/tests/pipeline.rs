//! The pipelines against the plain way: one block and one chunk after the other.

use std::io::Seek;

use super::super::manifest::{Content, Entry};
use super::super::pool::{Job, Pool, Turn};
use super::super::sealing::LEAF;
use super::*;
use crate::car::{Blocks as _, CarFile, MOST_LEAVES_AT_ONCE, Profile, TOGETHER, add_file};
use crate::crypt::{CHUNK, SEALED_CHUNK, TAG};
use crate::piece::CommP;

/// An age file in a CAR, block by block.
pub(super) fn plainly(age: &[u8], profile: &Profile) -> (Cid, Vec<u8>) {
    let mut car = CarWriter::new(Vec::new()).unwrap();
    let link = add_file(age, profile, &mut car).unwrap();
    let (mut car, header) = car.finish(&link.cid).unwrap();
    car[..header.len()].copy_from_slice(&header);
    (link.cid, car)
}

/// The age file in a CAR.
pub(super) fn age_in(car: &[u8]) -> Vec<u8> {
    let mut car = CarFile::open(Cursor::new(car), None).unwrap();
    let root = car.root();
    let mut age = Vec::new();
    car.file(&root).unwrap().read_to_end(&mut age).unwrap();
    age
}

pub(super) fn decrypted(age: &[u8], key: &FileKey) -> Vec<u8> {
    let mut plain = Vec::new();
    crypt::open_with_key(age, key).unwrap().read_to_end(&mut plain).unwrap();
    plain
}

/// Gives a few bytes at a time, and is interrupted now and then.
struct Dribble<'a>(&'a [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(7) {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let n = out.len().min(1 + self.1 * 977 % 50_000);
        self.0.read(&mut out[..n])
    }
}

#[test]
fn every_size_gives_the_car_of_the_plain_way() {
    let case = Case::new();
    let header = age_in(&case.sealed(&[]).1).len() - TAG;
    let per_leaf = LEAF / SEALED_CHUNK;
    let mut sizes = vec![0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK];
    // The body ends just before, at and behind the end of a leaf; and where a chunk crosses it.
    let leaf_ends = LEAF - header - (per_leaf + 1) * TAG;
    sizes.extend([leaf_ends - 1, leaf_ends, leaf_ends + 1, leaf_ends + TAG, per_leaf * CHUNK, (per_leaf + 1) * CHUNK]);
    sizes.extend([2 * LEAF, 3 * LEAF - header - 48 * TAG, 9 * LEAF + 5, 43 * LEAF + 777]);
    // However many leaves go together.
    let ways = sizes.into_iter().flat_map(|size| [(size, Some(2)), (size, Some(4)), (size, Some(MOST_LEAVES_AT_ONCE))]);
    for (size, together) in ways {
        TOGETHER.set(together);
        let plain = bytes(size);
        let (packed, car) = case.sealed(&plain);
        let age = age_in(&car);
        assert!(decrypted(&age, &packed.file_key) == plain, "{size} bytes");
        let (root, expected) = plainly(&age, &Profile::V1_2025);
        assert_eq!(packed.payload_cid, root, "{size} bytes");
        assert!(car == expected, "{size} bytes");
        assert_eq!(packed.piece, CommP::of(&car).unwrap(), "{size} bytes");
        case.unpack(&car, "back").unwrap();
        assert!(fs::read(case.path("back")).unwrap() == plain, "{size} bytes");
        fs::remove_file(case.path("back")).unwrap();
    }
}

#[test]
fn repeated_leaves_are_linked_again_and_written_once() {
    // No two leaves of an age file are alike, so this is the writer's promise, kept in the order of asking.
    let mut car = CarWriter::new(Vec::new()).unwrap();
    let leaf = vec![5; 1000];
    let cid = crate::car::leaf_cids(&[&leaf])[0];
    assert!(car.admit(&cid, leaf.len()).unwrap().is_some());
    assert!(car.admit(&cid, leaf.len()).unwrap().is_none());
    assert_eq!(car.size(), 59 + 2 + 36 + 1000);
}

#[test]
fn files_cut_otherwise_are_unpacked() {
    let case = Case::new();
    let plain = bytes(3 * CHUNK + 4321);
    let (packed, car) = case.sealed(&plain);
    let age = age_in(&car);
    for (chunk_size, max_links) in
        [(100, 3), (1000, 174), (CHUNK, 2), (SEALED_CHUNK, 5), (256 << 10, 174), (2 << 20, 2)]
    {
        let (_, car) = plainly(&age, &Profile { chunk_size, max_links });
        unpack(Cursor::new(&car), None, Key::File(&packed.file_key), &case.path("back"), Options::default()).unwrap();
        assert!(fs::read(case.path("back")).unwrap() == plain, "leaves of {chunk_size}");
        fs::remove_file(case.path("back")).unwrap();
    }
}

#[test]
fn what_is_wrong_with_a_body_is_told_and_nothing_stays() {
    let case = Case::new();
    let size = 40 * CHUNK + 99;
    let (packed, car) = case.sealed(&bytes(size));
    let age = age_in(&car);
    let body = age.len() - (size + 41 * TAG);
    let second = body + SEALED_CHUNK;
    let flipped = |at: usize| {
        let mut age = age.clone();
        age[at] ^= 1;
        age
    };
    let swapped =
        [&age[..body], &age[second..second + SEALED_CHUNK], &age[body..second], &age[second + SEALED_CHUNK..]];
    for (broken, what) in [
        (flipped(body), "chunk 0"),
        (flipped(second - 1), "chunk 0"),
        (flipped(body + 20 * SEALED_CHUNK + 7), "chunk 20"),
        (flipped(age.len() - 1), "chunk 40"),
        (age[..body + 17 * SEALED_CHUNK].to_vec(), "cut short"),
        (age[..body + 17 * SEALED_CHUNK + 5].to_vec(), "cut short"),
        (age[..body + 17 * SEALED_CHUNK + 50].to_vec(), "chunk 17"),
        (age[..body].to_vec(), "cut short"),
        (age[..body - 3].to_vec(), "cut short"),
        (swapped.concat(), "chunk 0"),
        ([&age[..], &[0; 10]].concat(), "chunk 40"),
    ] {
        for profile in [Profile::V1_2025, Profile { chunk_size: 10_000, max_links: 9 }] {
            let (_, car) = plainly(&broken, &profile);
            let outcome =
                unpack(Cursor::new(&car), None, Key::File(&packed.file_key), &case.path("back"), Options::default());
            match outcome {
                Err(Error::Corrupt { what: found, .. }) => assert!(found.contains(what), "{what}: {found}"),
                other => panic!("{what}: {other:?}"),
            }
            assert!(case.names().is_empty(), "{what}");
        }
    }
}

/// Whichever thread finds something first: the first thing that is wrong is told, after all that is right before it.
#[test]
fn what_is_wrong_is_told_in_the_order_of_the_file() {
    const GOOD: usize = 20;
    let case = Case::new();
    let plain = bytes(60 * CHUNK);
    let (packed, car) = case.sealed(&plain);
    let age = age_in(&car);
    let body = age.len() - (plain.len() + 60 * TAG);
    let small = Profile { chunk_size: 10_000, max_links: 174 };
    let mut damaged = age.clone();
    (GOOD..60).for_each(|chunk| damaged[body + chunk * SEALED_CHUNK] ^= 1);
    // The leaves of the first damaged chunk and of all behind it are forged.
    let first = (body + GOOD * SEALED_CHUNK) / small.chunk_size;
    let mut forged = plainly(&age, &small).1;
    let mut of_first = Cid::default();
    for (number, leaf) in age.chunks(small.chunk_size).enumerate().skip(first) {
        let at = forged.windows(leaf.len()).position(|window| window == leaf).unwrap();
        forged[at] ^= 1;
        if number == first {
            of_first = crate::car::leaf_cids(&[leaf])[0];
        }
    }
    let whole = format!("chunk {GOOD} of");
    // The first forged leaf holds the end of the chunk before, too.
    for (car, good, what) in [(plainly(&damaged, &small).1, GOOD, whole), (forged, GOOD - 1, of_first.to_string())] {
        for _ in 0..25 {
            let mut package = Package::open(Cursor::new(&car), None, Key::File(&packed.file_key)).unwrap();
            let mut out = Vec::new();
            match package.copy(None, None, &mut out, Options::default()) {
                Err(Error::Corrupt { what: found, .. }) => assert!(found.contains(&what), "{what}: {found}"),
                other => panic!("{what}: {other:?}"),
            }
            assert!(out == plain[..good * CHUNK], "{what}: {} bytes", out.len());
        }
    }
}

#[test]
fn of_many_damaged_files_the_first_is_named() {
    let case = Case::new();
    fs::create_dir(case.path("folder")).unwrap();
    for number in 0..200 {
        // The first damaged one takes longest.
        let size = if number == 50 { 400_000 } else { 100 };
        fs::write(case.path("folder").join(format!("f{number:03}")), [&[number as u8][..], &bytes(size)].concat())
            .unwrap();
    }
    let (packed, mut car) = case.pack("folder").unwrap();
    let mut package = Package::open(Cursor::new(car.clone()), None, Key::File(&packed.file_key)).unwrap();
    let payload = |entry: &Entry| if let Content::File { payload, .. } = entry.content { Some(payload) } else { None };
    let payloads: Vec<_> = package.entries().iter().filter_map(payload).skip(50).collect();
    let cids: Vec<_> = payloads.into_iter().map(|payload| package.payload_cid(payload).unwrap()).collect();
    let mut good = CarFile::open(Cursor::new(car.clone()), None).unwrap();
    for cid in cids {
        let block = good.block(&cid).unwrap();
        let at = car.windows(block.len()).position(|window| window == block).unwrap();
        car[at + block.len() - 1] ^= 1;
    }
    for _ in 0..25 {
        match case.unpack(&car, "back") {
            Err(Error::Corrupt { at, .. }) => assert_eq!(at, "f050"),
            other => panic!("{other:?}"),
        }
        assert_eq!(case.names(), ["folder"]);
    }
}

#[test]
fn identical_files_are_stored_once() {
    let case = Case::new();
    let root = case.path("folder");
    fs::create_dir_all(root.join("sub")).unwrap();
    let (large, other) = (bytes(2 << 20), bytes((2 << 20) + 1)[1..].to_vec());
    for (name, content) in [
        ("a", &b"same"[..]),
        ("b", b"same"),
        ("c", b"SAME"),
        ("d", b""),
        ("e", b""),
        ("f", &large),
        ("g", &other),
        ("sub/a", b"same"),
        ("sub/f", &large),
        ("sub/h", b"alone"),
    ] {
        fs::write(root.join(name), content).unwrap();
    }
    let (packed, car) = case.pack("folder").unwrap();
    assert_eq!(packed.metadata.size, 3 * (2 << 20) + 4 * 4 + 5);
    assert!(car.len() < 5 << 20, "{} bytes", car.len());
    let mut package = Package::open(Cursor::new(&car), None, Key::File(&packed.file_key)).unwrap();
    let payloads: Vec<_> = package
        .entries()
        .iter()
        .filter_map(|entry| if let Content::File { payload, .. } = entry.content { Some(payload) } else { None })
        .collect();
    assert_eq!(payloads, [0, 0, 1, 2, 2, 3, 4, 0, 3, 5]);
    let mut found = Vec::new();
    package.open_path(b"sub/f").unwrap().read_to_end(&mut found).unwrap();
    assert!(found == large);
    case.unpack(&car, "back").unwrap();
    for name in ["a", "c", "e", "f", "g", "sub/a", "sub/f", "sub/h"] {
        assert!(fs::read(case.path("back").join(name)).unwrap() == fs::read(root.join(name)).unwrap(), "{name}");
    }
}

/// Sizes on both sides of every limit, so that all ways are taken in turn.
#[test]
fn small_and_large_files_come_back_together() {
    let case = Case::new();
    fs::create_dir(case.path("folder")).unwrap();
    let sizes = [1, 255 << 10, 3 << 20, 256 << 10, (256 << 10) + 1, 511 << 10, 1 << 20, 0, (1 << 20) + 1, 700, 2 << 20];
    for (i, size) in sizes.into_iter().cycle().take(33).enumerate() {
        fs::write(case.path(&format!("folder/{i:02}")), bytes(size + i)).unwrap();
    }
    let (packed, car) = case.pack("folder").unwrap();
    assert_eq!(packed.piece, CommP::of(&car).unwrap());
    case.unpack(&car, "back").unwrap();
    for (i, size) in sizes.into_iter().cycle().take(33).enumerate() {
        assert!(fs::read(case.path(&format!("back/{i:02}"))).unwrap() == bytes(size + i), "{i}");
    }
}

#[test]
fn a_reader_may_give_little_at_a_time() {
    let case = Case::new();
    let plain = bytes(2 * LEAF + 12_345);
    let mut car = Cursor::new(Vec::new());
    let all = [case.owner.recipient()];
    pack_reader(Dribble(&plain, 0), "name", &all, &mut car, Options::default()).unwrap();
    case.unpack(car.get_ref(), "back").unwrap();
    assert!(fs::read(case.path("back")).unwrap() == plain);
}

/// An output that fails after so many bytes.
struct Full(u64);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len() as u64).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Full {
    fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
        Ok(0)
    }
}

#[test]
fn an_output_that_fails_ends_the_pass() {
    let case = Case::new();
    let plain = bytes(60 << 20);
    for room in [0, 100, 3 << 20, 59 << 20] {
        let outcome = pack_reader(&plain[..], "name", &[case.owner.recipient()], Full(room), Options::default());
        assert!(
            matches!(&outcome, Err(Error::NoRoom { error, .. }) if error.kind() == std::io::ErrorKind::StorageFull),
            "{room}: {outcome:?}"
        );
    }
}

enum Sum {
    Of(u64, u64),
    Panic,
}

impl Job for Sum {
    type Done = u64;

    fn run(self) -> u64 {
        match self {
            Sum::Of(a, b) => a + b,
            Sum::Panic => panic!("on purpose"),
        }
    }

    fn turn(&self) -> Turn {
        match self {
            Sum::Of(a, _) if a % 3 == 0 => Turn::Long,
            Sum::Of(a, _) if a % 3 == 1 => Turn::Early,
            _ => Turn::Late,
        }
    }
}

#[test]
fn a_pool_does_each_job_once_and_hands_on_a_panic() {
    let mut pool = Pool::new();
    (0..500).for_each(|i| pool.submit(Sum::Of(i, 1)));
    let mut found: Vec<_> = std::iter::from_fn(|| pool.wait()).collect();
    found.sort_unstable();
    assert_eq!(found, (1..=500).collect::<Vec<_>>());
    assert!(pool.take().is_none());

    let mut pool = Pool::new();
    (0..20).for_each(|_| pool.submit(Sum::Panic));
    let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| while pool.wait().is_some() {}));
    assert!(waited.is_err());
}
