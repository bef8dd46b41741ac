//! Running a message of the past again, with a trace.

use anyhow::{Context, Result, ensure};
use bauta_client::message::{self, Message, SignedMessage};
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;

use super::Chain;
use crate::deadlines::Deadlines;
use crate::records::{Place, TipsetRecord};
use crate::state::State;
use crate::tipset;
use crate::vm::{Outcome, Vm};

impl Chain {
    /// Runs a message again after those before it in its tipset, keeping its trace; leaves none on the chain.
    ///
    /// Errors: it does not come to the receipt that the chain has, which is so where an intervention (money from the faucet, an
    /// installed actor) began the tipset: those are not messages, and not kept.
    pub(crate) fn replay(&mut self, place: Place) -> Result<(Message, Outcome)> {
        let replayed = self.try_replay(place);
        self.store.discard();
        replayed
    }

    fn try_replay(&mut self, place: Place) -> Result<(Message, Outcome)> {
        let holder = self.store.tipset_at_or_before(place.epoch)?.context("the message's tipset is missing")?;
        let before = self.store.tipset_at_or_before(holder.height - 1)?.context("its parent is missing")?;
        let state = self.state_before_messages(&before, &holder)?;
        let mut vm = Vm::open_tracing(&self.store, &self.rules, state, holder.height)?;
        let mut last = None;
        for cid in holder.messages.iter().take(place.index as usize + 1) {
            let (message, length) = self.stored_message(cid)?;
            let outcome = vm.explicit(message.clone(), length)?;
            last = Some((message, outcome));
        }
        let (message, outcome) = last.context("the tipset has no such message")?;
        let kept = tipset::read_receipt(&self.store, &holder.receipts, place.index)?.context("a receipt is missing")?;
        ensure!(
            outcome.receipt() == kept,
            "the message cannot be replayed: an intervention (Devnet.Fund, Devnet.InstallActor) began its tipset"
        );
        Ok((message, outcome))
    }

    /// The state that a tipset's messages ran on: its parent's, after the cron of null rounds.
    pub(super) fn state_before_messages(&self, before: &TipsetRecord, holder: &TipsetRecord) -> Result<Cid> {
        let mut state = before.state;
        let tree = State::at(&self.store, &state)?;
        // The chain's own list of miners has those that came later.
        let nulls = before.height + 1..holder.height;
        let ticks = if nulls.is_empty() {
            vec![]
        } else {
            Deadlines::default().ticks(&self.store, &tree, self.network.manifest, nulls)?
        };
        for tick in ticks {
            let mut vm = Vm::open(&self.store, &self.rules, state, tick)?;
            vm.cron()?;
            state = vm.flush()?;
        }
        Ok(state)
    }

    /// A message of a tipset, and its length on chain.
    pub(crate) fn stored_message(&self, cid: &Cid) -> Result<(Message, usize)> {
        let block = self.store.get(cid)?.with_context(|| format!("message {cid} is missing"))?;
        if let Ok(signed) = SignedMessage::from_bytes(&block) {
            return Ok((signed.message, block.len()));
        }
        Ok((message::from_bytes(&block)?, block.len()))
    }
}
