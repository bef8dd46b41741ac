//! From a root along a path to the blocks that are asked for.

use std::collections::HashSet;

use bauta_client::car::{Shape, shape};
use cid::Cid;
use fvm_ipld_encoding::to_vec;
use serde::Serialize;

use super::super::super::shop::Shop;
use super::super::{Refusal, refusal};
use super::request::{Asked, Bytes, Scope};
use crate::links;

const DAG_CBOR: u64 = 0x71;
/// Deepest graph that is walked.
const MAX_DEPTH: usize = 64;

/// Why a walk ends early.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The root is not here.
    #[error("not found")]
    Root,
    /// A block below it is not here.
    #[error("block {0} is not here")]
    Block(Cid),
    /// A name of the path leads nowhere.
    #[error("no link named {0:?} under {1}")]
    Path(String, Cid),
    /// The range has nothing of the file.
    #[error("the range is outside of the entity, which has {0} bytes")]
    Range(u64),
    /// A block that is not understood, or a graph that has no end.
    #[error("{0}")]
    Malformed(String),
}

impl From<Lost> for Refusal {
    fn from(lost: Lost) -> Self {
        let code = match &lost {
            Lost::Root | Lost::Block(_) | Lost::Path(..) => 404,
            Lost::Range(_) => 400,
            Lost::Malformed(_) => 500,
        };
        refusal(code, lost.to_string())
    }
}

/// The blocks along a path, the last one being what is asked for.
pub struct Way(Vec<(Cid, Vec<u8>)>);

impl Way {
    /// The CIDs along the path.
    pub fn roots(&self) -> String {
        self.0.iter().map(|(cid, _)| cid.to_string()).collect::<Vec<_>>().join(",")
    }

    /// The block at the end.
    pub fn into_terminal(mut self) -> Vec<u8> {
        self.0.pop().map(|(_, block)| block).unwrap_or_default()
    }
}

fn block(shop: &Shop, cid: &Cid) -> Option<Vec<u8>> {
    shop.shelf.block(shop, cid)
}

/// Follows the path, and looks whether a range has anything of what is there.
pub fn resolve(shop: &Shop, asked: &Asked) -> Result<Way, Lost> {
    let mut at = asked.root;
    let mut way = vec![(at, block(shop, &at).ok_or(Lost::Root)?)];
    for name in &asked.path {
        let (cid, bytes) = way.last().expect("the root is there");
        let entries = match shape(cid, bytes) {
            Ok(Shape::Directory(entries)) => entries,
            Ok(_) | Err(_) => return Err(Lost::Path(name.clone(), *cid)),
        };
        let entry = entries.into_iter().find(|entry| entry.name == *name);
        at = entry.ok_or_else(|| Lost::Path(name.clone(), *cid))?.cid;
        way.push((at, block(shop, &at).ok_or(Lost::Block(at))?));
    }
    let (cid, bytes) = way.last().expect("the root is there");
    if let (Some(range), Ok(Shape::File { own, children })) = (asked.bytes, shape(cid, bytes)) {
        let size = children.iter().fold(own, |sum, (_, size)| sum.saturating_add(*size));
        let (from, to) = range.within(size);
        if size > 0 && from >= to {
            return Err(Lost::Range(size));
        }
    }
    Ok(Way(way))
}

/// Writes a CAR, parents before their children.
pub struct Walk<'a> {
    shop: &'a Shop,
    asked: &'a Asked,
    dups: bool,
    seen: HashSet<Cid>,
    /// Parts of files that were walked from end to end: a graph that leads to one again and again is walked once.
    whole: HashSet<Cid>,
    /// Takes the next bytes; `false` where nobody wants more.
    send: &'a mut dyn FnMut(Vec<u8>) -> bool,
    ended: bool,
}

impl<'a> Walk<'a> {
    pub fn new(shop: &'a Shop, asked: &'a Asked, send: &'a mut dyn FnMut(Vec<u8>) -> bool) -> Self {
        let dups = matches!(asked.form, super::Form::Car { dups: true });
        Self { shop, asked, dups, seen: HashSet::new(), whole: HashSet::new(), send, ended: false }
    }

    /// Writes header, path and what is at its end.
    pub fn run(mut self, way: Way) -> Result<(), Lost> {
        self.ended = !(self.send)(header(&self.asked.root));
        let last = way.0.len() - 1;
        for (index, (cid, bytes)) in way.0.into_iter().enumerate() {
            if index < last {
                self.write(&cid, &bytes);
            } else {
                self.terminal(&cid, bytes)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, cid: &Cid, bytes: &[u8]) {
        if self.ended || !(self.seen.insert(*cid) || self.dups) {
            return;
        }
        self.ended = !(self.send)(section(cid, bytes));
    }

    fn terminal(&mut self, cid: &Cid, bytes: Vec<u8>) -> Result<(), Lost> {
        match (self.asked.scope, shape(cid, &bytes)) {
            (Scope::Block, _) => self.write(cid, &bytes),
            (Scope::Entity, Ok(Shape::File { own, children })) => {
                let size = children.iter().fold(own, |sum, (_, size)| sum.saturating_add(*size));
                let whole = Bytes { from: 0, to: None };
                let (from, to) = self.asked.bytes.unwrap_or(whole).within(size);
                self.file(cid, bytes, 0, (from, to), 0)?;
            }
            // Of what is no file, its own block; a sharded directory has more of them.
            (Scope::Entity, Ok(Shape::Other(_))) => self.all(cid, bytes, 0)?,
            (Scope::Entity, _) => self.write(cid, &bytes),
            (Scope::All, _) => self.all(cid, bytes, 0)?,
        }
        Ok(())
    }

    /// The blocks of a file that hold some of its bytes. `at` is where this node begins.
    fn file(&mut self, cid: &Cid, bytes: Vec<u8>, at: u64, range: (u64, u64), depth: usize) -> Result<(), Lost> {
        deep(cid, depth)?;
        self.write(cid, &bytes);
        let malformed = |e: bauta_client::car::Error| Lost::Malformed(e.to_string());
        let Shape::File { own, children } = shape(cid, &bytes).map_err(malformed)? else {
            return Err(Lost::Malformed(format!("{cid} is no part of a file")));
        };
        let mut start = at + own;
        for (child, size) in children {
            let end = start.saturating_add(size);
            let is_whole = range.0 <= start && end <= range.1;
            let mut is_new = || self.dups || !is_whole || self.whole.insert(child);
            if start < range.1 && end > range.0 && !self.ended && is_new() {
                let block = block(self.shop, &child).ok_or(Lost::Block(child))?;
                self.file(&child, block, start, range, depth + 1)?;
            }
            start = end;
        }
        Ok(())
    }

    /// A block and everything below it.
    fn all(&mut self, cid: &Cid, bytes: Vec<u8>, depth: usize) -> Result<(), Lost> {
        deep(cid, depth)?;
        if self.seen.contains(cid) && !self.dups {
            return Ok(());
        }
        self.write(cid, &bytes);
        let children: Vec<Cid> = match shape(cid, &bytes) {
            Ok(Shape::File { children, .. }) => children.into_iter().map(|(child, _)| child).collect(),
            Ok(Shape::Directory(entries)) => entries.into_iter().map(|entry| entry.cid).collect(),
            Ok(Shape::Other(children)) => children,
            Err(_) if cid.codec() == DAG_CBOR => links::links(&bytes),
            Err(e) => return Err(Lost::Malformed(e.to_string())),
        };
        drop(bytes);
        for child in children {
            if self.ended {
                break;
            }
            let block = block(self.shop, &child).ok_or(Lost::Block(child))?;
            self.all(&child, block, depth + 1)?;
        }
        Ok(())
    }
}

fn deep(cid: &Cid, depth: usize) -> Result<(), Lost> {
    if depth < MAX_DEPTH { Ok(()) } else { Err(Lost::Malformed(format!("the graph is too deep at {cid}"))) }
}

fn header(root: &Cid) -> Vec<u8> {
    #[derive(Serialize)]
    struct Header<'a> {
        roots: [&'a Cid; 1],
        version: u64,
    }
    framed(&[&to_vec(&Header { roots: [root], version: 1 }).expect("a CID has a CBOR form")])
}

fn section(cid: &Cid, bytes: &[u8]) -> Vec<u8> {
    framed(&[&cid.to_bytes(), bytes])
}

/// Bytes with their number in front.
fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 9);
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}
