//! Fetching pieces from elsewhere: on the runtime's threads, never on the chain's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bauta_client::deal::{PieceSink, ReceivedPiece};
use bauta_client::piece::PieceInfo;
use futures::StreamExt;
use reqwest::Url;

use super::book::{Source, Stage, Wanted};
use super::shop::Shop;

/// How often a source is tried.
const ATTEMPTS: u32 = 3;

/// Begins to fetch what a job lacks. What comes of it is written into the job.
pub fn begin(shop: Arc<Shop>, runtime: &tokio::runtime::Handle, name: String) {
    runtime.spawn(async move {
        let job = shop.lock().jobs.get(&name).cloned();
        let Some(job) = job.filter(|job| job.stage == Stage::Fetching) else { return };
        let done = match obtain(&shop, &job.wanted, &job.sources).await {
            Ok(piece) => shop.stored(&name, &piece),
            Err(e) => shop.failed(&name, format_args!("{e:#}")),
        };
        if let Err(e) = done {
            tracing::error!("provider {}: {e:#}", shop.index);
        }
    });
}

async fn obtain(shop: &Arc<Shop>, wanted: &Wanted, sources: &[Source]) -> Result<PieceInfo> {
    if let Some(piece) = shop.pieces.find(wanted) {
        return Ok(piece);
    }
    ensure!(!sources.is_empty(), "the piece is not here, and nobody says where it is");
    let mut last = None;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(500) * attempt).await;
        }
        for source in sources {
            match fetch(shop, wanted, source).await {
                Ok(piece) => return Ok(piece),
                Err(e) => last = Some(e.context(format!("fetching the piece from {}", source.url))),
            }
        }
    }
    last.map_or_else(|| bail!("it was not tried"), Err)
}

async fn fetch(shop: &Arc<Shop>, wanted: &Wanted, source: &Source) -> Result<PieceInfo> {
    let url = Url::parse(&source.url).context("this is not a URL")?;
    ensure!(matches!(url.scheme(), "http" | "https"), "only http and https are spoken here");
    let mut request = shop.http.get(url);
    for (name, value) in source.headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)))
    {
        request = request.header(name, value);
    }
    let response = request.send().await?.error_for_status()?;
    let limit = wanted.payload_size.unwrap_or(wanted.size().unpadded().0);
    let mut sink = PieceSink::create(shop.pieces.folder(), limit)?;
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        sink.take(chunk?).await?;
    }
    keep(shop, wanted, sink.finish().await?).await
}

/// Keeps what was received, if it is what is meant.
pub async fn keep(shop: &Arc<Shop>, wanted: &Wanted, received: ReceivedPiece) -> Result<PieceInfo> {
    let expected = PieceInfo {
        piece_cid: wanted.piece_cid,
        padded_size: wanted.size(),
        payload_size: wanted.payload_size.unwrap_or(received.info().payload_size),
    };
    let verified = received.verify(&expected).map_err(|mismatch| anyhow::anyhow!("{mismatch}"))?;
    let shop = shop.clone();
    Ok(tokio::task::spawn_blocking(move || shop.pieces.keep(verified)).await??)
}
