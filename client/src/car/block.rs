//! Blocks: bytes and the CID that names them. [`hash`] is the one place that hashes them.

use cid::Cid;
use cid::multihash::Multihash;
use sha2::{Digest, Sha256};

use super::Error;

/// Largest block read, in bytes: what IPFS nodes hand around.
pub const MAX_BLOCK: usize = 2 << 20;

pub(super) const RAW: u64 = 0x55;
pub(super) const DAG_PB: u64 = 0x70;
const SHA2_256: u64 = 0x12;

/// Bytes with their name, which they were checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The name.
    pub cid: Cid,
    /// The bytes.
    pub data: Vec<u8>,
}

/// Hashes a block.
pub(super) fn hash(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// Names a block.
pub(super) fn cid_of(codec: u64, data: &[u8]) -> Cid {
    cid_from(codec, &hash(data))
}

fn cid_from(codec: u64, digest: &[u8; 32]) -> Cid {
    Cid::new_v1(codec, Multihash::wrap(SHA2_256, digest).expect("32 bytes fit a multihash"))
}

/// How many leaves of one size are best named together.
pub(crate) use bauta_commp::MESSAGES_AT_ONCE as MOST_LEAVES_AT_ONCE;

#[cfg(test)]
thread_local! {
    /// What a test wants [`leaves_at_once`] to be on its thread.
    pub(crate) static TOGETHER: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
}

/// How many leaves are best named or verified by one job: as many as are fastest, or where there are several threads so few that none waits.
pub(crate) fn leaves_at_once() -> usize {
    #[cfg(test)]
    if let Some(together) = TOGETHER.get() {
        return together;
    }
    let alone = std::thread::available_parallelism().is_ok_and(|threads| threads.get() == 1);
    bauta_commp::messages_worth_gathering(!alone)
}

/// Names leaves.
pub(crate) fn leaf_cids(leaves: &[&[u8]]) -> Vec<Cid> {
    bauta_commp::sha256_each(leaves).iter().map(|digest| cid_from(RAW, digest)).collect()
}

/// As [`verify`] for many blocks at once. Gives the outcomes in the order of the blocks.
pub(crate) fn verify_each(blocks: &[(Cid, &[u8])]) -> Vec<Result<(), Error>> {
    let bytes: Vec<_> = blocks.iter().map(|(_, bytes)| *bytes).collect();
    let digests = bauta_commp::sha256_each(&bytes);
    let outcome = |((cid, _), digest): (&(Cid, &[u8]), _)| {
        if digest_of(cid)? == digest { Ok(()) } else { Err(Error::Forged(*cid)) }
    };
    blocks.iter().zip(digests).map(outcome).collect()
}

/// Says whether a CID is that of bytes as they are, not of a node.
pub(crate) fn is_leaf(cid: &Cid) -> bool {
    cid.codec() == RAW
}

/// Gives the digest in a CID of sha2-256.
///
/// Errors: [`Error::Unsupported`] for other hashes.
pub(super) fn digest_of(cid: &Cid) -> Result<[u8; 32], Error> {
    let digest = (cid.hash().code() == SHA2_256).then(|| cid.hash().digest().try_into().ok()).flatten();
    digest.ok_or_else(|| Error::Unsupported(format!("the hash of {cid}")))
}

/// Checks that bytes are what a CID names.
///
/// Errors: [`Error::Forged`], [`Error::Unsupported`].
pub(crate) fn verify(cid: &Cid, data: &[u8]) -> Result<(), Error> {
    if digest_of(cid)? == hash(data) { Ok(()) } else { Err(Error::Forged(*cid)) }
}
