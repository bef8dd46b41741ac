//! In which order messages come to a block.

use std::collections::BTreeMap;

use super::Pending;

/// When a message's turn is: not before those with lower nonces of the same sender.
pub(super) fn turns(ready: &[&Pending]) -> BTreeMap<u64, u64> {
    let mut latest: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut turns = BTreeMap::new();
    for pending in ready {
        let turn = latest.entry(pending.signed.message.from.to_bytes()).or_default();
        *turn = (*turn).max(pending.arrival);
        turns.insert(pending.arrival, *turn);
    }
    turns
}
