//! Errors in the Lotus dialect: code, sentence, and the HTTP status that go-jsonrpc gives them.

use bauta_client::address::Prefix;
use fvm_shared::address::Address;
use serde_json::{Value, json};

use crate::clock::Stopped;
use crate::estimate::EstimateError;
use crate::vm::Revert;

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message} (code {code})")]
pub struct RpcError {
    /// JSON-RPC code; 1 is any application error.
    pub code: i64,
    /// The sentence.
    pub message: String,
    /// What else a program may want to know, where Lotus says it.
    pub data: Option<Value>,
}

const APPLICATION: i64 = 1;
const OUT_OF_GAS: i64 = 2;
const EXECUTION_REVERTED: i64 = 3;
const ACTOR_NOT_FOUND: i64 = 11;
const NULL_ROUND: i64 = 12;
const LIMIT_EXCEEDED: i64 = -32005;
const TOO_LARGE: i64 = -32003;
const PARSE: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

impl RpcError {
    /// The node could not do what was asked.
    pub fn application(message: impl Into<String>) -> Self {
        Self { code: APPLICATION, message: message.into(), data: None }
    }

    /// The same, and what was being done.
    pub(crate) fn within(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    pub(crate) fn actor_not_found() -> Self {
        Self { code: ACTOR_NOT_FOUND, message: "actor not found".into(), data: None }
    }

    /// An address that is not on chain, in the words of most of Lotus's methods.
    pub(crate) fn unresolved(address: Address) -> Self {
        let address = Prefix::Testnet.show(&address);
        Self::application(format!("resolution lookup failed ({address}): resolve address {address}: actor not found"))
    }

    /// An epoch without a tipset.
    pub(crate) fn null_round(epoch: i64) -> Self {
        let message = format!("requested epoch was a null round ({epoch})");
        Self { code: NULL_ROUND, message, data: Some(epoch.into()) }
    }

    /// More than one answer holds.
    pub(crate) fn limit(message: String) -> Self {
        Self { code: LIMIT_EXCEEDED, message, data: None }
    }

    /// A call of a batch whose answers so far are as many bytes as one may have.
    pub(crate) fn response_too_large(bytes: usize) -> Self {
        let message = format!("response too large: the answers to a batch have at most {bytes} bytes");
        Self { code: TOO_LARGE, message, data: None }
    }

    pub(crate) fn is_limit(&self) -> bool {
        self.code == LIMIT_EXCEEDED
    }

    pub(crate) fn unknown_method(name: &str) -> Self {
        Self { code: METHOD_NOT_FOUND, message: format!("method '{name}' not found"), data: None }
    }

    /// A method that answers more than once, where only one answer can be given.
    pub(crate) fn no_channel(name: &str) -> Self {
        let message = format!("method '{name}' not supported in this mode (no out channel support)");
        Self { code: METHOD_NOT_FOUND, message, data: None }
    }

    pub(crate) fn arity(name: &str, got: usize, want: usize) -> Self {
        Self {
            code: INVALID_PARAMS,
            message: format!("wrong param count (method '{name}'): {got} != {want}"),
            data: None,
        }
    }

    pub(crate) fn param(name: &str, reason: impl std::fmt::Display) -> Self {
        Self { code: PARSE, message: format!("unmarshaling params for '{name}': {reason}"), data: None }
    }

    pub(crate) fn parse(reason: impl std::fmt::Display) -> Self {
        Self { code: PARSE, message: format!("unmarshaling request: {reason}"), data: None }
    }

    pub(crate) fn invalid_request(reason: &str) -> Self {
        Self { code: INVALID_REQUEST, message: reason.to_owned(), data: None }
    }

    /// The HTTP status that go-jsonrpc answers with.
    pub(crate) fn status(&self) -> u16 {
        match self.code {
            PARSE | METHOD_NOT_FOUND | INVALID_PARAMS => 500,
            INVALID_REQUEST => 400,
            _ => 200,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        error
    }
}

impl From<anyhow::Error> for RpcError {
    fn from(error: anyhow::Error) -> Self {
        Self::application(format!("{error:#}"))
    }
}

impl From<crate::store::StoreError> for RpcError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::application(error.to_string())
    }
}

impl From<Stopped> for RpcError {
    fn from(error: Stopped) -> Self {
        Self::application(error.to_string())
    }
}

impl From<Revert> for RpcError {
    /// With what the contract returned, in hex: Ethereum's tools read their own errors out of it.
    fn from(revert: Revert) -> Self {
        let data = format!("0x{}", hex::encode(&revert.data));
        Self { code: EXECUTION_REVERTED, message: revert.to_string(), data: Some(data.into()) }
    }
}

impl From<EstimateError> for RpcError {
    fn from(error: EstimateError) -> Self {
        match error {
            EstimateError::Fails(revert) => revert.into(),
            EstimateError::OutOfGas => Self { code: OUT_OF_GAS, message: error.to_string(), data: None },
            other => Self::application(other.to_string()),
        }
    }
}
