//! Files and directories on their way into a CAR.

use std::io::{Read, Write};

use cid::Cid;

use super::block::{DAG_PB, RAW, cid_of, leaf_cids};
use super::dag_pb::{self, PbLink};
use super::layout::Layout;
use super::unixfs::directory_data;
use super::{CarWriter, Error, Link, Profile};

/// Bytes of leaves that are named together.
const MOST_BYTES: usize = 32 << 20;

/// Writes what a reader gives as one UnixFS file: leaves in order, a node right after its last child.
///
/// Errors: [`Error::Io`] of the reader or the output; [`Error::TooLarge`] for a profile whose leaves or nodes are above 2 MiB.
pub fn add_file<W: Write>(mut file: impl Read, profile: &Profile, car: &mut CarWriter<W>) -> Result<Link, Error> {
    let mut layout = Layout::new(profile.max_links);
    let together = bauta_commp::messages_worth_gathering(false).min(MOST_BYTES / profile.chunk_size).max(1);
    let together = together * profile.chunk_size;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        file.by_ref().take(together as u64).read_to_end(&mut bytes)?;
        let chunks: Vec<_> = bytes.chunks(profile.chunk_size).collect();
        for (chunk, cid) in chunks.iter().zip(leaf_cids(&chunks)) {
            let leaf = put_leaf(cid, chunk, car)?;
            layout.push(leaf, &mut |cid, block| car.put(cid, block))?;
        }
        if bytes.len() < together {
            break;
        }
    }
    match layout.finish(&mut |cid, block| car.put(cid, block))? {
        Some(root) => Ok(root),
        None => put_leaf(cid_of(RAW, &[]), &[], car),
    }
}

fn put_leaf<W: Write>(cid: Cid, chunk: &[u8], car: &mut CarWriter<W>) -> Result<Link, Error> {
    car.put(&cid, chunk)?;
    let size = chunk.len() as u64;
    Ok(Link { cid, size, tree_size: size })
}

/// Writes a directory. Names are sorted by their bytes.
///
/// Errors: [`Error::TooLarge`] when it needs more than 2 MiB; [`Error::Io`].
pub fn add_directory<W: Write>(entries: Vec<(String, Link)>, car: &mut CarWriter<W>) -> Result<Link, Error> {
    let (link, block) = directory_block(entries);
    car.put(&link.cid, &block)?;
    Ok(link)
}

/// Makes the block of a directory.
pub(crate) fn directory_block(mut entries: Vec<(String, Link)>) -> (Link, Vec<u8>) {
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let below: u64 = entries.iter().map(|(_, link)| link.tree_size).sum();
    let links: Vec<_> =
        entries.into_iter().map(|(name, link)| PbLink { cid: link.cid, name, tree_size: link.tree_size }).collect();
    let block = dag_pb::encode(&links, &directory_data());
    let cid = cid_of(DAG_PB, &block);
    (Link { cid, size: 0, tree_size: below + block.len() as u64 }, block)
}
