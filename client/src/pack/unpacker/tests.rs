use std::io::{Cursor, Read};

use cid::Cid;
use cid::multihash::Multihash;
use sha2::{Digest, Sha256};

use super::*;
use crate::car::CarWriter;
use crate::crypt::{self, Identity};
use crate::pack::{Key, Package};

/// A field of a protobuf message that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    crate::car::write_uvarint(bytes.len() as u64, &mut out);
    [out, bytes.to_vec()].concat()
}

fn varint(number: u8, n: u64) -> Vec<u8> {
    let mut out = vec![number << 3];
    crate::car::write_uvarint(n, &mut out);
    out
}

fn cid(block: &[u8]) -> Cid {
    Cid::new_v1(0x70, Multihash::wrap(0x12, &Sha256::digest(block)).unwrap())
}

/// A file whose bytes stand inside of dag-pb nodes, as old programs write them.
fn inline(bytes: &[u8], chunk: usize) -> Vec<u8> {
    let mut car = CarWriter::new(Vec::new()).unwrap();
    let (mut links, mut sizes) = (Vec::new(), [varint(1, 2), varint(3, bytes.len() as u64)].concat());
    for chunk in bytes.chunks(chunk) {
        let size = chunk.len() as u64;
        let block = field(1, &[varint(1, 2), field(2, chunk), varint(3, size)].concat());
        car.put(&cid(&block), &block).unwrap();
        let link = [field(1, &cid(&block).to_bytes()), field(2, &[]), varint(3, block.len() as u64)];
        links.extend(field(2, &link.concat()));
        sizes.extend(varint(4, size));
    }
    let root = [links, field(1, &sizes)].concat();
    car.put(&cid(&root), &root).unwrap();
    let (mut car, header) = car.finish(&cid(&root)).unwrap();
    car[..header.len()].copy_from_slice(&header);
    car
}

/// Such bytes come in buffers of their own, for which nobody will ask again.
#[test]
fn bytes_inside_of_nodes_are_not_hoarded() {
    let plain: Vec<u8> = crate::vectors::lcg(1).take(9 << 20).collect();
    let mut sealed = crypt::seal(&plain[..], &[Identity::generate().recipient()]).unwrap();
    let key = sealed.file_key().clone();
    let mut age = Vec::new();
    sealed.read_to_end(&mut age).unwrap();
    let mut package = Package::open(Cursor::new(inline(&age, 64 << 10)), None, Key::File(&key)).unwrap();
    let root = package.root();
    let (mut unpacker, mut back) = (Unpacker::new(), Vec::new());
    let unread = package.open_unread(&root, &key).unwrap();
    let all = 0..unread.size;
    unpacker
        .large(unread, all, &mut |plain| {
            back.extend_from_slice(plain);
            Ok(())
        })
        .unwrap();
    assert!(back == plain);
    assert!(unpacker.spare.len() <= buffers(leaves_at_once()), "{}", unpacker.spare.len());
}
