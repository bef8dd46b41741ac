//! Identical files are stored once. Only what has the size of another file is read for it.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::scan::{Found, Kind};

/// SHA-256 of a file's content.
pub(super) type Digest = [u8; 32];

/// Sizes that several files have.
#[derive(Default)]
pub(super) struct Twins(BTreeSet<u64>);

impl Twins {
    pub fn among(all: &[Found]) -> Twins {
        let size = |found: &Found| if let Kind::File(size) = found.kind { Some(size) } else { None };
        let mut sizes: Vec<_> = all.iter().filter_map(size).collect();
        sizes.sort_unstable();
        Twins(sizes.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect())
    }

    /// Says whether another file has this size.
    pub fn may_be(&self, size: u64) -> bool {
        self.0.contains(&size)
    }
}

pub(super) fn digest_of(content: &[u8]) -> Digest {
    Sha256::digest(content).into()
}
