//! A provider that takes deals of the built-in market over HTTP.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::deal::DealID;

use super::super::market::DealProposal;
use super::super::{DealCode, DealError, DealId, DealState, DealStatus, Offer, Origin, Progress, Proposal};
use super::super::{StorageProvider, Timeouts};
use super::{AskRequest, DealParams, MarketStatus, SignedAsk, StatusRequest, Transfer, ask, status, store};
use crate::address::Prefix;
use crate::node::Node;
use crate::wallet::Key;

/// A provider, the terms that are offered to it, and the chain that is asked what became of a deal.
pub struct MarketProvider {
    url: String,
    miner: Address,
    key: Key,
    node: Arc<dyn Node>,
    terms: DealProposal,
    root: Cid,
    timeouts: Timeouts,
}

impl MarketProvider {
    /// Takes a provider's base URL and the whole proposal, so that the same deal is the same bytes however often it is proposed. `root` is
    /// the root of the CAR.
    pub fn new(url: &str, key: Key, node: Arc<dyn Node>, terms: DealProposal, root: Cid, timeouts: Timeouts) -> Self {
        Self { url: url.to_string(), miner: terms.provider, key, node, terms, root, timeouts }
    }

    /// Asks what deals cost, and checks that the miner's worker says so.
    ///
    /// Errors: [`DealError::Malformed`] where another signed it; [`DealError::Unreachable`] where the chain is not reached.
    pub async fn asked(url: &str, miner: Address, node: &dyn Node, timeouts: Timeouts) -> Result<SignedAsk, DealError> {
        let signed = ask(url, &AskRequest { miner }, timeouts).await?;
        let provider = || format!("the provider at {url}");
        let malformed = |why: &str| DealError::Malformed { provider: provider(), why: why.to_string() };
        let chain = |error: crate::node::NodeError| DealError::Unreachable {
            provider: "the chain".to_string(),
            why: error.to_string(),
        };
        let info = node.miner_info(&miner).await.map_err(chain)?.ok_or_else(|| malformed("its miner is not there"))?;
        let worker = node.account_key(&info.worker).await.map_err(chain)?;
        let worker = worker.ok_or_else(|| malformed("its miner's worker is not there"))?;
        if signed.ask.miner != miner || signed.verify(&worker).is_err() {
            return Err(malformed("its ask is not signed by the miner's worker"));
        }
        Ok(signed)
    }

    /// Asks how a deal goes, with its number on the chain; `None` if the provider knows no such deal.
    pub async fn market_status(&self, id: DealId) -> Result<Option<MarketStatus>, DealError> {
        let uuid = id.0.to_bytes();
        let request = StatusRequest { deal_uuid: uuid, signature: self.key.sign_bytes(&uuid) };
        Ok(status(&self.url, &request, self.timeouts).await?.deal_status)
    }

    /// Whether the chain has an active deal of this number with these terms.
    async fn is_active(&self, deal: DealID) -> bool {
        let Ok(Some(found)) = self.node.market_deal(deal).await else { return false };
        let Ok(client) = self.node.lookup_id(&self.terms.client).await else { return false };
        self.terms.is_published_as(&found.proposal, client.as_ref())
            && found.state.sector_start_epoch > 0
            && found.state.slash_epoch <= 0
    }
}

#[async_trait]
impl StorageProvider for MarketProvider {
    fn name(&self) -> String {
        format!("provider {} at {}", Prefix::default().show(&self.miner), self.url.trim_end_matches('/'))
    }

    async fn propose(&self, id: DealId, proposal: &Proposal) -> Result<(), DealError> {
        let Origin::Http(source) = &proposal.origin else { return Err(DealError::NoUpload { provider: self.name() }) };
        let refused =
            |reason: String| DealError::Refused { provider: self.name(), code: DealCode::BadProposal, reason };
        let signed = self.terms.clone().sign(&self.key).map_err(|error| refused(error.to_string()))?;
        let deal = DealParams {
            deal_uuid: id.0.to_bytes(),
            is_offline: false,
            client_deal_proposal: signed,
            deal_data_root: self.root,
            transfer: Transfer::http(source, proposal.piece.payload_size),
            remove_unsealed_copy: false,
            // The blocks of an encrypted CAR mean nothing to anybody who was not told its root.
            skip_ipni_announce: true,
        };
        store(&self.url, &deal, self.timeouts).await
    }

    async fn upload(&self, _: DealId, _: &Path, _: Option<Progress>) -> Result<(), DealError> {
        Err(DealError::NoUpload { provider: self.name() })
    }

    async fn status(&self, id: DealId) -> Result<Option<DealStatus>, DealError> {
        let Some(status) = self.market_status(id).await? else { return Ok(None) };
        if !status.error.is_empty() {
            return Ok(Some(DealStatus { state: DealState::Failed, error: Some(status.error) }));
        }
        let state = match status.status.as_str() {
            "Sealed" | "Sealed and Indexed" if self.is_active(status.chain_deal_id).await => DealState::Complete,
            "Sealed" | "Sealed and Indexed" => DealState::Unproven,
            "Sealing" => DealState::Sealing,
            _ => DealState::Processing,
        };
        Ok(Some(DealStatus { state, error: None }))
    }

    async fn offer(&self) -> Result<Offer, DealError> {
        let signed = Self::asked(&self.url, self.miner, &*self.node, self.timeouts).await?;
        Ok(Offer { sources: vec!["http".to_string()], ask: Some(signed.ask), ..Offer::default() })
    }
}
