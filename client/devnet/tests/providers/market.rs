//! Deals of the built-in market: handed over by mk12, paid from escrow, active on the chain.

use std::sync::Arc;
use std::time::Duration;

use bauta_client::agreement::{self, AgreementError, Order};
use bauta_client::deal::market::DealProposal;
use bauta_client::deal::mk12::{self, AskRequest, DealParams, StatusRequest, Transfer};
use bauta_client::deal::{DealError, DealState, MarketProvider, StorageProvider, Timeouts, escrow, piece_path};
use bauta_client::home::Home;
use bauta_client::network::Network;
use bauta_client::node::{Node, NodeError, ProviderSettings, Taking, Telling};
use bauta_client::piece::PieceInfo;
use bauta_client::sender::{SendError, Sender, Silent, Slips};
use bauta_client::wallet::Key;
use bauta_devnet::Devnet;
use bauta_devnet::genesis::account_key;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

use super::shop::*;

#[tokio::test(flavor = "multi_thread")]
async fn market_deals_are_published_and_activated() {
    let devnet = devnet(None, 2).await;
    let client = account_key(0);
    let shop = Shop::of(&devnet, 0, &client).await;
    let piece = shop.store(&bytes(8, 1_000), None).await;
    // The second provider is to fetch it from the first.
    let other = Shop::of(&devnet, 1, &client).await;
    let price = TokenAmount::from_atto(1_000);
    let escrow = RawBytes::serialize(client.address()).unwrap().to_vec();
    let market = bauta_client::deal::market::MARKET;
    send(&devnet, &client, market, TokenAmount::from_whole(1), 822_473_126, escrow).await;
    let now = devnet.info().await.unwrap().epoch;
    let mut offer = DealProposal::new(&piece, client.address(), other.miner, now + 100, HALF_A_YEAR);
    offer.storage_price_per_epoch = price;
    offer.provider_collateral = devnet.node().deal_collateral_bounds(piece.padded_size.0).await.unwrap().min;
    let deal = |offer: &DealProposal, uuid: u8| DealParams {
        deal_uuid: [uuid; 16],
        is_offline: false,
        client_deal_proposal: offer.clone().sign(&client).unwrap(),
        deal_data_root: piece.piece_cid,
        transfer: Transfer::http(&format!("{}{}", shop.url, piece_path(&piece)), piece.payload_size),
        remove_unsealed_copy: false,
        skip_ipni_announce: true,
    };
    let params = deal(&offer, 1);
    mk12::store(&other.url, &params, Timeouts::default()).await.unwrap();
    match mk12::store(&other.url, &params, Timeouts::default()).await {
        Err(DealError::Refused { reason, .. }) => assert!(reason.contains("updated 0 rows"), "{reason}"),
        again => panic!("{again:?}"),
    }
    until("an active deal", || async {
        let found = devnet.node().market_deal(0).await.unwrap();
        found.is_some_and(|deal| deal.state.sector_start_epoch > 0)
    })
    .await;
    assert!(devnet.node().market_deal(1).await.unwrap().is_none(), "the same deal is published once");
    assert_eq!(other.sectors(&devnet).await, [(1, SECTOR_ACTIVE.to_owned())]);

    for (spoil, words) in [
        (
            Box::new(|d: &mut DealParams| {
                d.client_deal_proposal.proposal.label = bauta_client::deal::market::Label::Text("x".into())
            }) as Box<dyn Fn(&mut DealParams)>,
            "failed validation: invalid signature",
        ),
        (Box::new(|d| d.is_offline = true), "offline deals are not allowed"),
        (Box::new(|d| d.transfer.size += 100_000), "doesn't match padded piece size"),
        (Box::new(|d| d.transfer.r#type = "libp2p".into()), "libp2p URLs are not supported"),
        (Box::new(|d| d.transfer.params = b"{}".to_vec()), "failed to de-serialize"),
        (Box::new(|d| d.transfer = Transfer::http("file:///etc/passwd", d.transfer.size)), "unsupported url scheme"),
    ] {
        let mut params = deal(&offer, 2);
        spoil(&mut params);
        match mk12::store(&other.url, &params, Timeouts::default()).await {
            Err(DealError::Refused { reason, .. }) => assert!(reason.contains(words), "{reason}"),
            other => panic!("{words}: {other:?}"),
        }
    }
    let now = devnet.info().await.unwrap().epoch;
    let good = DealProposal { start_epoch: now + 110, ..offer };
    for (change, words) in [
        ((|o| o.start_epoch -= 105) as fn(&mut DealProposal), "too soon"),
        (|o| o.start_epoch = 0, "has already elapsed"),
        (|o| o.storage_price_per_epoch = TokenAmount::from_atto(1), "less than asking price"),
        (|o| o.storage_price_per_epoch = TokenAmount::from_whole(1), "not enough to meet storage cost"),
        (|o| o.provider_collateral = TokenAmount::from_whole(1000), "above maximum"),
        (|o| o.verified_deal = true, "not a verified client"),
        (|o| o.provider = Address::new_id(1), "incorrect provider"),
    ] {
        let mut offer = good.clone();
        change(&mut offer);
        offer.end_epoch = offer.start_epoch + HALF_A_YEAR;
        match mk12::store(&other.url, &deal(&offer, 3), Timeouts::default()).await {
            Err(DealError::Refused { reason, .. }) => assert!(reason.contains(words), "{words}: {reason}"),
            other => panic!("{words}: {other:?}"),
        }
    }
    assert!(devnet.node().market_deal(1).await.unwrap().is_none(), "nothing that was refused is published");
    sound(&devnet).await;
    devnet.shutdown().await;
}

/// A deal for half a year at what is asked, of a piece that `holder` has.
fn order(piece: PieceInfo, with: &Shop, holder: &Shop) -> Order {
    Order {
        root: piece.piece_cid,
        miner: with.miner,
        url: with.url.clone(),
        source: format!("{}{}", holder.url, piece_path(&piece)),
        duration: HALF_A_YEAR,
        price: None,
        limit: None,
        patience: SEALING,
        piece,
    }
}

/// What `bauta market deal` does, twice, and then the money back.
#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_is_made_once_and_its_money_comes_back() {
    let devnet = devnet(None, 2).await;
    let client = account_key(0);
    let shop = Shop::of(&devnet, 0, &client).await;
    let other = Shop::of(&devnet, 1, &client).await;
    let piece = shop.store(&bytes(11, 3_000), None).await;
    let node = devnet.node();
    let sender = Sender::new(node.clone(), client.clone(), Network::Local);
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let order = order(piece, &other, &shop);

    // What is too dear, too cheap or for nobody costs nothing.
    let too_dear = Order { limit: Some(TokenAmount::from_atto(1)), ..order.clone() };
    let refused = agreement::make(&node, &sender, &home, &too_dear, &Silent).await;
    assert!(matches!(refused, Err(AgreementError::TooDear { .. })), "{refused:?}");
    let too_cheap = Order { price: Some(TokenAmount::from_atto(1)), ..order.clone() };
    let refused = agreement::make(&node, &sender, &home, &too_cheap, &Silent).await;
    assert!(matches!(refused, Err(AgreementError::Price { .. })), "{refused:?}");
    assert_eq!(node.market_balance(&client.address()).await.unwrap().escrow, TokenAmount::default());

    let first = agreement::make(&node, &sender, &home, &order, &Silent).await.unwrap();
    assert_eq!((first.state, first.resumed), (DealState::Complete, false));
    assert_eq!(first.deposited, first.terms.client_balance_requirement());
    let deal = node.market_deal(first.deal.unwrap()).await.unwrap().unwrap();
    assert_eq!(deal.proposal.piece_cid, order.piece.piece_cid);
    assert!(deal.state.sector_start_epoch > 0);

    let again = agreement::make(&node, &sender, &home, &order, &Silent).await.unwrap();
    assert_eq!((again.id, again.deal, again.resumed), (first.id, first.deal, true));
    assert!(again.sent.is_none());
    assert!(node.market_deal(first.deal.unwrap() + 1).await.unwrap().is_none());

    // What no deal binds comes back, and nothing else.
    escrow::deposit(&sender, TokenAmount::from_whole(3), &Silent).await.unwrap();
    let (got, _) = escrow::withdraw(&sender, TokenAmount::from_whole(9), &Silent).await.unwrap();
    assert_eq!(got, TokenAmount::from_whole(3));
    let left = node.market_balance(&client.address()).await.unwrap();
    assert_eq!(escrow::available(&left), TokenAmount::default());
    assert_eq!(left.escrow, first.deposited);
    sound(&devnet).await;
    devnet.shutdown().await;
}

/// A node that gets no message, or gets them and never says so.
struct Deaf {
    node: Arc<dyn Node>,
    passes_on: bool,
}

#[async_trait::async_trait]
impl Node for Deaf {
    async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        let broken = Err(NodeError::Unreachable("the connection broke".into()));
        match method {
            "Filecoin.MpoolPush" if self.passes_on => self.node.request(method, params).await.and(broken),
            "Filecoin.MpoolPush" | "Filecoin.ChainGetMessage" => broken,
            _ => self.node.request(method, params).await,
        }
    }
}

/// Two orders at a time, and runs that die while their deposit is on its way: each is paid in once.
#[tokio::test(flavor = "multi_thread")]
async fn no_deposit_is_made_twice_and_none_counts_for_two() {
    let devnet = devnet(None, 2).await;
    let client = account_key(0);
    let shop = Shop::of(&devnet, 0, &client).await;
    let other = Shop::of(&devnet, 1, &client).await;
    let node = devnet.node();
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let slips = Slips::of(&home, &*node, &Network::Local).await.unwrap();
    let by = |node: &Arc<dyn Node>| Sender::new(node.clone(), client.clone(), Network::Local).with_slips(slips.clone());
    let escrow = || async { node.market_balance(&client.address()).await.unwrap().escrow };
    let mut orders = Vec::new();
    for seed in 0..4 {
        let piece = shop.store(&bytes(20 + seed, 3_000), None).await;
        orders.push(order(piece, &other, &shop));
    }

    // The first run dies with its deposit on the way: nobody has it, or the chain has and nobody says so.
    let mut sum = TokenAmount::default();
    for (order, passes_on) in [(&orders[0], false), (&orders[1], true)] {
        let deaf: Arc<dyn Node> = Arc::new(Deaf { node: node.clone(), passes_on });
        let died = agreement::make(&deaf, &by(&deaf), &home, order, &Silent).await;
        assert!(matches!(died, Err(AgreementError::Send(SendError::Unconfirmed { .. }))), "{died:?}");
        let done = agreement::make(&node, &by(&node), &home, order, &Silent).await.unwrap();
        assert_eq!((done.state, done.resumed), (DealState::Complete, true));
        sum += done.terms.client_balance_requirement();
        assert_eq!(escrow().await, sum, "paid in once");
    }
    // What one run has left on the way is seen through by another order's, and does not count for that one.
    let deaf: Arc<dyn Node> = Arc::new(Deaf { node: node.clone(), passes_on: false });
    agreement::make(&deaf, &by(&deaf), &home, &orders[2], &Silent).await.unwrap_err();
    let (one, two) = (by(&node), by(&node));
    let both = tokio::join!(
        agreement::make(&node, &one, &home, &orders[3], &Silent),
        agreement::make(&node, &two, &home, &orders[2], &Silent)
    );
    for done in [both.0.unwrap(), both.1.unwrap()] {
        assert_eq!(done.state, DealState::Complete);
        sum += done.terms.client_balance_requirement();
    }
    assert_eq!(escrow().await, sum);
    let balance = node.market_balance(&client.address()).await.unwrap();
    assert_eq!(escrow::available(&balance), TokenAmount::default(), "all of it is bound");
    sound(&devnet).await;
    devnet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deal_costs_is_signed_and_how_it_goes_is_compared_with_the_chain() {
    let devnet = Arc::new(devnet(None, 2).await);
    let client = account_key(0);
    let shop = Shop::of(&devnet, 0, &client).await;
    let node = devnet.node();
    let signed = MarketProvider::asked(&shop.url, shop.miner, &*node, Timeouts::default()).await.unwrap();
    assert_eq!(signed.ask.price, TokenAmount::from_atto(50_000_000));
    // Somebody else's ask, an unknown deal, an unknown miner.
    let other = Shop::of(&devnet, 1, &client).await;
    let refused = MarketProvider::asked(&shop.url, other.miner, &*node, Timeouts::default()).await;
    assert!(matches!(refused, Err(DealError::Refused { .. })), "{refused:?}");
    let nobody = AskRequest { miner: Address::new_id(1) };
    assert!(mk12::ask(&shop.url, &nobody, Timeouts::default()).await.is_err());
    let unknown = StatusRequest { deal_uuid: [9; 16], signature: client.sign_bytes(&[9; 16]) };
    let answer = mk12::status(&shop.url, &unknown, Timeouts::default()).await.unwrap();
    assert_eq!((answer.error.as_str(), answer.deal_status), ("failed to get sealed deal status", None));

    // A provider that says `Sealed` and has sealed nothing.
    let piece = other.store(&bytes(12, 900), None).await;
    let lie = ProviderSettings { telling: Some(Telling::Complete), ..ProviderSettings::default() };
    shop.conduct(&devnet, lie).await;
    let sender = Sender::new(node.clone(), client.clone(), Network::Local);
    let folder = tempfile::tempdir().unwrap();
    let order = Order { patience: Duration::from_secs(2), ..order(piece, &shop, &other) };
    let told = agreement::make(&node, &sender, &Home::at(folder.path()), &order, &Silent).await.unwrap();
    assert_eq!(told.deal, None);
    // On a busy machine it has no more than taken the deal by now.
    if told.state != DealState::Unproven {
        until("a lie", || async {
            let again = agreement::make(&node, &sender, &Home::at(folder.path()), &order, &Silent).await.unwrap();
            again.state == DealState::Unproven
        })
        .await;
    }
    let provider = MarketProvider::new(
        &shop.url,
        client.clone(),
        node.clone(),
        told.terms.clone(),
        order.root,
        Timeouts::default(),
    );
    assert_eq!(provider.status(told.id).await.unwrap().unwrap().state, DealState::Unproven);
    // Nothing was paid: the money is still the client's.
    let balance = node.market_balance(&client.address()).await.unwrap();
    assert_eq!(escrow::available(&balance), told.deposited);

    // The truth, and it goes on to the end.
    let truth = ProviderSettings { telling: Some(Telling::Truth), ..ProviderSettings::default() };
    shop.conduct(&devnet, truth).await;
    let order = Order { patience: SEALING, ..order };
    let done = agreement::make(&node, &sender, &Home::at(folder.path()), &order, &Silent).await.unwrap();
    assert_eq!((done.state, done.id), (DealState::Complete, told.id));
    sound(&devnet).await;
}

/// Two providers, and somebody who wants to store something.
struct Street {
    devnet: Devnet,
    client: Key,
    shop: Shop,
    other: Shop,
    node: Arc<dyn Node>,
    sender: Sender,
    home: Home,
    folder: tempfile::TempDir,
}

async fn street() -> Street {
    let devnet = devnet(None, 2).await;
    let client = account_key(0);
    let (shop, other) = (Shop::of(&devnet, 0, &client).await, Shop::of(&devnet, 1, &client).await);
    let node = devnet.node();
    let sender = Sender::new(node.clone(), client.clone(), Network::Local);
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    Street { devnet, client, shop, other, node, sender, home, folder }
}

/// What a provider says of a deal is where to look for it, and no more: one that is on the chain is not paid for again.
#[tokio::test(flavor = "multi_thread")]
async fn a_deal_that_its_provider_denies_is_found_on_the_chain() {
    let Street { devnet, client, shop, other, node, sender, folder, home } = street().await;
    let order = order(shop.store(&bytes(31, 3_000), None).await, &other, &shop);
    let first = agreement::make(&node, &sender, &home, &order, &Silent).await.unwrap();
    let escrow = || async { node.market_balance(&client.address()).await.unwrap().escrow };
    let paid = escrow().await;
    // Its paper could not be published any more.
    devnet.handle().run_and_settle(|chain| chain.mine(6_000)).await.unwrap().0.unwrap();

    // Somebody who knows nothing of it is asked, and nobody; it is known by its number, by the mark of an earlier build, and by neither.
    let agreements = folder.path().join("agreements");
    let chain = std::fs::read_dir(&agreements).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap().path();
    let file = std::fs::read_dir(&chain).unwrap().flatten().map(|entry| entry.path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|ext| ext == "json")).unwrap();
    let noted = |published: &Value, deal: &Value| {
        let mut form: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        (form["published"], form["deal"]) = (published.clone(), deal.clone());
        std::fs::write(&file, form.to_string()).unwrap();
    };
    for url in [shop.url.clone(), "http://127.0.0.1:1".into()] {
        for (published, deal) in
            [(json!(true), json!(first.deal)), (json!(true), Value::Null), (json!(false), Value::Null)]
        {
            noted(&published, &deal);
            let order = Order { url: url.clone(), ..order.clone() };
            let again = agreement::make(&node, &sender, &home, &order, &Silent).await.unwrap();
            let found = (again.id, again.deal, again.state);
            assert_eq!(found, (first.id, first.deal, DealState::Complete), "{published} {deal}");
        }
    }
    noted(&json!(false), &Value::Null);
    // Where the node keeps no events either, its own provider says where to look, and nobody else makes it be paid again.
    let blind: Arc<dyn Node> = Arc::new(Blind(node.clone()));
    let sender = Sender::new(blind.clone(), client.clone(), Network::Local);
    let elsewhere = Order { url: shop.url.clone(), ..order.clone() };
    let told = agreement::make(&blind, &sender, &home, &elsewhere, &Silent).await;
    assert!(matches!(told, Err(AgreementError::Untold { .. })), "{told:?}");
    let again = agreement::make(&blind, &sender, &home, &order, &Silent).await.unwrap();
    assert_eq!((again.id, again.deal, again.state), (first.id, first.deal, DealState::Complete));
    assert_eq!(escrow().await, paid, "paid once");
    sound(&devnet).await;
    devnet.shutdown().await;
}

/// A node that keeps no events.
struct Blind(Arc<dyn Node>);

#[async_trait::async_trait]
impl Node for Blind {
    async fn request(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        match method {
            "Filecoin.GetActorEventsRaw" => Err(NodeError::Refused { code: 1, message: "no index".into() }),
            _ => self.0.request(method, params).await,
        }
    }
}

/// A signed proposal can be published until the deal would have to begin, whatever its holder says.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_offered_again_on_the_same_terms() {
    let Street { devnet, client, shop, other, node, sender, home, .. } = street().await;
    let order = order(shop.store(&bytes(32, 3_000), None).await, &other, &shop);
    let taking = |taking| ProviderSettings { taking: Some(taking), ..ProviderSettings::default() };
    let escrow = || async { node.market_balance(&client.address()).await.unwrap().escrow };

    other.conduct(&devnet, taking(Taking::Nobody)).await;
    agreement::make(&node, &sender, &home, &order, &Silent).await.unwrap_err();
    let paid = escrow().await;
    assert!(paid.is_positive());
    devnet.handle().run_and_settle(|chain| chain.mine(10)).await.unwrap().0.unwrap();
    // Other terms are another offer; the first one's money stays its own, because it can still be published.
    let longer = Order { duration: HALF_A_YEAR + 2_880, ..order.clone() };
    agreement::make(&node, &sender, &home, &longer, &Silent).await.unwrap_err();
    let both = escrow().await;
    assert!(both > paid.clone() * 2, "{both} and {paid}");

    // The limit is for both.
    let longest = Order { duration: HALF_A_YEAR + 2 * 2_880, limit: Some(both.clone()), ..order.clone() };
    let dear = agreement::make(&node, &sender, &home, &longest, &Silent).await;
    assert!(matches!(dear, Err(AgreementError::TooDear { .. })), "{dear:?}");
    assert_eq!(escrow().await, both);

    other.conduct(&devnet, taking(Taking::Deals)).await;
    let done = agreement::make(&node, &sender, &home, &longer, &Silent).await.unwrap();
    assert_eq!((done.state, done.resumed), (DealState::Complete, true));
    assert_eq!(escrow().await, both, "nothing is paid in again");
    let found = node.market_deal(done.deal.unwrap()).await.unwrap().unwrap();
    assert_eq!(found.proposal.start_epoch, done.terms.start_epoch);
    assert!(node.market_deal(done.deal.unwrap() + 1).await.unwrap().is_none(), "one deal");
    let left = node.market_balance(&client.address()).await.unwrap();
    assert_eq!(escrow::available(&left), paid, "of the first offer");
    sound(&devnet).await;
    devnet.shutdown().await;
}
