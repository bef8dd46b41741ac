//! Deals of the built-in market from the price to the active deal: what `bauta market deal` does, and what a bounty's pull claim needs.
//!
//! An agreement is written down, whole and signed bytes included, before anything is paid or proposed; the same order again finds it and goes
//! on. Money for it is moved into the market first, and what no deal binds can be taken back at any time.

mod fate;
mod journal;
mod known;
mod purse;

use std::sync::Arc;
use std::time::Duration;

use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;
use fvm_shared::econ::TokenAmount;

use crate::deal::market::{DealProposal, Label, ProposalError};
use crate::deal::{DealError, DealId, DealState, MarketProvider, Origin, Proposal, StorageProvider, Timeouts};
use crate::home::{FileError, Home};
use crate::node::{Node, NodeError, chain_name};
use crate::piece::PieceInfo;
use crate::sender::{self, SendError, Sender, Sent};

use fate::Fate;
pub use journal::Agreement;
use known::{Known, Table};
use purse::Purse;

/// Epochs until a deal begins at the latest: two days, in which it is published and sealed.
pub const LEAD: ChainEpoch = 2 * 2880;

/// How long an order keeps others of the same sender from counting, while its deal is not on the chain. What they then deposit too much stays the
/// sender's.
const HOLD: Duration = Duration::from_secs(30);

/// What is wanted from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What to store.
    pub piece: PieceInfo,
    /// The root of its CAR.
    pub root: Cid,
    /// The miner actor.
    pub miner: Address,
    /// Where it is reached.
    pub url: String,
    /// Where it can fetch the piece.
    pub source: String,
    /// Epochs of storage.
    pub duration: ChainEpoch,
    /// attoFIL an epoch; what the provider asks where none is given.
    pub price: Option<TokenAmount>,
    /// The most that the whole deal may cost.
    pub limit: Option<TokenAmount>,
    /// How long to wait for the deal to be active.
    pub patience: Duration,
}

/// A deal, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The client's name for it.
    pub id: DealId,
    /// What was agreed.
    pub terms: DealProposal,
    /// Its number on the chain, once it is published.
    pub deal: Option<DealID>,
    /// How it stands.
    pub state: DealState,
    /// What was moved into the market for it now.
    pub deposited: TokenAmount,
    /// The message that did so.
    pub sent: Option<Sent>,
    /// Whether an earlier run had begun it.
    pub resumed: bool,
}

/// Why there is no deal.
#[derive(Debug, thiserror::Error)]
pub enum AgreementError {
    /// The market takes no such deal.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// The provider takes other sizes.
    #[error("the provider takes pieces of {min} to {max} bytes, padded, and this one has {size}")]
    Size {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
        /// This one.
        size: u64,
    },
    /// Less than the provider asks.
    #[error("the provider asks {asked} an epoch for this piece, and {given} is offered")]
    Price {
        /// What it asks.
        asked: TokenAmount,
        /// What was offered.
        given: TokenAmount,
    },
    /// More than was allowed.
    #[error("the deal costs {cost}, and at most {limit} is allowed")]
    TooDear {
        /// What it costs.
        cost: TokenAmount,
        /// The limit.
        limit: TokenAmount,
    },
    /// A proposal's time is up, and what was published in its last moment may still come to light.
    #[error(
        "whether the provider has published what it was offered to begin by epoch {start} shows within the hour: try again then"
    )]
    Pending {
        /// When the deal would have begun.
        start: ChainEpoch,
    },
    /// Nobody can say whether a deal was made.
    #[error(
        "a deal was offered to begin by epoch {start}; whether it was published this node cannot say, which keeps no events of that time, and the \
         provider does not. Ask another node (--rpc-url), or say by --duration or --price that you want another deal beside it"
    )]
    Untold {
        /// When the deal would have begun.
        start: ChainEpoch,
    },
    /// Whoever watches does not want these terms.
    #[error("{0}")]
    Declined(String),
    /// The provider.
    #[error(transparent)]
    Deal(#[from] DealError),
    /// The message that moves the money.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The chain.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The journal.
    #[error(transparent)]
    Home(#[from] FileError),
}

/// Who wants to know what is agreed on; beside what a [`sender::Watch`] is told. Nothing has to be implemented.
pub trait Watch: sender::Watch {
    /// These are the terms, before they are signed and anything is paid. An error ends it: nothing has happened.
    fn terms(&self, _terms: &DealProposal, _resumed: bool) -> Result<(), String> {
        Ok(())
    }

    /// An offer on other terms stands beside this one: its provider can publish it until it would have to begin, or has published it as this deal.
    fn stands_beside(&self, _terms: &DealProposal, _deal: Option<DealID>) {}
}

impl Watch for sender::Silent {}

/// Makes a deal, or goes on with it.
///
/// Errors: [`AgreementError`]; what was paid in stays the sender's in the market. A provider's refusal does not end what was signed: the same order
/// offers the same terms again, until they cannot be published any more.
pub async fn make(
    node: &Arc<dyn Node>,
    sender: &Sender,
    home: &Home,
    order: &Order,
    watch: &dyn Watch,
) -> Result<Agreed, AgreementError> {
    sender.check_network().await?;
    let chain = chain_name(&**node, sender.network()).await?.replace(' ', "-");
    let name = journal::name(&sender.address(), order);
    let folder = home.data().join("agreements").join(&chain);
    let _lock = home.lock(&format!("agreements/{chain}/{name}"))?;
    let head = node.chain_head().await?.height;
    let fate = Fate::of(node, &sender.address(), head).await?;
    let table = Table { node, sender, order, fate: &fate, folder: &folder, name: &name };
    let mut promised = table.look_aside(watch).await?;
    let (resumed, mut agreement, replaced) = match table.known().await? {
        Known::Same(agreement) => (true, agreement, None),
        Known::Nothing => (false, table.begin(head, &promised).await?, None),
        Known::Other(other) => {
            if !other.published {
                watch.stands_beside(&other.terms, None);
                promised += other.terms.client_balance_requirement();
            }
            (false, table.begin(head, &promised).await?, Some(other))
        }
    };
    watch.terms(&agreement.terms, resumed).map_err(AgreementError::Declined)?;
    if let Some(replaced) = replaced {
        journal::set_aside(&folder, &name, &replaced)?;
    }
    journal::save(&folder, &name, &agreement)?;
    let provider = provider(node, sender, order, &agreement);
    let mut agreed = Agreed {
        id: agreement.id,
        terms: agreement.terms.clone(),
        deal: agreement.deal,
        state: DealState::Accepted,
        deposited: TokenAmount::default(),
        sent: None,
        resumed,
    };
    let mut purse = None;
    if !agreement.published && provider.status(agreement.id).await?.is_none() {
        let to_fill = Purse { node, sender, home, folder: &folder, chain: &chain };
        let filled = purse.insert(to_fill.fill(&name, &agreement.terms, head, watch).await?);
        if let Some((deposited, sent)) = filled.deposit.take() {
            (agreed.deposited, agreed.sent) = (deposited, Some(sent));
        }
        let origin = Origin::Http(order.source.clone());
        let proposal = Proposal { piece: order.piece.clone(), origin, duration: order.duration, notify: None };
        provider.propose(agreement.id, &proposal).await?;
    }
    // An order holds the purse until its money is bound, but not for ever: a provider may gather deals before it publishes them.
    let held = if purse.is_some() { HOLD.min(order.patience) } else { Duration::ZERO };
    if !agreement.published {
        let deal = fate.bound(&provider, agreement.id, &agreement.terms, held).await?;
        table.note(&mut agreement, deal)?;
    }
    drop(purse);
    agreed.deal = agreement.deal;
    let followed = follow(&fate, &provider, order, &mut agreed).await;
    // The chain may have gone another way since, and the deal have got another number.
    if agreed.deal != agreement.deal {
        table.note(&mut agreement, agreed.deal)?;
    }
    followed.map(|()| agreed)
}

/// Asks until the deal is active, has failed, or patience is over. Where it is on the chain, the provider need not answer.
async fn follow(
    fate: &Fate<'_>,
    provider: &MarketProvider,
    order: &Order,
    agreed: &mut Agreed,
) -> Result<(), AgreementError> {
    let deadline = tokio::time::Instant::now() + order.patience;
    let mut pause = Duration::from_millis(50);
    loop {
        if agreed.deal.is_none() {
            agreed.deal = fate.bound(provider, agreed.id, &agreed.terms, Duration::ZERO).await?;
        }
        let on_chain = match agreed.deal {
            Some(deal) => fate.state(deal, &agreed.terms).await?,
            None => None,
        };
        if agreed.deal.is_some() && on_chain.is_none() {
            // The chain has gone another way, or the node lags: the provider may say where it is now.
            let there = fate.bound(provider, agreed.id, &agreed.terms, Duration::ZERO).await;
            agreed.deal = there.ok().flatten().or(agreed.deal);
        }
        match (on_chain, provider.status(agreed.id).await) {
            (Some(DealState::Failed), _) => {
                agreed.state = DealState::Failed;
                let why = "it was terminated".to_string();
                return Err(DealError::Failed { provider: provider.name(), why }.into());
            }
            (Some(state), _) => agreed.state = state,
            (None, Ok(Some(status))) if status.state == DealState::Failed => {
                let why = status.error.unwrap_or_default();
                agreed.state = DealState::Failed;
                return Err(DealError::Failed { provider: provider.name(), why }.into());
            }
            (None, Ok(Some(status))) => agreed.state = status.state,
            (None, Ok(None)) => {}
            (None, Err(error)) => return Err(error.into()),
        }
        if agreed.state == DealState::Complete || tokio::time::Instant::now() >= deadline {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(10));
    }
}

fn provider(node: &Arc<dyn Node>, sender: &Sender, order: &Order, agreement: &Agreement) -> MarketProvider {
    let key = sender.key().clone();
    MarketProvider::new(&order.url, key, node.clone(), agreement.terms.clone(), order.root, Timeouts::default())
}

/// What the provider asks for the piece, an epoch.
///
/// Errors: it takes other sizes; the ask is not the provider's.
async fn asked(node: &Arc<dyn Node>, order: &Order) -> Result<TokenAmount, AgreementError> {
    let ask = MarketProvider::asked(&order.url, order.miner, &**node, Timeouts::default()).await?.ask;
    let size = order.piece.padded_size;
    if !ask.takes(size) {
        let (min, max) = (ask.min_piece_size.0, ask.max_piece_size.0);
        return Err(AgreementError::Size { min, max, size: size.0 });
    }
    Ok(ask.price_of(size))
}

/// The terms of a new deal: the price that is asked or offered, the collateral that the market wants.
async fn terms(
    node: &Arc<dyn Node>,
    sender: &Sender,
    order: &Order,
    head: ChainEpoch,
) -> Result<DealProposal, AgreementError> {
    let (asked, size) = (asked(node, order).await?, order.piece.padded_size);
    let price = order.price.clone().unwrap_or_else(|| asked.clone());
    if price < asked {
        return Err(AgreementError::Price { asked, given: price });
    }
    let bounds = node.deal_collateral_bounds(size.0).await?;
    let mut terms = DealProposal::new(&order.piece, sender.address(), order.miner, head + LEAD, order.duration);
    terms.storage_price_per_epoch = price;
    terms.provider_collateral = bounds.min;
    terms.label = Label::Text(order.root.to_string());
    // Before anything is written down or paid: the market would refuse it, too.
    terms.check()?;
    let cost = terms.client_balance_requirement();
    match &order.limit {
        Some(limit) if cost > *limit => Err(AgreementError::TooDear { cost, limit: limit.clone() }),
        _ => Ok(terms),
    }
}
