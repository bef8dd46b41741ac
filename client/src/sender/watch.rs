//! Whoever looks on while a message is sent.

use cid::Cid;
use fvm_shared::clock::ChainEpoch;

use super::Cost;
use super::slips::{Slip, Slips};
use crate::message::SignedMessage;
use crate::node::Waiting;

/// Who wants to know how a sending goes on, or to stop it. Nothing has to be implemented.
pub trait Watch: Send + Sync {
    /// The price is known and nothing has been signed; an error stops here.
    fn priced(&self, _cost: &Cost) -> Result<(), String> {
        Ok(())
    }

    /// The message is signed and about to be handed over: from here on it can reach the chain. A journal writes it down; an error stops
    /// here.
    fn before_push(&self, _signed: &SignedMessage) -> Result<(), String> {
        Ok(())
    }

    /// The same call was sent by an earlier run that did not see its end: this message is gone on with, and nothing is signed.
    fn continued(&self, _cid: &Cid) {}

    /// The message has been handed over.
    fn waiting(&self, _progress: Waiting) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Watch for Silent {}

/// Writes the message down before it can reach the chain.
pub(super) struct Written<'a> {
    pub slips: &'a Slips,
    pub name: &'a str,
    pub since: ChainEpoch,
    pub kept: bool,
    pub watch: &'a dyn Watch,
}

impl Watch for Written<'_> {
    fn priced(&self, cost: &Cost) -> Result<(), String> {
        self.watch.priced(cost)
    }

    fn before_push(&self, signed: &SignedMessage) -> Result<(), String> {
        let slip = Slip { signed: signed.clone(), since: self.since, kept: self.kept };
        self.slips.write(self.name, slip).map_err(|e| e.to_string())?;
        self.watch.before_push(signed)
    }

    fn waiting(&self, progress: Waiting) {
        self.watch.waiting(progress);
    }
}
