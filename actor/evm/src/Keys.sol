// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor, R, Span, W} from "./Cbor.sol";
import {Chain} from "./Chain.sol";
import {Exits} from "./Exits.sol";
import {KeyPublished} from "./Events.sol";
import {Slots} from "./Slots.sol";

/// Keys: one current key an address, and what else an account has.
///
/// The word of an account: newest place of its files 64 | newest grant 64 | key version 64 | epoch of the key 52 | length of the key 12.
library Keys {
    using Cbor for R;
    using Cbor for Span;
    using Cbor for W;

    uint256 private constant MAX_RECIPIENT = 2300;
    uint256 private constant KEY = (1 << 128) - 1;

    function publishKey(R memory r) internal {
        r.tuple(1);
        Span recipient = r.text();
        uint256 n = recipient.len();
        r.check(
            n > 4 && n <= MAX_RECIPIENT && Cbor.load(recipient.at()) >> 224 == 0x61676531 /* age1 */
                && recipient.isAlphanumeric()
        );
        Exits.done(r);
        uint256 owner = Chain.caller();
        uint256 slot = Slots.account(owner);
        uint256 account = Slots.load(slot);
        uint256 version = uint64(account >> 64) + 1;
        Slots.store(slot, (account & ~KEY) | (version << 64) | (Chain.now_() << 12) | n);
        uint256 more = Slots.recipient(owner);
        Slots.put(more, more + 32, 0, recipient);
        emit KeyPublished(uint64(owner), uint64(version));
        Exits.nothing();
    }

    function getKey(R memory r) internal view {
        r.tuple(1);
        Span a = r.addr();
        Exits.done(r);
        uint256 owner = Chain.resolve(a);
        uint256 account = Slots.load(Slots.account(owner));
        uint256 version = uint64(account >> 64);
        W memory w = Cbor.writer();
        if (version == 0) {
            w.putNull();
        } else {
            w.putTuple(3);
            uint256 more = Slots.recipient(owner);
            Slots.get(w, 3, more, more + 32, 0, account & 0xfff);
            w.putU64(version);
            w.putU64((account >> 12) & ((1 << 52) - 1));
        }
        Exits.ok(w);
    }

    /// The newest place in the list of an owner's files; 0 for none.
    function fileHead(uint256 owner) internal view returns (uint256) {
        return Slots.load(Slots.account(owner)) >> 192;
    }

    function setFileHead(uint256 owner, uint256 place) internal {
        uint256 slot = Slots.account(owner);
        Slots.store(slot, (Slots.load(slot) << 64 >> 64) | (place << 192));
    }

    /// The newest of the grants to somebody; 0 for none.
    function grantHead(uint256 grantee) internal view returns (uint256) {
        return uint64(Slots.load(Slots.account(grantee)) >> 128);
    }

    function setGrantHead(uint256 grantee, uint256 number) internal {
        uint256 slot = Slots.account(grantee);
        uint256 account = Slots.load(slot);
        Slots.store(slot, (account & ~(uint256(type(uint64).max) << 128)) | (number << 128));
    }
}
