//! `bauta wallet pending`: messages that a killed command has left on their way.

use std::fmt;

use bauta_abi::Method;
use bauta_client::network::Network;
use bauta_client::node::WaitSettings;
use bauta_client::sender::{Slip, Slips, Standing, standing};
use fvm_shared::METHOD_SEND;
use fvm_shared::clock::ChainEpoch;
use serde::Serialize;

use crate::args::WalletPending;
use crate::chain::{Fil, Spending};
use crate::context::Context;
use crate::output::{Output, Table};

#[derive(Serialize)]
struct Left {
    cid: String,
    from: String,
    nonce: u64,
    to: String,
    amount: Fil,
    method: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    method_name: Option<&'static str>,
    since: ChainEpoch,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<ChainEpoch>,
    /// Whether the command that was killed has still something to do with it.
    pending: bool,
}

impl Left {
    fn of(slip: &Slip, standing: Standing, pending: bool, network: &Network) -> Self {
        let message = &slip.signed.message;
        let (exit_code, epoch) = match standing {
            Standing::Executed { exit_code, height } => (Some(exit_code), Some(height)),
            _ => (None, None),
        };
        let state = match standing {
            Standing::Executed { exit_code: 0, .. } => "executed",
            Standing::Executed { .. } => "failed",
            Standing::Waiting => "waiting",
            Standing::Unsent => "unsent",
            Standing::Void => "void",
            Standing::Unknown => "unknown",
        };
        Self {
            cid: slip.signed.cid().to_string(),
            from: network.show(&message.from),
            nonce: message.sequence,
            to: network.show(&message.to),
            amount: Fil(message.value.clone()),
            method: message.method_num,
            method_name: match message.method_num {
                METHOD_SEND => Some("Send"),
                number => Method::from_number(number).map(Method::name),
            },
            since: slip.since,
            state,
            exit_code,
            epoch,
            pending,
        }
    }
}

#[derive(Serialize)]
struct Pending {
    messages: Vec<Left>,
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.messages.is_empty() {
            return f.write_str("nothing is on its way");
        }
        let mut table = Table::new(&["from", "nonce", "to", "amount", "method", "state", "message"]);
        for left in &self.messages {
            let method = left.method_name.map_or_else(|| left.method.to_string(), str::to_string);
            let state = match (left.exit_code, left.epoch) {
                (Some(0), Some(epoch)) => format!("executed at {epoch}"),
                (Some(code), Some(epoch)) => format!("failed at {epoch} with exit code {code}"),
                _ => left.state.into(),
            };
            let (from, to) = (left.from.clone(), left.to.clone());
            table.add(vec![from, left.nonce.to_string(), to, left.amount.to_string(), method, state, left.cid.clone()]);
        }
        table.fmt(f)
    }
}

/// Lists them, and sees those of the key in use through if that is wished.
pub async fn pending(context: &mut Context, args: WalletPending) -> anyhow::Result<Output> {
    let (node, network) = context.node().await?;
    let slips = Slips::of(context.home(), &*node, &network).await?;
    let mut found = slips.find(|_| true)?;
    found.sort_by_key(|slip| (slip.signed.message.from.to_bytes(), slip.signed.message.sequence));
    if args.finish && !found.is_empty() {
        let sender = context.sender().await?;
        let me = sender.address();
        sender.settle(|_| true, &Spending::new(context.notes(), &network, "sending")).await?;
        let others = found.iter().filter(|slip| slip.signed.message.from != me).count();
        if others > 0 {
            context.notes().say(format_args!("{others} of other keys are left: name them by --address"));
        }
    }
    let left = slips.find(|_| true)?;
    let wait = WaitSettings::for_network(&network);
    let mut messages = Vec::new();
    for slip in &found {
        messages.push(Left::of(slip, standing(&*node, slip, &wait).await?, left.contains(slip), &network));
    }
    let mine = context.me().ok().map(|me| network.show(&me));
    if messages.iter().any(|left| left.pending && (!args.finish || Some(&left.from) == mine.as_ref())) {
        context.notes().say(if args.finish {
            "what is still noted is for the command that sent it: the same command goes on with it"
        } else {
            "the command that sent it goes on with it when it is given again; `bauta wallet pending --finish` does so without"
        });
    }
    Ok(Output::new(&Pending { messages }))
}
