//! Fr32: 127 bytes of payload become four 32-byte leaves of 254 bits each, so that every leaf is an element of the field.

use fvm_shared::piece::PaddedPieceSize;

use crate::{Commitment, Error, MAX_PADDED_SIZE, MIN_PADDED_SIZE};

/// Payload bytes of one quad: four leaves.
pub(crate) const QUAD: usize = 127;

/// Height of the subtree of one quad.
pub(crate) const QUAD_HEIGHT: u8 = 2;

/// Gives the padded size of a piece with so many payload bytes.
///
/// Errors: [`Error::TooLarge`] above 64 GiB (padded).
pub fn padded_size_of(payload_size: u64) -> Result<PaddedPieceSize, Error> {
    let quads = payload_size.div_ceil(QUAD as u64);
    if quads > MAX_PADDED_SIZE.0 / 128 {
        return Err(Error::TooLarge);
    }
    Ok(PaddedPieceSize(quads.next_power_of_two() * MIN_PADDED_SIZE.0))
}

/// Spreads payload over four leaves a quad; `leaves` has room for exactly that. The last quad may be short: zeros follow.
#[inline(always)]
pub(crate) fn spread(payload: &[u8], leaves: &mut [Commitment]) {
    let (quads, last) = payload.as_chunks::<QUAD>();
    let (leaves, rest) = leaves.as_chunks_mut::<4>();
    assert!(rest.is_empty() && leaves.len() == payload.len().div_ceil(QUAD), "four leaves for every quad");
    for (quad, leaves) in quads.iter().zip(&mut *leaves) {
        spread_quad(quad, leaves);
    }
    if !last.is_empty() {
        let mut filled = [0; QUAD];
        filled[..last.len()].copy_from_slice(last);
        spread_quad(&filled, &mut leaves[quads.len()]);
    }
}

/// Spreads one quad over four leaves. Leaf k is the input shifted by 2k bits; each leaf's two top bits stay clear.
#[inline(always)]
pub(crate) fn spread_quad(quad: &[u8; QUAD], leaves: &mut [Commitment; 4]) {
    let mut words = [0u64; 16];
    for (word, bytes) in words.iter_mut().zip(quad.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    // The last seven bytes, read with the one before them.
    words[15] = u64::from_le_bytes(*quad.last_chunk().expect("a quad has eight bytes")) >> 8;
    for (k, leaf) in leaves.iter_mut().enumerate() {
        for j in 0..4 {
            let w = 4 * k + j;
            let carried = if k == 0 { 0 } else { words[w - 1] >> (64 - 2 * k) };
            let word = words[w] << (2 * k) | carried;
            let word = if j == 3 { word & u64::MAX >> 2 } else { word };
            leaf[8 * j..8 * j + 8].copy_from_slice(&word.to_le_bytes());
        }
    }
}
