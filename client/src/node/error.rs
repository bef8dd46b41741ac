//! What can go wrong between us and a node.

use thiserror::Error;

/// Why a call has no result.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NodeError {
    /// The call may not have arrived, or its answer was lost.
    #[error("the node was not reached: {0}")]
    Unreachable(String),
    /// The node answered with an error.
    #[error("the node refused ({code}): {message}")]
    Refused {
        /// The JSON-RPC error code.
        code: i64,
        /// The node's sentence.
        message: String,
    },
    /// The node's answer is not what this call answers.
    #[error("the node's answer is not understood: {0}")]
    Malformed(String),
}

/// Lotus's typed error code for an actor that is not on the chain.
const ACTOR_NOT_FOUND: i64 = 11;
/// Lotus's typed error code for a message whose execution fails while gas is estimated.
const EXECUTION_REVERTED: i64 = 3;

/// What mempools say of messages that they do not take, in lower case (Lotus `chain/messagepool`, Forest `message_pool`).
const REFUSALS: &[&str] = &[
    "too big",
    "too large",
    "ever exist",
    "too low",
    "minimum expected",
    "fee cap",
    "feecap",
    "premium",
    "not enough funds",
    "invalid to address",
    "validation failure",
    "replace by fee",
    "too many pending",
    "too many messages",
    "nonce gap",
    "not valid for block inclusion",
    "not be included in a block",
    "signature",
    "gas limit",
    "gaslimit",
    "valid top-level sender",
    "not allowed",
    "not supported",
];

impl NodeError {
    /// Whether the node says that an address is not on the chain. Nodes word it differently; nearly all say "actor not found".
    pub fn is_actor_not_found(&self) -> bool {
        match self {
            Self::Refused { code: ACTOR_NOT_FOUND, .. } => true,
            Self::Refused { message, .. } => {
                let message = message.to_ascii_lowercase();
                // The second of `StateAccountKey` on Lotus.
                ["actor not found", "failed to find actor"].iter().any(|said| message.contains(said))
            }
            _ => false,
        }
    }

    /// Whether the node does not hold the object that was asked for.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Refused { message, .. } => {
                let message = message.to_ascii_lowercase();
                ["could not find", "not found", "failed to load message", "couldn't find"]
                    .iter()
                    .any(|phrase| message.contains(phrase))
                    && !message.contains("method")
            }
            _ => false,
        }
    }

    /// Whether the node does not serve this method.
    pub fn is_unknown_method(&self) -> bool {
        match self {
            Self::Refused { code: -32601, .. } => true,
            Self::Refused { message, .. } => message.to_ascii_lowercase().contains("method not supported"),
            _ => false,
        }
    }

    /// Whether the mempool says that it has this very message, and not just one with its nonce.
    ///
    /// Lotus says "already in mpool" of both; the last words differ. Forest: "Message with sequence already in mempool".
    pub fn is_already_pending(&self) -> bool {
        self.says(&["message with nonce already exists", "message with sequence already in mempool"])
    }

    /// Whether the node has found another message executed in the place of the one that it was asked for, which so can never be.
    pub fn is_replaced(&self) -> bool {
        self.says(&["not a valid replacement message"])
    }

    /// Whether a refusal to take a message says that it was not taken. Others do not: a pool that could not pass on what it has taken refuses, too
    /// (Lotus: "error publishing message"), and so does a gateway that has waited for its node for too long.
    pub fn is_definite(&self) -> bool {
        let Self::Refused { code, .. } = self else { return false };
        // JSON-RPC's own: it was no request, or to no method.
        (-32700..=-32600).contains(code) || self.says(REFUSALS)
    }

    /// Whether a refusal is of the hour: a limit on requests, a node behind the gateway that did not answer. It says nothing of what was asked.
    pub fn is_busy(&self) -> bool {
        self.says(&[
            "rate limit",
            "too many requests",
            "timeout",
            "timed out",
            "deadline exceeded",
            "overloaded",
            "unavailable",
            "try again",
        ])
    }

    /// Whether the mempool says that the sender cannot pay.
    pub fn is_lack_of_funds(&self) -> bool {
        self.says(&["not enough funds"])
    }

    fn says(&self, phrases: &[&str]) -> bool {
        let Self::Refused { message, .. } = self else { return false };
        let message = message.to_ascii_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    }

    /// The exit code and the sentence, where a node says that a message's execution would fail.
    ///
    /// Lotus: code 3, `message execution failed (exit=[Name(N)], vm error=[…])`; others write `exit code N`, `ExitCode(N)` or `exit Name(N)`.
    pub fn execution_failure(&self) -> Option<(u32, String)> {
        let Self::Refused { code, message } = self else { return None };
        let lower = message.to_ascii_lowercase();
        let exit = lower.match_indices("exit").find_map(|(at, word)| exit_number(&lower[at + word.len()..]));
        let of_execution = *code == EXECUTION_REVERTED || lower.contains("execut") || lower.contains("exit code");
        exit.filter(|exit| *exit != 0 && of_execution).map(|exit| (exit, reason(message)))
    }
}

/// The number after the word `exit`: `=[18]`, ` code 18`, ` USR_FORBIDDEN(18)`.
fn exit_number(rest: &str) -> Option<u32> {
    let at = rest.find(|c: char| c.is_ascii_digit())?;
    let between = &rest[..at];
    let is_label = between.len() <= 40 && between.chars().all(|c| c.is_ascii_alphabetic() || " =[(:_".contains(c));
    let digits: String = rest[at..].chars().take_while(char::is_ascii_digit).collect();
    if is_label { digits.parse().ok() } else { None }
}

/// What the VM says of a message that failed, without the exit code that Lotus appends: `WORDS (RetCode=N)`.
pub(crate) fn words(error: &str) -> &str {
    error.rsplit_once("(RetCode=").map_or(error, |(words, _)| words).trim()
}

/// Why it failed, out of the node's sentence: what the VM says, and with which reason a contract reverts; else all of it.
///
/// Lotus: `… (exit=[N], revert reason=[WHY], vm error=[WORDS (RetCode=N)])`, without a reason where no contract is called.
fn reason(message: &str) -> String {
    let Some((before, rest)) = message.split_once("vm error=[") else { return message.trim().to_string() };
    let words = words(rest.rsplit_once(']').map_or(rest, |(words, _)| words));
    let reverted = before.split_once("revert reason=[").and_then(|(_, reason)| reason.rsplit_once(']'));
    match reverted.map(|(reason, _)| reason).filter(|reason| *reason != "none") {
        Some(reason) if words.is_empty() => reason.to_string(),
        Some(reason) => format!("{words}: {reason}"),
        None if words.is_empty() => message.trim().to_string(),
        None => words.to_string(),
    }
}
