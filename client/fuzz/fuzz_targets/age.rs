//! Age files: any bytes, and good files of which something was changed, cut off or added. What is given is the plaintext or its beginning.
#![no_main]

use std::io::{Cursor, Read, Seek, SeekFrom};
use std::sync::LazyLock;

use bauta_client::crypt::{self, FileKey, Identity, Metadata, Recipient, Wrap};
use libfuzzer_sys::fuzz_target;

static OWNER: LazyLock<Identity> = LazyLock::new(Identity::generate);

/// A file of some chunks, its key, and what is in it.
static GOOD: LazyLock<(Vec<u8>, FileKey, Vec<u8>)> = LazyLock::new(|| {
    let plain: Vec<u8> = (0..150_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut sealed = crypt::seal(&plain[..], &[OWNER.recipient()]).unwrap();
    let mut file = Vec::new();
    sealed.read_to_end(&mut file).unwrap();
    (file, sealed.file_key().clone(), plain)
});

fuzz_target!(|bytes: &[u8]| {
    let (good, key, plain) = &*GOOD;
    let _ = crypt::open(bytes, &OWNER).map(|mut opened| opened.read_to_end(&mut Vec::new()));
    let _ = crypt::open_with_key(bytes, key).map(|mut opened| opened.read_to_end(&mut Vec::new()));
    let _ = Metadata::open(bytes, key);
    if let Ok(wrap) = Wrap::from_bytes(bytes) {
        assert_eq!(wrap.as_bytes(), bytes);
        let _ = crypt::unwrap(&wrap, &OWNER);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Identity::parse_file(text);
        if let Ok(recipient) = text.parse::<Recipient>() {
            assert_eq!(recipient.to_string(), text.to_lowercase());
        }
    }

    // Changes: three bytes of place, what to do there, with what.
    let mut file = good.clone();
    for change in bytes.chunks_exact(5) {
        let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize;
        if file.is_empty() {
            break;
        }
        let at = at % file.len();
        match change[3] % 4 {
            0 => file[at] ^= change[4],
            1 => file.truncate(at),
            2 => file.insert(at, change[4]),
            _ => {
                let from = at.min(good.len());
                file.extend_from_slice(&good[from..good.len().min(from + usize::from(change[4]))]);
            }
        }
    }
    let whole = file == *good;
    for opened in [crypt::open(&file[..], &OWNER), crypt::open_with_key(&file[..], key)] {
        let Ok(mut opened) = opened else {
            assert!(!whole);
            continue;
        };
        let mut found = Vec::new();
        let ended = opened.read_to_end(&mut found).is_ok();
        assert!(plain.starts_with(&found) && ended == whole);
    }
    if let (Ok(mut opened), Some(at)) = (crypt::open_with_key(Cursor::new(&file), key), bytes.first()) {
        let mut found = [0; 100];
        let from = usize::from(*at) * 500;
        if opened.seek(SeekFrom::Start(from as u64)).is_ok() && opened.read_exact(&mut found).is_ok() {
            assert!(plain[from..from + 100] == found);
        }
    }
});
