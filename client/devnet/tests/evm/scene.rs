//! A chain with an f1 and an f410 account that send messages, and a record of all that comes of them.

use std::rc::Rc;

use bauta_client::address::EthAddress;
use bauta_client::message::eth::{ADDRESS_MANAGER, CREATE_EXTERNAL, INVOKE_CONTRACT, params};
use bauta_client::message::{self, SignedMessage};
use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::bundle::Bundle;
use bauta_devnet::chain::Chain;
use bauta_devnet::genesis::{Genesis, account_key};
use bauta_devnet::store::Store;
use cid::Cid;
use fvm_ipld_encoding::{BytesDe, RawBytes};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

/// Enough for every case; those that burn it all are given less.
pub const GAS: u64 = 2_000_000_000;

/// A value in Solidity's ABI.
pub enum Arg {
    Word([u8; 32]),
    Bytes(Vec<u8>),
}

pub fn n(number: u128) -> Arg {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&number.to_be_bytes());
    Arg::Word(word)
}

pub fn who(address: EthAddress) -> Arg {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address.0);
    Arg::Word(word)
}

pub fn bytes(bytes: impl Into<Vec<u8>>) -> Arg {
    Arg::Bytes(bytes.into())
}

/// Call data.
pub fn abi(signature: &str, args: &[Arg]) -> Vec<u8> {
    let mut data = bauta_client::address::keccak256(signature.as_bytes())[..4].to_vec();
    data.extend(encode(args));
    data
}

/// The same without a selector, as precompiles take it.
pub fn encode(args: &[Arg]) -> Vec<u8> {
    let (mut head, mut tail) = (vec![], vec![]);
    let word = |number: usize| {
        let mut word = [0; 32];
        word[24..].copy_from_slice(&(number as u64).to_be_bytes());
        word
    };
    for arg in args {
        match arg {
            Arg::Word(word) => head.extend(word),
            Arg::Bytes(bytes) => {
                head.extend(word(args.len() * 32 + tail.len()));
                tail.extend(word(bytes.len()));
                tail.extend(bytes);
                tail.resize(tail.len().next_multiple_of(32), 0);
            }
        }
    }
    [head, tail].concat()
}

/// What came of a message.
pub struct Outcome {
    pub exit: u32,
    pub value: RawBytes,
}

impl Outcome {
    /// The bytes in the byte string that was returned.
    pub fn data(&self) -> Vec<u8> {
        self.value.deserialize::<BytesDe>().map(|data| data.0).unwrap_or_default()
    }
}

pub struct Scene {
    chain: Chain,
    store: Rc<Store>,
    /// An f1 account.
    pub native: Key,
    /// An f410 account.
    pub eth: Key,
    /// Contracts whose state is recorded at the end.
    pub contracts: Vec<EthAddress>,
    steps: Vec<Value>,
}

impl Scene {
    pub fn new() -> Self {
        let eth = Key::from_seed(KeyKind::Delegated, b"an f410 account");
        let genesis = Genesis {
            bundle: Bundle::from_environment(),
            accounts: 2,
            funded: vec![(eth.address(), TokenAmount::from_whole(1000))],
            ..Genesis::default()
        };
        let chain = Chain::in_memory(&genesis).unwrap();
        let store = chain.store().clone();
        Self { chain, store, native: account_key(0), eth, contracts: vec![], steps: vec![] }
    }

    /// Sends a message and records what came of it.
    #[allow(clippy::too_many_arguments, reason = "the fields of a message, each of which some case sets")]
    pub fn send(
        &mut self,
        name: &str,
        key: &Key,
        to: Address,
        method: u64,
        value: u128,
        params: RawBytes,
        gas: u64,
    ) -> Outcome {
        let mut draft = message::draft(key.address(), to, TokenAmount::from_atto(value), method, params);
        draft.sequence = self.chain.next_nonce(&key.address()).unwrap().unwrap();
        draft.gas_limit = gas;
        draft.gas_fee_cap = TokenAmount::from_atto(5000);
        draft.gas_premium = TokenAmount::from_atto(1000);
        let signed = key.sign_on(draft, self.chain.network().chain_id).unwrap();
        self.push(name, signed)
    }

    pub fn push(&mut self, name: &str, signed: SignedMessage) -> Outcome {
        let cid = self.chain.push(signed).unwrap_or_else(|e| panic!("{name}: {e:#}"));
        self.chain.mine_one().unwrap();
        let included = self.chain.included(&cid).unwrap().unwrap_or_else(|| panic!("{name}: not included"));
        let outcome = Outcome { exit: included.receipt.exit_code.value(), value: included.receipt.return_data };
        let events = self.events(included.epoch, &cid);
        self.steps.push(json!({
            "name": name,
            "expect": { "exit": outcome.exit, "return": hex::encode(outcome.value.bytes()), "events": events },
        }));
        outcome
    }

    /// `[emitter, [[key, value]…]]`, as in `t1`, `d`.
    fn events(&self, epoch: i64, message: &Cid) -> Vec<Value> {
        let mut found = vec![];
        for (_, events) in self.store.events(epoch, epoch).unwrap() {
            for record in events.iter().filter(|record| record.message == *message) {
                let entries = record.event.event.entries.iter();
                let entries: Vec<_> =
                    entries.map(|e| json!([e.key, e.codec, e.flags.bits(), hex::encode(&e.value)])).collect();
                found.push(json!([record.event.emitter, entries]));
            }
        }
        found
    }

    /// Deploys code from the f1 account.
    pub fn deploy(&mut self, name: &str, initcode: &[u8], value: u128) -> EthAddress {
        let key = self.native.clone();
        self.deploy_from(name, &key, initcode, value)
    }

    pub fn deploy_from(&mut self, name: &str, key: &Key, initcode: &[u8], value: u128) -> EthAddress {
        let outcome = self.send(name, key, ADDRESS_MANAGER, CREATE_EXTERNAL, value, params(initcode), GAS);
        let made = outcome.value.deserialize::<(ActorID, Option<Address>, BytesDe)>();
        let made = made.map(|(_, _, address)| EthAddress(address.0.try_into().unwrap())).unwrap_or(EthAddress([0; 20]));
        if outcome.exit == 0 {
            self.contracts.push(made);
        }
        made
    }

    /// Calls a contract from the f1 account.
    pub fn call(&mut self, name: &str, to: EthAddress, data: Vec<u8>) -> Outcome {
        self.pay(name, to, data, 0)
    }

    pub fn pay(&mut self, name: &str, to: EthAddress, data: Vec<u8>, value: u128) -> Outcome {
        let key = self.native.clone();
        self.send(name, &key, to.to_filecoin(), INVOKE_CONTRACT, value, params(&data), GAS)
    }

    /// The same from the f410 account.
    pub fn call_as_eth(&mut self, name: &str, to: EthAddress, data: Vec<u8>, value: u128) -> Outcome {
        let key = self.eth.clone();
        self.send(name, &key, to.to_filecoin(), INVOKE_CONTRACT, value, params(&data), GAS)
    }

    /// Any method of a contract, from the f1 account.
    pub fn method(&mut self, name: &str, to: EthAddress, method: u64, params: RawBytes) -> Outcome {
        let key = self.native.clone();
        self.send(name, &key, to.to_filecoin(), method, 0, params, GAS)
    }

    /// Runs code and records the word that it leaves on the stack.
    pub fn eval(&mut self, name: &str, code: &str) {
        let mut runtime = hex::decode(code.replace(' ', "")).unwrap();
        runtime.extend([0x60, 0, 0x52, 0x60, 0x20, 0x60, 0, 0xf3]);
        let at = self.deploy(&format!("{name}: deployed"), &returning(&runtime), 0);
        self.call(name, at, vec![]);
    }

    /// The record, with the contracts' state at the end.
    pub fn finish(mut self) -> Vec<Value> {
        let eth = self.eth.address();
        for address in self.contracts.iter().map(|contract| contract.to_filecoin()).chain([eth]) {
            let state = self.chain.state().unwrap();
            let id = state.resolve(&address).unwrap();
            let actor = state.actor(&address).unwrap();
            // Whoever pays for gas has another balance on every bundle.
            let balance = actor.as_ref().filter(|_| address != eth).map(|a| a.balance.atto().to_string());
            self.steps.push(json!({
                "name": format!("in the end: {address}"),
                "expect": {
                    "id": id,
                    "balance": balance,
                    "sequence": actor.as_ref().map(|a| a.sequence),
                    "delegated": actor.as_ref().and_then(|a| a.delegated_address).map(|a| a.to_string()),
                    "state": actor.map(|a| a.state.to_string()),
                },
            }));
        }
        assert_eq!(self.chain.violations().unwrap(), Vec::<String>::new());
        self.steps
    }
}

/// Code that returns this code.
pub fn returning(runtime: &[u8]) -> Vec<u8> {
    let length = u16::try_from(runtime.len()).unwrap().to_be_bytes();
    let mut code = vec![0x61, length[0], length[1], 0x80, 0x60, 0x0c, 0x60, 0, 0x39, 0x60, 0, 0xf3];
    code.extend(runtime);
    code
}
