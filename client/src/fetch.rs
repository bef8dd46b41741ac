//! Fetching: from whoever serves the piece, and nobody is believed: what comes is the piece, byte for byte, or it is dropped and the next one is asked.
//!
//! FileId + Identity -> Access -> Source -> Car (verified) -> plaintext
//!
//! ```no_run
//! # async fn example(actor: bauta_client::actor::Actor, me: bauta_client::crypt::Identity)
//! #     -> Result<(), Box<dyn std::error::Error>> {
//! use bauta_client::access::Access;
//! use bauta_client::{address, fetch};
//!
//! let access = Access::open(&actor, 7, &address::parse("t1…")?, &[me]).await?;
//! let piece = fetch::piece_of(&access.record.file);
//! let sources = fetch::sources_on_chain(&actor, &piece.piece_cid).await?;
//! let fetched = fetch::fetch(&piece, &sources, "piece.car".as_ref(), &fetch::Quiet).await?;
//! println!("{} served it", fetched.from);
//! # Ok(())
//! # }
//! ```

mod ahead;
mod fleet;
mod partial;
mod peer;
mod remote;
mod sources;

use std::path::Path;
use std::sync::Arc;

use bauta_abi::FileSpec;

use crate::deal::{DealError, Retrieval};
use crate::piece::{CommP, PieceInfo};

use peer::PATIENCE;

pub(crate) use peer::Peer;
pub use remote::{Remote, fetch_error};
pub use sources::{Source, provider_url, sources_of, sources_on_chain};

/// The piece that a record names.
pub fn piece_of(file: &FileSpec) -> PieceInfo {
    PieceInfo { piece_cid: file.piece_cid, padded_size: file.padded_size, payload_size: file.payload_size }
}

/// Who wants to know how a fetch goes on.
pub trait Watch: Send + Sync {
    /// A source is asked.
    fn asking(&self, _source: &Source) {}
    /// So many bytes of it have come.
    fn received(&self, _bytes: u64) {}
    /// A source is given up, and why.
    fn dropped(&self, _source: &Source, _why: &DealError) {}
}

/// Wants to know nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Watch for Quiet {}

impl Watch for Arc<dyn Watch> {
    fn asking(&self, source: &Source) {
        (**self).asking(source);
    }

    fn received(&self, bytes: u64) {
        (**self).received(bytes);
    }

    fn dropped(&self, source: &Source, why: &DealError) {
        (**self).dropped(source, why);
    }
}

/// A piece that is there, every byte of it checked.
#[derive(Debug)]
pub struct Fetched {
    /// Who served it.
    pub from: Source,
    /// Who was asked before, and why they were dropped.
    pub dropped: Vec<(Source, DealError)>,
}

/// Why a piece was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody is known to have it.
    #[error("nobody is known to store it: name a provider with --provider")]
    NoSource,
    /// Somebody served other bytes, and nobody served the right ones.
    #[error("no provider serves the piece: {}", list(.0))]
    Corrupt(Vec<(Source, DealError)>),
    /// Nobody serves it now.
    #[error("no provider serves the piece now: {}", list(.0))]
    Unavailable(Vec<(Source, DealError)>),
    /// Our own disk.
    #[error(transparent)]
    Disk(#[from] std::io::Error),
}

fn list(dropped: &[(Source, DealError)]) -> String {
    dropped.iter().map(|(source, why)| format!("{source}: {why}")).collect::<Vec<_>>().join("; ")
}

/// Fetches a piece into `out`, which appears only when every byte is verified against the piece commitment.
///
/// Errors: [`FetchError`].
pub async fn fetch(
    piece: &PieceInfo,
    sources: &[Source],
    out: &Path,
    watch: &(impl Watch + Clone + 'static),
) -> Result<Fetched, FetchError> {
    if sources.is_empty() {
        return Err(FetchError::NoSource);
    }
    let mut dropped = Vec::new();
    for source in sources {
        watch.asking(source);
        match fetch_from(source, piece, out, watch.clone()).await {
            Ok(()) => return Ok(Fetched { from: source.clone(), dropped }),
            Err(DealError::Disk(error)) => return Err(error.into()),
            Err(why) => {
                watch.dropped(source, &why);
                dropped.push((source.clone(), why));
            }
        }
    }
    let lied = dropped.iter().any(|(_, why)| serves_something_else(why));
    Err(if lied { FetchError::Corrupt(dropped) } else { FetchError::Unavailable(dropped) })
}

/// Whether a provider was caught serving what is not the piece.
pub fn serves_something_else(why: &DealError) -> bool {
    matches!(why, DealError::WrongBytes { .. } | DealError::Forged { .. } | DealError::Malformed { .. })
}

async fn fetch_from(
    source: &Source,
    piece: &PieceInfo,
    out: &Path,
    watch: impl Watch + 'static,
) -> Result<(), DealError> {
    match source {
        Source::Provider { url, .. } => {
            let retrieval = Retrieval::with_timeouts(url, PATIENCE)?;
            retrieval.fetch_piece(piece, out, Some(Arc::new(move |bytes| watch.received(bytes)))).await
        }
        Source::Here(path) => {
            let (path, out, piece) = (path.clone(), out.to_path_buf(), piece.clone());
            let copied = tokio::task::spawn_blocking(move || copy(&path, &out, &piece));
            copied.await.map_err(std::io::Error::other)?
        }
    }
}

/// Takes a CAR of our own outbox, as little believed as anybody's.
fn copy(from: &Path, out: &Path, piece: &PieceInfo) -> Result<(), DealError> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(crate::deal::INCOMING).tempfile_in(folder)?;
    let mut comm_p = CommP::new();
    let mut both = Both(&mut file, &mut comm_p);
    std::io::copy(&mut std::fs::File::open(from)?, &mut both)?;
    let found = comm_p.finish();
    if found != *piece {
        let mismatch = Box::new(crate::deal::Mismatch { expected: piece.clone(), found });
        return Err(DealError::WrongBytes { provider: from.display().to_string(), mismatch });
    }
    file.persist(out).map_err(|e| e.error)?;
    Ok(())
}

struct Both<'a>(&'a mut tempfile::NamedTempFile, &'a mut CommP);

impl std::io::Write for Both<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.update(&bytes[..written]).map_err(std::io::Error::other)?;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests;
