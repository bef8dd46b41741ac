//! The two ways to write a commitment as a CID.

use cid::Cid;
use cid::multihash::Multihash;
use fvm_shared::piece::PaddedPieceSize;

use crate::{Commitment, Error, MAX_PADDED_SIZE, PieceInfo, padded_size_of};

const FIL_COMMITMENT_UNSEALED: u64 = 0xf101;
const SHA2_256_TRUNC254_PADDED: u64 = 0x1012;
const RAW: u64 = 0x55;
const FR32_SHA2_256_TRUNC254_PADDED_BINARY_TREE: u64 = 0x1011;

/// Writes a commitment as the chain does (v1).
pub fn piece_cid(commitment: &Commitment) -> Cid {
    let hash = Multihash::wrap(SHA2_256_TRUNC254_PADDED, commitment).expect("32 bytes fit a multihash");
    Cid::new_v1(FIL_COMMITMENT_UNSEALED, hash)
}

/// Reads the commitment in a v1 piece CID (or in a sector's unsealed CID, which has the same form).
///
/// Errors: [`Error::NotAPiece`].
pub fn parse_piece_cid(cid: &Cid) -> Result<Commitment, Error> {
    let bad = |why| Error::NotAPiece { cid: *cid, why };
    if cid.version() != cid::Version::V1 || cid.codec() != FIL_COMMITMENT_UNSEALED {
        return Err(bad("the codec is not fil-commitment-unsealed"));
    }
    if cid.hash().code() != SHA2_256_TRUNC254_PADDED {
        return Err(bad("the multihash is not sha2-256-trunc254-padded"));
    }
    let commitment = cid.hash().digest().try_into().map_err(|_| bad("the digest is not 32 bytes long"))?;
    field_element(commitment).ok_or(bad("the digest is no field element"))
}

/// Writes a piece with its payload size (v2): raw codec, multihash 0x1011, digest `uvarint padding | height | root`.
///
/// What contradicts itself, as strangers may register it, is written down as it is: it parses again only if it is right.
///
/// Panics: when the digest is longer than 32 bytes; what this crate makes and what a chain keeps never is.
///
/// Source: FRC-0069.
pub fn piece_cid_v2(piece: &PieceInfo) -> Cid {
    let padding = piece.padded_size.unpadded().0.saturating_sub(piece.payload_size);
    let mut digest = Vec::with_capacity(10 + 1 + 32);
    write_uvarint(padding, &mut digest);
    digest.push((piece.padded_size.0 / 32).max(1).ilog2() as u8);
    digest.extend_from_slice(piece.piece_cid.hash().digest());
    let hash = Multihash::wrap(FR32_SHA2_256_TRUNC254_PADDED_BINARY_TREE, &digest).expect("43 bytes fit a multihash");
    Cid::new_v1(RAW, hash)
}

/// Reads a v2 piece CID. Stricter than needed to compute: the padding must be what the payload size calls for, so one
/// payload has one CID.
///
/// Errors: [`Error::NotAPiece`].
///
/// Source: FRC-0069.
pub fn parse_piece_cid_v2(cid: &Cid) -> Result<PieceInfo, Error> {
    let bad = |why| Error::NotAPiece { cid: *cid, why };
    if cid.version() != cid::Version::V1 || cid.codec() != RAW {
        return Err(bad("the codec is not raw"));
    }
    if cid.hash().code() != FR32_SHA2_256_TRUNC254_PADDED_BINARY_TREE {
        return Err(bad("the multihash is not fr32-sha2-256-trunc254-padded-binary-tree"));
    }
    let (padding, rest) = read_uvarint(cid.hash().digest()).ok_or(bad("the padding is no minimal varint"))?;
    let [height, root @ ..] = rest else { return Err(bad("the digest is too short")) };
    let root = root.try_into().map_err(|_| bad("the root is not 32 bytes long"))?;
    let root = field_element(root).ok_or(bad("the root is no field element"))?;
    let largest = (MAX_PADDED_SIZE.0 / 32).ilog2();
    if !(2..=largest).contains(&u32::from(*height)) {
        return Err(bad("the height is not between 2 and 31"));
    }
    let padded_size = PaddedPieceSize(32 << *height);
    let payload_size = padded_size.unpadded().0.checked_sub(padding).ok_or(bad("the padding exceeds the piece"))?;
    if padded_size_of(payload_size) != Ok(padded_size) {
        return Err(bad("the padding is more than the payload needs"));
    }
    Ok(PieceInfo { piece_cid: piece_cid(&root), padded_size, payload_size })
}

/// Lets only commitments pass whose two top bits are clear: no other comes out of the tree.
fn field_element(commitment: Commitment) -> Option<Commitment> {
    (commitment[31] & 0xc0 == 0).then_some(commitment)
}

fn write_uvarint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Reads a minimal unsigned varint of at most nine bytes, the multiformats' limit.
fn read_uvarint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().take(9).position(|b| b & 0x80 == 0)?;
    let minimal = end == 0 || bytes[end] != 0;
    let n = bytes[..=end].iter().rev().fold(0, |n, b| n << 7 | u64::from(b & 0x7f));
    minimal.then_some((n, &bytes[end + 1..]))
}
