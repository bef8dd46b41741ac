//! `bauta serve`: offers pieces over HTTP for providers to fetch, such as the source of a bounty.
//!
//! Only the pieces that were named, by their piece CID; whole or in ranges; read as they go out, so memory does not grow with them.

mod answer;
mod door;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bauta_client::piece::{CommP, PieceInfo, piece_cid_v2};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Serve;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{self, Output, Rows};
use crate::pack::Piece;
use crate::progress::{Counted, Phase};

use door::Door;

/// How long transfers that are under way may go on after an interruption.
const LAST_BYTES: Duration = Duration::from_secs(2);

/// A piece that is served.
pub struct Served {
    /// What it is.
    pub piece: PieceInfo,
    /// Where its bytes are.
    path: PathBuf,
    modified: Option<SystemTime>,
}

impl Served {
    /// Reads a file to the end and says which piece it is.
    fn read(path: &Path, phase: &Phase) -> anyhow::Result<Self> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(Failure::usage("this is not a file"));
        }
        let mut comm_p = CommP::new();
        std::io::copy(&mut Counted::new(file, phase.clone()), &mut comm_p)?;
        let piece = comm_p.finish();
        if piece.payload_size == 0 {
            return Err(Failure::usage("an empty file is no piece that a provider would take"));
        }
        Ok(Self { piece, path: path.into(), modified: about.modified().ok() })
    }

    /// The file, if it is still the one that was read.
    fn open(&self) -> std::io::Result<Option<File>> {
        let file = File::open(&self.path)?;
        let about = file.metadata()?;
        let same = about.len() == self.piece.payload_size && about.modified().ok() == self.modified;
        Ok(same.then_some(file))
    }
}

#[derive(Serialize)]
struct Row {
    path: String,
    url: String,
    #[serde(flatten)]
    piece: Piece,
}

#[derive(Serialize)]
struct Banner {
    listen: String,
    pieces: Vec<Row>,
}

impl fmt::Display for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default().row("listening", &self.listen);
        self.pieces
            .iter()
            .fold(rows, |rows, row| row.piece.rows(rows.row("file", &row.path)).row("url", &row.url))
            .fmt(f)
    }
}

/// Serves until it is interrupted.
pub async fn serve(context: &mut Context, args: Serve) -> anyhow::Result<Output> {
    if let Some(url) = &args.public_url
        && !url.starts_with("http://")
        && !url.starts_with("https://")
    {
        return Err(Failure::usage("--public-url begins with http:// or https://"));
    }
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let pieces = tokio::select! {
        pieces = read(context, &args.cars) => pieces?,
        _ = interrupt.recv() => return Err(crate::progress::interrupt()),
        _ = terminate.recv() => return Err(crate::progress::interrupt()),
    };
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .map_err(|error| Failure::because(Exit::Failed, format!("{} cannot be served at: {error}", args.listen)))?;
    let listen = listener.local_addr()?;
    let base = args.public_url.unwrap_or_else(|| format!("http://{listen}"));
    let base = base.trim_end_matches('/');
    let row = |served: &Served| Row {
        path: served.path.display().to_string(),
        url: format!("{base}{}", bauta_client::deal::piece_path(&served.piece)),
        piece: Piece::from(&served.piece),
    };
    let banner = Banner { listen: listen.to_string(), pieces: pieces.iter().map(row).collect() };
    output::announce(Output::new(&banner), context.json());

    let shelf: BTreeMap<String, Arc<Served>> = pieces.into_iter().flat_map(names).collect();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(Door::new(listener), answer::router(shelf, context.notes()))
        .with_graceful_shutdown(async { drop(stopped.await) });
    let serving = tokio::spawn(serving.into_future());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    drop(stop);
    // Whoever still fetches may finish, but not keep us.
    let _ = tokio::time::timeout(LAST_BYTES, serving).await;
    Ok(Output::streamed())
}

async fn read(context: &Context, cars: &[PathBuf]) -> anyhow::Result<Vec<Served>> {
    let mut pieces: Vec<Served> = Vec::new();
    for path in cars {
        let size = std::fs::metadata(path).map(|about| about.len()).ok();
        let phase = Phase::begin(context.progress(), "reading", size);
        let (file, counted) = (path.clone(), phase.clone());
        let served = tokio::task::spawn_blocking(move || Served::read(&file, &counted)).await?;
        phase.end();
        pieces.push(served.map_err(|error| error.context(path.display().to_string()))?);
    }
    Ok(pieces)
}

/// The names by which a piece is asked for: v2 as in our URLs, and v1 as it stands on the chain.
fn names(served: Served) -> [(String, Arc<Served>); 2] {
    let served = Arc::new(served);
    [(piece_cid_v2(&served.piece).to_string(), served.clone()), (served.piece.piece_cid.to_string(), served)]
}
