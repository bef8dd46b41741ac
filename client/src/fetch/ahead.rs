//! What will be read soon: files that were announced, walked in order as far as their nodes are known.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use cid::Cid;

use super::remote::{Name, name_of};
use crate::car::{Child, is_leaf};

/// Files that are announced at a time; more are found when they are read.
const MOST: usize = 4096;

/// The way through announced files.
#[derive(Default)]
pub(super) struct Ahead {
    files: VecDeque<Walk>,
    /// Children of the nodes that are known, with their sizes.
    known: HashMap<Name, Vec<(Cid, u64)>>,
}

struct Walk {
    range: Range<u64>,
    /// What is left, the next one last: where each begins in the file, and how large it is, if a parent said so.
    todo: Vec<(Cid, u64, Option<u64>)>,
    /// The node that must be known before the walk goes on.
    waiting: bool,
}

impl Ahead {
    /// Whether a block is a node rather than a leaf.
    pub fn is_node(cid: &Cid) -> bool {
        !is_leaf(cid)
    }

    /// Adds a file.
    pub fn announce(&mut self, file: Cid, range: Range<u64>) {
        if self.files.len() < MOST {
            self.files.push_back(Walk { range, todo: vec![(file, 0, None)], waiting: false });
        }
    }

    /// Notes a node's children.
    pub fn learn(&mut self, name: Name, children: Vec<Child>) {
        self.known.insert(name, children.into_iter().map(|(cid, size, _)| (cid, size)).collect());
    }

    /// Gives the next block that is wanted. A node is given once, and the walk waits until it is known.
    pub fn next(&mut self) -> Option<Cid> {
        loop {
            let walk = self.files.front_mut()?;
            let Some((cid, at, _)) = walk.todo.last().copied() else {
                self.files.pop_front();
                continue;
            };
            if is_leaf(&cid) {
                walk.todo.pop();
                return Some(cid);
            }
            let children = name_of(&cid).ok().and_then(|name| self.known.get(&name));
            let Some(children) = children else {
                if std::mem::replace(&mut walk.waiting, true) {
                    return None;
                }
                return Some(cid);
            };
            walk.todo.pop();
            walk.waiting = false;
            let mut next = at;
            let mut wanted = Vec::new();
            for (cid, size) in children {
                let begin = next;
                next = next.saturating_add(*size);
                if begin < walk.range.end && next > walk.range.start {
                    wanted.push((*cid, begin, Some(*size)));
                }
            }
            walk.todo.extend(wanted.into_iter().rev());
        }
    }
}
