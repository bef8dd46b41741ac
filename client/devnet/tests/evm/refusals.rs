//! How the node says that a message would fail: code, sentence and data are Lotus's (`api/api_errors.go`, `node/impl/eth/gas.go`).

use bauta_abi::{Method, RemoveFileParams, encode};
use bauta_client::address::{EthAddress, keccak256};
use bauta_client::message::eth::{self, Form as TransactionForm};
use bauta_client::message::{self, Message};
use bauta_client::node::NodeError;
use bauta_client::node::json::{MessageJson, TipsetKey};
use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::bundle::Bundle;
use bauta_devnet::genesis::Genesis;
use bauta_devnet::{Config, spawn};
use fvm_ipld_encoding::{BytesDe, RawBytes, from_slice};
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

use crate::cases::{code, with};
use crate::scene::{abi, n};
use crate::schema::Node;

/// A chain with the contract that has a bit of everything, and its address.
pub async fn probed() -> (Node, EthAddress) {
    let key = Key::from_seed(KeyKind::Delegated, b"refused");
    let funded = vec![(key.address(), TokenAmount::from_whole(1000))];
    let genesis = Genesis { bundle: Bundle::from_environment(), accounts: 0, funded, ..Genesis::default() };
    let listen = Some(([127, 0, 0, 1], 0).into());
    let devnet = spawn(Config { genesis, listen, ..Config::default() }).await.unwrap();
    let mut node = Node { devnet, key, nonce: 0, found: vec![] };
    let deployed = node.send(TransactionForm::Eip1559, None, 0, with(code("Probe"), &[n(7)])).await;
    let receipt = node.ask("eth_getTransactionReceipt", json!([deployed])).await;
    (node, receipt["contractAddress"].as_str().unwrap().parse().unwrap())
}

/// The error that a call is answered with, as it is.
async fn refusal(node: &Node, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let posted =
        reqwest::Client::new().post(node.devnet.rpc_url().unwrap()).body(body.to_string()).send().await.unwrap();
    let answer: Value = posted.json().await.unwrap();
    assert!(answer.get("result").is_none(), "{method}: {answer}");
    answer["error"].clone()
}

pub fn draft(node: &Node, to: EthAddress, data: &[u8]) -> Message {
    let params = eth::params(data);
    message::draft(node.key.address(), to.to_filecoin(), TokenAmount::default(), eth::INVOKE_CONTRACT, params)
}

/// How what a contract returned is told.
type Reason<'a> = &'a dyn Fn(&[u8]) -> String;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_contract_reverts_with_is_told_to_all_who_ask() {
    let (node, at) = probed().await;
    let me = EthAddress::of(&node.key.address()).unwrap().to_string();
    let custom = |data: &[u8]| {
        assert_eq!(data[..4], keccak256(b"Custom(uint256,address)")[..4]);
        format!("0x{}", hex::encode(data))
    };
    let reasons: [(u128, Reason<'_>); 4] =
        [(0, &|_| "none".into()), (1, &|_| "Error(a reason)".into()), (2, &custom), (4, &|_| "DivideByZero()".into())];
    for (how, reason) in reasons {
        let data = abi("fail(uint256)", &[n(how)]);
        let draft = draft(&node, at, &data);
        let called = node.devnet.node().state_call(&draft, &TipsetKey::HEAD).await.unwrap();
        let error = called.error;
        assert!(error.starts_with("message failed with backtrace:\n") && error.ends_with("\n (RetCode=33)"), "{error}");
        let BytesDe(output) = from_slice(&called.msg_rct.unwrap().return_data).unwrap();
        let want = json!({
            "code": 3,
            "message": format!("message execution failed (exit=[33], revert reason=[{}], vm error=[{error}])", reason(&output)),
            "data": format!("0x{}", hex::encode(&output)),
        });
        let call = json!({ "from": me, "to": at.to_string(), "data": format!("0x{}", hex::encode(&data)) });
        let nobody = json!({ "to": at.to_string(), "data": call["data"] });
        let message = json!(MessageJson { message: draft, null_params: false });
        let mut asked = vec![
            ("eth_call", json!([call, "latest"])),
            ("eth_estimateGas", json!([call])),
            ("Filecoin.GasEstimateMessageGas", json!([message, null, null])),
        ];
        // The error of the contract's own names the caller.
        if how != 2 {
            asked.extend([("eth_call", json!([nobody, "latest"])), ("eth_estimateGas", json!([nobody]))]);
        }
        for (method, params) in asked {
            assert_eq!(refusal(&node, method, params.clone()).await, want, "{method} {params}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_gas_is_a_sentence_for_accounts_and_a_revert_for_all_others() {
    let (node, at) = probed().await;
    let data = abi("burn()", &[]);
    let call = |from: EthAddress| json!({ "from": from.to_string(), "to": at.to_string(), "data": format!("0x{}", hex::encode(&data)) });
    let me = call(EthAddress::of(&node.key.address()).unwrap());
    let sentence = json!({ "code": 1, "message": "failed to estimate gas: call ran out of gas" });
    assert_eq!(refusal(&node, "eth_estimateGas", json!([me])).await, sentence);
    let message = json!(MessageJson { message: draft(&node, at, &data), null_params: false });
    let plain = json!({ "code": 2, "message": "call ran out of gas" });
    assert_eq!(refusal(&node, "Filecoin.GasEstimateMessageGas", json!([message, null, null])).await, plain);
    let nobody = call(EthAddress([0x11; 20]));
    for (method, params) in [("eth_call", json!([me, "latest"])), ("eth_estimateGas", json!([nobody]))] {
        let refused = refusal(&node, method, params).await;
        assert_eq!((&refused["code"], &refused["data"]), (&json!(3), &json!("0x")), "{method}: {refused}");
        let message = refused["message"].as_str().unwrap();
        assert!(message.starts_with("message execution failed (exit=[SysErrOutOfGas(7)], vm error=["), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_code_has_its_name_and_no_reason_where_no_contract_is() {
    let (node, _) = probed().await;
    let actor = node.devnet.info().await.unwrap().actor.unwrap();
    let params = RawBytes::new(encode(&RemoveFileParams { id: 7 }).unwrap());
    let method = Method::RemoveFile.number();
    let draft = message::draft(node.key.address(), actor, TokenAmount::default(), method, params);
    let refused = node.devnet.node().gas_estimate(&draft, None).await.unwrap_err();
    let NodeError::Refused { code: 3, message } = &refused else { panic!("{refused:?}") };
    assert!(message.starts_with("message execution failed (exit=[ErrNotFound(17)], vm error=["), "{message}");
    assert_eq!(refused.execution_failure().map(|(exit, _)| exit), Some(17));
}
