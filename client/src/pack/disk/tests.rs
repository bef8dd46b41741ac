use proptest::prelude::*;

use super::direct::{BLOCK, Direct};
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Flush,
    /// Write so many bytes from here on, then go back to the end, as the header of a CAR is patched.
    Patch(u64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3 * BLOCK).prop_map(Step::Write),
        4 => (0..9000usize).prop_map(Step::Write),
        1 => Just(Step::Flush),
        1 => (0..4 * BLOCK as u64, 0..9000usize).prop_map(|(at, size)| Step::Patch(at, size)),
    ]
}

fn bytes(from: usize, size: usize) -> Vec<u8> {
    (from..from + size).map(|i| (i ^ (i >> 9) ^ (i >> 17)) as u8).collect()
}

/// A file in memory beside it.
fn follow(begin: usize, steps: &[Step], out: &mut (impl Write + Seek)) -> Vec<u8> {
    let mut model = bytes(7, begin);
    for step in steps {
        match *step {
            Step::Write(size) => {
                let part = bytes(model.len(), size);
                out.write_all(&part).unwrap();
                model.extend(part);
                assert_eq!(out.stream_position().unwrap(), model.len() as u64);
            }
            Step::Flush => out.flush().unwrap(),
            Step::Patch(at, size) => {
                let at = at.min(model.len() as u64);
                let part = bytes(99, size.min(model.len() - at as usize));
                out.seek(SeekFrom::Start(at)).unwrap();
                out.write_all(&part).unwrap();
                model[at as usize..at as usize + part.len()].copy_from_slice(&part);
                assert_eq!(out.seek(SeekFrom::End(0)).unwrap(), model.len() as u64);
            }
        }
    }
    model
}

/// Both ways, in a file that begins with so many bytes.
fn both(begin: usize, steps: &[Step]) {
    let made = || {
        let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        file.write_all(&bytes(7, begin)).unwrap();
        file
    };
    let found = |mut file: File| {
        let mut found = Vec::new();
        io::Read::read_to_end(file.seek(SeekFrom::Start(0)).map(|_| &mut file).unwrap(), &mut found).unwrap();
        found
    };
    let mut file = made();
    let mut out = Settling::new(&mut file);
    let model = follow(begin, steps, &mut out);
    out.finish().unwrap();
    drop(out);
    assert!(found(file) == model, "through the cache: {begin} {steps:?}");

    let mut file = made();
    // Where the file system has no such thing there is nothing to compare.
    let Some((past, at)) = direct::open(&mut file) else { return };
    let mut out = Direct::new(&mut file, past, at).unwrap();
    assert!(follow(begin, steps, &mut out) == model);
    out.finish().unwrap();
    drop(out);
    assert_eq!(file.stream_position().unwrap(), model.len() as u64, "it stands at its end");
    assert!(found(file) == model, "past the cache: {begin} {steps:?}");
}

#[test]
fn a_file_is_the_same_at_every_edge() {
    let edges = [0, 1, 4095, 4096, 4097, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 17, 9 * BLOCK];
    for size in edges {
        both(0, &[Step::Write(size)]);
        both(0, &[Step::Write(size), Step::Patch(0, 59)]);
        both(
            size,
            &[Step::Write(BLOCK + 3), Step::Flush, Step::Write(10), Step::Patch(size as u64, 1), Step::Write(5)],
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_file_is_the_same(begin in 0..2 * BLOCK, steps in prop::collection::vec(step(), 0..12)) {
        both(begin, &steps);
    }
}

#[test]
fn what_fails_is_told() {
    // Opened for reading, it takes nothing, past the cache or through it.
    let file = tempfile::NamedTempFile::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let mut file = File::open(file.path()).unwrap();
    let mut out = Disk::new(&mut file).unwrap();
    let outcome = out.write_all(&bytes(0, 9 * BLOCK + 1)).and_then(|()| out.finish());
    assert!(outcome.is_err());
}

#[test]
fn what_is_refused_past_the_cache_goes_through_it() {
    let named = tempfile::NamedTempFile::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let mut file = named.reopen().unwrap();
    // Opened for reading, it takes no block.
    let mut out = Direct::new(&mut file, File::open(named.path()).unwrap(), 0).unwrap();
    let steps = [Step::Write(3 * BLOCK + 77), Step::Patch(5, 60), Step::Write(6 * BLOCK), Step::Flush, Step::Write(1)];
    let model = follow(0, &steps, &mut out);
    out.finish().unwrap();
    drop(out);
    assert!(std::fs::read(named.path()).unwrap() == model);
}
