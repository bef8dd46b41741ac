use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::network::Network;

fn find(variables: &[(&str, &str)]) -> Result<Home, HomeError> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    Home::find_by(|name| variables.get(name).map(OsString::from))
}

#[test]
fn folders() {
    let home = find(&[("HOME", "/home/ada")]).expect("a home");
    assert_eq!(home.config_file(), Path::new("/home/ada/.config/bauta/config.toml"));
    assert_eq!(home.wallet(), Path::new("/home/ada/.local/share/bauta/wallet"));
    let home = find(&[("HOME", "/home/ada"), ("XDG_CONFIG_HOME", "/c"), ("XDG_DATA_HOME", "/d")]).expect("a home");
    assert_eq!((home.config_file(), home.data()), (PathBuf::from("/c/bauta/config.toml"), Path::new("/d/bauta")));
    let home = find(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "c"), ("XDG_DATA_HOME", "")]).expect("a home");
    assert_eq!(
        (home.config_file(), home.data()),
        (PathBuf::from("/h/.config/bauta/config.toml"), Path::new("/h/.local/share/bauta"))
    );
    let home = find(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d"), ("BAUTA_HOME", "/b")]).expect("a home");
    assert_eq!(
        (home.config_file(), home.identity_file()),
        (PathBuf::from("/b/config.toml"), PathBuf::from("/b/identity.txt"))
    );
    assert_eq!(
        find(&[("XDG_CONFIG_HOME", "/c"), ("XDG_DATA_HOME", "/d")]).expect("no HOME needed").data(),
        Path::new("/d/bauta")
    );
    assert_eq!(find(&[]), Err(HomeError::NoHome));
    assert_eq!(find(&[("HOME", "relative")]), Err(HomeError::NoHome));
    assert_eq!(find(&[("HOME", "/h"), ("BAUTA_HOME", "here")]), Err(HomeError::Relative));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn files_are_private_and_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a/b/secret");
    assert!(matches!(read_private(&path), Err(FileError::Missing(_))));
    create_private(&path, b"one").expect("written");
    assert_eq!((mode(&path), mode(path.parent().expect("b"))), (0o600, 0o700));
    assert_eq!(*read_private(&path).expect("read"), b"one");
    assert!(matches!(create_private(&path, b"two"), Err(FileError::Exists(_))));
    assert_eq!(*read_private(&path).expect("read"), b"one", "left alone");
    replace_private(&path, b"three").expect("replaced");
    assert_eq!(*read_private(&path).expect("read"), b"three");
    assert_eq!(fs::read_dir(path.parent().expect("b")).expect("listed").count(), 1, "nothing is left beside it");
    assert!(matches!(read_private(folder.path()), Err(FileError::NotAFile(_))));
    replace_private(&path, &vec![0; (1 << 20) + 1]).expect("replaced");
    assert!(matches!(read_private(&path), Err(FileError::TooLong(_))));
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u64>().ok();
    replace_private(&path, b"7").expect("replaced");
    assert_eq!(read_note(&path, 1, number).expect("read"), Some(7));
    replace_private(&path, b"seven").expect("replaced");
    assert!(matches!(read_note(&path, 5, number), Err(FileError::Damaged(_))));
    assert!(matches!(read_note(&path, 4, number), Err(FileError::TooLong(_))));
    remove(&path).expect("removed");
    remove(&path).expect("gone already");
    assert_eq!(read_note(&path, 1, number).expect("none"), None);

    // A file that was open to others is private once replaced.
    fs::write(&path, "old").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
    assert!(matches!(read_private(&path), Err(FileError::TooOpen { mode: 0o644, .. })));
    replace_private(&path, b"new").expect("replaced");
    assert_eq!(*read_private(&path).expect("read"), b"new");
}

#[test]
fn public_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.car");
    write_public(&path, b"one", false).expect("written");
    assert_eq!(mode(&path) & 0o600, 0o600);
    assert!(matches!(write_public(&path, b"two", false), Err(FileError::Exists(_))));
    write_public(&path, b"two", true).expect("replaced");
    assert_eq!(fs::read(&path).expect("read"), b"two");
    assert!(write_public(&folder.path().join("no/such/folder"), b"", false).is_err(), "folders are the user's to make");
}

#[test]
fn one_holder_of_a_lock() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home::at(&folder.path().join("home"));
    let lock = home.lock("put").expect("free");
    assert!(matches!(home.lock("put"), Err(FileError::Busy(_))));
    home.lock("get").expect("another lock");
    drop(lock);
    home.lock("put").expect("given back");
}

const TEXT: &str = r#"
network = "office"

[networks.local]
actor = "f2ch7krq7l35i74rebqbjdsp3ucl47t24e3juxjfa"

[networks.office]
rpc_url = "http://10.0.0.5:1234"
node_name = "2k"
chain_id = 77
"#;

#[test]
fn configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home::at(folder.path());
    assert_eq!(home.load_config().expect("no file is the default"), Config::default());
    let config = Config::parse(TEXT, Path::new("config.toml")).expect("as documented");
    let office = config.network(None).expect("the configured default");
    assert_eq!((office.name(), office.node_name(), office.chain_id()), ("office", Some("2k"), Some(77)));
    let endpoint = config.endpoint(&office).expect("a URL").expect("configured");
    assert_eq!(endpoint.url(), "http://10.0.0.5:1234/rpc/v1");
    assert_eq!(config.network(Some("mainnet")).expect("known"), Network::Mainnet);
    assert!(config.endpoint(&Network::Mainnet).expect("a URL").expect("a default").url().starts_with("https://"));
    assert_eq!(config.endpoint(&Network::from_name("other").expect("a name")).expect("no URL"), None);
    let actor = config.actor(&Network::Local).expect("configured");

    let mut changed = config.clone();
    changed.set_actor(&Network::Mainnet, actor);
    home.save_config(&changed).expect("saved");
    assert_eq!(home.load_config().expect("read"), changed);
    assert_eq!(mode(&home.config_file()), 0o600);
    let text = changed.to_toml();
    assert!(text.contains("\"t2ch7") && text.contains("\"f2ch7"), "each network's own letter: {text}");
    assert_eq!(Config::default().network(None).expect("local"), Network::Local);
}

#[test]
fn what_its_owner_wrote_into_the_configuration_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home::at(&folder.path().join("home"));
    let dotfiles = folder.path().join("dotfiles.toml");
    let before =
        "# mine\nnetwork = \"local\" # for now\n\n# slow\n[networks.office]\nrpc_url = \"http://10.0.0.5:1234\"\n";
    fs::create_dir(folder.path().join("home")).expect("made");
    fs::write(&dotfiles, before).expect("written");
    std::os::unix::fs::symlink(&dotfiles, home.config_file()).expect("linked");
    let mut config = home.load_config().expect("read");
    config.network = Some("calibration".into());
    config.set_actor(&Network::Calibration, fvm_shared::address::Address::new_id(1000));
    home.save_config(&config).expect("saved");
    let expected = before.replace("local", "calibration") + "\n[networks.calibration]\nactor = \"t01000\"\n";
    assert_eq!(fs::read_to_string(&dotfiles).expect("read"), expected);
    assert!(fs::symlink_metadata(home.config_file()).expect("there").is_symlink());
    assert_eq!(home.load_config().expect("read"), config);
    // What is taken out is out.
    config.networks.remove("office");
    home.save_config(&config).expect("saved");
    assert_eq!(home.load_config().expect("read"), config);
}

#[test]
fn bad_configuration() {
    for (text, says) in [
        ("network = 5", "expected a string"),
        ("network = \"No Such\"", "not a network name"),
        ("netwrok = \"local\"", "unknown field"),
        ("[networks.local]\nrpcurl = \"http://x\"", "unknown field"),
        ("[networks.local]\nrpc_url = \"x\"", "no scheme"),
        ("[networks.local]\nrpc_url = \"ftp://x\"", "ftp"),
        ("[networks.local]\nactor = \"t2abc\"", "not a Filecoin address"),
        ("[networks.local]\nchain_id = 5", "network of your own"),
        ("[networks.mainnet]\nnode_name = \"x\"", "network of your own"),
        ("[networks.office]\nchain_id = -5", "config.toml"),
        ("[networks.calibnet]\n[networks.calibration]\n", "networks.calibration is there twice"),
        ("[networks.\"../x\"]\n", "not a network name"),
        ("[networks", "config.toml"),
    ] {
        let error = Config::parse(text, Path::new("config.toml")).expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn what_a_killed_process_left_is_swept_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    for name in [".bauta-old", ".bauta-held", "identity.txt", ".other"] {
        let file = fs::File::create(folder.path().join(name)).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    fs::File::create(folder.path().join(".bauta-young")).unwrap();
    let held = fs::File::open(folder.path().join(".bauta-held")).unwrap();
    held.lock().unwrap();
    sweep(folder.path(), std::time::Duration::from_secs(3600), is_unfinished);
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".bauta-held", ".bauta-young", ".other", "identity.txt"]);
}
