//! What stands in a CAR that was not written to its end.

use std::io::{BufReader, Read, Seek};

use cid::Cid;

use super::{CarReader, Error};

/// A block in its place. Nobody has looked at its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub cid: Cid,
    pub size: u64,
    /// Where its frame begins, and where its bytes end.
    pub start: u64,
    pub end: u64,
}

/// Lists the blocks that lie whole within the first `size` bytes of a CAR, which the input must begin with.
///
/// Errors: those of [`CarReader::new`]; behind the header whatever is no block is the end.
pub(crate) fn walk(mut input: impl Read + Seek, size: u64) -> Result<Vec<Placed>, Error> {
    input.rewind()?;
    let mut reader = CarReader::new(BufReader::with_capacity(16 << 10, input))?;
    let mut blocks = Vec::new();
    loop {
        let start = reader.at();
        let Ok(Some((cid, length))) = reader.next_head() else { break };
        let end = reader.at() + length;
        if end > size {
            break;
        }
        blocks.push(Placed { cid, size: length, start, end });
        reader.input().seek_relative(length as i64)?;
        reader.passed(length);
    }
    Ok(blocks)
}
