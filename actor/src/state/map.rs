//! An ordered map whose nodes hold changes back before they pass them down (a B-epsilon tree).
//!
//! Every rewritten node costs half a million gas and 144,000 for each link in it, so a small change should not rewrite the path to its
//! leaf. A node here is a sorted list of changes over its children; only when too many wait, those of the child with the most of them
//! go down together. With `BUFFER` 0 it is a plain B+ tree. Keys are in order, so a listing can go on
//! after a key that has been removed meanwhile.

use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::blocks;
use crate::error::Result;

/// What a map is keyed by.
pub trait Key: Ord + Copy + Serialize + DeserializeOwned + std::fmt::Debug {}
impl<T: Ord + Copy + Serialize + DeserializeOwned + std::fmt::Debug> Key for T {}

/// What a map holds. Its CBOR form must not be null, which says "removed".
pub trait Value: Clone + Serialize + DeserializeOwned {}
impl<T: Clone + Serialize + DeserializeOwned> Value for T {}

/// How many times `BUFFER` may wait below the root: the deeper a node, the more seldom it should be rewritten.
const HOARD: usize = 4;

type Change<K, V> = (K, Option<V>);

/// `[changes, children]`: the root node of a map, kept in whatever block owns it.
///
/// At most `LEAF` entries in a node without children; `FAN` children and, in the root, `BUFFER` waiting changes in one with children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map<K, V, const LEAF: usize, const FAN: usize, const BUFFER: usize> {
    /// Sorted by key; newer than what the children say. Without children these are the entries.
    changes: Vec<Change<K, V>>,
    /// Each with the first key it may hold; the first one holds everything below, too.
    children: Vec<(K, Cid)>,
}

impl<K, V, const LEAF: usize, const FAN: usize, const BUFFER: usize> Default for Map<K, V, LEAF, FAN, BUFFER> {
    fn default() -> Self {
        Self { changes: vec![], children: vec![] }
    }
}

// By hand: the derive for tuples does not know const parameters.
impl<K: Key, V: Value, const LEAF: usize, const FAN: usize, const BUFFER: usize> Serialize
    for Map<K, V, LEAF, FAN, BUFFER>
{
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        (&self.changes, &self.children).serialize(s)
    }
}

impl<'de, K: Key, V: Value, const LEAF: usize, const FAN: usize, const BUFFER: usize> Deserialize<'de>
    for Map<K, V, LEAF, FAN, BUFFER>
{
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let (changes, children) = Deserialize::deserialize(d)?;
        Ok(Self { changes, children })
    }
}

impl<K: Key, V: Value, const LEAF: usize, const FAN: usize, const BUFFER: usize> Map<K, V, LEAF, FAN, BUFFER> {
    /// Finds the value of a key.
    pub fn get(&self, store: &impl Blockstore, key: &K) -> Result<Option<V>> {
        if let Ok(at) = self.changes.binary_search_by_key(key, |c| c.0) {
            return Ok(self.changes[at].1.clone());
        }
        match self.children.get(self.child_of(key)) {
            Some((_, link)) => blocks::get::<Self>(store, link)?.get(store, key),
            None => Ok(None),
        }
    }

    /// Sets a key.
    pub fn set(&mut self, store: &impl Blockstore, key: K, value: V) -> Result<()> {
        self.change(store, key, Some(value))
    }

    /// Removes a key, whether or not it is there.
    pub fn remove(&mut self, store: &impl Blockstore, key: K) -> Result<()> {
        self.change(store, key, None)
    }

    fn change(&mut self, store: &impl Blockstore, key: K, value: Option<V>) -> Result<()> {
        self.absorb((key, value));
        self.settle(store, BUFFER)?;
        if self.children.len() > FAN || (self.is_leaf() && self.changes.len() > LEAF) {
            let parts = std::mem::take(self).split();
            self.children = write(store, parts)?;
        }
        Ok(())
    }

    /// Visits the entries from a key on, in order, until `visit` returns false.
    pub fn scan(&self, store: &impl Blockstore, from: K, visit: &mut impl FnMut(K, &V) -> Result<bool>) -> Result<()> {
        let start = self.changes.partition_point(|c| c.0 < from);
        self.scan_under(store, from, &[], start, visit).map(|_| ())
    }

    /// `newer` are the changes of the nodes above for this node's range, `start` the first of this node's own that counts.
    fn scan_under(
        &self,
        store: &impl Blockstore,
        from: K,
        newer: &[Change<K, V>],
        start: usize,
        visit: &mut impl FnMut(K, &V) -> Result<bool>,
    ) -> Result<bool> {
        let changes = overlay(&self.changes[start..], newer);
        if self.is_leaf() {
            for (key, value) in &changes {
                if let Some(value) = value
                    && !visit(*key, value)?
                {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let mut rest = &changes[..];
        for (at, (_, link)) in self.children.iter().enumerate().skip(self.child_of(&from)) {
            let next = self.children.get(at + 1).map(|c| c.0);
            let split = next.map_or(rest.len(), |next| rest.partition_point(|c| c.0 < next));
            let (mine, later) = rest.split_at(split);
            rest = later;
            let child: Self = blocks::get(store, link)?;
            let start = child.changes.partition_point(|c| c.0 < from);
            if !child.scan_under(store, from, mine, start, visit)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_leaf(&self) -> bool {
        self.children.is_empty()
    }

    fn child_of(&self, key: &K) -> usize {
        self.children.partition_point(|c| c.0 <= *key).saturating_sub(1)
    }

    /// Takes one change in; a leaf carries it out.
    fn absorb(&mut self, change: Change<K, V>) {
        let gone = self.is_leaf() && change.1.is_none();
        match self.changes.binary_search_by_key(&change.0, |c| c.0) {
            Ok(at) if gone => drop(self.changes.remove(at)),
            Ok(at) => self.changes[at] = change,
            Err(_) if gone => (),
            Err(at) => self.changes.insert(at, change),
        }
    }

    /// Passes changes down until no more than `most` wait.
    fn settle(&mut self, store: &impl Blockstore, most: usize) -> Result<()> {
        while !self.is_leaf() && self.changes.len() > most {
            let (at, range) = self.fullest();
            let mut child: Self = blocks::get(store, &self.children[at].1)?;
            self.changes.drain(range).for_each(|change| child.absorb(change));
            child.settle(store, HOARD * BUFFER)?;
            let mut parts = write(store, child.split())?;
            if let Some(first) = parts.first_mut() {
                first.0 = first.0.min(self.children[at].0);
            }
            self.children.splice(at..=at, parts);
            if self.is_leaf() {
                self.changes.retain(|c| c.1.is_some());
            }
        }
        Ok(())
    }

    /// The child with the most changes waiting, and which these are.
    fn fullest(&self) -> (usize, std::ops::Range<usize>) {
        let mut best = (0, 0..0);
        let mut start = 0;
        for at in 0..self.children.len() {
            let end = match self.children.get(at + 1) {
                Some((next, _)) => self.changes.partition_point(|c| c.0 < *next),
                None => self.changes.len(),
            };
            if end - start > best.1.len() {
                best = (at, start..end);
            }
            start = end;
        }
        best
    }

    /// Cuts the node into equal parts that keep the maxima, each with its first key; an empty leaf into none.
    fn split(mut self) -> Vec<(K, Self)> {
        if self.is_leaf() {
            let parts = self.changes.len().div_ceil(LEAF).max(1);
            let size = self.changes.len().div_ceil(parts).max(1);
            let leaf = |part: &[Change<K, V>]| (part[0].0, Self { changes: part.to_vec(), children: vec![] });
            return self.changes.chunks(size).map(leaf).collect();
        }
        let parts = self.children.len().div_ceil(FAN);
        let size = self.children.len().div_ceil(parts);
        let mut out = vec![];
        while self.children.len() > size {
            let children = self.children.split_off(size);
            let later = self.changes.partition_point(|c| c.0 < children[0].0);
            let rest = Self { changes: self.changes.split_off(later), children };
            let part = std::mem::replace(&mut self, rest);
            out.push((part.children[0].0, part));
        }
        out.push((self.children[0].0, self));
        out
    }

    /// Lists what is wrong with the shape.
    pub fn check(&self, store: &impl Blockstore) -> Vec<String> {
        let mut wrong = vec![];
        self.check_under(store, None, None, &mut wrong);
        wrong
    }

    fn check_under(&self, store: &impl Blockstore, low: Option<K>, high: Option<K>, wrong: &mut Vec<String>) {
        let keys = || self.changes.iter().map(|c| c.0);
        let links = || self.children.iter().map(|c| c.0);
        let within = |key: K| low.is_none_or(|low| low <= key) && high.is_none_or(|high| key < high);
        let mut say = |ok: bool, what: &str| {
            if !ok {
                wrong.push(format!("a map's node from {low:?} to {high:?}: {what}"));
            }
        };
        say(keys().is_sorted_by(|a, b| a < b) && links().is_sorted_by(|a, b| a < b), "its keys are not in order");
        say(keys().all(within), "a key is out of its range");
        say(links().skip(1).all(within), "a child is out of its range");
        say(self.children.len() <= FAN, "it has too many children");
        let most = if self.is_leaf() { LEAF } else { HOARD * BUFFER };
        say(self.changes.len() <= most, "it has too many changes");
        say(!self.is_leaf() || self.changes.iter().all(|c| c.1.is_some()), "a leaf has a removal");
        for (at, (key, link)) in self.children.iter().enumerate() {
            let low = if at == 0 { low } else { Some(*key) };
            let high = self.children.get(at + 1).map(|c| c.0).or(high);
            match blocks::get::<Self>(store, link) {
                Ok(child) => child.check_under(store, low, high, wrong),
                Err(e) => wrong.push(e.to_string()),
            }
        }
    }
}

fn write<K: Key, N: Serialize>(store: &impl Blockstore, nodes: Vec<(K, N)>) -> Result<Vec<(K, Cid)>> {
    nodes.iter().map(|(key, node)| Ok((*key, blocks::put(store, node)?))).collect()
}

/// Merges two sorted lists of changes; where both have a key, the newer one counts.
fn overlay<K: Key, V: Value>(older: &[Change<K, V>], newer: &[Change<K, V>]) -> Vec<Change<K, V>> {
    let mut out = Vec::with_capacity(older.len() + newer.len());
    let (mut older, mut newer) = (older.iter().peekable(), newer.iter().peekable());
    loop {
        let next = match (older.peek(), newer.peek()) {
            (Some(a), Some(b)) if a.0 < b.0 => older.next(),
            (Some(a), Some(b)) => {
                if a.0 == b.0 {
                    older.next();
                }
                newer.next()
            }
            (Some(_), None) => older.next(),
            (None, _) => newer.next(),
        };
        match next {
            Some(change) => out.push(change.clone()),
            None => return out,
        }
    }
}

#[cfg(test)]
mod tests;
