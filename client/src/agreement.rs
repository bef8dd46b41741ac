//! Deals of the built-in market from the price to the active deal: what `bauta market deal` does, and what a bounty's pull claim needs.
//!
//! An agreement is written down, whole and signed bytes included, before anything is paid or proposed; the same order again finds it and goes
//! on. Money for it is moved into the market first, and what no deal binds can be taken back at any time.

mod journal;
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
use crate::node::{Node, NodeError};
use crate::piece::PieceInfo;
use crate::sender::{SendError, Sender, Sent, Watch};

pub use journal::Agreement;
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

/// Makes a deal, or goes on with it.
///
/// Errors: [`AgreementError`]; what was paid in stays the sender's in the market.
pub async fn make(
    node: &Arc<dyn Node>,
    sender: &Sender,
    home: &Home,
    order: &Order,
    watch: &dyn Watch,
) -> Result<Agreed, AgreementError> {
    sender.check_network().await?;
    let name = journal::name(&sender.address(), order);
    let folder = home.data().join("agreements").join(sender.network().name());
    let _lock = home.lock(&format!("agreements/{}/{name}", sender.network().name()))?;
    let known = journal::load(&folder, &name)?;
    let head = node.chain_head().await?.height;
    // What was never published and cannot begin any more binds nobody.
    let known = match known {
        Some(agreement) if is_dead(node, sender, order, &agreement, head).await? => None,
        known => known,
    };
    let resumed = known.is_some();
    let mut agreement = match known {
        Some(agreement) => agreement,
        None => {
            let agreement =
                Agreement { id: DealId::generate(), terms: terms(node, sender, order, head).await?, published: false };
            journal::save(&folder, &name, &agreement)?;
            agreement
        }
    };
    let provider = provider(node, sender, order, &agreement);
    let mut agreed = Agreed {
        id: agreement.id,
        terms: agreement.terms.clone(),
        deal: None,
        state: DealState::Accepted,
        deposited: TokenAmount::default(),
        sent: None,
        resumed,
    };
    let mut purse = None;
    if provider.status(agreement.id).await?.is_none() {
        let to_fill = Purse { node, sender, home, folder: &folder };
        let filled = purse.insert(to_fill.fill(&name, &agreement.terms, head, watch).await?);
        if let Some((deposited, sent)) = filled.deposit.take() {
            (agreed.deposited, agreed.sent) = (deposited, Some(sent));
        }
        let origin = Origin::Http(order.source.clone());
        let proposal = Proposal { piece: order.piece.clone(), origin, duration: order.duration, notify: None };
        if let Err(error) = provider.propose(agreement.id, &proposal).await {
            // A refusal is the end of these terms: the next order makes new ones.
            if !error.is_passing() {
                journal::forget(&folder, &name)?;
            }
            return Err(error.into());
        }
    }
    // An order holds the purse until its money is bound, but not for ever: a provider may gather deals before it publishes them.
    let held = if purse.is_some() { HOLD.min(order.patience) } else { Duration::ZERO };
    if !agreement.published && is_bound(&provider, node, &agreement, held).await? {
        agreement.published = true;
        journal::save(&folder, &name, &agreement)?;
    }
    drop(purse);
    let followed = follow(&provider, order, &mut agreed).await;
    if !agreement.published && is_bound(&provider, node, &agreement, Duration::ZERO).await.unwrap_or(false) {
        agreement.published = true;
        journal::save(&folder, &name, &agreement)?;
    }
    if agreed.state == DealState::Failed {
        journal::forget(&folder, &name)?;
    }
    followed.map(|()| agreed)
}

/// Waits until the deal is on the chain, where the market holds its money back: true. False where it has failed, or does not come so soon.
async fn is_bound(
    provider: &MarketProvider,
    node: &Arc<dyn Node>,
    agreement: &Agreement,
    patience: Duration,
) -> Result<bool, AgreementError> {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        // A message that publishes it may be on its way only: what counts is the deal.
        if let Some(status) = provider.market_status(agreement.id).await?
            && status.publish_cid.is_some()
            && let Some(deal) = node.market_deal(status.chain_deal_id).await?
        {
            let (found, terms) = (&deal.proposal, &agreement.terms);
            return Ok((found.piece_cid, found.start_epoch) == (terms.piece_cid, terms.start_epoch));
        }
        let failed = provider.status(agreement.id).await?.is_some_and(|status| status.state == DealState::Failed);
        if failed || tokio::time::Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks until the deal is active, has failed, or patience is over.
async fn follow(provider: &MarketProvider, order: &Order, agreed: &mut Agreed) -> Result<(), AgreementError> {
    let deadline = tokio::time::Instant::now() + order.patience;
    let mut pause = Duration::from_millis(50);
    loop {
        if let Some(status) = provider.market_status(agreed.id).await? {
            agreed.deal = status.publish_cid.map(|_| status.chain_deal_id);
        }
        match provider.status(agreed.id).await? {
            Some(status) if status.state == DealState::Failed => {
                let why = status.error.unwrap_or_default();
                agreed.state = DealState::Failed;
                return Err(DealError::Failed { provider: provider.name(), why }.into());
            }
            Some(status) => agreed.state = status.state,
            None => {}
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

/// Whether an agreement of an earlier run has come to nothing.
async fn is_dead(
    node: &Arc<dyn Node>,
    sender: &Sender,
    order: &Order,
    agreement: &Agreement,
    head: ChainEpoch,
) -> Result<bool, AgreementError> {
    match provider(node, sender, order, agreement).status(agreement.id).await? {
        Some(status) => Ok(status.state == DealState::Failed || agreement.terms.end_epoch <= head),
        None => Ok(agreement.terms.start_epoch <= head + LEAD / 2),
    }
}

/// The terms of a new deal: the price that is asked or offered, the collateral that the market wants.
async fn terms(
    node: &Arc<dyn Node>,
    sender: &Sender,
    order: &Order,
    head: ChainEpoch,
) -> Result<DealProposal, AgreementError> {
    let ask = MarketProvider::asked(&order.url, order.miner, &**node, Timeouts::default()).await?.ask;
    let size = order.piece.padded_size;
    if !ask.takes(size) {
        let (min, max) = (ask.min_piece_size.0, ask.max_piece_size.0);
        return Err(AgreementError::Size { min, max, size: size.0 });
    }
    let asked = ask.price_of(size);
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
