use proptest::prelude::*;

use super::*;

const CHUNK: usize = choice::LONG;

fn ciphers(key: &[u8; KEY]) -> Vec<(Library, Cipher)> {
    let all = Library::ALL.into_iter();
    all.filter_map(|library| Some((library, Cipher::with(library, key).ok()?))).collect()
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 7 + (i >> 8) * 3) as u8).collect()
}

/// Seals with each, opens with each, and with each what was changed.
fn agree(key: &[u8; KEY], nonce: &[u8; NONCE], plain: &[u8]) {
    let all = ciphers(key);
    let mut expected = plain.to_vec();
    let tag = rust_crypto::seal(key, nonce, &mut expected);
    for (library, cipher) in &all {
        let mut sealed = plain.to_vec();
        assert_eq!((cipher.seal(nonce, &mut sealed), &sealed), (tag, &expected), "{library}, {} bytes", plain.len());
        let mut found = vec![0xaa; plain.len()];
        assert!(cipher.open(nonce, &sealed, &tag, &mut found) && found == plain, "{library}, {} bytes", plain.len());
        // Whatever bit is another: nothing comes out.
        let mut wrong = tag;
        wrong[plain.len() % TAG] ^= 1 << (plain.len() % 8);
        assert!(!cipher.open(nonce, &sealed, &wrong, &mut found), "{library}");
        assert!(found.iter().all(|byte| *byte == 0), "{library}: what cannot be trusted is wiped");
        let mut other = *nonce;
        other[11] ^= 1;
        assert!(!cipher.open(&other, &sealed, &tag, &mut found), "{library}");
        if let Some(last) = sealed.last_mut() {
            *last ^= 0x80;
            assert!(!cipher.open(nonce, &sealed, &tag, &mut found), "{library}");
            assert!(found.iter().all(|byte| *byte == 0), "{library}");
        }
    }
}

#[test]
fn all_libraries_are_one_at_every_edge() {
    // Blocks of 16 and 64 bytes, and the strides of vector code: 256, 512, 1,024.
    for edge in [0, 16, 64, 128, 192, 256, 320, 384, 448, 512, 768, 1024, 2048, 4096, CHUNK, CHUNK + 1024] {
        for size in edge.max(17) - 17..edge + 18 {
            agree(&[7; KEY], &[5; NONCE], &bytes(size));
        }
    }
}

proptest! {
    #[test]
    fn all_libraries_are_one(key: [u8; KEY], nonce: [u8; NONCE], plain in prop::collection::vec(any::<u8>(), 0..5000)) {
        agree(&key, &nonce, &plain);
    }
}

#[test]
fn many_threads_share_a_key() {
    let key = [9; KEY];
    for (library, cipher) in ciphers(&key) {
        std::thread::scope(|threads| {
            for thread in 0..4u8 {
                let cipher = &cipher;
                threads.spawn(move || {
                    for i in 0..50 {
                        let nonce = [thread ^ i; NONCE];
                        let (mut found, mut expected) = (bytes(3000), bytes(3000));
                        let tag = cipher.seal(&nonce, &mut found);
                        assert_eq!(tag, rust_crypto::seal(&[9; KEY], &nonce, &mut expected), "{library}");
                        assert_eq!(found, expected, "{library}");
                    }
                });
            }
        });
    }
}

#[test]
fn the_default_gives_what_the_others_give() {
    let cipher = Cipher::new(&[1; KEY]);
    // Before and after a faster library may be asked for.
    for size in [0, 100, CHUNK - 1, CHUNK, 3 * CHUNK, 32 << 20, CHUNK, 3 * CHUNK + 1] {
        let (mut found, mut expected) = (bytes(size), bytes(size));
        let tag = cipher.seal(&[2; NONCE], &mut found);
        assert_eq!((tag, &found), (rust_crypto::seal(&[1; KEY], &[2; NONCE], &mut expected), &expected));
        let mut plain = vec![0; size];
        assert!(cipher.open(&[2; NONCE], &found, &tag, &mut plain) && plain == bytes(size));
    }
}

#[test]
fn names_are_read_back() {
    for library in Library::ALL {
        assert_eq!(library.to_string().parse(), Ok(library));
    }
    let error = "boringssl".parse::<Library>().unwrap_err();
    assert_eq!(error.to_string(), "\"boringssl\" is no library: aws-lc, openssl or rustcrypto");
}

/// In processes of their own: the choice is made once.
#[test]
fn the_environment_chooses() {
    const CHILD: &str = "BAUTA_CIPHER_TEST_PRINTS";
    if std::env::var(CHILD).is_ok() {
        println!("chosen: {}, for a byte: {}", Library::chosen(), choice::for_text(1));
        return;
    }
    let run = |name: &str| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "tests::the_environment_chooses", "--nocapture"])
            .env(CHILD, "1")
            .env("BAUTA_CIPHER", name);
        let output = child.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for library in Library::ALL.into_iter().filter(|library| library.is_available()) {
        assert!(
            run(&library.to_string()).contains(&format!("chosen: {library}, for a byte: {library}\n")),
            "{library}"
        );
    }
    // What nobody has heard of is passed over.
    let unnamed = run("boringssl");
    assert!(unnamed.contains("for a byte: aws-lc\n") && !unnamed.contains("chosen: rustcrypto"), "{unnamed}");
}
