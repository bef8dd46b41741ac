//! Grants: who may read, write or share a file of somebody else's.

use fvm_ipld_encoding::strict_bytes;
use fvm_ipld_encoding::tuple::*;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use serde::{Deserialize, Serialize};

use crate::files::{check_limit, check_wrap};
use crate::wire::ensure;
use crate::{FileId, MAX_GRANTS_PER_CALL, MAX_REVOKES_PER_CALL, OutOfBounds, Wire, is_expired};

/// A set of rights: read 1, write 2, share 4. On the wire an integer from 1 to 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rights(u8);

impl Rights {
    /// May fetch the wrapped key.
    pub const READ: Rights = Rights(1);
    /// May write new versions.
    pub const WRITE: Rights = Rights(2);
    /// May grant what it holds to others.
    pub const SHARE: Rights = Rights(4);
    /// All of them.
    pub const ALL: Rights = Rights(7);

    /// Makes a set from its bits; not empty, nothing unknown.
    pub const fn from_bits(bits: u8) -> Option<Rights> {
        if bits >= 1 && bits <= 7 { Some(Rights(bits)) } else { None }
    }

    /// The bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Tells whether all of `other` is in this set.
    pub const fn contains(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub const fn union(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    fn check(self) -> Result<(), OutOfBounds> {
        ensure(Self::from_bits(self.0).is_some(), "rights")
    }
}

/// What one address gets: `[address, wrap, rights, expiration]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct GrantSpec {
    /// Who; must exist on the chain.
    pub address: Address,
    /// The file key wrapped for them: age stanzas, 1 to 2,048 bytes.
    #[serde(with = "strict_bytes")]
    pub wrap: Vec<u8>,
    /// What they may do.
    pub rights: Rights,
    /// First epoch without the grant; [`crate::EPOCH_NEVER`] for no end.
    pub expiration: ChainEpoch,
}

impl Wire for GrantSpec {
    fn check(&self) -> Result<(), OutOfBounds> {
        check_wrap(&self.wrap)?;
        self.rights.check()?;
        ensure(self.expiration > 0, "expiration")
    }
}

/// `[id, [GrantSpec…]]`, 1 to 32. Caller: owner, or grantee with the share right, who gives no more than they hold, for no longer.
///
/// Effects: a grant that exists is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct GrantAccessParams {
    /// Which file.
    pub id: FileId,
    /// To whom.
    pub grants: Vec<GrantSpec>,
}

impl Wire for GrantAccessParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        ensure((1..=MAX_GRANTS_PER_CALL).contains(&self.grants.len()), "grants")?;
        self.grants.iter().try_for_each(Wire::check)
    }
}

/// `[id, [address…]]`, 1 to 32. Caller: owner, or whoever gave the grant, or the grantee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct RevokeAccessParams {
    /// Which file.
    pub id: FileId,
    /// From whom; each must have a grant.
    pub addresses: Vec<Address>,
}

impl Wire for RevokeAccessParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        ensure((1..=MAX_REVOKES_PER_CALL).contains(&self.addresses.len()), "addresses")
    }
}

/// `[id, address]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct GetGrantParams {
    /// Which file.
    pub id: FileId,
    /// Whose grant.
    pub address: Address,
}

impl Wire for GetGrantParams {}

/// What a grant is worth now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantState {
    /// 0: opens the current version.
    Active,
    /// 1: its time is over.
    Expired,
    /// 2: its wrap belongs to an older version of the file.
    Stale,
}

impl GrantState {
    /// Finds the state; an expired grant is expired whatever its version.
    pub const fn of(expiration: ChainEpoch, version: u64, now: ChainEpoch, file_version: u64) -> Self {
        if is_expired(expiration, now) {
            Self::Expired
        } else if version < file_version {
            Self::Stale
        } else {
            Self::Active
        }
    }
}

impl Serialize for GrantState {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u8(*self as u8)
    }
}

impl<'de> Deserialize<'de> for GrantState {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match u8::deserialize(d)? {
            0 => Ok(Self::Active),
            1 => Ok(Self::Expired),
            2 => Ok(Self::Stale),
            _ => Err(serde::de::Error::custom("grant state is 0, 1 or 2")),
        }
    }
}

/// `[wrap, rights, expiration, version, state]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Grant {
    /// The wrapped file key.
    #[serde(with = "strict_bytes")]
    pub wrap: Vec<u8>,
    /// What the grantee may do.
    pub rights: Rights,
    /// First epoch without the grant.
    pub expiration: ChainEpoch,
    /// The version of the file that the wrap belongs to.
    pub version: u64,
    /// What it is worth now.
    pub state: GrantState,
}

impl Wire for Grant {
    fn check(&self) -> Result<(), OutOfBounds> {
        check_wrap(&self.wrap)?;
        self.rights.check()
    }
}

/// The grant, or null where there is none.
pub type GetGrantReturn = Option<Grant>;

impl Wire for GetGrantReturn {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.as_ref().map_or(Ok(()), Wire::check)
    }
}

/// `[id, cursor, limit]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ListGrantsParams {
    /// Which file.
    pub id: FileId,
    /// Where the listing before stopped, null for the start.
    pub cursor: Option<u64>,
    /// 1 to 100.
    pub limit: u64,
}

impl Wire for ListGrantsParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        check_limit(self.limit)
    }
}

/// `[[[grantee, Grant]…], cursor | null]`, in no order that means anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ListGrantsReturn {
    /// A page.
    pub grants: Vec<(ActorID, Grant)>,
    /// Where to go on.
    pub cursor: Option<u64>,
}

impl Wire for ListGrantsReturn {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.grants.iter().try_for_each(|(_, grant)| grant.check())
    }
}

/// `[address, cursor, limit]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ListSharedParams {
    /// Who has been granted.
    pub address: Address,
    /// Where the listing before stopped, null for the start.
    pub cursor: Option<u64>,
    /// 1 to 100.
    pub limit: u64,
}

impl Wire for ListSharedParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        check_limit(self.limit)
    }
}

/// `[[[id, Grant]…], cursor | null]`, in no order that means anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ListSharedReturn {
    /// A page.
    pub grants: Vec<(FileId, Grant)>,
    /// Where to go on.
    pub cursor: Option<u64>,
}

impl Wire for ListSharedReturn {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.grants.iter().try_for_each(|(_, grant)| grant.check())
    }
}
