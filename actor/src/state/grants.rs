//! Rules of grants: who may open what to whom, and take it back.

use bauta_abi::{FileBlock, FileId, Grant, GrantState, ListGrantsReturn, ListSharedReturn, Rights, is_expired};
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::strict_bytes;
use fvm_ipld_encoding::tuple::*;
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;

use super::files::Departed;
use super::{Map, State, blocks};
use crate::error::{Error, Result};

/// File and grantee to the block of the grant.
pub type Grants = Map<(FileId, ActorID), Cid, 8, 8, 4>;
/// Grantee and file, for every grant.
pub type Shared = Map<(ActorID, FileId), bool, 32, 8, 16>;

/// `[grants, shared, departed]`; the first two change together.
#[derive(Debug, Clone, Default, Serialize_tuple, Deserialize_tuple)]
pub struct Sharing {
    pub grants: Grants,
    pub shared: Shared,
    /// Belongs to the lists of files, but changes with transfers and removals only.
    pub departed: Departed,
}

/// `[wrap, rights, expiration, version, by]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct GrantBlock {
    #[serde(with = "strict_bytes")]
    pub wrap: Vec<u8>,
    pub rights: Rights,
    pub expiration: ChainEpoch,
    pub version: u64,
    pub by: ActorID,
}

impl GrantBlock {
    fn into_grant(self, file: &FileBlock, now: ChainEpoch) -> Grant {
        let state = GrantState::of(self.expiration, self.version, now, file.version);
        Grant { wrap: self.wrap, rights: self.rights, expiration: self.expiration, version: self.version, state }
    }
}

/// What one grantee gets, addresses resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// Who.
    pub grantee: ActorID,
    /// The wrapped file key.
    pub wrap: Vec<u8>,
    /// What they may do.
    pub rights: Rights,
    /// First epoch without the grant.
    pub expiration: ChainEpoch,
}

/// Entries that one listing visits beyond those it returns: grants of files that are gone.
const MAX_SKIPPED: usize = 100;

impl<S: Blockstore> State<'_, S> {
    /// Opens a file. Whoever shares by a grant gives no more than they hold, and leaves what others have given alone.
    pub fn grant_access(&mut self, caller: ActorID, id: FileId, grants: Vec<NewGrant>, now: ChainEpoch) -> Result<()> {
        let (_, file) = self.file_block(id)?;
        let held = if file.owner == caller { None } else { Some(self.granted(id, caller, Rights::SHARE, now)?) };
        let mut sharing = self.sharing()?;
        for grant in grants {
            let NewGrant { grantee, wrap, rights, expiration } = grant;
            if grantee == file.owner {
                return Err(Error::OutOfBounds("address"));
            }
            if is_expired(expiration, now) {
                return Err(Error::OutOfBounds("expiration"));
            }
            if let Some(held) = &held {
                if !held.rights.contains(rights) {
                    return Err(Error::Forbidden("more rights than the caller holds"));
                }
                if expiration > held.expiration {
                    return Err(Error::Forbidden("for longer than the caller holds"));
                }
                let before = sharing.grant(self.store, id, grantee)?;
                if before.is_some_and(|before| before.by != caller && !is_expired(before.expiration, now)) {
                    return Err(Error::Forbidden("the grant was given by somebody else"));
                }
            }
            let block = GrantBlock { wrap, rights, expiration, version: file.version, by: caller };
            let link = blocks::put(self.store, &block)?;
            sharing.grants.set(self.store, (id, grantee), link)?;
            sharing.shared.set(self.store, (grantee, id), true)?;
        }
        self.save_sharing(&sharing)
    }

    /// Closes a file to grantees: by the owner, by whoever gave the grant, or by the grantee.
    pub fn revoke_access(&mut self, caller: ActorID, id: FileId, grantees: &[ActorID]) -> Result<()> {
        let (_, file) = self.file_block(id)?;
        let mut sharing = self.sharing()?;
        for grantee in grantees {
            let grant = sharing.grant(self.store, id, *grantee)?.ok_or(Error::NotFound("grant"))?;
            if caller != file.owner && caller != grant.by && caller != *grantee {
                return Err(Error::Forbidden("the grant was given by somebody else"));
            }
            sharing.grants.remove(self.store, (id, *grantee))?;
            sharing.shared.remove(self.store, (*grantee, id))?;
        }
        self.save_sharing(&sharing)
    }

    /// Reads a grant of a file that exists.
    pub fn grant(&self, id: FileId, grantee: ActorID, now: ChainEpoch) -> Result<Option<Grant>> {
        let Some((_, file)) = self.find_file(id)? else { return Ok(None) };
        let block = self.sharing()?.grant(self.store, id, grantee)?;
        Ok(block.map(|block| block.into_grant(&file, now)))
    }

    /// Reads a page of a file's grants. The cursor is the next grantee.
    pub fn list_grants(
        &self,
        id: FileId,
        cursor: Option<u64>,
        limit: u64,
        now: ChainEpoch,
    ) -> Result<ListGrantsReturn> {
        let (mut grants, mut next) = (vec![], None);
        let Some((_, file)) = self.find_file(id)? else {
            return Ok(ListGrantsReturn { grants, cursor: next });
        };
        let sharing = self.sharing()?;
        sharing.grants.scan(self.store, (id, cursor.unwrap_or_default()), &mut |(of, grantee), link| {
            if of != id {
                return Ok(false);
            }
            if grants.len() as u64 == limit {
                next = Some(grantee);
                return Ok(false);
            }
            let block: GrantBlock = blocks::get(self.store, link)?;
            grants.push((grantee, block.into_grant(&file, now)));
            Ok(true)
        })?;
        Ok(ListGrantsReturn { grants, cursor: next })
    }

    /// Reads a page of what has been opened to an address. The cursor is the next file.
    pub fn list_shared(
        &self,
        grantee: ActorID,
        cursor: Option<u64>,
        limit: u64,
        now: ChainEpoch,
    ) -> Result<ListSharedReturn> {
        let (mut ids, mut next) = (vec![], None);
        let sharing = self.sharing()?;
        sharing.shared.scan(self.store, (grantee, cursor.unwrap_or_default()), &mut |(whose, id), _| {
            if whose == grantee && ids.len() < limit as usize + MAX_SKIPPED {
                ids.push(id);
                return Ok(true);
            }
            next = Some(id).filter(|_| whose == grantee);
            Ok(false)
        })?;
        let mut grants = vec![];
        for id in ids {
            let Some((_, file)) = self.find_file(id)? else { continue };
            if grants.len() as u64 == limit {
                next = Some(id);
                break;
            }
            if let Some(block) = sharing.grant(self.store, id, grantee)? {
                grants.push((id, block.into_grant(&file, now)));
            }
        }
        Ok(ListSharedReturn { grants, cursor: next })
    }

    /// Finds the grant by which somebody who is not the owner has a right. A stale grant still gives it: only its wrap is of no use.
    pub(super) fn granted(&self, id: FileId, caller: ActorID, right: Rights, now: ChainEpoch) -> Result<GrantBlock> {
        let grant = self.sharing()?.grant(self.store, id, caller)?;
        let grant = grant.ok_or(Error::Forbidden("the file is another's"))?;
        if is_expired(grant.expiration, now) {
            return Err(Error::Forbidden("the grant has expired"));
        }
        if grant.rights.contains(right) { Ok(grant) } else { Err(Error::Forbidden("the grant is for less")) }
    }

    /// Drops a grant if there is one.
    pub(super) fn drop_grant(&mut self, id: FileId, grantee: ActorID) -> Result<()> {
        let mut sharing = self.sharing()?;
        if sharing.grants.get(self.store, &(id, grantee))?.is_some() {
            sharing.grants.remove(self.store, (id, grantee))?;
            sharing.shared.remove(self.store, (grantee, id))?;
            self.save_sharing(&sharing)?;
        }
        Ok(())
    }

    pub(super) fn sharing(&self) -> Result<Sharing> {
        blocks::get(self.store, &self.root.sharing)
    }

    pub(super) fn save_sharing(&mut self, sharing: &Sharing) -> Result<()> {
        self.root.sharing = blocks::put(self.store, sharing)?;
        Ok(())
    }
}

impl Sharing {
    fn grant(&self, store: &impl Blockstore, id: FileId, grantee: ActorID) -> Result<Option<GrantBlock>> {
        self.grants.get(store, &(id, grantee))?.map(|link| blocks::get(store, &link)).transpose()
    }
}
