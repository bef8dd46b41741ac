//! Every backend against the portable one, however the payload is cut, put down and taken up.
#![no_main]

use bauta_commp::{Backend, CommP, Engine, PaddedPieceSize, Saved};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, pattern)) = bytes.split_first_chunk::<8>() else { return };
    // Up to 256 KiB, a little more than two batches, repeated from the pattern with its number, so that no two quads are alike. One in sixteen
    // is long: batches and their edges need it, take the sanitizer a second, and all else happens within 8 KiB.
    let size = u32::from_le_bytes([head[0], head[1], head[2] & 3, 0]) as usize;
    let size = if head[2] >> 4 == 0 { size } else { size % (8 << 10) };
    let at = |i: usize| pattern.get(i % pattern.len().max(1)).copied().unwrap_or_default();
    let payload: Vec<u8> = (0..size).map(|i| at(i) ^ (i >> 7) as u8).collect();
    let expected = Engine::new().backend(Backend::Portable).unwrap().piece_of(&payload).unwrap();
    // At most a thousand parts: each costs the sanitizer as much as a kernel does.
    let cut = (usize::from(u16::from_le_bytes([head[3], head[4]])) + 1) * (usize::from(head[5] % 32) + 1);
    let cut = cut.max(size / 1000);
    for backend in Backend::ALL.into_iter().filter(|backend| backend.is_available()) {
        let engine = Engine::new().backend(backend).unwrap().threads(usize::from(head[6] % 3) + 1);
        let mut comm_p = engine.comm_p();
        payload.chunks(cut).for_each(|part| comm_p.update(part).unwrap());
        assert_eq!(comm_p.finish(), expected, "{backend}");
        // At most some hundred nodes are kept, as whoever proves a part does.
        let node_size = (128 << (head[7] % 12)).max(size.next_power_of_two() as u64 >> 8);
        let tree = engine.keep(PaddedPieceSize(node_size)).unwrap().tree_of(&payload).unwrap();
        assert_eq!(*tree.piece(), expected, "{backend}");
        assert!(bauta_commp::Tree::new(tree.piece().clone(), tree.node_size(), tree.nodes().to_vec()).is_ok());
    }
    let mut comm_p = CommP::new();
    let mut part = &payload[..payload.len().min(cut)];
    comm_p.update_part(part, &Engine::new().part(0, part)).unwrap();
    let saved = Saved::from_bytes(&comm_p.save().unwrap().to_bytes()).unwrap();
    let mut resumed = CommP::resume(&saved);
    part = &payload[saved.covered() as usize..];
    resumed.update_part(part, &Engine::new().part(saved.covered(), part)).unwrap();
    assert_eq!(resumed.finish(), expected);
});
