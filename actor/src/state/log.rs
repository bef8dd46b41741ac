//! A list of links that grows at its end: number to block, cheap to append to.
//!
//! An ordinary tree rewrites a path from leaf to root for each append, and every rewritten level costs more gas than the record itself.
//! Here the root keeps, for each level, the links that do not fill a node yet (as the digits of a counter); when they do, they become one
//! node, and its link is the next level's newest. So an append writes the record, the root that any message writes, and now and
//! then one node. All trees are perfect, so the place of a number follows from the lengths.

use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::tuple::*;

use super::blocks;
use crate::error::{Error, Result};

/// Elements of a node of the lowest level.
pub const LEAF: usize = 8;
/// Links of any other node.
pub const FAN: usize = 4;

/// An element: a link, or nothing where it was removed.
type Slot = Option<Cid>;

/// `[len, levels]`; level 0 holds the newest elements, level k links to perfect trees of `LEAF * FAN^(k-1)` elements, all older.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Log {
    len: u64,
    levels: Vec<Vec<Slot>>,
}

impl Log {
    /// How many elements were ever appended.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Tells whether nothing was ever appended.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends an element and returns its index.
    pub fn append(&mut self, store: &impl Blockstore, link: Cid) -> Result<u64> {
        if self.levels.is_empty() {
            self.levels.push(vec![]);
        }
        self.levels[0].push(Some(link));
        self.len += 1;
        self.carry(store)?;
        Ok(self.len - 1)
    }

    /// Makes a node of the lowest level that can fill one. One node an append is enough, and no append pays for a cascade.
    fn carry(&mut self, store: &impl Blockstore) -> Result<()> {
        let Some(level) = (0..self.levels.len()).find(|&level| self.levels[level].len() >= width(level)) else {
            return Ok(());
        };
        let node: Vec<Slot> = self.levels[level].drain(..width(level)).collect();
        let link = blocks::put(store, &node)?;
        if level + 1 == self.levels.len() {
            self.levels.push(vec![]);
        }
        self.levels[level + 1].push(Some(link));
        Ok(())
    }

    /// Reads an element.
    pub fn get(&self, store: &impl Blockstore, index: u64) -> Result<Slot> {
        let Some((level, slot, mut offset)) = self.find(index) else {
            return Ok(None);
        };
        let mut link = self.levels[level][slot];
        for below in (0..level).rev() {
            let node: Vec<Slot> = blocks::get(store, &tree(link)?)?;
            link = pick(&node, slot_at(below, &mut offset))?;
        }
        Ok(link)
    }

    /// Replaces an element that there is.
    pub fn set(&mut self, store: &impl Blockstore, index: u64, link: Slot) -> Result<()> {
        let Some((level, slot, offset)) = self.find(index) else {
            return Err(Error::BrokenState(format!("index {index} of {}", self.len)));
        };
        self.levels[level][slot] = replace(store, level, self.levels[level][slot], offset, link)?;
        Ok(())
    }

    /// Finds the level and slot of the tree that holds an index, and the index within that tree.
    fn find(&self, index: u64) -> Option<(usize, usize, u64)> {
        let mut offset = index;
        for (level, slots) in self.levels.iter().enumerate().rev() {
            let held = slots.len() as u64 * size(level);
            if offset < held {
                return Some((level, (offset / size(level)) as usize, offset % size(level)));
            }
            offset -= held;
        }
        None
    }

    /// Lists what is wrong with the shape, and all elements that are left, in order.
    pub fn check(&self, store: &impl Blockstore) -> (Vec<(u64, Cid)>, Vec<String>) {
        let (mut out, mut wrong, mut index) = (vec![], vec![], 0);
        for (level, slots) in self.levels.iter().enumerate().rev() {
            for slot in slots {
                walk(store, level, *slot, &mut index, &mut out, &mut wrong);
            }
            if slots.len() > width(level) {
                wrong.push(format!("level {level} of a log has {} links", slots.len()));
            }
        }
        if index != self.len {
            wrong.push(format!("a log of {} elements says {}", index, self.len));
        }
        (out, wrong)
    }
}

/// Slots of a node whose elements stand at `level`.
const fn width(level: usize) -> usize {
    if level == 0 { LEAF } else { FAN }
}

/// Elements under one slot of `level`.
const fn size(level: usize) -> u64 {
    if level == 0 { 1 } else { (LEAF as u64) * (FAN as u64).pow(level as u32 - 1) }
}

/// Splits an index within a node's tree into the node's slot and the index within that slot.
fn slot_at(level: usize, offset: &mut u64) -> usize {
    let slot = *offset / size(level);
    *offset %= size(level);
    slot as usize
}

fn tree(link: Slot) -> Result<Cid> {
    link.ok_or_else(|| Error::BrokenState("a log lacks a tree".into()))
}

fn pick(node: &[Slot], slot: usize) -> Result<Slot> {
    node.get(slot).copied().ok_or_else(|| Error::BrokenState("a log's node is short".into()))
}

/// Rewrites the path to one element below `link`, which stands at `level`, and returns the new link.
fn replace(store: &impl Blockstore, level: usize, link: Slot, mut offset: u64, element: Slot) -> Result<Slot> {
    let Some(below) = level.checked_sub(1) else {
        return Ok(element);
    };
    let mut node: Vec<Slot> = blocks::get(store, &tree(link)?)?;
    let slot = slot_at(below, &mut offset);
    node[slot] = replace(store, below, pick(&node, slot)?, offset, element)?;
    Ok(Some(blocks::put(store, &node)?))
}

fn walk(
    store: &impl Blockstore,
    level: usize,
    link: Slot,
    index: &mut u64,
    out: &mut Vec<(u64, Cid)>,
    wrong: &mut Vec<String>,
) {
    let Some(below) = level.checked_sub(1) else {
        out.extend(link.map(|link| (*index, link)));
        *index += 1;
        return;
    };
    match tree(link).and_then(|link| blocks::get::<Vec<Slot>>(store, &link)) {
        Ok(node) if node.len() == width(below) => {
            node.iter().for_each(|slot| walk(store, below, *slot, index, out, wrong));
        }
        Ok(node) => wrong.push(format!("a node of a log has {} links", node.len())),
        Err(e) => wrong.push(e.to_string()),
    }
}

#[cfg(test)]
mod tests;
