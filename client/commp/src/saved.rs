//! A commitment that is put down and taken up again, for instance by another process.

use crate::chunk::{BATCH, CHUNK, CHUNK_HEIGHT, LANE, LANE_HEIGHT};
use crate::fr32::{QUAD, QUAD_HEIGHT};
use crate::frontier::Frontier;
use crate::merkle::MAX_HEIGHT;
use crate::{CommP, Commitment, Engine, Error, PaddedPieceSize, padded_size_of};

/// First byte of the form.
const FORM: u8 = 1;
/// Lanes of a chunk that is not complete.
const MAX_LANES: usize = CHUNK / LANE - 1;

/// How far a [`CommP`] has come, in at most 6 KB. It holds hashes of the payload and its first 127 bytes, no more of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Payload that these cover: whole batches.
    covered: u64,
    first: [u8; QUAD],
    path: Vec<Commitment>,
    trees: Vec<(u8, Commitment)>,
    lanes: Vec<Commitment>,
}

impl CommP {
    /// Puts down what was hashed so far. [`Saved::covered`] says how much of the payload that is: what was written behind it has
    /// to be written again.
    ///
    /// Only on an engine with one thread that keeps no nodes below 1 MiB. Nodes that are kept are not part of it: they only grow, so
    /// whoever saves often adds the new ones of [`CommP::kept`].
    ///
    /// Errors: [`Error::NotSaved`] on another engine.
    pub fn save(&self) -> Result<Saved, Error> {
        if self.engine.threads > 1 || self.engine.keep < CHUNK_HEIGHT {
            return Err(Error::NotSaved("only one thread that keeps no nodes below 1 MiB can be put down"));
        }
        let (path, trees, _) = self.frontier.parts();
        let lanes = self.lanes.clone();
        // Before the first batch nothing is hashed, and the first quad comes again with the rest.
        let first = if self.absorbed == 0 { [0; QUAD] } else { self.frontier.first };
        Ok(Saved { covered: self.absorbed, first, path: path.to_vec(), trees: trees.to_vec(), lanes })
    }

    /// The nodes that [`Engine::keep`] asked for, as far as they are known. The first one is not before the end.
    pub fn kept(&self) -> &[Commitment] {
        self.frontier.parts().2
    }

    /// Takes up what was put down: `written` is what [`Saved::covered`] was, and the payload goes on from there. Keeps no nodes.
    pub fn resume(saved: &Saved) -> CommP {
        CommP::resume_with(Engine::new(), saved, Vec::new())
    }

    /// As [`resume`](CommP::resume), keeping nodes of this size: `kept` begins with those that were kept when it was put down.
    ///
    /// Errors: [`Error::BadSize`]; [`Error::NotSaved`] for nodes below 1 MiB, or when there are fewer of them.
    pub fn resume_keeping(
        saved: &Saved,
        node_size: PaddedPieceSize,
        mut kept: Vec<Commitment>,
    ) -> Result<CommP, Error> {
        let engine = Engine::new().keep(node_size)?;
        if engine.keep < CHUNK_HEIGHT {
            return Err(Error::NotSaved("only nodes from 1 MiB on can be kept"));
        }
        let within = |tree: &&(u8, Commitment)| tree.0 >= engine.keep;
        let count: usize = saved.trees.iter().filter(within).map(|tree| 1 << (tree.0 - engine.keep)).sum();
        if kept.len() < count {
            return Err(Error::NotSaved("nodes that were kept are missing"));
        }
        kept.truncate(count);
        Ok(CommP::resume_with(engine, saved, kept))
    }

    fn resume_with(engine: Engine, saved: &Saved, kept: Vec<Commitment>) -> CommP {
        let keep = engine.keep;
        let mut comm_p = CommP::with(engine);
        comm_p.frontier = Frontier::of_parts(saved.first, saved.path.clone(), saved.trees.clone(), keep, kept);
        comm_p.lanes.clone_from(&saved.lanes);
        (comm_p.absorbed, comm_p.written) = (saved.covered, saved.covered);
        comm_p
    }
}

impl Saved {
    /// Bytes of the payload that are covered, from its start.
    pub fn covered(&self) -> u64 {
        self.covered
    }

    /// Writes it down: form, length covered, first quad; numbers of siblings, trees and lanes; these.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORM];
        bytes.extend_from_slice(&self.covered.to_le_bytes());
        bytes.extend_from_slice(&self.first);
        // A path has at most 29 nodes, a frontier 31 trees, a chunk 128 lanes.
        bytes.extend([self.path.len() as u8, self.trees.len() as u8, self.lanes.len() as u8]);
        self.path.iter().for_each(|node| bytes.extend_from_slice(node));
        for (height, root) in &self.trees {
            bytes.push(*height);
            bytes.extend_from_slice(root);
        }
        self.lanes.iter().for_each(|root| bytes.extend_from_slice(root));
        bytes
    }

    /// Reads what [`to_bytes`](Saved::to_bytes) wrote. That the parts fit together is checked, that the hashes are those of a
    /// payload cannot be.
    ///
    /// Errors: [`Error::NotSaved`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Saved, Error> {
        let mut reader = Reader(bytes);
        let [form] = reader.take()?;
        if form != FORM {
            return Err(Error::NotSaved("its form is unknown"));
        }
        let covered = u64::from_le_bytes(reader.take()?);
        let first = reader.take()?;
        let [path, trees, lanes] = reader.take::<3>()?.map(usize::from);
        let saved = Saved {
            covered,
            first,
            path: (0..path).map(|_| reader.take()).collect::<Result<_, _>>()?,
            trees: (0..trees).map(|_| Ok((reader.take::<1>()?[0], reader.take()?))).collect::<Result<_, Error>>()?,
            lanes: (0..lanes).map(|_| reader.take()).collect::<Result<_, _>>()?,
        };
        if !reader.0.is_empty() {
            return Err(Error::NotSaved("something follows"));
        }
        saved.check()?;
        Ok(saved)
    }

    fn check(&self) -> Result<(), Error> {
        let bad = Err(Error::NotSaved("its parts do not fit together"));
        if padded_size_of(self.covered).is_err() || !self.covered.is_multiple_of(BATCH as u64) {
            return bad;
        }
        let falling = self.trees.is_sorted_by(|left, right| left.0 > right.0);
        if !falling || self.trees.iter().any(|tree| !(QUAD_HEIGHT..=MAX_HEIGHT).contains(&tree.0)) {
            return bad;
        }
        // The leftmost path reaches up to the root of the leftmost tree; before that there is a lane's.
        let top = self.trees.first().map(|tree| tree.0);
        let high = match (top, self.covered) {
            (_, 0) => 0,
            (Some(top), _) => top - QUAD_HEIGHT,
            (None, _) => LANE_HEIGHT - QUAD_HEIGHT,
        };
        let quads = |height: u8| (QUAD as u64) << (height - QUAD_HEIGHT);
        let in_trees: u64 = self.trees.iter().map(|tree| quads(tree.0)).sum();
        let in_lanes = self.lanes.len() as u64 * LANE as u64;
        let whole = self.lanes.len() <= MAX_LANES && in_trees.is_multiple_of(CHUNK as u64);
        if self.path.len() != usize::from(high) || !whole || in_trees + in_lanes != self.covered {
            return bad;
        }
        Ok(())
    }
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Error::NotSaved("it is cut short"))?;
        self.0 = rest;
        Ok(*taken)
    }
}
