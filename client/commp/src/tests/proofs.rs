use super::vectors::lcg;
use crate::chunk::{BATCH, CHUNK};
use crate::*;

const KIB: u64 = 1 << 10;
const NODES: [u64; 7] = [128, 256, 8 * KIB, 16 * KIB, 128 * KIB, 1024 * KIB, 4096 * KIB];

fn tree(payload: &[u8], node_size: u64, threads: usize) -> Tree {
    Engine::new().threads(threads).keep(PaddedPieceSize(node_size)).unwrap().tree_of(payload).unwrap()
}

#[test]
fn kept_nodes_are_those_of_the_piece() {
    let payload: Vec<u8> = lcg(9).take(5 * CHUNK + 1234).collect();
    for size in [0, 1, 127, 128, 1000, BATCH - 1, BATCH, BATCH + 1, CHUNK, 3 * CHUNK, 4 * CHUNK + 1, payload.len()] {
        let payload = &payload[..size];
        let piece = super::portable().piece_of(payload).unwrap();
        for (node_size, threads) in NODES.into_iter().flat_map(|size| [(size, 1), (size, 3)]) {
            let tree = tree(payload, node_size, threads);
            assert_eq!(tree.piece(), &piece, "{size} bytes, nodes of {node_size}");
            assert_eq!(tree.node_size().0, node_size.min(piece.padded_size.0));
            assert_eq!(Tree::new(piece.clone(), tree.node_size(), tree.nodes().to_vec()), Ok(tree.clone()));
            tree.verify(0, payload).unwrap();
        }
    }
}

#[test]
fn a_patched_prefix_reaches_the_kept_nodes() {
    for (size, node_size) in
        [(100, 128), (5000, 256), (BATCH * 3, 8 * KIB), (CHUNK * 3, 1024 * KIB), (CHUNK + 1, 2048 * KIB)]
    {
        let mut payload: Vec<u8> = lcg(10).take(size).collect();
        let mut comm_p = Engine::new().keep(PaddedPieceSize(node_size)).unwrap().comm_p();
        comm_p.update(&payload).unwrap();
        comm_p.patch_prefix(&[0xab; 59]).unwrap();
        payload[..59].fill(0xab);
        assert_eq!(comm_p.finish_tree(), tree(&payload, node_size, 1), "{size} bytes, nodes of {node_size}");
    }
}

#[test]
fn a_range_is_checked_and_no_other_passes() {
    let size = 3 * CHUNK as u64 + 1234;
    let payload: Vec<u8> = lcg(11).take(size as usize).collect();
    let tree = tree(&payload, 256 * KIB, 2);
    let node = tree.node_size().unpadded().0;
    for range in
        [0..1, 0..size, node - 1..node + 1, node..2 * node, size - 1..size, size - 2000..size, 5..5, size..size + 9]
    {
        let cover = tree.cover(range.clone());
        assert!(cover.start <= range.start.min(size) && cover.end >= range.end.min(size), "{range:?}: {cover:?}");
        let mut read = payload[cover.start as usize..cover.end as usize].to_vec();
        tree.verify(cover.start, &read).unwrap();
        let len = read.len();
        for at in [0, len / 2, len.saturating_sub(1)].into_iter().filter(|at| *at < len) {
            read[at] ^= 0x10;
            assert_eq!(tree.verify(cover.start, &read), Err(Error::NotIncluded("the bytes are others")), "{range:?}");
            read[at] ^= 0x10;
        }
    }
    let read = &payload[..node as usize];
    assert!(tree.verify(node, read).is_err(), "at another place");
    assert!(tree.verify(1, &read[1..]).is_err(), "not from a node on");
    assert!(tree.verify(0, &read[1..]).is_err(), "not up to a node");
    assert!(
        tree.verify(size / node * node, &[&payload[(size / node * node) as usize..], &[0]].concat()).is_err(),
        "too long"
    );
    assert!(tree.verify(u64::MAX / node * node, read).is_err(), "behind the end");
}

#[test]
fn nodes_prove_that_they_are_included() {
    let payload: Vec<u8> = lcg(12).take(5 * BATCH + 1).collect();
    let tree = tree(&payload, 128 * KIB, 1);
    let (piece, node_size) = (tree.piece(), tree.node_size());
    assert_eq!((tree.nodes().len(), piece.padded_size.0), (6, 1024 * KIB));
    for index in 0..8 {
        let proof = tree.proof(index).unwrap();
        let zeros = zero_piece(node_size).unwrap();
        let node = tree.nodes().get(index as usize).unwrap_or(&zeros);
        proof.verify(node, node_size, piece).unwrap();

        let elsewhere = InclusionProof { index: index ^ 1, ..proof.clone() };
        assert_eq!(
            elsewhere.verify(node, node_size, piece).is_ok(),
            index >= 6,
            "only zeros look like their neighbour"
        );
        let behind = InclusionProof { index: index + 8, ..proof.clone() };
        assert_eq!(behind.verify(node, node_size, piece), Err(Error::NotIncluded("the piece ends before the node")));
        let mut short = proof.clone();
        short.path.pop();
        assert_eq!(short.verify(node, node_size, piece), Err(Error::NotIncluded("the path has another length")));
        assert!(proof.verify(node, PaddedPieceSize(256 * KIB), piece).is_err(), "of another size");
        let mut other = *node;
        other[0] ^= 1;
        assert_eq!(proof.verify(&other, node_size, piece), Err(Error::NotIncluded("the path leads to another root")));
        for at in 0..proof.path.len() {
            let mut wrong = proof.clone();
            wrong.path[at][31] ^= 1;
            assert!(wrong.verify(node, node_size, piece).is_err(), "sibling {at}");
        }
    }
    assert_eq!(tree.proof(8), Err(Error::NotIncluded("the piece ends before the node")));
}

#[test]
fn a_proof_within_a_subtree_becomes_one_within_the_piece() {
    let payload: Vec<u8> = lcg(13).take(5 * BATCH).collect();
    let outer = tree(&payload, 128 * KIB, 1);
    let inner = tree(&payload[2 * BATCH..3 * BATCH], 128, 1);
    let proof = inner.proof(77).unwrap().within(outer.proof(2).unwrap()).unwrap();
    let quad = &payload[2 * BATCH + 77 * 127..][..127];
    let quad = parse_piece_cid(&super::portable().piece_of(quad).unwrap().piece_cid).unwrap();
    proof.verify(&quad, PaddedPieceSize(128), outer.piece()).unwrap();
    assert_eq!(proof.index, 2 * 1024 + 77);

    let long = InclusionProof { index: 0, path: vec![[0; 32]; 20] };
    assert_eq!(long.clone().within(long), Err(Error::NotIncluded("the path is longer than any")));
    let astray = InclusionProof { index: 2, path: vec![[0; 32]] };
    let beyond = Err(Error::NotIncluded("the piece ends before the node"));
    assert_eq!(astray.clone().within(outer.proof(0).unwrap()), beyond);
    assert_eq!(inner.proof(0).unwrap().within(astray), beyond);
    let furthest = InclusionProof { index: u64::MAX, path: vec![[0; 32]; 3] };
    assert_eq!(inner.proof(0).unwrap().within(furthest), beyond, "no bit of an index is lost");
}

#[test]
fn stored_nodes_are_checked() {
    let payload: Vec<u8> = lcg(14).take(5 * BATCH).collect();
    let good = tree(&payload, 128 * KIB, 1);
    let (piece, size) = (good.piece().clone(), good.node_size());
    let wrong = |nodes: Vec<Commitment>| Tree::new(piece.clone(), size, nodes).unwrap_err();

    let mut nodes = good.nodes().to_vec();
    nodes.swap(0, 1);
    assert_eq!(wrong(nodes.clone()), Error::NotIncluded("the nodes lead to another root"));
    nodes.pop();
    assert_eq!(wrong(nodes.clone()), Error::NotIncluded("the payload has another number of nodes"));
    assert_eq!(wrong(Vec::new()), Error::NotIncluded("the payload has another number of nodes"));
    let mut nodes = good.nodes().to_vec();
    nodes[4][31] |= 0x40;
    assert_eq!(wrong(nodes), Error::NotIncluded("a node is no field element"));

    let nodes = good.nodes().to_vec();
    assert!(Tree::new(piece.clone(), PaddedPieceSize(256 * KIB), nodes.clone()).is_err());
    assert_eq!(Tree::new(piece.clone(), PaddedPieceSize(100), nodes.clone()), Err(Error::BadSize(100)));
    let smaller = PieceInfo { padded_size: PaddedPieceSize(512 * KIB), ..piece.clone() };
    assert_eq!(Tree::new(smaller, size, nodes.clone()), Err(Error::NotIncluded("the payload has another padded size")));
    let root = vec![parse_piece_cid(&piece.piece_cid).unwrap()];
    assert!(Tree::new(piece.clone(), PaddedPieceSize(2048 * KIB), root.clone()).is_err(), "larger than the piece");
    assert!(Tree::new(piece.clone(), piece.padded_size, root).is_ok());
    assert_eq!(Engine::new().keep(PaddedPieceSize(127)).unwrap_err(), Error::BadSize(127));
}
