//! A call's params: positional, decoded one by one.

use bauta_client::address::Address;
use bauta_client::node::json::{AddressJson, CidJson, TipsetKey};
use cid::Cid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Answer, RpcError, Service};

/// The params of one call, as many as the method takes.
pub(crate) struct Args {
    method: &'static str,
    values: Vec<Value>,
    /// Where JSON-RPC is served.
    pub url: Option<String>,
}

impl Args {
    pub(super) fn new(
        method: &'static str,
        least: usize,
        want: usize,
        params: Value,
        service: &Service,
    ) -> Result<Self, RpcError> {
        let mut values = positional(params)?;
        if !(least..=want).contains(&values.len()) {
            return Err(RpcError::arity(method, values.len(), want));
        }
        values.resize(want, Value::Null);
        Ok(Self { method, values, url: service.url.clone() })
    }

    /// Decodes the param `index`.
    pub fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, RpcError> {
        serde_json::from_value(self.values[index].clone()).map_err(|e| RpcError::param(self.method, e))
    }

    /// A param that decodes but makes no sense.
    pub fn refuse(&self, index: usize, reason: impl std::fmt::Display) -> RpcError {
        RpcError::param(self.method, format!("param {index}: {reason}"))
    }

    pub fn address(&self, index: usize) -> Result<Address, RpcError> {
        Ok(self.get::<AddressJson>(index)?.0)
    }

    pub fn cid(&self, index: usize) -> Result<Cid, RpcError> {
        Ok(self.get::<CidJson>(index)?.0)
    }

    pub fn key(&self, index: usize) -> Result<TipsetKey, RpcError> {
        self.get(index)
    }
}

/// Absent params are none; anything but an array is refused.
pub(super) fn positional(params: Value) -> Result<Vec<Value>, RpcError> {
    match params {
        Value::Null => Ok(vec![]),
        Value::Array(values) => Ok(values),
        _ => Err(RpcError::invalid_request("params must be an array")),
    }
}

/// Encodes an answer.
pub(super) fn answer<T: Serialize>(value: T) -> Answer {
    serde_json::to_value(value).map_err(|e| RpcError::application(format!("the answer does not encode: {e}")))
}
