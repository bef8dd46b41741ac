//! Uploads that are not complete: chunks on the disk, and who writes what now.
//!
//! A chunk is a file of its own, `uploads/<deal>/<number>`, there once all its bytes are; the book says which ones are.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use bauta_client::deal::mk20::{chunk_count, chunk_of};
use bauta_client::deal::{PieceSink, ReceivedPiece};
use futures::{Stream, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio_util::bytes::Bytes;
use tokio_util::io::ReaderStream;

use super::book::{Book, Stage};
use super::fetching;
use super::pieces::gone_is_none;
use super::shop::Shop;

/// How much is read at once.
const BUFFER: usize = 256 << 10;

/// Where chunks lie, and which deals get their bytes in one request just now.
pub struct Uploads {
    folder: PathBuf,
    serial: Arc<Mutex<BTreeSet<String>>>,
}

/// The right to upload a deal's bytes in one request: one at a time.
pub struct Turn {
    deal: String,
    serial: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.serial.lock().expect("nobody panics with it").remove(&self.deal);
    }
}

/// Why a chunk was not written.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// More or fewer bytes than the chunk has.
    #[error("the chunk has {expected} bytes, and other {came} came")]
    Length { expected: u64, came: u64 },
    /// The connection.
    #[error("the upload broke off")]
    Broken,
    /// The disk.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl Uploads {
    /// Opens the folder; what belongs to no upload of the book is removed.
    pub fn open(folder: PathBuf, book: &Book) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let stage = entry.file_name().to_str().and_then(|name| book.jobs.get(name)).map(|job| &job.stage);
            if !matches!(stage, Some(Stage::Chunked { .. } | Stage::Assembling { .. })) {
                gone_is_none(std::fs::remove_dir_all(entry.path()))?;
            }
        }
        Ok(Self { folder, serial: Arc::default() })
    }

    /// Takes the turn of a deal; `None` while somebody else has it.
    pub fn turn(&self, deal: &str) -> Option<Turn> {
        let mut serial = self.serial.lock().expect("nobody panics with it");
        serial.insert(deal.to_string()).then(|| Turn { deal: deal.to_string(), serial: self.serial.clone() })
    }

    /// Writes a chunk that has `length` bytes.
    pub async fn write<E>(
        &self,
        deal: &str,
        number: u64,
        length: u64,
        mut bytes: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), ChunkError> {
        let folder = self.folder.join(deal);
        tokio::fs::create_dir_all(&folder).await?;
        let (file, temporary) = tempfile::Builder::new().prefix(".incoming-").tempfile_in(&folder)?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(BUFFER);
        let mut came = 0u64;
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(|_| ChunkError::Broken)?;
            came += chunk.len() as u64;
            if came > length {
                return Err(ChunkError::Length { expected: length, came });
            }
            file.write_all(&chunk).await?;
        }
        if came < length {
            return Err(ChunkError::Length { expected: length, came });
        }
        file.flush().await?;
        file.sync_data().await?;
        temporary.persist(folder.join(number.to_string())).map_err(|e| e.error)?;
        Ok(())
    }

    /// Deletes what there is of an upload.
    pub fn forget(&self, deal: &str) {
        if let Err(error) = std::fs::remove_dir_all(self.folder.join(deal))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("the chunks of {deal} stay: {error}");
        }
    }

    fn folder(&self, deal: &str) -> PathBuf {
        self.folder.join(deal)
    }
}

/// Begins to put the chunks of a deal together. What comes of it is written into the job.
pub fn assemble(shop: Arc<Shop>, runtime: &tokio::runtime::Handle, name: String) {
    runtime.spawn(async move {
        let job = shop.lock().jobs.get(&name).cloned();
        let Some(job) = job else { return };
        let Stage::Assembling { size } = job.stage else { return };
        let folder = shop.uploads.folder(&name);
        let done = match joined(&shop, &folder, job.wanted.payload_size.unwrap_or_default(), size).await {
            Err(e) => shop.failed(&name, format_args!("{e:#}")),
            Ok(received) => {
                let (found, wanted) = (received.info().piece_cid, job.wanted.piece_cid);
                match fetching::keep(&shop, &job.wanted, received).await {
                    Ok(piece) => shop.stored(&name, &piece),
                    Err(_) if found != wanted => {
                        shop.failed(&name, format_args!("commP mismatch calculated {found} and supplied {wanted}"))
                    }
                    Err(e) => shop.failed(&name, format_args!("{e:#}")),
                }
            }
        };
        match done {
            Ok(()) => shop.uploads.forget(&name),
            Err(e) => tracing::error!("provider {}: {e:#}", shop.index),
        }
    });
}

async fn joined(shop: &Shop, folder: &Path, total: u64, size: u64) -> Result<ReceivedPiece> {
    let mut sink = PieceSink::create(shop.pieces.folder(), total)?;
    for number in 1..=chunk_count(total, size) {
        let path = folder.join(number.to_string());
        let file = tokio::fs::File::open(&path).await.with_context(|| format!("chunk {number}"))?;
        let mut bytes = ReaderStream::with_capacity(file, BUFFER);
        while let Some(chunk) = bytes.next().await {
            sink.take(chunk?).await?;
        }
        let range = chunk_of(total, size, number);
        anyhow::ensure!(sink.taken() == range.end, "chunk {number} has another length than it had");
    }
    Ok(sink.finish().await?)
}
