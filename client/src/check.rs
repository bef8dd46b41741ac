//! Spot checks: whether somebody still has a piece, without fetching all of it.
//!
//! Random ranges are asked for and verified: against the piece commitment where a part of its tree is kept here (whoever packs a piece keeps
//! it, 32 bytes a MiB), otherwise block by block against the root of the CAR.
//!
//! ```no_run
//! # async fn example(file: bauta_abi::FileSpec, source: bauta_client::fetch::Source) -> Result<(), Box<dyn std::error::Error>> {
//! use bauta_client::check::{Trees, spot_check};
//! use bauta_client::fetch::piece_of;
//! use bauta_client::home::Home;
//!
//! let trees = Trees::of(&Home::find()?);
//! let checked = spot_check(&piece_of(&file), Some(&file.payload_cid), &source, &trees, 4).await?;
//! println!("{} bytes are right, shown by {}", checked.bytes, checked.by);
//! # Ok(())
//! # }
//! ```

mod trees;

use std::fmt;
use std::ops::Range;

use cid::Cid;
use rand::Rng;
use rand::seq::index::sample;

use crate::car::{MAX_BLOCK, Wrong, children_of};
use crate::deal::DealError;
use crate::fetch::{Peer, Source};
use crate::home::FileError;
use crate::piece::{PieceInfo, Tree};

pub use trees::Trees;

/// What a spot check has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Bytes that came and are right.
    pub bytes: u64,
    /// Where in the piece they stand.
    pub ranges: Vec<Range<u64>>,
    /// What shows it.
    pub by: Proof,
}

/// What bytes were verified against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The piece commitment, by the part of its tree that is kept here.
    Commitment,
    /// The root of the CAR, by the CIDs of blocks.
    Blocks,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commitment => "the piece commitment",
            Self::Blocks => "the CIDs of its blocks",
        })
    }
}

/// Why a spot check has shown nothing good.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// What the source serves, or that it serves nothing.
    #[error(transparent)]
    Source(#[from] DealError),
    /// There is no tree here, and the CAR is unknown or laid out by somebody else: only fetching all of it tells.
    #[error("nothing is kept here to check a part of it against: only the whole piece tells")]
    OnlyWhole,
    /// Our own files.
    #[error(transparent)]
    Home(#[from] FileError),
}

/// Asks a source for so many random parts of a piece, about a MiB each, and verifies what comes. A piece of fewer parts is read whole.
///
/// `payload_cid` is the root of the CAR that the piece is, where that is known.
///
/// Errors: [`CheckError::Source`] with [`DealError::Forged`] where other bytes come, otherwise with why none come;
/// [`CheckError::OnlyWhole`] where there is no tree and either the root is unknown, or it is a folder's, or the CAR is laid out otherwise
/// than ours.
pub async fn spot_check(
    piece: &PieceInfo,
    payload_cid: Option<&Cid>,
    source: &Source,
    trees: &Trees,
    parts: usize,
) -> Result<Checked, CheckError> {
    let peer = Peer::of(source)?;
    match (trees.load(piece)?, payload_cid) {
        (Some(tree), _) => by_commitment(&tree, &peer, parts).await,
        (None, Some(root)) => by_blocks(piece, root, &peer, parts).await,
        (None, None) => Err(CheckError::OnlyWhole),
    }
}

async fn by_commitment(tree: &Tree, peer: &Peer, parts: usize) -> Result<Checked, CheckError> {
    let (piece, node) = (tree.piece(), tree.node_size().unpadded().0);
    let mut checked = Checked { bytes: 0, ranges: Vec::new(), by: Proof::Commitment };
    for index in sample(&mut rand::thread_rng(), tree.nodes().len(), parts.min(tree.nodes().len())) {
        let range = tree.cover(index as u64 * node..index as u64 * node + 1);
        if range.is_empty() {
            continue;
        }
        let bytes = peer.read(piece, range.clone()).await?;
        if tree.verify(range.start, &bytes).is_err() {
            return Err(peer.forged(format!("bytes {} to {} are not the piece's", range.start, range.end)).into());
        }
        checked.add(range);
    }
    Ok(checked)
}

async fn by_blocks(piece: &PieceInfo, root: &Cid, peer: &Peer, parts: usize) -> Result<Checked, CheckError> {
    let mut checked = Checked { bytes: 0, ranges: Vec::new(), by: Proof::Blocks };
    let (place, block) = peer.find_root(piece, root).await?.ok_or(CheckError::OnlyWhole)?;
    checked.add(place.range());
    let root = (*root, place, block);
    for _ in 0..parts {
        let (mut cid, mut place, mut block) = root.clone();
        // Down a random way, as far as there is one.
        loop {
            // Where in a folder its files stand is told by the manifest, which is encrypted.
            let (_, children) = children_of(&cid, &place, block).map_err(|_| CheckError::OnlyWhole)?;
            let total = children.iter().map(|child| child.1).sum::<u64>();
            if total == 0 {
                break;
            }
            let mut left = rand::thread_rng().gen_range(0..total);
            let chosen = children.into_iter().find(|child| match left.checked_sub(child.1) {
                Some(rest) => {
                    left = rest;
                    false
                }
                None => true,
            });
            let Some((child, _, Some(at))) = chosen else { return Err(CheckError::OnlyWhole) };
            if at.size > MAX_BLOCK as u64 {
                return Err(CheckError::OnlyWhole);
            }
            let bytes = peer.read(piece, at.range()).await?;
            block = match at.verify(&child, &bytes) {
                Ok(block) => block.to_vec(),
                Err(Wrong::Forged) => return Err(peer.forged(format!("block {child} has another hash")).into()),
                // Another layout from here on, or a lie: the whole piece tells which.
                Err(Wrong::Elsewhere) => return Err(CheckError::OnlyWhole),
            };
            checked.add(at.range());
            (cid, place) = (child, at);
        }
    }
    Ok(checked)
}

impl Checked {
    fn add(&mut self, range: Range<u64>) {
        if !self.ranges.contains(&range) {
            self.bytes += range.end - range.start;
            self.ranges.push(range);
        }
    }
}

#[cfg(test)]
mod tests;
