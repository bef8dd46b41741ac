//! What a chain keeps: the states of its last tipsets and of its snapshots, every tipset with messages with what came of
//! it, and the last tipsets whether anything happened in them or not. The rest is forgotten as time passes.

use std::collections::HashSet;

use anyhow::Result;
use cid::Cid;

use super::Chain;
use crate::records::TipsetRecord;
use crate::store::Collected;

/// After so many tipsets somebody looks whether empty ones are too old.
const LOOK_EVERY: u64 = 1_000;

/// How much of the past is kept, in tipsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The states of so many tipsets can be read.
    pub states: u64,
    /// So many tipsets are there even if they are empty; older ones are like null rounds. Genesis stays, and so do
    /// tipsets with messages and their children, in which one sees what came of them.
    pub empty: u64,
    /// So many blocks of states are written before somebody looks for old ones; more where more are live.
    pub garbage: u64,
}

impl Default for Keep {
    /// States as far back as one proving period reaches (2,880); empty tipsets for a day of one a second (86,400);
    /// 50,000 blocks.
    fn default() -> Self {
        Self { states: 2_880, empty: 86_400, garbage: 50_000 }
    }
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Empty tipsets.
    pub tipsets: u64,
    /// Blocks of states.
    pub states: Collected,
}

impl Chain {
    /// Sets how much of the past is kept.
    pub fn set_keep(&mut self, keep: Keep) {
        self.keep = keep;
    }

    /// After a tipset: forgets when it pays.
    pub(super) fn tidy(&mut self) -> Result<()> {
        self.untidy += 1;
        if self.untidy >= LOOK_EVERY {
            self.untidy = 0;
            self.forget_tipsets()?;
        }
        if self.store.wants_collection(self.keep.garbage) {
            self.begin_to_forget()?;
        } else if let Some(done) = self.store.collect_a_part()? {
            tracing::debug!("{} state blocks are kept, {} are gone", done.live, done.gone);
        }
        Ok(())
    }

    /// Forgets at once what need not be kept.
    pub fn forget(&mut self) -> Result<Forgotten> {
        Ok(Forgotten { tipsets: self.forget_tipsets()?, states: self.collect()? })
    }

    /// Begins to forget states that need not be kept, beside the tipsets to come.
    pub fn begin_to_forget(&mut self) -> Result<()> {
        Ok(self.store.begin_collection(self.kept_roots()?)?)
    }

    fn collect(&mut self) -> Result<Collected> {
        Ok(self.store.collect(&self.kept_roots()?)?)
    }

    fn kept_roots(&self) -> Result<Vec<Cid>> {
        let mut roots: Vec<Cid> = Vec::new();
        let mut keep = |record: &TipsetRecord| roots.extend([record.state, record.parent_state]);
        self.store.last_tipsets(self.keep.states.max(1))?.iter().for_each(&mut keep);
        self.store.snapshots()?.iter().for_each(|(_, snapshot)| keep(&snapshot.head));
        Ok(roots)
    }

    fn forget_tipsets(&mut self) -> Result<u64> {
        let Some(end) = self.store.tipset_before_last(self.keep.empty.max(self.keep.states).max(1))? else {
            return Ok(0);
        };
        let pinned: HashSet<_> = self.store.snapshots()?.iter().map(|(_, s)| s.head.height).collect();
        // Genesis stays; where the last look ended, the tipset before is there still.
        let from = self.looked.max(1);
        let before = self.store.tipset_at_or_before(from - 1)?;
        let mut parent_is_busy = before.is_some_and(|record| !record.messages.is_empty());
        let mut old = Vec::new();
        self.store.tipsets_from(from, |record| {
            let within = record.height < end.height;
            let busy = !record.messages.is_empty();
            if within && !busy && !parent_is_busy && !pinned.contains(&record.height) {
                old.push(record);
            }
            parent_is_busy = busy;
            within
        })?;
        self.store.forget_tipsets(&old, false)?;
        self.looked = end.height;
        Ok(old.len() as u64)
    }
}
