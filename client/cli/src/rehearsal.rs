//! `--dry-run`: what a command would send and ask.

use std::fmt;

use bauta_client::node::Rehearsed;
use serde::Serialize;
use serde_json::Value;

use crate::args::{Command, Key, Market, Wallet};
use crate::exit::Failure;
use crate::output::Rows;

/// Whether the messages of a command can be held back and shown.
///
/// Errors: usage, where it sends none, or goes on from what its messages have done.
pub fn allows(command: &Command) -> anyhow::Result<()> {
    let cannot = match command {
        Command::Put(_)
        | Command::Rm(_)
        | Command::Transfer(_)
        | Command::Grant(_)
        | Command::Revoke(_)
        | Command::Bounty(_)
        | Command::Deploy(_)
        | Command::Key(Key::Publish)
        | Command::Wallet(Wallet::Send(_)) => return Ok(()),
        Command::Init(_)
        | Command::Renew(_)
        | Command::Repair(_)
        | Command::Watch(_)
        | Command::Market(Market::Deal(_) | Market::Deposit(_) | Market::Withdraw(_)) => true,
        Command::Wallet(Wallet::Pending(args)) => args.finish,
        _ => false,
    };
    Err(Failure::usage(if cannot {
        "this command cannot be rehearsed yet: it would have to send messages to go on, and --dry-run sends none"
    } else {
        "--dry-run is for commands that send messages, and this is none"
    }))
}

#[derive(Serialize)]
struct Call {
    method: String,
    params: Value,
}

/// Messages in the Lotus form, and calls as they would go out; signatures are blotted out.
#[derive(Serialize)]
pub struct Report {
    messages: Vec<Value>,
    calls: Vec<Call>,
}

impl Report {
    /// Reports what was rehearsed.
    pub fn new(rehearsed: Rehearsed) -> Self {
        let calls = rehearsed.calls.into_iter().map(|call| Call { method: call.method, params: call.params });
        Self { messages: rehearsed.messages, calls: calls.collect() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |message: &Value, field: &str| message[field].to_string().trim_matches('"').to_owned();
        let messages = self.messages.iter().map(|message| {
            let [to, method, value] = ["To", "Method", "Value"].map(|field| of(message, field));
            format!("to {to}: method {method}, value {value}, gas limit {}", of(message, "GasLimit"))
        });
        let calls = self.calls.iter().map(|call| &call.method);
        Rows::default().each("would send", messages).each("would ask", calls).fmt(f)
    }
}
