use std::fs;
use std::os::unix::fs::PermissionsExt;

use age::secrecy::SecretString;
use serde_json::json;

use super::*;
use crate::address::Prefix;
use crate::home::FileError;
use crate::message::{self, RawBytes, TokenAmount};
use crate::vectors::{self, Case};

#[test]
fn vectors() {
    for (file, cases) in
        vectors::walk("wallet", &["keys.json", "import.json", "seeds.json", "phrases.json", "texts.json"])
    {
        if file == "seeds.json" && vectors::update("wallet", "seeds.json", seeds) {
            continue;
        }
        for case in cases {
            match file.as_str() {
                "keys.json" => key(&case),
                "import.json" => {
                    case.check(
                        Key::import(case.text("file"))
                            .map(|key| json!({"mainnet": Prefix::Mainnet.show(&key.address())})),
                    );
                }
                "phrases.json" => case.check(phrase(&case)),
                "texts.json" => text(&case),
                "seeds.json" => {
                    let kind = KeyKind::from_name(case.text("kind")).expect("a known kind");
                    let key = Key::from_seed(kind, &case.bytes("seed"));
                    case.check::<KeyError>(Ok(about(&key)));
                }
                _ => unreachable!("walk knows the files"),
            }
        }
    }
}

fn about(key: &Key) -> serde_json::Value {
    json!({"secret": hex::encode(key.expose_secret()), "mainnet": Prefix::Mainnet.show(&key.address())})
}

fn key(case: &Case) {
    let kind = KeyKind::from_name(case.text("kind")).expect("a known kind");
    let key = Key::from_secret(kind, &case.bytes("secret")).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    case.check::<KeyError>(Ok(json!({"mainnet": Prefix::Mainnet.show(&key.address())})));
    assert_eq!(*key.export(), case.text("file"), "{}", case.name);
    let back = Key::import(case.text("file")).expect("just exported");
    assert_eq!(back.expose_secret(), key.expose_secret(), "{}", case.name);
}

fn phrase(case: &Case) -> Result<serde_json::Value, PhraseError> {
    let phrase = Phrase::parse(case.text("phrase"))?;
    let passphrase = case.value["passphrase"].as_str().unwrap_or_default();
    Ok(about(&phrase.key(&case.text("path").parse()?, passphrase)?))
}

fn text(case: &Case) {
    let data = case.bytes("data");
    let bytes = if case.value["enveloped"] == json!(true) { enveloped(&data) } else { data };
    if case.value.get("expect").is_some() {
        let key = Key::from_secret(KeyKind::Secp256k1, &case.bytes("secret")).expect("a valid key");
        let signature = key.sign_bytes(&bytes);
        signature.verify(&bytes, &key.address()).expect("just signed");
        let shown = json!({"bytes": hex::encode(&bytes), "signature": hex::encode(signature.to_bytes())});
        return case.check::<KeyError>(Ok(shown));
    }
    let signer = crate::address::parse(case.text("signer")).expect("an address");
    let verified = message::Signature::from_bytes(&case.bytes("signature")).and_then(|s| s.verify(&bytes, &signer));
    case.check(verified.map(|()| json!("verified")));
}

#[test]
fn new_phrases_differ_and_give_their_keys_again() {
    for words in [12, 15, 18, 21, 24] {
        let (one, other) = (Phrase::generate(words).expect("made"), Phrase::generate(words).expect("made"));
        assert_ne!(*one.expose_words(), *other.expose_words());
        assert_eq!(one.expose_words().split(' ').count(), words);
        let path = KeyPath::filecoin(3).expect("a path");
        assert_eq!(path.to_string(), "m/44'/461'/0'/0/3");
        let again = Phrase::parse(&one.expose_words()).expect("just made");
        assert_eq!(again.key(&path, "").expect("a key"), one.key(&path, "").expect("a key"));
        assert_ne!(again.key(&path, "x").expect("a key"), one.key(&path, "").expect("a key"));
        let printed = format!("{one:?} {one:#?}");
        assert!(one.expose_words().split(' ').all(|word| word == "word" || !printed.contains(word)), "{printed}");
    }
    for wrong in [0, 11, 13, 14, 25, 48] {
        assert_eq!(Phrase::generate(wrong).map(|_| ()), Err(PhraseError::Length(wrong)));
    }
    assert!(KeyPath::filecoin(1 << 31).is_err());
}

fn seeds() -> Vec<serde_json::Value> {
    let seeds: [(&str, &[u8]); 4] =
        [("no bytes", b""), ("a word", b"bauta"), ("zeros", &[0; 32]), ("ones", &[0xff; 64])];
    let kinds = [KeyKind::Secp256k1, KeyKind::Bls];
    let case = |(name, seed): (&str, &[u8]), kind: KeyKind| {
        json!({
            "name": format!("{name}, {}", kind.name()),
            "kind": kind.name(),
            "seed": hex::encode(seed),
            "expect": about(&Key::from_seed(kind, seed)),
        })
    };
    seeds.iter().flat_map(|seed| kinds.iter().map(move |kind| case(*seed, *kind))).collect()
}

#[test]
fn new_keys_differ_and_sign() {
    for kind in [KeyKind::Secp256k1, KeyKind::Bls] {
        let (one, other) = (Key::generate(kind), Key::generate(kind));
        assert_ne!(one.address(), other.address());
        let mut message =
            message::draft(one.address(), other.address(), TokenAmount::from_atto(1), 0, RawBytes::default());
        let signed = one.sign(message.clone()).expect("own message");
        signed.verify().expect("own signature");
        assert_eq!(other.sign(message.clone()), Err(KeyError::NotTheSender));
        message.from = crate::address::Address::new_id(1234);
        let by_id = one.sign(message).expect("an ID may stand for the key");
        assert!(by_id.verify().is_err(), "an ID address has to be resolved before");
        by_id.verify_for(&one.address()).expect("resolved");
        by_id.verify_for(&other.address()).expect_err("another key");
    }
}

#[test]
fn debug_never_prints_a_secret() {
    for kind in [KeyKind::Secp256k1, KeyKind::Bls] {
        let key = Key::from_seed(kind, b"secret");
        let printed = format!("{key:?} {key:#?}");
        assert!(!printed.contains(&hex::encode(key.expose_secret())));
        assert!(!printed.contains(&format!("{:?}", key.expose_secret())));
        assert!(!printed.contains("secret:"));
    }
}

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text.to_string())
}

fn keystore() -> (tempfile::TempDir, Keystore) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Keystore::at(&folder.path().join("wallet")).with_work_factor(2);
    (folder, store)
}

#[test]
fn keys_on_disk() {
    let (folder, store) = keystore();
    assert_eq!(store.list().expect("no folder is no keys"), vec![]);
    assert!(matches!(store.load_default(None), Err(WalletError::NoDefault)));
    let secp = Key::from_seed(KeyKind::Secp256k1, b"disk");
    let bls = Key::from_seed(KeyKind::Bls, b"disk");
    assert!(store.add(&secp, None).expect("written"));
    assert!(!store.add(&secp, None).expect("there already"));
    assert!(store.add(&bls, None).expect("written"));

    let listed = store.list().expect("listed");
    assert_eq!(listed.len(), 2);
    assert!(
        listed.iter().any(|e| e.address == secp.address() && e.is_default && e.kind == KeyKind::Secp256k1 && !e.locked)
    );
    assert!(listed.iter().any(|e| e.address == bls.address() && !e.is_default && e.kind == KeyKind::Bls));
    assert_eq!(store.load_default(None).expect("the first"), secp);
    assert_eq!(store.load(&bls.address(), None).expect("loaded").expose_secret(), bls.expose_secret());

    store.set_default(&bls.address()).expect("a key of ours");
    assert_eq!(store.default_address().expect("set"), Some(bls.address()));
    let stranger = Key::from_seed(KeyKind::Bls, b"stranger").address();
    assert!(matches!(store.set_default(&stranger), Err(WalletError::Unknown(_))));
    assert!(matches!(store.load(&stranger, None), Err(WalletError::Unknown(_))));
    assert!(matches!(store.remove(&stranger), Err(WalletError::Unknown(_))));

    let file = folder.path().join("wallet").join(format!("{}.key", Prefix::Mainnet.show(&secp.address())));
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(folder.path().join("wallet")).expect("there").permissions().mode() & 0o777, 0o700);
    assert_eq!(Key::import(&fs::read_to_string(&file).expect("text")).expect("Lotus's form"), secp);

    store.remove(&bls.address()).expect("removed");
    assert_eq!(store.default_address().expect("gone with the key"), None);
    assert_eq!(store.list().expect("listed").len(), 1);
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let (folder, store) = keystore();
    let key = Key::from_seed(KeyKind::Secp256k1, b"open");
    store.add(&key, None).expect("written");
    let file = folder.path().join("wallet").join(format!("{}.key", Prefix::Mainnet.show(&key.address())));
    for mode in [0o640, 0o604, 0o620, 0o601, 0o666, 0o610] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("ours");
        let error = store.load(&key.address(), None).expect_err("too open");
        assert!(matches!(error, WalletError::File(FileError::TooOpen { .. })), "{mode:o}: {error}");
        assert!(
            error.to_string().contains(&format!("{mode:04o}")) && error.to_string().contains("chmod 600"),
            "{error}"
        );
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).expect("ours");
    store.load(&key.address(), None).expect("only ours to read");
}

#[test]
fn a_file_with_another_key_is_refused() {
    let (folder, store) = keystore();
    let (mine, other) = (Key::from_seed(KeyKind::Secp256k1, b"mine"), Key::from_seed(KeyKind::Secp256k1, b"other"));
    store.add(&mine, None).expect("written");
    let file = folder.path().join("wallet").join(format!("{}.key", Prefix::Mainnet.show(&mine.address())));
    crate::home::replace_private(&file, other.export().as_bytes()).expect("written");
    assert!(matches!(store.load(&mine.address(), None), Err(WalletError::Misnamed(_))));
    crate::home::replace_private(&file, b"\xff\xfe").expect("written");
    assert!(matches!(store.load(&mine.address(), None), Err(WalletError::Key { .. })));
}

#[test]
fn locked_keys() {
    let (folder, store) = keystore();
    let key = Key::from_seed(KeyKind::Bls, b"locked");
    store.add(&key, Some(&passphrase("correct horse"))).expect("written");
    let file = folder.path().join("wallet").join(format!("{}.key.age", Prefix::Mainnet.show(&key.address())));
    let bytes = fs::read(&file).expect("there");
    assert!(bytes.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    assert!(store.list().expect("listed")[0].locked);

    assert!(matches!(store.load_default(None), Err(WalletError::Locked(_))));
    assert!(matches!(store.load_default(Some(&passphrase("wrong horse"))), Err(WalletError::WrongPassphrase(_))));
    let opened = store.load_default(Some(&passphrase("correct horse"))).expect("opened");
    assert_eq!(opened.expose_secret(), key.expose_secret());

    let mut damaged = bytes.clone();
    *damaged.last_mut().expect("not empty") ^= 1;
    crate::home::replace_private(&file, &damaged).expect("written");
    assert!(matches!(store.load_default(Some(&passphrase("correct horse"))), Err(WalletError::WrongPassphrase(_))));
}
