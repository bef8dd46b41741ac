//! Keys, phrases, passphrases, and what is signed: without a network.
#![allow(missing_docs)]

mod support;

use std::os::unix::fs::PermissionsExt;

use support::User;

#[test]
fn keys_are_private_and_leave_only_when_asked() {
    let user = User::alone();
    assert!(user.fails(4, &["key", "show"]).contains("bauta init"));
    let recipient = user.ok(&["key", "new"])["recipient"].clone();
    user.fails(1, &["key", "new"]);
    let file = user.home.path().join("identity.txt");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let exported = user.run(&["key", "export"]);
    let secret = String::from_utf8(exported.stdout).unwrap();
    assert!(secret.contains("AGE-SECRET-KEY-1"));
    user.ok(&["key", "export", "-o", "mine.txt"]);
    assert_eq!(std::fs::metadata(user.path("mine.txt")).unwrap().permissions().mode() & 0o777, 0o600);

    // A new key stands in front of the old one, which still opens what was sealed for it.
    let note = user.write("note", b"for the first key");
    user.ok(&["pack", &note, "-o", "old.car"]);
    let second = user.ok(&["key", "new", "--force"])["recipient"].clone();
    assert_ne!(recipient, second);
    user.ok(&["unpack", "old.car", "-o", "old.out"]);

    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(user.fails(1, &["key", "show"]).contains("chmod 600"));
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();

    let other = User::alone();
    let path = user.path("mine.txt").display().to_string();
    assert_eq!(other.ok(&["key", "import", &path])["recipient"], recipient);
}

#[test]
fn what_is_there_in_the_clear_is_encrypted_when_that_is_asked_for_and_what_is_encrypted_stays_so() {
    let user = User::alone();
    let passphrase = user.write("pass", b"correct horse");
    std::fs::set_permissions(&passphrase, PermissionsExt::from_mode(0o600)).unwrap();
    let init = ["init", "--no-publish", "--network", "local"];
    let address = user.ok(&init)["address"].clone();
    let recipient = user.ok(&["key", "show"])["recipient"].clone();
    assert_eq!(user.ok(&["wallet", "list"])["keys"][0]["encrypted"], false);
    let with = |args: &[&str]| user.ok(&[args, &["--password-file", &passphrase]].concat());
    assert_eq!(with(&[&init[..], &["--encrypt"]].concat())["address"], address);
    let file = user.home.path().join("identity.txt");
    assert!(std::fs::read(&file).unwrap().starts_with(b"age-encryption.org/"));
    user.fails(6, &["key", "show"]);
    assert_eq!(with(&["key", "show"])["recipient"], recipient);
    let keys = user.ok(&["wallet", "list"])["keys"].clone();
    assert_eq!(
        (keys.as_array().unwrap().len(), &keys[0]["encrypted"], &keys[0]["address"]),
        (1, &true.into(), &address)
    );
    user.fails(6, &["wallet", "export", address.as_str().unwrap()]);
    with(&["wallet", "export", address.as_str().unwrap()]);

    let other = User::alone();
    other.ok(&["key", "import", file.to_str().unwrap(), "--password-file", &passphrase]);
    let copy = std::fs::read(other.home.path().join("identity.txt")).unwrap();
    assert!(copy.starts_with(b"age-encryption.org/"));
    other.fails(6, &["key", "show"]);
}

#[test]
fn a_passphrase_comes_from_a_file_or_a_command_and_never_from_nowhere() {
    let user = User::alone();
    let passphrase = user.write("pass", b"correct horse\nsecond line\n");
    user.fails(2, &["key", "new", "--encrypt"]);
    std::fs::set_permissions(&passphrase, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(user.fails(1, &["key", "new", "--encrypt", "--password-file", &passphrase]).contains("chmod 600"));
    std::fs::set_permissions(&passphrase, PermissionsExt::from_mode(0o600)).unwrap();
    user.ok(&["key", "new", "--encrypt", "--password-file", &passphrase]);
    let text = std::fs::read(user.home.path().join("identity.txt")).unwrap();
    assert!(text.starts_with(b"age-encryption.org/"));
    assert!(user.fails(6, &["key", "show"]).contains("--password-file"));
    user.fails(6, &["key", "show", "--password-command", "echo wrong"]);
    user.fails(2, &["key", "show", "--password-command", "exit 3"]);
    let command = "printf 'correct horse\\n'";
    user.ok(&["key", "show", "--password-command", command]);
    user.fails(2, &["key", "show", "--password-command", command, "--password-file", &passphrase]);
    let wallet = user.ok(&["wallet", "new", "--encrypt", "--password-file", &passphrase]);
    let address = wallet["address"].as_str().unwrap();
    user.fails(6, &["wallet", "export", address]);
    user.ok(&["wallet", "export", address, "--password-file", &passphrase]);
}

#[test]
fn wallet_keys_travel_as_lotus_writes_them() {
    let (user, other) = (User::alone(), User::alone());
    for kind in ["secp256k1", "bls"] {
        let address = user.ok(&["wallet", "new", "--kind", kind])["address"].as_str().unwrap().to_string();
        assert!(address.starts_with(if kind == "bls" { "t3" } else { "t1" }), "{address}");
        user.ok(&["wallet", "export", &address, "-o", kind]);
        let path = user.path(kind).display().to_string();
        let mainnet = other.ok(&["wallet", "import", &path, "--network", "mainnet"]);
        assert_eq!(mainnet["address"].as_str().unwrap()[1..], address[1..]);
        assert!(mainnet["address"].as_str().unwrap().starts_with('f'));
        assert_eq!(other.ok(&["wallet", "import", &path])["new"], false);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        other.fails(1, &["wallet", "import", &path]);
    }
    let listed = user.ok(&["wallet", "list"]);
    let keys = listed["keys"].as_array().unwrap();
    assert_eq!(keys.iter().filter(|key| key["default"] == true).count(), 1);
    let bls = keys.iter().find(|key| key["kind"] == "bls").unwrap()["address"].as_str().unwrap();
    assert_eq!(user.ok(&["wallet", "default", bls])["address"], bls);
    user.fails(4, &["wallet", "default", "t1duiiyeaoet5gw5q3342ot65oprfe5xmihni4daq"]);
    let rubbish = user.write("rubbish", b"7b7d");
    std::fs::set_permissions(&rubbish, PermissionsExt::from_mode(0o600)).unwrap();
    user.fails(1, &["wallet", "import", &rubbish]);
}

#[test]
fn a_phrase_gives_its_keys_again() {
    let (user, other) = (User::alone(), User::alone());
    // Nobody would see it, or nowhere to keep it.
    user.fails(2, &["wallet", "new", "--mnemonic"]);
    user.fails(2, &["wallet", "new", "--mnemonic", "--words", "13", "--phrase-out", "p"]);
    for kind in ["bls", "delegated"] {
        user.fails(2, &["wallet", "new", "--mnemonic", "--kind", kind, "--phrase-out", "p"]);
    }
    user.fails(2, &["wallet", "new", "--index", "1"]);
    assert!(!user.path("p").exists() && user.ok(&["wallet", "list"])["keys"].as_array().unwrap().is_empty());

    let made = user.ok(&["wallet", "new", "--mnemonic", "--words", "12", "--count", "3", "--phrase-out", "p"]);
    let keys = made["keys"].as_array().unwrap();
    let paths: Vec<&str> = keys.iter().map(|key| key["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["m/44'/461'/0'/0/0", "m/44'/461'/0'/0/1", "m/44'/461'/0'/0/2"]);
    assert_eq!(std::fs::metadata(user.path("p")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(user.path("p")).unwrap().split_whitespace().count(), 12);
    assert_eq!(user.ok(&["wallet", "default"])["address"], keys[0]["address"]);
    user.fails(1, &["wallet", "new", "--mnemonic", "--phrase-out", "p"]);
    assert_eq!(user.ok(&["wallet", "list"])["keys"].as_array().unwrap().len(), 3);

    let path = user.path("p").display().to_string();
    let second = other.ok(&["wallet", "import", &path, "--mnemonic", "--index", "1"]);
    assert_eq!(second["keys"][0]["address"], keys[1]["address"]);
    let all = other.ok(&["wallet", "import", &path, "--mnemonic", "--count", "3"]);
    let new: Vec<_> = all["keys"].as_array().unwrap().iter().map(|key| key["new"].clone()).collect();
    assert_eq!(new, [true, false, true]);
    let word = other.write("word", b"correct horse\n");
    std::fs::set_permissions(&word, PermissionsExt::from_mode(0o600)).unwrap();
    let hidden = other.ok(&["wallet", "import", &path, "--mnemonic", "--phrase-password-file", &word]);
    assert_ne!(hidden["keys"][0]["address"], keys[0]["address"]);
    other.fails(1, &["wallet", "import", &path]);
    other.fails(2, &["wallet", "import", &path, "--mnemonic", "--path", "m/44h"]);
    other.fails(2, &["wallet", "import", &path, "--mnemonic", "--index", "2147483648"]);

    // Zondax's own vector: its path is not the standard one.
    let words = other.write("words", b"equip will roof matter pink blind book anxiety banner elbow sun young\n");
    std::fs::set_permissions(&words, PermissionsExt::from_mode(0o600)).unwrap();
    let theirs = other.ok(&["wallet", "import", &words, "--mnemonic", "--path", "m/44'/461'/0/0/1"]);
    assert_eq!(theirs["keys"][0]["address"], "t1rovwtiuo5ncslpmpjftzu5akswbgsgighjazxoi");
    let wrong = other.write("wrong", b"equip will roof matter pink blind book anxiety banner elbow sun zoo\n");
    std::fs::set_permissions(&wrong, PermissionsExt::from_mode(0o600)).unwrap();
    let said = other.fails(1, &["wallet", "import", &wrong, "--mnemonic"]);
    assert!(said.contains("do not belong together") && !said.contains("zoo"), "{said}");
    std::fs::set_permissions(&words, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(other.fails(1, &["wallet", "import", &words, "--mnemonic"]).contains("chmod 600"));
}

#[test]
fn what_is_signed_is_checked() {
    let user = User::alone();
    for kind in ["secp256k1", "bls"] {
        let address = user.ok(&["wallet", "new", "--kind", kind])["address"].as_str().unwrap().to_string();
        user.ok(&["wallet", "default", &address]);
        let (text, other) = (user.write("text", b"it is me"), user.write("other", b"it is not me"));
        let signed = user.ok(&["wallet", "sign", &text]);
        let signature = signed["signature"].as_str().unwrap();
        assert!(signature.starts_with(if kind == "bls" { "02" } else { "01" }), "{signature}");
        assert_eq!(user.ok(&["wallet", "verify", &address, signature, &text])["valid"], true);
        user.fails(7, &["wallet", "verify", &address, signature, &other]);
        // As Lotus signs: without the envelope.
        user.fails(7, &["wallet", "verify", &address, signature, &text, "--raw"]);
        let raw = user.ok(&["wallet", "sign", &text, "--raw"])["signature"].as_str().unwrap().to_string();
        assert_ne!(raw, signature);
        user.ok(&["wallet", "verify", &address, &raw, &text, "--raw"]);
        user.fails(2, &["wallet", "verify", &address, "xyz", &text]);
        user.fails(2, &["wallet", "verify", &address, "0102", &text]);
        user.fails(4, &["wallet", "sign", "missing"]);
    }
    // A signature over a message's CID is a signature over the message.
    let cid = user.write("cid", &[&[0x01, 0x71, 0xa0, 0xe4, 0x02, 0x20][..], &[7; 32]].concat());
    assert!(user.fails(2, &["wallet", "sign", &cid, "--raw"]).contains("a message to the chain"));
    // An Ethereum key signs transactions just so.
    let text = user.write("text", b"it is me");
    let delegated = user.ok(&["wallet", "new", "--kind", "delegated"])["address"].as_str().unwrap().to_string();
    let refused = user.fails(2, &["wallet", "sign", &text, "--raw", "--address", &delegated]);
    assert!(refused.contains("may be a transaction"), "{refused}");
    user.ok(&["wallet", "sign", &text, "--address", &delegated]);
    user.ok(&["wallet", "sign", &cid]);
}
