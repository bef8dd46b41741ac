use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::Map;
use crate::runtime::fake::Blocks;
use crate::state::blocks;

type Model = BTreeMap<u64, u64>;

/// Sets or removes one of few keys, so that they meet often.
fn operations() -> impl Strategy<Value = Vec<(u64, Option<u64>)>> {
    prop::collection::vec((0u64..200, prop::option::weighted(0.7, any::<u64>())), 0..600)
}

fn seeded() -> Config {
    Config { cases: 48, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() }
}

/// Runs operations on the map and on the model, and compares all that can be asked.
fn agrees<const L: usize, const F: usize, const B: usize>(operations: &[(u64, Option<u64>)]) {
    let store = Blocks::default();
    let (mut map, mut model) = (Map::<u64, u64, L, F, B>::default(), Model::new());
    for (key, value) in operations {
        match value {
            Some(value) => {
                map.set(&store, *key, *value).unwrap();
                model.insert(*key, *value);
            }
            None => {
                map.remove(&store, *key).unwrap();
                model.remove(key);
            }
        }
        let link = blocks::put(&store, &map).unwrap();
        map = blocks::get(&store, &link).unwrap();
    }
    assert_eq!(map.check(&store), Vec::<String>::new());
    for key in 0..200 {
        assert_eq!(map.get(&store, &key).unwrap(), model.get(&key).copied(), "key {key}");
        for limit in [1, 3, 1_000] {
            let expected: Vec<_> = model.range(key..).take(limit).map(|(k, v)| (*k, *v)).collect();
            assert_eq!(page(&map, &store, key, limit), expected, "from {key}");
        }
    }
}

fn page<const L: usize, const F: usize, const B: usize>(
    map: &Map<u64, u64, L, F, B>,
    store: &Blocks,
    from: u64,
    limit: usize,
) -> Vec<(u64, u64)> {
    let mut found = vec![];
    map.scan(store, from, &mut |key, value| {
        found.push((key, *value));
        Ok(found.len() < limit)
    })
    .unwrap();
    found
}

proptest! {
    #![proptest_config(seeded())]

    #[test]
    fn a_map_without_buffers_is_a_map(operations in operations()) {
        agrees::<4, 3, 0>(&operations);
    }

    #[test]
    fn a_map_with_buffers_is_a_map(operations in operations()) {
        agrees::<5, 4, 6>(&operations);
    }

    #[test]
    fn the_smallest_nodes_do(operations in operations()) {
        agrees::<1, 2, 1>(&operations);
    }
}

#[test]
fn keys_in_order_do_not_degenerate() {
    let store = Blocks::default();
    for descending in [false, true] {
        let mut map = Map::<u64, u64, 8, 4, 8>::default();
        for n in 0..5_000 {
            let key = if descending { 5_000 - n } else { n };
            map.set(&store, key, key).unwrap();
        }
        assert_eq!(map.check(&store), Vec::<String>::new());
        store.take_gas();
        assert_eq!(map.get(&store, &2_500).unwrap(), Some(2_500));
        assert!(store.take_gas() < 12 * 200_000, "a dozen nodes at most between root and leaf");
    }
}

#[test]
fn what_is_emptied_is_gone() {
    let store = Blocks::default();
    let mut map = Map::<u64, u64, 4, 3, 2>::default();
    (0..500).for_each(|key| map.set(&store, key, key).unwrap());
    (0..500).for_each(|key| map.remove(&store, key).unwrap());
    assert_eq!(page(&map, &store, 0, 1), []);
    assert_eq!(map.check(&store), Vec::<String>::new());
    map.set(&store, 7, 8).unwrap();
    assert_eq!(page(&map, &store, 0, 9), [(7, 8)]);
}
