//! A contract's events and logs: by whom, from when on, and where Lotus has nothing or refuses.

use bauta_client::address::{EthAddress, Prefix};
use bauta_client::message::eth::Form as TransactionForm;
use bauta_client::node::NodeError;
use bauta_client::node::json::{EventFilter, TipsetKey};
use fvm_ipld_encoding::{BytesDe, from_slice};
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

use crate::cases::{code, with};
use crate::refusals::{draft, probed};
use crate::scene::{abi, bytes, n, returning};
use crate::schema::Node;

/// A contract that has emitted once, and the block's number.
async fn logged() -> (Node, EthAddress, i64) {
    let (mut node, at) = probed().await;
    let data = abi("logs(uint256,bytes32,bytes)", &[n(1), n(2), bytes(*b"some data")]);
    let sent = node.send(TransactionForm::Eip1559, Some(at), 0, data).await;
    let receipt = node.ask("eth_getTransactionReceipt", json!([sent])).await;
    let number = receipt["blockNumber"].as_str().unwrap().trim_start_matches("0x");
    let number = i64::from_str_radix(number, 16).unwrap();
    (node, at, number)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_emits_by_its_f410_address() {
    let (node, at, number) = logged().await;
    let shown = json!(Prefix::Testnet.show(&at.to_filecoin()));
    let id = node.ask("Filecoin.StateLookupID", json!([shown, null])).await;
    let of = |address: &Value| json!([{ "addresses": [address], "fromHeight": number }]);
    let found = node.ask("Filecoin.GetActorEventsRaw", of(&shown)).await;
    assert_eq!(found.as_array().unwrap().len(), 7);
    assert!(found.as_array().unwrap().iter().all(|event| event["emitter"] == shown), "{found}");
    // It is found by its id, too, and is shown alike.
    assert_eq!(node.ask("Filecoin.GetActorEventsRaw", of(&id)).await, found);
    // As the client reads it.
    let filter = EventFilter::of_actor(at.to_filecoin(), number, None);
    let read = node.devnet.node().actor_events(&filter).await.unwrap();
    assert!(read.len() == 7 && read.iter().all(|event| event.emitter == at.to_filecoin()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_begins_with_what_its_range_already_has() {
    let (mut node, at, number) = logged().await;
    let past = json!([{ "address": at.to_string(), "fromBlock": format!("{number:#x}") }]);
    let all = node.ask("eth_getLogs", past.clone()).await;
    assert_eq!(all.as_array().unwrap().len(), 7);
    let filter = node.ask("eth_newFilter", past).await;
    let block = node.ask("eth_newFilter", json!([{ "blockHash": all[0]["blockHash"] }])).await;
    for told in [all, json!([])] {
        assert_eq!(node.ask("eth_getFilterChanges", json!([filter])).await, told);
        assert_eq!(node.ask("eth_getFilterChanges", json!([block])).await, told);
    }
    node.send(TransactionForm::Eip1559, Some(at), 0, abi("logs(uint256,bytes32,bytes)", &[n(1), n(2), bytes([])]))
        .await;
    assert_eq!(node.ask("eth_getFilterChanges", json!([filter])).await.as_array().unwrap().len(), 7);
    assert_eq!(node.ask("eth_getFilterChanges", json!([block])).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_of_logs_are_numbers_and_two_tags() {
    let (node, ..) = probed().await;
    let node = node.devnet.node();
    let wrapped = "failed to get events for filter: failed to parse eth filter spec: ";
    for (spec, sentence) in [
        (json!({ "fromBlock": "safe" }), "FromBlock is not a hex"),
        (json!({ "fromBlock": "pending" }), "FromBlock is not a hex"),
        (json!({ "fromBlock": "0x0", "toBlock": "finalized" }), "ToBlock is not a hex"),
        (json!({ "fromBlock": "0x" }), "invalid epoch"),
        (
            json!({ "fromBlock": "0x2", "toBlock": "0x1" }),
            "invalid epoch range: to block (1) must be after from block (2)",
        ),
    ] {
        let refused = node.request("eth_newFilter", json!([spec])).await.unwrap_err();
        assert_eq!(refused, NodeError::Refused { code: 1, message: sentence.into() }, "{spec}");
        let refused = node.request("eth_getLogs", json!([spec])).await.unwrap_err();
        assert_eq!(refused, NodeError::Refused { code: 1, message: format!("{wrapped}{sentence}") }, "{spec}");
    }
    let refused = node.request("eth_getLogs", json!([{ "toBlock": "0x500" }])).await.unwrap_err();
    let sentence = "failed to get events for filter: events for the requested block are not yet available";
    assert_eq!(refused, NodeError::Refused { code: 1, message: sentence.into() });
    let refused = node.request("eth_getLogs", json!([{ "fromBlock": "0x0", "toBlock": "0xb41" }])).await.unwrap_err();
    let sentence = "block range exceeds maximum of 2880 (got 2881)";
    assert_eq!(refused, NodeError::Refused { code: -32005, message: sentence.into() });
    assert!(node.request("eth_getLogs", json!([{ "fromBlock": "earliest", "toBlock": "latest" }])).await.is_ok());
    let nobody = EthAddress([0x31; 20]).to_string();
    assert_eq!(node.request("eth_getTransactionCount", json!([nobody, "latest"])).await.unwrap(), json!("0x0"));
    let refused = node.request("eth_getTransactionCount", json!([nobody, "pending"])).await.unwrap_err();
    assert!(
        refused.to_string().contains("failed to get nonce from mpool: ") && refused.is_actor_not_found(),
        "{refused}"
    );
}

/// Code that returns what one instruction says.
fn saying(instruction: u8) -> Vec<u8> {
    returning(&[instruction, 0x60, 0, 0x52, 0x60, 0x20, 0x60, 0, 0xf3])
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pays_nothing_sees_a_base_fee_of_nothing() {
    let (mut node, _) = probed().await;
    let deployed = node.send(TransactionForm::Eip1559, None, 0, saying(0x48)).await;
    let receipt = node.ask("eth_getTransactionReceipt", json!([deployed])).await;
    assert_eq!(receipt["cumulativeGasUsed"], json!("0x0"));
    let called = node.ask("eth_call", json!([{ "to": receipt["contractAddress"] }, "latest"])).await;
    assert_eq!(called, json!(format!("0x{:064x}", 0)));
    // A message that offers something is told what it would cost.
    let at: EthAddress = receipt["contractAddress"].as_str().unwrap().parse().unwrap();
    let mut draft = draft(&node, at, &[]);
    for (cap, seen) in [(0, 0), (500, 100)] {
        draft.gas_fee_cap = TokenAmount::from_atto(cap);
        let receipt = node.devnet.node().state_call(&draft, &TipsetKey::HEAD).await.unwrap().msg_rct.unwrap();
        let said: BytesDe = from_slice(&receipt.return_data).unwrap();
        assert_eq!(said.0.last(), Some(&seen));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_transaction_names_no_chain() {
    let (mut node, _) = probed().await;
    let sent = node.send(TransactionForm::Homestead, None, 0, with(code("Child"), &[n(3)])).await;
    let found = node.ask("eth_getTransactionByHash", json!([sent])).await;
    assert_eq!((&found["type"], &found["chainId"]), (&json!("0x0"), &json!("0x0")), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_the_vm_refuses_is_a_failed_assertion() {
    let (mut node, _) = probed().await;
    for (length, exit) in [(0x2000u16, 0), (0x2001, 24)] {
        let [high, low] = length.to_be_bytes();
        let code = returning(&[0x61, high, low, 0x60, 0, 0xa0]);
        let deployed = node.send(TransactionForm::Eip1559, None, 0, code).await;
        let receipt = node.ask("eth_getTransactionReceipt", json!([deployed])).await;
        let at: EthAddress = receipt["contractAddress"].as_str().unwrap().parse().unwrap();
        let draft = draft(&node, at, &[]);
        let called = node.devnet.node().state_call(&draft, &TipsetKey::HEAD).await.unwrap();
        assert_eq!(called.msg_rct.unwrap().exit_code, exit, "{length}: {}", called.error);
    }
}
