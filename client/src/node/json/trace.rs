//! The result of executing a message without sending it (`StateCall`, `StateReplay`), with its trace.

use ::cid::Cid;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ActorState, MessageJson, Receipt, forms, null_is_default};

/// What a call came to. An actor's failure is in the receipt, not an RPC error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvocResult {
    /// The CID of the message that was executed.
    #[serde(with = "forms::cid")]
    pub msg_cid: Cid,
    /// The message, as executed.
    pub msg: MessageJson,
    /// The receipt; `null` only where execution could not begin.
    pub msg_rct: Option<Receipt>,
    /// What its gas would have cost.
    pub gas_cost: GasCost,
    /// What happened inside.
    #[serde(default)]
    pub execution_trace: Option<ExecutionTrace>,
    /// The VM's sentence about a failure; empty on success.
    #[serde(default)]
    pub error: String,
    /// Nanoseconds.
    #[serde(default)]
    pub duration: i64,
}

/// Where a message's gas money goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GasCost {
    /// The message; `null` for a call.
    #[serde(default, with = "forms::cid_option")]
    pub message: Option<Cid>,
    /// Units of gas, as decimal text like the amounts.
    #[serde(with = "forms::token")]
    pub gas_used: TokenAmount,
    /// Burned for the base fee.
    #[serde(with = "forms::token")]
    pub base_fee_burn: TokenAmount,
    /// Burned for asking for much more gas than used.
    #[serde(with = "forms::token")]
    pub over_estimation_burn: TokenAmount,
    /// Paid by the block's miner for including a message that cannot pay.
    #[serde(with = "forms::token")]
    pub miner_penalty: TokenAmount,
    /// Paid to the block's miner.
    #[serde(with = "forms::token")]
    pub miner_tip: TokenAmount,
    /// Given back.
    #[serde(with = "forms::token")]
    pub refund: TokenAmount,
    /// What the sender is poorer by, without the value.
    #[serde(with = "forms::token")]
    pub total_cost: TokenAmount,
}

/// One call and the calls that it made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionTrace {
    /// The call.
    pub msg: MessageTrace,
    /// Its result.
    pub msg_rct: ReturnTrace,
    /// Which actor ran; `null` when none did.
    #[serde(default)]
    pub invoked_actor: Option<ActorTrace>,
    /// Charges, if the node keeps them.
    #[serde(default, deserialize_with = "null_is_default")]
    pub gas_charges: Vec<GasTrace>,
    /// Calls made by this one, in order.
    #[serde(default, deserialize_with = "null_is_default")]
    pub subcalls: Vec<ExecutionTrace>,
    /// Log lines of debugging actors.
    #[serde(default, deserialize_with = "null_is_default")]
    pub logs: Vec<String>,
    /// Blocks read and written, if the node keeps them.
    #[serde(default, deserialize_with = "null_is_default")]
    pub ipld_ops: Vec<Value>,
}

/// A call inside of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageTrace {
    /// Caller.
    #[serde(with = "forms::address")]
    pub from: Address,
    /// Callee.
    #[serde(with = "forms::address")]
    pub to: Address,
    /// attoFIL sent along.
    #[serde(with = "forms::token")]
    pub value: TokenAmount,
    /// Method number.
    pub method: u64,
    /// Params.
    #[serde(default, with = "forms::bytes")]
    pub params: Vec<u8>,
    /// Params' codec; 0 without params.
    pub params_codec: u64,
    /// Gas that the call may use.
    #[serde(default)]
    pub gas_limit: Option<u64>,
    /// Whether the callee may not write.
    #[serde(default)]
    pub read_only: Option<bool>,
}

/// A result inside of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReturnTrace {
    /// 0 is success.
    pub exit_code: u32,
    /// The value.
    #[serde(rename = "Return", default, with = "forms::bytes")]
    pub return_data: Vec<u8>,
    /// The value's codec; 0 without a value.
    pub return_codec: u64,
}

/// An actor inside of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ActorTrace {
    /// Its ID.
    pub id: ActorID,
    /// Its state at the time.
    pub state: ActorState,
}

/// One gas charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GasTrace {
    /// What for.
    #[serde(rename = "Name")]
    pub name: String,
    /// All of it.
    #[serde(rename = "tg")]
    pub total: u64,
    /// For computing.
    #[serde(rename = "cg")]
    pub compute: u64,
    /// For storing.
    #[serde(rename = "sg")]
    pub storage: u64,
    /// Nanoseconds.
    #[serde(rename = "tt")]
    pub time: u64,
}
