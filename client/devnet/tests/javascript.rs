//! Clients that others wrote, from npm, unmodified. Without Node, or without a registry to install them from, this says so
//! and does nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bauta_client::node::json::EventFilter;
use bauta_devnet::bundle::Bundle;
use bauta_devnet::genesis::{Genesis, account_key};
use bauta_devnet::{Config, spawn};
use fvm_ipld_encoding::RawBytes;
use serde_json::{Value, json};

const PACKAGE: &str = "iso-filecoin";
const VERSION: &str = "7.4.7";

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A folder of the build's own with the package in it, or why there is none.
fn installed() -> Result<PathBuf, String> {
    if let Some(missing) = ["node", "npm"].into_iter().find(|program| !runs(program)) {
        return Err(format!("{missing} is not installed"));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("javascript");
    let package = folder.join("node_modules").join(PACKAGE).join("package.json");
    let there = std::fs::read_to_string(&package).unwrap_or_default();
    if !there.contains(&format!("\"version\": \"{VERSION}\"")) {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("package.json"), r#"{ "private": true }"#).unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"]);
        let done = npm.arg(format!("{PACKAGE}@{VERSION}")).current_dir(&folder).output().unwrap();
        if !done.status.success() {
            return Err(format!("npm cannot install {PACKAGE}: {}", String::from_utf8_lossy(&done.stderr)));
        }
    }
    Ok(folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn iso_filecoin_sends_waits_and_calls_our_actor() {
    let folder = match installed() {
        Ok(folder) => folder,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let devnet = spawn(Config {
        listen: Some(([127, 0, 0, 1], 0).into()),
        genesis: Genesis { bundle: Bundle::from_environment(), accounts: 2, ..Genesis::default() },
        ..Config::default()
    })
    .await
    .unwrap();
    let node = devnet.node();
    let actor = devnet.info().await.unwrap().actor.expect("installed");
    let (key, to) = (account_key(0), account_key(1).address());
    let before = node.balance(&to).await.unwrap();
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let task = json!({
        "url": devnet.rpc_url().unwrap(),
        "key": key.export().to_string(),
        "to": bauta_client::address::Prefix::Testnet.show(&to),
        "actor": bauta_client::address::Prefix::Testnet.show(&actor),
        "method": bauta_abi::Method::PublishKey.number(),
        "params": STANDARD.encode(RawBytes::serialize((recipient,)).unwrap().bytes()),
    });
    let script = folder.join("iso-filecoin.mjs");
    std::fs::write(&script, include_str!("javascript/iso-filecoin.mjs")).unwrap();
    let run = move || Command::new("node").arg(script).arg(task.to_string()).output().unwrap();
    let done = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told: Value = serde_json::from_slice(&done.stdout).unwrap();

    assert_eq!((&told["network"], &told["nonce"]), (&json!("bauta-local"), &json!(2)));
    for message in ["sent", "called"] {
        assert_eq!(told[message]["Receipt"]["ExitCode"], json!(0), "{told}");
        assert!(told[message]["again"].as_str().unwrap().ends_with("message nonce too low"), "{told}");
    }
    let after = node.balance(&to).await.unwrap();
    assert_eq!((after - before).atto().to_string(), "1500000000000000000");
    assert_eq!(told["balance"], json!(node.balance(&to).await.unwrap().atto().to_string()));
    let events = node.actor_events(&EventFilter::of_actor(actor, 0, None)).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(told["called"]["Message"]["/"], json!(events[0].msg_cid.to_string()));
    assert_eq!(told["poor"]["name"], json!("JsonRpcError"), "{told}");
    assert!(told["poor"]["message"].as_str().unwrap().starts_with("message execution failed"), "{told}");
}
