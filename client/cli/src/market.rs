//! `bauta market`: deals of the built-in market (f05), and the money for them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bauta_client::access::AccessError;
use bauta_client::address::Address;
use bauta_client::agreement::{self, Order};
use bauta_client::deal::market::DealProposal;
use bauta_client::deal::{DealState, MarketProvider, Timeouts, escrow};
use bauta_client::fetch::{self, Source};
use bauta_client::network::Network;
use bauta_client::node::{Node, Waiting};
use bauta_client::sender;
use cid::Cid;
use fvm_shared::deal::DealID;
use serde::Serialize;

use crate::amount::fil;
use crate::args::{Market, MarketAsk, MarketDeal, MarketDeposit, MarketShow, MarketWithdraw, ProviderArg};
use crate::bounty::holder;
use crate::chain::{Fil, MessageRow, Spending, done_and_not_told, message_rows};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::open;
use crate::output::{Notes, Output, Rows};
use crate::span;

/// How long an active deal is waited for on the local network, where sealing takes seconds.
const LOCAL_PATIENCE: Duration = Duration::from_secs(60);
/// The same elsewhere, where it takes hours: long enough to see that it is not refused.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs one of the commands.
pub async fn run(context: &mut Context, command: Market) -> anyhow::Result<Output> {
    match command {
        Market::Ask(args) => ask(context, args).await,
        Market::Deal(args) => deal(context, args).await,
        Market::Show(args) => show(context, args).await,
        Market::Balance => balance(context).await,
        Market::Deposit(args) => deposit(context, args).await,
        Market::Withdraw(args) => withdraw(context, args).await,
    }
}

/// The provider's miner, and where it is reached.
async fn reached(context: &mut Context, provider: &ProviderArg) -> anyhow::Result<(Address, String)> {
    match open::chosen_sources(context, std::slice::from_ref(provider)).await?.pop() {
        Some(Source::Provider { miner, url }) => Ok((miner, url)),
        _ => Err(Failure::not_found("nobody says where this provider is")),
    }
}

#[derive(Serialize)]
struct Asked {
    provider: String,
    url: String,
    price_per_gib_epoch: Fil,
    min_piece_size: u64,
    max_piece_size: u64,
    expires: i64,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rows::default()
            .row("provider", &self.provider)
            .row("url", &self.url)
            .row("price", format_args!("{} for a GiB and an epoch", self.price_per_gib_epoch))
            .row("piece sizes", format_args!("{} to {} bytes, padded", self.min_piece_size, self.max_piece_size))
            .row("holds until", self.expires)
            .fmt(f)
    }
}

async fn ask(context: &mut Context, args: MarketAsk) -> anyhow::Result<Output> {
    let (miner, url) = reached(context, &args.provider).await?;
    let (node, network) = context.node().await?;
    let ask = MarketProvider::asked(&url, miner, &*node, Timeouts::default()).await?.ask;
    Ok(Output::new(&Asked {
        provider: network.show(&miner),
        url,
        price_per_gib_epoch: Fil(ask.price),
        min_piece_size: ask.min_piece_size.0,
        max_piece_size: ask.max_piece_size.0,
        expires: ask.expiry,
    }))
}

#[derive(Serialize)]
struct Dealt {
    file_id: u64,
    provider: String,
    id: String,
    deal_id: Option<u64>,
    state: &'static str,
    start: i64,
    end: i64,
    price_per_epoch: Fil,
    cost: Fil,
    deposited: Fil,
    resumed: bool,
    messages: Vec<MessageRow>,
}

impl fmt::Display for Dealt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default()
            .row("file", self.file_id)
            .row("provider", &self.provider)
            .maybe("deal", self.deal_id)
            .row("state", self.state)
            .row("starts by", self.start)
            .row("ends", self.end)
            .row("cost", format_args!("{} ({} an epoch)", self.cost, self.price_per_epoch));
        message_rows(rows, &self.messages).fmt(f)
    }
}

fn word(state: DealState) -> &'static str {
    match state {
        DealState::Complete | DealState::Indexing => "active",
        DealState::Sealing => "sealing",
        DealState::Failed => "failed",
        DealState::Unproven => "said to be sealed, which the chain does not show",
        _ => "accepted",
    }
}

/// Says what is agreed on before it is signed, and what it costs to pay it in.
struct Dealing {
    notes: Notes,
    network: Network,
    spending: Spending,
}

impl sender::Watch for Dealing {
    fn priced(&self, cost: &sender::Cost) -> Result<(), String> {
        self.spending.priced(cost)
    }

    fn continued(&self, cid: &Cid) {
        self.spending.continued(cid);
    }

    fn waiting(&self, progress: Waiting) {
        self.spending.waiting(progress);
    }
}

impl agreement::Watch for Dealing {
    fn terms(&self, terms: &DealProposal, resumed: bool) -> Result<(), String> {
        let (cost, price) = (fil(&terms.client_balance_requirement()), fil(&terms.storage_price_per_epoch));
        let (who, network) = (self.network.show(&terms.provider), &self.network);
        let (start, end) = (terms.start_epoch, terms.end_epoch);
        let again = if resumed { "the deal that was offered before" } else { "a deal" };
        self.notes.say(format_args!(
            "network {network}: {again} with {who} costs {cost} ({price} an epoch, to epoch {end}); who has it signed can hold you to it until epoch {start}"
        ));
        Ok(())
    }

    fn stands_beside(&self, terms: &DealProposal, deal: Option<DealID>) {
        let (cost, start) = (fil(&terms.client_balance_requirement()), terms.start_epoch);
        match deal {
            Some(deal) => self.notes.say(format_args!("an earlier offer of {cost} was taken after all: it is deal {deal}")),
            None => self.notes.say(format_args!(
                "an earlier offer of {cost} was not taken, and can still be until epoch {start}: money for it stays counted"
            )),
        }
    }
}

async fn deal(context: &mut Context, args: MarketDeal) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let record = actor.file(args.file_id).await?.ok_or(AccessError::NoSuchFile(args.file_id))?;
    let (miner, url) = reached(context, &args.provider).await?;
    let source = match args.source {
        Some(source) => source,
        None => holder(context, &actor, &record).await?,
    };
    let sender = context.sender().await?;
    let (node, network) = context.node().await?;
    let patience = match (args.no_wait, &network) {
        (true, _) => Duration::ZERO,
        (false, Network::Local) => LOCAL_PATIENCE,
        (false, _) => PATIENCE,
    };
    let order = Order {
        piece: fetch::piece_of(&record.file),
        root: record.file.payload_cid,
        miner,
        url,
        source,
        duration: args.duration,
        price: args.price.map(|price| price.0),
        limit: args.limit.map(|limit| limit.0),
        patience,
    };
    let dealing = Dealing {
        notes: context.notes(),
        network: network.clone(),
        spending: Spending::new(context.notes(), &network, "money for the deal, in the market,"),
    };
    let agreed = agreement::make(&node, &sender, context.home(), &order, &dealing).await?;
    if agreed.resumed {
        let (terms, asked) = (&agreed.terms, &order);
        let others = [
            (terms.end_epoch - terms.start_epoch != asked.duration, "--duration"),
            (asked.price.as_ref().is_some_and(|price| *price != terms.storage_price_per_epoch), "--price"),
            (asked.limit.as_ref().is_some_and(|limit| *limit < terms.client_balance_requirement()), "--limit"),
        ];
        let others: Vec<_> = others.iter().filter(|(is, _)| *is).map(|(_, flag)| *flag).collect();
        if !others.is_empty() {
            let flags = others.join(" and ");
            context.notes().say(format_args!(
                "this deal was made before, on the terms below: {flags} would be for another one and is not used"
            ));
        }
    }
    let output = Output::new(&Dealt {
        file_id: args.file_id,
        provider: network.show(&miner),
        id: agreed.id.to_string(),
        deal_id: agreed.deal,
        state: word(agreed.state),
        start: agreed.terms.start_epoch,
        end: agreed.terms.end_epoch,
        cost: Fil(agreed.terms.client_balance_requirement()),
        price_per_epoch: Fil(agreed.terms.storage_price_per_epoch),
        deposited: Fil(agreed.deposited),
        resumed: agreed.resumed,
        messages: agreed.sent.iter().map(MessageRow::from).collect(),
    });
    Ok(match agreed.state {
        DealState::Complete | DealState::Indexing => output,
        _ if args.no_wait => output,
        _ => output.but(Exit::Partly, "the deal is accepted and not active yet; the same command looks again"),
    })
}

#[derive(Serialize)]
struct Shown {
    deal_id: u64,
    piece_cid: String,
    piece_size: u64,
    client: String,
    provider: String,
    start: i64,
    end: i64,
    price_per_epoch: Fil,
    provider_collateral: Fil,
    state: &'static str,
    sector: Option<u64>,
    #[serde(skip)]
    now: i64,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rows::default()
            .row("deal", self.deal_id)
            .row("state", self.state)
            .row("piece_cid", &self.piece_cid)
            .row("padded size", self.piece_size)
            .row("client", &self.client)
            .row("provider", &self.provider)
            .maybe("sector", self.sector)
            .row("starts by", span::at(self.start, self.now))
            .row("ends", span::at(self.end, self.now))
            .row("price", format_args!("{} an epoch", self.price_per_epoch))
            .row("provider's collateral", &self.provider_collateral)
            .fmt(f)
    }
}

async fn show(context: &mut Context, args: MarketShow) -> anyhow::Result<Output> {
    let (node, network) = context.node().await?;
    let found = node.market_deal(args.deal).await?;
    let found = found.ok_or_else(|| Failure::not_found(format!("there is no deal {} on the chain", args.deal)))?;
    let (terms, state) = (found.proposal, found.state);
    let (active, now) = (state.sector_start_epoch > 0, node.chain_head().await?.height);
    Ok(Output::new(&Shown {
        deal_id: args.deal,
        piece_cid: terms.piece_cid.to_string(),
        piece_size: terms.piece_size,
        client: network.show(&terms.client),
        provider: network.show(&terms.provider),
        start: terms.start_epoch,
        end: terms.end_epoch,
        price_per_epoch: Fil(terms.storage_price_per_epoch),
        provider_collateral: Fil(terms.provider_collateral),
        state: match (active, state.slash_epoch > 0) {
            (_, true) => "terminated",
            (true, false) if terms.end_epoch <= now => "ended",
            (true, false) => "active",
            (false, false) => "published",
        },
        sector: active.then_some(state.sector_number),
        now,
    }))
}

#[derive(Serialize)]
struct Balance {
    address: String,
    escrow: Fil,
    locked: Fil,
    available: Fil,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<Fil>,
    messages: Vec<MessageRow>,
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default()
            .row("address", &self.address)
            .maybe("moved", self.moved.as_ref())
            .row("in the market", &self.escrow)
            .row("bound by deals", &self.locked)
            .row("available", &self.available);
        message_rows(rows, &self.messages).fmt(f)
    }
}

async fn held(
    node: &Arc<dyn Node>,
    network: &Network,
    address: Address,
    moved: Option<Fil>,
    messages: Vec<MessageRow>,
) -> anyhow::Result<Output> {
    let balance = match (node.market_balance(&address).await, &messages[..]) {
        (Ok(balance), _) => balance,
        (Err(why), [message, ..]) => return Ok(done_and_not_told(message, &why.into())),
        (Err(why), []) => return Err(why.into()),
    };
    let available = Fil(escrow::available(&balance));
    Ok(Output::new(&Balance {
        address: network.show(&address),
        escrow: Fil(balance.escrow),
        locked: Fil(balance.locked),
        available,
        moved,
        messages,
    }))
}

async fn balance(context: &mut Context) -> anyhow::Result<Output> {
    let me = context.me()?;
    let (node, network) = context.node().await?;
    held(&node, &network, me, None, Vec::new()).await
}

async fn deposit(context: &mut Context, args: MarketDeposit) -> anyhow::Result<Output> {
    let sender = context.sender().await?;
    let (node, network) = context.node().await?;
    let spending = Spending::new(context.notes(), &network, "a deposit in the market");
    let sent = escrow::deposit(&sender, args.amount.0.clone(), &spending).await?;
    held(&node, &network, sender.address(), Some(Fil(args.amount.0)), vec![MessageRow::from(&sent)]).await
}

async fn withdraw(context: &mut Context, args: MarketWithdraw) -> anyhow::Result<Output> {
    let sender = context.sender().await?;
    let (node, network) = context.node().await?;
    let there = escrow::available(&node.market_balance(&sender.address()).await?);
    let wanted = args.amount.map_or_else(|| there.clone(), |amount| amount.0);
    if !there.is_positive() {
        return Err(Failure::because(Exit::Funds, "there is nothing in the market that no deal binds"));
    }
    let spending = Spending::new(context.notes(), &network, "a withdrawal from the market");
    let (got, sent) = escrow::withdraw(&sender, wanted, &spending).await?;
    held(&node, &network, sender.address(), Some(Fil(got)), vec![MessageRow::from(&sent)]).await
}
