//! The money for agreements: moved into the market once for each, however many are made at a time and however often a run is killed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;

use super::{AgreementError, journal};
use crate::deal::escrow;
use crate::deal::market::DealProposal;
use crate::home::{Home, Lock};
use crate::node::Node;
use crate::sender::{Sender, Sent, Watch};

/// How long another order's deposit may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What one sender has in the market of one chain.
pub struct Purse<'a> {
    /// The chain.
    pub node: &'a Arc<dyn Node>,
    /// Whose money it is.
    pub sender: &'a Sender,
    /// Where the lock is.
    pub home: &'a Home,
    /// Where the agreements are.
    pub folder: &'a Path,
    /// The chain's name among the home's agreements.
    pub chain: &'a str,
}

/// A purse in which the money for one agreement is: as long as it is held, nobody else counts what is in there.
pub struct Filled {
    /// What was moved in now, and by which message.
    pub deposit: Option<(TokenAmount, Sent)>,
    _mine: Lock,
}

impl Purse<'_> {
    /// Moves in what is lacking for the agreement `name`: no more than its own need, and nothing that the others count on counts for it.
    ///
    /// A deposit that an earlier run has sent and not seen the end of is seen through before anything is counted. Hold what comes back until the
    /// deal is on the chain: there the market itself holds its money back, and before others know it, they would count it twice.
    pub async fn fill(
        &self,
        name: &str,
        terms: &DealProposal,
        head: ChainEpoch,
        watch: &dyn Watch,
    ) -> Result<Filled, AgreementError> {
        let me = self.sender.address();
        let lock = format!("agreements/{}/purse-{}.lock", self.chain, hex::encode(me.to_bytes()));
        let mine = Lock::wait(&self.home.data().join(lock), PATIENCE).await?;
        self.sender.settle(escrow::is_deposit, watch).await?;
        let balance = self.node.market_balance(&me).await?;
        let waiting = journal::others(self.folder, name)?;
        let waiting = waiting
            .iter()
            .filter(|other| !other.published && other.terms.client == terms.client && other.terms.start_epoch > head);
        let promised: TokenAmount = waiting.map(|other| other.terms.client_balance_requirement()).sum();
        let free = (escrow::available(&balance) - promised).max(TokenAmount::default());
        let lacking = terms.client_balance_requirement() - free;
        if !lacking.is_positive() {
            return Ok(Filled { deposit: None, _mine: mine });
        }
        let sent = escrow::deposit(self.sender, lacking.clone(), watch).await?;
        Ok(Filled { deposit: Some((lacking, sent)), _mine: mine })
    }
}
