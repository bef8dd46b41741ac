use std::io::{self, Write};
use std::sync::OnceLock;

use proptest::prelude::*;

use super::vectors::lcg;
use crate::chunk::{BATCH, CHUNK, LANE, LANES};
use crate::merkle::node;
use crate::*;

/// The backends that this machine runs; says on standard error which are left out.
pub(super) fn available() -> Vec<Backend> {
    static SAID: OnceLock<()> = OnceLock::new();
    SAID.get_or_init(|| {
        for backend in Backend::ALL.into_iter().filter(|backend| !backend.is_available()) {
            // Not `eprintln`, which a passing test swallows.
            let _ = writeln!(io::stderr(), "backend {backend} is not tested: this CPU has not the instructions");
        }
    });
    Backend::ALL.into_iter().filter(|backend| backend.is_available()).collect()
}

/// All but the one they are compared with.
fn others() -> Vec<Backend> {
    available().into_iter().filter(|backend| *backend != Backend::Portable).collect()
}

fn agree(payload: &[u8]) {
    let expected = super::portable().piece_of(payload).unwrap();
    for backend in others() {
        let found = Engine::new().backend(backend).unwrap().piece_of(payload).unwrap();
        assert_eq!(found, expected, "{backend} on {} bytes", payload.len());
    }
}

#[test]
fn every_backend_agrees_at_every_small_size() {
    let payload: Vec<u8> = lcg(3).take(2032 + 130).collect();
    for size in (0..=386).chain(504..=512).chain(1010..=1020).chain(2028..=payload.len()) {
        agree(&payload[..size]);
    }
}

#[test]
fn every_backend_agrees_at_the_edges_of_lanes_batches_and_chunks() {
    let payload: Vec<u8> = lcg(4).take(2 * CHUNK + BATCH + 500).collect();
    for edge in [LANE, 2 * LANE, 15 * LANE, BATCH, 2 * BATCH, 7 * BATCH, CHUNK, CHUNK + LANE, CHUNK + BATCH, 2 * CHUNK]
    {
        for size in [edge - 128, edge - 127, edge - 1, edge, edge + 1, edge + 127, edge + 128] {
            agree(&payload[..size]);
        }
    }
}

#[test]
fn every_backend_agrees_on_all_ones_and_single_bits() {
    for fill in [0x00, 0xff] {
        agree(&vec![fill; CHUNK + 1]);
    }
    // A bit at each place of a quad, in each lane: nothing leaks over a boundary.
    for bit in (0..127 * 8).step_by(13).chain(1000..1016) {
        let mut payload = vec![0; BATCH];
        for lane in 0..LANES {
            payload[lane * LANE + (lane % 64) * 127 + bit / 8] |= 1 << (bit % 8);
        }
        agree(&payload);
    }
}

#[test]
fn every_layer_has_the_nodes_of_the_oracle() {
    for backend in available() {
        let kernel = backend.kernel().unwrap();
        for pairs in (0..=20).chain([31, 32, 33, 47, 48, 64, 95, 96, 97, 112, 128, 200]) {
            let bytes: Vec<u8> = lcg(pairs as u32).take(64 * pairs).collect();
            let mut nodes: Vec<Commitment> = bytes.chunks(32).map(|node| node.try_into().unwrap()).collect();
            let expected: Vec<_> = nodes.chunks(2).map(|pair| node(&pair[0], &pair[1])).collect();
            kernel.hash_layer(&mut nodes);
            assert_eq!(nodes[..pairs], expected, "{backend}, {pairs} pairs");
        }
    }
}

#[test]
fn a_backend_is_named_as_it_prints() {
    for backend in Backend::ALL {
        assert_eq!(backend.to_string().parse(), Ok(backend));
        assert_eq!(Engine::new().backend(backend).is_ok(), backend.is_available());
    }
    assert!("AVX512".parse::<Backend>().is_err());
    assert!("".parse::<Backend>().is_err());
    assert!(Backend::chosen().is_available());
}

/// The choice is made once for each process, so this one starts itself again.
#[test]
fn the_environment_names_the_backend() {
    const ASKED: &str = "BAUTA_COMMP_TEST_ASKED";
    if std::env::var_os(ASKED).is_some() {
        println!("chosen: {}", Backend::chosen());
        return;
    }
    for (name, expected) in available().into_iter().map(|b| (b.to_string(), Some(b))).chain([("gpu".into(), None)]) {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::backends::the_environment_names_the_backend", "--nocapture"])
            .env(ASKED, "1")
            .env("BAUTA_COMMP_BACKEND", &name)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, chosen) = text.split_once("chosen: ").unwrap_or_else(|| panic!("{text}"));
        let chosen: Backend = chosen.split_whitespace().next().unwrap().parse().unwrap();
        assert!(expected.is_none_or(|expected| expected == chosen), "{name}: {chosen}");
    }
}

#[test]
fn threads_change_nothing() {
    let payload: Vec<u8> = lcg(5).take(11 * CHUNK + BATCH + 77).collect();
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + BATCH, 5 * CHUNK - 1, payload.len()] {
        let expected = super::portable().piece_of(&payload[..size]).unwrap();
        for threads in 0..=4 {
            let engine = Engine::new().threads(threads);
            assert_eq!(engine.piece_of(&payload[..size]).unwrap(), expected, "{size} bytes, {threads} threads at once");
            for cut in [4096, BATCH, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
                let mut comm_p = engine.comm_p();
                payload[..size].chunks(cut).for_each(|part| comm_p.write_all(part).unwrap());
                assert_eq!(comm_p.finish(), expected, "{size} bytes, {threads} threads, {cut} bytes a write");
            }
        }
    }
}

#[test]
fn what_is_dropped_half_way_ends_its_threads() {
    let payload: Vec<u8> = lcg(6).take(CHUNK).collect();
    for _ in 0..20 {
        let mut comm_p = Engine::new().threads(3).comm_p();
        (0..6).for_each(|_| comm_p.write_all(&payload).unwrap());
        drop(comm_p); // waits for the threads
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        rng_seed: proptest::test_runner::RngSeed::Fixed(3),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_backend_agrees_however_it_is_written(
        size in prop_oneof![0usize..5_000, 100_000usize..400_000, 900_000usize..6_000_000],
        cuts in prop::collection::vec(prop_oneof![1usize..300, 50_000usize..300_000, 900_000usize..2_500_000], 1..12),
        threads in 1usize..=4,
        seed: u32,
    ) {
        let payload: Vec<u8> = lcg(seed).take(size).collect();
        let expected = super::portable().piece_of(&payload).unwrap();
        for backend in others() {
            let mut comm_p = Engine::new().backend(backend).unwrap().threads(threads).comm_p();
            let mut rest = &payload[..];
            for cut in &cuts {
                let (part, more) = rest.split_at(rest.len().min(*cut));
                comm_p.update(part).unwrap();
                rest = more;
            }
            comm_p.update(rest).unwrap();
            prop_assert_eq!(comm_p.written(), size as u64);
            prop_assert_eq!(comm_p.finish(), expected.clone(), "{} on {} threads", backend, threads);
        }
    }
}
