//! What a fleet is asked for, what it tells, and how it checks what came.

use std::ops::Range;

use cid::Cid;

use super::super::partial::Partial;
use super::super::{FetchError, Source};
use crate::car::{Place, Wrong, frame_size, verify_each};

/// Blocks that stand one behind the other.
#[derive(Debug, Clone)]
pub(in crate::fetch) struct Order {
    pub number: u64,
    pub blocks: Vec<(Cid, Place)>,
}

impl Order {
    pub(super) fn range(&self) -> Range<u64> {
        let first = self.blocks.first().map_or(0, |(_, place)| place.at);
        first..self.blocks.last().map_or(first, |(_, place)| place.range().end)
    }
}

/// What is told to whoever gave the orders.
pub(in crate::fetch) enum News {
    /// The root block.
    Root(Place, Vec<u8>),
    /// The bytes of an order, verified.
    Done(u64, Vec<u8>),
    /// Something else stands there, whoever is asked.
    Elsewhere(u64),
    /// Whoever is asked, the root is not where we put it.
    Strange,
    /// Nobody is left to ask.
    Failed(FetchError),
    /// Nothing more is to be done.
    Ended(Vec<(Source, u64)>),
}

/// Checks the bytes of an order and keeps them. Gives them as they came, or the first block that is wrong.
pub(super) fn verify(order: &Order, bytes: Vec<u8>, partial: Option<&Partial>) -> Result<Vec<u8>, (Cid, Wrong)> {
    let start = order.range().start;
    let mut blocks = Vec::with_capacity(order.blocks.len());
    for (cid, place) in &order.blocks {
        let range = place.range();
        let framed = &bytes[(range.start - start) as usize..(range.end - start) as usize];
        blocks.push((*cid, place.unverified(cid, framed).map_err(|wrong| (*cid, wrong))?));
    }
    if let Some(wrong) = verify_each(&blocks).iter().position(Result::is_err) {
        return Err((blocks[wrong].0, Wrong::Forged));
    }
    if let Some(partial) = partial {
        // Without it there is nothing to go on from, and the download goes on.
        let _ = partial.keep(start, &bytes);
    }
    Ok(bytes)
}

/// Where a block's bytes begin in those of an order.
pub(in crate::fetch) fn offset_in(order: &Order, place: &Place) -> usize {
    (place.at - order.range().start + frame_size(place.size)) as usize
}
