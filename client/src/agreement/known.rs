//! What there is of an order: the agreement of an earlier run, and the offers that others were made in place of.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;
use fvm_shared::econ::TokenAmount;

use super::fate::{Fate, Look};
use super::{Agreement, AgreementError, Order, Watch, asked, journal, provider, terms};
use crate::deal::market::DealProposal;
use crate::deal::{DealId, DealState, MarketProvider, StorageProvider};
use crate::home::FileError;
use crate::node::Node;
use crate::node::json::MarketDeal;
use crate::sender::Sender;

/// What there is of an order.
pub(super) enum Known {
    /// Nothing, or what is over.
    Nothing,
    /// An agreement to go on with.
    Same(Agreement),
    /// One that its provider has not taken, and the order is on other terms.
    Other(Agreement),
}

/// One order, with all that it takes to look at what there is of it.
pub(super) struct Table<'a> {
    pub node: &'a Arc<dyn Node>,
    pub sender: &'a Sender,
    pub order: &'a Order,
    pub fate: &'a Fate<'a>,
    pub folder: &'a Path,
    pub name: &'a str,
}

impl Table<'_> {
    /// Looks at what an earlier run has agreed on.
    pub async fn known(&self) -> Result<Known, AgreementError> {
        let Some(mut agreement) = journal::load(self.folder, self.name)? else { return Ok(Known::Nothing) };
        let provider = provider(self.node, self.sender, self.order, &agreement);
        let (there, look) = self.on_chain(&mut agreement, &provider).await?;
        if let Some(deal) = there {
            if self.fate.is_over(&deal, &agreement.terms) {
                journal::forget(self.folder, self.name)?;
                return Ok(Known::Nothing);
            }
            return Ok(Known::Same(agreement));
        }
        let start = agreement.terms.start_epoch;
        if self.fate.begins_no_more(&agreement.terms) {
            return match look {
                Look::Untold if self.wants_others(&agreement.terms) => Ok(Known::Other(agreement)),
                Look::Untold => Err(AgreementError::Untold { start }),
                _ => {
                    journal::forget(self.folder, self.name)?;
                    Ok(Known::Nothing)
                }
            };
        }
        if agreement.published {
            // A node that lags does not know what has just begun.
            return Ok(Known::Same(agreement));
        }
        if start <= self.fate.head() {
            return Err(AgreementError::Pending { start });
        }
        let status = provider.status(agreement.id).await?;
        let failed = status.as_ref().is_some_and(|status| status.state == DealState::Failed);
        if status.is_some() && !failed {
            return Ok(Known::Same(agreement));
        }
        if self.wants_others(&agreement.terms) {
            return Ok(Known::Other(agreement));
        }
        let (asked, given) = (asked(self.node, self.order).await?, agreement.terms.storage_price_per_epoch.clone());
        if asked > given {
            return Err(AgreementError::Price { asked, given });
        }
        if failed {
            // The same paper again, under a new name: the market takes it once, however often it is published.
            agreement.id = DealId::generate();
        }
        Ok(Known::Same(agreement))
    }

    /// Looks for an agreement's deal: under the number that was noted, among the market's events, where its provider says. The number is written down.
    ///
    /// Errors: neither the node's events nor the provider can be asked.
    async fn on_chain(
        &self,
        agreement: &mut Agreement,
        provider: &MarketProvider,
    ) -> Result<(Option<MarketDeal>, Look), AgreementError> {
        if let Some(deal) = agreement.deal
            && let Some(there) = self.fate.deal(deal, &agreement.terms).await?
        {
            return Ok((Some(there), Look::Deal(deal)));
        }
        // Its provider may have published it and not said so; or the chain has gone another way since it was noted.
        let mut look = self.fate.find(&agreement.terms).await?;
        if !matches!(look, Look::Deal(_)) {
            match self.fate.bound(provider, agreement.id, &agreement.terms, Duration::ZERO).await {
                Ok(Some(deal)) => look = Look::Deal(deal),
                Ok(None) => {}
                Err(error) if look == Look::Untold => return Err(error),
                // The events say that it is not there.
                Err(_) => {}
            }
        }
        let Look::Deal(deal) = look else { return Ok((None, look)) };
        self.note(agreement, Some(deal))?;
        Ok((self.fate.deal(deal, &agreement.terms).await?, look))
    }

    /// Looks at the offers that others were made in place of: what can still be published is counted on. Gives what they come to.
    pub async fn look_aside(&self, watch: &dyn Watch) -> Result<TokenAmount, AgreementError> {
        let mut promised = TokenAmount::default();
        for mut aside in journal::aside(self.folder, self.name)? {
            let look = match aside.deal {
                Some(deal) => Look::Deal(deal),
                None => self.fate.find(&aside.terms).await?,
            };
            let no_more = self.fate.begins_no_more(&aside.terms);
            match look {
                // Until then it is worth saying; afterwards it is a deal like any other.
                Look::Deal(deal) if !no_more => {
                    (aside.deal, aside.published) = (Some(deal), true);
                    journal::save(self.folder, &journal::name_aside(self.name, &aside), &aside)?;
                    watch.stands_beside(&aside.terms, Some(deal));
                }
                _ if no_more => journal::forget(self.folder, &journal::name_aside(self.name, &aside))?,
                _ => {
                    watch.stands_beside(&aside.terms, None);
                    promised += aside.terms.client_balance_requirement();
                }
            }
        }
        Ok(promised)
    }

    /// Whether the user has said that these terms are not wanted. A price that only its provider has raised is no such word.
    fn wants_others(&self, terms: &DealProposal) -> bool {
        let order = self.order;
        let too_dear = order.limit.as_ref().is_some_and(|limit| terms.client_balance_requirement() > *limit);
        let other_price = order.price.as_ref().is_some_and(|price| *price != terms.storage_price_per_epoch);
        terms.duration() != order.duration || too_dear || other_price
    }

    /// Makes terms. The limit is for all that can be published for this order.
    pub async fn begin(&self, head: ChainEpoch, promised: &TokenAmount) -> Result<Agreement, AgreementError> {
        let terms = terms(self.node, self.sender, self.order, head).await?;
        let cost = terms.client_balance_requirement() + promised;
        match &self.order.limit {
            Some(limit) if cost > *limit => Err(AgreementError::TooDear { cost, limit: limit.clone() }),
            _ => Ok(Agreement { id: DealId::generate(), terms, published: false, deal: None }),
        }
    }

    /// Writes down that the deal is on the chain.
    pub fn note(&self, agreement: &mut Agreement, deal: Option<DealID>) -> Result<(), FileError> {
        if deal.is_some() {
            (agreement.deal, agreement.published) = (deal, true);
            journal::save(self.folder, self.name, agreement)?;
        }
        Ok(())
    }
}
