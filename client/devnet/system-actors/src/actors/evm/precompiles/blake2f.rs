//! Ethereum's precompile 09: the compression function of BLAKE2b (EIP-152, RFC 7693).

use super::{Failed, Output};

const IV: [u64; 8] = [
    0x6a09e667f3bcc908,
    0xbb67ae8584caa73b,
    0x3c6ef372fe94f82b,
    0xa54ff53a5f1d36f1,
    0x510e527fade682d1,
    0x9b05688c2b3e6c1f,
    0x1f83d9abfb41bd6b,
    0x5be0cd19137e2179,
];

const SIGMA: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// Input: rounds (4 bytes, big-endian), state (64), message (128), offset (16), final (1).
pub(super) fn compress(input: &[u8]) -> Output {
    let input: &[u8; 213] = input.try_into().map_err(|_| Failed)?;
    let last = match input[212] {
        0 => false,
        1 => true,
        _ => return Err(Failed),
    };
    let rounds = u32::from_be_bytes([input[0], input[1], input[2], input[3]]);
    let number = |index: usize| {
        let at = 4 + 8 * index;
        u64::from_le_bytes(input[at..at + 8].try_into().expect("eight bytes"))
    };
    let mut v: [u64; 16] = std::array::from_fn(|i| if i < 8 { number(i) } else { IV[i - 8] });
    v[12] ^= number(24);
    v[13] ^= number(25);
    if last {
        v[14] = !v[14];
    }
    let message: [u64; 16] = std::array::from_fn(|i| number(8 + i));
    for round in 0..rounds as usize {
        let s = &SIGMA[round % 10];
        let mut mix = |a: usize, b: usize, c: usize, d: usize, i: usize| {
            v[a] = v[a].wrapping_add(v[b]).wrapping_add(message[s[i]]);
            v[d] = (v[d] ^ v[a]).rotate_right(32);
            v[c] = v[c].wrapping_add(v[d]);
            v[b] = (v[b] ^ v[c]).rotate_right(24);
            v[a] = v[a].wrapping_add(v[b]).wrapping_add(message[s[i + 1]]);
            v[d] = (v[d] ^ v[a]).rotate_right(16);
            v[c] = v[c].wrapping_add(v[d]);
            v[b] = (v[b] ^ v[c]).rotate_right(63);
        };
        mix(0, 4, 8, 12, 0);
        mix(1, 5, 9, 13, 2);
        mix(2, 6, 10, 14, 4);
        mix(3, 7, 11, 15, 6);
        mix(0, 5, 10, 15, 8);
        mix(1, 6, 11, 12, 10);
        mix(2, 7, 8, 13, 12);
        mix(3, 4, 9, 14, 14);
    }
    Ok((0..8).flat_map(|i| (number(i) ^ v[i] ^ v[i + 8]).to_le_bytes()).collect())
}
