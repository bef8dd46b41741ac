//! Providers on a running devnet: deals, sealing, proving, lying, bounties.

#[path = "providers/gateway.rs"]
mod gateway;
#[path = "providers/market.rs"]
mod market;
#[path = "providers/shop.rs"]
mod shop;
#[path = "providers/trouble.rs"]
mod trouble;
#[path = "providers/uploads.rs"]
mod uploads;

use std::sync::Arc;
use std::time::Duration;

use bauta_abi::{CreateBountyParams, FundBountyParams, Method, Terms, encode};
use bauta_client::deal::{
    DealError, DealId, DealState, Proposal, StorageProvider, deliver, http_url, piece_path, wait_until_sealed,
};
use bauta_client::node::{ProviderSettings, Serving};
use bauta_client::piece::{CommP, PieceInfo};
use bauta_client::wallet::Key;
use bauta_devnet::Devnet;
use bauta_devnet::genesis::account_key;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde_json::Value;

use shop::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_uploaded_gets_into_a_sector_and_comes_back() {
    let devnet = devnet(None, 2).await;
    let client = account_key(0);
    let shop = Shop::of(&devnet, 0, &client).await;

    // The chain says where the provider is.
    let info = devnet.node().miner_info(&shop.miner).await.unwrap().unwrap();
    assert_eq!(http_url(&info.multiaddrs[0]).unwrap(), shop.url);
    assert_eq!(info.sector_size, 32 << 30);

    let before = std::time::Instant::now();
    let sent = bytes(1, 300_000);
    let piece = shop.store(&sent, None).await;
    eprintln!("sealed after {:?}", before.elapsed());
    assert_eq!(shop.sectors(&devnet).await, [(1, SECTOR_ACTIVE.to_owned())]);

    assert!(shop.retrieval.has_piece(&piece).await.unwrap());
    assert_eq!(shop.fetch(&piece).await.unwrap(), sent);
    assert_eq!(shop.retrieval.read_range(&piece, 1000..1010).await.unwrap(), sent[1000..1010]);
    let other = Shop::of(&devnet, 1, &client).await;
    assert!(!other.retrieval.has_piece(&piece).await.unwrap());
    sound(&devnet).await;
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_lies_is_found_out() {
    let devnet = devnet(None, 1).await;
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    let sent = bytes(2, 10_000);
    let piece = shop.store(&sent, None).await;
    let serve = |serving| ProviderSettings { serving: Some(serving), ..ProviderSettings::default() };

    shop.conduct(&devnet, serve(Serving::Corrupt)).await;
    match shop.fetch(&piece).await {
        Err(DealError::WrongBytes { provider, mismatch }) => {
            assert!(provider.contains(&shop.url));
            assert_eq!(mismatch.expected, piece);
        }
        other => panic!("{other:?}"),
    }
    shop.conduct(&devnet, serve(Serving::Lost)).await;
    assert!(!shop.retrieval.has_piece(&piece).await.unwrap());
    assert!(matches!(shop.fetch(&piece).await, Err(DealError::Refused { .. })));
    shop.conduct(&devnet, serve(Serving::Stall)).await;
    let impatient = Shop { retrieval: retrieval(&shop.url, Duration::from_millis(500)), ..shop };
    assert!(matches!(impatient.fetch(&piece).await, Err(DealError::Unreachable { .. })));
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    shop.conduct(&devnet, serve(Serving::Honest)).await;
    assert_eq!(shop.fetch(&piece).await.unwrap(), sent);
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let client = account_key(1);
    let id = DealId::generate();
    let sent = bytes(3, 5_000);
    let piece = CommP::of(&sent).unwrap();
    let file = folder.path().join("piece");
    std::fs::write(&file, &sent).unwrap();
    let proposal = Proposal::upload(piece.clone(), HALF_A_YEAR);
    let url;
    {
        // Sealing takes seconds, so that it is seen on its way.
        let first = ticking_every(Some(folder.path()), Duration::from_millis(500)).await;
        let shop = Shop::of(&first, 0, &client).await;
        url = shop.url.clone();
        deliver(&shop.curio, id, &proposal, &file, None).await.unwrap();
        let state = || async { shop.curio.status(id).await.unwrap().unwrap().state };
        until("sealing", || async { state().await == DealState::Sealing }).await;
        first.shutdown().await;
    }
    let book = std::fs::read_to_string(folder.path().join("providers/provider-0/provider.json")).unwrap();
    assert!(book.contains("PreCommit") || book.contains("Proving"), "in the middle: {book}");
    let second = devnet(Some(folder.path()), 1).await;
    let shop = Shop::of(&second, 0, &client).await;
    assert_eq!(shop.url, url, "the port is remembered");
    wait_until_sealed(&shop.curio, id, SEALING).await.unwrap();
    assert_eq!(shop.fetch(&piece).await.unwrap(), sent);
    assert_eq!(shop.sectors(&second).await, [(1, SECTOR_ACTIVE.to_owned())]);
    second.shutdown().await;

    // Another one has the port: the new place is announced.
    let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let third = devnet(Some(folder.path()), 1).await;
    let shop = Shop::of(&third, 0, &client).await;
    assert_ne!(shop.url, url);
    let info = third.node().miner_info(&shop.miner).await.unwrap().unwrap();
    assert_eq!(http_url(&info.multiaddrs[0]).unwrap(), shop.url);
    assert_eq!(shop.sectors(&third).await, [(1, SECTOR_ACTIVE.to_owned())]);
    drop(taken);
    third.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_that_is_ahead_of_the_chain_is_set_right() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, backup) = (folder.path().join("chain.redb"), folder.path().join("backup"));
    devnet(Some(folder.path()), 1).await.shutdown().await;
    std::fs::copy(&chain, &backup).unwrap();
    let client = account_key(0);
    let second = devnet(Some(folder.path()), 1).await;
    let shop = Shop::of(&second, 0, &client).await;
    let sent = bytes(9, 700);
    let piece = shop.store(&sent, None).await;
    assert_eq!(shop.sectors(&second).await, [(1, SECTOR_ACTIVE.to_owned())]);
    second.shutdown().await;

    // As after a kill: the tipsets that held pre-commit and proof were never written.
    std::fs::copy(&backup, &chain).unwrap();
    let third = devnet(Some(folder.path()), 1).await;
    let shop = Shop::of(&third, 0, &client).await;
    until("another sector", || async { shop.sectors(&third).await == [(2, SECTOR_ACTIVE.to_owned())] }).await;
    assert_eq!(shop.fetch(&piece).await.unwrap(), sent);
    sound(&third).await;
    third.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_interval_sealing_takes_its_epochs() {
    let devnet = ticking(None).await;
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    let before = devnet.info().await.unwrap().epoch;
    shop.store(&bytes(10, 700), None).await;
    assert!(devnet.info().await.unwrap().epoch >= before + 11);
    assert_eq!(shop.sectors(&devnet).await, [(1, SECTOR_ACTIVE.to_owned())]);
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proving_keeps_sectors_active_and_its_absence_makes_them_faulty() {
    let devnet = devnet(None, 1).await;
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    shop.store(&bytes(4, 100), None).await;
    shop.store(&bytes(5, 200), None).await;
    let states = |state: &str| vec![(1, state.to_owned()), (2, state.to_owned())];
    let node = devnet.node();
    node.devnet_mine(5 * DAY).await.unwrap();
    assert_eq!(shop.sectors(&devnet).await, states(SECTOR_ACTIVE));

    let prove = |proving| ProviderSettings { proving: Some(proving), ..ProviderSettings::default() };
    shop.conduct(&devnet, prove(false)).await;
    node.devnet_mine(2 * DAY).await.unwrap();
    assert_eq!(shop.sectors(&devnet).await, states("faulty"));

    shop.conduct(&devnet, prove(true)).await;
    node.devnet_mine(3 * DAY).await.unwrap();
    assert_eq!(shop.sectors(&devnet).await, states(SECTOR_ACTIVE));
    node.devnet_mine(3 * DAY).await.unwrap();
    assert_eq!(shop.sectors(&devnet).await, states(SECTOR_ACTIVE));

    node.devnet_terminate(&shop.miner, 1).await.unwrap();
    node.devnet_mine(1).await.unwrap();
    let after = vec![(1, "dead".to_owned()), (2, SECTOR_ACTIVE.to_owned())];
    assert_eq!(shop.sectors(&devnet).await, after);
    // The partition is still proven with one dead sector in it, and recovers with one.
    node.devnet_mine(2 * DAY).await.unwrap();
    assert_eq!(shop.sectors(&devnet).await, after);
    shop.conduct(&devnet, prove(false)).await;
    node.devnet_mine(2 * DAY).await.unwrap();
    shop.conduct(&devnet, prove(true)).await;
    node.devnet_mine(3 * DAY).await.unwrap();
    assert_eq!(shop.sectors(&devnet).await, after);
    sound(&devnet).await;
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_year_passes_and_the_sector_expires() {
    let devnet = devnet(None, 1).await;
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    shop.store(&bytes(6, 100), None).await;
    let node = devnet.node();
    let before = std::time::Instant::now();
    node.devnet_mine(HALF_A_YEAR).await.unwrap();
    eprintln!("180 days in {:?}", before.elapsed());
    assert_eq!(shop.sectors(&devnet).await, [(1, SECTOR_ACTIVE.to_owned())]);
    node.devnet_mine(40 * DAY).await.unwrap();
    assert_eq!(shop.sectors(&devnet).await, [(1, "dead".to_owned())]);
    sound(&devnet).await;
    devnet.shutdown().await;
}

fn terms(piece: &PieceInfo, source: &str, replicas: u64, deadline: ChainEpoch) -> Terms {
    Terms {
        piece_cid: piece.piece_cid,
        padded_size: piece.padded_size,
        file_id: None,
        reward_per_replica: TokenAmount::from_whole(1),
        activation_bps: 1000,
        replicas,
        min_duration: HALF_A_YEAR,
        claim_deadline: deadline,
        providers: vec![],
        source: source.to_owned(),
        note: String::new(),
    }
}

async fn create(devnet: &Devnet, key: &Key, terms: Terms) {
    let actor = devnet.info().await.unwrap().actor.unwrap();
    let value = terms.target();
    let params = encode(&CreateBountyParams { terms }).unwrap();
    send(devnet, key, actor, value, Method::CreateBounty.number(), params).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bounties_are_hunted_and_claimed_by_notification() {
    let devnet = Arc::new(devnet(None, 3).await);
    let funder = account_key(2);
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    let idle = Shop::of(&devnet, 2, &account_key(0)).await;
    let hunt = |hunting| ProviderSettings { hunting: Some(hunting), ..ProviderSettings::default() };
    idle.conduct(&devnet, hunt(false)).await;
    let piece = shop.store(&bytes(7, 20_000), None).await;
    let source = format!("{}{}", shop.url, piece_path(&piece));

    // Two replicas: the one who has it and one who fetches it.
    create(&devnet, &funder, terms(&piece, &source, 2, 1000)).await;
    until("two claims", || async { claims(&devnet, 1).await.claims.len() == 2 }).await;
    let record = bounty(&devnet, 1).await;
    assert_eq!(record.reserved, TokenAmount::from_whole(2));
    let other = Shop::of(&devnet, 1, &account_key(0)).await;
    assert!(other.retrieval.has_piece(&piece).await.unwrap());
    let mut by: Vec<u64> = claims(&devnet, 1).await.claims.iter().map(|(_, claim)| claim.provider).collect();
    by.sort_unstable();
    assert_eq!(by, [shop.miner.id().unwrap(), other.miner.id().unwrap()]);
    assert!(!idle.retrieval.has_piece(&piece).await.unwrap());

    // One for the third only, who is told to take it.
    let mut own = terms(&piece, &source, 1, 1000);
    own.providers = vec![idle.miner];
    create(&devnet, &funder, own).await;
    assert!(claims(&devnet, 2).await.claims.is_empty());
    devnet.node().devnet_take_bounty(&idle.miner, 2).await.unwrap();
    until("a claim", || async { claims(&devnet, 2).await.claims.len() == 1 }).await;

    // What a source serves is checked before anything is sealed.
    let liar = terms(&CommP::of(b"something else").unwrap(), &source, 1, 1000);
    create(&devnet, &funder, liar).await;
    let refused = |jobs: &Value| {
        jobs.as_array().unwrap().iter().any(|j| j["Name"].as_str().unwrap().ends_with("-3") && j["State"] == "failed")
    };
    until("a refusal", || async { refused(&shop.conduct(&devnet, ProviderSettings::default()).await["Jobs"]) }).await;
    assert!(claims(&devnet, 3).await.claims.is_empty());
    assert!(devnet.node().devnet_take_bounty(&idle.miner, 99).await.is_err());
    sound(&devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_too_late_claims_when_more_money_comes() {
    let devnet = Arc::new(devnet(None, 2).await);
    let funder = account_key(2);
    let shop = Shop::of(&devnet, 0, &account_key(0)).await;
    let piece = shop.store(&bytes(9, 5_000), None).await;
    let source = format!("{}{}", shop.url, piece_path(&piece));

    // Two replicas, money for one: both providers hurry, one claims.
    let terms = terms(&piece, &source, 2, 1000);
    let half = terms.reward_per_replica.clone();
    let actor = devnet.info().await.unwrap().actor.unwrap();
    let params = encode(&CreateBountyParams { terms }).unwrap();
    send(&devnet, &funder, actor, half.clone(), Method::CreateBounty.number(), params).await;
    until("a claim", || async { claims(&devnet, 1).await.claims.len() == 1 }).await;

    // Money for the second: the other one claims, too.
    let params = encode(&FundBountyParams { id: 1 }).unwrap();
    send(&devnet, &funder, actor, half, Method::FundBounty.number(), params).await;
    until("two claims", || async { claims(&devnet, 1).await.claims.len() == 2 }).await;
    assert!(bounty(&devnet, 1).await.claims == 2);
    sound(&devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_is_refused_fails_its_deal_alone() {
    let devnet = devnet(None, 1).await;
    let client = account_key(0);
    let shop = Shop::of(&devnet, 0, &client).await;
    let folder = tempfile::tempdir().unwrap();
    let mut deals = Vec::new();
    // An account answers a notification with nothing, which is no answer.
    for (index, notify) in [(0u8, None), (1, Some((client.address(), vec![1]))), (2, None)] {
        let sent = bytes(20 + index, 500);
        let file = folder.path().join(index.to_string());
        std::fs::write(&file, &sent).unwrap();
        let proposal = Proposal { notify, ..Proposal::upload(CommP::of(&sent).unwrap(), HALF_A_YEAR) };
        deals.push((DealId::generate(), proposal, file));
    }
    for (index, (id, proposal, file)) in deals.iter().enumerate() {
        // The bad one may have failed before its delivery is over.
        let delivered = deliver(&shop.curio, *id, proposal, file, None).await;
        assert!(delivered.is_ok() || index == 1, "{delivered:?}");
    }
    for (index, (id, ..)) in deals.iter().enumerate() {
        let ended = wait_until_sealed(&shop.curio, *id, SEALING).await;
        assert_eq!(ended.is_ok(), index != 1, "{ended:?}");
    }
    let failed = shop.curio.status(deals[1].0).await.unwrap().unwrap();
    assert_eq!(failed.state, DealState::Failed);
    assert!(failed.error.is_some());
    devnet.shutdown().await;
}
