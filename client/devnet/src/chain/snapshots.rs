//! Going back: a snapshot remembers a moment, and a revert makes everything after it undone, as `evm_snapshot` and
//! `evm_revert` do on anvil: a snapshot is used up by going back to it, and so are those taken after it.

use anyhow::{Context, Result};
use bauta_client::message::SignedMessage;
use fvm_ipld_encoding::RawBytes;

use super::Chain;
use crate::deadlines::Deadlines;
use crate::ledger::Ledger;
use crate::mempool::Mempool;
use crate::records::SnapshotRecord;

impl Chain {
    /// Remembers this moment: head, state, waiting messages, and what those with duties know. Gives its number.
    pub fn snapshot(&mut self) -> Result<u64> {
        let waiting = self.pool.all().into_iter();
        let record = SnapshotRecord {
            head: self.head.clone(),
            network: self.network.clone(),
            pool: waiting.map(|p| (p.cid, RawBytes::new(p.signed.to_bytes()))).collect(),
            duties: self.duties.as_ref().map(|duties| duties.remember().to_string()).unwrap_or_default(),
        };
        Ok(self.store.add_snapshot(&record, self.is_durable())?)
    }

    /// Goes back to a snapshot, to the newest one if none is named; gives its number. Messages that came after it are
    /// undone and forgotten.
    ///
    /// Errors: there is no such snapshot.
    pub fn revert(&mut self, id: Option<u64>) -> Result<u64> {
        let mut snapshots = self.store.snapshots()?;
        let at = match id {
            Some(id) => snapshots.iter().position(|(known, _)| *known == id),
            None => snapshots.len().checked_sub(1),
        };
        let (id, to) = at.map(|at| snapshots.swap_remove(at)).with_context(|| match id {
            Some(id) => format!("there is no snapshot {id}"),
            None => "there is no snapshot".to_owned(),
        })?;
        self.store.discard();
        self.store.go_back(id, &to, self.is_durable())?;
        self.pool = Mempool::default();
        for (_, bytes) in &to.pool {
            self.pool.restore(SignedMessage::from_bytes(bytes.bytes()).context("a message in a snapshot")?);
        }
        self.network = to.network;
        self.head = to.head;
        self.deadlines = Deadlines::default();
        self.looked = self.looked.min(self.head.height);
        // On the disk before the providers' books: they may be ahead of the chain, and never behind.
        self.store.sync()?;
        self.filters.go_back(self.head.height);
        self.heads.send_replace(self.head.height);
        let memory = serde_json::from_str(&to.duties).unwrap_or_default();
        if let Some(done) = self.with_duties(|duties, chain| duties.revert(&memory, &Ledger::resting(chain))) {
            done.context("those with duties going back")?;
        }
        Ok(id)
    }
}
