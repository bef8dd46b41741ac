//! The chain as those with duties meet it.

use anyhow::{Context, Result};
use bauta_client::address::Prefix;
use bauta_client::message;
use bauta_client::wallet::Key;
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::state::ActorState;
use fvm_shared::{ActorID, MethodNum};

use crate::chain::Chain;
use crate::duties::{Included, Ledger as LedgerTrait, LedgerView, Outcome};
use crate::estimate;
use crate::mempool::Limits;
use crate::state::State;

/// A chain at an epoch and a state: the newest of both, or those of the tipset being made.
pub(crate) struct Ledger<'a> {
    chain: &'a mut Chain,
    epoch: ChainEpoch,
    state: Cid,
}

impl<'a> Ledger<'a> {
    /// Between two tipsets.
    pub fn resting(chain: &'a mut Chain) -> Self {
        let (epoch, state) = (chain.head().height, chain.head().state);
        Self { chain, epoch, state }
    }

    /// In the tipset being made.
    pub fn acting(chain: &'a mut Chain, epoch: ChainEpoch, state: Cid) -> Self {
        Self { chain, epoch, state }
    }

    fn tree(&self) -> Result<State> {
        State::at(self.chain.store(), &self.state)
    }
}

impl LedgerView for Ledger<'_> {
    fn epoch(&self) -> ChainEpoch {
        self.epoch
    }

    fn query(&self, from: &Address, to: &Address, method: MethodNum, params: RawBytes) -> Result<Outcome> {
        self.chain.query_at(self.state, self.epoch, from, to, method, params)
    }

    fn resolve(&self, address: &Address) -> Result<Option<ActorID>> {
        self.tree()?.resolve(address)
    }

    fn actor(&self, address: &Address) -> Result<Option<ActorState>> {
        self.tree()?.actor(address)
    }

    fn object(&self, cid: &Cid) -> Result<Option<Vec<u8>>> {
        self.chain.store().get(cid)
    }

    fn receipt(&self, message: &Cid) -> Result<Option<Included>> {
        self.chain.included(message)
    }

    fn is_pending(&self, message: &Cid) -> bool {
        self.chain.pool.find(message).is_some()
    }
}

impl LedgerTrait for Ledger<'_> {
    fn submit(
        &mut self,
        key: &Key,
        to: &Address,
        method: MethodNum,
        value: &TokenAmount,
        params: RawBytes,
    ) -> Result<Cid> {
        let from = key.address();
        let mut draft = message::draft(from, *to, value.clone(), method, params);
        draft.sequence = self
            .chain
            .next_nonce(&from)?
            .with_context(|| format!("{} is not on chain", Prefix::Testnet.show(&from)))?;
        estimate::fill(self.chain, self.state, self.epoch, &mut draft)?;
        self.chain.admit(key.sign(draft)?, Limits::TRUSTED, false)
    }

    fn view(&self) -> &dyn LedgerView {
        self
    }
}
