//! How the actor's state keeps one version of a file: what [`FileRecord::previous`] links to.

use cid::Cid;
use fvm_ipld_encoding::strict_bytes;
use fvm_ipld_encoding::tuple::*;
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::piece::PaddedPieceSize;

use super::check_wrap;
use crate::wire::ensure;
use crate::{FileRecord, FileSpec, OutOfBounds, Wire};

/// `[owner, version, payload_cid, piece_cid, padded_size, payload_size, key_commitment, metadata, owner_wrap, registered, updated,
/// previous, place, older]`, one DAG-CBOR block of the state.
///
/// The content's CIDs are byte strings, not links: the chain's state may only link to what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct FileBlock {
    /// The owner's ID.
    pub owner: ActorID,
    /// 1 at registration, then counting up.
    pub version: u64,
    /// Root of the CAR, as bytes.
    #[serde(with = "strict_bytes")]
    pub payload_cid: Vec<u8>,
    /// Piece commitment, as bytes.
    #[serde(with = "strict_bytes")]
    pub piece_cid: Vec<u8>,
    /// Padded size of the piece.
    pub padded_size: PaddedPieceSize,
    /// Bytes of the CAR.
    pub payload_size: u64,
    /// What a file key must hash to.
    #[serde(with = "strict_bytes")]
    pub key_commitment: [u8; 32],
    /// Encrypted name, type and size.
    #[serde(with = "strict_bytes")]
    pub metadata: Vec<u8>,
    /// The file key wrapped for the owner.
    #[serde(with = "strict_bytes")]
    pub owner_wrap: Vec<u8>,
    /// When the file was registered.
    pub registered: ChainEpoch,
    /// When this version was written.
    pub updated: ChainEpoch,
    /// The block of the version before.
    pub previous: Option<Cid>,
    /// Where the file stands in its owner's list: the actor's own business.
    pub place: u64,
    /// The next older place in that list.
    pub older: Option<u64>,
}

impl FileBlock {
    /// Writes a version down.
    pub fn new(record: FileRecord, place: u64, older: Option<u64>) -> Self {
        let FileRecord { owner, version, file, registered, updated, previous } = record;
        Self {
            owner,
            version,
            payload_cid: file.payload_cid.to_bytes(),
            piece_cid: file.piece_cid.to_bytes(),
            padded_size: file.padded_size,
            payload_size: file.payload_size,
            key_commitment: file.key_commitment,
            metadata: file.metadata,
            owner_wrap: file.owner_wrap,
            registered,
            updated,
            previous,
            place,
            older,
        }
    }

    /// Reads the record.
    ///
    /// Errors: the bytes of a CID are not one.
    pub fn into_record(self) -> Result<FileRecord, OutOfBounds> {
        let cid = |bytes: &[u8], field| Cid::try_from(bytes).map_err(|_| OutOfBounds(field));
        let file = FileSpec {
            payload_cid: cid(&self.payload_cid, "payload_cid")?,
            piece_cid: cid(&self.piece_cid, "piece_cid")?,
            padded_size: self.padded_size,
            payload_size: self.payload_size,
            key_commitment: self.key_commitment,
            metadata: self.metadata,
            owner_wrap: self.owner_wrap,
        };
        Ok(FileRecord {
            owner: self.owner,
            version: self.version,
            file,
            registered: self.registered,
            updated: self.updated,
            previous: self.previous,
        })
    }
}

impl Wire for FileBlock {
    fn check(&self) -> Result<(), OutOfBounds> {
        ensure(self.version > 0, "version")?;
        check_wrap(&self.owner_wrap)?;
        self.clone().into_record()?.check()
    }
}
