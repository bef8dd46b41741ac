//! Finds the links in a DAG-CBOR block without decoding it.

use cid::Cid;

/// The CIDs that a DAG-CBOR block links to; what does not parse ends the search.
pub fn links(block: &[u8]) -> Vec<Cid> {
    let mut found = Vec::new();
    let mut rest = block;
    let mut items = 1u64;
    while items > 0 {
        let Some((major, value)) = header(&mut rest) else { break };
        items -= 1;
        match major {
            2 | 3 if take(&mut rest, value).is_none() => break,
            4 => items = items.saturating_add(value),
            5 => items = items.saturating_add(value.saturating_mul(2)),
            6 if value == 42 => {
                let Some((2, length)) = header(&mut rest) else { break };
                let Some(bytes) = take(&mut rest, length) else { break };
                // A link is a byte string with the identity multibase prefix 0x00 before the binary CID.
                if let Some(cid) = bytes.strip_prefix(&[0]).and_then(|b| Cid::try_from(b).ok()) {
                    found.push(cid);
                }
            }
            6 => items = items.saturating_add(1),
            _ => {}
        }
    }
    found
}

/// Major type and argument of the next item.
fn header(rest: &mut &[u8]) -> Option<(u8, u64)> {
    let first = *take(rest, 1)?.first()?;
    let value = match first & 0x1f {
        small @ 0..=23 => u64::from(small),
        size @ 24..=27 => take(rest, 1 << (size - 24))?.iter().fold(0, |n, b| n << 8 | u64::from(*b)),
        _ => return None,
    };
    Some((first >> 5, value))
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fvm_ipld_encoding::{DAG_CBOR, to_vec};
    use multihash_codetable::{Code, MultihashDigest};
    use std::collections::BTreeMap;

    #[test]
    fn finds_links_at_every_depth_and_only_links() {
        let cid = |n: u8| Cid::new_v1(DAG_CBOR, Code::Blake2b256.digest(&[n]));
        let map = BTreeMap::from([("a", Some(cid(2))), ("b", None)]);
        let block = to_vec(&(1u64 << 40, "text", vec![(cid(1), vec![1u8, 2])], map, cid(3), -5i64, true)).unwrap();
        assert_eq!(links(&block), vec![cid(1), cid(2), cid(3)]);
    }

    #[test]
    fn broken_blocks_end_quietly() {
        for broken in [&[][..], &[0x9f], &[0x82, 1], &[0xd8, 42, 1], &[0xd8, 42, 0x58, 200, 0], &[0x9b, 255, 255, 255]]
        {
            assert!(links(broken).is_empty());
        }
    }
}
