//! Who may open a file, and with which key: the owner by their own wrap, everybody else by a grant.
//!
//! record -> wrap -> file key, checked against the record's commitment before a byte is fetched.

use bauta_abi::{FileId, FileRecord, Grant, GrantState, Rights};
use fvm_shared::ActorID;
use fvm_shared::address::Address;

use crate::actor::{Actor, ActorError};
use crate::crypt::{self, Commitment, FileKey, Identity, Metadata, Wrap};
use crate::node::NodeError;

/// An open file: the record and the key that belongs to it.
#[derive(Debug)]
pub struct Access {
    /// Number of the file.
    pub id: FileId,
    /// What the chain knows.
    pub record: FileRecord,
    /// The key; its commitment is the record's.
    pub file_key: FileKey,
    /// By what right it is open.
    pub by: By,
}

/// By what right a file is open to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// It is theirs.
    Owner,
    /// They were granted it.
    Grant(Grant),
}

/// Why a file stays shut.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The registry has no such file.
    #[error("there is no file {0}")]
    NoSuchFile(FileId),
    /// Neither owner nor grantee.
    #[error("no access to file {id}: it is not open to {who}")]
    NoGrant {
        /// The file.
        id: FileId,
        /// Who asked.
        who: String,
    },
    /// The grant does not hold the right that is needed.
    #[error("no access to file {id}: the grant does not allow to {right}")]
    NoRight {
        /// The file.
        id: FileId,
        /// The right that is missing.
        right: &'static str,
    },
    /// The grant's time is over.
    #[error("no access to file {id}: the grant expired at epoch {at}")]
    Expired {
        /// The file.
        id: FileId,
        /// When.
        at: i64,
    },
    /// The file has a newer version, under a key that the grant does not hold.
    #[error(
        "no access to file {id}: the grant is stale, it opens version {granted} and the file is at version {current}; ask for a new grant"
    )]
    Stale {
        /// The file.
        id: FileId,
        /// The version that the grant opens.
        granted: u64,
        /// The present version.
        current: u64,
    },
    /// The wrap does not open, or holds the key of something else.
    #[error("file {id} does not open: {why}")]
    WrongKey {
        /// The file.
        id: FileId,
        /// What the cipher says.
        why: crypt::Error,
    },
    /// The chain.
    #[error(transparent)]
    Actor(#[from] ActorError),
}

impl From<NodeError> for AccessError {
    fn from(error: NodeError) -> Self {
        Self::Actor(error.into())
    }
}

impl Access {
    /// Opens a file for `who` with the first identity that fits.
    ///
    /// Errors: [`AccessError`].
    pub async fn open(actor: &Actor, id: FileId, who: &Address, identities: &[Identity]) -> Result<Self, AccessError> {
        let record = actor.file(id).await?.ok_or(AccessError::NoSuchFile(id))?;
        Self::open_record(actor, id, record, who, identities).await
    }

    /// Opens a file whose record is at hand.
    ///
    /// Errors: as [`Access::open`], but for [`AccessError::NoSuchFile`].
    pub async fn open_record(
        actor: &Actor,
        id: FileId,
        record: FileRecord,
        who: &Address,
        identities: &[Identity],
    ) -> Result<Self, AccessError> {
        let no_grant = || AccessError::NoGrant { id, who: actor.node().prefix().show(who) };
        let me = actor_id(actor, who).await?.ok_or_else(no_grant)?;
        let (wrap, by) = if record.owner == me {
            (record.file.owner_wrap.clone(), By::Owner)
        } else {
            let grant = actor.grant(id, &Address::new_id(me)).await?.ok_or_else(no_grant)?;
            (grant.wrap.clone(), By::Grant(usable(id, record.version, grant)?))
        };
        let file_key = open_wrap(&wrap, &record.file.key_commitment, identities)
            .map_err(|why| AccessError::WrongKey { id, why })?;
        Ok(Self { id, record, file_key, by })
    }

    /// The encrypted metadata, opened; none where the owner wrote none.
    ///
    /// Errors: [`AccessError::WrongKey`] with what [`Metadata::open`] says.
    pub fn metadata(&self) -> Result<Option<Metadata>, AccessError> {
        if self.record.file.metadata.is_empty() {
            return Ok(None);
        }
        let opened = Metadata::open(&self.record.file.metadata, &self.file_key);
        opened.map(Some).map_err(|why| AccessError::WrongKey { id: self.id, why })
    }

    /// Checks that a right is held; an owner holds all.
    ///
    /// Errors: [`AccessError::NoRight`] when the grant does not hold it.
    pub fn needs(&self, right: Rights) -> Result<(), AccessError> {
        match &self.by {
            By::Grant(grant) if !grant.rights.contains(right) => {
                let right = if right == Rights::WRITE {
                    "write"
                } else if right == Rights::SHARE {
                    "share"
                } else {
                    "read"
                };
                Err(AccessError::NoRight { id: self.id, right })
            }
            _ => Ok(()),
        }
    }
}

/// Lets only a grant pass that opens the present version.
fn usable(id: FileId, current: u64, grant: Grant) -> Result<Grant, AccessError> {
    match grant.state {
        GrantState::Expired => Err(AccessError::Expired { id, at: grant.expiration }),
        GrantState::Stale => Err(AccessError::Stale { id, granted: grant.version, current }),
        GrantState::Active if !grant.rights.contains(Rights::READ) => Err(AccessError::NoRight { id, right: "read" }),
        GrantState::Active => Ok(grant),
    }
}

/// Unwraps a file key with the first identity that fits, and checks that it is the one committed to.
///
/// Errors: as [`Wrap::from_bytes`] and [`crypt::unwrap`]; [`crypt::Error::WrongKey`] for another key than the one committed to.
pub fn open_wrap(wrap: &[u8], commitment: &[u8; 32], identities: &[Identity]) -> Result<FileKey, crypt::Error> {
    let wrap = Wrap::from_bytes(wrap)?;
    let mut refused = crypt::Error::NoMatch;
    for identity in identities {
        match crypt::unwrap(&wrap, identity) {
            Ok(key) => {
                Commitment(*commitment).check(&key)?;
                return Ok(key);
            }
            Err(crypt::Error::NoMatch) => {}
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The ID of an address; none where it is not on the chain.
pub(crate) async fn actor_id(actor: &Actor, address: &Address) -> Result<Option<ActorID>, ActorError> {
    if let Ok(id) = address.id() {
        return Ok(Some(id));
    }
    Ok(actor.node().lookup_id(address).await?.and_then(|found| found.id().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bauta_abi::EPOCH_NEVER;

    fn grant(state: GrantState, rights: Rights) -> Grant {
        Grant { wrap: vec![1], rights, expiration: EPOCH_NEVER, version: 1, state }
    }

    #[test]
    fn only_an_active_grant_to_read_is_usable() {
        assert!(usable(7, 1, grant(GrantState::Active, Rights::ALL)).is_ok());
        assert!(matches!(usable(7, 1, grant(GrantState::Expired, Rights::READ)), Err(AccessError::Expired { .. })));
        let stale = usable(7, 2, grant(GrantState::Stale, Rights::READ));
        assert!(matches!(stale, Err(AccessError::Stale { granted: 1, current: 2, .. })));
        assert!(matches!(usable(7, 1, grant(GrantState::Active, Rights::WRITE)), Err(AccessError::NoRight { .. })));
    }

    #[test]
    fn a_wrap_opens_with_any_identity_and_only_the_committed_key_passes() {
        let (old, new, stranger) = (Identity::generate(), Identity::generate(), Identity::generate());
        let key = FileKey::generate();
        let wrap = crypt::wrap(&key, &old.recipient()).unwrap();
        let commitment = key.commitment().0;
        let opened = open_wrap(wrap.as_bytes(), &commitment, &[new, old]).unwrap();
        assert_eq!(opened.expose(), key.expose());
        let none = open_wrap(wrap.as_bytes(), &commitment, &[stranger]);
        assert!(matches!(none, Err(crypt::Error::NoMatch)));

        let me = Identity::generate();
        let other = crypt::wrap(&FileKey::generate(), &me.recipient()).unwrap();
        assert!(matches!(open_wrap(other.as_bytes(), &commitment, &[me]), Err(crypt::Error::WrongKey)));
        assert!(open_wrap(b"not a stanza", &commitment, &[Identity::generate()]).is_err());
        assert!(open_wrap(wrap.as_bytes(), &commitment, &[]).is_err());
    }
}
