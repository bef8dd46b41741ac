//! Proofs that a node is part of a piece.

use crate::merkle::node;
use crate::{Commitment, Error, PaddedPieceSize, PieceInfo, height_of, parse_piece_cid};

/// Shows that a node is part of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Which of the nodes of its size it is, from the left.
    pub index: u64,
    /// The siblings on the way to the root, the node's own first.
    pub path: Vec<Commitment>,
}

impl InclusionProof {
    /// Checks that `root`, over `node_size` padded bytes, is where the proof says. The length of the path has to fit both
    /// sizes, so a node of another height cannot pass for this one, as long as the piece's size is known as surely as its CID,
    /// which does not say it (a v2 CID does).
    ///
    /// Errors: [`Error::NotIncluded`], [`Error::BadSize`], [`Error::NotAPiece`].
    pub fn verify(&self, root: &Commitment, node_size: PaddedPieceSize, piece: &PieceInfo) -> Result<(), Error> {
        let height = usize::from(height_of(node_size)?);
        let top = usize::from(height_of(piece.padded_size)?);
        if height + self.path.len() != top {
            return Err(Error::NotIncluded("the path has another length"));
        }
        if self.index >> self.path.len() != 0 {
            return Err(Error::NotIncluded("the piece ends before the node"));
        }
        let mut index = self.index;
        let found = self.path.iter().fold(*root, |root, sibling| {
            let right = index & 1 == 1;
            index >>= 1;
            if right { node(sibling, &root) } else { node(&root, sibling) }
        });
        let wanted = parse_piece_cid(&piece.piece_cid)?;
        if found == wanted { Ok(()) } else { Err(Error::NotIncluded("the path leads to another root")) }
    }

    /// Puts a proof within a subtree and the proof of that subtree together. (A proof within a piece that stands in a
    /// sector or in a larger piece becomes a proof within that.)
    ///
    /// Errors: [`Error::NotIncluded`] when together they are longer than any piece's, or one of them names a node that its
    /// path does not reach.
    pub fn within(mut self, outer: InclusionProof) -> Result<InclusionProof, Error> {
        let inner = self.path.len();
        if inner + outer.path.len() > usize::from(crate::merkle::MAX_HEIGHT) {
            return Err(Error::NotIncluded("the path is longer than any"));
        }
        if self.index >> inner != 0 || outer.index >> outer.path.len() != 0 {
            return Err(Error::NotIncluded("the piece ends before the node"));
        }
        self.index |= outer.index << inner;
        self.path.extend(outer.path);
        Ok(self)
    }
}
