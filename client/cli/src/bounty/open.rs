//! `bauta bounty ls --open` and `bauta bounty offer`: bounties for those who store.

use std::fmt;

use bauta_abi::{BountyId, FileId};
use bauta_client::address::Address;
use bauta_client::bounty::{self, Offer, Opening};
use bauta_client::deal::mk20::{Deal, MARKET_PATH};
use bauta_client::deal::{DealId, Retrieval, piece_path};
use bauta_client::fetch::{self, Source};
use bauta_client::network::Network;
use bauta_client::node::NodeError;
use bauta_client::piece::PieceInfo;
use fvm_shared::clock::ChainEpoch;
use serde::Serialize;

use crate::args::{BountyLs, BountyOffer};
use crate::chain::Fil;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::open;
use crate::output::{Output, Table, clean, clean_lines};
use crate::span;

#[derive(Serialize)]
struct Row {
    bounty_id: BountyId,
    reward_per_replica: Fil,
    reward_per_day: Fil,
    replicas_left: u64,
    activation_bps: u64,
    min_duration: ChainEpoch,
    claim_deadline: ChainEpoch,
    padded_size: u64,
    piece_cid: String,
    file_id: Option<FileId>,
    source: String,
    providers: Vec<String>,
    claimed_by: Vec<String>,
    note: String,
}

impl Row {
    fn of(opening: &Opening, network: &Network) -> Self {
        let terms = &opening.record.terms;
        Self {
            bounty_id: opening.id,
            reward_per_replica: Fil(terms.reward_per_replica.clone()),
            reward_per_day: Fil(opening.per_day()),
            replicas_left: opening.replicas_left,
            activation_bps: terms.activation_bps,
            min_duration: terms.min_duration,
            claim_deadline: terms.claim_deadline,
            padded_size: terms.padded_size.0,
            piece_cid: terms.piece_cid.to_string(),
            file_id: terms.file_id,
            source: terms.source.clone(),
            providers: terms.providers.iter().map(|provider| network.show(provider)).collect(),
            claimed_by: opening.claimed_by.iter().map(|id| network.show(&Address::new_id(*id))).collect(),
            note: terms.note.clone(),
        }
    }
}

#[derive(Serialize)]
struct Openings {
    epoch: ChainEpoch,
    bounties: Vec<Row>,
}

impl fmt::Display for Openings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bounties.is_empty() {
            return writeln!(f, "nothing can be claimed now");
        }
        let headings = ["bounty", "reward", "a day", "left", "claims until", "stored for", "padded size", "source"];
        let mut table = Table::new(&headings);
        for row in &self.bounties {
            let source = if row.source.is_empty() { "none given".into() } else { clean(&row.source) };
            table.add(vec![
                row.bounty_id.to_string(),
                row.reward_per_replica.to_string(),
                row.reward_per_day.to_string(),
                row.replicas_left.to_string(),
                span::at(row.claim_deadline, self.epoch),
                span::epochs(row.min_duration),
                indicatif::HumanBytes(row.padded_size).to_string(),
                source,
            ]);
        }
        table.fmt(f)
    }
}

/// Lists what can be earned, the best paid first.
pub async fn list(context: &mut Context, args: BountyLs) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (node, network) = context.node().await?;
    let epoch = node.chain_head().await?.height;
    let mut openings = bounty::openings(&actor, epoch).await?;
    if let Some(provider) = args.provider {
        let miner = miner(context, &provider.0).await?;
        openings.retain(|opening| opening.is_open_to(miner));
    }
    let bounties = openings.iter().map(|opening| Row::of(opening, &network)).collect();
    Ok(Output::new(&Openings { epoch, bounties }))
}

/// The ID of a miner that is on the chain.
async fn miner(context: &mut Context, provider: &Address) -> anyhow::Result<u64> {
    let (node, network) = context.node().await?;
    let unknown = || Failure::not_found(format!("{} is not on the chain", network.show(provider)));
    Ok(node.lookup_id(provider).await?.ok_or_else(unknown)?.id()?)
}

/// What an operator needs; on a terminal, or in a pipe to their market, the deal alone.
#[derive(Serialize)]
struct Offered {
    bounty_id: BountyId,
    provider: String,
    client: String,
    reward_per_replica: Fil,
    replicas_left: u64,
    claim_deadline: ChainEpoch,
    source: String,
    post_to: Option<String>,
    deal: Deal,
}

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deal = serde_json::to_string_pretty(&self.deal).map_err(|_| fmt::Error)?;
        // Its source is the word of whoever made the bounty.
        writeln!(f, "{}", clean_lines(&deal))
    }
}

/// Prints the deal with which a provider earns a bounty.
pub async fn offer(context: &mut Context, args: BountyOffer) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let (node, network) = context.node().await?;
    let record = bounty::get(&actor, args.id).await?;
    let id = miner(context, &args.provider.0).await?;
    let provider = Address::new_id(id);
    match node.miner_info(&provider).await {
        Ok(Some(_)) => {}
        // Nodes word differently that an actor is something else.
        Ok(None) | Err(NodeError::Refused { .. }) => {
            return Err(Failure::not_found(format!("{} is no miner", network.show(&provider))));
        }
        Err(other) => return Err(other.into()),
    }
    let now = node.chain_head().await?.height;
    let claims = actor.claims(args.id).await?.into_iter().map(|(_, claim)| claim).collect::<Vec<_>>();
    let opening = Opening::of(args.id, record.clone(), &claims, now);
    let closed = |why: &str| Failure::because(Exit::Failed, format!("bounty {} {why}", args.id));
    let opening = opening.ok_or_else(|| closed("pays for no further claim: see `bauta bounty show`"))?;
    if opening.claimed_by.contains(&id) {
        return Err(closed(&format!("has been claimed by {} already", network.show(&provider))));
    }
    if !opening.is_open_to(id) {
        return Err(closed(&format!("names its providers, and {} is none of them", network.show(&provider))));
    }
    let client = match args.client {
        Some(client) => client.0,
        None => context.me()?,
    };
    let terms = &record.terms;
    let (source, piece) = source_and_piece(context, &args, &actor, terms).await?;
    let offer = Offer::new(&actor.address(), args.id, terms, piece, source.clone())?;
    let deal = offer.deal(DealId::generate(), &client, provider, network.prefix());
    let url = fetch::provider_url(&*node, &provider).await?;
    let post_to = url.map(|url| format!("{}{MARKET_PATH}/deal", url.trim_end_matches('/')));
    let notes = context.notes();
    notes.say(format_args!(
        "bounty {}: {} for {}; claims until {}",
        args.id,
        Fil(terms.reward_per_replica.clone()),
        span::epochs(terms.min_duration),
        span::at(terms.claim_deadline, now)
    ));
    let place = post_to.as_deref().unwrap_or("the provider's market, path /market/mk20/deal");
    notes.say(format_args!("to be posted to {place}, signed by {} (CurioAuth)", network.show(&client)));
    Ok(Output::new(&Offered {
        bounty_id: args.id,
        provider: network.show(&provider),
        client: network.show(&client),
        reward_per_replica: Fil(terms.reward_per_replica.clone()),
        replicas_left: opening.replicas_left,
        claim_deadline: terms.claim_deadline,
        source,
        post_to,
        deal,
    }))
}

/// Where the piece can be fetched, and what exactly it is.
async fn source_and_piece(
    context: &mut Context,
    args: &BountyOffer,
    actor: &bauta_client::actor::Actor,
    terms: &bauta_abi::Terms,
) -> anyhow::Result<(String, PieceInfo)> {
    let given = args.source.clone().or_else(|| Some(terms.source.clone()).filter(|source| !source.is_empty()));
    let piece = match args.payload_size {
        Some(size) => bounty::with_size(terms, size).ok_or_else(|| {
            Failure::usage(format!("a piece of {} padded bytes has no payload of {size}", terms.padded_size.0))
        })?,
        None => bounty::piece_of(actor, args.id, terms, given.as_deref().unwrap_or_default()).await?,
    };
    if let Some(source) = given {
        return Ok((source, piece));
    }
    for source in open::holders(context, actor, &terms.piece_cid, &[]).await? {
        let Source::Provider { url, .. } = source else { continue };
        // Who does not answer, or has it not, is no source.
        if let Ok(retrieval) = Retrieval::new(&url)
            && retrieval.has_piece(&piece).await.unwrap_or(false)
        {
            return Ok((format!("{}{}", url.trim_end_matches('/'), piece_path(&piece)), piece));
        }
    }
    Err(Failure::not_found("the bounty names no source, and nobody is known to have the piece: give --source"))
}
