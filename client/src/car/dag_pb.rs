//! dag-pb: links, then data, as protobuf.

use cid::Cid;

use super::{Error, read_uvarint, write_uvarint};

/// A link to another block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PbLink {
    pub cid: Cid,
    pub name: String,
    /// Bytes of the block and of all below it.
    pub tree_size: u64,
}

/// Writes a node.
pub(super) fn encode(links: &[PbLink], data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(links.len() * 52 + data.len() + 4);
    for link in links {
        let mut body = Vec::with_capacity(48 + link.name.len());
        write_bytes(1, &link.cid.to_bytes(), &mut body);
        write_bytes(2, link.name.as_bytes(), &mut body);
        write_number(3, link.tree_size, &mut body);
        write_bytes(2, &body, &mut out);
    }
    write_bytes(1, data, &mut out);
    out
}

/// Reads a node, in the one order of fields that the specification has.
pub(super) fn decode(cid: &Cid, block: &[u8]) -> Result<(Vec<PbLink>, Vec<u8>), Error> {
    let bad = |why| Error::BadNode { cid: *cid, why };
    let mut links = Vec::new();
    let mut data = None;
    for field in Fields(block) {
        match field.ok_or(bad("it is no protobuf"))? {
            (2, Value::Bytes(link)) if data.is_none() => {
                links.push(decode_link(link).ok_or(bad("a link is malformed"))?)
            }
            (1, Value::Bytes(bytes)) if data.is_none() => data = Some(bytes.to_vec()),
            _ => return Err(bad("it is no dag-pb node")),
        }
    }
    Ok((links, data.unwrap_or_default()))
}

fn decode_link(link: &[u8]) -> Option<PbLink> {
    let (mut cid, mut name, mut tree_size) = (None, None, None);
    let mut last = 0;
    for field in Fields(link) {
        let (number, value) = field?;
        if number <= last {
            return None;
        }
        last = number;
        match (number, value) {
            (1, Value::Bytes(bytes)) => cid = Some(Cid::try_from(bytes).ok().filter(|cid| cid.to_bytes() == bytes)?),
            (2, Value::Bytes(bytes)) => name = Some(String::from_utf8(bytes.to_vec()).ok()?),
            (3, Value::Number(n)) => tree_size = Some(n),
            _ => return None,
        }
    }
    Some(PbLink { cid: cid?, name: name.unwrap_or_default(), tree_size: tree_size.unwrap_or_default() })
}

/// Appends a field of bytes.
pub(super) fn write_bytes(field: u64, bytes: &[u8], out: &mut Vec<u8>) {
    write_uvarint(field << 3 | 2, out);
    write_uvarint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends a field of a number.
pub(super) fn write_number(field: u64, n: u64, out: &mut Vec<u8>) {
    write_uvarint(field << 3, out);
    write_uvarint(n, out);
}

/// What a field holds.
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message in turn; `None` inside where they stop being one.
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let (key, rest) = read_uvarint(self.0)?;
        let (n, rest) = read_uvarint(rest)?;
        let value = match key & 7 {
            0 => {
                self.0 = rest;
                Value::Number(n)
            }
            2 => {
                let (bytes, rest) = rest.split_at_checked(n.try_into().ok()?)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    }
}
