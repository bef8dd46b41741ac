//! How a leaf moves on: from sealed to joined, named, placed, committed to and written; each step in the order of its queue.

use std::collections::VecDeque;
use std::io::{Seek, Write};
use std::mem::{replace, take};

use cid::Cid;

use super::super::Error;
use super::super::output::Output;
use super::super::sealing::{Leaf, Work, Worked};
use super::{A_FEW, FEW, Item, Pipeline, Stage};
use crate::car::{CarWriter, Layout, Link, directory_block};

/// Smaller leaves are not worth a job to commit to.
const WORTH_A_JOB: usize = 256 << 10;

impl<W: Write + Seek> Pipeline<W> {
    pub(super) fn take(&mut self, worked: Worked) -> Result<(), Error> {
        match worked {
            Worked::Sealed(number, leaf, head) => *self.stage(number) = Stage::Sealed(leaf, head),
            Worked::Small(number, sealed) => {
                let (leaf, cid) = sealed?;
                *self.stage(number) = Stage::Named(leaf, cid);
            }
            Worked::Named(leaves) => {
                for (number, leaf, cid) in leaves {
                    *self.stage(number) = Stage::Named(leaf, cid);
                }
            }
            Worked::Committed(number, leaf, part) => {
                self.items[(number - self.first_item) as usize] = Item::Ready(leaf, Some(part));
            }
        }
        Ok(())
    }

    fn stage(&mut self, number: u64) -> &mut Stage {
        &mut self.stages[(number - self.first) as usize]
    }

    /// Moves everything on as far as it goes; names also less than the best number of leaves if `all`.
    pub(super) fn advance(&mut self, all: bool) -> Result<(), Error> {
        while let Some(worked) = self.pool.take() {
            self.take(worked)?;
        }
        self.join();
        self.name(all);
        self.place()?;
        self.write()
    }

    /// Gives leaves what the one before has for them.
    fn join(&mut self) {
        while let Some(stage) = self.stages.get_mut((self.unjoined - self.first) as usize) {
            match replace(stage, Stage::Naming) {
                Stage::Sealing => {
                    *stage = Stage::Sealing;
                    return;
                }
                Stage::Sealed(mut leaf, head) => {
                    leaf.set_head(&self.head);
                    self.head = head;
                    *stage = Stage::Joined(leaf);
                }
                other => {
                    if matches!(other, Stage::End(_)) {
                        self.head.clear();
                    }
                    *stage = other;
                }
            }
            self.unjoined += 1;
        }
    }

    /// Hands out leaves to be named.
    fn name(&mut self, all: bool) {
        loop {
            while self.unnamed < self.unjoined && !matches!(self.stage(self.unnamed), Stage::Joined(_)) {
                self.unnamed += 1;
            }
            let waiting = (self.unnamed - self.first) as usize..(self.unjoined - self.first) as usize;
            let joined = |stage: &&Stage| matches!(stage, Stage::Joined(_));
            let count = self.stages.range(waiting).filter(joined).take(self.together).count();
            if count == 0 || (count < self.together && !all) {
                return;
            }
            let mut leaves = Vec::with_capacity(count);
            while leaves.len() < count {
                let number = self.unnamed;
                let stage = self.stage(number);
                if matches!(stage, Stage::Joined(_))
                    && let Stage::Joined(leaf) = replace(stage, Stage::Naming)
                {
                    leaves.push((number, leaf));
                }
                self.unnamed += 1;
            }
            let each = if count <= FEW { A_FEW.min(self.together) } else { count };
            while !leaves.is_empty() {
                let rest = leaves.split_off(each.min(leaves.len()));
                self.pool.submit(Work::Name(replace(&mut leaves, rest)));
            }
        }
    }

    /// Gives what is named its place in the CAR.
    fn place(&mut self) -> Result<(), Error> {
        while self.unnamed > self.first {
            match self.stages.front() {
                Some(Stage::Named(..) | Stage::End(_) | Stage::Directory(_)) => {}
                _ => break,
            }
            self.first += 1;
            match self.stages.pop_front() {
                Some(Stage::Named(leaf, cid)) => self.place_leaf(leaf, cid)?,
                Some(Stage::End(kept)) => self.end_file(kept)?,
                Some(Stage::Directory(name)) => {
                    let files = take(&mut self.files).into_iter().enumerate();
                    let (link, block) = directory_block(files.map(|(i, link)| (name(i as u64), link)).collect());
                    place_block(&mut self.car, &mut self.items, &link.cid, &block)?;
                    self.directories.push(link);
                }
                _ => unreachable!("the front was looked at"),
            }
        }
        Ok(())
    }

    fn place_leaf(&mut self, mut leaf: Leaf, cid: Cid) -> Result<(), Error> {
        let size = leaf.bytes().len() as u64;
        let offset = self.car.size();
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.placed(offset);
        }
        if let Some(frame) = self.car.admit(&cid, size as usize)? {
            leaf.set_frame(frame.as_bytes());
            if leaf.bytes().len() >= WORTH_A_JOB {
                let number = self.first_item + self.items.len() as u64;
                self.items.push_back(Item::Committing);
                self.pool.submit(Work::Commit(number, offset, leaf));
            } else {
                self.items.push_back(Item::Ready(leaf, None));
            }
        } else {
            self.release(leaf);
        }
        let (car, items) = (&mut self.car, &mut self.items);
        let layout = self.layout.get_or_insert_with(|| Layout::new(self.max_links));
        layout.push(Link { cid, size, tree_size: size }, &mut |cid, block| place_block(car, items, cid, block))?;
        Ok(())
    }

    fn end_file(&mut self, kept: bool) -> Result<(), Error> {
        let layout = self.layout.take();
        let mut root = None;
        if let Some(layout) = layout.filter(|_| kept) {
            let (car, items) = (&mut self.car, &mut self.items);
            root = layout.finish(&mut |cid, block| place_block(car, items, cid, block))?;
        }
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.ended(self.car.size(), root.as_ref());
        }
        if kept {
            self.files.push(root.expect("an age file is never empty"));
        }
        Ok(())
    }

    /// Writes what has its place, in order.
    fn write(&mut self) -> Result<(), Error> {
        while matches!(self.items.front(), Some(Item::Ready(..))) {
            self.first_item += 1;
            if let Some(Item::Ready(leaf, part)) = self.items.pop_front() {
                self.car.out().write_part(leaf.bytes(), part.as_ref())?;
                self.release(leaf);
                self.checkpoint()?;
            }
        }
        Ok(())
    }

    /// Notes how far it is, if it is time to. What was written ends with a block.
    fn checkpoint(&mut self) -> Result<(), Error> {
        let Some(checkpoints) = &mut self.checkpoints else { return Ok(()) };
        let size = self.car.out().written();
        if checkpoints.is_due(size) {
            let (saved, kept) = self.car.out().save()?;
            checkpoints.take(size, &saved, kept);
        }
        Ok(())
    }

    pub(super) fn release(&mut self, leaf: Leaf) {
        match leaf.into_buffer() {
            Ok(buffer) => self.buffers.push(buffer),
            Err(counted) => self.small -= counted,
        }
    }
}

/// Gives a block that is there already its place.
pub(super) fn place_block<W: Write>(
    car: &mut CarWriter<Output<W>>,
    items: &mut VecDeque<Item>,
    cid: &Cid,
    block: &[u8],
) -> Result<(), crate::car::Error> {
    if let Some(frame) = car.admit(cid, block.len())? {
        items.push_back(Item::Ready(Leaf::framed([frame.as_bytes(), block].concat()), None));
    }
    Ok(())
}
