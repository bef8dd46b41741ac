//! CommP in one pass and constant memory.

use std::io;

use super::fr32::{QUAD, padded_size_of, spread};
use super::tree::{QUAD_HEIGHT, hash_layer, node, zero};
use super::{Commitment, Error, PieceInfo, piece_cid};

/// Quads hashed together: 64 KiB of leaves, which stay in the cache while the layers above them are made.
const BATCH_QUADS: usize = 512;
const BATCH: usize = BATCH_QUADS * QUAD;

/// Computes the commitment of the bytes written to it. Memory: some 130 KB whatever the size.
///
/// The leftmost path of the tree is kept open, so the first 127 bytes may still change when all others are known.
pub struct CommP {
    /// Payload that does not fill a batch yet.
    buffer: Vec<u8>,
    /// Leaves and nodes of the batch at hand.
    nodes: Vec<[Commitment; 4]>,
    /// The first quad, zero-padded.
    first: [u8; QUAD],
    /// Right siblings along the leftmost path, from the first quad's upwards.
    path: Vec<Commitment>,
    /// Complete subtrees from left to right, heights strictly falling. The leftmost one is given by `first` and `path`;
    /// its root here means nothing.
    trees: Vec<(u8, Commitment)>,
    written: u64,
}

impl CommP {
    /// Starts a piece of no bytes.
    pub fn new() -> Self {
        CommP {
            buffer: Vec::new(),
            nodes: Vec::new(),
            first: [0; QUAD],
            path: Vec::new(),
            trees: Vec::new(),
            written: 0,
        }
    }

    /// Gives what a piece of exactly these bytes is.
    ///
    /// Errors: [`Error::TooLarge`].
    pub fn of(payload: &[u8]) -> Result<PieceInfo, Error> {
        let mut comm_p = CommP::new();
        comm_p.update(payload)?;
        Ok(comm_p.finish())
    }

    /// Counts the bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Takes more bytes.
    ///
    /// Errors: [`Error::TooLarge`].
    pub fn update(&mut self, mut payload: &[u8]) -> Result<(), Error> {
        let written = self.written.checked_add(payload.len() as u64).ok_or(Error::TooLarge)?;
        padded_size_of(written)?;
        if self.written < QUAD as u64 {
            let at = self.written as usize;
            let n = payload.len().min(QUAD - at);
            self.first[at..at + n].copy_from_slice(&payload[..n]);
        }
        self.written = written;

        if !self.buffer.is_empty() {
            let n = payload.len().min(BATCH - self.buffer.len());
            self.buffer.extend_from_slice(&payload[..n]);
            payload = &payload[n..];
            if self.buffer.len() == BATCH {
                let batch = std::mem::take(&mut self.buffer);
                self.absorb(&batch);
                self.buffer = batch;
                self.buffer.clear();
            }
        }
        let batches = payload.chunks_exact(BATCH);
        self.buffer.extend_from_slice(batches.remainder());
        batches.for_each(|batch| self.absorb(batch));
        Ok(())
    }

    /// Replaces the first bytes of what was written.
    ///
    /// Errors: [`Error::BadPrefix`] when there are more than 127 of them, or fewer were written.
    pub fn patch_prefix(&mut self, prefix: &[u8]) -> Result<(), Error> {
        if prefix.len() > QUAD || prefix.len() as u64 > self.written {
            return Err(Error::BadPrefix);
        }
        self.first[..prefix.len()].copy_from_slice(prefix);
        Ok(())
    }

    /// Pads with zeros to a power of two and gives the commitment.
    pub fn finish(mut self) -> PieceInfo {
        let rest = std::mem::take(&mut self.buffer);
        if !rest.is_empty() || self.written == 0 {
            self.absorb(&rest);
        }
        let padded_size = padded_size_of(self.written).expect("update refuses more than the largest piece");
        let top = (padded_size.0 / 32).ilog2() as u8;
        while let Some(&(height, _)) = self.trees.last()
            && height < top
        {
            self.push(height, zero(height));
        }
        let piece_cid = piece_cid(&self.root());
        PieceInfo { piece_cid, padded_size, payload_size: self.written }
    }

    /// Adds at most a batch of payload, the last quad filled up with zeros. All batches but the last are full.
    fn absorb(&mut self, payload: &[u8]) {
        let mut nodes = std::mem::take(&mut self.nodes);
        nodes.resize(payload.len().div_ceil(QUAD).max(1), [[0; 32]; 4]);
        let quads = payload.chunks_exact(QUAD);
        let last = quads.remainder();
        let mut filled = [0; QUAD];
        filled[..last.len()].copy_from_slice(last);
        // When the payload ends with a quad, `nodes` ends before `filled` has its turn.
        let quads = quads.map(|quad| quad.try_into().expect("chunks are quads")).chain([&filled]);
        quads.zip(&mut nodes).for_each(|(quad, leaves)| spread(quad, leaves));
        // Complete subtrees, the largest first: each begins at a multiple of its size.
        let mut rest = &mut nodes[..];
        while !rest.is_empty() {
            let (tree, more) = rest.split_at_mut(1 << rest.len().ilog2());
            self.absorb_tree(tree.as_flattened_mut());
            rest = more;
        }
        self.nodes = nodes;
    }

    /// Hashes a complete subtree up and adds it on the right.
    fn absorb_tree(&mut self, nodes: &mut [Commitment]) {
        let leftmost = self.trees.is_empty();
        let top = nodes.len().ilog2() as u8;
        for height in 0..top {
            let layer = &mut nodes[..1 << (top - height)];
            if leftmost && height >= QUAD_HEIGHT {
                self.path.push(layer[1]);
            }
            hash_layer(layer);
        }
        self.push(top, nodes[0]);
    }

    /// Adds a subtree on the right and merges equals.
    fn push(&mut self, mut height: u8, mut root: Commitment) {
        while let Some((_, left)) = self.trees.pop_if(|tree| tree.0 == height) {
            if self.trees.is_empty() {
                self.path.push(root);
            } else {
                root = node(&left, &root);
            }
            height += 1;
        }
        self.trees.push((height, root));
    }

    /// Climbs the leftmost path.
    fn root(&self) -> Commitment {
        let mut leaves = [[0; 32]; 4];
        spread(&self.first, &mut leaves);
        let quad = node(&node(&leaves[0], &leaves[1]), &node(&leaves[2], &leaves[3]));
        self.path.iter().fold(quad, |root, sibling| node(&root, sibling))
    }
}

impl Default for CommP {
    fn default() -> Self {
        CommP::new()
    }
}

impl io::Write for CommP {
    fn write(&mut self, payload: &[u8]) -> io::Result<usize> {
        self.update(payload).map_err(|e| io::Error::new(io::ErrorKind::FileTooLarge, e))?;
        Ok(payload.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
