//! Blocks that were read or written lately.

use std::collections::HashMap;

use cid::Cid;

use super::CACHE_BYTES;

/// Two generations of blocks: when the young one is full it becomes the old one, and the old one is forgotten.
#[derive(Default)]
pub(super) struct Cache {
    pub young: HashMap<Cid, Vec<u8>>,
    pub old: HashMap<Cid, Vec<u8>>,
    bytes: usize,
}

impl Cache {
    pub fn get(&mut self, cid: &Cid) -> Option<Vec<u8>> {
        if let Some(block) = self.young.get(cid) {
            return Some(block.clone());
        }
        let block = self.old.remove(cid)?;
        self.put(*cid, block.clone());
        Some(block)
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub fn put(&mut self, cid: Cid, block: Vec<u8>) {
        if self.bytes + block.len() > CACHE_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += block.len();
        self.young.insert(cid, block);
    }
}
