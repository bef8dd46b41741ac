//! Forgetting states: what no kept root reaches goes.
//!
//! A collection looks at every live state block, so it waits until as many have been written as there were live ones: its
//! cost for each block written is constant, whatever the size of the state. What is reached from no root is needed by
//! nobody: a new block links only to what hangs on the state before it, or is new itself.
//!
//! So it can go on beside the chain. A thread looks through the database as it is when it begins, which later commits do
//! not change for it, and names what no root reaches. That is taken out little by little, a part after each tipset, but
//! for what has been written again meanwhile. Parts are transactions like any other, and after a kill what was not taken
//! out yet is found by the next collection.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use cid::Cid;
use fvm_ipld_encoding::DAG_CBOR;
use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};

use super::{STATES, Store, StoreError, db};
use crate::links::links;

/// So many blocks are taken out after a tipset, or twice as many as it wrote: more than can come to be.
const PART: usize = 1_000;

/// What a collection did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// State blocks that are kept.
    pub live: u64,
    /// State blocks that are gone.
    pub gone: u64,
}

/// A block's name without what all names have in common: codec and digest.
type Name = (u64, [u8; 32]);
/// A block's name as the database has it.
type Key = Box<[u8]>;

/// A collection that goes on beside the chain.
#[derive(Default)]
pub(super) struct Beside {
    stage: Stage,
    /// What was committed since it began.
    again: HashSet<Key>,
    /// How many the last commit wrote.
    pace: usize,
}

#[derive(Default)]
enum Stage {
    #[default]
    Idle,
    Searching {
        thread: JoinHandle<Result<Found, StoreError>>,
        cancel: Arc<AtomicBool>,
    },
    Sweeping {
        found: Found,
        gone: u64,
    },
}

/// What a search found: how many are live, and which are not.
#[derive(Default)]
struct Found {
    live: u64,
    dead: Vec<Key>,
}

impl Beside {
    /// Notes what a commit has written.
    pub fn note<'a>(&mut self, states: impl ExactSizeIterator<Item = &'a Cid>) {
        self.pace = states.len();
        if !matches!(self.stage, Stage::Idle) {
            self.again.extend(states.map(|cid| Key::from(cid.to_bytes())));
        }
    }

    /// Ends it where it is; returns when nobody reads the database any more.
    fn cancel(&mut self) {
        if let Stage::Searching { thread, cancel } = std::mem::take(&mut self.stage) {
            cancel.store(true, Ordering::Relaxed);
            let _ = thread.join();
        }
        self.again = HashSet::new();
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl Store {
    /// True when a collection pays, and none goes on; `least` blocks are too few.
    pub fn wants_collection(&self, least: u64) -> bool {
        self.written.get() >= self.live.get().max(least) && !self.is_collecting()
    }

    /// True while a collection goes on beside the chain.
    pub fn is_collecting(&self) -> bool {
        !matches!(self.beside.borrow().stage, Stage::Idle)
    }

    /// Begins a collection beside the chain: [`Store::collect_a_part`] goes on with it.
    pub fn begin_collection(&self, roots: Vec<Cid>) -> Result<(), StoreError> {
        let mut beside = self.beside.borrow_mut();
        beside.cancel();
        let (read, cancel) = (self.begin_read()?, Arc::new(AtomicBool::new(false)));
        let is_cancelled = cancel.clone();
        let search = move || search(&read, &roots, &is_cancelled);
        let thread = std::thread::Builder::new().name("collector".into()).spawn(search);
        let thread = thread.map_err(|e| StoreError::Database(redb::Error::Io(e)))?;
        beside.stage = Stage::Searching { thread, cancel };
        self.written.set(0);
        Ok(())
    }

    /// Takes out a part of what a collection has found, if it has; what it did, at its end.
    pub fn collect_a_part(&self) -> Result<Option<Collected>, StoreError> {
        let mut beside = self.beside.borrow_mut();
        if let Stage::Searching { thread, .. } = &beside.stage
            && thread.is_finished()
            && let Stage::Searching { thread, .. } = std::mem::take(&mut beside.stage)
        {
            let Ok(found) = thread.join() else {
                tracing::error!("looking for old states failed; they stay for now");
                beside.cancel();
                return Ok(None);
            };
            beside.stage = Stage::Sweeping { found: found?, gone: 0 };
        }
        let Beside { stage: Stage::Sweeping { found, gone }, again, pace } = &mut *beside else { return Ok(None) };
        let part = found.dead.len().saturating_sub(PART.max(2 * *pace));
        let write = self.begin_write(false)?;
        {
            let mut table = db(write.open_table(STATES))?;
            for key in found.dead.drain(part..).filter(|key| !again.contains(key)) {
                *gone += u64::from(db(table.remove(&*key))?.is_some());
            }
        }
        self.end_write(write)?;
        if !found.dead.is_empty() {
            return Ok(None);
        }
        let done = Collected { live: found.live, gone: *gone };
        beside.cancel();
        beside.stage = Stage::Idle;
        self.cache.borrow_mut().clear();
        self.live.set(done.live);
        Ok(Some(done))
    }

    /// Forgets every state block that is not reached from `roots`, at once. New blocks that were not committed are
    /// forgotten, too.
    pub fn collect(&self, roots: &[Cid]) -> Result<Collected, StoreError> {
        self.beside.borrow_mut().cancel();
        self.beside.borrow_mut().stage = Stage::Idle;
        self.discard();
        let marked = mark(&self.begin_read()?, roots, &AtomicBool::new(false))?;
        let write = self.begin_write(false)?;
        let (before, after) = {
            let mut table = db(write.open_table(STATES))?;
            let before = db(table.len())?;
            db(table.retain(|key, _| {
                Cid::try_from(key).map_or(true, |cid| name(&cid).is_none_or(|n| marked.contains(&n)))
            }))?;
            (before, db(table.len())?)
        };
        self.end_write(write)?;
        self.cache.borrow_mut().clear();
        self.written.set(0);
        self.live.set(after);
        Ok(Collected { live: after, gone: before - after })
    }
}

/// All that hangs on `roots`; some of it, once cancelled.
fn mark(read: &ReadTransaction, roots: &[Cid], cancel: &AtomicBool) -> Result<HashSet<Name>, StoreError> {
    let table = db(read.open_table(STATES))?;
    let mut marked = HashSet::new();
    let mut open = roots.to_vec();
    while let Some(cid) = open.pop() {
        let Some(name) = name(&cid) else { continue };
        if !marked.insert(name) || cid.codec() != DAG_CBOR {
            continue;
        }
        if cancel.load(Ordering::Relaxed) {
            break;
        }
        if let Some(block) = db(table.get(cid.to_bytes().as_slice()))? {
            open.extend(links(block.value()));
        }
    }
    Ok(marked)
}

/// What does not hang on `roots`; nothing, once cancelled.
fn search(read: &ReadTransaction, roots: &[Cid], cancel: &AtomicBool) -> Result<Found, StoreError> {
    let marked = mark(read, roots, cancel)?;
    let mut found = Found::default();
    for entry in db(db(read.open_table(STATES))?.iter())? {
        if cancel.load(Ordering::Relaxed) {
            return Ok(Found::default());
        }
        let (key, _) = db(entry)?;
        let is_live = Cid::try_from(key.value()).map_or(true, |cid| name(&cid).is_none_or(|n| marked.contains(&n)));
        if is_live {
            found.live += 1;
        } else {
            found.dead.push(Key::from(key.value()));
        }
    }
    Ok(found)
}

/// `None` for names that are not 32 bytes of hash: no state block has one.
fn name(cid: &Cid) -> Option<Name> {
    Some((cid.codec(), cid.hash().digest().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::Roots;
    use super::*;
    use crate::records::Changes;
    use fvm_ipld_blockstore::Blockstore;
    use fvm_ipld_encoding::CborStore;
    use multihash_codetable::Code;

    #[test]
    fn what_a_kept_root_reaches_stays_and_the_rest_goes() {
        let store = Store::temporary().unwrap();
        let shared = store.put_cbor(&"shared", Code::Blake2b256).unwrap();
        let old_only = store.put_cbor(&"old", Code::Blake2b256).unwrap();
        let old = store.put_cbor(&(shared, old_only), Code::Blake2b256).unwrap();
        let header = store.put_cbor(&(old, "header"), Code::Blake2b256).unwrap();
        store
            .commit(Roots { states: &[old], headers: &[header], ..Roots::default() }, &Changes::default(), true)
            .unwrap();
        let new = store.put_cbor(&(shared, "new"), Code::Blake2b256).unwrap();
        store.commit(Roots { states: &[new], ..Roots::default() }, &Changes::default(), false).unwrap();

        let done = store.collect(&[new]).unwrap();
        assert_eq!(done, Collected { live: 2, gone: 2 });
        for (cid, there) in [(shared, true), (new, true), (old, false), (old_only, false), (header, true)] {
            assert_eq!(store.has(&cid).unwrap(), there);
        }
        // What has gone may come back.
        let old_only = store.put_cbor(&"old", Code::Blake2b256).unwrap();
        store.commit(Roots { states: &[old_only], ..Roots::default() }, &Changes::default(), true).unwrap();
        assert!(store.has(&old_only).unwrap());
    }

    /// Lets a collection that has begun come to its end.
    fn finish(store: &Store) -> Collected {
        loop {
            match store.collect_a_part().unwrap() {
                Some(done) => return done,
                None => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
        }
    }

    #[test]
    fn beside_the_chain_what_comes_again_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let put = |value: &(&str, Vec<Cid>)| store.put_cbor(value, Code::Blake2b256).unwrap();
        let keep = |root: Cid| {
            store.commit(Roots { states: &[root], ..Roots::default() }, &Changes::default(), false).unwrap();
            root
        };
        let [shared, again, gone] = ["shared", "again", "gone"].map(|name| put(&(name, vec![])));
        let old = keep(put(&("old", vec![shared, again, gone])));
        let now = keep(put(&("now", vec![shared])));
        store.begin_collection(vec![now]).unwrap();
        assert!(!store.wants_collection(0), "one at a time");
        // The search sees what was; the next state brings back a block that hangs on no root, and one as it was before.
        let again = put(&("again", vec![]));
        let next = keep(put(&("next", vec![shared, again])));
        assert_eq!(finish(&store), Collected { live: 2, gone: 2 });
        for (cid, there) in [(shared, true), (again, true), (now, true), (next, true), (old, false), (gone, false)] {
            assert_eq!(store.has(&cid).unwrap(), there);
        }
        // The next one finds what this one left.
        store.begin_collection(vec![next]).unwrap();
        assert_eq!(finish(&store), Collected { live: 3, gone: 1 });
        assert!(!store.has(&now).unwrap() && store.has(&next).unwrap());
        // One that is cut short does nothing, and lets the file go.
        store.begin_collection(vec![]).unwrap();
        drop(store);
        assert!(Store::open(folder.path()).unwrap().has(&next).unwrap());
    }
}
