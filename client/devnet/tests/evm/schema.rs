//! The node's `eth_*` answers beside the schema that Ethereum publishes for them (ethereum/execution-apis, `src/eth` and `src/schemas`, of
//! July 2026), in our own words: what must be there, in which form, and where nothing else may be.

use bauta_client::address::EthAddress;
use bauta_client::message::eth::{EthTransaction, Form as TransactionForm};
use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::bundle::Bundle;
use bauta_devnet::genesis::Genesis;
use bauta_devnet::{Config, Devnet, spawn};
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

use crate::cases::{code, with};
use crate::scene::{abi, n};

/// What a value has to be.
enum Form {
    /// `0x` and so many lower-case digits; an address may have capitals.
    Digits(usize),
    /// `0x` and any even number of digits.
    Data,
    /// `0x` and a number without leading zeros.
    Number,
    /// Such a number below 256.
    Byte,
    Bool,
    /// A JSON number from 0 to 1.
    Ratio,
    Nothing,
    Is(Value),
    List(Box<Form>),
    Or(Box<Form>, Box<Form>),
    /// Fields; those with a question mark may be missing. A closed one has no others.
    Object {
        closed: bool,
        fields: Vec<(&'static str, Form)>,
    },
}

use Form::*;

const HASH: Form = Digits(64);
const ADDRESS: Form = Digits(40);

fn list(form: Form) -> Form {
    List(Box::new(form))
}

fn maybe(form: Form) -> Form {
    Or(Box::new(form), Box::new(Nothing))
}

fn digits(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix("0x").filter(|rest| rest.bytes().all(|c| c.is_ascii_hexdigit()))
}

impl Form {
    /// Writes down where a value is not like this.
    fn faults(&self, at: &str, value: &Value, found: &mut Vec<String>) {
        let lower = digits(value).filter(|rest| !rest.bytes().any(|c| c.is_ascii_uppercase()));
        let number = lower.filter(|rest| *rest == "0" || !rest.is_empty() && !rest.starts_with('0'));
        let fits = match self {
            Digits(40) => digits(value).is_some_and(|rest| rest.len() == 40),
            Digits(count) => lower.is_some_and(|rest| rest.len() == *count),
            Data => lower.is_some_and(|rest| rest.len() % 2 == 0),
            Number => number.is_some(),
            Byte => number.is_some_and(|rest| rest.len() <= 2),
            Bool => value.is_boolean(),
            Ratio => value.as_f64().is_some_and(|ratio| (0.0..=1.0).contains(&ratio)),
            Nothing => value.is_null(),
            Is(known) => value == known,
            List(of) => {
                let Some(all) = value.as_array() else { return found.push(format!("{at}: no list")) };
                return all.iter().for_each(|one| of.faults(&format!("{at}[]"), one, found));
            }
            Or(one, other) => {
                let (mut first, mut second) = (vec![], vec![]);
                one.faults(at, value, &mut first);
                other.faults(at, value, &mut second);
                let better = if first.len() <= second.len() { first } else { second };
                return found.extend(better);
            }
            Object { closed, fields } => {
                let Some(all) = value.as_object() else { return found.push(format!("{at}: no object")) };
                for (name, form) in fields {
                    let (name, needed) = (name.trim_end_matches('?'), !name.ends_with('?'));
                    match all.get(name) {
                        Some(value) => form.faults(&format!("{at}.{name}"), value, found),
                        None if needed => found.push(format!("{at}.{name}: missing")),
                        None => {}
                    }
                }
                let known = |name: &String| fields.iter().any(|(known, _)| known.trim_end_matches('?') == name);
                let foreign = all.keys().filter(|name| *closed && !known(name));
                return found.extend(foreign.map(|name| format!("{at}.{name}: foreign")));
            }
        };
        if !fits {
            found.push(format!("{at}: {value}"));
        }
    }
}

fn transaction() -> Form {
    let fields = |more: Vec<(&'static str, Form)>| {
        let mut fields = vec![
            ("blockHash", HASH),
            ("blockNumber", Number),
            ("blockTimestamp", Number),
            ("from", ADDRESS),
            ("hash", HASH),
            ("transactionIndex", Number),
            ("nonce", Number),
            ("to?", maybe(ADDRESS)),
            ("gas", Number),
            ("value", Number),
            ("input", Data),
            ("gasPrice", Number),
            ("r", Number),
            ("s", Number),
        ];
        fields.extend(more);
        Object { closed: false, fields }
    };
    let access = Object { closed: true, fields: vec![("address", ADDRESS), ("storageKeys", list(HASH))] };
    let typed = fields(vec![
        ("type", Is(json!("0x2"))),
        ("maxFeePerGas", Number),
        ("maxPriorityFeePerGas", Number),
        ("chainId", Number),
        ("accessList", list(access)),
        ("yParity", Byte),
        ("v?", Byte),
    ]);
    Or(Box::new(typed), Box::new(fields(vec![("type", Is(json!("0x0"))), ("chainId?", Number), ("v", Number)])))
}

fn log() -> Form {
    let fields = vec![
        ("removed?", Bool),
        ("logIndex?", Number),
        ("transactionIndex?", Number),
        ("transactionHash", HASH),
        ("blockHash?", HASH),
        ("blockNumber?", Number),
        ("blockTimestamp?", Number),
        ("address?", ADDRESS),
        ("data?", Data),
        ("topics?", list(HASH)),
    ];
    Object { closed: true, fields }
}

fn receipt() -> Form {
    let fields = vec![
        ("type?", Byte),
        ("transactionHash", HASH),
        ("transactionIndex", Number),
        ("blockHash", HASH),
        ("blockNumber", Number),
        ("from", ADDRESS),
        ("to?", maybe(ADDRESS)),
        ("cumulativeGasUsed", Number),
        ("gasUsed", Number),
        ("contractAddress?", maybe(ADDRESS)),
        ("logs", list(log())),
        ("logsBloom", Digits(512)),
        ("root?", HASH),
        ("status?", Number),
        ("effectiveGasPrice", Number),
    ];
    Object { closed: true, fields }
}

fn block(transactions: Form) -> Form {
    let hashes = ["hash", "parentHash", "sha3Uncles", "stateRoot", "transactionsRoot", "receiptsRoot", "mixHash"];
    let numbers = ["number", "gasLimit", "gasUsed", "timestamp", "size", "difficulty?", "baseFeePerGas?"];
    let mut fields: Vec<_> = hashes.map(|name| (name, HASH)).into();
    fields.extend(numbers.map(|name| (name, Number)));
    fields.extend([("miner", ADDRESS), ("logsBloom", Digits(512)), ("extraData", Data), ("nonce", Digits(16))]);
    fields.extend([("transactions", list(transactions)), ("uncles", list(HASH))]);
    Object { closed: false, fields }
}

pub struct Node {
    pub devnet: Devnet,
    pub key: Key,
    pub nonce: u64,
    pub found: Vec<String>,
}

impl Node {
    pub async fn ask(&self, method: &str, params: Value) -> Value {
        self.devnet.node().request(method, params).await.unwrap_or_else(|e| panic!("{method}: {e}"))
    }

    /// Asks, and compares what comes back.
    async fn check(&mut self, method: &str, params: Value, form: Form) -> Value {
        let answer = self.ask(method, params).await;
        form.faults(method, &answer, &mut self.found);
        answer
    }

    /// Sends a transaction and waits until it is in a block.
    pub async fn send(&mut self, form: TransactionForm, to: Option<EthAddress>, value: u64, input: Vec<u8>) -> Value {
        let mut transaction = EthTransaction {
            form,
            chain_id: 31_415_926,
            nonce: self.nonce,
            to,
            value: TokenAmount::from_atto(value),
            input,
            gas_limit: 5_000_000_000,
            max_fee: TokenAmount::from_atto(500),
            max_priority_fee: TokenAmount::from_atto(if form == TransactionForm::Eip1559 { 100 } else { 500 }),
            v: 0,
            r: [0; 32],
            s: [0; 32],
        };
        let signature = self.key.sign_bytes(&transaction.signing_bytes());
        let data = signature.data();
        transaction.r.copy_from_slice(&data[..32]);
        transaction.s.copy_from_slice(&data[32..64]);
        let legacy = match form {
            TransactionForm::Eip1559 => 0,
            TransactionForm::Eip155 => 35 + 2 * transaction.chain_id,
            TransactionForm::Homestead => 27,
        };
        transaction.v = legacy + u64::from(data[64]);
        self.nonce += 1;
        let raw = format!("0x{}", hex::encode(transaction.to_bytes()));
        let hash = self.check("eth_sendRawTransaction", json!([raw]), HASH).await;
        while self.ask("eth_getTransactionReceipt", json!([hash])).await.is_null() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        hash
    }
}

/// Where our node, which answers as Lotus does, is known to depart from the schema: a block's time stands in the block alone.
const KNOWN: [&str; 5] = [
    "eth_getBlockByHash.transactions[].blockTimestamp: missing",
    "eth_getBlockByNumber.transactions[].blockTimestamp: missing",
    "eth_getTransactionByBlockHashAndIndex.blockTimestamp: missing",
    "eth_getTransactionByBlockNumberAndIndex.blockTimestamp: missing",
    "eth_getTransactionByHash.blockTimestamp: missing",
];

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_forms_that_ethereum_publishes() {
    let key = Key::from_seed(KeyKind::Delegated, b"schema");
    let genesis = Genesis {
        bundle: Bundle::from_environment(),
        accounts: 1,
        funded: vec![(key.address(), TokenAmount::from_whole(1000))],
        ..Genesis::default()
    };
    let devnet = spawn(Config { genesis, ..Config::default() }).await.unwrap();
    let me = EthAddress::of(&key.address()).unwrap();
    let mut node = Node { devnet, key, nonce: 0, found: vec![] };

    let deployed = node.send(TransactionForm::Eip1559, None, 0, with(code("Child"), &[n(7)])).await;
    let receipt_of = node.check("eth_getTransactionReceipt", json!([deployed]), receipt()).await;
    let contract: EthAddress = receipt_of["contractAddress"].as_str().unwrap().parse().unwrap();
    let at = contract.to_string();
    // With a log, by an old form, one that fails, and money to somebody new.
    let set = node.send(TransactionForm::Eip1559, Some(contract), 0, abi("touch(uint256)", &[n(42)])).await;
    let legacy = node.send(TransactionForm::Eip155, Some(contract), 3, abi("touch(uint256)", &[n(43)])).await;
    let failed = node.send(TransactionForm::Eip1559, Some(contract), 0, vec![0xde, 0xad, 0xbe, 0xef]).await;
    let paid = node.send(TransactionForm::Eip1559, Some(EthAddress([0x5e; 20])), 5, vec![]).await;
    for hash in [&deployed, &set, &legacy, &failed, &paid] {
        node.check("eth_getTransactionByHash", json!([hash]), transaction()).await;
        let found = node.check("eth_getTransactionReceipt", json!([hash]), receipt()).await;
        let status = if *hash == failed { "0x0" } else { "0x1" };
        assert_eq!((&found["status"], &found["transactionHash"]), (&json!(status), hash), "{found}");
        let (block_hash, number, index) = (&found["blockHash"], &found["blockNumber"], &found["transactionIndex"]);
        node.check("eth_getBlockByHash", json!([block_hash, false]), block(HASH)).await;
        node.check("eth_getBlockByHash", json!([block_hash, true]), block(transaction())).await;
        node.check("eth_getBlockByNumber", json!([number, false]), block(HASH)).await;
        node.check("eth_getBlockByNumber", json!([number, true]), block(transaction())).await;
        node.check("eth_getBlockReceipts", json!([number]), list(receipt())).await;
        node.check("eth_getTransactionByBlockHashAndIndex", json!([block_hash, index]), transaction()).await;
        node.check("eth_getTransactionByBlockNumberAndIndex", json!([number, index]), transaction()).await;
        node.check("eth_getBlockTransactionCountByHash", json!([block_hash]), Number).await;
        node.check("eth_getBlockTransactionCountByNumber", json!([number]), Number).await;
    }

    for method in ["eth_chainId", "eth_blockNumber", "eth_gasPrice", "eth_maxPriorityFeePerGas"] {
        node.check(method, json!([]), Number).await;
    }
    node.check("eth_syncing", json!([]), Is(json!(false))).await;
    node.check("eth_accounts", json!([]), list(ADDRESS)).await;
    node.check("net_version", json!([]), Is(json!("31415926"))).await;
    for who in [me.to_string(), at.clone(), EthAddress([9; 20]).to_string()] {
        node.check("eth_getBalance", json!([who, "latest"]), Number).await;
        node.check("eth_getTransactionCount", json!([who, "latest"]), Number).await;
        node.check("eth_getCode", json!([who, "latest"]), Data).await;
    }
    node.check("eth_getStorageAt", json!([at, "0x0", "latest"]), HASH).await;
    let call = json!({ "from": me.to_string(), "to": at, "data": format!("0x{}", hex::encode(abi("number()", &[]))) });
    node.check("eth_call", json!([call, "latest"]), Data).await;
    node.check("eth_estimateGas", json!([call]), Number).await;
    let history = Object {
        closed: true,
        fields: vec![
            ("oldestBlock", Number),
            ("baseFeePerGas", list(Number)),
            ("gasUsedRatio", list(Ratio)),
            ("reward?", list(list(Number))),
        ],
    };
    node.check("eth_feeHistory", json!(["0x3", "latest", [10, 50]]), history).await;

    let range = json!({ "fromBlock": "0x0", "toBlock": "latest", "address": at });
    let logs = node.check("eth_getLogs", json!([range]), list(log())).await;
    assert!(logs.as_array().unwrap().len() >= 2, "{logs}");
    let filter = node.check("eth_newFilter", json!([range]), Number).await;
    node.check("eth_getFilterLogs", json!([filter]), list(log())).await;
    let blocks = node.check("eth_newBlockFilter", json!([]), Number).await;
    node.send(TransactionForm::Eip1559, Some(contract), 0, abi("touch(uint256)", &[n(44)])).await;
    let changes = node.check("eth_getFilterChanges", json!([filter]), list(log())).await;
    assert!(!changes.as_array().unwrap().is_empty(), "a filter sees what comes after it");
    node.check("eth_getFilterChanges", json!([blocks]), list(HASH)).await;
    node.check("eth_uninstallFilter", json!([filter]), Is(json!(true))).await;

    // What is not there is null.
    let nothing = format!("0x{}", "11".repeat(32));
    node.check("eth_getTransactionByHash", json!([nothing]), Nothing).await;
    node.check("eth_getTransactionReceipt", json!([nothing]), Nothing).await;

    let mut found = std::mem::take(&mut node.found);
    found.sort();
    found.dedup();
    assert_eq!(found, KNOWN, "(what is known stands in KNOWN)");
}

#[test]
fn forms_refuse_what_they_should() {
    let faults = |form: Form, value: Value| {
        let mut found = vec![];
        form.faults("x", &value, &mut found);
        found.len()
    };
    for good in ["0x0", "0x1", "0xff10"] {
        assert_eq!(faults(Number, json!(good)), 0, "{good}");
    }
    for bad in [json!("0x"), json!("0x01"), json!("1"), json!("0xFF"), json!(1), json!(null)] {
        assert_eq!(faults(Number, bad.clone()), 1, "{bad}");
    }
    assert_eq!((faults(Data, json!("0x")), faults(Data, json!("0x1"))), (0, 1));
    assert_eq!((faults(HASH, json!("0x11")), faults(ADDRESS, json!(format!("0x{}", "Ab".repeat(20))))), (1, 0));
    assert_eq!((faults(maybe(ADDRESS), json!(null)), faults(maybe(ADDRESS), json!("0x1"))), (0, 1));
    assert_eq!((faults(Byte, json!("0x100")), faults(Ratio, json!(1.5)), faults(Bool, json!(0))), (1, 1, 1));
    assert_eq!(faults(log(), json!({ "transactionHash": "0x1", "extra": 1 })), 2);
    assert_eq!(faults(list(Number), json!(["0x1", "0x", 3])), 2);
    assert_eq!(faults(receipt(), json!({})), 10);
}
