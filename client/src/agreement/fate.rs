//! What has become of an agreement: the chain says it, and a provider only where to look.
//!
//! A signed proposal is a paper that its holder can publish until the deal would have to begin, whatever they say to whoever signed it. So one that
//! is not on the chain is over when that time has passed, and not before.

use std::sync::Arc;
use std::time::Duration;

use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;

use super::{AgreementError, LEAD};
use crate::deal::market::DealProposal;
use crate::deal::{DealId, DealState, MarketProvider, StorageProvider};
use crate::node::json::MarketDeal;
use crate::node::{Node, NodeError, WINDOW};

/// Epochs after which nothing that was published before comes to light any more: an hour.
const SETTLED: ChainEpoch = 120;

/// What a look through the market's events has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The deal is on the chain.
    Deal(DealID),
    /// It is not.
    Nothing,
    /// The node keeps no events of that time.
    Untold,
}

/// Asks the chain for one client.
pub struct Fate<'a> {
    node: &'a Arc<dyn Node>,
    /// The client's ID; none as long as it is not on the chain.
    client: Option<Address>,
    head: ChainEpoch,
}

impl<'a> Fate<'a> {
    /// Of the agreements of `client`, as they stand at `head`.
    pub async fn of(node: &'a Arc<dyn Node>, client: &Address, head: ChainEpoch) -> Result<Self, NodeError> {
        Ok(Self { node, client: node.lookup_id(client).await?, head })
    }

    /// The epoch that was the head when it began.
    pub fn head(&self) -> ChainEpoch {
        self.head
    }

    /// The deal of this number, if it is the one with these terms.
    pub async fn deal(&self, deal: DealID, terms: &DealProposal) -> Result<Option<MarketDeal>, NodeError> {
        let found = self.node.market_deal(deal).await?;
        Ok(found.filter(|found| terms.is_published_as(&found.proposal, self.client.as_ref())))
    }

    /// Looks for the deal among those that the provider has published since the terms were made.
    pub async fn find(&self, terms: &DealProposal) -> Result<Look, NodeError> {
        let (Some(Ok(client)), Ok(provider)) = (self.client.map(|client| client.id()), terms.provider.id()) else {
            // Who is not on the chain has no deal there.
            return Ok(Look::Nothing);
        };
        let (mut from, last) = ((terms.start_epoch - LEAD - SETTLED).max(0), terms.start_epoch.min(self.head));
        let mut look = Look::Nothing;
        while from <= last {
            let to = (from + WINDOW - 1).min(last);
            match self.node.published_deals(client, provider, from, to).await {
                Err(error) if error.is_busy() => return Err(error),
                Err(NodeError::Refused { .. }) => look = Look::Untold,
                published => {
                    for deal in published? {
                        if self.deal(deal, terms).await?.is_some() {
                            return Ok(Look::Deal(deal));
                        }
                    }
                }
            }
            from = to + 1;
        }
        Ok(look)
    }

    /// Whether a proposal that is not on the chain cannot get there any more.
    pub fn begins_no_more(&self, terms: &DealProposal) -> bool {
        terms.start_epoch.saturating_add(SETTLED) < self.head
    }

    /// Whether a deal on the chain is over, or will never begin.
    pub fn is_over(&self, deal: &MarketDeal, terms: &DealProposal) -> bool {
        let never_began = deal.state.sector_start_epoch <= 0 && self.begins_no_more(terms);
        deal.state.slash_epoch > 0 || terms.end_epoch <= self.head || never_began
    }

    /// How a deal on the chain stands.
    pub async fn state(&self, deal: DealID, terms: &DealProposal) -> Result<Option<DealState>, NodeError> {
        Ok(self.deal(deal, terms).await?.map(|deal| {
            match (deal.state.slash_epoch > 0, deal.state.sector_start_epoch > 0) {
                (true, _) => DealState::Failed,
                (false, true) => DealState::Complete,
                (false, false) => DealState::Sealing,
            }
        }))
    }

    /// Waits until the deal is on the chain, where the market holds its money back; none where it has failed, or does not come so soon.
    pub async fn bound(
        &self,
        provider: &MarketProvider,
        id: DealId,
        terms: &DealProposal,
        patience: Duration,
    ) -> Result<Option<DealID>, AgreementError> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            // A message that publishes it may be on its way only: what counts is the deal.
            if let Some(status) = provider.market_status(id).await?
                && status.publish_cid.is_some()
                && self.deal(status.chain_deal_id, terms).await?.is_some()
            {
                return Ok(Some(status.chain_deal_id));
            }
            let failed = provider.status(id).await?.is_some_and(|status| status.state == DealState::Failed);
            if failed || tokio::time::Instant::now() >= deadline {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
