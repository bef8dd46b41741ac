//! Ethereum's tools from npm, unmodified. Without Node, or without a registry to install them from, this says so and does nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bauta_abi::Method;
use bauta_client::address::EthAddress;
use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::bundle::Bundle;
use bauta_devnet::genesis::Genesis;
use bauta_devnet::{Config, spawn};
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use serde_json::{Value, json};

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

const ETHERS: (&str, &str) = ("ethers", "6.17.0");
const VIEM: (&str, &str) = ("viem", "2.57.20");

/// A folder of the build's own with packages in it, or why there is none.
fn installed(name: &str, packages: &[(&str, &str)]) -> Result<PathBuf, String> {
    if let Some(missing) = ["node", "npm"].into_iter().find(|program| !runs(program)) {
        return Err(format!("{missing} is not installed"));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let is_there = |(package, version): &(&str, &str)| {
        let manifest = folder.join("node_modules").join(package).join("package.json");
        let manifest = std::fs::read_to_string(manifest).unwrap_or_default();
        let manifest: Value = serde_json::from_str(&manifest).unwrap_or_default();
        manifest["version"] == json!(version)
    };
    if !packages.iter().all(is_there) {
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
        npm.args(packages.iter().map(|(package, version)| format!("{package}@{version}")));
        let done = npm.current_dir(&folder).output().unwrap();
        if !done.status.success() {
            return Err(format!("npm cannot install {packages:?}: {}", String::from_utf8_lossy(&done.stderr)));
        }
    }
    Ok(folder)
}

/// Runs a script with a devnet, a funded f410 key and what else it is to know; gives the key's address and what the script told.
async fn told(name: &str, packages: &[(&str, &str)], script: &str, more: Value) -> Option<(EthAddress, Value)> {
    let folder = match installed(name, packages) {
        Ok(folder) => folder,
        Err(reason) => {
            println!("skipped: {reason}");
            return None;
        }
    };
    let key = Key::from_seed(KeyKind::Delegated, name.as_bytes());
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
    let mut task = more;
    task["url"] = json!(devnet.rpc_url().unwrap());
    task["key"] = json!(format!("0x{}", hex::encode(key.expose_secret())));
    let (task_file, script_file) = (folder.join("task.json"), folder.join("script.mjs"));
    std::fs::write(&task_file, task.to_string()).unwrap();
    std::fs::write(&script_file, script).unwrap();
    std::fs::write(folder.join("following.mjs"), include_str!("following.mjs")).unwrap();
    let run = move || Command::new("node").arg(script_file).arg(task_file).output().unwrap();
    let done = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(devnet.node().request("Devnet.CheckInvariants", json!([])).await.unwrap(), json!([]));
    Some((EthAddress::of(&key.address()).unwrap(), told))
}

/// The contract that has a bit of everything.
fn probe() -> Value {
    let built: Value = serde_json::from_str(include_str!("Probe.json")).unwrap();
    json!({ "probe": built["Probe"] })
}

#[tokio::test(flavor = "multi_thread")]
async fn ethers_deploys_calls_sends_and_follows_logs() {
    let Some((me, told)) = told("ethers", &[ETHERS], include_str!("ethers.mjs"), probe()).await else { return };
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
    let Some((_, told)) = told("viem", &[VIEM], include_str!("viem.mjs"), probe()).await else { return };
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

/// Our own contract, by the files that we publish of it.
#[tokio::test(flavor = "multi_thread")]
async fn ethers_and_viem_keep_files_in_our_contract() {
    let methods = [Method::PublishKey, Method::RegisterFile, Method::RemoveFile, Method::GetFile];
    let methods: serde_json::Map<_, _> =
        methods.map(|m| (m.name().to_owned(), json!(m.number()))).into_iter().collect();
    let abi: Value = serde_json::from_str(include_str!("../../../../actor/evm/build/Bauta.abi.json")).unwrap();
    let bytecode = include_str!("../../../../actor/evm/build/Bauta.hex").trim();
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let task = json!({ "abi": abi, "bytecode": format!("0x{bytecode}"), "methods": methods, "recipient": recipient });
    let packages = [ETHERS, VIEM, ("@ipld/dag-cbor", "9.2.5"), ("multiformats", "13.4.1")];
    let Some((_, told)) = told("registry", &packages, include_str!("registry.mjs"), task).await else { return };
    println!("{told:#}");
    let runtime = include_str!("../../../../actor/evm/build/Bauta.runtime.hex").trim();
    assert_eq!(told["code"], json!(runtime.len() / 2));
    assert_eq!(told["published"], json!([1, "KeyPublished"]));
    assert_eq!(told["registered"], json!([1, ["FileRegistered", "FileRegistered"]]));
    let piece = |n: u8| format!("0x{}", hex::encode([n; 32]));
    assert_eq!((&told["polled"], &told["pushed"]), (&json!([1, piece(1)]), &json!([1, piece(1)])));
    assert_eq!((&told["found"], &told["events"]), (&json!([2]), &json!([1, 2, 3])));
    for (record, n) in [("first", 1), ("third", 3)] {
        let record = &told[record];
        assert_eq!(
            (&record["version"], &record["padded"], &record["size"]),
            (&json!(1), &json!(2048), &json!(1500)),
            "{n}"
        );
        assert!(record["payload"].as_str().unwrap().starts_with("bafk"), "{record}");
        assert!(record["piece"].as_str().unwrap().starts_with("baga"), "{record}");
        assert_eq!(record["owner"], told["first"]["owner"]);
    }
    assert_ne!(told["first"]["piece"], told["third"]["piece"]);
    assert_eq!((&told["none"], &told["viem"], &told["seen"]), (&json!(null), &json!("success"), &json!(3)));
    for (what, exit) in [
        ("malformed", ExitCode::USR_SERIALIZATION),
        ("missing", ExitCode::USR_NOT_FOUND),
        ("unknown", ExitCode::USR_UNHANDLED_MESSAGE),
    ] {
        assert_eq!(told[what], json!(["CALL_EXCEPTION", "Rejected", exit.value()]), "{what}");
    }
    // The deployment, a key, and two registrations.
    assert_eq!(told["nonce"], json!(4));
}

/// Our contract in types, through the lens that is published beside it.
#[tokio::test(flavor = "multi_thread")]
async fn ethers_and_viem_read_our_contract_in_types() {
    let contract = |abi: &str, bytecode: &str| {
        let abi: Value = serde_json::from_str(abi).unwrap();
        json!({ "abi": abi, "bytecode": format!("0x{}", bytecode.trim()) })
    };
    let mut task = contract(
        include_str!("../../../../actor/evm/build/Bauta.abi.json"),
        include_str!("../../../../actor/evm/build/Bauta.hex"),
    );
    task["view"] = contract(
        include_str!("../../../../actor/evm/build/BautaView.abi.json"),
        include_str!("../../../../actor/evm/build/BautaView.hex"),
    );
    let methods = Method::ALL.iter().map(|method| (method.name().to_owned(), json!(method.number())));
    task["methods"] = methods.collect::<serde_json::Map<_, _>>().into();
    task["recipient"] = json!("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p");
    let packages = [ETHERS, VIEM, ("@ipld/dag-cbor", "9.2.5"), ("multiformats", "13.4.1")];
    let Some((me, told)) = told("lens", &packages, include_str!("lens.mjs"), task.clone()).await else { return };
    println!("{told:#}");
    let runtime = include_str!("../../../../actor/evm/build/BautaView.runtime.hex").trim();
    assert_eq!(told["code"], json!(runtime.len() / 2));

    // Every method that a person sends has an encoder, and each says what the wire says; the rest are a miner's and views.
    let same = told["same"].as_object().unwrap();
    let sent = Method::ALL.iter().filter(|m| !m.is_view() && **m != Method::SectorContentChanged);
    assert_eq!(same.len(), sent.clone().count());
    sent.for_each(|method| assert_eq!(same[method.name()], json!(true), "{method:?}"));
    assert!(told["sent"].as_array().unwrap().iter().all(|status| *status == json!(1)), "{told}");
    assert_eq!(told["viem"], json!("success"));

    let (word, id) = (|n: u8| format!("0x{}", hex::encode([n; 32])), &told["me"]);
    assert!(id.as_u64().unwrap() > 99 && told["back"] == json!(true), "{me} is {id}");
    assert_eq!(told["masked"], json!([1_000, "0xFf000000000000000000000000000000000003E8"]));
    assert_eq!((&told["key"][0], &told["key"][1]), (&task["recipient"], &json!(1)));
    let file = &told["file"];
    assert_eq!((&file["id"], &file["owner"], &file["version"]), (&json!(2), id, &json!(1)));
    let spec = json!({ "payload": word(2), "codec": 0x70, "piece": word(2), "paddedSize": 2048, "payloadSize": 1500,
        "keyCommitment": word(2), "metadata": format!("0x{}", hex::encode([2; 26])), "ownerWrap": "0x2d3e" });
    assert_eq!(file["spec"], spec);
    let ids = |list: &Value| list.as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!((ids(&told["page"][0]), ids(&told["rest"][0])), (vec![json!(3), json!(2)], vec![json!(1)]));
    assert_eq!((&told["rest"][1], &told["with"], &told["found"]), (&json!(0), &json!([2]), &json!([2])));

    let grant = &told["grant"];
    assert_eq!((&grant["wrap"], &grant["rights"], &grant["state"]), (&json!("0xabcd"), &json!(1), &json!(0)));
    assert_eq!((&grant["expiration"], &told["grants"]), (&json!(i64::MAX.to_string()), &json!([[grant], 0])));
    assert_eq!((&told["shared"][0][0]["to"], &told["shared"][0][0]["wrap"]), (&json!(1), &grant["wrap"]));
    assert_eq!((&told["mayRead"], &told["stale"]), (&json!([true, true, false]), &json!([2, false])));
    let rejected = |exit: ExitCode| json!(["Rejected", exit.value()]);
    let missing = rejected(ExitCode::USR_NOT_FOUND);
    assert_eq!((&told["revoked"], &told["unknown"]), (&missing, &missing));
    assert_eq!(told["missing"], json!([missing, missing, missing]));
    assert_eq!((&told["limit"], &told["elsewhere"]), (&rejected(ExitCode::USR_ILLEGAL_ARGUMENT), &json!("reverted")));

    let (fil, bounty) = (|tenths: u64| json!((u128::from(tenths) * 10u128.pow(17)).to_string()), &told["bounty"]);
    assert_eq!((&bounty["funded"], &bounty["escrowed"], &bounty["reserved"]), (&fil(15), &fil(15), &json!(0)));
    assert_eq!((&bounty["creator"], &bounty["claims"], &bounty["ended"]), (id, &json!(0), &json!(false)));
    let terms = json!({ "piece": word(2), "paddedSize": 2048, "hasFile": true, "file": 2, "rewardPerReplica": fil(10),
        "activationBps": 1000, "replicas": 2, "minDuration": 518_400, "claimDeadline": 100_000,
        "providers": [1000, 4_294_967_296u64], "source": "https://example.org/piece", "note": "gardé ☂" });
    assert_eq!(bounty["terms"], terms);
    assert_eq!(ids(&told["bounties"][0]), [1, 2, 3].map(|id| json!(id)));
    assert_eq!(told["later"], json!([[4, false, []], [5, false, []]]));
    assert_eq!(told["claims"], json!([[], 0]));
    assert_eq!((&told["empty"], &told["totals"]), (&json!([0, 0]), &json!([5, fil(15)])));
    let cancelled = &told["cancelled"];
    assert_eq!((&cancelled["cancelled"], &cancelled["ended"]), (&json!(true), &json!(true)));
    assert_eq!((&cancelled["refunded"], &told["counts"]), (&fil(15), &json!([3, 5])));
}
