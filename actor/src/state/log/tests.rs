use cid::Cid;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::{FAN, LEAF, Log};
use crate::runtime::fake::Blocks;
use crate::state::blocks;

fn link(store: &Blocks, n: u64) -> Cid {
    blocks::put(store, &n).unwrap()
}

fn seeded() -> Config {
    Config { cases: 24, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(seeded())]

    #[test]
    fn a_log_is_a_list(len in 0u64..3_000, changes in prop::collection::vec((any::<u64>(), any::<bool>()), 0..60)) {
        let store = Blocks::default();
        let (mut log, mut model) = (Log::default(), vec![]);
        for n in 0..len {
            prop_assert_eq!(log.append(&store, link(&store, n)).unwrap(), n);
            model.push(Some(link(&store, n)));
        }
        for (at, gone) in changes {
            let Some(at) = at.checked_rem(len) else { break };
            let new = Some(link(&store, at + 1_000_000)).filter(|_| !gone);
            log.set(&store, at, new).unwrap();
            model[at as usize] = new;
            log.append(&store, link(&store, at)).unwrap();
            model.push(Some(link(&store, at)));
        }
        for (at, expected) in model.iter().enumerate() {
            prop_assert_eq!(&log.get(&store, at as u64).unwrap(), expected, "element {}", at);
        }
        prop_assert_eq!(log.get(&store, model.len() as u64).unwrap(), None);
        prop_assert_eq!(log.get(&store, u64::MAX).unwrap(), None);
        prop_assert!(log.set(&store, model.len() as u64, None).is_err());
        let (elements, wrong) = log.check(&store);
        prop_assert_eq!(wrong, Vec::<String>::new());
        let left: Vec<_> = model.iter().zip(0..).filter_map(|(link, at)| link.map(|link| (at, link))).collect();
        prop_assert_eq!(elements, left);
    }
}

#[test]
fn an_append_writes_one_node_at_most() {
    let store = Blocks::default();
    let mut log = Log::default();
    for n in 0..20_000 {
        let record = link(&store, n);
        store.take_gas();
        log.append(&store, record).unwrap();
        let node = 506_000 + 3_340 * 44 * LEAF as u64;
        assert!(store.take_gas() <= node, "append {n}");
    }
}

#[test]
fn the_waiting_links_stay_few() {
    let store = Blocks::default();
    let mut log = Log::default();
    let most = |level: usize| if level == 0 { LEAF } else { FAN };
    for n in 0..50_000 {
        log.append(&store, link(&store, n)).unwrap();
        assert!(log.levels.iter().enumerate().all(|(level, links)| links.len() <= most(level)), "append {n}");
    }
}

#[test]
fn a_broken_log_is_found() {
    let store = Blocks::default();
    let mut log = Log::default();
    for n in 0..100 {
        log.append(&store, link(&store, n)).unwrap();
    }
    let wrong = |log: &Log| !log.check(&store).1.is_empty();
    assert!(!wrong(&log));
    assert!(wrong(&Log { len: 99, ..log.clone() }));
    let mut lost = log.clone();
    *lost.levels.last_mut().unwrap().last_mut().unwrap() = None;
    assert!(wrong(&lost));
    let mut not_a_node = log.clone();
    *not_a_node.levels.last_mut().unwrap().last_mut().unwrap() = Some(link(&store, 1));
    assert!(wrong(&not_a_node));
    assert!((0..100).any(|n| not_a_node.get(&store, n).is_err()));
}
