//! Unsigned varints as multiformats have them: minimal, at most nine bytes.

/// Appends a number.
pub(crate) fn write_uvarint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Takes a number off the front. `None` when it has no end, more than nine bytes, or more bytes than it needs.
pub(crate) fn read_uvarint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().take(9).position(|byte| byte & 0x80 == 0)?;
    let minimal = end == 0 || bytes[end] != 0;
    let n = bytes[..=end].iter().rev().fold(0, |n, byte| n << 7 | u64::from(byte & 0x7f));
    minimal.then_some((n, &bytes[end + 1..]))
}
