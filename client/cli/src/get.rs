//! `bauta get`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bauta_client::access::AccessError;
use bauta_client::deal::DealError;
use bauta_client::fetch::{self, Source, Watch};
use bauta_client::network::Network;
use bauta_client::pack::{self as packing, Key, Package};
use tempfile::TempDir;

use crate::args::Get;
use crate::context::Context;
use crate::open;
use crate::output::{Notes, Output};
use crate::pack::{Part, Target, unpacked_to};
use crate::place::{is_dash, safe_name};
use crate::progress::{Counted, Phase, Show};

/// Shows a download.
#[derive(Clone)]
pub struct Download {
    notes: Notes,
    network: Network,
    phase: Phase,
    seen: Arc<AtomicU64>,
}

impl Download {
    /// A download of so many bytes.
    pub fn new(notes: Notes, network: &Network, show: Show, total: u64) -> Self {
        Self {
            notes,
            network: network.clone(),
            phase: Phase::begin(show, "fetching", Some(total)),
            seen: Arc::default(),
        }
    }

    /// Ends it.
    pub fn end(&self) {
        self.phase.end();
    }
}

impl Watch for Download {
    fn asking(&self, _source: &Source) {
        self.seen.store(0, Ordering::Relaxed);
    }

    fn received(&self, bytes: u64) {
        let before = self.seen.swap(bytes, Ordering::Relaxed);
        self.phase.add(bytes.saturating_sub(before));
    }

    fn dropped(&self, source: &Source, why: &DealError) {
        let lied = if fetch::serves_something_else(why) { "dropped" } else { "passed over" };
        self.notes.say(format_args!("{lied} {}: {why}", open::source_name(&self.network, source)));
    }
}

/// How old a download has to be to be somebody's who was killed.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// A folder for one download, gone when it is dropped; removes what killed processes left behind.
pub fn room_for_a_piece(context: &Context) -> anyhow::Result<TempDir> {
    let folder = context.home().data().join("fetching");
    bauta_client::home::create_private_folder(&folder)?;
    for entry in std::fs::read_dir(&folder)?.flatten() {
        let age = entry.metadata().and_then(|about| about.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED) {
            // Another process may be removing it, too.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(tempfile::Builder::new().prefix("piece-").tempdir_in(&folder)?)
}

/// Fetches, verifies, decrypts.
pub async fn get(context: &mut Context, args: Get) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (_, network) = context.node().await?;
    let record = actor.file(args.file_id).await?.ok_or(AccessError::NoSuchFile(args.file_id))?;
    let access = open::open(context, &actor, args.file_id).await?;
    let named = access.metadata()?;
    let otherwise = format!("file-{}", args.file_id);
    let out: PathBuf = match (&args.out, &args.path) {
        (Some(out), _) => out.clone(),
        (None, Some(path)) => safe_name(path, &otherwise).into(),
        (None, None) => safe_name(&named.map(|m| m.name).unwrap_or_default(), &otherwise).into(),
    };
    let target = Target::of(context, &out, args.force)?;

    let providers: Vec<_> = args.provider.iter().map(|provider| provider.0).collect();
    let sources = open::sources(context, &actor, &record, &providers).await?;
    let piece = fetch::piece_of(&access.record.file);
    let held = room_for_a_piece(context)?;
    let car = held.path().join("piece.car");
    let download = Download::new(context.notes(), &network, context.progress(), piece.payload_size);
    let fetched = fetch::fetch(&piece, &sources, &car, &download).await?;
    download.end();
    context.notes().say(format_args!("served by {}", open::source_name(&network, &fetched.from)));

    let part = Part { path: args.path.clone(), range: args.range };
    let phase = Phase::begin(context.progress(), "decrypting", None);
    let to_stdout = is_dash(&out);
    let work = move || -> anyhow::Result<packing::Unpacked> {
        let car = Counted::new(std::fs::File::open(&car)?, phase.clone());
        let root = access.record.file.payload_cid;
        let mut package = Package::open(car, Some(&root), Key::File(&access.file_key))?;
        let unpacked = target.take(&mut package, &part)?;
        phase.end();
        Ok(unpacked)
    };
    let unpacked = tokio::task::spawn_blocking(work).await?;
    drop(held);
    let unpacked = unpacked?;
    Ok(if to_stdout { Output::streamed() } else { unpacked_to(&out, &unpacked) })
}
