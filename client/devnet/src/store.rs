//! The block store: one redb file, written once a tipset.
//!
//! Blocks of the tipset being made live in an overlay in memory; [`Store::commit`] writes those that the tipset keeps
//! together with all its records (`records.rs`) in one transaction, so a kill at any moment leaves the last whole
//! tipset. One process at a time has the file, because a row of tipsets shares one wait for the disk, which redb allows to
//! nobody else's sight; who wants to read meanwhile asks that process (JSON-RPC).
//!
//! Two tables hold blocks. What hangs on a state root is a *state* block and goes when no state that is kept reaches it
//! (`store/collect.rs`); headers, messages, receipts and events are *history*, never looked through for that.

mod cache;
mod collect;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::DAG_CBOR;
use redb::backends::InMemoryBackend;
use redb::{
    Database, DatabaseError, Durability, ReadOnlyDatabase, ReadOnlyTable, ReadTransaction, ReadableDatabase,
    ReadableTableMetadata, TableDefinition, WriteTransaction,
};

use crate::links::links;
use crate::records::Changes;

use cache::Cache;
use collect::Beside;
pub use collect::Collected;

type Blocks = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Blocks of states.
const STATES: Blocks = TableDefinition::new("states");
/// Blocks of tipsets.
const HISTORY: Blocks = TableDefinition::new("history");

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
    /// It was opened to read.
    #[error("the chain was opened to read only")]
    ReadOnly,
    /// There is nothing to read.
    #[error("there is no chain in {0}")]
    NoChain(PathBuf),
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

/// How much of the database's file is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of keys, values, and what finds them.
    pub used: u64,
    /// Bytes of the pages that they lie in; the rest of the file is for what comes.
    pub pages: u64,
}

/// The file, as this process may use it.
enum File {
    Ours(Database),
    Theirs(ReadOnlyDatabase),
}

/// A block store over an embedded database; not for more than one thread.
pub struct Store {
    /// First: it ends, and lets the file go, before the file is closed.
    beside: RefCell<Beside>,
    file: File,
    /// Where it lies, links resolved; none in memory.
    folder: Option<PathBuf>,
    overlay: RefCell<HashMap<Cid, Vec<u8>>>,
    /// What came into the overlay to be forgotten soon.
    passing: RefCell<Option<Vec<Cid>>>,
    cache: RefCell<Cache>,
    reader: RefCell<Option<Reader>>,
    /// A commit is only as durable as the next durable one.
    unsynced: Cell<bool>,
    /// Whether the change under way will be.
    durable: Cell<bool>,
    /// State blocks written since the last collection, and how many it left.
    written: Cell<u64>,
    live: Cell<u64>,
}

struct Reader {
    states: ReadOnlyTable<&'static [u8], &'static [u8]>,
    history: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

/// What a commit keeps of the new blocks: those that hang on these.
#[derive(Clone, Copy, Debug, Default)]
pub struct Roots<'a> {
    /// Roots of states.
    pub states: &'a [Cid],
    /// Receipts, messages, events.
    pub history: &'a [Cid],
    /// Headers, alone: they link to states.
    pub headers: &'a [Cid],
}

impl Store {
    /// Opens or creates the database in a folder and takes its lock.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|e| StoreError::Folder(folder.to_owned(), e))?;
        let path = folder.join(FILE);
        match Database::create(&path) {
            Ok(database) => {
                let mut store = Self::new(database)?;
                store.folder = folder.canonicalize().ok();
                Ok(store)
            }
            Err(DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::InUse(folder.to_owned())),
            Err(e) => Err(StoreError::Database(e.into())),
        }
    }

    /// Opens a database that nobody has open, to read; others may do so, too.
    pub fn open_to_read(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Err(StoreError::NoChain(folder.to_owned()));
        }
        match ReadOnlyDatabase::open(&path) {
            Ok(database) => Ok(Self::over(File::Theirs(database), 0)),
            Err(DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::InUse(folder.to_owned())),
            Err(e) => Err(StoreError::Database(e.into())),
        }
    }

    /// The folder that it lies in; none for a chain in memory.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// True if a folder holds a chain.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// Moves a database that nobody has open into a folder without one.
    pub fn adopt(from: &Path, folder: &Path) -> Result<(), StoreError> {
        let moved = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            // Linking, unlike renaming, never replaces what is there.
            std::fs::hard_link(from.join(FILE), folder.join(FILE))?;
            std::fs::File::open(folder)?.sync_all()
        };
        moved().map_err(|e| StoreError::Folder(folder.to_owned(), e))
    }

    /// A database in memory, gone when it is dropped.
    pub fn temporary() -> Result<Self, StoreError> {
        Self::new(db(Database::builder().create_with_backend(InMemoryBackend::new()))?)
    }

    fn new(database: Database) -> Result<Self, StoreError> {
        let write = db(database.begin_write())?;
        let states = db(db(write.open_table(STATES))?.len())?;
        db(write.open_table(HISTORY))?;
        crate::records::create_tables(&write)?;
        db(write.commit())?;
        Ok(Self::over(File::Ours(database), states))
    }

    fn over(file: File, states: u64) -> Self {
        Self {
            file,
            folder: None,
            overlay: Default::default(),
            passing: Default::default(),
            cache: Default::default(),
            reader: Default::default(),
            unsynced: Cell::new(false),
            durable: Cell::new(false),
            written: Cell::new(states),
            live: Cell::new(0),
            beside: Default::default(),
        }
    }

    pub(crate) fn begin_read(&self) -> Result<ReadTransaction, StoreError> {
        match &self.file {
            File::Ours(database) => db(database.begin_read()),
            File::Theirs(database) => db(database.begin_read()),
        }
    }

    /// Begins to change the database; everything that is read meanwhile is as it was.
    pub(crate) fn begin_write(&self, durable: bool) -> Result<WriteTransaction, StoreError> {
        let File::Ours(database) = &self.file else { return Err(StoreError::ReadOnly) };
        let mut write = db(database.begin_write())?;
        if !durable {
            db(write.set_durability(Durability::None))?;
        }
        if !durable {
            self.unsynced.set(true);
        }
        self.durable.set(durable);
        Ok(write)
    }

    /// Ends a change.
    pub(crate) fn end_write(&self, write: WriteTransaction) -> Result<(), StoreError> {
        self.reader.replace(None);
        db(write.commit())?;
        // Not sooner: what a full disk refuses is not on it.
        if self.durable.get() {
            self.unsynced.set(false);
        }
        Ok(())
    }

    /// Writes records, and those new blocks that can be reached from `roots`, in one transaction; forgets the other new
    /// blocks. What is not `durable` is so after [`Store::sync`]; a crash before may lose it, but only whole tipsets.
    pub fn commit(&self, roots: Roots<'_>, changes: &Changes, durable: bool) -> Result<(), StoreError> {
        let mut overlay = self.overlay.borrow_mut();
        let states = reachable(&overlay, roots.states);
        let mut history = reachable(&overlay, roots.history);
        history.extend(roots.headers.iter().filter(|cid| overlay.contains_key(cid)));
        let write = self.begin_write(durable)?;
        for (definition, kept) in [(STATES, &states), (HISTORY, &history)] {
            let mut table = db(write.open_table(definition))?;
            for cid in kept {
                db(table.insert(cid.to_bytes().as_slice(), overlay[cid].as_slice()))?;
            }
        }
        self.written.set(self.written.get() + states.len() as u64);
        self.beside.borrow_mut().note(states.iter());
        changes.write(&write)?;
        self.end_write(write)?;
        let mut cache = self.cache.borrow_mut();
        for (cid, block) in overlay.drain() {
            if states.contains(&cid) || history.contains(&cid) {
                cache.put(cid, block);
            }
        }
        Ok(())
    }

    /// Writes records alone; new blocks stay as they are.
    pub fn record(&self, changes: &Changes, durable: bool) -> Result<(), StoreError> {
        let write = self.begin_write(durable)?;
        changes.write(&write)?;
        self.end_write(write)
    }

    /// Returns when everything written is on the disk.
    pub fn sync(&self) -> Result<(), StoreError> {
        if self.unsynced.get() {
            let write = self.begin_write(true)?;
            self.end_write(write)?;
        }
        Ok(())
    }

    /// How much of the file is in use. Goes through all of it.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let write = self.begin_write(false)?;
        let stats = db(write.stats())?;
        db(write.abort())?;
        Ok(Usage {
            used: stats.stored_bytes() + stats.metadata_bytes(),
            pages: stats.allocated_pages() * stats.page_size() as u64,
        })
    }

    /// Takes blocks out of the history; states may still hold them.
    pub(crate) fn forget_history<'a>(
        &self,
        write: &WriteTransaction,
        cids: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), StoreError> {
        let mut table = db(write.open_table(HISTORY))?;
        for cid in cids {
            db(table.remove(cid))?;
        }
        self.cache.borrow_mut().clear();
        Ok(())
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

    /// Does something, then forgets the blocks that it has written.
    pub(crate) fn in_passing<T>(&self, run: impl FnOnce() -> T) -> T {
        /// Forgets even if it panics.
        struct Passing<'a>(&'a Store);

        impl Drop for Passing<'_> {
            fn drop(&mut self) {
                let written = self.0.passing.take();
                let mut overlay = self.0.overlay.borrow_mut();
                written.iter().flatten().for_each(|cid| drop(overlay.remove(cid)));
            }
        }
        self.passing.replace(Some(Vec::new()));
        let _forgets = Passing(self);
        run()
    }

    fn read(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        let mut reader = self.reader.borrow_mut();
        if reader.is_none() {
            let read = self.begin_read()?;
            *reader = Some(Reader { states: db(read.open_table(STATES))?, history: db(read.open_table(HISTORY))? });
        }
        let reader = reader.as_ref().expect("opened above");
        let key = cid.to_bytes();
        for table in [&reader.states, &reader.history] {
            if let Some(block) = db(table.get(key.as_slice()))? {
                return Ok(Some(block.value().to_vec()));
            }
        }
        Ok(None)
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
        let old = self.overlay.borrow_mut().insert(*cid, block.to_vec());
        if let (None, Some(written)) = (old, self.passing.borrow_mut().as_mut()) {
            written.push(*cid);
        }
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
