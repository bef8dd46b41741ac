//! Bytes that come in and are to be a certain piece: written to a temporary file and hashed on the way.
//!
//! [`PieceSink`] -> [`ReceivedPiece`] -> [`VerifiedPiece`]: only what has been checked can be kept. Whatever is dropped earlier leaves no
//! file behind.

use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;
use tempfile::NamedTempFile;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::piece::{CommP, PieceInfo, padded_size_of, piece_cid_v2};

/// How the names of files begin that are still coming in.
pub(crate) const INCOMING: &str = ".incoming-";
/// Chunks waiting for the disk and the hash.
const QUEUE: usize = 16;

/// Takes the bytes of one piece. The work is done on a blocking thread.
pub struct PieceSink {
    chunks: mpsc::Sender<Bytes>,
    worker: JoinHandle<io::Result<(PieceInfo, NamedTempFile)>>,
    limit: u64,
    taken: u64,
}

/// Why bytes were not taken.
#[derive(Debug, Error)]
pub enum SinkError {
    /// More than the piece has.
    #[error("more than {0} bytes arrive")]
    TooLong(u64),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// All bytes of something that claims to be a piece, in a temporary file.
#[derive(Debug)]
pub struct ReceivedPiece {
    info: PieceInfo,
    file: NamedTempFile,
}

/// All bytes of a piece, in a temporary file.
#[derive(Debug)]
pub struct VerifiedPiece {
    info: PieceInfo,
    file: NamedTempFile,
}

/// What was expected and what came.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected {} ({} bytes), got {} ({} bytes)", name(.expected), .expected.payload_size, name(.found), .found.payload_size)]
pub struct Mismatch {
    /// The piece that was asked for.
    pub expected: PieceInfo,
    /// The piece that the bytes are.
    pub found: PieceInfo,
}

fn name(piece: &PieceInfo) -> String {
    match padded_size_of(piece.payload_size) {
        Ok(size) if size == piece.padded_size => piece_cid_v2(piece).to_string(),
        _ => piece.piece_cid.to_string(),
    }
}

impl PieceSink {
    /// Opens a temporary file in `folder`. Not more than `limit` bytes will be taken.
    pub fn create(folder: &Path, limit: u64) -> io::Result<Self> {
        let mut file = tempfile::Builder::new().prefix(INCOMING).tempfile_in(folder)?;
        let (chunks, mut queue) = mpsc::channel::<Bytes>(QUEUE);
        let worker = tokio::task::spawn_blocking(move || {
            let mut comm_p = CommP::new();
            while let Some(chunk) = queue.blocking_recv() {
                file.write_all(&chunk)?;
                comm_p.update(&chunk).map_err(io::Error::other)?;
            }
            Ok((comm_p.finish(), file))
        });
        Ok(Self { chunks, worker, limit, taken: 0 })
    }

    /// How many bytes were taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes the next bytes.
    pub async fn take(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.taken = self.taken.saturating_add(length);
        if self.taken > self.limit {
            return Err(SinkError::TooLong(self.limit));
        }
        // The other end closes only when the disk failed; `finish` says how.
        let _ = self.chunks.send(chunk).await;
        if self.chunks.is_closed() {
            return Err((&mut self.worker).await.map_err(io::Error::other)?.err().unwrap_or_else(closed).into());
        }
        Ok(())
    }

    /// Ends the piece.
    pub async fn finish(self) -> Result<ReceivedPiece, SinkError> {
        drop(self.chunks);
        let (info, file) = self.worker.await.map_err(io::Error::other)??;
        Ok(ReceivedPiece { info, file })
    }
}

fn closed() -> io::Error {
    io::Error::other("the writer of the piece has stopped")
}

impl ReceivedPiece {
    /// What the bytes are.
    pub fn info(&self) -> &PieceInfo {
        &self.info
    }

    /// Lets only the expected piece pass; other bytes are deleted.
    pub fn verify(self, expected: &PieceInfo) -> Result<VerifiedPiece, Box<Mismatch>> {
        if self.info == *expected {
            Ok(VerifiedPiece { info: self.info, file: self.file })
        } else {
            Err(Box::new(Mismatch { expected: expected.clone(), found: self.info }))
        }
    }

    /// Lets only bytes pass that have a known commitment and padded size, whatever their number.
    pub fn verify_commitment(mut self, expected: &PieceInfo) -> Result<VerifiedPiece, Box<Mismatch>> {
        let payload_size = self.info.payload_size;
        self.info.payload_size = expected.payload_size;
        self.verify(expected)
            .map(|verified| VerifiedPiece { info: PieceInfo { payload_size, ..verified.info }, file: verified.file })
    }
}

impl VerifiedPiece {
    /// What the piece is.
    pub fn info(&self) -> &PieceInfo {
        &self.info
    }

    /// Moves the bytes to their place, on disk for good before it appears there.
    pub fn keep(self, place: &Path) -> io::Result<PieceInfo> {
        self.file.as_file().sync_all()?;
        self.file.persist(place).map_err(|e| e.error)?;
        if let Some(folder) = place.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            std::fs::File::open(folder)?.sync_all()?;
        }
        Ok(self.info)
    }
}
