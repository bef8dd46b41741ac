//! Rules of files: numbers, versions, owners, and each owner's list.
//!
//! The list of an owner is a chain through the file blocks themselves, newest first: registering a file writes no list. A *place* in a
//! chain is the file's number and how often it has changed hands; a place that a file has left is remembered with the one that
//! followed it, so that the chain does not break.

use bauta_abi::{FileBlock, FileId, FileRecord, FileSpec, ListFilesReturn, Rights};
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;

use super::{Map, State, blocks};
use crate::error::{Error, Result};

/// Owner to the newest place of their list: small numbers, changed by every registration, so they wait in the root.
pub type Heads = Map<ActorID, u64, 32, 8, 16>;
/// Places that a file has left, to the next older place in that list (0: none).
pub type Departed = Map<u64, u64, 16, 8, 8>;

/// Files that have a number: more than a trillion.
const NUMBER_BITS: u32 = 40;
const NUMBERS: u64 = 1 << NUMBER_BITS;

/// Places that one listing visits beyond those it returns.
const MAX_SKIPPED: u64 = 100;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Who owned it before.
    pub owner: ActorID,
    /// Its version now.
    pub version: u64,
}

impl<S: Blockstore> State<'_, S> {
    /// Gives files their numbers.
    pub fn register_files(&mut self, owner: ActorID, files: Vec<FileSpec>, now: ChainEpoch) -> Result<Vec<FileId>> {
        let mut older = self.root.heads.get(self.store, &owner)?;
        let mut ids = Vec::with_capacity(files.len());
        for file in files {
            let id = self.root.files.len() + 1;
            if id >= NUMBERS {
                return Err(Error::OutOfBounds("files"));
            }
            let record = FileRecord { owner, version: 1, file, registered: now, updated: now, previous: None };
            let link = blocks::put(self.store, &FileBlock::new(record, id, older))?;
            self.root.files.append(self.store, link)?;
            older = Some(id);
            ids.push(id);
        }
        if let Some(newest) = older {
            self.root.heads.set(self.store, owner, newest)?;
        }
        Ok(ids)
    }

    /// Writes a new version, if the caller may and has seen the current one.
    pub fn update_file(
        &mut self,
        caller: ActorID,
        id: FileId,
        expected: u64,
        file: FileSpec,
        now: ChainEpoch,
    ) -> Result<Changed> {
        let (link, block) = self.file_block(id)?;
        if block.owner != caller {
            self.granted(id, caller, Rights::WRITE, now)?;
        }
        if block.version != expected {
            return Err(Error::VersionConflict { expected, actual: block.version });
        }
        let (owner, version) = (block.owner, block.version + 1);
        let record =
            FileRecord { owner, version, file, registered: block.registered, updated: now, previous: Some(link) };
        self.replace_file(id, &FileBlock::new(record, block.place, block.older))?;
        Ok(Changed { owner, version })
    }

    /// Gives a file to another owner, who needs no grant any more.
    pub fn transfer_file(&mut self, caller: ActorID, id: FileId, to: ActorID, wrap: Vec<u8>) -> Result<Changed> {
        let (_, mut block) = self.own_file(caller, id)?;
        if to == caller {
            return Err(Error::OutOfBounds("to"));
        }
        let changed = Changed { owner: caller, version: block.version };
        self.leave(caller, block.place, block.older)?;
        block.place = block.place.checked_add(NUMBERS).ok_or(Error::OutOfBounds("id"))?;
        block.older = self.root.heads.get(self.store, &to)?;
        block.owner = to;
        block.owner_wrap = wrap;
        self.root.heads.set(self.store, to, block.place)?;
        self.replace_file(id, &block)?;
        self.drop_grant(id, to)?;
        Ok(changed)
    }

    /// Removes a file. Its grants are void with it: nothing asks for them any more.
    pub fn remove_file(&mut self, caller: ActorID, id: FileId) -> Result<()> {
        let (_, block) = self.own_file(caller, id)?;
        self.leave(caller, block.place, block.older)?;
        self.root.files.set(self.store, id - 1, None)
    }

    /// Reads a file.
    pub fn file(&self, id: FileId) -> Result<Option<FileRecord>> {
        let found = self.find_file(id)?;
        found.map(|(_, block)| block.into_record().map_err(|e| Error::BrokenState(e.to_string()))).transpose()
    }

    /// Reads a page of an owner's list, newest first. The cursor is the next place.
    pub fn list_files(&self, owner: ActorID, cursor: Option<u64>, limit: u64) -> Result<ListFilesReturn> {
        let mut next = match cursor {
            Some(place) => Some(place),
            None => self.root.heads.get(self.store, &owner)?,
        };
        let mut files = vec![];
        for _ in 0..limit.saturating_add(MAX_SKIPPED) {
            let Some(place) = next else { break };
            if files.len() as u64 == limit {
                break;
            }
            let id = place % NUMBERS;
            match self.find_file(id)? {
                Some((_, block)) if block.owner == owner && block.place == place => {
                    next = block.older;
                    files.push((id, block.into_record()?));
                }
                _ => next = self.departed(place)?,
            }
        }
        Ok(ListFilesReturn { files, cursor: next })
    }

    pub(super) fn find_file(&self, id: FileId) -> Result<Option<(Cid, FileBlock)>> {
        let Some(index) = id.checked_sub(1) else { return Ok(None) };
        let link = self.root.files.get(self.store, index)?;
        link.map(|link| Ok((link, blocks::get(self.store, &link)?))).transpose()
    }

    pub(super) fn file_block(&self, id: FileId) -> Result<(Cid, FileBlock)> {
        self.find_file(id)?.ok_or(Error::NotFound("file"))
    }

    fn own_file(&self, caller: ActorID, id: FileId) -> Result<(Cid, FileBlock)> {
        let found = self.file_block(id)?;
        if found.1.owner == caller { Ok(found) } else { Err(Error::Forbidden("the file is another's")) }
    }

    fn replace_file(&mut self, id: FileId, block: &FileBlock) -> Result<()> {
        let link = blocks::put(self.store, block)?;
        self.root.files.set(self.store, id - 1, Some(link))
    }

    /// Takes a place out of an owner's list.
    fn leave(&mut self, owner: ActorID, place: u64, older: Option<u64>) -> Result<()> {
        if self.root.heads.get(self.store, &owner)? == Some(place) {
            match older {
                Some(older) => self.root.heads.set(self.store, owner, older)?,
                None => self.root.heads.remove(self.store, owner)?,
            }
        }
        // Even the newest place is remembered: somebody's cursor may stand there.
        let mut sharing = self.sharing()?;
        sharing.departed.set(self.store, place, older.unwrap_or_default())?;
        self.save_sharing(&sharing)
    }

    fn departed(&self, place: u64) -> Result<Option<u64>> {
        let next = self.sharing()?.departed.get(self.store, &place)?;
        Ok(next.filter(|next| *next != 0))
    }
}
