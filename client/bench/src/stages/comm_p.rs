//! Piece commitments of bytes in memory.

use std::io::Cursor;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
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
pub type Hash = fn(&mut [u8], &[u8], usize);

/// The fastest published kernels for trees of SHA-256 (OffchainLabs/hashtree), which choose their instructions themselves.
pub fn hashtree(payload: &[u8]) -> Node {
    of(payload, hashtree_rs::hash)
}

/// Its kernel for AVX-512, which it never chooses where the CPU has the SHA extensions, but which is its fastest here.
#[cfg(target_arch = "x86_64")]
pub fn hashtree_avx512(payload: &[u8]) -> Result<Node> {
    Ok(of(payload, avx512().context("no AVX-512")?))
}

#[cfg(target_arch = "x86_64")]
fn avx512() -> Option<Hash> {
    #![allow(unsafe_code, reason = "the kernel is a C function that the crate does not offer")]
    unsafe extern "C" {
        fn hashtree_sha256_avx512_x16(output: *mut u8, input: *const u8, count: u64);
    }
    fn hash(out: &mut [u8], chunks: &[u8], count: usize) {
        assert!(out.len() >= 32 * count && chunks.len() >= 64 * count, "the kernel does not look");
        // SAFETY: the feature was asked for below, the lengths here.
        unsafe { hashtree_sha256_avx512_x16(out.as_mut_ptr(), chunks.as_ptr(), count as u64) }
    }
    is_x86_feature_detected!("avx512bw").then_some(hash)
}

#[cfg(not(target_arch = "x86_64"))]
fn avx512() -> Option<Hash> {
    None
}

/// The faster of the two on this machine. Measured once.
pub fn faster_hashtree() -> Hash {
    static FASTER: OnceLock<Hash> = OnceLock::new();
    *FASTER.get_or_init(|| {
        let payload = vec![0x5a; 127 * QUADS];
        let time = |hash| {
            let one = || {
                let start = Instant::now();
                std::hint::black_box(of(std::hint::black_box(&payload), hash));
                start.elapsed()
            };
            (0..5).map(|_| one()).min()
        };
        let all: [Option<Hash>; 2] = [Some(hashtree_rs::hash), avx512()];
        all.into_iter().flatten().min_by_key(|hash| time(*hash)).expect("one is always there")
    })
}

/// The commitment by somebody else's hash: the plain way, batch by batch.
fn of(payload: &[u8], hash: Hash) -> Node {
    let mut stream = Stream::new(hash);
    stream.update(payload);
    stream.finish()
}

/// Batches are as large as our own: 1,024 quads, whose padded bytes stay in the cache.
const QUADS: usize = 1024;

/// The same piece by piece.
pub struct Stream {
    hash: Hash,
    /// Payload of a batch that is not whole yet.
    rest: Vec<u8>,
    layer: Vec<u8>,
    above: Vec<u8>,
    roots: Vec<Node>,
}

impl Stream {
    pub fn new(hash: Hash) -> Self {
        let (layer, above) = (vec![0; 128 * QUADS], vec![0; 128 * QUADS]);
        Stream { hash, rest: Vec::with_capacity(127 * QUADS), layer, above, roots: Vec::new() }
    }

    pub fn update(&mut self, mut payload: &[u8]) {
        if !self.rest.is_empty() {
            let (more, later) = payload.split_at(payload.len().min(127 * QUADS - self.rest.len()));
            self.rest.extend_from_slice(more);
            payload = later;
            if self.rest.len() < 127 * QUADS {
                return;
            }
            let rest = std::mem::take(&mut self.rest);
            self.batch(&rest);
            self.rest = rest;
            self.rest.clear();
        }
        let batches = payload.chunks_exact(127 * QUADS);
        self.rest.extend_from_slice(batches.remainder());
        batches.for_each(|batch| self.batch(batch));
    }

    fn batch(&mut self, payload: &[u8]) {
        let Stream { hash, layer, above, roots, .. } = self;
        for (quad, padded) in payload.chunks(127).zip(layer.as_chunks_mut::<128>().0) {
            pad(quad, padded);
        }
        layer[payload.len().div_ceil(127) * 128..].fill(0);
        let mut nodes = 4 * QUADS;
        while nodes > 1 {
            nodes /= 2;
            hash(above, layer, nodes);
            above[..32 * nodes].as_chunks_mut::<32>().0.iter_mut().for_each(|node| node[31] &= 0x3f);
            std::mem::swap(layer, above);
        }
        roots.push(*layer.first_chunk().expect("a node"));
    }

    pub fn finish(mut self) -> Node {
        let hash = self.hash;
        if !self.rest.is_empty() || self.roots.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            self.batch(&rest);
        }
        let (mut roots, mut zero) = (self.roots, [0; 32]);
        for _ in 0..(4 * QUADS).ilog2() {
            zero = pair(zero, zero, hash);
        }
        while roots.len() > 1 {
            roots = roots.chunks(2).map(|two| pair(two[0], *two.get(1).unwrap_or(&zero), hash)).collect();
            zero = pair(zero, zero, hash);
        }
        roots[0]
    }
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
        assert_eq!(of(&payload, faster_hashtree()), expected);
        if let Some(hash) = avx512() {
            assert_eq!(of(&payload, hash), expected);
        }
        // Pieces of any length, and a payload that is no whole piece.
        for cut in [0, 1, 126, 127 * QUADS, 127 * QUADS + 1, 1 << 20] {
            let mut stream = Stream::new(hashtree_rs::hash);
            let (first, second) = payload[..3_000_001].split_at(cut);
            stream.update(first);
            second.chunks(65_552).for_each(|piece| stream.update(piece));
            assert_eq!(stream.finish(), ours(&payload[..3_000_001], 1).unwrap(), "{cut}");
        }
    }
}
