//! Whether the head is what its messages make of its parent's state.

use anyhow::{Context, Result, ensure};
use bauta_client::message::{self, SignedMessage};
use fvm_ipld_blockstore::Blockstore;

use super::Chain;
use crate::state::State;
use crate::tipset;
use crate::vm::Vm;

impl Chain {
    /// Runs the head again. Leaves no trace.
    ///
    /// Errors: something else comes of it than the chain says, or it cannot be run.
    pub(crate) fn verify_head(&mut self) -> Result<()> {
        let head = self.head.clone();
        let Some(before) = self.store.tipset_at_or_before(head.height - 1)? else { return Ok(()) };
        let mut state = head.parent_state;
        let tree = State::at(&self.store, &state)?;
        let nulls = before.height + 1..head.height;
        for tick in self.deadlines.ticks(&self.store, &tree, self.network.manifest, nulls)? {
            let mut vm = Vm::open(&self.store, &self.rules, state, tick)?;
            vm.cron()?;
            state = vm.flush()?;
        }
        let mut vm = Vm::open(&self.store, &self.rules, state, head.height)?;
        let mut receipts = Vec::new();
        for cid in &head.messages {
            let bytes = self.store.get(cid)?.with_context(|| format!("message {cid} is missing"))?;
            let outcome = match SignedMessage::from_bytes(&bytes) {
                Ok(signed) => vm.explicit(signed.message.clone(), signed.on_chain_len())?,
                Err(_) => vm.explicit(message::from_bytes(&bytes)?, bytes.len())?,
            };
            receipts.push(outcome.receipt());
        }
        vm.cron()?;
        state = vm.flush()?;
        let receipts = tipset::write_receipts(&self.store, receipts)?;
        self.store.discard();
        ensure!(receipts == head.receipts, "its messages come to something else than its receipts say");
        ensure!(state == head.state, "its messages lead to another state than it names");
        Ok(())
    }
}
