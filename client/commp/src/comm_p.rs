//! CommP in one pass and constant memory.

use std::io;

use crate::backend::{Backend, Kernel};
use crate::chunk::{BATCH, Batch, CHUNK, LANE, LANE_HEIGHT, LANE_QUADS, chunk_nodes};
use crate::fr32::{QUAD, QUAD_HEIGHT, padded_size_of, spread};
use crate::frontier::Frontier;
use crate::workers::{Workers, scatter};
use crate::{Commitment, Engine, Error, PieceInfo, Tree, piece_cid};

/// Chunks for each thread from which on a single write is shared out where it lies, instead of copied for the workers.
const SHARED_OUT: usize = 2;

/// Computes the commitment of the bytes written to it. Memory: some 200 KB whatever the size, and 2 MB for each further thread.
///
/// The leftmost path of the tree is kept open, so the first 127 bytes may still change when all others are known.
pub struct CommP {
    pub(crate) engine: Engine,
    pub(crate) frontier: Frontier,
    /// Payload that does not fill a batch yet, or a chunk where there are workers.
    buffer: Vec<u8>,
    /// Roots of the lanes of the chunk at hand.
    pub(crate) lanes: Vec<Commitment>,
    pub(crate) written: u64,
    /// Payload that has left the buffer.
    pub(crate) absorbed: u64,
    workers: Option<Workers>,
}

impl CommP {
    /// Starts a piece, on one thread: the caller's. [`Engine`] gives more.
    pub fn new() -> Self {
        CommP::with(Engine::new())
    }

    pub(crate) fn with(engine: Engine) -> Self {
        CommP {
            engine,
            frontier: Frontier::new(engine.keep),
            buffer: Vec::new(),
            lanes: Vec::new(),
            written: 0,
            absorbed: 0,
            workers: None,
        }
    }

    /// Gives what a piece of exactly these bytes is; on all cores when it is large.
    ///
    /// Errors: [`Error::TooLarge`] above 64 GiB (padded).
    pub fn of(payload: &[u8]) -> Result<PieceInfo, Error> {
        Engine::new().all_cores().piece_of(payload)
    }

    /// Counts the bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Takes more bytes.
    ///
    /// Errors: [`Error::TooLarge`] above 64 GiB (padded): then none of them is taken.
    pub fn update(&mut self, mut payload: &[u8]) -> Result<(), Error> {
        let written = self.written.checked_add(payload.len() as u64).ok_or(Error::TooLarge)?;
        padded_size_of(written)?;
        if self.written < QUAD as u64 {
            let at = self.written as usize;
            let n = payload.len().min(QUAD - at);
            self.frontier.first[at..at + n].copy_from_slice(&payload[..n]);
        }
        self.written = written;

        while !payload.is_empty() {
            let unit = self.unit();
            if self.buffer.is_empty() && payload.len() >= unit {
                let n = if self.is_for_all(payload) {
                    self.share_out(payload)
                } else if unit == CHUNK {
                    self.absorb_chunk(payload)
                } else {
                    self.absorb_batch(payload)
                };
                payload = &payload[n..];
            } else {
                let n = payload.len().min(unit - self.buffer.len());
                self.buffer.extend_from_slice(&payload[..n]);
                payload = &payload[n..];
                if self.buffer.len() == unit {
                    self.absorb_buffer();
                }
            }
        }
        Ok(())
    }

    /// Replaces the first bytes of what was written.
    ///
    /// Errors: [`Error::BadPrefix`] when there are more than 127 of them, or fewer were written.
    pub fn patch_prefix(&mut self, prefix: &[u8]) -> Result<(), Error> {
        if prefix.len() > QUAD || prefix.len() as u64 > self.written {
            return Err(Error::BadPrefix);
        }
        self.frontier.first[..prefix.len()].copy_from_slice(prefix);
        Ok(())
    }

    /// Pads with zeros to a power of two and gives the commitment.
    pub fn finish(self) -> PieceInfo {
        self.finish_tree().piece().clone()
    }

    /// As [`finish`](CommP::finish), with the nodes that [`Engine::keep`] asked for. Without, the root is the only one.
    pub fn finish_tree(mut self) -> Tree {
        self.absorb_rest();
        let padded_size = padded_size_of(self.written).expect("update refuses more than the largest piece");
        let top = (padded_size.0 / 32).ilog2() as u8;
        let (root, kept) = self.frontier.finish(top);
        let piece = PieceInfo { piece_cid: piece_cid(&root), padded_size, payload_size: self.written };
        if self.engine.keep < top {
            Tree::computed(piece, self.engine.keep, kept)
        } else {
            Tree::computed(piece, top, vec![root])
        }
    }

    /// Pads to a subtree of this height, which is at least what the payload needs.
    pub(crate) fn finish_at(mut self, height: u8) -> Commitment {
        self.absorb_rest();
        self.frontier.finish(height).0
    }

    /// What is hashed at once: batches, and from the second chunk on chunks where there are several threads. (The first
    /// one brings the leftmost path.)
    fn unit(&self) -> usize {
        if self.engine.threads > 1 && self.absorbed >= CHUNK as u64 { CHUNK } else { BATCH }
    }

    fn kernel(&mut self) -> Kernel {
        *self.engine.kernel.get_or_insert_with(|| Backend::fastest().1)
    }

    fn absorb_buffer(&mut self) {
        if self.unit() == BATCH {
            let batch = std::mem::take(&mut self.buffer);
            self.absorb_batch(&batch);
            self.buffer = batch;
            self.buffer.clear();
            return;
        }
        let chunk = std::mem::take(&mut self.buffer);
        self.absorbed += CHUNK as u64;
        let (kernel, keep) = (self.kernel(), self.engine.keep);
        let workers = self.workers.get_or_insert_with(|| Workers::start(self.engine.threads - 1, kernel, keep));
        match workers.spare() {
            Some(spare) => {
                workers.send(chunk);
                self.buffer = spare;
            }
            None => {
                workers.record(chunk_nodes(kernel, &chunk, keep));
                self.buffer = chunk;
            }
        }
        self.buffer.clear();
        self.collect(false);
    }

    /// Takes a chunk from the front of a payload that holds one: says how many bytes. It is copied for a worker or, when all
    /// have enough to do, hashed at once.
    fn absorb_chunk(&mut self, payload: &[u8]) -> usize {
        let (kernel, keep) = (self.kernel(), self.engine.keep);
        let chunk = &payload[..CHUNK];
        let workers = self.workers.get_or_insert_with(|| Workers::start(self.engine.threads - 1, kernel, keep));
        match workers.spare() {
            Some(mut spare) => {
                spare.clear();
                spare.extend_from_slice(chunk);
                workers.send(spare);
            }
            None => workers.record(chunk_nodes(kernel, chunk, keep)),
        }
        self.collect(false);
        self.absorbed += CHUNK as u64;
        CHUNK
    }

    /// Says whether a payload is worth sharing out, and stands where a chunk begins.
    fn is_for_all(&self, payload: &[u8]) -> bool {
        let threads = self.engine.threads;
        threads > 1 && self.absorbed.is_multiple_of(CHUNK as u64) && payload.len() / CHUNK >= SHARED_OUT * threads
    }

    /// Takes all whole chunks from the front of a payload: says how many bytes. The threads hash them where they lie; the
    /// very first chunk, which brings the leftmost path, is the caller's.
    fn share_out(&mut self, payload: &[u8]) -> usize {
        let (kernel, keep, threads) = (self.kernel(), self.engine.keep, self.engine.threads);
        let shared = &payload[..payload.len() / CHUNK * CHUNK];
        let (first, rest) = shared.split_at(if self.absorbed == 0 { CHUNK } else { 0 });
        self.collect(true);
        let absorb_first = || first.chunks_exact(BATCH).for_each(|batch| _ = self.absorb_batch(batch));
        for (height, nodes) in scatter(rest, threads, kernel, keep, absorb_first) {
            nodes.into_iter().for_each(|node| self.frontier.push(height, node));
        }
        self.absorbed += rest.len() as u64;
        shared.len()
    }

    /// Adds what the workers have done, in order: all of it, or what is ready.
    fn collect(&mut self, all: bool) {
        let Some(workers) = &mut self.workers else { return };
        while let Some((height, nodes)) = workers.next(all) {
            nodes.into_iter().for_each(|node| self.frontier.push(height, node));
        }
    }

    /// Takes a batch from the front of a payload that holds one: says how many bytes.
    fn absorb_batch(&mut self, payload: &[u8]) -> usize {
        let batch: &Batch = payload.first_chunk().expect("the payload holds a batch");
        if self.engine.keep < LANE_HEIGHT {
            self.absorb_quads(batch);
            return BATCH;
        }
        let kernel = self.kernel();
        if self.absorbed == 0 {
            let mut leaves = [[0; 32]; 4 * LANE_QUADS];
            spread(&batch[..LANE], &mut leaves);
            self.climb(&mut leaves, 0, LANE_HEIGHT, true);
        }
        let mut roots = [[0; 32]; BATCH / LANE];
        kernel.lane_roots(batch, &mut roots);
        self.lanes.extend(roots);
        self.absorbed += BATCH as u64;
        if self.lanes.len() == CHUNK / LANE {
            self.flush_lanes();
        }
        BATCH
    }

    /// Adds batches of which the lanes' roots are known. Nothing of the payload may wait in the buffer, and the first batch
    /// must have gone by.
    pub(crate) fn add_batches(&mut self, mut roots: &[Commitment]) {
        assert!(self.buffer.is_empty() && self.absorbed > 0, "a part begins with whole batches behind the first");
        self.absorbed += (roots.len() * LANE) as u64;
        self.written += (roots.len() * LANE) as u64;
        while !roots.is_empty() {
            let (some, more) = roots.split_at(roots.len().min(CHUNK / LANE - self.lanes.len()));
            self.lanes.extend_from_slice(some);
            if self.lanes.len() == CHUNK / LANE {
                self.flush_lanes();
            }
            roots = more;
        }
    }

    /// Adds what is left in the end.
    fn absorb_rest(&mut self) {
        self.collect(true);
        self.workers = None;
        let mut rest = std::mem::take(&mut self.buffer);
        let mut at = 0;
        while rest.len() - at >= BATCH {
            at += self.absorb_batch(&rest[at..]);
        }
        rest.drain(..at);
        self.flush_lanes();
        if !rest.is_empty() || self.written == 0 {
            self.absorb_quads(&rest);
        }
    }

    fn flush_lanes(&mut self) {
        let mut lanes = std::mem::take(&mut self.lanes);
        self.absorb_runs(&mut lanes, LANE_HEIGHT);
        self.lanes = lanes;
        self.lanes.clear();
    }

    /// Adds at most a batch of payload, the last quad filled up with zeros.
    fn absorb_quads(&mut self, payload: &[u8]) {
        let mut leaves = vec![[0; 32]; payload.len().div_ceil(QUAD).max(1) * 4];
        if !payload.is_empty() {
            spread(payload, &mut leaves);
        }
        self.absorb_runs(&mut leaves, 0);
        self.absorbed += payload.len() as u64;
    }

    /// Adds nodes of one height: complete subtrees, the largest first, since each begins at a multiple of its size.
    fn absorb_runs(&mut self, mut nodes: &mut [Commitment], height: u8) {
        while !nodes.is_empty() {
            let run = if height == 0 { 4 << (nodes.len() / 4).ilog2() } else { 1 << nodes.len().ilog2() };
            let (run, more) = nodes.split_at_mut(run);
            let top = height + run.len().ilog2() as u8;
            let stop = top.min(self.engine.keep);
            let leftmost = self.frontier.is_empty();
            self.climb(run, height, stop, leftmost);
            for node in &run[..1 << (top - stop)] {
                self.frontier.push(stop, *node);
            }
            nodes = more;
        }
    }

    /// Hashes nodes of one height up to another. On the leftmost path the siblings are kept.
    fn climb(&mut self, nodes: &mut [Commitment], from: u8, to: u8, leftmost: bool) {
        let kernel = self.engine.kernel.unwrap_or(Kernel::PORTABLE);
        let mut layer = nodes;
        for height in from..to {
            if leftmost && height >= QUAD_HEIGHT {
                self.frontier.path.push(layer[1]);
            }
            kernel.hash_layer(layer);
            let half = layer.len() / 2;
            layer = &mut layer[..half];
        }
    }
}

impl Default for CommP {
    fn default() -> Self {
        CommP::new()
    }
}

impl io::Write for CommP {
    /// Errors: `FileTooLarge` with [`Error::TooLarge`] inside.
    fn write(&mut self, payload: &[u8]) -> io::Result<usize> {
        self.update(payload).map_err(|e| io::Error::new(io::ErrorKind::FileTooLarge, e))?;
        Ok(payload.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
