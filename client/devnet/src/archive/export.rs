//! Writing a chain into a file.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};

use anyhow::Context;
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_car::{Block, CarHeader, CarWriter};
use fvm_ipld_encoding::{DAG_CBOR, to_vec};

use super::{ArchiveError, Archived, Description, FINALITY, FORMAT, VERSION, is_block};
use crate::chain::Chain;
use crate::links::links;
use crate::store::Store;
use crate::tipset;

/// Writes a chain as it is now; somebody else may go on with it meanwhile.
pub fn export(store: &Store, out: impl Write) -> Result<Archived, ArchiveError> {
    let network = store.network()?.context("there is no chain")?;
    let mut tipsets = store.last_tipsets(FINALITY)?;
    let head = tipsets.first().context("there is no chain")?.clone();
    let genesis = store.tipset_at_or_before(0)?.context("genesis is missing")?;
    let description = Description {
        format: FORMAT.into(),
        version: VERSION,
        network,
        state: head.state,
        receipts: head.receipts,
        genesis: genesis.block,
    };
    if tipsets.last().is_some_and(|oldest| oldest.height != genesis.height) {
        tipsets.push(genesis);
    }
    let bytes = to_vec(&description).context("the description")?;
    let name = bauta_client::message::cid_of(&bytes);
    let mut writing = Writing {
        store,
        car: CarWriter::new(CarHeader::new(vec![head.block, name], 1), out).map_err(car)?,
        seen: HashSet::new(),
    };
    writing.put(name, bytes)?;
    for tipset in &tipsets {
        writing.alone(tipset.block)?;
        writing.all(tipset::read_block(store, &tipset.block)?.messages)?;
        writing.all(tipset.receipts)?;
    }
    for state in [head.state, head.parent_state] {
        writing.all(state)?;
    }
    writing.car.flush().map_err(car)?;
    Ok(Archived {
        network: description.network.name,
        epoch: head.height,
        head: head.block,
        state: head.state,
        tipsets: tipsets.len() as u64,
        blocks: writing.seen.len() as u64,
    })
}

struct Writing<'a, W> {
    store: &'a Store,
    car: CarWriter<W>,
    seen: HashSet<Cid>,
}

impl<W: Write> Writing<'_, W> {
    fn put(&mut self, cid: Cid, data: Vec<u8>) -> Result<(), ArchiveError> {
        self.seen.insert(cid);
        self.car.write(Block { cid, data }).map_err(car)
    }

    fn alone(&mut self, cid: Cid) -> Result<Vec<Cid>, ArchiveError> {
        if self.seen.contains(&cid) || !is_block(&cid) {
            return Ok(vec![]);
        }
        let block = self.store.get(&cid)?.with_context(|| format!("block {cid} is missing in the database"))?;
        let next = if cid.codec() == DAG_CBOR { links(&block) } else { vec![] };
        self.put(cid, block)?;
        Ok(next)
    }

    /// A block and everything that hangs on it.
    fn all(&mut self, root: Cid) -> Result<(), ArchiveError> {
        let mut open = vec![root];
        while let Some(cid) = open.pop() {
            open.extend(self.alone(cid)?);
        }
        Ok(())
    }
}

fn car(error: fvm_ipld_car::Error) -> ArchiveError {
    match error {
        fvm_ipld_car::Error::Io(error) => ArchiveError::Disk(error),
        other => ArchiveError::Node(anyhow::Error::new(other)),
    }
}

/// Bytes of one part.
const PART: u64 = 4 << 20;

/// A file that is fetched part by part.
pub(crate) struct Export {
    /// It is the so-many-th.
    pub number: u64,
    /// Bytes.
    pub size: u64,
    /// What it holds.
    pub archived: Archived,
    file: File,
}

impl Chain {
    /// Writes the chain as it is now into a file without a name, which goes with the next one.
    pub(crate) fn export(&mut self) -> anyhow::Result<&Export> {
        let number = self.exported.take().map_or(1, |last| last.number + 1);
        let mut out = BufWriter::new(tempfile::tempfile()?);
        let archived = export(&self.store, &mut out)?;
        let file = out.into_inner().map_err(|e| e.into_error())?;
        let size = file.metadata()?.len();
        Ok(self.exported.insert(Export { number, size, archived, file }))
    }

    /// A part of it; empty at its end.
    pub(crate) fn export_part(&mut self, number: u64, from: u64) -> anyhow::Result<Vec<u8>> {
        let export = self.exported.as_mut().filter(|export| export.number == number);
        let export = export.with_context(|| format!("export {number} is not there any more: ask for a new one"))?;
        export.file.seek(SeekFrom::Start(from.min(export.size)))?;
        let mut part = Vec::new();
        (&mut export.file).take(PART).read_to_end(&mut part)?;
        Ok(part)
    }
}
