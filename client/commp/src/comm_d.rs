//! CommD: the commitment of a whole sector.

use cid::Cid;
use fvm_shared::piece::PaddedPieceSize;

use crate::merkle::{node, zero};
use crate::{Commitment, Error, height_of, parse_piece_cid, piece_cid};

/// Gives the unsealed CID of a sector that holds `pieces` in this order, each aligned to its own size, and zeros elsewhere.
///
/// Errors: [`Error::NotAPiece`]; [`Error::BadSize`] of a piece or of the sector; [`Error::SectorTooSmall`].
pub fn comm_d(pieces: &[(Cid, PaddedPieceSize)], sector_size: PaddedPieceSize) -> Result<Cid, Error> {
    let top = height_of(sector_size)?;
    // Complete subtrees from left to right, heights strictly falling: a binary counter of what is filled.
    let mut trees = Vec::new();
    for (cid, size) in pieces {
        let height = height_of(*size)?;
        let root = parse_piece_cid(cid)?;
        align(&mut trees, height);
        push(&mut trees, height, root);
    }
    align(&mut trees, top);
    match trees[..] {
        [] => Ok(piece_cid(&zero(top))),
        [(height, root)] if height == top => Ok(piece_cid(&root)),
        _ => Err(Error::SectorTooSmall(sector_size.0)),
    }
}

/// Fills with zeros until a subtree of this height can stand.
fn align(trees: &mut Vec<(u8, Commitment)>, height: u8) {
    while let Some(&(last, _)) = trees.last()
        && last < height
    {
        push(trees, last, zero(last));
    }
}

fn push(trees: &mut Vec<(u8, Commitment)>, mut height: u8, mut root: Commitment) {
    while let Some((_, left)) = trees.pop_if(|tree| tree.0 == height) {
        root = node(&left, &root);
        height += 1;
    }
    trees.push((height, root));
}
