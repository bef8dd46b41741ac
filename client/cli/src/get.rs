//! `bauta get`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bauta_client::access::AccessError;
use bauta_client::crypt::ContentKind;
use bauta_client::deal::DealError;
use bauta_client::fetch::{self, Remote, Source, Watch};
use bauta_client::network::Network;
use bauta_client::pack::{self as packing, Key, Package};
use indicatif::HumanBytes;
use tempfile::TempDir;

use crate::args::Get;
use crate::context::Context;
use crate::open;
use crate::output::{Notes, Output};
use crate::pack::{Part, Target, unpacked_to};
use crate::place::{is_dash, safe_name};
use crate::progress::{Counted, Phase, Show};

/// Tells who is dropped.
pub struct Told {
    notes: Notes,
    network: Network,
}

impl Told {
    /// On stderr, in the network's spelling.
    pub fn new(notes: Notes, network: &Network) -> Self {
        Self { notes, network: network.clone() }
    }
}

impl Watch for Told {
    fn dropped(&self, source: &Source, why: &DealError) {
        let lied = if fetch::serves_something_else(why) { "dropped" } else { "passed over" };
        self.notes.say(format_args!("{lied} {}: {why}", open::source_name(&self.network, source)));
    }
}

/// Shows the download of a whole piece.
#[derive(Clone)]
pub struct Download {
    phase: Phase,
    seen: Arc<AtomicU64>,
}

impl Download {
    /// A download of so many bytes.
    pub fn new(show: Show, total: u64) -> Self {
        Self { phase: Phase::begin(show, "fetching", Some(total)), seen: Arc::default() }
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
}

/// How old a download has to be to be somebody's who does not come back.
const ABANDONED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The folder of downloads. What nobody has gone on with for long is removed from it.
pub fn downloads(context: &Context) -> anyhow::Result<PathBuf> {
    let folder = context.home().data().join("fetching");
    bauta_client::home::create_private_folder(&folder)?;
    for entry in std::fs::read_dir(&folder)?.flatten() {
        let about = entry.metadata();
        let age = about.as_ref().ok().and_then(|about| about.modified().ok()).and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED) {
            // Another process may be removing it, too.
            let _ = match about.is_ok_and(|about| about.is_dir()) {
                true => std::fs::remove_dir_all(entry.path()),
                false => std::fs::remove_file(entry.path()),
            };
        }
    }
    Ok(folder)
}

/// A folder for one download of a whole piece, gone when it is dropped.
pub fn room_for_a_piece(context: &Context) -> anyhow::Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("piece-").tempdir_in(downloads(context)?)?)
}

/// Fetches, verifies, decrypts, all at once.
pub async fn get(context: &mut Context, args: Get) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (_, network) = context.node().await?;
    let record = actor.file(args.file_id).await?.ok_or(AccessError::NoSuchFile(args.file_id))?;
    let access = open::open(context, &actor, args.file_id).await?;
    let named = access.metadata()?;
    let otherwise = format!("file-{}", args.file_id);
    let path = args.path.as_deref().map(inner_path);
    let is_file = path.is_some() || args.range.is_some() || named.as_ref().is_none_or(|m| m.kind == ContentKind::File);
    let name = match &path {
        Some(path) => safe_name(path, &otherwise),
        None => safe_name(&named.map(|m| m.name).unwrap_or_default(), &otherwise),
    };
    let out: PathBuf = match &args.out {
        // As `cp` has it.
        Some(out) if is_file && !is_dash(out) && out.is_dir() => out.join(name),
        Some(out) => out.clone(),
        None => name.into(),
    };
    let target = Target::of(context, &out, args.force)?;

    let sources = open::sources(context, &actor, &record, &args.provider).await?;
    let (piece, root) = (fetch::piece_of(&access.record.file), access.record.file.payload_cid);
    let part = Part { path, range: args.range };
    let whole = part.path.is_none() && part.range.is_none();
    let phase = Phase::begin(context.progress(), "fetching", whole.then_some(piece.payload_size));
    let (notes, to_stdout) = (context.notes(), is_dash(&out));
    // What goes through a pipe cannot be gone on with, and what is here already need not be copied.
    let keep = !to_stdout && !sources.iter().any(|source| matches!(source, Source::Here(_)));
    let told = Arc::new(Told::new(notes, &network));
    let remote = Remote::new(&piece, &root, &sources, &downloads(context)?, keep, told)?;
    if remote.kept() > 0 {
        notes.say(format_args!("going on where an earlier get stopped: {} are here", HumanBytes(remote.kept())));
    }
    let target = if remote.keeps() { target.alone(&format!("get-{root}")) } else { target };
    let work = move || -> anyhow::Result<(packing::Unpacked, Vec<(Source, u64)>)> {
        let mut package = Package::of(Counted::new(remote, phase.clone()), Key::File(&access.file_key))?;
        let unpacked = target.take(&mut package, &part)?;
        phase.end();
        Ok((unpacked, package.into_blocks().into_inner().finish()))
    };
    let (unpacked, served) = tokio::task::spawn_blocking(work).await?.map_err(cause)?;
    if !served.is_empty() {
        let by: Vec<_> = served.iter().map(|(source, _)| open::source_name(&network, source)).collect();
        notes.say(format_args!("served by {}", by.join(", ")));
    }
    Ok(if to_stdout { Output::streamed() } else { unpacked_to(&out, &unpacked) })
}

/// A path inside a folder as people write it: `./a`, `/a` and `a/` are `a`.
fn inner_path(path: &str) -> String {
    let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    names.collect::<Vec<_>>().join("/")
}

/// What went wrong with the providers, rather than with reading from them.
pub fn cause(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<packing::Error>() {
        Ok(error) => fetch::fetch_error(error).map_or_else(Into::into, Into::into),
        Err(error) => error,
    }
}
