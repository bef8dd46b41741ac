//! Files: who owns which content.

mod block;

pub use block::*;

use cid::Cid;
use fvm_ipld_encoding::strict_bytes;
use fvm_ipld_encoding::tuple::*;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::piece::PaddedPieceSize;

use crate::wire::ensure;
use crate::{MAX_FILES_PER_CALL, MAX_LIST, MAX_METADATA, MAX_PADDED_SIZE, MAX_WRAP, OutOfBounds, Wire};

/// Number of a file: sequential over all owners, from 1, never reused.
pub type FileId = u64;

const DAG_PB: u64 = 0x70;
const RAW: u64 = 0x55;
const SHA2_256: u64 = 0x12;
const FIL_COMMITMENT_UNSEALED: u64 = 0xf101;
const SHA2_256_TRUNC254_PADDED: u64 = 0x1012;

/// What a version of a file is: `[payload_cid, piece_cid, padded_size, payload_size, key_commitment, metadata, owner_wrap]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FileSpec {
    /// Root of the CAR: CIDv1, dag-pb or raw, sha2-256.
    pub payload_cid: Cid,
    /// Piece commitment of the CAR, v1 form (CommP).
    pub piece_cid: Cid,
    /// Padded size of the piece: a power of two, 128 bytes to 64 GiB.
    pub padded_size: PaddedPieceSize,
    /// Bytes of the CAR, before Fr32 padding.
    pub payload_size: u64,
    /// What a file key must hash to; see the client's design.
    #[serde(with = "strict_bytes")]
    pub key_commitment: [u8; 32],
    /// Encrypted name, type and size; up to 1,024 bytes.
    #[serde(with = "strict_bytes")]
    pub metadata: Vec<u8>,
    /// The file key wrapped for the owner: age stanzas, 1 to 2,048 bytes.
    #[serde(with = "strict_bytes")]
    pub owner_wrap: Vec<u8>,
}

impl Wire for FileSpec {
    fn check(&self) -> Result<(), OutOfBounds> {
        let (cid, hash) = (&self.payload_cid, self.payload_cid.hash());
        let is_payload = cid.version() == cid::Version::V1
            && matches!(cid.codec(), DAG_PB | RAW)
            && hash.code() == SHA2_256
            && hash.size() == 32;
        ensure(is_payload, "payload_cid")?;
        check_piece(&self.piece_cid, self.padded_size)?;
        let room = self.padded_size.unpadded().0;
        ensure(self.payload_size > 0 && self.payload_size <= room, "payload_size")?;
        ensure(self.metadata.len() <= MAX_METADATA, "metadata")?;
        check_wrap(&self.owner_wrap)
    }
}

/// Checks that a CID is a v1 piece commitment and the size one that a sector can hold.
pub(crate) fn check_piece(cid: &Cid, size: PaddedPieceSize) -> Result<(), OutOfBounds> {
    let hash = cid.hash();
    let is_piece = cid.version() == cid::Version::V1
        && cid.codec() == FIL_COMMITMENT_UNSEALED
        && hash.code() == SHA2_256_TRUNC254_PADDED
        && hash.size() == 32;
    ensure(is_piece, "piece_cid")?;
    ensure(size.validate().is_ok() && size.0 <= MAX_PADDED_SIZE, "padded_size")
}

/// Checks the length of a wrapped key.
pub(crate) fn check_wrap(wrap: &[u8]) -> Result<(), OutOfBounds> {
    ensure(!wrap.is_empty() && wrap.len() <= MAX_WRAP, "wrap")
}

/// Checks the limit of a listing.
pub(crate) fn check_limit(limit: u64) -> Result<(), OutOfBounds> {
    ensure((1..=MAX_LIST).contains(&limit), "limit")
}

/// `[[FileSpec…]]`, 1 to 64. Caller: anybody, who becomes the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct RegisterFileParams {
    /// The files.
    pub files: Vec<FileSpec>,
}

impl Wire for RegisterFileParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        ensure((1..=MAX_FILES_PER_CALL).contains(&self.files.len()), "files")?;
        self.files.iter().try_for_each(Wire::check)
    }
}

/// `[[FileId…]]`, in the order of the params.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct RegisterFileReturn {
    /// The new files' numbers.
    pub ids: Vec<FileId>,
}

impl Wire for RegisterFileReturn {}

/// `[id, expected_version, FileSpec]`. Caller: owner, or grantee with the write right.
///
/// Errors: 40 where the file's version is not the expected one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct UpdateFileParams {
    /// Which file.
    pub id: FileId,
    /// The version that the caller saw.
    pub expected_version: u64,
    /// The new content.
    pub file: FileSpec,
}

impl Wire for UpdateFileParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.file.check()
    }
}

/// `[version]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct UpdateFileReturn {
    /// The new version.
    pub version: u64,
}

impl Wire for UpdateFileReturn {}

/// `[id, to, wrap]`. Caller: owner. The receiver's own grant, if there is one, is dropped: an owner needs none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct TransferFileParams {
    /// Which file.
    pub id: FileId,
    /// The new owner; must exist on the chain.
    pub to: Address,
    /// The file key wrapped for the new owner.
    #[serde(with = "strict_bytes")]
    pub wrap: Vec<u8>,
}

impl Wire for TransferFileParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        check_wrap(&self.wrap)
    }
}

/// `[id]`. Caller: owner. The number is never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct RemoveFileParams {
    /// Which file.
    pub id: FileId,
}

impl Wire for RemoveFileParams {}

/// `[id]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct GetFileParams {
    /// Which file.
    pub id: FileId,
}

impl Wire for GetFileParams {}

/// `[owner, version, FileSpec, registered, updated, previous]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FileRecord {
    /// The owner's ID.
    pub owner: ActorID,
    /// 1 at registration, then counting up.
    pub version: u64,
    /// The content.
    pub file: FileSpec,
    /// When the file was registered.
    pub registered: ChainEpoch,
    /// When this version was written.
    pub updated: ChainEpoch,
    /// The state block of the version before, null for the first: history is a chain of blocks readable from state.
    pub previous: Option<Cid>,
}

impl Wire for FileRecord {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.file.check()
    }
}

/// The record, or null where there is no such file.
pub type GetFileReturn = Option<FileRecord>;

impl Wire for GetFileReturn {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.as_ref().map_or(Ok(()), Wire::check)
    }
}

/// `[owner, cursor, limit]`, newest file first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ListFilesParams {
    /// Whose files.
    pub owner: Address,
    /// Where the listing before stopped, null for the start.
    pub cursor: Option<u64>,
    /// 1 to 100.
    pub limit: u64,
}

impl Wire for ListFilesParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        check_limit(self.limit)
    }
}

/// `[[[id, FileRecord]…], cursor | null]`; a null cursor means that there is nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ListFilesReturn {
    /// A page.
    pub files: Vec<(FileId, FileRecord)>,
    /// Where to go on.
    pub cursor: Option<u64>,
}

impl Wire for ListFilesReturn {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.files.iter().try_for_each(|(_, record)| record.check())
    }
}
