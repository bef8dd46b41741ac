//! Forgetting states: what no kept root reaches goes, in one transaction.
//!
//! A collection looks at every live state block, so it waits until as many have been written as there were live ones: its
//! cost for each block written is constant, whatever the size of the state. Nothing is being made meanwhile, so what is
//! reached from no root is needed by nobody: a new block links only to what hangs on the state before it, or is new itself.

use std::collections::HashSet;

use cid::Cid;
use fvm_ipld_encoding::DAG_CBOR;
use redb::ReadableTableMetadata;

use super::{STATES, Store, StoreError, db};
use crate::links::links;

/// So many blocks may be written before a collection is worth its while.
const MIN_WRITTEN: u64 = 50_000;

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

impl Store {
    /// True when a collection pays.
    pub fn wants_collection(&self) -> bool {
        self.written.get() >= self.live.get().max(MIN_WRITTEN)
    }

    /// Forgets every state block that is not reached from `roots`. New blocks that were not committed are forgotten, too.
    pub fn collect(&self, roots: &[Cid]) -> Result<Collected, StoreError> {
        self.discard();
        let marked = self.mark(roots)?;
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

    fn mark(&self, roots: &[Cid]) -> Result<HashSet<Name>, StoreError> {
        let read = self.begin_read()?;
        let table = db(read.open_table(STATES))?;
        let mut marked = HashSet::new();
        let mut open = roots.to_vec();
        while let Some(cid) = open.pop() {
            let Some(name) = name(&cid) else { continue };
            if !marked.insert(name) || cid.codec() != DAG_CBOR {
                continue;
            }
            if let Some(block) = db(table.get(cid.to_bytes().as_slice()))? {
                open.extend(links(block.value()));
            }
        }
        Ok(marked)
    }
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
}
