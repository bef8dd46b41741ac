//! A part of a payload hashed ahead, on any thread, and added in its turn.

use std::ops::Range;

use crate::backend::{Backend, Kernel};
use crate::chunk::{BATCH, Batch, LANE_HEIGHT, LANES};
use crate::fr32::padded_size_of;
use crate::{CommP, Commitment, Engine, Error};

/// What [`Engine::part`] found out about the bytes at a place of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    offset: u64,
    /// The whole batches in it, and the roots of their lanes.
    batches: Range<usize>,
    roots: Vec<Commitment>,
}

impl Engine {
    /// Hashes what can be hashed of a part of the payload whose first byte stands at `offset`, on the caller's thread alone: whole
    /// batches of 130,048 bytes (128 KiB padded) but the payload's first. So the threads of a pipeline can share the work without copying:
    /// [`CommP::update_part`] adds it in its turn.
    pub fn part(self, offset: u64, bytes: &[u8]) -> Part {
        let kernel = self.kernel.unwrap_or_else(|| Backend::fastest().1);
        let batch = BATCH as u64;
        // The first batch brings the leftmost path, which stays open.
        let start = if offset == 0 { batch } else { offset.next_multiple_of(batch) };
        let start = usize::try_from(start - offset).unwrap_or(usize::MAX).min(bytes.len());
        let whole = &bytes[start..];
        let (whole, _) = whole.as_chunks::<BATCH>();
        let mut roots = vec![[0; 32]; whole.len() * LANES];
        for (batch, roots) in whole.iter().zip(roots.as_chunks_mut().0) {
            lane_roots(kernel, batch, roots);
        }
        Part { offset, batches: start..start + whole.len() * BATCH, roots }
    }
}

fn lane_roots(kernel: Kernel, batch: &Batch, roots: &mut [Commitment; LANES]) {
    kernel.lane_roots(batch, roots);
}

impl CommP {
    /// As [`update`](CommP::update) with bytes that [`Engine::part`] has seen at just this place. Only the place is checked: with
    /// other bytes than those the commitment is that of no payload. Saves the work only on an engine with one thread that keeps no
    /// nodes below 8 KiB; elsewhere the bytes are hashed again.
    ///
    /// Errors: [`Error::TooLarge`]; [`Error::NotIncluded`] when the part is of another place, or of more bytes than these.
    pub fn update_part(&mut self, bytes: &[u8], part: &Part) -> Result<(), Error> {
        if part.offset != self.written() || part.batches.end > bytes.len() {
            return Err(Error::NotIncluded("it stands at another place"));
        }
        if part.roots.is_empty() || self.engine.threads > 1 || self.engine.keep < LANE_HEIGHT {
            return self.update(bytes);
        }
        padded_size_of(self.written() + bytes.len() as u64)?;
        self.update(&bytes[..part.batches.start])?;
        self.add_batches(&part.roots);
        self.update(&bytes[part.batches.end..])
    }
}
