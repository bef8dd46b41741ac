//! A process that is killed loses nothing that it had said was done.

use std::path::Path;
use std::process::Command;

use bauta_devnet::bundle::Bundle;
use bauta_devnet::chain::Chain;
use bauta_devnet::genesis::{ACCOUNT_FIL, Genesis, account_key};
use bauta_devnet::on_large_stack;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::econ::TokenAmount;

/// The victim is this same test binary with this variable set.
const FOLDER: &str = "BAUTA_TEST_CRASH_FOLDER";

fn open(folder: &Path) -> Chain {
    Chain::open(folder, &Genesis { bundle: Bundle::from_environment(), accounts: 2, ..Genesis::default() }).unwrap()
}

fn pay(chain: &mut Chain) {
    let to = account_key(1).address();
    chain.send(&account_key(0), &to, 0, &TokenAmount::from_whole(1), RawBytes::default()).unwrap();
}

#[test]
fn killed_without_a_goodbye() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        on_large_stack(|| {
            let mut chain = open(Path::new(&folder));
            pay(&mut chain);
            pay(&mut chain);
            std::fs::write(Path::new(&folder).join("head"), chain.head().block.to_string()).unwrap();
            std::process::abort();
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let died = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed_without_a_goodbye"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    assert!(!died.status.success());
    let said = std::fs::read_to_string(folder.path().join("head")).unwrap();
    on_large_stack(|| {
        let mut chain = open(folder.path());
        assert_eq!(chain.head().block.to_string(), said);
        assert_eq!(chain.epoch(), 2);
        let paid = chain.actor(&account_key(1).address()).unwrap().unwrap().balance;
        assert_eq!(paid, TokenAmount::from_whole(ACCOUNT_FIL + 2));
        pay(&mut chain);
        assert_eq!(chain.violations().unwrap(), Vec::<String>::new());
    });
}
