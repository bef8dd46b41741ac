use std::io::Cursor;

use super::*;
use crate::crypt::Identity;
use crate::home::Home;
use crate::pack::{self, Options, Packed};
use crate::vectors::lcg;

struct Case {
    folder: tempfile::TempDir,
    trees: Trees,
    packed: Packed,
    car: Vec<u8>,
}

impl Case {
    /// A file of so many bytes, packed, and its CAR on the disk.
    fn new(size: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut car = Cursor::new(Vec::new());
        let plain: Vec<u8> = lcg(7).take(size).collect();
        let owner = [Identity::generate().recipient()];
        let packed = pack::pack_reader(&plain[..], "file", &owner, &mut car, Options::default()).unwrap();
        let trees = Trees::of(&Home::at(folder.path()));
        let case = Case { folder, trees, packed, car: car.into_inner() };
        case.serve(&case.car);
        case
    }

    fn source(&self) -> Source {
        Source::Here(self.folder.path().join("a.car"))
    }

    fn serve(&self, bytes: &[u8]) {
        std::fs::write(self.folder.path().join("a.car"), bytes).unwrap();
    }

    async fn check(&self, root: bool, parts: usize) -> Result<Checked, CheckError> {
        let root = root.then_some(&self.packed.payload_cid);
        spot_check(&self.packed.piece, root, &self.source(), &self.trees, parts).await
    }
}

fn forged(outcome: &Result<Checked, CheckError>) -> bool {
    matches!(outcome, Err(CheckError::Source(DealError::Forged { .. })))
}

#[tokio::test]
async fn a_kept_tree_finds_any_bit() {
    let case = Case::new(5_300_000);
    case.trees.keep(&case.packed.tree).unwrap();
    let all = case.check(false, 100).await.unwrap();
    assert_eq!((all.by, all.bytes), (Proof::Commitment, case.car.len() as u64), "few parts: all of them");
    let some = case.check(false, 2).await.unwrap();
    assert_eq!(some.ranges.len(), 2);
    assert!(some.bytes < 2_200_000);
    for at in [0, 100, 1_040_384, 2_500_000, case.car.len() - 1] {
        let mut bytes = case.car.clone();
        bytes[at] ^= 0x10;
        case.serve(&bytes);
        assert!(forged(&case.check(false, 100).await), "{at}");
    }
    case.serve(&case.car[..case.car.len() - 1]);
    let short = case.check(false, 100).await;
    assert!(matches!(short, Err(CheckError::Source(DealError::Malformed { .. }))), "{short:?}");
    std::fs::remove_file(case.folder.path().join("a.car")).unwrap();
    let gone = case.check(false, 1).await;
    assert!(matches!(gone, Err(CheckError::Source(DealError::Refused { .. }))), "{gone:?}");
}

#[tokio::test]
async fn without_a_tree_blocks_are_checked() {
    // Six leaves of about one size: in two hundred ways none is missed.
    let case = Case::new(6 * (1 << 20) - 5000);
    assert!(matches!(case.check(false, 3).await, Err(CheckError::OnlyWhole)));
    let checked = case.check(true, 200).await.unwrap();
    assert_eq!(checked.by, Proof::Blocks);
    assert_eq!(checked.ranges.len(), 7, "all six leaves and the root are met in two hundred ways");
    assert_eq!(checked.bytes, case.car.len() as u64 - 59);
    let mut bytes = case.car.clone();
    bytes[3_000_000] ^= 1;
    case.serve(&bytes);
    assert!(forged(&case.check(true, 200).await));
    // Something else altogether: a lie, or a layout of others; only the whole piece tells.
    case.serve(&vec![0; case.car.len()]);
    assert!(matches!(case.check(true, 3).await, Err(CheckError::OnlyWhole)));
}

#[tokio::test]
async fn a_small_piece_needs_no_tree() {
    let case = Case::new(1000);
    assert_eq!(case.check(false, 3).await.unwrap().bytes, case.car.len() as u64);
    let mut bytes = case.car.clone();
    bytes[70] ^= 1;
    case.serve(&bytes);
    assert!(forged(&case.check(false, 3).await));
}

#[test]
fn a_damaged_tree_is_none() {
    let case = Case::new(5_300_000);
    case.trees.keep(&case.packed.tree).unwrap();
    assert_eq!(case.trees.load(&case.packed.piece).unwrap().as_ref(), Some(&case.packed.tree));
    let path = case.folder.path().join(format!("trees/{}.tree", case.packed.piece.piece_cid));
    let good = std::fs::read(&path).unwrap();
    assert!(good.len() < 300, "32 bytes a MiB");
    let mut bit = good.clone();
    *bit.last_mut().unwrap() ^= 1;
    let twice = [&good[..], &good[good.len() - 32..]].concat();
    for bad in [&bit[..], &good[..good.len() - 1], &good[..good.len() - 32], &good[..9], &[], &twice] {
        std::fs::write(&path, bad).unwrap();
        assert_eq!(case.trees.load(&case.packed.piece).unwrap(), None, "{} bytes", bad.len());
    }
    case.trees.forget(&case.packed.piece).unwrap();
    case.trees.forget(&case.packed.piece).unwrap();
    assert!(!path.exists());
}
