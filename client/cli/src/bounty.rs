//! `bauta bounty`.

mod open;
mod rows;

use std::fmt;

use bauta_abi::{BountyId, CreateBountyReturn, Terms};
use bauta_client::access::AccessError;
use bauta_client::actor::{Actor, Call, Done};
use bauta_client::bounty;
use bauta_client::deal::{Retrieval, piece_path};
use bauta_client::fetch::{self, Source};
use bauta_client::sender::Sender;
use serde::Serialize;

use crate::amount::fil;
use crate::args::{Bounty, BountyArg, BountyClaim, BountyCreate, BountyFund, BountySettle};
use crate::chain::{Fil, MessageRow, Spending, done_and_not_told, message_rows};
use crate::context::Context;
use crate::exit::Failure;
use crate::open as files;
use crate::output::{Output, Rows, Table};
use crate::span;

use rows::{BountyRow, ClaimRow};

/// Runs one of the commands.
pub async fn run(context: &mut Context, command: Bounty) -> anyhow::Result<Output> {
    match command {
        Bounty::Create(args) => create(context, args).await,
        Bounty::Fund(args) => fund(context, args).await,
        Bounty::Show(args) => show(context, args).await,
        Bounty::Ls(args) if args.open => open::list(context, args).await,
        Bounty::Ls(_) => list(context).await,
        Bounty::Offer(args) => open::offer(context, args).await,
        Bounty::Claims(args) => claims(context, args).await,
        Bounty::Settle(args) => settle(context, args).await,
        Bounty::Refund(args) => refund(context, args).await,
        Bounty::Cancel(args) => cancel(context, args).await,
        Bounty::Claim(args) => claim(context, args).await,
    }
}

/// What a command did to a bounty: what it said, the money, and the state afterwards.
#[derive(Serialize)]
struct Changed {
    bounty_id: BountyId,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Fil>,
    balance: Fil,
    bounty: BountyRow,
    message: MessageRow,
    #[serde(skip)]
    verb: &'static str,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default().row("bounty", self.bounty_id).maybe(self.verb, self.amount.as_ref());
        let rows = self.bounty.money_rows(rows).row("your balance", &self.balance);
        message_rows(rows, std::slice::from_ref(&self.message)).fmt(f)
    }
}

async fn changed(
    actor: &Actor,
    sender: &Sender,
    id: BountyId,
    verb: &'static str,
    amount: Option<Fil>,
    message: MessageRow,
) -> anyhow::Result<Output> {
    let told = async {
        let record = bounty::get(actor, id).await?;
        let now = actor.node().chain_head().await?.height;
        let balance = Fil(actor.node().balance(&sender.address()).await?);
        let bounty = BountyRow::new(id, &record, sender.network(), now);
        anyhow::Ok(Changed { bounty_id: id, amount, balance, bounty, message: message.clone(), verb })
    };
    match told.await {
        Ok(changed) => Ok(Output::new(&changed)),
        Err(why) => Ok(done_and_not_told(&message, &why)),
    }
}

async fn create(context: &mut Context, args: BountyCreate) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    let network = sender.network().clone();
    let record = actor.file(args.file_id).await?.ok_or(AccessError::NoSuchFile(args.file_id))?;
    let now = actor.node().chain_head().await?.height;
    let mut providers = Vec::new();
    for provider in &args.provider {
        let id = actor.node().lookup_id(&provider.0).await?;
        providers
            .push(id.ok_or_else(|| Failure::not_found(format!("{} is not on the chain", network.show(&provider.0))))?);
    }
    let source = match &args.source {
        Some(source) => source.clone(),
        None => holder(context, &actor, &record).await?,
    };
    let terms = Terms {
        piece_cid: record.file.piece_cid,
        padded_size: record.file.padded_size,
        file_id: Some(args.file_id),
        reward_per_replica: args.reward.0,
        activation_bps: args.activation_bps,
        replicas: args.replicas,
        min_duration: args.duration.0,
        claim_deadline: args.deadline.epoch(now),
        providers,
        source,
        note: args.note,
    };
    let target = terms.target();
    let value = args.fund.map_or_else(|| target.clone(), |fund| fund.0);
    context.notes().say(format_args!(
        "{} replicas for {} each, {} in all; stored for {}; claims until {}",
        terms.replicas,
        fil(&terms.reward_per_replica),
        fil(&target),
        span::epochs(terms.min_duration),
        span::at(terms.claim_deadline, now),
    ));
    let spending = Spending::new(context.notes(), &network, "creating the bounty");
    // The same command some epochs later means the same bounty.
    let said = Terms { claim_deadline: 0, source: args.source.unwrap_or_default(), ..terms.clone() };
    let call = Call::create_bounty(terms, value.clone())?.meaning(&(said, args.deadline.said()))?;
    let done: Done<CreateBountyReturn> = actor.send(&sender, &call, &spending).await?;
    changed(&actor, &sender, done.value.id, "paid in", Some(Fil(value)), MessageRow::from(&done.sent)).await
}

/// The URL of somebody who has the piece now.
pub async fn holder(context: &mut Context, actor: &Actor, record: &bauta_abi::FileRecord) -> anyhow::Result<String> {
    let piece = fetch::piece_of(&record.file);
    for source in files::sources(context, actor, record, &[]).await? {
        let Source::Provider { url, .. } = source else { continue };
        // Who does not answer, or has it not, is no source.
        if let Ok(retrieval) = Retrieval::new(&url)
            && retrieval.has_piece(&piece).await.unwrap_or(false)
        {
            return Ok(format!("{}{}", url.trim_end_matches('/'), piece_path(&piece)));
        }
    }
    Err(Failure::not_found("nobody is known to have the piece: say with --source where a provider can fetch it"))
}

async fn fund(context: &mut Context, args: BountyFund) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    bounty::get(&actor, args.id).await?;
    let spending = Spending::new(context.notes(), sender.network(), &format!("funding bounty {}", args.id));
    let sent = actor.send_only(&sender, &Call::fund_bounty(args.id, args.amount.0.clone())?, &spending).await?;
    changed(&actor, &sender, args.id, "paid in", Some(Fil(args.amount.0)), MessageRow::from(&sent)).await
}

async fn refund(context: &mut Context, args: BountyArg) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    let spending = Spending::new(context.notes(), sender.network(), &format!("a refund of bounty {}", args.id));
    let done = bounty::refund(&actor, &sender, args.id, &spending).await?;
    changed(&actor, &sender, args.id, "got back", Some(Fil(done.value.amount)), MessageRow::from(&done.sent)).await
}

async fn cancel(context: &mut Context, args: BountyArg) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    bounty::get(&actor, args.id).await?;
    let spending = Spending::new(context.notes(), sender.network(), &format!("cancelling bounty {}", args.id));
    let sent = actor.send_only(&sender, &Call::cancel_bounty(args.id)?, &spending).await?;
    context.notes().say(format_args!("funders get their shares back with `bauta bounty refund {}`", args.id));
    changed(&actor, &sender, args.id, "", None, MessageRow::from(&sent)).await
}

async fn claim(context: &mut Context, args: BountyClaim) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    bounty::get(&actor, args.id).await?;
    let spending = Spending::new(context.notes(), sender.network(), &format!("claiming bounty {}", args.id));
    let call = Call::claim_bounty(args.id, args.deal)?;
    let done: Done<bauta_abi::ClaimBountyReturn> = actor.send(&sender, &call, &spending).await?;
    context.notes().say(format_args!("claim {}", done.value.claim));
    changed(&actor, &sender, args.id, "", None, MessageRow::from(&done.sent)).await
}

#[derive(Serialize)]
struct Settlement {
    claim: u64,
    amount: Fil,
    after: ClaimRow,
}

impl fmt::Display for Settlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (after, amount) = (&self.after, &self.amount);
        write!(f, "claim {}: {} got {amount}, {} so far, {}", self.claim, after.provider, after.paid, after.status)
    }
}

#[derive(Serialize)]
struct Settled {
    bounty_id: BountyId,
    claims: Vec<Settlement>,
    paid: Fil,
    bounty: BountyRow,
    messages: Vec<MessageRow>,
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows =
            Rows::default().row("bounty", self.bounty_id).each("settled", &self.claims).row("paid now", &self.paid);
        message_rows(self.bounty.money_rows(rows), &self.messages).fmt(f)
    }
}

async fn settle(context: &mut Context, args: BountySettle) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    let network = sender.network().clone();
    let spending = Spending::new(context.notes(), &network, &format!("settling bounty {}", args.id));
    let settled = bounty::settle(&actor, &sender, args.id, &args.claim, &spending).await?;
    let messages: Vec<_> = settled.sent.iter().map(MessageRow::from).collect();
    let told = async {
        let record = bounty::get(&actor, args.id).await?;
        anyhow::Ok((record, actor.node().chain_head().await?.height))
    };
    let (record, now) = match (told.await, messages.last()) {
        (Ok(told), _) => told,
        // What was paid is paid: nobody has to try again.
        (Err(why), Some(message)) => return Ok(done_and_not_told(message, &why)),
        (Err(why), None) => return Err(why),
    };
    let mut paid = fvm_shared::econ::TokenAmount::default();
    let mut claims = Vec::new();
    for one in settled.claims {
        paid += &one.amount;
        let after = ClaimRow::new(one.claim, &one.after, &record.terms, &network, now);
        claims.push(Settlement { claim: one.claim, amount: Fil(one.amount), after });
    }
    Ok(Output::new(&Settled {
        bounty_id: args.id,
        claims,
        paid: Fil(paid),
        bounty: BountyRow::new(args.id, &record, &network, now),
        messages,
    }))
}

async fn show(context: &mut Context, args: BountyArg) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (node, network) = context.node().await?;
    let record = bounty::get(&actor, args.id).await?;
    Ok(Output::new(&BountyRow::new(args.id, &record, &network, node.chain_head().await?.height)))
}

#[derive(Serialize)]
struct Listed {
    bounties: Vec<BountyRow>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["bounty", "file", "reward", "replicas", "claims", "escrowed", "state"]);
        for bounty in &self.bounties {
            table.add(bounty.cells());
        }
        table.fmt(f)
    }
}

async fn list(context: &mut Context) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (node, network) = context.node().await?;
    let now = node.chain_head().await?.height;
    let all = actor.bounties().await?;
    Ok(Output::new(&Listed {
        bounties: all.iter().map(|(id, record)| BountyRow::new(*id, record, &network, now)).collect(),
    }))
}

#[derive(Serialize)]
struct Claims {
    bounty_id: BountyId,
    claims: Vec<ClaimRow>,
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["claim", "provider", "sector", "since", "until", "paid", "status"]);
        for claim in &self.claims {
            table.add(claim.cells());
        }
        table.fmt(f)
    }
}

async fn claims(context: &mut Context, args: BountyArg) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (node, network) = context.node().await?;
    let record = bounty::get(&actor, args.id).await?;
    let now = node.chain_head().await?.height;
    let claims = actor.claims(args.id).await?;
    let row = |(id, claim): &(u64, bauta_abi::BountyClaim)| ClaimRow::new(*id, claim, &record.terms, &network, now);
    Ok(Output::new(&Claims { bounty_id: args.id, claims: claims.iter().map(row).collect() }))
}
