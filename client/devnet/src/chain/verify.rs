//! Whether the head is what its messages make of its parent's state.

use anyhow::{Result, ensure};

use super::Chain;
use crate::tipset;
use crate::vm::Vm;

impl Chain {
    /// Runs the head again. Leaves no trace.
    ///
    /// Errors: something else comes of it than the chain says, or it cannot be run.
    pub(crate) fn verify_head(&mut self) -> Result<()> {
        let head = self.head.clone();
        let Some(before) = self.store.tipset_at_or_before(head.height - 1)? else { return Ok(()) };
        let state = self.state_before_messages(&before, &head)?;
        let mut vm = Vm::open(&self.store, &self.rules, state, head.height)?;
        let mut receipts = Vec::new();
        for cid in &head.messages {
            let (message, length) = self.stored_message(cid)?;
            receipts.push(vm.explicit(message, length)?.receipt());
        }
        vm.cron()?;
        let state = vm.flush()?;
        let receipts = tipset::write_receipts(&self.store, receipts)?;
        self.store.discard();
        ensure!(receipts == head.receipts, "its messages come to something else than its receipts say");
        ensure!(state == head.state, "its messages lead to another state than it names");
        Ok(())
    }
}
