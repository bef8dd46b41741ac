//! Asking a provider for a piece, and not believing it.

use std::time::Duration;

use cid::Cid;

use super::Served;
use crate::check::{CheckError, Trees, spot_check};
use crate::deal::{DealCode, DealError, Retrieval, Timeouts};
use crate::fetch::Source;
use crate::home::FileError;
use crate::piece::{Engine, KEPT_NODE, PieceInfo};

/// How long a provider may be silent before it counts as such.
const PATIENCE: Timeouts = Timeouts { connect: Duration::from_secs(5), idle: Duration::from_secs(10) };
/// Random parts that are looked at, about a MiB each.
const PARTS: usize = 2;
/// How long an answer may take, and how much longer by what comes: who sends just enough not to be left holds nobody up.
const ANSWER: Duration = Duration::from_secs(120);
const SLOWEST: u64 = 64 << 10;
/// The largest piece that is fetched whole where nothing else shows what it is, in bytes. Of larger ones, that they are offered has to do.
const WHOLE: u64 = 64 << 20;

/// Asks a provider: whether it offers the piece, and whether random parts of it are right. `root` is the CAR's, where that is known.
///
/// Errors: our own files.
pub(super) async fn probe(
    source: &Source,
    piece: &PieceInfo,
    root: Option<&Cid>,
    trees: &Trees,
) -> Result<Served, FileError> {
    let Source::Provider { url, .. } = source else {
        return Ok(Served::Silent("nobody knows where it serves".into()));
    };
    let patience = ANSWER + Duration::from_secs(piece.payload_size.min(WHOLE) / SLOWEST);
    let Ok(asked) = tokio::time::timeout(patience, ask(source, url, piece, root, trees)).await else {
        return Ok(Served::Silent(format!("it has not shown the piece within {} seconds", patience.as_secs())));
    };
    match asked {
        Ok(verified) => Ok(Served::Right { verified }),
        Err(CheckError::Home(error)) => Err(error),
        // That our disk is full is not the provider's fault.
        Err(CheckError::Source(DealError::Disk(source))) => Err(FileError::Io { path: std::env::temp_dir(), source }),
        Err(CheckError::OnlyWhole) => Ok(Served::Right { verified: 0 }),
        Err(CheckError::Source(why)) => Ok(sorted(&why)),
    }
}

async fn ask(
    source: &Source,
    url: &str,
    piece: &PieceInfo,
    root: Option<&Cid>,
    trees: &Trees,
) -> Result<u64, CheckError> {
    let retrieval = Retrieval::with_timeouts(url, PATIENCE)?;
    if !retrieval.has_piece(piece).await? {
        let reason = "it has no such piece".to_string();
        return Err(DealError::Refused { provider: source.to_string(), code: DealCode::NotFound, reason }.into());
    }
    match spot_check(piece, root, source, trees, PARTS).await {
        Ok(checked) => Ok(checked.bytes),
        Err(CheckError::OnlyWhole) if piece.payload_size <= WHOLE => whole(&retrieval, piece, trees).await,
        Err(other) => Err(other),
    }
}

/// Fetches all of a piece, and keeps what a part of it can be checked with the next time.
async fn whole(retrieval: &Retrieval, piece: &PieceInfo, trees: &Trees) -> Result<u64, CheckError> {
    let folder = tempfile::tempdir().map_err(DealError::from)?;
    let car = folder.path().join("piece.car");
    retrieval.fetch_piece(piece, &car, None).await?;
    let hashing = tokio::task::spawn_blocking(move || {
        let keeping = Engine::new().keep(KEPT_NODE).map_err(std::io::Error::other)?;
        let mut comm_p = keeping.comm_p();
        std::io::copy(&mut std::fs::File::open(&car)?, &mut comm_p)?;
        Ok::<_, std::io::Error>(comm_p.finish_tree())
    });
    let tree = hashing.await.map_err(std::io::Error::other).and_then(|tree| tree).map_err(DealError::from)?;
    trees.keep(&tree)?;
    Ok(piece.payload_size)
}

fn sorted(why: &DealError) -> Served {
    let text = why.to_string();
    match why {
        DealError::Refused { code: DealCode::NotFound, .. } => Served::Lost(text),
        _ if crate::fetch::serves_something_else(why) => Served::Forged(text),
        _ => Served::Silent(text),
    }
}
