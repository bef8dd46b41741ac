//! Where in a CAR a block stands, computed from sizes: a parent right behind the last of its children, as [`super::CarWriter`] is used here.
//!
//! A place is a guess until the bytes there have been verified: an archive of another layout holds something else there.

use std::ops::Range;

use cid::Cid;
use cid::multihash::Multihash;

use super::block::{RAW, digest_of, hash};
use super::dag_pb::{self, PbLink};
use super::unixfs::{self, Node, file_data};
use super::{Error, Profile, write_uvarint};

/// Bytes of a CID of ours.
const CID: u64 = 36;

/// A block with what stands in front of it: its length and its CID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The first byte of the frame.
    pub at: u64,
    /// Bytes of the block alone.
    pub size: u64,
}

/// Why bytes are not the block that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Something else stands there: another layout, or other bytes altogether.
    Elsewhere,
    /// The block's name stands there, and not its bytes.
    Forged,
}

/// Bytes in front of a block of this size.
pub(crate) fn frame_size(block: u64) -> u64 {
    let bits = u64::BITS - CID.saturating_add(block).leading_zeros();
    u64::from(bits.div_ceil(7)) + CID
}

impl Place {
    /// The place of a block of this size whose last byte stands before `end`; none where the CAR begins before.
    pub(crate) fn ending_at(end: u64, size: u64) -> Option<Place> {
        Some(Place { at: end.checked_sub(frame_size(size).checked_add(size)?)?, size })
    }

    /// Frame and block.
    pub fn range(&self) -> Range<u64> {
        self.at..self.at.saturating_add(frame_size(self.size)).saturating_add(self.size)
    }

    /// What stands in front of the block.
    pub(crate) fn frame(&self, cid: &Cid) -> Vec<u8> {
        let mut frame = Vec::with_capacity(48);
        write_uvarint(CID + self.size, &mut frame);
        frame.extend_from_slice(&cid.to_bytes());
        frame
    }

    /// Gives the block out of the bytes of its [`range`](Place::range).
    pub(crate) fn verify<'a>(&self, cid: &Cid, bytes: &'a [u8]) -> Result<&'a [u8], Wrong> {
        let block = self.unverified(cid, bytes)?;
        let digest = digest_of(cid).map_err(|_| Wrong::Elsewhere)?;
        if hash(block) == digest { Ok(block) } else { Err(Wrong::Forged) }
    }

    /// The same, with nothing looked at but the frame.
    pub(crate) fn unverified<'a>(&self, cid: &Cid, bytes: &'a [u8]) -> Result<&'a [u8], Wrong> {
        let block = bytes.strip_prefix(&self.frame(cid)[..]).ok_or(Wrong::Elsewhere)?;
        if block.len() as u64 == self.size { Ok(block) } else { Err(Wrong::Elsewhere) }
    }
}

/// Finds the block that ends where these bytes end, which begin at `at` in the CAR, by its name.
pub(crate) fn find_ending(cid: &Cid, at: u64, bytes: &[u8]) -> Option<Place> {
    let name = cid.to_bytes();
    // The last block is the nearest to the end, and its name may stand in its parent's links only behind it.
    bytes.windows(name.len()).enumerate().rev().filter(|(_, window)| *window == name).find_map(|(start, _)| {
        let size = (bytes.len() - start - name.len()) as u64;
        let mut length = Vec::with_capacity(9);
        write_uvarint(name.len() as u64 + size, &mut length);
        let frame = bytes[..start].strip_suffix(&length[..])?.len();
        Some(Place { at: at + frame as u64, size })
    })
}

/// How much room a file takes in a CAR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Bytes of all its blocks with their frames.
    pub span: u64,
    /// Bytes of its root block, which is the last.
    pub root: u64,
    /// Bytes of all its blocks without frames, as a parent's link names them.
    pub tree: u64,
}

impl Extent {
    /// The extent of a file of this size in the profile that we write.
    pub fn of_file(size: u64) -> Extent {
        Extent::of_tree(size, height(size))
    }

    /// The extent of the file whose blocks have so many bytes without frames. None where no file of ours has.
    pub(crate) fn of_blocks(tree: u64) -> Option<Extent> {
        if tree > MAX_FILE {
            return None;
        }
        // Larger files have larger trees, and a tree is never smaller than its file.
        let (mut low, mut high) = (0, tree);
        while low < high {
            let middle = low + (high - low) / 2;
            if Extent::of_file(middle).tree < tree { low = middle + 1 } else { high = middle }
        }
        Some(Extent::of_file(low)).filter(|extent| extent.tree == tree)
    }

    /// The extent of a part of a file, `height` levels above its leaves. All children are full but the last.
    fn of_tree(size: u64, height: u32) -> Extent {
        if height == 0 {
            return Extent { span: frame_size(size).saturating_add(size), root: size, tree: size };
        }
        let full = capacity(height - 1);
        let count = size.div_ceil(full).max(1);
        let last = (size - (count - 1) * full, Extent::of_tree(size - (count - 1) * full, height - 1));
        let others = if count > 1 { Extent::of_tree(full, height - 1) } else { last.1 };
        let child = |index| if index + 1 == count { last } else { (full, others) };
        let link = |index| PbLink { cid: any_cid(), name: String::new(), tree_size: child(index).1.tree };
        let links: Vec<_> = (0..count).map(link).collect();
        let root = dag_pb::encode(&links, &file_data((0..count).map(|index| child(index).0))).len() as u64;
        let sum = |part: fn(&Extent) -> u64| (count - 1) * part(&others) + part(&last.1);
        Extent { span: sum(|e| e.span) + frame_size(root) + root, root, tree: sum(|e| e.tree) + root }
    }
}

fn any_cid() -> Cid {
    Cid::new_v1(RAW, Multihash::wrap(0x12, &[0; 32]).expect("32 bytes fit a multihash"))
}

/// Bytes of a file whose tree is full up to a height.
fn capacity(height: u32) -> u64 {
    let Profile { chunk_size, max_links } = Profile::V1_2025;
    (max_links as u64).saturating_pow(height).saturating_mul(chunk_size as u64)
}

/// Levels above the leaves of a file of this size.
fn height(size: u64) -> u32 {
    (0..).find(|height| size <= capacity(*height)).expect("the capacity of some height is the largest number")
}

/// A child of a node, and its place if that can be computed.
pub(crate) type Child = (Cid, u64, Option<Place>);

/// Gives a file node's own bytes, and its children in the file's order with their places, seen from the place of the node.
///
/// Errors: those of reading a node; [`Error::BadNode`] for a directory.
pub(crate) fn children_of(cid: &Cid, place: &Place, block: Vec<u8>) -> Result<(Vec<u8>, Vec<Child>), Error> {
    let Node::File { data, children, .. } = unixfs::parse(cid, block)? else {
        return Err(Error::BadNode { cid: *cid, why: "it is a directory, not a file" });
    };
    // All nodes of one level are of one height, and all but the last are full.
    let first = children.first().map_or(0, |(_, size)| *size);
    let (mut end, mut same) = (Some(place.at), None);
    let mut placed = Vec::with_capacity(children.len());
    for (child, size) in children.into_iter().rev() {
        let extent = match same {
            _ if child.codec() == RAW => Some(Extent::of_tree(size, 0)),
            Some((known, extent)) if known == size => Some(extent),
            _ if first <= MAX_FILE && size <= first => Some(Extent::of_tree(size, height(first).max(1))),
            _ => None,
        };
        same = extent.filter(|_| child.codec() != RAW).map(|extent| (size, extent));
        let at = end.zip(extent).and_then(|(end, extent)| Place::ending_at(end, extent.root));
        placed.push((child, size, at));
        end = end.zip(extent).and_then(|(end, extent)| end.checked_sub(extent.span));
    }
    placed.reverse();
    Ok((data, placed))
}

/// No piece holds a larger file; what claims to be larger is not computed with.
pub(crate) const MAX_FILE: u64 = 64 << 30;
