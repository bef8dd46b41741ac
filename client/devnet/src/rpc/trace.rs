//! Execution traces: the VM's flat list of events as a tree of calls.

use bauta_client::message::Message;
use bauta_client::node::json::{ActorTrace, CidJson, ExecutionTrace, GasTrace, MessageTrace, ReturnTrace};
use fvm::trace::{ExecutionEvent, IpldOperation};
use fvm_shared::address::Address;
use serde_json::json;

use super::actors::show;
use crate::vm::Outcome;

/// The tree of calls; `None` if nothing was called.
pub(super) fn build(message: &Message, outcome: &Outcome) -> Option<ExecutionTrace> {
    let mut open: Vec<ExecutionTrace> = Vec::new();
    let mut root = None;
    let mut charges = Vec::new();
    for event in &outcome.trace {
        match event {
            ExecutionEvent::Call { from, to, method, params, value, gas_limit, read_only } => {
                open.push(ExecutionTrace {
                    msg: MessageTrace {
                        // The outermost call keeps the addresses that the message has.
                        from: if open.is_empty() { message.from } else { Address::new_id(*from) },
                        to: *to,
                        value: value.clone(),
                        method: *method,
                        params: params.as_ref().map(|p| p.data.clone()).unwrap_or_default(),
                        params_codec: params.as_ref().map_or(0, |p| p.codec),
                        gas_limit: Some(*gas_limit),
                        read_only: Some(*read_only),
                    },
                    msg_rct: ReturnTrace { exit_code: 0, return_data: vec![], return_codec: 0 },
                    invoked_actor: None,
                    gas_charges: std::mem::take(&mut charges),
                    subcalls: vec![],
                    logs: vec![],
                    ipld_ops: vec![],
                })
            }
            ExecutionEvent::CallReturn(exit, value) => {
                let value = value.as_ref();
                let returned = ReturnTrace {
                    exit_code: exit.value(),
                    return_data: value.map(|v| v.data.clone()).unwrap_or_default(),
                    return_codec: value.map_or(0, |v| v.codec),
                };
                close(&mut open, &mut root, returned);
            }
            ExecutionEvent::CallError(_) => {
                // Lotus shows calls that could not be made with the VM's own code for a failed assertion.
                let failed = fvm_shared::error::ExitCode::SYS_ASSERTION_FAILED.value();
                close(&mut open, &mut root, ReturnTrace { exit_code: failed, return_data: vec![], return_codec: 0 });
            }
            ExecutionEvent::InvokeActor { id, state } => {
                if let Some(call) = open.last_mut() {
                    call.invoked_actor = Some(ActorTrace { id: *id, state: show(state) });
                }
            }
            ExecutionEvent::Log(line) => {
                if let Some(call) = open.last_mut() {
                    call.logs.push(line.clone());
                }
            }
            ExecutionEvent::GasCharge(charge) => {
                let shown = GasTrace {
                    name: charge.name.to_string(),
                    total: charge.total().round_up(),
                    compute: charge.compute_gas.round_up(),
                    storage: charge.other_gas.round_up(),
                    time: 0,
                };
                match open.last_mut() {
                    Some(call) => call.gas_charges.push(shown),
                    None => charges.push(shown),
                }
            }
            ExecutionEvent::Ipld { op, cid, size } => {
                let op = match op {
                    IpldOperation::Get => "Get",
                    IpldOperation::Put => "Put",
                };
                let shown = json!({ "Op": op, "Cid": CidJson(*cid), "Size": size });
                if let Some(call) = open.last_mut() {
                    call.ipld_ops.push(shown);
                }
            }
            _ => {}
        }
    }
    while !open.is_empty() {
        let failed = ReturnTrace { exit_code: outcome.exit.value(), return_data: vec![], return_codec: 0 };
        close(&mut open, &mut root, failed);
    }
    root
}

fn close(open: &mut Vec<ExecutionTrace>, root: &mut Option<ExecutionTrace>, returned: ReturnTrace) {
    let Some(mut call) = open.pop() else { return };
    call.msg_rct = returned;
    match open.last_mut() {
        Some(caller) => caller.subcalls.push(call),
        None => *root = Some(call),
    }
}
