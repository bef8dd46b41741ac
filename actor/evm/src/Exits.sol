// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor, R, W} from "./Cbor.sol";
import {Chain} from "./Chain.sol";

/// Why a call by InvokeEVM has failed: the exit code that `bauta_abi` gives the reason.
error Rejected(uint32 exitCode);

/// The exit codes of `bauta_abi`.
library Exits {
    uint256 internal constant ILLEGAL_ARGUMENT = 16;
    uint256 internal constant NOT_FOUND = 17;
    uint256 internal constant FORBIDDEN = 18;
    uint256 internal constant WRONG_VALUE = 19;
    uint256 internal constant SERIALIZATION = 21;
    uint256 internal constant UNHANDLED = 22;
    uint256 internal constant VERSION_CONFLICT = 40;
    uint256 internal constant BOUNTY_CLOSED = 41;
    uint256 internal constant BOUNTY_HAS_CLAIMS = 42;
    uint256 internal constant BOUNTY_NOT_ENDED = 43;
    uint256 internal constant OVERFUNDED = 44;
    uint256 internal constant NOTHING_TO_REFUND = 45;
    uint256 internal constant DEAL_DOES_NOT_FIT = 46;
    uint256 internal constant CLAIM_CLOSED = 47;
    uint256 internal constant STALE_LOCATION = 48;
    uint256 internal constant TRANSFER_FAILED = 49;

    bytes4 private constant HANDLE = bytes4(keccak256("handle_filecoin_method(uint64,uint64,bytes)"));
    bytes4 private constant INVOKE = bytes4(keccak256("invoke(uint64,bytes)"));

    /// Ends the call with an exit code, before anything is written.
    ///
    /// A native call is answered with the code, which undoes it, value and all. But whoever sends the same bytes by InvokeEVM has called
    /// successfully, as the chain sees it, and nothing is undone: so nothing may have been written, and the value goes back.
    function fail(uint256 code) internal view {
        if (msg.sig != HANDLE) abort(code);
        if (msg.value != 0) asView(giveBack)();
        assembly ("memory-safe") {
            mstore(0, code)
            mstore(32, 0)
            mstore(64, 96)
            mstore(96, 0)
            return(0, 128)
        }
    }

    function giveBack() private {
        Chain.pay(Chain.caller(), msg.value);
    }

    /// What only reads must be able to refuse, too, and never holds a value; the compiler cannot know.
    function asView(function() internal f) private pure returns (function() internal view g) {
        assembly ("memory-safe") {
            g := f
        }
    }

    /// Ends the call and undoes what it has written, however it came.
    function abort(uint256 code) internal pure {
        revert Rejected(uint32(code));
    }

    function need(bool kept, uint256 code) internal view {
        if (!kept) fail(code);
    }

    /// Ends reading: 21 if the bytes were not the one form of the params, 16 if a bound was not kept.
    function done(R memory r) internal view {
        need(Cbor.isDone(r), SERIALIZATION);
        need(r.flaw == 0, ILLEGAL_ARGUMENT);
    }

    /// Ends the call with a return value, in the form in which it was asked for.
    function ok(W memory w) internal pure {
        uint256 body = w.start + 128;
        uint256 size = w.p - body;
        uint256 head = msg.sig == HANDLE ? w.start : w.start + 64;
        bool native = msg.sig == HANDLE;
        assembly ("memory-safe") {
            if native {
                mstore(head, 0)
                mstore(add(head, 32), 0x51)
            }
            mstore(sub(body, 64), sub(sub(body, 32), head))
            mstore(sub(body, 32), size)
            mstore(add(body, size), 0)
            return(head, add(sub(body, head), and(add(size, 31), not(31))))
        }
    }

    /// Ends the call without a return value.
    function nothing() internal pure {
        bool wrapped = msg.sig == INVOKE;
        assembly ("memory-safe") {
            mstore(0, 32)
            mstore(32, 0)
            return(0, shl(6, wrapped))
        }
    }
}
