//! Roots as the JavaScript importer has them, archives good and bad, and both ways of reading.

mod archives;
mod importer;

use std::io::{Cursor, Read, Seek, SeekFrom};

use proptest::prelude::*;

use super::block::{DAG_PB, cid_of};
use super::*;
use crate::vectors::lcg;

pub(super) const SMALL: Profile = Profile { chunk_size: 10, max_links: 3 };

pub(super) fn bytes(size: usize) -> Vec<u8> {
    lcg(size as u32).take(size).collect()
}

/// A CAR of one file.
pub(super) fn archive(content: &[u8], profile: &Profile) -> (Cid, Vec<u8>) {
    let mut car = CarWriter::new(Vec::new()).unwrap();
    let link = add_file(content, profile, &mut car).unwrap();
    assert_eq!(link.size, content.len() as u64);
    let size = car.size();
    let (mut bytes, header) = car.finish(&link.cid).unwrap();
    assert_eq!(size, bytes.len() as u64);
    bytes[..HEADER].copy_from_slice(&header);
    (link.cid, bytes)
}

fn read_all(mut reader: impl Read) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn blocks(car: &[u8]) -> Vec<Block> {
    let mut reader = CarReader::new(car).unwrap();
    std::iter::from_fn(|| reader.next_block().unwrap()).collect()
}

fn join(root: &Cid, blocks: &[Block]) -> Vec<u8> {
    let mut car = header(root).unwrap().to_vec();
    for block in blocks {
        let cid = block.cid.to_bytes();
        write_uvarint((cid.len() + block.data.len()) as u64, &mut car);
        car.extend(cid);
        car.extend(&block.data);
    }
    car
}

#[test]
fn files_of_all_shapes_come_back_in_every_way() {
    for size in (0..100).chain([269, 270, 271, 809, 810, 811, 2430, 2431, 5000]) {
        let content = bytes(size);
        let (root, car) = archive(&content, &SMALL);
        let mut file = CarFile::open(Cursor::new(&car), Some(&root)).unwrap();
        assert_eq!(read_all(file.file(&root).unwrap()).unwrap(), content, "{size} bytes");
        // Parents first, as a gateway sends it.

        let gateway = join(&root, &depth_first(&mut file, &root));
        assert_eq!(read_all(FileStream::new(&gateway[..], &root).unwrap()).unwrap(), content, "{size} bytes");
        // Children first can be streamed in our own profile only.
        let (root, own) = archive(&content, &Profile { chunk_size: 10, max_links: 1024 });
        assert_eq!(read_all(FileStream::new(&own[..], &root).unwrap()).unwrap(), content, "{size} bytes");
    }
}

fn depth_first(file: &mut CarFile<Cursor<&Vec<u8>>>, cid: &Cid) -> Vec<Block> {
    let data = file.block(cid).unwrap();
    let mut all = vec![Block { cid: *cid, data: data.clone() }];
    if cid.codec() == DAG_PB {
        let (links, _) = dag_pb::decode(cid, &data).unwrap();
        links.iter().for_each(|link| all.extend(depth_first(file, &link.cid)));
    }
    all
}

#[test]
fn the_writer_puts_a_parent_right_after_its_last_child() {
    let (root, car) = archive(&bytes(95), &SMALL);
    let order: String = blocks(&car).iter().map(|b| if b.cid.codec() == DAG_PB { 'N' } else { 'l' }).collect();
    assert_eq!(order, "lllNlllNlllNNlNNN");
    assert_eq!(blocks(&car).last().unwrap().cid, root);
}

#[test]
fn a_block_is_written_once() {
    let (root, car) = archive(&[7; 100_000], &Profile { chunk_size: 1000, max_links: 1024 });
    assert_eq!(blocks(&car).len(), 2);
    let mut file = CarFile::open(Cursor::new(&car), None).unwrap();
    assert_eq!(read_all(file.file(&root).unwrap()).unwrap(), [7; 100_000]);
    let streamed = FileStream::new(&car[..], &root).and_then(read_all);
    assert!(matches!(streamed, Err(Error::WrongRoot { .. } | Error::Order(_))), "it cannot be streamed");
}

#[test]
fn any_range_of_a_file_can_be_read() {
    let content = bytes(1000);
    let (root, car) = archive(&content, &SMALL);
    let mut car = CarFile::open(Cursor::new(&car), None).unwrap();
    let mut file = car.file(&root).unwrap();
    assert_eq!(file.size(), 1000);
    for at in (0..1000).rev().step_by(7).chain((0..=1000).step_by(13)) {
        assert_eq!(file.seek(SeekFrom::Start(at as u64)).unwrap(), at as u64);
        let mut found = Vec::new();
        file.by_ref().take(33).read_to_end(&mut found).unwrap();
        assert_eq!(found, content[at..1000.min(at + 33)], "from {at}");
    }
    assert_eq!(file.seek(SeekFrom::End(-1)).unwrap(), 999);
    assert_eq!(file.seek(SeekFrom::Current(-9)).unwrap(), 990);
    assert_eq!(file.stream_position().unwrap(), 990);
    assert_eq!(file.seek(SeekFrom::Start(5000)).unwrap(), 1000);
    assert!(file.seek(SeekFrom::Current(-1001)).is_err());
}

#[test]
fn an_error_is_no_end_and_can_be_sought_past() {
    let content = bytes(1000);
    let (root, mut car) = archive(&content, &SMALL);
    let second = blocks(&car)[1].cid;
    let at = HEADER + 47 + 37 + 3;
    car[at] ^= 1;
    let mut car = CarFile::open(Cursor::new(&car), None).unwrap();
    let mut file = car.file(&root).unwrap();
    let mut found = Vec::new();
    for _ in 0..3 {
        let e = file.read_to_end(&mut found).expect_err("a forged block is refused");
        assert!(matches!(Error::from(e), Error::Forged(cid) if cid == second));
        assert_eq!(found, content[..10]);
    }
    file.seek(SeekFrom::Start(20)).unwrap();
    file.read_to_end(&mut found).unwrap();
    assert_eq!(found[10..], content[20..]);
}

#[test]
fn a_stream_notices_what_is_wrong() {
    let profile = Profile { chunk_size: 10, max_links: 1024 };
    let (root, car) = archive(&bytes(100), &profile);
    let good = blocks(&car);
    let read = |blocks: &[Block]| FileStream::new(&join(&root, blocks)[..], &root).and_then(read_all);
    let is_root = |e: &Error| matches!(e, Error::WrongRoot { .. });
    // Children first: a leaf missing, repeated, in another place, added.
    let mut changed = good.clone();
    changed.remove(3);
    assert!(is_root(&read(&changed).unwrap_err()) || matches!(read(&changed), Err(Error::Order(_))));
    let mut changed = good.clone();
    changed.swap(0, 1);
    assert!(read(&changed).is_err());
    let mut changed = good.clone();
    changed.insert(0, good[4].clone());
    assert!(read(&changed).is_err());
    // Without the root, and without anything.
    assert!(matches!(read(&good[..10]), Err(Error::Missing(cid)) if cid == root));
    assert!(matches!(read(&[]), Err(Error::Missing(cid)) if cid == root));
    // Parents first: another order, a leaf missing.
    let mut parents = good.clone();
    parents.rotate_right(1);
    assert_eq!(read(&parents).unwrap(), bytes(100));
    parents.swap(3, 4);
    assert!(matches!(read(&parents), Err(Error::Order(_))));
    assert!(matches!(read(&parents[..3]), Err(Error::Missing(_))));
    // A CAR of something else, and one that says it is something else.
    let (other, other_car) = archive(&bytes(101), &profile);
    assert!(matches!(FileStream::new(&other_car[..], &root), Err(Error::WrongRoot { found, .. }) if *found == other));
    let lying = join(&root, &blocks(&other_car));
    let e = FileStream::new(&lying[..], &root).and_then(read_all).unwrap_err();
    assert!(is_root(&e), "{e}");
    let mut lying = FileStream::new(&lying[..], &root).unwrap();
    let mut sink = Vec::new();
    assert!(lying.read_to_end(&mut sink).is_err());
    assert!(lying.read_to_end(&mut sink).is_err(), "an error is no end");
}

#[test]
fn directories_are_listed_and_walked() {
    let mut car = CarWriter::new(Vec::new()).unwrap();
    let one = add_file(&b"one"[..], &Profile::V1_2025, &mut car).unwrap();
    let two = add_file(&b"two"[..], &Profile::V1_2025, &mut car).unwrap();
    let sub =
        add_directory(vec![("z".into(), one.clone()), ("ä".into(), two.clone()), ("a".into(), two)], &mut car).unwrap();
    let root = add_directory(vec![("sub".into(), sub), ("one".into(), one)], &mut car).unwrap();
    let (mut bytes, header) = car.finish(&root.cid).unwrap();
    bytes[..HEADER].copy_from_slice(&header);
    let mut car = CarFile::open(Cursor::new(&bytes), None).unwrap();
    let sub = car.resolve(&root.cid, "sub").unwrap();
    let names: Vec<_> = car.directory(&sub).unwrap().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["a", "z", "ä"]);
    let cid = car.resolve(&root.cid, "sub/ä").unwrap();
    assert_eq!(read_all(car.file(&cid).unwrap()).unwrap(), b"two");
    assert!(car.directory(&cid).unwrap().is_none());
    for (path, missing) in
        [("none", "none"), ("sub/none/x", "sub/none"), ("sub/z/x", "sub/z/x"), ("", ""), ("sub/", "sub/")]
    {
        assert!(matches!(car.resolve(&root.cid, path), Err(Error::NotFound(at)) if at == missing), "{path:?}");
    }
    assert!(matches!(car.file(&root.cid), Err(Error::BadNode { .. })));
    // Two entries of one name, or names that are not sorted, make a directory nobody should trust.
    let link = |name: &str| dag_pb::PbLink { cid, name: name.into(), tree_size: 3 };
    for names in [["a", "a"], ["b", "a"]] {
        let block = dag_pb::encode(&names.map(link), &unixfs::directory_data());
        let root = cid_of(DAG_PB, &block);
        let car = join(&root, &[Block { cid: root, data: block }]);
        let listed = CarFile::open(Cursor::new(&car), None).unwrap().directory(&root);
        assert!(matches!(listed, Err(Error::BadNode { .. })), "{names:?}");
    }
}

#[test]
fn the_writer_refuses_what_no_reader_takes() {
    let mut car = CarWriter::new(Vec::new()).unwrap();
    let large = vec![0; MAX_BLOCK + 1];
    assert!(matches!(car.put(&cid_of(0x55, &large), &large), Err(Error::TooLarge { .. })));
    car.put(&cid_of(0x55, &large[1..]), &large[1..]).unwrap();
    let v0: Cid = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".parse().unwrap();
    assert!(matches!(header(&v0), Err(Error::Unsupported(_))));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: proptest::test_runner::RngSeed::Fixed(2),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_profile_reads_back(size in 0usize..3000, chunk_size in 1usize..200, max_links in 2usize..20, at in 0usize..3000) {
        let content = bytes(size);
        let (root, car) = archive(&content, &Profile { chunk_size, max_links });
        let mut file = CarFile::open(Cursor::new(&car), Some(&root)).unwrap();
        let mut file = file.file(&root).unwrap();
        let at = at.min(size);
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        prop_assert_eq!(read_all(file).unwrap(), &content[at..]);
    }

    #[test]
    fn a_byte_changed_anywhere_is_noticed(size in 1usize..2000, at in 0usize..4000, bit in 0u8..8) {
        let content = bytes(size);
        let (root, mut car) = archive(&content, &SMALL);
        let at = at % car.len();
        car[at] ^= 1 << bit;
        let read = CarFile::open(Cursor::new(&car), Some(&root)).and_then(|mut car| read_all(car.file(&root)?));
        prop_assert!(read.is_err(), "byte {} of {}", at, car.len());
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..300), keep in 0usize..200) {
        let (root, car) = archive(&bytes(100), &SMALL);
        let mut noisy = car[..keep.min(car.len())].to_vec();
        noisy.extend(&noise);
        let _ = CarFile::open(Cursor::new(&noisy), None).and_then(|mut car| read_all(car.file(&root)?));
        let _ = FileStream::new(&noisy[..], &root).and_then(read_all);
        let _ = unixfs::parse(&cid_of(DAG_PB, &noise), noise);
    }
}

#[test]
fn places_are_where_the_writer_puts_blocks() {
    use super::place::{Extent, children_of, find_ending, frame_size};
    use super::{HEADER, Layout};

    // The extent of any size, as the tree over so many leaves has it.
    let chunk = Profile::V1_2025.chunk_size as u64;
    let leaf = cid_of(0x55, b"any");
    for leaves in [1, 2, 3, 1023, 1024, 1025, 1026, 2048, 2049, 3000] {
        for last in [1, 127, 128, 20_000, chunk] {
            let mut layout = Layout::new(Profile::V1_2025.max_links);
            let (mut span, mut root) = (0, 0);
            let mut emit = |_: &Cid, block: &[u8]| {
                root = block.len() as u64;
                span += frame_size(root) + root;
                Ok(())
            };
            for i in 0..leaves {
                let size = if i + 1 == leaves { last } else { chunk };
                layout.push(Link { cid: leaf, size, tree_size: size }, &mut emit).unwrap();
            }
            let link = layout.finish(&mut emit).unwrap().unwrap();
            span += (leaves - 1) * (frame_size(chunk) + chunk) + frame_size(last) + last;
            if leaves == 1 {
                root = last;
            }
            let expected = Extent { span, root, tree: link.tree_size };
            assert_eq!(Extent::of_file((leaves - 1) * chunk + last), expected, "{leaves} leaves, the last of {last}");
        }
    }
    // And every block of a CAR, from its root.
    let content = bytes(5 * chunk as usize + 77);
    let (root, car) = archive(&content, &Profile::V1_2025);
    let place = find_ending(&root, 0, &car).unwrap();
    assert_eq!(Extent::of_file(content.len() as u64).span, car.len() as u64 - HEADER as u64);
    let block = place.verify(&root, &car[place.at as usize..]).unwrap();
    let (_, children) = children_of(&root, &place, block.to_vec()).unwrap();
    assert_eq!(children.len(), 6);
    for (cid, _, place) in children {
        let range = place.unwrap().range();
        assert!(place.unwrap().verify(&cid, &car[range.start as usize..range.end as usize]).is_ok());
    }
    assert!(find_ending(&root, 0, &car[..car.len() - 1]).is_none());
    assert!(find_ending(&root, 0, &root.to_bytes()).is_none());
}
