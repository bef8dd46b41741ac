//! Ethereum's precompiles 06 to 08: the curve alt_bn128 (EIP-196, EIP-197).

use substrate_bn::{AffineG1, AffineG2, Fq, Fq2, Fr, G1, G2, Group, Gt, pairing_batch};

use super::{Failed, Output};
use crate::actors::evm::reader::Reader;

/// Bytes of a pair of points.
const PAIR: usize = 192;

fn field(reader: &mut Reader<'_>) -> Result<Fq, Failed> {
    Fq::from_slice(&reader.fixed::<32>()).map_err(|_| Failed)
}

fn point(reader: &mut Reader<'_>) -> Result<G1, Failed> {
    let (x, y) = (field(reader)?, field(reader)?);
    if x.is_zero() && y.is_zero() {
        return Ok(G1::zero());
    }
    Ok(AffineG1::new(x, y).map_err(|_| Failed)?.into())
}

fn twisted_point(reader: &mut Reader<'_>) -> Result<G2, Failed> {
    let mut pair = || {
        let (imaginary, real) = (field(reader)?, field(reader)?);
        Ok::<_, Failed>(Fq2::new(real, imaginary))
    };
    let (x, y) = (pair()?, pair()?);
    if x.is_zero() && y.is_zero() {
        return Ok(G2::zero());
    }
    Ok(AffineG2::new(x, y).map_err(|_| Failed)?.into())
}

fn bytes(point: G1) -> Output {
    let mut output = vec![0; 64];
    if let Some(point) = AffineG1::from_jacobian(point) {
        point.x().to_big_endian(&mut output[..32]).map_err(|_| Failed)?;
        point.y().to_big_endian(&mut output[32..]).map_err(|_| Failed)?;
    }
    Ok(output)
}

pub(super) fn add(input: &[u8]) -> Output {
    let mut reader = Reader::new(input);
    bytes(point(&mut reader)? + point(&mut reader)?)
}

pub(super) fn mul(input: &[u8]) -> Output {
    let mut reader = Reader::new(input);
    let point = point(&mut reader)?;
    let scalar = Fr::from_slice(&reader.fixed::<32>()).map_err(|_| Failed)?;
    bytes(point * scalar)
}

/// Whether the product of the pairings is one. Unlike everywhere else, input is not taken to go on with zeros.
pub(super) fn pairing(input: &[u8]) -> Output {
    if !input.len().is_multiple_of(PAIR) {
        return Err(Failed);
    }
    let mut pairs = Vec::new();
    for pair in input.chunks(PAIR) {
        let mut reader = Reader::new(pair);
        pairs.push((point(&mut reader)?, twisted_point(&mut reader)?));
    }
    let mut word = vec![0; 32];
    word[31] = u8::from(pairing_batch(&pairs) == Gt::one());
    Ok(word)
}
