//! The Bauta actor over a node: views with typed answers, messages as values that a [`Sender`] signs.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use bauta_client::actor::Actor;
//! use bauta_client::address;
//! use bauta_client::network::Network;
//! use bauta_client::node::HttpNode;
//!
//! let node = Arc::new(HttpNode::connect(&Network::Local)?);
//! let actor = Actor::new(node, address::parse("t0100")?);
//! for (id, record) in actor.files_of(&address::parse("t01000")?).await? {
//!     println!("{id}: version {}, {} bytes", record.version, record.file.payload_size);
//! }
//! # Ok(())
//! # }
//! ```

mod call;
pub mod contract;
mod send;
mod views;

use std::sync::Arc;

use bauta_abi::{
    BASIS_POINTS, EPOCHS_IN_DAY, Exit, MAX_CLAIM_WINDOW, MAX_DURATION, MAX_NOTE, MAX_PROVIDERS, MAX_REPLICAS,
    MAX_SOURCE, Method, WireError,
};
use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::error::ExitCode;

use crate::node::{Node, NodeError};
use crate::sender::SendError;
#[cfg(doc)]
use crate::sender::Sender;

pub use call::Call;
pub use send::Done;

/// The actor at an address, as a node sees it.
#[derive(Clone)]
pub struct Actor {
    node: Arc<dyn Node>,
    address: Address,
}

impl Actor {
    /// The actor at this address; whether one is there shows at the first call.
    pub fn new(node: Arc<dyn Node>, address: Address) -> Self {
        Self { node, address }
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The node that is asked.
    pub fn node(&self) -> &Arc<dyn Node> {
        &self.node
    }
}

/// The actor's no: which method, which code, and the sentence that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{method} was refused: {} (exit code {code}{})", self.sentence(), self.detail())]
pub struct Rejection {
    /// The method's name.
    pub method: String,
    /// The exit code.
    pub code: u32,
    /// What the node adds; may be empty.
    pub message: String,
    /// The message that was executed and failed; none where the node only tried the call.
    pub executed: Option<Cid>,
}

/// How Lotus begins the trace of calls that ended in an exit code.
const BACKTRACE: &str = "message failed with backtrace:";
/// Longest text of a node that is passed on, in characters.
const MOST_WORDS: usize = 300;

impl Rejection {
    /// The code as the ABI names it, if it is one of the actor's.
    pub fn exit(&self) -> Option<Exit> {
        Exit::from_code(ExitCode::new(self.code))
    }

    /// What is wrong: as the actor itself has said it where the node tells, else by its code.
    fn sentence(&self) -> String {
        match self.exit() {
            Some(exit) => match self.own_words() {
                Some(said) => format!("{said}{}", allowed(&said)),
                None => exit.sentence().into(),
            },
            None => match self.code {
                4 => "there is no actor at this address".into(),
                6 => "the sender cannot pay for it".into(),
                7 => "it ran out of gas".into(),
                _ => "the message failed".into(),
            },
        }
    }

    /// What the actor has said in the trace of the virtual machine, whose lines are `00: f064 (method 1) -- words (code)`. Lines behind it are of
    /// those whom it has asked.
    fn own_words(&self) -> Option<String> {
        let (_, trace) = self.message.split_once(BACKTRACE)?;
        let code = format!(" ({})", self.code);
        let said = trace.lines().find_map(|line| line.split_once(" -- ")?.1.split_once(&code).map(|(said, _)| said))?;
        let said: String = said.chars().filter(|c| !c.is_control()).take(MOST_WORDS).collect();
        (!said.is_empty()).then_some(said)
    }

    /// What the node adds to our own sentence.
    fn detail(&self) -> String {
        if self.exit().is_some() && self.own_words().is_some() {
            return String::new();
        }
        let message: String = self.message.trim().chars().filter(|c| !c.is_control()).take(MOST_WORDS).collect();
        if message.is_empty() { message } else { format!(": {message}") }
    }
}

/// What a param that is out of bounds may be, for people: the actor only names it, because each of its bytes costs gas.
fn allowed(said: &str) -> String {
    let Some((_, field)) = said.rsplit_once("out of bounds: ") else { return String::new() };
    let days = |epochs: i64| epochs / EPOCHS_IN_DAY;
    let allowed = match field {
        "replicas" => format!("1 to {MAX_REPLICAS}"),
        "reward_per_replica" => "more than 0 FIL, and no more than there are".into(),
        "activation_bps" => format!("0 to {BASIS_POINTS}"),
        "min_duration" => format!("up to {} days", days(MAX_DURATION)),
        "claim_deadline" => format!("not in the past, and within {} days", days(MAX_CLAIM_WINDOW)),
        "providers" => format!("{MAX_PROVIDERS} at most"),
        "source" => format!("{MAX_SOURCE} bytes at most"),
        "note" => format!("{MAX_NOTE} bytes at most"),
        "expiration" => "later than now".into(),
        "to" | "address" => "somebody else than the owner".into(),
        _ => return String::new(),
    };
    format!(" ({allowed})")
}

/// Why a call of the actor has no result. The three are told apart: it did not arrive or was refused by the node; the actor rejected it; the answer
/// is none.
#[derive(Debug, thiserror::Error)]
pub enum ActorError {
    /// The node was not reached, or did not take the call.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The message was not sent, or nobody knows yet how it ended.
    #[error(transparent)]
    Send(Box<SendError>),
    /// The actor ran and said no.
    #[error(transparent)]
    Rejected(Box<Rejection>),
    /// What we wanted to send is out of the ABI's bounds.
    #[error("{} cannot be called like this: {why}{}", .method.name(), allowed(&.why.to_string()))]
    Params {
        /// Which method.
        method: Method,
        /// What is wrong.
        why: WireError,
    },
    /// What came back is not what the method returns.
    #[error("{} answered what it cannot: {why}", .method.name())]
    Answer {
        /// Which method.
        method: Method,
        /// What is wrong.
        why: WireError,
    },
    /// The message is on the chain, and what it returned cannot be read. It is done: to send it again would do it twice.
    #[error("{} is done, by message {cid}; what it returned cannot be read: {why}", .method.name())]
    Unread {
        /// Which method.
        method: Method,
        /// The message.
        cid: Box<Cid>,
        /// What is wrong with its return.
        why: WireError,
    },
}

impl From<Rejection> for ActorError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(Box::new(rejection))
    }
}

impl From<SendError> for ActorError {
    fn from(error: SendError) -> Self {
        Self::Send(Box::new(error))
    }
}

impl ActorError {
    /// The actor's exit, if it said no.
    pub fn exit(&self) -> Option<Exit> {
        match self {
            Self::Rejected(rejection) => rejection.exit(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
