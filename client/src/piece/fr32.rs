//! Fr32: 127 bytes of payload become four 32-byte leaves of 254 bits each, so that every leaf is an element of the field.

use fvm_shared::piece::PaddedPieceSize;

use super::{Error, MAX_PADDED_SIZE, MIN_PADDED_SIZE};

/// Payload bytes of one quad.
pub(super) const QUAD: usize = 127;

/// Gives the padded size of a piece with so many payload bytes.
///
/// Errors: [`Error::TooLarge`].
pub fn padded_size_of(payload_size: u64) -> Result<PaddedPieceSize, Error> {
    let quads = payload_size.div_ceil(QUAD as u64);
    if quads > MAX_PADDED_SIZE.0 / 128 {
        return Err(Error::TooLarge);
    }
    Ok(PaddedPieceSize(quads.next_power_of_two() * MIN_PADDED_SIZE.0))
}

/// Spreads one quad over four leaves. Leaf k is the input shifted by 2k bits; each leaf's two top bits stay clear.
pub(super) fn spread(quad: &[u8; QUAD], leaves: &mut [[u8; 32]; 4]) {
    let mut words = [0u64; 16];
    for (word, bytes) in words.iter_mut().zip(quad.chunks(8)) {
        let mut le = [0; 8];
        le[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(le);
    }
    for (k, leaf) in leaves.iter_mut().enumerate() {
        for j in 0..4 {
            let w = 4 * k + j;
            let mut word = words[w] << (2 * k);
            if k > 0 {
                word |= words[w - 1] >> (64 - 2 * k);
            }
            if j == 3 {
                word &= u64::MAX >> 2;
            }
            leaf[8 * j..8 * j + 8].copy_from_slice(&word.to_le_bytes());
        }
    }
}
