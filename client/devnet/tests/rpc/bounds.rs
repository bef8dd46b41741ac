//! Lists that have become too long to be given.

use bauta_client::deal::market::{DealProposal, Label};
use fvm_ipld_amt::Amt;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_ipld_encoding::DAG_CBOR;
use fvm_shared::piece::PaddedPieceSize;
use multihash_codetable::Code;

use super::*;

const LISTED: u64 = 20_000;

/// What a method answers on a state with too much in it: how it refuses, and that it does so soon.
async fn is_refused(devnet: &Devnet, method: &str, params: Value) -> String {
    let begun = std::time::Instant::now();
    let (status, body) = call(devnet, method, params).await;
    assert!(begun.elapsed() < Duration::from_secs(60), "{method} took {:?}", begun.elapsed());
    assert_eq!((status, &body["error"]["code"]), (200, &json!(-32005)), "{method}: {body}");
    body["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_very_many_actors_is_refused_and_each_of_them_is_found() {
    let mut config = config();
    let account = |n: u64| {
        let mut key = [4; 65];
        key[..8].copy_from_slice(&n.to_be_bytes());
        Address::new_secp256k1(&key).unwrap()
    };
    config.genesis.funded = (0..LISTED).map(|n| (account(n), TokenAmount::from_atto(1))).collect();
    let devnet = spawn(config).await.unwrap();
    let why = is_refused(&devnet, "Filecoin.StateListActors", json!([null])).await;
    assert_eq!(why, "there are more than 20000 actors, and no list is longer here: ask for each by StateGetActor");
    // Only the anchor is a miner, however many others there are.
    let (_, miners) = call(&devnet, "Filecoin.StateListMiners", json!([null])).await;
    assert_eq!(miners["result"].as_array().map(Vec::len), Some(1), "{miners}");
    let last = Prefix::Testnet.show(&account(LISTED - 1));
    let (_, id) = call(&devnet, "Filecoin.StateLookupID", json!([last, null])).await;
    let (_, robust) = call(&devnet, "Filecoin.StateLookupRobustAddress", json!([id["result"], null])).await;
    assert_eq!(robust["result"], json!(last));
    let (_, robust) = call(&devnet, "Filecoin.StateLookupRobustAddress", json!([miners["result"][0], null])).await;
    assert!(robust["result"].as_str().is_some_and(|robust| robust.starts_with("t2")), "{robust}");
    devnet.shutdown().await;
}

/// Replaces the market's proposals by so many.
async fn publish(devnet: &Devnet, count: u64) {
    let replaced = devnet.handle().run(move |chain| -> anyhow::Result<()> {
        let proposal = DealProposal {
            piece_cid: bauta_client::piece::CommP::of(b"one of very many").unwrap().piece_cid,
            piece_size: PaddedPieceSize(2048),
            verified_deal: false,
            client: Address::new_id(100),
            provider: Address::new_id(102),
            label: Label::Text("one of very many".into()),
            start_epoch: 10,
            end_epoch: 600_000,
            storage_price_per_epoch: TokenAmount::from_atto(7),
            provider_collateral: TokenAmount::default(),
            client_collateral: TokenAmount::default(),
        };
        let store = chain.store().clone();
        let mut deals = Amt::new_with_bit_width(&*store, 5);
        for id in 0..count {
            deals.set(id, proposal.clone())?;
        }
        let deals = deals.flush()?;
        // The proposals are the first link of the market's state.
        let market = chain.actor(&Address::new_id(5))?.expect("a market");
        let mut state = store.get(&market.state)?.expect("its state");
        let link = [0xd8, 0x2a, 0x58, 0x27, 0];
        let at = state.windows(link.len()).position(|bytes| bytes == link).expect("a link") + link.len();
        state[at..at + deals.to_bytes().len()].copy_from_slice(&deals.to_bytes());
        let state = store.put(Code::Blake2b256, &Block::new(DAG_CBOR, state))?;
        chain.replace_state(5, state)
    });
    replaced.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_very_many_deals_is_refused_and_each_of_them_is_found() {
    let devnet = devnet().await;
    publish(&devnet, LISTED).await;
    let (_, deals) = call(&devnet, "Filecoin.StateMarketDeals", json!([null])).await;
    assert_eq!(deals["result"].as_object().map(|deals| deals.len() as u64), Some(LISTED));
    publish(&devnet, LISTED + 1).await;
    let why = is_refused(&devnet, "Filecoin.StateMarketDeals", json!([null])).await;
    assert!(why.contains("20000 deals") && why.contains("StateMarketStorageDeal"), "{why}");
    let (_, deal) = call(&devnet, "Filecoin.StateMarketStorageDeal", json!([LISTED, null])).await;
    assert_eq!(deal["result"]["Proposal"]["Label"], "one of very many", "{deal}");
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_actors_are_not_all_gone_through_for_one_answer() {
    let devnet = devnet().await;
    let (_, sound) = call(&devnet, "Devnet.CheckInvariants", json!([])).await;
    assert_eq!(sound["result"], json!([]));
    let (_, then) = call(&devnet, "Filecoin.ChainHead", json!([])).await;
    let (_, miners) = call(&devnet, "Filecoin.StateListMiners", json!([then["result"]["Cids"]])).await;
    assert_eq!(miners["result"].as_array().map(Vec::len), Some(1), "{miners}");
    // Ids are given out in order: whoever would get 200,101 came after so many.
    let replaced = devnet.handle().run(|chain| -> anyhow::Result<()> {
        let store = chain.store().clone();
        let init = chain.actor(&Address::new_id(1))?.expect("an init actor");
        let state = store.get(&init.state)?.expect("its state");
        let (map, _, name): (cid::Cid, u64, String) = fvm_ipld_encoding::from_slice(&state)?;
        let state = fvm_ipld_encoding::to_vec(&(map, 200_101u64, name))?;
        let state = store.put(Code::Blake2b256, &Block::new(DAG_CBOR, state))?;
        chain.replace_state(1, state)
    });
    replaced.await.unwrap().unwrap();
    let why = is_refused(&devnet, "Devnet.CheckInvariants", json!([])).await;
    assert_eq!(why, "there are more than 200000 actors: they are not gone through here");
    devnet.shutdown().await;
}
