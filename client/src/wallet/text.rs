//! What is signed for people and programs, and not for the chain.

/// What stands in front of everything that is signed so.
const PREFIX: &[u8] = b"\x19Filecoin Signed Message:\n";

/// Puts some bytes into the envelope in which they are signed, so that no signature over them can ever be one over a message to
/// the chain: `0x19 ‖ "Filecoin Signed Message:\n" ‖ length in decimal ‖ bytes`.
///
/// Source: FRC-0102. Forest signs so unless it is told otherwise; Lotus signs the bytes as they are.
pub fn enveloped(data: &[u8]) -> Vec<u8> {
    [PREFIX, data.len().to_string().as_bytes(), data].concat()
}
