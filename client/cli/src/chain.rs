//! Messages as the user sees them: the price before, the CID and the gas after.

use bauta_client::network::Network;
use bauta_client::node::Waiting;
use bauta_client::sender::{Cost, Sent, Watch};
use cid::Cid;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde::{Serialize, Serializer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::amount::fil;
use crate::exit::{Exit, sentence};
use crate::output::{Notes, Output, Rows};

/// When somebody who waits is told so.
const LONG: Duration = Duration::from_secs(3);

/// Prints the network and the cost before anything is signed.
pub struct Spending {
    notes: Notes,
    network: String,
    what: String,
    told: AtomicBool,
}

impl Spending {
    /// For messages of one command.
    pub fn new(notes: Notes, network: &Network, what: &str) -> Self {
        Self { notes, network: network.to_string(), what: what.into(), told: AtomicBool::new(false) }
    }
}

impl Watch for Spending {
    fn priced(&self, cost: &Cost) -> Result<(), String> {
        let value = if cost.value.is_positive() { format!("{} and ", fil(&cost.value)) } else { String::new() };
        let gas = fil(&cost.max_fee);
        self.notes.say(format_args!("network {}: {} costs {value}at most {gas} for gas", self.network, self.what));
        Ok(())
    }

    fn continued(&self, cid: &Cid) {
        self.notes.say(format_args!(
            "an earlier run has sent this already and did not see its end: going on with {cid}, nothing is sent a second time"
        ));
    }

    fn waiting(&self, progress: Waiting) {
        if let Waiting::Pending { elapsed } = progress
            && elapsed > LONG
            && !self.told.swap(true, Ordering::Relaxed)
        {
            self.notes.say("sent; waiting for it to be executed");
        }
    }
}

/// A message that is on the chain.
#[derive(Debug, Clone, Serialize)]
pub struct MessageRow {
    /// The CID that nodes know it by.
    pub cid: String,
    /// Gas that it used.
    pub gas_used: i64,
    /// The epoch in which it was executed.
    pub epoch: ChainEpoch,
}

impl From<&Sent> for MessageRow {
    fn from(sent: &Sent) -> Self {
        Self { cid: sent.cid.to_string(), gas_used: sent.receipt.gas_used, epoch: sent.height }
    }
}

impl std::fmt::Display for MessageRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (gas {}, epoch {})", self.cid, self.gas_used, self.epoch)
    }
}

/// The result of a command whose message is on the chain, and which cannot say what came of it: done, and never "try again".
pub fn done_and_not_told(message: &MessageRow, why: &anyhow::Error) -> Output {
    let done =
        format!("this is done, by message {}; what has become of it could not be read: {}", message.cid, sentence(why));
    Output::new(message).but(Exit::Partly, done)
}

/// Rows for messages.
pub fn message_rows(rows: Rows, messages: &[MessageRow]) -> Rows {
    rows.each("message", messages)
}

/// An amount in a result: a decimal string of attoFIL in JSON, FIL in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fil(pub TokenAmount);

impl Serialize for Fil {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.atto().to_string())
    }
}

impl std::fmt::Display for Fil {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&fil(&self.0))
    }
}
