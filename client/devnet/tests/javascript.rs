//! Clients that others wrote, from npm, unmodified. Without Node, or without a registry to install them from, this says so
//! and does nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bauta_client::address::Prefix;
use bauta_client::node::json::EventFilter;
use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::bundle::Bundle;
use bauta_devnet::genesis::{ACCOUNT_FIL, Genesis, account_key};
use bauta_devnet::{Config, Devnet, spawn};
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

/// What is installed, each version as it was when it was tried.
const PACKAGES: [&str; 12] = [
    "iso-filecoin@7.4.7",
    "@zondax/filecoin-signing-tools@2.4.3",
    "@zondax/izari-filecoin@1.2.6",
    "@filecoin-shipyard/lotus-client-rpc@1.2.0",
    "@filecoin-shipyard/lotus-client-schema@4.2.0",
    "@filecoin-shipyard/lotus-client-provider-nodejs@1.1.1",
    "@glif/filecoin-rpc-client@4.0.0",
    "@glif/filecoin-message@4.0.0",
    "@glif/filecoin-address@4.0.0",
    // Needed by Glif's, which do not say so.
    "@babel/runtime@7.29.15",
    "@noble/curves@1.9.7",
    "@noble/hashes@2.4.0",
];
/// One installation at a time, and one for all tests.
static INSTALLED: Mutex<Option<Result<PathBuf, String>>> = Mutex::new(None);

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A folder of the build's own with the packages in it, or why there is none.
fn installed() -> Result<PathBuf, String> {
    INSTALLED.lock().unwrap().get_or_insert_with(install).clone()
}

fn install() -> Result<PathBuf, String> {
    if let Some(missing) = ["node", "npm"].into_iter().find(|program| !runs(program)) {
        return Err(format!("{missing} is not installed"));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("javascript");
    let is_there = |package: &str| {
        let (name, version) = package.rsplit_once('@').expect("a name and a version");
        let manifest = folder.join("node_modules").join(name).join("package.json");
        let manifest: Value =
            serde_json::from_str(&std::fs::read_to_string(manifest).unwrap_or_default()).unwrap_or_default();
        manifest["version"] == json!(version)
    };
    if !PACKAGES.into_iter().all(is_there) {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("package.json"), r#"{ "private": true }"#).unwrap();
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--fetch-retries=1",
            "--fetch-timeout=20000",
        ]);
        let done = npm.args(PACKAGES).current_dir(&folder).output().unwrap();
        if !done.status.success() {
            return Err(format!("npm cannot install {PACKAGES:?}: {}", String::from_utf8_lossy(&done.stderr)));
        }
    }
    Ok(folder)
}

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const TOKEN: &str = "sesame";

/// A network with the official or our own actors, and what a script is told about it.
struct Stage {
    devnet: Devnet,
    to: Address,
    actor: Address,
    task: Value,
}

impl Stage {
    async fn new(token: Option<&str>) -> Self {
        let devnet = spawn(Config {
            listen: Some(([127, 0, 0, 1], 0).into()),
            token: token.map(Into::into),
            genesis: Genesis { bundle: Bundle::from_environment(), accounts: 2, ..Genesis::default() },
            ..Config::default()
        })
        .await
        .unwrap();
        let actor = devnet.info().await.unwrap().actor.expect("installed");
        let (key, to) = (account_key(0), account_key(1).address());
        let bls = Key::from_seed(KeyKind::Bls, b"another");
        let show = |address: &Address| Prefix::Testnet.show(address);
        let task = json!({
            "url": devnet.rpc_url().unwrap(),
            "token": token,
            "key": key.export().to_string(),
            "secret": STANDARD.encode(key.expose_secret()),
            "bls": STANDARD.encode(bls.expose_secret()),
            "from": show(&key.address()),
            "to": show(&to),
            "actor": show(&actor),
            "method": bauta_abi::Method::PublishKey.number(),
            "params": STANDARD.encode(RawBytes::serialize((RECIPIENT,)).unwrap().bytes()),
        });
        Self { devnet, to, actor, task }
    }

    /// Runs a script beside the packages; gives what it prints. Nothing, where there is nothing to run it with.
    async fn run(&self, name: &str, text: &'static str) -> Option<Value> {
        let folder = match installed() {
            Ok(folder) => folder,
            Err(reason) => {
                println!("skipped: {reason}");
                return None;
            }
        };
        let script = folder.join(name);
        std::fs::write(&script, text).unwrap();
        let task = self.task.to_string();
        let run = move || Command::new("node").arg(script).arg(task).output().unwrap();
        let done = tokio::task::spawn_blocking(run).await.unwrap();
        let (said, told) = (String::from_utf8_lossy(&done.stderr), String::from_utf8_lossy(&done.stdout));
        assert!(done.status.success(), "{said}\n{told}");
        Some(serde_json::from_str(told.lines().last().expect("a line")).unwrap())
    }

    /// What all scripts do: 1.5 FIL to somebody, and a call of our actor.
    async fn assert_done(&self, told: &Value) {
        let node = self.devnet.node();
        for message in ["sent", "called"] {
            assert_eq!(told[message]["Receipt"]["ExitCode"], json!(0), "{told}");
        }
        let more = node.balance(&self.to).await.unwrap() - TokenAmount::from_whole(ACCOUNT_FIL);
        assert_eq!(more.atto().to_string(), "1500000000000000000");
        let events = node.actor_events(&EventFilter::of_actor(self.actor, 0, None)).await.unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(told["called"]["Message"]["/"], json!(events[0].msg_cid.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn iso_filecoin_sends_waits_and_calls_our_actor() {
    let stage = Stage::new(None).await;
    let Some(told) = stage.run("iso-filecoin.mjs", include_str!("javascript/iso-filecoin.mjs")).await else { return };
    stage.assert_done(&told).await;
    assert_eq!((&told["network"], &told["nonce"]), (&json!("bauta-local"), &json!(2)));
    for message in ["sent", "called"] {
        assert!(told[message]["again"].as_str().unwrap().ends_with("message nonce too low"), "{told}");
    }
    assert_eq!(told["balance"], json!(stage.devnet.node().balance(&stage.to).await.unwrap().atto().to_string()));
    assert_eq!(told["poor"]["name"], json!("JsonRpcError"), "{told}");
    assert!(told["poor"]["message"].as_str().unwrap().starts_with("message execution failed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn izari_sends_waits_and_calls_our_actor() {
    let stage = Stage::new(None).await;
    let Some(told) = stage.run("izari-filecoin.mjs", include_str!("javascript/izari-filecoin.mjs")).await else {
        return;
    };
    stage.assert_done(&told).await;
    assert_eq!(told["nonce"], json!(2));
    assert_eq!(told["balance"], json!(stage.devnet.node().balance(&stage.to).await.unwrap().atto().to_string()));
    assert!(told["state"]["State"].is_array(), "{told}");
    assert!(!told["miners"].as_array().unwrap().is_empty(), "{told}");
    assert!(told["missing"].as_str().unwrap().contains("actor not found"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn zondax_signing_tools_sign_for_both_kinds_of_key() {
    let stage = Stage::new(None).await;
    let script = include_str!("javascript/filecoin-signing-tools.mjs");
    let Some(told) = stage.run("filecoin-signing-tools.mjs", script).await else { return };
    stage.assert_done(&told).await;
    assert_eq!(told["onward"]["Receipt"]["ExitCode"], json!(0), "{told}");
    assert_eq!(
        told["state"]["Balance"],
        json!(stage.devnet.node().balance(&stage.to).await.unwrap().atto().to_string())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lotus_client_speaks_http_and_websocket_with_a_token() {
    let stage = Stage::new(Some(TOKEN)).await;
    let Some(told) = stage.run("lotus-client.mjs", include_str!("javascript/lotus-client.mjs")).await else { return };
    stage.assert_done(&told).await;
    assert!(told["poor"].as_str().unwrap().starts_with("message execution failed"), "{told}");
    assert_eq!((&told["network"], &told["genesis"]), (&json!("bauta-local"), &json!(0)));
    assert_eq!(told["wallet"].as_array().unwrap().len(), 2);
    assert_eq!((&told["pending"], &told["receipts"], &told["replayed"]), (&json!([]), &json!(1), &json!(0)), "{told}");
    assert_eq!(told["messages"], json!(1));
    // Each message made its tipset and that one's child.
    let first = told["told"][0][1].as_i64().unwrap();
    let applied = |n: i64| json!(["apply", first + n]);
    assert_eq!(told["told"], json!([["current", first], applied(1), applied(2), applied(3), applied(4)]));
    assert_eq!(told["heights"], json!([first + 3, first + 4]));
}

#[tokio::test(flavor = "multi_thread")]
async fn glif_sends_waits_and_calls_our_actor() {
    let stage = Stage::new(None).await;
    let Some(told) = stage.run("glif.mjs", include_str!("javascript/glif.mjs")).await else { return };
    stage.assert_done(&told).await;
    assert!(told["unknown"].as_str().unwrap().contains("actor not found"), "{told}");
    assert_eq!((&told["nobody"], &told["replayed"]["exit"]), (&json!("0"), &json!(0)), "{told}");
}

#[test]
fn curio_auth_is_what_noble_checks() {
    let folder = match installed() {
        Ok(folder) => folder,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors/deal");
    let script = folder.join("curio-auth.mjs");
    std::fs::write(&script, include_str!("javascript/curio-auth.mjs")).unwrap();
    for (file, least) in [("auth.json", 54), ("wire.json", 18)] {
        let path = vectors.join(file);
        let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let done = Command::new("node").arg(&script).arg(&path).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let told: Vec<bool> = serde_json::from_slice(&done.stdout).unwrap();
        assert!(told.len() == cases.len() && cases.len() >= least, "{file}");
        for (case, lets_in) in cases.iter().zip(told) {
            // Requests as they were sent are all good.
            assert_eq!(lets_in, case.get("error").is_none(), "{file}: {}", case["name"]);
        }
    }
}
