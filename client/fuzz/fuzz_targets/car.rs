//! Any bytes as a CAR: read in order, sought in, and streamed. What is given is what the CID names, and all ways give the same.
#![no_main]

use std::io::{Cursor, Read};

use bauta_client::car::{Blocks, CarFile, CarReader, FileStream};
use libfuzzer_sys::fuzz_target;

/// No input is long, but the trees of one may be read again and again.
const MOST: u64 = 8 << 20;

fuzz_target!(|bytes: &[u8]| {
    let mut whole = true;
    if let Ok(mut reader) = CarReader::new(bytes) {
        loop {
            match reader.next_block() {
                Ok(Some(block)) => assert!(block.data.len() <= bytes.len()),
                Ok(None) => break,
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
    }
    let Ok(mut car) = CarFile::open(Cursor::new(bytes), None) else { return };
    let root = car.root();
    if let Ok(Some(entries)) = car.directory(&root) {
        for entry in entries {
            assert!(car.resolve(&root, &entry.name).is_ok());
            if let Ok(file) = car.file(&entry.cid) {
                let _ = file.take(MOST).read_to_end(&mut Vec::new());
            }
        }
        return;
    }
    let mut sought = Vec::new();
    let ok = car.file(&root).is_ok_and(|file| file.take(MOST).read_to_end(&mut sought).is_ok());
    if let Ok(stream) = FileStream::new(bytes, &root) {
        let mut streamed = Vec::new();
        // A stream refuses some orders that a file allows, and reads blocks that a file does not look at.
        if stream.take(MOST).read_to_end(&mut streamed).is_ok() && ok && whole {
            assert!(sought == streamed);
        }
    }
});
