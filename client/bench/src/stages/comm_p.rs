//! Piece commitments of bytes in memory.

use std::io::Cursor;

use anyhow::{Result, ensure};
use bauta_client::piece::Engine;
use bauta_commp::Backend;
use filecoin_proofs_api::{RegisteredSealProof, UnpaddedBytesAmount};

type Node = [u8; 32];

/// Ours, on as many threads as the process has cores.
pub fn ours(payload: &[u8], threads: usize) -> Result<Node> {
    let piece = Engine::new().threads(threads).piece_of(payload)?;
    Ok(bauta_commp::parse_piece_cid(&piece.piece_cid)?)
}

/// Ours by one of its backends, on one thread.
pub fn ours_by(payload: &[u8], backend: Backend) -> Result<Node> {
    let piece = Engine::new().backend(backend)?.piece_of(payload)?;
    Ok(bauta_commp::parse_piece_cid(&piece.piece_cid)?)
}

/// The hashing alone, as inside of packing.
pub fn part(payload: &[u8]) {
    // Where a batch begins, so that nothing is left over at the front.
    const BATCH: u64 = 130_048;
    std::hint::black_box(Engine::new().part(BATCH, payload));
}

/// What Lotus and everybody on top of `rust-fil-proofs` uses. It takes whole pieces only: a power of two of quads.
pub fn filecoin_proofs(payload: &[u8]) -> Result<Node> {
    ensure!((payload.len() / 127).is_power_of_two(), "filecoin-proofs-api takes whole pieces");
    let size = UnpaddedBytesAmount(payload.len() as u64);
    let proof = RegisteredSealProof::StackedDrg32GiBV1_1;
    Ok(filecoin_proofs_api::seal::generate_piece_commitment(proof, Cursor::new(payload), size)?.commitment)
}

/// One call of a hash library: so many chunks of 64 bytes to so many digests.
type Hash = fn(&mut [u8], &[u8], usize);

/// The fastest published kernels for trees of SHA-256 (OffchainLabs/hashtree), which choose their instructions themselves.
pub fn hashtree(payload: &[u8]) -> Node {
    of(payload, hashtree_rs::hash)
}

/// Its kernel for AVX-512, which it never chooses where the CPU has the SHA extensions, but which is its fastest here.
#[cfg(target_arch = "x86_64")]
pub fn hashtree_avx512(payload: &[u8]) -> Result<Node> {
    #![allow(unsafe_code, reason = "the kernel is a C function that the crate does not offer")]
    ensure!(is_x86_feature_detected!("avx512bw"), "no AVX-512");
    unsafe extern "C" {
        fn hashtree_sha256_avx512_x16(output: *mut u8, input: *const u8, count: u64);
    }
    fn hash(out: &mut [u8], chunks: &[u8], count: usize) {
        assert!(out.len() >= 32 * count && chunks.len() >= 64 * count, "the kernel does not look");
        // SAFETY: the feature was asked for above, the lengths here.
        unsafe { hashtree_sha256_avx512_x16(out.as_mut_ptr(), chunks.as_ptr(), count as u64) }
    }
    Ok(of(payload, hash))
}

/// Batches are as large as our own: 1,024 quads, whose padded bytes stay in the cache.
const QUADS: usize = 1024;

/// The commitment by somebody else's hash: the plain way, batch by batch.
fn of(payload: &[u8], hash: Hash) -> Node {
    let (mut layer, mut above) = (vec![0; 128 * QUADS], vec![0; 64 * QUADS]);
    let mut roots = Vec::new();
    for batch in payload.chunks(127 * QUADS) {
        layer.fill(0);
        for (quad, padded) in batch.chunks(127).zip(layer.as_chunks_mut::<128>().0) {
            pad(quad, padded);
        }
        let mut nodes = 4 * QUADS;
        while nodes > 1 {
            nodes /= 2;
            hash(&mut above, &layer, nodes);
            above[..32 * nodes].as_chunks_mut::<32>().0.iter_mut().for_each(|node| node[31] &= 0x3f);
            std::mem::swap(&mut layer, &mut above);
        }
        roots.push(*layer.first_chunk().expect("a node"));
        if layer.len() < 128 * QUADS {
            std::mem::swap(&mut layer, &mut above);
        }
    }
    let mut zero = [0; 32];
    for _ in 0..(4 * QUADS).ilog2() {
        zero = pair(zero, zero, hash);
    }
    while roots.len() > 1 {
        roots = roots.chunks(2).map(|two| pair(two[0], *two.get(1).unwrap_or(&zero), hash)).collect();
        zero = pair(zero, zero, hash);
    }
    roots[0]
}

fn pair(left: Node, right: Node, hash: Hash) -> Node {
    let mut node = [0; 32];
    hash(&mut node, &[left, right].concat(), 1);
    node[31] &= 0x3f;
    node
}

/// Fr32: 127 bytes become four nodes of 254 bits each.
fn pad(quad: &[u8], padded: &mut [u8; 128]) {
    let mut bytes = [0; 128];
    bytes[..quad.len()].copy_from_slice(quad);
    let mut words = [0; 17];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    let out = padded.as_chunks_mut::<8>().0;
    for node in 0..4 {
        for i in 0..4 {
            let (at, shift) = (4 * node + i, 2 * node);
            let mut word = if shift == 0 { words[at] } else { words[at - 1] >> (64 - shift) | words[at] << shift };
            if i == 3 {
                word &= u64::MAX >> 2;
            }
            out[at] = word.to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_agrees() {
        let mut payload = vec![0; 127 << 15];
        crate::inputs::noise(&mut payload);
        let expected = ours(&payload, 1).unwrap();
        assert_eq!(filecoin_proofs(&payload).unwrap(), expected);
        assert_eq!(hashtree(&payload), expected);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512bw") {
            assert_eq!(hashtree_avx512(&payload).unwrap(), expected);
        }
    }
}
