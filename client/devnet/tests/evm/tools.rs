//! Ethereum's tools from npm, unmodified. Without Node, or without a registry to install them from, this says so and does nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bauta_client::address::EthAddress;
use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::bundle::Bundle;
use bauta_devnet::genesis::Genesis;
use bauta_devnet::{Config, spawn};
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A folder of the build's own with a package in it, or why there is none.
fn installed(package: &str, version: &str) -> Result<PathBuf, String> {
    if let Some(missing) = ["node", "npm"].into_iter().find(|program| !runs(program)) {
        return Err(format!("{missing} is not installed"));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(package);
    let there = folder.join("node_modules").join(package).join("package.json");
    let there = std::fs::read_to_string(there).unwrap_or_default();
    if !there.contains(&format!("\"version\": \"{version}\"")) {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("package.json"), r#"{ "private": true }"#).unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"]);
        let done = npm.arg(format!("{package}@{version}")).current_dir(&folder).output().unwrap();
        if !done.status.success() {
            return Err(format!("npm cannot install {package}: {}", String::from_utf8_lossy(&done.stderr)));
        }
    }
    Ok(folder)
}

/// Runs a script with a devnet and a funded f410 key; gives the key's address and what the script told.
async fn told(package: &str, version: &str, script: &str) -> Option<(EthAddress, Value)> {
    let folder = match installed(package, version) {
        Ok(folder) => folder,
        Err(reason) => {
            println!("skipped: {reason}");
            return None;
        }
    };
    let key = Key::from_seed(KeyKind::Delegated, package.as_bytes());
    let devnet = spawn(Config {
        listen: Some(([127, 0, 0, 1], 0).into()),
        genesis: Genesis {
            bundle: Bundle::from_environment(),
            accounts: 1,
            funded: vec![(key.address(), TokenAmount::from_whole(1000))],
            ..Genesis::default()
        },
        ..Config::default()
    })
    .await
    .unwrap();
    let built: Value = serde_json::from_str(include_str!("Probe.json")).unwrap();
    let task = json!({
        "url": devnet.rpc_url().unwrap(),
        "key": format!("0x{}", hex::encode(key.expose_secret())),
        "probe": built["Probe"],
    });
    let (task_file, script_file) = (folder.join("task.json"), folder.join("script.mjs"));
    std::fs::write(&task_file, task.to_string()).unwrap();
    std::fs::write(&script_file, script).unwrap();
    let run = move || Command::new("node").arg(script_file).arg(task_file).output().unwrap();
    let done = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(devnet.node().request("Devnet.CheckInvariants", json!([])).await.unwrap(), json!([]));
    Some((EthAddress::of(&key.address()).unwrap(), told))
}

#[tokio::test(flavor = "multi_thread")]
async fn ethers_deploys_calls_sends_and_follows_logs() {
    let Some((me, told)) = told("ethers", "6.17.0", include_str!("ethers.mjs")).await else { return };
    println!("{told:#}");
    assert_eq!(told["chainId"], json!(31_415_926));
    assert_eq!(told["balance"], json!("1000000000000000000000"));
    assert_eq!(told["fees"][0], json!("200100"));
    assert_eq!(told["address"], told["predicted"], "the address is the one that Ethereum would give");
    assert!(told["code"].as_u64().unwrap() > 10_000);
    assert_eq!((&told["number"], &told["after"], &told["nonce"]), (&json!(7), &json!(42), &json!(2)));
    assert!(told["text"].as_str().unwrap().starts_with("a text that is longer"));
    assert_eq!(told["set"], json!({ "status": 1, "to": told["address"], "gas": true, "price": true }));
    assert_eq!(told["storage"], json!(format!("0x{:064x}", 42)));
    assert_eq!((&told["reason"]["code"], &told["reason"]["reason"]), (&json!("CALL_EXCEPTION"), &json!("a reason")));
    assert_eq!(told["custom"]["revert"], json!("Custom"));
    assert_eq!(told["panic"]["revert"], json!("Panic"));
    assert!(!told["estimate"].is_null() && !told["noContract"].is_null());
    assert_eq!(told["polled"], json!([11, told["hash"]]));
    assert_eq!(told["pushed"][0], json!(11));
    assert_eq!((&told["pushed"][2], &told["pushed"][3]), (&json!(me.to_string()), &json!("0x1234")));
    assert_eq!(told["pushed"][4], told["hash"]);
    assert_eq!((&told["block"], &told["logs"]), (&json!(true), &json!(7)));
    assert_eq!(told["found"], json!([[11, me.to_string(), "0x1234"]]));
    assert_eq!((&told["others"], &told["native"]), (&json!(0), &json!(7)));
    assert_eq!(told["paid"], json!([1, "1500000000000000000"]));
    assert_eq!((&told["legacy"], &told["failed"]), (&json!(0), &json!(0)));
    assert_eq!(told["transactions"], json!([[true, true, "1500000000000000000"]]));
    for what in ["blockHash", "parent", "transaction", "past"] {
        assert_eq!(told[what], json!(true), "{what}");
    }
    assert_eq!(told["unknown"], json!([null, null]));
    assert_eq!(told["low"], json!("NONCE_EXPIRED"), "{told}");
    assert!(told["method"] == json!(-32601) || told["method"].to_string().contains("500"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn viem_deploys_calls_sends_and_follows_logs() {
    let Some((_, told)) = told("viem", "2.57.20", include_str!("viem.mjs")).await else { return };
    println!("{told:#}");
    assert_eq!((&told["chainId"], &told["nonce"]), (&json!(31_415_926), &json!(0)));
    assert_eq!((&told["deployed"], &told["number"], &told["after"]), (&json!("success"), &json!(9), &json!(43)));
    assert_eq!(told["set"], json!(["success", "eip1559"]));
    assert_eq!(told["custom"], json!(["Custom", 7]));
    assert_eq!(told["reason"], json!("a reason"));
    assert_eq!((&told["pushed"], &told["polled"]), (&json!("0xabcd"), &json!(12)));
    assert_eq!((&told["blocks"], &told["logs"]), (&json!("bigint"), &json!(7)));
    assert_eq!(told["found"], json!(["0xabcd"]));
    assert_eq!((&told["gas"], &told["paid"]), (&json!(true), &json!("success")));
    assert_eq!((&told["received"], &told["code"]), (&json!("500000000000000000"), &json!(true)));
    assert_eq!(told["block"], json!([1, true]));
    assert_eq!(told["history"], json!([true, true]));
    assert!(told["fill"].is_string(), "{told}");
}
