//! Any bytes as a journal: of a pack, as it lies on the disk and behind its cipher; the commitment in it; and of a put.
#![no_main]

use bauta_commp::{CommP, Saved};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    bauta_client::fuzzing::pack_journal(bytes);
    bauta_client::fuzzing::put_journal(bytes);
    if let Ok(saved) = Saved::from_bytes(bytes) {
        assert_eq!(saved.to_bytes(), bytes);
        let mut comm_p = CommP::resume(&saved);
        assert_eq!(comm_p.written(), saved.covered());
        let _ = comm_p.update(&[7; 300_000]);
        let _ = comm_p.save().map(|saved| Saved::from_bytes(&saved.to_bytes()).unwrap());
        comm_p.finish();
    }
});
