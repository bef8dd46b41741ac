//! `bauta devnet --export` and `--import`: the local chain as a CAR.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use bauta_devnet::archive::{self, Archived};
use bauta_devnet::genesis::Genesis;
use bauta_devnet::store::{Store, StoreError};
use cid::Cid;
use fvm_shared::clock::ChainEpoch;
use serde::Serialize;

use crate::args::DevnetRun;
use crate::context::Context;
use crate::devnet::folder;
use crate::local;
use crate::output::{Output, Rows};
use crate::place::{Place, is_dash};

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

/// Writes the chain of a folder into a CAR; if another process runs it, that one does.
pub async fn export(context: &mut Context, args: DevnetRun) -> anyhow::Result<Output> {
    let state = folder(context, &args)?;
    let path = args.export.expect("the caller has looked");
    if is_dash(&path) {
        let mut out = BufWriter::new(io::stdout());
        let done = write(context, &state, &mut out).await?;
        out.flush()?;
        context.notes().say(format_args!("exported up to epoch {}: head {}", done.epoch, done.head));
        return Ok(Output::streamed());
    }
    let place = Place::free(&path, args.force)?;
    let file = place.file(0o666)?;
    let mut out = BufWriter::new(file.as_file().try_clone()?);
    let done = write(context, &state, &mut out).await?;
    out.flush()?;
    drop(out);
    let bytes = file.as_file().metadata()?.len();
    place.publish(file)?;
    Ok(Output::new(&Exported { file: path.display().to_string(), bytes, ..done }))
}

async fn write(context: &mut Context, state: &Path, out: &mut (dyn Write + Send)) -> anyhow::Result<Exported> {
    match Store::open_to_read(state) {
        Ok(store) => {
            let Archived { epoch, head, state, tipsets, blocks, .. } = archive::export(&store, out)?;
            Ok(Exported::of(epoch, head, state, tipsets, blocks))
        }
        Err(StoreError::InUse(_)) => {
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
                out.write_all(&part)?;
                written += part.len() as u64;
            }
            Ok(Exported::of(made.epoch, made.head, made.state, made.tipsets, made.blocks))
        }
        Err(error) => Err(error.into()),
    }
}

impl Exported {
    fn of(epoch: ChainEpoch, head: Cid, state: Cid, tipsets: u64, blocks: u64) -> Self {
        let (head, state) = (head.to_string(), state.to_string());
        Self { file: String::new(), epoch, head, state, tipsets, blocks, bytes: 0 }
    }
}

/// Makes the chain of a folder that has none.
pub fn import(state: &Path, file: &Path, genesis: &Genesis) -> anyhow::Result<Archived> {
    let _lock = local::lock(state)?;
    let input: Box<dyn Read + Send> = if is_dash(file) {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(|e| anyhow::Error::new(e).context(file.display().to_string()))?)
    };
    Ok(archive::import(input, state, genesis)?)
}
