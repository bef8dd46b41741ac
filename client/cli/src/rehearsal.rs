//! `--dry-run`: what a command would send and ask.

use std::fmt;

use bauta_client::node::Rehearsed;
use serde::Serialize;
use serde_json::Value;

use crate::args::{Command, Key, Wallet};
use crate::output::Rows;

/// Tells whether a command sends messages, and so can be rehearsed.
pub fn is_rehearsed(command: &Command) -> bool {
    match command {
        Command::Put(_)
        | Command::Rm(_)
        | Command::Transfer(_)
        | Command::Grant(_)
        | Command::Revoke(_)
        | Command::Bounty(_)
        | Command::Deploy(_) => true,
        Command::Key(key) => matches!(key, Key::Publish),
        Command::Wallet(wallet) => matches!(wallet, Wallet::Send(_)),
        _ => false,
    }
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
