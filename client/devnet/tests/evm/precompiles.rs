//! What contracts get from addresses that are functions: Ethereum's and the FEVM's.

use bauta_client::address::EthAddress;
use bauta_devnet::genesis::account_key;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;

use crate::scene::{Arg, Scene, abi, bytes, encode, n, who};

/// `00…nn`, or `fe…nn`.
pub fn precompile(prefix: u8, number: u8) -> EthAddress {
    let mut address = [0; 20];
    (address[0], address[19]) = (prefix, number);
    EthAddress(address)
}

pub fn run(scene: &mut Scene, probe: EthAddress, child: EthAddress) {
    let call = |to, data: &[u8]| abi("call(address,uint256,bytes)", &[who(to), n(0), bytes(data)]);
    let delegate = |to, data: &[u8]| abi("delegateCall(address,bytes)", &[who(to), bytes(data)]);
    let unhex = |text: &str| hex::decode(text.replace(['\n', ' '], "")).unwrap();

    let signed = unhex(
        "456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3000000000000000000000000000000000000000000000000000000000000001c
         9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608 4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada",
    );
    scene.call("ecrecover", probe, call(precompile(0, 1), &signed));
    scene.call("ecrecover of nothing", probe, call(precompile(0, 1), &[]));
    let mut wrong = signed.clone();
    wrong[63] = 29;
    scene.call("ecrecover with another v", probe, call(precompile(0, 1), &wrong));
    wrong[63] = 27;
    wrong[64..96].fill(0xff);
    scene.call("ecrecover above the order", probe, call(precompile(0, 1), &wrong));
    scene.call("sha256", probe, call(precompile(0, 2), b"bauta"));
    scene.call("ripemd160", probe, call(precompile(0, 3), b"bauta"));
    scene.call("identity", probe, call(precompile(0, 4), b"bauta"));
    scene.call("modexp", probe, call(precompile(0, 5), &encode(&[n(1), n(2), n(1), Arg::Word(padded(&[3, 0, 5, 7]))])));
    scene.call("modexp of nothing", probe, call(precompile(0, 5), &[]));
    scene.call(
        "modexp with modulus one",
        probe,
        call(precompile(0, 5), &encode(&[n(1), n(1), n(2), Arg::Word(padded(&[3, 5, 0, 1]))])),
    );
    scene.call("modexp of great lengths", probe, call(precompile(0, 5), &encode(&[n(1 << 40), n(1), n(1)])));
    let point = [n(1), n(2)];
    scene.call("bn254 add", probe, call(precompile(0, 6), &encode(&[n(1), n(2), n(1), n(2)])));
    scene.call("bn254 add of nothing", probe, call(precompile(0, 6), &[]));
    scene.call("bn254 add off the curve", probe, call(precompile(0, 6), &encode(&[n(1), n(3)])));
    scene.call("bn254 mul", probe, call(precompile(0, 7), &[encode(&point), encode(&[n(77)])].concat()));
    scene.call(
        "bn254 mul beyond the field",
        probe,
        call(precompile(0, 7), &encode(&[Arg::Word([0xff; 32]), n(2), n(1)])),
    );
    scene.call("bn254 pairing of nothing", probe, call(precompile(0, 8), &[]));
    scene.call("bn254 pairing of an odd length", probe, call(precompile(0, 8), &[0; 191]));
    // e(P, Q) e(-P, Q) = 1 with the generators.
    let generator = "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c21800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed
                     090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa";
    let minus = "000000000000000000000000000000000000000000000000000000000000000130644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45";
    let pairing = [encode(&point), unhex(generator), unhex(minus), unhex(generator)].concat();
    scene.call("bn254 pairing", probe, call(precompile(0, 8), &pairing));
    scene.call("bn254 pairing that is not one", probe, call(precompile(0, 8), &pairing[..192]));
    // EIP-152's test vector 5: "abc".
    let blake = unhex(&format!(
        "0000000c48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5d182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b
         616263{}0300000000000000000000000000000001",
        "00".repeat(125)
    ));
    scene.call("blake2f", probe, call(precompile(0, 9), &blake));
    scene.call("blake2f of a wrong length", probe, call(precompile(0, 9), &blake[1..]));
    let mut last = blake.clone();
    last[212] = 2;
    scene.call("blake2f with another last byte", probe, call(precompile(0, 9), &last));
    p256(scene, probe);
    scene.call("no precompile", probe, call(precompile(0, 0x0a), b"bauta"));
    scene.call("no precompile of Filecoin", probe, call(precompile(0xfe, 4), b"bauta"));
    scene.call(
        "money to a precompile",
        probe,
        abi("call(address,uint256,bytes)", &[who(precompile(0, 4)), n(1), bytes(*b"x")]),
    );

    let f1 = account_key(1).address();
    scene.call("resolve_address f1", probe, call(precompile(0xfe, 1), &f1.to_bytes()));
    scene.call("resolve_address f410", probe, call(precompile(0xfe, 1), &child.to_filecoin().to_bytes()));
    scene.call(
        "resolve_address of nobody",
        probe,
        call(precompile(0xfe, 1), &Address::new_actor(b"nobody").to_bytes()),
    );
    scene.call("resolve_address of no address", probe, call(precompile(0xfe, 1), &[9, 9]));
    scene.call("lookup_delegated_address", probe, call(precompile(0xfe, 2), &encode(&[n(10)])));
    scene.call("lookup_delegated_address of an id too great", probe, call(precompile(0xfe, 2), &encode(&[n(1 << 70)])));
    scene.call("randomness", probe, call(precompile(0xfe, 6), &encode(&[n(1)])));
    scene.call("randomness of the future", probe, call(precompile(0xfe, 6), &encode(&[n(1 << 40)])));

    let ask = |id: u128, method: u128, value: u128, flags: u128, codec: u128, params: &[u8]| {
        encode(&[n(method), n(value), n(flags), n(codec), bytes(params), n(id)])
    };
    let by_id = precompile(0xfe, 5);
    // The power actor's MinerRawPower of somebody who is no miner; NetworkRawPower; the init actor's Exec.
    let raw_power = 3_753_401_894;
    scene.call(
        "call_actor_id",
        probe,
        delegate(by_id, &ask(4, raw_power, 0, 0, 0x51, &RawBytes::serialize(1000u64).unwrap())),
    );
    scene.call(
        "call_actor_id fails there",
        probe,
        delegate(by_id, &ask(4, raw_power, 0, 0, 0x51, &RawBytes::serialize(101u64).unwrap())),
    );
    scene.call(
        "call_actor_id read-only",
        probe,
        delegate(by_id, &ask(4, raw_power, 0, 1, 0x51, &RawBytes::serialize(1000u64).unwrap())),
    );
    scene.call("call_actor_id without params", probe, delegate(by_id, &ask(4, 931_722_534, 0, 0, 0, &[])));
    scene.call("call_actor_id of nobody", probe, delegate(by_id, &ask(99_999_999, 931_722_534, 0, 0, 0, &[])));
    scene.call("call_actor_id pays", probe, delegate(by_id, &ask(101, 0, 12, 0, 0, &[])));
    scene.call("call_actor_id pays what it has not", probe, delegate(by_id, &ask(101, 0, 1 << 100, 0, 0, &[])));
    scene.call("call_actor_id of an internal method", probe, delegate(by_id, &ask(4, 2, 0, 0, 0, &[])));
    scene.call("call_actor_id in another codec", probe, delegate(by_id, &ask(4, raw_power, 0, 0, 0x71, &[0])));
    scene.call("call_actor_id with unknown flags", probe, delegate(by_id, &ask(4, raw_power, 0, 8, 0, &[])));
    scene.call("call_actor_id called", probe, call(by_id, &ask(4, 931_722_534, 0, 0, 0, &[])));
    scene.call("call_actor_id of a contract", probe, delegate(by_id, &ask(4, 20_000_000, 0, 0, 0, &[])));
    let by_address = |to: Address| encode(&[n(931_722_534), n(0), n(0), n(0), bytes(vec![]), bytes(to.to_bytes())]);
    scene.call("call_actor", probe, delegate(precompile(0xfe, 3), &by_address(Address::new_id(4))));
    scene.call(
        "call_actor of an f410 contract",
        probe,
        delegate(precompile(0xfe, 3), &by_address(child.to_filecoin())),
    );
    scene.call(
        "call_actor of no address",
        probe,
        delegate(precompile(0xfe, 3), &encode(&[n(0), n(0), n(0), n(0), bytes(vec![]), bytes(vec![9])])),
    );
}

fn padded(bytes: &[u8]) -> [u8; 32] {
    let mut word = [0; 32];
    word[..bytes.len()].copy_from_slice(bytes);
    word
}

/// EIP-7951, with the signatures of RFC 6979, A.2.5 (SHA-256).
fn p256(scene: &mut Scene, probe: EthAddress) {
    let mut at = EthAddress([0; 20]);
    at.0[18] = 1;
    let unhex = |text: &str| hex::decode(text).unwrap();
    let key = [
        unhex("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"),
        unhex("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"),
    ];
    let sample = unhex("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf");
    let test = unhex("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
    let r = unhex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716");
    let s = unhex("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    let good = [sample.clone(), r.clone(), s.clone(), key.concat()].concat();
    let second = [
        test.clone(),
        unhex("f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"),
        unhex("019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"),
        key.concat(),
    ]
    .concat();
    let with = |at: usize, bytes: &[u8]| {
        let mut input = good.clone();
        input[at..at + bytes.len()].copy_from_slice(bytes);
        input
    };
    for (name, input) in [
        ("p256", good.clone()),
        ("p256 once more", second),
        ("p256 of another hash", with(0, &test)),
        ("p256 with r and s exchanged", with(32, &[s, r].concat())),
        ("p256 with s zero", with(64, &[0; 32])),
        ("p256 with r beyond the order", with(32, &[0xff; 32])),
        ("p256 off the curve", with(159, &[0x98])),
        ("p256 with the key at infinity", with(96, &[0; 64])),
        ("p256 too short", good[..159].to_vec()),
        ("p256 too long", [good.clone(), vec![0]].concat()),
        ("p256 of nothing", vec![]),
    ] {
        scene.call(name, probe, abi("call(address,uint256,bytes)", &[who(at), n(0), bytes(input)]));
    }
}
