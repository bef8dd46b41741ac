//! One who is asked for parts of a piece, near or far. What they give is anybody's bytes.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cid::Cid;

use super::Source;
use crate::car::{HEADER, Place, Wrong, find_ending};
use crate::deal::{DealCode, DealError, Retrieval, Timeouts};
use crate::piece::PieceInfo;

/// How long a provider may be silent.
pub(super) const PATIENCE: Timeouts = Timeouts { connect: Duration::from_secs(5), idle: Duration::from_secs(15) };

/// Where the root is looked for, from the end of the CAR: a node of ours has at most 60 KiB.
pub(crate) const TAIL: u64 = 64 << 10;
/// A CAR of one leaf is not larger.
const ONE_LEAF: u64 = (1 << 20) + HEADER as u64 + 48;

/// One who may have a piece.
pub(crate) struct Peer {
    name: String,
    way: Way,
}

enum Way {
    Http(Retrieval),
    Here(PathBuf),
}

impl Peer {
    /// Knows how to reach a source.
    ///
    /// Errors: [`DealError::Malformed`] for an address that is none.
    pub fn of(source: &Source) -> Result<Peer, DealError> {
        Ok(match source {
            Source::Provider { url, .. } => {
                let retrieval = Retrieval::with_timeouts(url, PATIENCE)?;
                Peer { name: retrieval.name(), way: Way::Http(retrieval) }
            }
            Source::Here(path) => Peer { name: path.display().to_string(), way: Way::Here(path.clone()) },
        })
    }

    /// Reads some bytes of a piece: exactly these, unverified.
    pub async fn read(&self, piece: &PieceInfo, range: Range<u64>) -> Result<Vec<u8>, DealError> {
        match &self.way {
            Way::Http(retrieval) => retrieval.read_range(piece, range).await,
            Way::Here(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_at(&path, range)).await;
                read.map_err(io::Error::other).and_then(|read| read).map_err(|error| self.unreadable(&error))
            }
        }
    }

    /// Where to look for the root of a CAR of this size.
    pub fn tail(piece: &PieceInfo) -> Range<u64> {
        let size = piece.payload_size;
        if size <= ONE_LEAF { 0..size } else { size - TAIL..size }
    }

    /// Reads the root block, verified. None where the last block is another: the layout is not ours, or the bytes are not the piece's.
    ///
    /// Errors: [`DealError::Forged`] where its name stands there and its bytes do not.
    pub async fn find_root(&self, piece: &PieceInfo, root: &Cid) -> Result<Option<(Place, Vec<u8>)>, DealError> {
        let tail = Self::tail(piece);
        let bytes = self.read(piece, tail.clone()).await?;
        let Some(place) = find_ending(root, tail.start, &bytes) else { return Ok(None) };
        match place.verify(root, &bytes[(place.at - tail.start) as usize..]) {
            Ok(block) => Ok(Some((place, block.to_vec()))),
            Err(Wrong::Elsewhere) => Ok(None),
            Err(Wrong::Forged) => Err(self.forged(format!("block {root} has another hash"))),
        }
    }

    /// It serves what is not the piece.
    pub fn forged(&self, what: String) -> DealError {
        DealError::Forged { provider: self.name.clone(), what }
    }

    /// It did not answer, and others did.
    pub fn silent(&self) -> DealError {
        DealError::Unreachable { provider: self.name.clone(), why: "nothing came while others served".into() }
    }

    fn unreadable(&self, error: &io::Error) -> DealError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                DealError::Malformed { provider: self.name.clone(), why: "it is shorter than the piece".into() }
            }
            _ => DealError::Refused {
                provider: self.name.clone(),
                code: DealCode::NotFound,
                reason: format!("it cannot be read: {error}"),
            },
        }
    }
}

fn read_at(path: &Path, range: Range<u64>) -> io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(range.start))?;
    let mut bytes = vec![0; usize::try_from(range.end - range.start).map_err(io::Error::other)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
