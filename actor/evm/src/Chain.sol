// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor, R, Span, W} from "./Cbor.sol";
import {Exits} from "./Exits.sol";

/// The chain around the contract, by the FEVM's precompiles (builtin-actors v18, `actors/evm/src/interpreter/precompiles/fvm.rs`).
library Chain {
    using Cbor for Span;
    using Cbor for W;

    address private constant RESOLVE_ADDRESS = 0xFE00000000000000000000000000000000000001;
    /// To be delegate-called, which is why nothing that asks other actors can be a `view`.
    address private constant CALL_ACTOR_ID = 0xfe00000000000000000000000000000000000005;

    uint256 internal constant POWER = 4;
    uint256 internal constant MARKET = 5;

    uint256 private constant METHOD_SEND = 0;
    /// `id -> [raw power, meets the minimum]`, exit 17 for whatever is no miner.
    uint256 private constant MINER_RAW_POWER = 3753401894;
    /// `[sector, status, aux] -> bool` (FIP-0112).
    uint256 private constant VALIDATE_SECTOR_STATUS = 3092458564;
    /// `sector -> epoch` (FIP-0112).
    uint256 private constant GET_NOMINAL_SECTOR_EXPIRATION = 3010055991;

    /// What another actor said: `NO_ANSWER`, or its exit code.
    uint256 internal constant NO_ANSWER = type(uint256).max;

    /// The epoch.
    function now_() internal view returns (uint256) {
        return block.number;
    }

    /// The sender's actor ID: native ones come as 0xff, eleven zeros, the ID; others have an f410 address.
    function caller() internal view returns (uint256) {
        return idOf(msg.sender);
    }

    function idOf(address a) internal view returns (uint256 id) {
        uint256 v = uint160(a);
        if (v >> 64 == 0xff << 88) return uint64(v);
        bool some;
        (some, id) = resolve(abi.encodePacked(hex"040a", a));
        Exits.need(some, Exits.NOT_FOUND);
    }

    function resolve(bytes memory addr) private view returns (bool some, uint256 id) {
        (bool good, bytes memory answer) = RESOLVE_ADDRESS.staticcall(addr);
        return (good && answer.length == 32, uint256(bytes32(answer)));
    }

    /// Finds the ID of an address; an ID address is its own answer, whether or not there is such an actor.
    function resolve(Span addr) internal view returns (uint256 id) {
        (uint256 p, uint256 n) = (addr.at(), addr.len());
        if (Cbor.load(p) >> 248 == 0) {
            (id,) = Cbor.varint(p + 1, p + n);
            return id;
        }
        bool good;
        assembly ("memory-safe") {
            good := staticcall(gas(), 0xFE00000000000000000000000000000000000001, p, n, 0, 32)
            good := and(good, eq(returndatasize(), 32))
            id := mload(0)
        }
        Exits.need(good, Exits.NOT_FOUND);
    }

    /// Resolves an address of an actor that exists.
    function resolveExisting(Span addr) internal view returns (uint256 id) {
        id = resolve(addr);
        // An actor that is not there has no code, not even empty code (EIP-1052).
        address masked = address(uint160((0xff << 152) | id));
        Exits.need(masked.codehash != 0, Exits.NOT_FOUND);
    }

    /// Calls a built-in actor.
    function call(uint256 id, uint256 method, uint256 value, bool readOnly, bytes memory params)
        private
        returns (uint256 exit, uint256 codec, bytes memory answer)
    {
        bytes memory input =
            abi.encode(method, value, readOnly ? 1 : 0, params.length == 0 ? 0 : 0x51, params, id);
        (bool good, bytes memory output) = CALL_ACTOR_ID.delegatecall(input);
        if (!good || output.length < 128) return (NO_ANSWER, 0, "");
        assembly ("memory-safe") {
            exit := mload(add(output, 32))
            codec := mload(add(output, 64))
            answer := add(output, 128)
        }
        if (answer.length > output.length - 128) return (NO_ANSWER, 0, "");
    }

    /// Asks an actor without letting it change anything. The answer's length is not believed blindly, and nothing but CBOR is read.
    function ask(uint256 id, uint256 method, bytes memory params) internal returns (uint256 exit, R memory answer) {
        uint256 codec;
        bytes memory data;
        (exit, codec, data) = call(id, method, 0, true, params);
        if (exit == 0 && codec != 0x51 && codec != 0x71) exit = NO_ANSWER;
        answer = Cbor.reader(data);
    }

    /// Sends money. A plain send runs no code of the receiver, who can neither refuse it nor call back.
    function pay(uint256 id, uint256 value) internal {
        if (value == 0) return;
        (uint256 exit,,) = call(id, METHOD_SEND, value, false, "");
        if (exit != 0) Exits.abort(Exits.TRANSFER_FAILED);
    }

    function number(uint256 v) internal pure returns (bytes memory) {
        W memory w = Cbor.writer();
        w.putU64(v);
        return w.bytes_();
    }

    /// Tells whether an actor is a miner: only miners have power to ask for.
    function isMiner(uint256 id) internal returns (bool) {
        (uint256 exit,) = ask(POWER, MINER_RAW_POWER, number(id));
        return exit == 0;
    }

    function hasStatus(uint256 miner, uint256 number_, uint256 status, bytes memory aux) private returns (bool) {
        W memory w = Cbor.writer();
        w.putTuple(3);
        w.putU64(number_);
        w.putU64(status);
        w.putBytes(aux);
        (uint256 exit, R memory answer) = ask(miner, VALIDATE_SECTOR_STATUS, w.bytes_());
        return exit == 0 && Cbor.expect(answer, 7) == 21 && Cbor.isDone(answer);
    }

    /// When a miner's sector expires.
    function expiration(uint256 miner, uint256 number_) internal returns (bool good, int256 epoch) {
        (uint256 exit, R memory answer) = ask(miner, GET_NOMINAL_SECTOR_EXPIRATION, number(number_));
        epoch = Cbor.i64(answer);
        good = exit == 0 && Cbor.isDone(answer);
    }

    /// How a miner's sector is (FIP-0112: 0 dead, 1 active, 2 faulty), and when it will expire; `good` is false where it is not at `aux`.
    function sector(uint256 miner, uint256 number_, bytes memory aux)
        internal
        returns (bool good, uint256 status, int256 epoch)
    {
        for (status = 1; status != 3; status = status == 1 ? 2 : status == 2 ? 0 : 3) {
            if (!hasStatus(miner, number_, status, aux)) continue;
            if (status == 0) return (true, 0, 0);
            (good, epoch) = expiration(miner, number_);
            return (good, status, epoch);
        }
        return (false, 0, 0);
    }
}
