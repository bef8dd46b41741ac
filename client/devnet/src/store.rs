//! The block store: one redb file, written once a tipset.
//!
//! Blocks of the tipset being made live in an overlay in memory; [`Store::commit`] writes those that the tipset keeps
//! together with all its records (`records.rs`) in one transaction, so a kill at any moment leaves the last whole
//! tipset. One process at a time may have the file open.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::DAG_CBOR;
use redb::backends::InMemoryBackend;
use redb::{Database, DatabaseError, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition};

use crate::links::links;
use crate::records::Changes;

const BLOCKS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("blocks");

/// Bytes of blocks kept for reading.
const CACHE_BYTES: usize = 64 << 20;
/// Name of the database inside a state folder.
const FILE: &str = "chain.redb";

/// What goes wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds the lock of the file.
    #[error("{0} is in use by another devnet; stop it or choose another state folder")]
    InUse(PathBuf),
    /// The folder cannot be made.
    #[error("cannot use {0} as a state folder: {1}")]
    Folder(PathBuf, std::io::Error),
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] redb::Error),
    /// A record does not decode: the file is of another version or damaged.
    #[error("{0} in the database is damaged or of another version")]
    Damaged(&'static str),
}

/// Turns any of redb's errors into ours.
pub(crate) fn db<T, E: Into<redb::Error>>(result: Result<T, E>) -> Result<T, StoreError> {
    result.map_err(|e| StoreError::Database(e.into()))
}

/// A block store over an embedded database; not for more than one thread.
pub struct Store {
    pub(crate) database: Database,
    overlay: RefCell<HashMap<Cid, Vec<u8>>>,
    cache: RefCell<Cache>,
    reader: RefCell<Option<ReadOnlyTable<&'static [u8], &'static [u8]>>>,
}

impl Store {
    /// Opens or creates the database in a folder and takes its lock.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|e| StoreError::Folder(folder.to_owned(), e))?;
        let path = folder.join(FILE);
        match Database::create(&path) {
            Ok(database) => Self::new(database),
            Err(DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::InUse(folder.to_owned())),
            Err(e) => Err(StoreError::Database(e.into())),
        }
    }

    /// A database in memory, gone when it is dropped.
    pub fn temporary() -> Result<Self, StoreError> {
        Self::new(db(Database::builder().create_with_backend(InMemoryBackend::new()))?)
    }

    fn new(database: Database) -> Result<Self, StoreError> {
        let write = db(database.begin_write())?;
        db(write.open_table(BLOCKS))?;
        crate::records::create_tables(&write)?;
        db(write.commit())?;
        Ok(Self { database, overlay: Default::default(), cache: Default::default(), reader: Default::default() })
    }

    /// Writes records, and those new blocks that can be reached from `roots`, in one transaction; forgets the other new
    /// blocks. Without `durable` a crash of the machine may lose the last tipsets, but only whole ones.
    pub fn commit(&self, roots: &[Cid], changes: &Changes, durable: bool) -> Result<(), StoreError> {
        self.reader.replace(None);
        let mut overlay = self.overlay.borrow_mut();
        let kept = reachable(&overlay, roots);
        let mut write = db(self.database.begin_write())?;
        if !durable {
            db(write.set_durability(Durability::None))?;
        }
        {
            let mut table = db(write.open_table(BLOCKS))?;
            for cid in &kept {
                db(table.insert(cid.to_bytes().as_slice(), overlay[cid].as_slice()))?;
            }
        }
        changes.write(&write)?;
        db(write.commit())?;
        let mut cache = self.cache.borrow_mut();
        for (cid, block) in overlay.drain() {
            if kept.contains(&cid) {
                cache.put(cid, block);
            }
        }
        Ok(())
    }

    /// Writes records alone; new blocks stay as they are.
    pub fn record(&self, changes: &Changes, durable: bool) -> Result<(), StoreError> {
        let mut write = db(self.database.begin_write())?;
        if !durable {
            db(write.set_durability(Durability::None))?;
        }
        changes.write(&write)?;
        db(write.commit())
    }

    /// Forgets new blocks that do not hang on `roots`.
    pub fn prune(&self, roots: &[Cid]) {
        let mut overlay = self.overlay.borrow_mut();
        let kept = reachable(&overlay, roots);
        overlay.retain(|cid, _| kept.contains(cid));
    }

    /// Forgets what was written since the last commit.
    pub fn discard(&self) {
        self.overlay.borrow_mut().clear();
    }

    fn read(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        let mut reader = self.reader.borrow_mut();
        if reader.is_none() {
            let read = db(self.database.begin_read())?;
            *reader = Some(db(read.open_table(BLOCKS))?);
        }
        let table = reader.as_ref().expect("opened above");
        Ok(db(table.get(cid.to_bytes().as_slice()))?.map(|block| block.value().to_vec()))
    }
}

impl Blockstore for Store {
    fn get(&self, cid: &Cid) -> anyhow::Result<Option<Vec<u8>>> {
        if let Some(block) = self.overlay.borrow().get(cid) {
            return Ok(Some(block.clone()));
        }
        if let Some(block) = self.cache.borrow_mut().get(cid) {
            return Ok(Some(block));
        }
        let block = self.read(cid)?;
        if let Some(block) = &block {
            self.cache.borrow_mut().put(*cid, block.clone());
        }
        Ok(block)
    }

    fn put_keyed(&self, cid: &Cid, block: &[u8]) -> anyhow::Result<()> {
        self.overlay.borrow_mut().insert(*cid, block.to_vec());
        Ok(())
    }
}

/// The blocks of `overlay` that hang on `roots`. What is not in the overlay is on disk already, with all below it.
fn reachable(overlay: &HashMap<Cid, Vec<u8>>, roots: &[Cid]) -> HashSet<Cid> {
    let mut seen = HashSet::new();
    let mut open: Vec<Cid> = roots.to_vec();
    while let Some(cid) = open.pop() {
        let Some(block) = overlay.get(&cid) else { continue };
        if seen.insert(cid) && cid.codec() == DAG_CBOR {
            open.extend(links(block));
        }
    }
    seen
}

/// Two generations of blocks: when the young one is full it becomes the old one, and the old one is forgotten.
#[derive(Default)]
struct Cache {
    young: HashMap<Cid, Vec<u8>>,
    old: HashMap<Cid, Vec<u8>>,
    bytes: usize,
}

impl Cache {
    fn get(&mut self, cid: &Cid) -> Option<Vec<u8>> {
        if let Some(block) = self.young.get(cid) {
            return Some(block.clone());
        }
        let block = self.old.remove(cid)?;
        self.put(*cid, block.clone());
        Some(block)
    }

    fn put(&mut self, cid: Cid, block: Vec<u8>) {
        if self.bytes + block.len() > CACHE_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += block.len();
        self.young.insert(cid, block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fvm_ipld_encoding::CborStore;
    use multihash_codetable::Code;

    #[test]
    fn commit_keeps_what_hangs_on_the_roots_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (leaf, root, stray) = {
            let store = Store::open(folder.path()).unwrap();
            let leaf = store.put_cbor(&("leaf", 1u8), Code::Blake2b256).unwrap();
            let root = store.put_cbor(&(leaf, 2u8), Code::Blake2b256).unwrap();
            let stray = store.put_cbor(&("stray", 3u8), Code::Blake2b256).unwrap();
            store.commit(&[root], &Changes::default(), true).unwrap();
            (leaf, root, stray)
        };
        let store = Store::open(folder.path()).unwrap();
        assert!(store.has(&leaf).unwrap() && store.has(&root).unwrap());
        assert!(!store.has(&stray).unwrap());
    }

    #[test]
    fn blocks_without_a_commit_are_gone_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let cid = {
            let store = Store::open(folder.path()).unwrap();
            let cid = store.put_cbor(&"lost", Code::Blake2b256).unwrap();
            assert!(store.has(&cid).unwrap());
            cid
        };
        assert!(!Store::open(folder.path()).unwrap().has(&cid).unwrap());
    }

    #[test]
    fn a_second_opener_is_refused_in_one_clear_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Store::open(folder.path()).unwrap();
        let refused = Store::open(folder.path()).err().expect("refused");
        assert!(matches!(refused, StoreError::InUse(_)));
        assert!(refused.to_string().contains("in use by another devnet"), "{refused}");
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut cache = Cache::default();
        for i in 0..200u32 {
            let cid =
                Cid::new_v1(0x55, multihash_codetable::MultihashDigest::digest(&Code::Blake2b256, &i.to_be_bytes()));
            cache.put(cid, vec![0; 1 << 20]);
        }
        let held: usize = cache.young.values().chain(cache.old.values()).map(Vec::len).sum();
        assert!(held <= CACHE_BYTES, "{held}");
    }
}
