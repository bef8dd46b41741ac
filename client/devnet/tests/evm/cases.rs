//! What is tried, in this order: a change in the middle changes the addresses of everything below.

use bauta_client::address::EthAddress;
use bauta_client::message::eth::{ADDRESS_MANAGER, CREATE_EXTERNAL, INVOKE_CONTRACT, params};
use bauta_devnet::genesis::account_key;
use fvm_ipld_encoding::{BytesSer, RawBytes};
use serde_json::Value;

use crate::precompiles::{self, precompile};
use crate::scene::{Arg, GAS, Scene, abi, bytes, encode, n, returning, who};

/// Code of one of Probe.sol's contracts.
pub fn code(contract: &str) -> Vec<u8> {
    let built: Value = serde_json::from_str(include_str!("Probe.json")).unwrap();
    hex::decode(built[contract]["bytecode"].as_str().unwrap().trim_start_matches("0x")).unwrap()
}

/// Code and the arguments of its constructor.
pub fn with(mut code: Vec<u8>, args: &[Arg]) -> Vec<u8> {
    code.extend(encode(args));
    code
}

/// The address in the first word of what was returned.
fn first_address(data: &[u8]) -> EthAddress {
    data.get(12..32).map_or(EthAddress([0; 20]), |address| EthAddress(address.try_into().unwrap()))
}

pub fn run(scene: &mut Scene) {
    let probe = scene.deploy("deployed by f1", &with(code("Probe"), &[n(7)]), 1_000_000);
    deployment(scene);
    storage(scene, probe);
    failures(scene, probe);
    surroundings(scene, probe);
    let child = creation(scene, probe);
    calls(scene, probe, child);
    native_methods(scene, probe);
    precompiles::run(scene, probe, child);
    destruction(scene, probe, child);
    instructions(scene);
}

fn deployment(scene: &mut Scene) {
    let eth = scene.eth.clone();
    scene.deploy_from("deployed by f410", &eth, &with(code("Child"), &[n(3)]), 5);
    scene.deploy("constructor reverts", &with(code("Child"), &[n(666)]), 0);
    scene.deploy("without code", &[], 3);
    scene.deploy("the longest code", &returning(&vec![0; 24_576]), 0);
    scene.deploy("code too long", &returning(&vec![0; 24_577]), 0);
    scene.deploy("code begins with ef", &returning(&[0xef, 0]), 0);
    scene.deploy("initcode stops", &[0], 0);
    let native = scene.native.clone();
    let mut manager = |name: &str, method, params| {
        scene.send(name, &native, ADDRESS_MANAGER, method, 0, params, GAS);
    };
    manager("manager: constructor", 1, RawBytes::default());
    manager("manager: Create by an account", 2, RawBytes::serialize((BytesSer(&[0]), 1u64)).unwrap());
    manager("manager: Create2 by an account", 3, RawBytes::serialize((BytesSer(&[0]), BytesSer(&[0; 32]))).unwrap());
    manager("manager: params that are no bytes", CREATE_EXTERNAL, RawBytes::serialize((1, 2)).unwrap());
    manager("manager: no such method", 5, RawBytes::default());
    manager("manager: Create with broken params", 2, RawBytes::new(vec![0xff]));
}

fn storage(scene: &mut Scene, probe: EthAddress) {
    scene.call("number", probe, abi("number()", &[]));
    scene.call("text", probe, abi("text()", &[]));
    scene.pay("set with money", probe, abi("set(uint256)", &[n(8)]), 9);
    scene.call_as_eth("set by f410", probe, abi("set(uint256)", &[n(u128::MAX)]), 11);
    scene.call("set to zero", probe, abi("set(uint256)", &[n(0)]));
    scene.call("put", probe, abi("put(uint256,uint256)", &[n(1000), n(40)]));
    scene.call("get", probe, abi("numbers(uint256)", &[n(1017)]));
    scene.call("list", probe, abi("list(uint256)", &[n(39)]));
    scene.call("clear", probe, abi("clear(uint256,uint256)", &[n(1000), n(37)]));
    scene.call("list after", probe, abi("list(uint256)", &[n(3)]));
    scene.call("transient", probe, abi("transient_(uint256,uint256)", &[n(5), n(77)]));
    scene.call("transient is gone", probe, abi("transientAt(uint256)", &[n(5)]));
    scene.call("logs", probe, abi("logs(uint256,bytes32,bytes)", &[n(1), n(2), bytes(*b"some data")]));
    scene.pay("received", probe, vec![], 100);
    scene.call("selector that nobody knows", probe, vec![1, 2, 3, 4]);
    scene.pay("not payable", probe, abi("number()", &[]), 1);
}

fn failures(scene: &mut Scene, probe: EthAddress) {
    for how in 0..=9 {
        scene.call(&format!("fail {how}"), probe, abi("fail(uint256)", &[n(how)]));
    }
    let native = scene.native.clone();
    let (to, data) = (probe.to_filecoin(), params(&abi("burn()", &[])));
    scene.send("out of gas", &native, to, INVOKE_CONTRACT, 0, data, 50_000_000);
}

fn surroundings(scene: &mut Scene, probe: EthAddress) {
    scene.pay("environment for f1", probe, abi("environment()", &[]), 17);
    scene.call_as_eth("environment for f410", probe, abi("environment()", &[]), 19);
    let f1 = account_key(1).address();
    assert_eq!(EthAddress::of(&f1), None, "f1 has to be resolved");
    for (name, address) in [
        ("itself", probe),
        ("an f410 account", EthAddress::of(&scene.eth.address()).unwrap()),
        ("the system actor", EthAddress::from_id(0)),
        ("a miner", EthAddress::from_id(1000)),
        ("an account by its id", EthAddress::from_id(101)),
        ("nobody by id", EthAddress::from_id(99_999_999)),
        ("nobody", EthAddress([7; 20])),
        ("a precompile", precompile(0, 4)),
        ("a precompile of Filecoin", precompile(0xfe, 5)),
        ("no precompile", precompile(0xfe, 4)),
        ("zero", EthAddress([0; 20])),
    ] {
        // Balances of accounts and of the system depend on the price of gas.
        let method = if matches!(name, "an f410 account" | "the system actor" | "a miner" | "an account by its id") {
            continue_without_balance(scene, probe, name, address);
            continue;
        } else {
            "account(address)"
        };
        scene.call(&format!("account: {name}"), probe, abi(method, &[who(address)]));
    }
}

/// Code, size and hash, by instructions: EXTCODEHASH, EXTCODESIZE.
fn continue_without_balance(scene: &mut Scene, _: EthAddress, name: &str, address: EthAddress) {
    let address = hex::encode(address.0);
    scene.eval(&format!("code hash: {name}"), &format!("73{address}3f"));
    scene.eval(&format!("code size: {name}"), &format!("73{address}3b"));
}

fn creation(scene: &mut Scene, probe: EthAddress) -> EthAddress {
    let made = scene.call("create", probe, abi("create(uint256,uint256)", &[n(5), n(50)]));
    let child = first_address(&made.data());
    scene.contracts.push(child);
    scene.call("create reverts", probe, abi("create(uint256,uint256)", &[n(666), n(0)]));
    scene.call("create without the money", probe, abi("create(uint256,uint256)", &[n(5), n(1 << 100)]));
    let salted = abi("create2(uint256,bytes32)", &[n(6), n(99)]);
    let made = scene.call("create2", probe, salted.clone());
    scene.contracts.push(first_address(&made.data()));
    scene.call("create2 again", probe, salted);
    scene.call("create2 with another salt", probe, abi("create2(uint256,bytes32)", &[n(6), n(100)]));
    child
}

fn calls(scene: &mut Scene, probe: EthAddress, child: EthAddress) {
    let touch = abi("touch(uint256)", &[n(41)]);
    let refuse = abi("refuse(uint256)", &[n(13)]);
    let call = |to, value, data: &[u8]| abi("call(address,uint256,bytes)", &[who(to), n(value), bytes(data)]);
    let static_call = |to, data: &[u8]| abi("staticCall(address,bytes)", &[who(to), bytes(data)]);
    let delegate = |to, data: &[u8]| abi("delegateCall(address,bytes)", &[who(to), bytes(data)]);
    let nobody = EthAddress([9; 20]);
    let (native, eth) = (EthAddress::from_id(101), EthAddress::of(&scene.eth.address()).unwrap());

    scene.call("call", probe, call(child, 0, &touch));
    scene.call("call with money", probe, call(child, 21, &touch));
    scene.call("call without the money", probe, call(child, 1 << 100, &touch));
    scene.call("call is refused", probe, call(child, 3, &refuse));
    scene.call("call of nobody", probe, call(nobody, 0, &touch));
    scene.call("call of nobody with money", probe, call(nobody, 4, &touch));
    scene.call("call of an f1 account", probe, call(native, 5, &touch));
    scene.call("call of an f410 account", probe, call(eth, 6, &touch));
    scene.call("call of a native actor", probe, call(EthAddress::from_id(5), 0, &touch));
    scene.call("call of nobody by id", probe, call(EthAddress::from_id(99_999_999), 0, &touch));
    scene.call("call of nobody by id with money", probe, call(EthAddress::from_id(99_999_999), 1, &touch));
    scene.call("static call", probe, static_call(child, &abi("number()", &[])));
    scene.call("static call that writes", probe, static_call(child, &touch));
    scene.call("static call of nobody", probe, static_call(EthAddress([10; 20]), &touch));
    scene.call("static call that creates", probe, static_call(probe, &abi("create(uint256,uint256)", &[n(1), n(0)])));
    scene.call(
        "static call that logs",
        probe,
        static_call(probe, &abi("logs(uint256,bytes32,bytes)", &[n(1), n(2), bytes(vec![])])),
    );
    scene.call("static call that pays", probe, static_call(probe, &call(child, 1, &[])));
    scene.call(
        "static call that transiently writes",
        probe,
        static_call(probe, &abi("transient_(uint256,uint256)", &[n(1), n(2)])),
    );
    scene.call("static call that dies", probe, static_call(child, &abi("die(address)", &[who(eth)])));
    scene.pay("delegate call", probe, delegate(child, &touch), 8);
    scene.call("delegate call has written", probe, abi("number()", &[]));
    scene.call("delegate call is refused", probe, delegate(child, &refuse));
    scene.call("delegate call of an account", probe, delegate(native, &touch));
    scene.call("delegate call of nobody", probe, delegate(EthAddress([11; 20]), &touch));
    scene.call("delegate call of a native actor", probe, delegate(EthAddress::from_id(5), &touch));
    scene.call(
        "call with too little gas",
        probe,
        abi("callWithGas(address,uint256,bytes)", &[who(child), n(1000), bytes(touch.clone())]),
    );
    scene.call("transfer to an f410 account", probe, abi("pay(address,uint256)", &[who(eth), n(10)]));
    scene.call("transfer to a contract", probe, abi("pay(address,uint256)", &[who(child), n(10)]));
    scene.call("transfer without the money", probe, abi("pay(address,uint256)", &[who(child), n(1 << 100)]));
    scene.call("calls itself", probe, call(probe, 0, &abi("set(uint256)", &[n(123)])));
    scene.call("what itself wrote", probe, abi("number()", &[]));
    scene.call("recurses", probe, abi("recurse(uint256)", &[n(20)]));
}

fn native_methods(scene: &mut Scene, probe: EthAddress) {
    let params = RawBytes::serialize((1, "two")).unwrap();
    for method in 20_000_000..=20_000_006 {
        scene.method(&format!("method {method}"), probe, method, params.clone());
    }
    scene.method("method without params", probe, 20_000_000, RawBytes::default());
    scene.method(
        "a failed method wrote nothing",
        probe,
        INVOKE_CONTRACT,
        bauta_client::message::eth::params(&abi("number()", &[])),
    );
    for method in [1, 2, 3, 4, 5, 6, 7, 1023] {
        scene.method(&format!("method {method} of a contract"), probe, method, RawBytes::default());
    }
    scene.method("the smallest method of its own", probe, 1024, RawBytes::default());
    scene.method("GetStorageAt by an account", probe, 5, RawBytes::serialize((BytesSer(&[0]),)).unwrap());
    scene.method("GetBytecode with params", probe, 3, params.clone());
    scene.method("InvokeEVM without params", probe, INVOKE_CONTRACT, RawBytes::default());
    scene.method("InvokeEVM with other params", probe, INVOKE_CONTRACT, params);
}

fn destruction(scene: &mut Scene, probe: EthAddress, child: EthAddress) {
    let eth = EthAddress::of(&scene.eth.address()).unwrap();
    let heir = EthAddress([0x77; 20]);
    scene.call("dies twice", probe, abi("dieTwice(address,address)", &[who(child), who(heir)]));
    scene.call("the dead answer nothing", child, abi("number()", &[]));
    scene.pay("the dead take money", child, vec![], 5);
    scene.method("GetBytecode of the dead", child, 3, RawBytes::default());
    scene.method("GetBytecodeHash of the dead", child, 4, RawBytes::default());
    scene.call("account: the dead", probe, abi("account(address)", &[who(child)]));
    // One made with a salt can be made again.
    let salted = abi("create2(uint256,bytes32)", &[n(6), n(99)]);
    let twin = *scene.contracts.last().unwrap();
    scene.call("the twin dies", twin, abi("die(address)", &[who(eth)]));
    scene.call("the twin rises", probe, salted);
    scene.call("the twin lives", twin, abi("number()", &[]));
    let nobody = EthAddress::from_id(99_999_999);
    scene.call("dies for nobody", twin, abi("die(address)", &[who(nobody)]));
    scene.call("the twin still lives", twin, abi("number()", &[]));
}

fn instructions(scene: &mut Scene) {
    let cases = [
        ("stops at the end", "60016002"),
        ("undefined", "0c"),
        ("invalid", "fe"),
        ("CALLCODE", "5f5f5f5f5f5f5ff2"),
        ("BLOBHASH", "5f49"),
        ("BLOBBASEFEE", "4a"),
        ("DUPN", "6001e600"),
        ("SLOTNUM", "4b"),
        ("underflow", "01"),
        ("underflow of SWAP16", "60018f"),
        ("overflow", "5b5f600056"),
        ("bad jump", "600456"),
        ("jump into data", "600456605b"),
        ("jump beyond", "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff56"),
        ("conditional jump", "6001600757005b602a"),
        ("memory beyond 32 bits", "6001640100000000 52"),
        ("return beyond", "640100000000 5ff3"),
        ("CLZ", "60011e"),
        ("CLZ of zero", "5f1e"),
        ("PC", "5858"),
        ("MSIZE", "6001604152 59"),
        ("MSTORE8 and MLOAD", "61abcd600153 5f51"),
        ("MCOPY", "63deadbeef5f52 6004601c6040 5e 604051"),
        ("BYTE", "61abcd601e1a"),
        ("SIGNEXTEND", "60ff5f0b"),
        ("SDIV", "60017fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff05"),
        (
            "SDIV of the least",
            "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f800000000000000000000000000000000000000000000000000000000000000005",
        ),
        ("SMOD", "60037ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff807"),
        ("division by zero", "5f600504"),
        ("ADDMOD", "60077fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff600208"),
        ("MULMOD", "60077fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff8009"),
        ("EXP", "60ff60030a"),
        ("SAR", "7f800000000000000000000000000000000000000000000000000000000000000060041d"),
        ("SHL beyond", "60016101001b"),
        ("SLT", "60017fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff12"),
        ("CALLDATALOAD beyond", "60ff35"),
        ("CODESIZE", "38"),
        ("CODECOPY beyond", "602060ff5f395f51"),
        ("EXTCODECOPY of itself", "60205f5f303c5f51"),
        ("RETURNDATASIZE", "3d"),
        ("KECCAK256", "60205f20"),
        ("KECCAK256 of nothing", "5f5f20"),
        ("a PUSH that is cut off", "7f"),
        ("PUSH0", "5f"),
        ("SELFBALANCE", "47"),
        ("COINBASE", "41"),
        ("CHAINID", "46"),
        ("GASLIMIT", "45"),
    ];
    for (name, code) in cases {
        scene.eval(name, code);
    }
}
