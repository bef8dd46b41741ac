//! What a block links to, for those who hand blocks on without reading files out of them.

use cid::Cid;

use super::Error;
use super::block::{DAG_PB, RAW};
use super::blocks::Entry;
use super::dag_pb::{self, PbLink};
use super::unixfs::{self, Node};

/// What a block means as a part of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Bytes of a file: first those in the block itself, then those of its children.
    File {
        /// How many bytes of the file stand in the block.
        own: u64,
        /// Roots of the parts that follow, and how many bytes of the file each holds.
        children: Vec<(Cid, u64)>,
    },
    /// Names.
    Directory(Vec<Entry>),
    /// A dag-pb node that is neither a plain file nor a plain directory.
    Other(Vec<Cid>),
}

/// Says what a block links to, which was checked against its CID.
///
/// Errors: [`Error::BadNode`] where it is no dag-pb; [`Error::Unsupported`] for other codecs than raw and dag-pb.
pub fn shape(cid: &Cid, block: &[u8]) -> Result<Shape, Error> {
    match cid.codec() {
        RAW => return Ok(Shape::File { own: block.len() as u64, children: Vec::new() }),
        DAG_PB => {}
        codec => return Err(Error::Unsupported(format!("codec {codec:#x} of block {cid}"))),
    }
    match unixfs::parse(cid, block.to_vec()) {
        Ok(Node::File { data, children, .. }) => Ok(Shape::File { own: data.len() as u64, children }),
        Ok(Node::Directory(links)) => {
            let entry = |link: PbLink| Entry { name: link.name, cid: link.cid, tree_size: link.tree_size };
            Ok(Shape::Directory(links.into_iter().map(entry).collect()))
        }
        Err(_) => Ok(Shape::Other(dag_pb::decode(cid, block)?.0.into_iter().map(|link| link.cid).collect())),
    }
}
