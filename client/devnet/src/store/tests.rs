//! Commits, locks, and the cache.

use super::*;
use fvm_ipld_encoding::CborStore;
use multihash_codetable::Code;

#[test]
fn commit_keeps_what_hangs_on_the_roots_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (leaf, root, stray) = {
        let store = Store::open(folder.path()).unwrap();
        let leaf = store.put_cbor(&("leaf", 1u8), Code::Blake2b256).unwrap();
        let root = store.put_cbor(&(leaf, 2u8), Code::Blake2b256).unwrap();
        let stray = store.put_cbor(&("stray", 3u8), Code::Blake2b256).unwrap();
        store.commit(Roots { states: &[root], ..Roots::default() }, &Changes::default(), true).unwrap();
        (leaf, root, stray)
    };
    let store = Store::open(folder.path()).unwrap();
    assert!(store.has(&leaf).unwrap() && store.has(&root).unwrap());
    assert!(!store.has(&stray).unwrap());
}

#[test]
fn blocks_without_a_commit_are_gone_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let cid = {
        let store = Store::open(folder.path()).unwrap();
        let cid = store.put_cbor(&"lost", Code::Blake2b256).unwrap();
        assert!(store.has(&cid).unwrap());
        cid
    };
    assert!(!Store::open(folder.path()).unwrap().has(&cid).unwrap());
}

#[test]
fn a_second_opener_is_refused_in_one_clear_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Store::open(folder.path()).unwrap();
    let refused = Store::open(folder.path()).err().expect("refused");
    assert!(matches!(refused, StoreError::InUse(_)));
    assert!(refused.to_string().contains("in use by another devnet"), "{refused}");
}

#[test]
fn many_may_read_what_nobody_writes() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open_to_read(folder.path()), Err(StoreError::NoChain(_))));
    let writer = Store::open(folder.path()).unwrap();
    let block = writer.put_cbor(&"block", Code::Blake2b256).unwrap();
    writer.commit(Roots { states: &[block], ..Roots::default() }, &Changes::default(), false).unwrap();
    assert!(matches!(Store::open_to_read(folder.path()), Err(StoreError::InUse(_))));
    writer.sync().unwrap();
    drop(writer);
    let readers = [(); 2].map(|()| Store::open_to_read(folder.path()).unwrap());
    assert!(readers.iter().all(|reader| reader.has(&block).unwrap()));
    assert!(matches!(readers[0].record(&Changes::default(), true), Err(StoreError::ReadOnly)));
    assert!(matches!(Store::open(folder.path()), Err(StoreError::InUse(_))));
}

#[test]
fn the_cache_is_bounded() {
    let mut cache = Cache::default();
    for i in 0..200u32 {
        let cid = Cid::new_v1(0x55, multihash_codetable::MultihashDigest::digest(&Code::Blake2b256, &i.to_be_bytes()));
        cache.put(cid, vec![0; 1 << 20]);
    }
    let held: usize = cache.young.values().chain(cache.old.values()).map(Vec::len).sum();
    assert!(held <= CACHE_BYTES, "{held}");
}

#[test]
fn what_is_written_in_passing_is_forgotten_and_nothing_else() {
    let store = Store::temporary().unwrap();
    let put = |n: u64| store.put_cbor(&n, Code::Blake2b256).unwrap();
    let third = Store::temporary().unwrap().put_cbor(&3u64, Code::Blake2b256).unwrap();
    let before = put(1);
    let (again, passing) = store.in_passing(|| (put(1), put(2)));
    assert_eq!(before, again);
    assert!(store.has(&before).unwrap() && !store.has(&passing).unwrap());
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.in_passing(|| {
            put(3);
            panic!("in passing");
        })
    }));
    assert!(panics.is_err());
    let after = put(2);
    assert!(store.has(&after).unwrap() && !store.has(&third).unwrap());
}
