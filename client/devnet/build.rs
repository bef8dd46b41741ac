//! Finds the actors' Wasm that the devnet carries inside.

use std::path::Path;

const SYSTEM: [&str; 16] = [
    "system",
    "init",
    "cron",
    "account",
    "storagepower",
    "storageminer",
    "storagemarket",
    "paymentchannel",
    "multisig",
    "reward",
    "verifiedregistry",
    "datacap",
    "placeholder",
    "evm",
    "eam",
    "ethaccount",
];

fn main() {
    let manifest = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let wasm = Path::new(&manifest).join("../../target/wasm");
    let files = SYSTEM
        .iter()
        .map(|name| format!("system/{name}.wasm"))
        .chain(["bauta_actor.wasm".to_owned(), "test/puppet.wasm".to_owned()]);
    for file in files {
        let path = wasm.join(&file);
        assert!(path.exists(), "the Wasm of the actors is missing (target/wasm/{file}): run scripts/build-actor first");
        println!("cargo::rerun-if-changed={}", path.display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=BAUTA_WASM={}", wasm.display());
}
