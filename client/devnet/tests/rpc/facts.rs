//! What the methods of FRC-0104 say of a sector, a deal and the past, and that it is so.

use bauta_client::address::{Address, Prefix};
use bauta_client::message::{RawBytes, TokenAmount};
use bauta_client::node::json::{SignatureJson, TipsetKey};
use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::genesis::account_key;
use serde_json::{Value, json};

use super::common::Past;
use crate::shop::{self, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_they_say_of_a_sector_and_a_deal_is_so() {
    let past = Past::new().await;
    let node = past.devnet.node();
    let miner = Prefix::Testnet.show(&past.miner);
    let ask = async |method: &str, params: Value| {
        node.request(&format!("Filecoin.{method}"), params.clone())
            .await
            .unwrap_or_else(|e| panic!("{method} {params}: {e}"))
    };
    let runs = json!([1, 1]);
    assert_eq!(ask("StateMinerAllocated", json!([miner, null])).await, runs);
    assert_eq!(ask("StateMinerSectorAllocated", json!([miner, 1, null])).await, json!(true));
    assert_eq!(ask("StateMinerSectorAllocated", json!([miner, 2, null])).await, json!(false));
    let count = ask("StateMinerSectorCount", json!([miner, null])).await;
    assert_eq!((&count["Live"], &count["Faulty"]), (&json!(1), &json!(0)));
    let sector = ask("StateSectorGetInfo", json!([miner, 1, null])).await;
    assert_eq!(ask("StateMinerSectors", json!([miner, null, null])).await, json!([sector]));
    assert_eq!(ask("StateMinerSectors", json!([miner, [1, 1], null])).await, json!([sector]));
    assert_eq!(ask("StateMinerSectors", json!([miner, [2, 9], null])).await, json!([]));
    assert_eq!(ask("StateSectorGetInfo", json!([miner, 2, null])).await, Value::Null);
    let place = ask("StateSectorPartition", json!([miner, 1, null])).await;
    let partitions = ask("StateMinerPartitions", json!([miner, place["Deadline"], null])).await;
    let partition = &partitions[place["Partition"].as_u64().unwrap() as usize];
    assert_eq!(
        (&partition["AllSectors"], &partition["LiveSectors"], &partition["FaultySectors"]),
        (&runs, &runs, &json!([0]))
    );
    let deadlines = ask("StateMinerDeadlines", json!([miner, null])).await;
    assert_eq!(deadlines.as_array().unwrap().len(), 48);
    let expiration = ask("StateSectorExpiration", json!([miner, 1, null])).await;
    // Rounded up to the end of a deadline.
    let (on_time, nominal) = (expiration["OnTime"].as_i64().unwrap(), sector["Expiration"].as_i64().unwrap());
    assert!(on_time >= nominal && on_time < nominal + 2880, "{on_time} {nominal}");
    assert_eq!(expiration["Early"], json!(0));

    // A period later it has been proven and counts; then its provider stops proving it.
    let power = async || ask("StateMinerPower", json!([miner, null])).await["MinerPower"]["RawBytePower"].clone();
    // The head shows the state before its own epoch, and before the null rounds in front of it.
    let pass = async || {
        node.devnet_mine(3000).await.unwrap();
        node.devnet_mine(1).await.unwrap();
    };
    pass().await;
    assert_eq!(power().await, json!((32u64 << 30).to_string()));
    assert_eq!(ask("StateMinerActiveSectors", json!([miner, null])).await[0]["SectorNumber"], json!(1));
    let idle = bauta_client::node::ProviderSettings { proving: Some(false), ..Default::default() };
    node.devnet_provider(&past.miner, &idle).await.unwrap();
    pass().await;
    assert_eq!((power().await, ask("StateMinerFaults", json!([miner, null])).await), (json!("0"), runs.clone()));
    assert_eq!(ask("StateMinerActiveSectors", json!([miner, null])).await, json!([]));
    assert_eq!(
        ask("StateMinerSectorCount", json!([miner, null])).await,
        json!({ "Live": 1, "Active": 0, "Faulty": 1 })
    );
    let early = ask("StateSectorExpiration", json!([miner, 1, null])).await;
    assert!(early["Early"].as_i64().unwrap() > 0, "{early}");

    let deals = ask("StateMarketDeals", json!([null])).await;
    assert_eq!(deals["0"], ask("StateMarketStorageDeal", json!([0, null])).await);
    assert_eq!(
        (&deals["0"]["State"]["SectorNumber"], &deals["0"]["Proposal"]["StoragePricePerEpoch"]),
        (&json!(1), &json!("1000"))
    );
    let (client, mut sum) = (node.lookup_id(&past.client).await.unwrap().unwrap(), 0);
    let everybody = ask("StateMarketParticipants", json!([null])).await;
    for (address, balance) in everybody.as_object().unwrap() {
        assert_eq!(*balance, ask("StateMarketBalance", json!([address, null])).await);
        sum += balance["Locked"].as_str().unwrap().parse::<u128>().unwrap();
    }
    assert!(everybody[Prefix::Testnet.show(&client)]["Locked"] != json!("0") && sum > 0, "{everybody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_they_say_of_the_past_is_so() {
    let past = Past::new().await;
    let node = past.devnet.node();
    let ask = async |method: &str, params: Value| node.request(&format!("Filecoin.{method}"), params).await;
    let signed = json!({ "/": past.secp.cid().to_string() });
    let lookup = node.search_msg(&TipsetKey::HEAD, &past.secp.cid(), -1).await.unwrap().unwrap();

    let replayed = ask("StateReplay", json!([null, signed])).await.unwrap();
    assert_eq!(replayed["MsgRct"], json!(lookup.receipt));
    assert_eq!(replayed["MsgCid"], signed);
    let trace = &replayed["ExecutionTrace"];
    assert!(!trace["GasCharges"].as_array().unwrap().is_empty() && !trace["IpldOps"].as_array().unwrap().is_empty());
    let gas: i64 = replayed["GasCost"]["GasUsed"].as_str().unwrap().parse().unwrap();
    assert_eq!(gas, lookup.receipt.gas_used);
    let elsewhere = ask("StateReplay", json!([past.head, signed])).await.unwrap_err();
    assert!(elsewhere.to_string().contains("not found in tipset"), "{elsewhere}");

    // From one tipset to another, and back.
    let path = ask("ChainGetPath", json!([past.included, past.head])).await.unwrap();
    let back = ask("ChainGetPath", json!([past.head, past.included])).await.unwrap();
    let of = |path: &Value, kind: &str| -> Vec<Value> {
        path.as_array()
            .unwrap()
            .iter()
            .map(|c| {
                assert_eq!(c["Type"], json!(kind));
                c["Val"].clone()
            })
            .collect()
    };
    let (there, mut again) = (of(&path, "apply"), of(&back, "revert"));
    again.reverse();
    assert_eq!(there, again);
    assert_eq!(there.last().unwrap()["Cids"], json!(past.head));
    let weight = async |key: &TipsetKey| {
        ask("ChainTipSetWeight", json!([key])).await.unwrap().as_str().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(weight(&past.head).await - weight(&past.included).await, there.len() as u64);

    // A null round lies between two tipsets.
    let head = node.chain_head().await.unwrap().height;
    node.devnet_mine(50).await.unwrap();
    let height = |tipset: Value| tipset["Height"].as_i64().unwrap();
    let next = node.tipset_by_height(head + 50, &TipsetKey::HEAD).await.unwrap().height;
    assert!(height(ask("ChainGetTipSetByHeight", json!([next - 1, null])).await.unwrap()) < next);
    assert_eq!(height(ask("ChainGetTipSetAfterHeight", json!([next - 1, null])).await.unwrap()), next);

    let listed =
        ask("StateListMessages", json!([{ "From": null, "To": Prefix::Testnet.show(&past.actor) }, null, 0])).await;
    assert_eq!(listed.unwrap(), json!([signed]));
    let nobody = Prefix::Testnet.show(&Key::from_seed(KeyKind::Bls, b"nobody").address());
    assert_eq!(ask("StateListMessages", json!([{ "To": nobody }, null, 0])).await.unwrap(), Value::Null);
    assert!(ask("StateListMessages", json!([{}, null, 0])).await.is_err());

    // The node's wallet signs as its keys do.
    let client = Prefix::Testnet.show(&past.client);
    let signature = ask("WalletSign", json!([client, "AAEC"])).await.unwrap();
    assert_eq!(signature, json!(SignatureJson(account_key(0).sign_bytes(&[0, 1, 2]))));
    assert_eq!(ask("WalletVerify", json!([client, "AAEC", signature])).await.unwrap(), json!(true));
    assert_eq!(ask("WalletVerify", json!([client, "AAED", signature])).await.unwrap(), json!(false));
    assert_eq!(ask("WalletHas", json!([nobody])).await.unwrap(), json!(false));
    assert!(ask("WalletSign", json!([nobody, "AAEC"])).await.unwrap_err().to_string().contains("key info not found"));

    // Actors draw from what these answer.
    let digest = ask("StateGetRandomnessDigestFromBeacon", json!([head, null])).await.unwrap();
    let entry = ask("StateGetBeaconEntry", json!([head])).await.unwrap();
    let bytes = |value: &Value| {
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, value.as_str().unwrap()).unwrap()
    };
    assert_eq!(bytes(&digest), bauta_devnet::vm::blake2b(&bytes(&entry["Data"])));
    assert!(ask("StateGetBeaconEntry", json!([head + 10_000])).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_worker_of_a_miner_is_told() {
    let devnet = shop::devnet(None, 2).await;
    let node = devnet.node();
    until("two miners", || async { devnet.info().await.unwrap().providers.len() == 2 }).await;
    let miner = devnet.info().await.unwrap().providers[0].miner;
    let before = node.miner_info(&miner).await.unwrap().unwrap();
    assert_eq!((before.new_worker, before.worker_change_epoch), (None, -1));
    // Everybody knows the keys of the devnet's providers.
    let key = |kind, of: &str| Key::from_seed(kind, format!("bauta devnet provider {of}").as_bytes());
    let (owner, worker) = (key(KeyKind::Secp256k1, "0 owner"), key(KeyKind::Bls, "1 worker"));
    let params = RawBytes::serialize((worker.address(), Vec::<Address>::new())).unwrap().to_vec();
    shop::send(&devnet, &owner, miner, TokenAmount::default(), 3, params).await;
    let after = node.miner_info(&miner).await.unwrap().unwrap();
    assert_eq!((after.worker, after.new_worker), (before.worker, node.lookup_id(&worker.address()).await.unwrap()));
    let in_epochs = after.worker_change_epoch - devnet.info().await.unwrap().epoch;
    assert!((800..=900).contains(&in_epochs), "{in_epochs}");
}
