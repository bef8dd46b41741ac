//! The nodes of one size of a piece: enough to check any part of it.

use std::ops::Range;

use crate::merkle::{node, zero};
use crate::{Commitment, Engine, Error, InclusionProof, PaddedPieceSize, PieceInfo, height_of, parse_piece_cid};

/// The nodes of one size of a piece, checked against its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    piece: PieceInfo,
    level: u8,
    nodes: Vec<Commitment>,
}

impl Tree {
    /// Takes what this crate has just computed.
    pub(crate) fn computed(piece: PieceInfo, level: u8, mut nodes: Vec<Commitment>) -> Tree {
        nodes.truncate(count(&piece, level));
        Tree { piece, level, nodes }
    }

    /// Reads a tree that was stored: its piece, the size of its nodes and all of them that hold payload.
    ///
    /// Errors: [`Error::NotIncluded`] unless they are exactly the piece's; [`Error::BadSize`], [`Error::NotAPiece`],
    /// [`Error::TooLarge`].
    pub fn new(piece: PieceInfo, node_size: PaddedPieceSize, nodes: Vec<Commitment>) -> Result<Tree, Error> {
        let root = parse_piece_cid(&piece.piece_cid)?;
        let (level, top) = (height_of(node_size)?, height_of(piece.padded_size)?);
        if crate::padded_size_of(piece.payload_size)? != piece.padded_size {
            return Err(Error::NotIncluded("the payload has another padded size"));
        }
        if level > top || nodes.len() != count(&piece, level) {
            return Err(Error::NotIncluded("the payload has another number of nodes"));
        }
        if nodes.iter().any(|node| node[31] & 0xc0 != 0) {
            return Err(Error::NotIncluded("a node is no field element"));
        }
        if climb(&nodes, level, top, |_, _| ()) != root {
            return Err(Error::NotIncluded("the nodes lead to another root"));
        }
        Ok(Tree { piece, level, nodes })
    }

    /// The piece.
    pub fn piece(&self) -> &PieceInfo {
        &self.piece
    }

    /// Padded size of a node: what was asked for, or the whole piece if that is smaller.
    pub fn node_size(&self) -> PaddedPieceSize {
        PaddedPieceSize(32 << self.level)
    }

    /// The nodes that hold payload, from left to right. All others are zeros.
    pub fn nodes(&self) -> &[Commitment] {
        &self.nodes
    }

    /// Gives the smallest range of payload that [`verify`](Tree::verify) takes and that holds `range`, as far as the payload goes.
    pub fn cover(&self, range: Range<u64>) -> Range<u64> {
        let node = self.node_size().unpadded().0;
        let start = range.start.min(self.piece.payload_size) / node * node;
        let end = range.end.div_ceil(node).saturating_mul(node).min(self.piece.payload_size);
        start..end.max(start)
    }

    /// Checks payload that was read at `offset`. It begins with a node and ends with one or with the payload.
    ///
    /// Errors: [`Error::NotIncluded`] for other bytes, or what is no whole nodes.
    pub fn verify(&self, offset: u64, payload: &[u8]) -> Result<(), Error> {
        let node = self.node_size().unpadded().0;
        let end = offset.checked_add(payload.len() as u64).filter(|end| *end <= self.piece.payload_size);
        let end = end.ok_or(Error::NotIncluded("the payload ends before"))?;
        if !offset.is_multiple_of(node) || !(end.is_multiple_of(node) || end == self.piece.payload_size) {
            return Err(Error::NotIncluded("what is to be checked are whole nodes"));
        }
        // A node may be larger than what a `usize` holds, the payload in memory not.
        let node = usize::try_from(node).unwrap_or(usize::MAX);
        let first = (offset / self.node_size().unpadded().0) as usize;
        for (part, expected) in payload.chunks(node).zip(&self.nodes[first..]) {
            let mut comm_p = Engine::new().comm_p();
            comm_p.update(part)?;
            if comm_p.finish_at(self.level) != *expected {
                return Err(Error::NotIncluded("the bytes are others"));
            }
        }
        Ok(())
    }

    /// Shows that the node with this index is part of the piece.
    ///
    /// Errors: [`Error::NotIncluded`] when the piece has fewer.
    pub fn proof(&self, index: u64) -> Result<InclusionProof, Error> {
        let top = height_of(self.piece.padded_size)?;
        if index >> (top - self.level) != 0 {
            return Err(Error::NotIncluded("the piece ends before the node"));
        }
        let mut path = Vec::new();
        climb(&self.nodes, self.level, top, |layer, height| {
            let sibling = index as usize >> (height - self.level) ^ 1;
            path.push(layer.get(sibling).copied().unwrap_or(zero(height)));
        });
        Ok(InclusionProof { index, path })
    }
}

/// How many nodes of a level hold payload. The empty piece has one.
fn count(piece: &PieceInfo, level: u8) -> usize {
    piece.payload_size.div_ceil(PaddedPieceSize(32 << level).unpadded().0).max(1) as usize
}

/// Climbs from a level to the root; zeros follow the nodes. Shows every layer below the root.
fn climb(nodes: &[Commitment], level: u8, top: u8, mut see: impl FnMut(&[Commitment], u8)) -> Commitment {
    let mut layer = nodes.to_vec();
    for height in level..top {
        see(&layer, height);
        layer = layer.chunks(2).map(|pair| node(&pair[0], pair.get(1).unwrap_or(&zero(height)))).collect();
    }
    layer[0]
}
