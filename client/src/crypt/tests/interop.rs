//! Both ways with the stock `age` crate, and with the `age` program where it is installed.

use std::io::{Read, Write};
use std::iter::once;
use std::process::{Command, Stdio};

use super::*;

fn stock_identity(identity: &Identity) -> age::x25519::Identity {
    identity.to_file().lines().last().unwrap().parse().unwrap()
}

const SIZES: [usize; 8] = [0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 7];

#[test]
fn stock_age_opens_ours() {
    for size in SIZES {
        let (identity, other) = (Identity::generate(), Identity::generate());
        let plain = bytes(size);
        let file = sealed(&plain, &[other.recipient(), identity.recipient()]);
        let stock = stock_identity(&identity);
        let mut opened = age::Decryptor::new(&file[..]).unwrap().decrypt(once(&stock as _)).unwrap();
        let mut found = Vec::new();
        opened.read_to_end(&mut found).unwrap();
        assert!(found == plain, "{size} bytes");
    }
}

#[test]
fn ours_opens_stock_age() {
    for size in SIZES {
        let identity = Identity::generate();
        let plain = bytes(size);
        let recipient = stock_identity(&identity).to_public();
        let mut file = Vec::new();
        // It adds a random stanza of an unknown kind.
        let encryptor = age::Encryptor::with_recipients(once(&recipient as _)).unwrap();
        let mut writer = encryptor.wrap_output(&mut file).unwrap();
        writer.write_all(&plain).unwrap();
        writer.finish().unwrap();
        let opened = open(&file[..], &identity).unwrap();
        let key = opened.file_key().clone();
        assert!(read(opened).unwrap() == plain, "{size} bytes");
        assert!(read(open_with_key(&file[..], &key).unwrap()).unwrap() == plain, "{size} bytes");
    }
}

#[test]
fn the_age_program_opens_ours() {
    if Command::new("age").arg("--version").output().is_err() {
        eprintln!("skipped: the program `age` is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let identity = Identity::generate();
    std::fs::write(dir.path().join("key.txt"), &*identity.to_file()).unwrap();
    for size in SIZES {
        let plain = bytes(size);
        let file = sealed(&plain, &[identity.recipient()]);
        let mut key = FileKey::generate();
        key.clone_from(open(&file[..], &identity).unwrap().file_key());
        let mut again = Vec::new();
        reheader(&file[..], &key, &[identity.recipient()]).unwrap().read_to_end(&mut again).unwrap();
        for file in [file, again] {
            let path = dir.path().join("file.age");
            std::fs::write(&path, file).unwrap();
            let mut age = Command::new("age");
            age.arg("-d").arg("-i").arg(dir.path().join("key.txt")).arg(&path);
            let found = age.stdin(Stdio::null()).output().unwrap();
            assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
            assert!(found.stdout == plain, "{size} bytes");
        }
    }
}
