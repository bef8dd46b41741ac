//! UnixFS: what a dag-pb node means.

use cid::Cid;

use super::block::{DAG_PB, RAW};
use super::dag_pb::{self, Fields, PbLink, Value, write_number};
use super::{Error, read_uvarint};

const TYPE_RAW: u64 = 0;
const TYPE_DIRECTORY: u64 = 1;
const TYPE_FILE: u64 = 2;

/// What a block means.
pub(super) enum Node {
    /// Bytes of a file, then those of its children.
    File { data: Vec<u8>, children: Vec<(Cid, u64)>, size: u64 },
    /// Names.
    Directory(Vec<PbLink>),
}

/// Writes the data of a node whose children hold so many bytes of a file each.
pub(super) fn file_data(sizes: impl Iterator<Item = u64> + Clone) -> Vec<u8> {
    let mut data = Vec::new();
    write_number(1, TYPE_FILE, &mut data);
    write_number(3, sizes.clone().sum(), &mut data);
    sizes.for_each(|size| write_number(4, size, &mut data));
    data
}

/// Writes the data of a directory.
pub(super) fn directory_data() -> Vec<u8> {
    let mut data = Vec::new();
    write_number(1, TYPE_DIRECTORY, &mut data);
    data
}

/// Says what a block means.
///
/// Errors: [`Error::BadNode`], [`Error::Unsupported`].
pub(super) fn parse(cid: &Cid, block: Vec<u8>) -> Result<Node, Error> {
    match cid.codec() {
        RAW => Ok(Node::File { size: block.len() as u64, data: block, children: Vec::new() }),
        DAG_PB => parse_node(cid, &block),
        codec => Err(Error::Unsupported(format!("codec {codec:#x} of block {cid}"))),
    }
}

fn parse_node(cid: &Cid, block: &[u8]) -> Result<Node, Error> {
    let bad = |why| Error::BadNode { cid: *cid, why };
    let (links, message) = dag_pb::decode(cid, block)?;
    let (mut kind, mut data, mut size, mut sizes) = (None, None, None, Vec::new());
    for field in Fields(&message) {
        match field.ok_or(bad("its data is no protobuf"))? {
            (1, Value::Number(n)) if kind.is_none() => kind = Some(n),
            (2, Value::Bytes(bytes)) if data.is_none() => data = Some(bytes.to_vec()),
            (3, Value::Number(n)) if size.is_none() => size = Some(n),
            (4, Value::Number(n)) => sizes.push(n),
            (4, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    let (n, rest) = read_uvarint(packed).ok_or(bad("its data is no protobuf"))?;
                    sizes.push(n);
                    packed = rest;
                }
            }
            // Mode, time and what HAMT needs.
            (5..=8, _) => {}
            _ => return Err(bad("its data is not UnixFS")),
        }
    }
    match kind {
        Some(TYPE_RAW | TYPE_FILE) => {
            let data = data.unwrap_or_default();
            if links.len() != sizes.len() {
                return Err(bad("it has not one size for each link"));
            }
            if sizes.contains(&0) {
                return Err(bad("a child holds nothing"));
            }
            let sum = sizes.iter().try_fold(data.len() as u64, |sum, size| sum.checked_add(*size));
            let sum = sum.ok_or(bad("its sizes overflow"))?;
            if size.unwrap_or(sum) != sum {
                return Err(bad("its size is not the sum of its parts"));
            }
            let children = links.iter().map(|link| link.cid).zip(sizes).collect();
            Ok(Node::File { data, children, size: sum })
        }
        Some(TYPE_DIRECTORY) => Ok(Node::Directory(links)),
        Some(4) => Err(Error::Unsupported("a UnixFS symlink".into())),
        Some(5) => Err(Error::Unsupported("a sharded UnixFS directory".into())),
        _ => Err(bad("its kind is unknown")),
    }
}
