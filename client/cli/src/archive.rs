//! `bauta devnet --export` and `--import`: the local chain as a CAR.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bauta_devnet::archive::{self, ArchiveError, Archived};
use bauta_devnet::genesis::Genesis;
use bauta_devnet::store::{Store, StoreError};
use cid::Cid;
use fvm_shared::clock::ChainEpoch;
use serde::Serialize;

use crate::args::DevnetRun;
use crate::context::Context;
use crate::devnet::folder;
use crate::exit::Failure;
use crate::local;
use crate::output::{Output, Rows, stdout_error};
use crate::place::{Made, Place, is_dash};
use crate::unattended;

#[derive(Serialize)]
struct Exported {
    file: String,
    epoch: ChainEpoch,
    head: String,
    state: String,
    tipsets: u64,
    blocks: u64,
    bytes: u64,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rows::default()
            .row("file", &self.file)
            .row("epoch", self.epoch)
            .row("head", &self.head)
            .row("state", &self.state)
            .row("tipsets", self.tipsets)
            .row("blocks", self.blocks)
            .row("bytes", self.bytes)
            .fmt(f)
    }
}

/// What is made of an error while writing.
type Lost = fn(io::Error) -> anyhow::Error;

/// Writes the chain of a folder into a CAR; if another process runs it, that one does.
pub async fn export(context: &mut Context, args: DevnetRun) -> anyhow::Result<Output> {
    let state = folder(context, &args)?;
    let path = args.export.expect("the caller has looked");
    if is_dash(&path) {
        if context.json() {
            return Err(Failure::usage("--json and --export - exclude each other: stdout holds one of them"));
        }
        let done = write(context, &state, Box::new(io::stdout()), stdout_error).await?;
        context.notes().say(format_args!("exported up to epoch {}: head {}", done.epoch, done.head));
        return Ok(Output::streamed());
    }
    let place = Place::free(&path, args.force)?;
    place.suits(Made::File)?;
    let file = place.file_again(0o666)?;
    let done = write(context, &state, Box::new(file.as_file().try_clone()?), anyhow::Error::new).await?;
    let written = file.as_file().try_clone()?;
    // Where an interruption is seen, the disk may take its time.
    unattended::run(move || Ok(written.sync_all()?)).await?;
    let bytes = file.as_file().metadata()?.len();
    place.publish(file)?;
    Ok(Output::new(&Exported { file: path.display().to_string(), bytes, ..done }))
}

async fn write(
    context: &mut Context,
    state: &Path,
    out: Box<dyn Write + Send>,
    lost: Lost,
) -> anyhow::Result<Exported> {
    let (mut out, from) = (BufWriter::new(out), state.to_owned());
    let here = move || match Store::open_to_read(&from) {
        Err(StoreError::InUse(_)) => Ok(Err(out)),
        store => {
            let written = archive::export(&store?, &mut out).map_err(|error| match error {
                ArchiveError::Disk(error) => lost(error),
                other => other.into(),
            })?;
            out.flush().map_err(lost)?;
            Ok(Ok(written))
        }
    };
    let mut out = match unattended::run(here).await? {
        Ok(Archived { epoch, head, state, tipsets, blocks, .. }) => {
            return Ok(Exported::of(epoch, head, state, tipsets, blocks));
        }
        Err(out) => out,
    };
    // Several devnets may run on this machine: the one that is asked has to be the one of this folder.
    let node = context.reached_devnet().await?.ok_or_else(|| local::busy(state))?;
    if node.devnet_info().await?.state != Some(state.canonicalize()?) {
        return Err(local::busy(state));
    }
    let made = node.devnet_export().await?;
    let mut written = 0;
    while written < made.size {
        let part = node.devnet_export_part(made.number, written).await?;
        anyhow::ensure!(!part.is_empty(), "the devnet gives {written} of {} bytes", made.size);
        written += part.len() as u64;
        out = unattended::run(move || out.write_all(&part).map(|()| out).map_err(lost)).await?;
    }
    unattended::run(move || out.flush().map_err(lost)).await?;
    Ok(Exported::of(made.epoch, made.head, made.state, made.tipsets, made.blocks))
}

impl Exported {
    fn of(epoch: ChainEpoch, head: Cid, state: Cid, tipsets: u64, blocks: u64) -> Self {
        let (head, state) = (head.to_string(), state.to_string());
        Self { file: String::new(), epoch, head, state, tipsets, blocks, bytes: 0 }
    }
}

/// Makes the chain of a folder that has none: all of it, or nothing, also where it is not waited for to the end.
pub async fn import(state: &Path, file: &Path, genesis: &Genesis) -> anyhow::Result<Archived> {
    let _lock = local::lock(state)?;
    if Store::is_in(state) {
        return Err(ArchiveError::Occupied(state.to_owned()).into());
    }
    // The lock is that of the name, too: what lies there is a killed process's.
    let place = Place::free(&state.components().collect::<PathBuf>(), true)?;
    let name = place.hashed("import");
    let made = place.beside(&name).folder()?;
    let chain = made.path().join("chain");
    let (into, file, genesis) = (chain.clone(), file.to_owned(), genesis.clone());
    let read = move || Ok(archive::import(input(&file)?, &into, &genesis)?);
    let archived = unattended::run(read).await?;
    Store::adopt(&chain, state)?;
    Ok(archived)
}

fn input(file: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    if is_dash(file) {
        return Ok(Box::new(io::stdin()));
    }
    let opened = File::open(file).map_err(|e| anyhow::Error::new(e).context(file.display().to_string()))?;
    Ok(Box::new(opened))
}
