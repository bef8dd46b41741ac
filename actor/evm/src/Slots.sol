// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor, Span, W} from "./Cbor.sol";

/// Where everything stands in storage.
///
/// The chain keeps storage in a trie (KAMT) whose nodes take five bits of the slot number each, from the top, and the last of its 256
/// bits alone. So:
/// * only even slots are used: 32 words then stand in one node instead of in 16 nodes of two;
/// * numbers are spread, three bits of them to each five of the slot: inner nodes have 8 links instead of 32. A message writes
///   the path to each word that it changes, and pays for every byte of it;
/// * slot numbers are as small as can be: they are written beside their words.
library Slots {
    /// Records of files: 16 words each, two in a node, eight files in the node above. Place 8 is file 1's: slot 0 stands for no record.
    uint256 private constant FILES = 0;
    /// The newest files, up to eight: they move to the place of files together, which saves seven of eight paths.
    uint256 private constant TAIL = 1 << 76;
    uint256 private constant ACCOUNTS = 2 << 76;
    uint256 private constant RECIPIENTS = 3 << 76;
    uint256 private constant LONG_FILES = 4 << 76;
    uint256 private constant GRANTS = 5 << 76;
    uint256 private constant LONG_GRANTS = 6 << 76;
    uint256 private constant BOUNTIES = 7 << 76;
    uint256 private constant GRANT_HEADS = 8 << 76;
    /// How many files, bounties, grants there are: 64 bits each. The next word: what the contract holds for all bounties.
    uint256 internal constant COUNTS = 9 << 76;
    uint256 internal constant ESCROWED = COUNTS + 2;

    uint256 private constant PAIRS = 1 << 186;
    uint256 private constant FUNDERS = 2 << 186;
    uint256 private constant DEPARTED = 3 << 186;

    /// Words of a record in its own place; what does not fit stands elsewhere.
    uint256 private constant RECORD = 16;

    function load(uint256 slot) internal view returns (uint256 v) {
        assembly ("memory-safe") {
            v := sload(slot)
        }
    }

    function store(uint256 slot, uint256 v) internal {
        assembly ("memory-safe") {
            sstore(slot, v)
        }
    }

    /// Moves each three bits of a 64-bit number to five.
    function spread(uint256 v) private pure returns (uint256) {
        uint256 high = (v >> 48) << 48;
        v = (v ^ high) | (high << 32);
        high = v & 0xffffff00000000000000ffffff000000;
        v = (v ^ high) | (high << 16);
        high = v & 0xfff0000000fff0000000fff0000000fff000;
        v = (v ^ high) | (high << 8);
        high = v & 0x0000fc000fc000fc000fc000fc000fc000fc000fc0;
        v = (v ^ high) | (high << 4);
        high = v & 0x000e0380e0380e0380e0380e0380e0380e0380e038;
        return (v ^ high) | (high << 2);
    }

    /// Numbers beyond these bits belong to nobody: they all read as the last one, which is nobody's either.
    function within(uint256 v, uint256 bits) private pure returns (uint256) {
        uint256 last = (1 << bits) - 1;
        return v < last ? v : last;
    }

    /// Places for records of 16 words, two in a node.
    function record(uint256 region, uint256 index) private pure returns (uint256) {
        return region + (spread(index >> 1) << 6) + ((index & 1) << 5);
    }

    function long(uint256 region, uint256 index) private pure returns (uint256) {
        return region + (spread(index) << 11);
    }

    /// The record of a file among `count`.
    function file(uint256 id, uint256 count) internal pure returns (uint256) {
        uint256 index = id - 1;
        return index >> 3 == (count - 1) >> 3 ? record(TAIL, index & 7) : record(FILES, index + 8);
    }

    /// Moves a full tail away, before file `count` + 1 begins a new one.
    function settleTail(uint256 count) internal {
        if (count == 0 || count & 7 != 0) return;
        for (uint256 i = 0; i < 8; ++i) {
            (uint256 from, uint256 to) = (record(TAIL, i), record(FILES, count + i));
            for (uint256 end = from + 2 * RECORD; from < end; (from, to) = (from + 2, to + 2)) {
                uint256 v = load(from);
                if (v == 0) continue;
                store(to, v);
                store(from, 0);
            }
        }
    }

    function longFile(uint256 id) internal pure returns (uint256) {
        return long(LONG_FILES, id);
    }

    function grant(uint256 number) internal pure returns (uint256) {
        return record(GRANTS, number);
    }

    function longGrant(uint256 number) internal pure returns (uint256) {
        return long(LONG_GRANTS, number);
    }

    /// The newest grant of a file.
    function grantHead(uint256 id) internal pure returns (uint256) {
        return GRANT_HEADS + (spread(id) << 1);
    }

    function account(uint256 id) internal pure returns (uint256) {
        return ACCOUNTS + (spread(within(id, 45)) << 1);
    }

    function recipient(uint256 id) internal pure returns (uint256) {
        return long(RECIPIENTS, within(id, 39));
    }

    function double(uint256 region, uint256 a, uint256 b) private pure returns (uint256) {
        return region + (spread(within(a, 63)) << 81) + (spread(within(b, 48)) << 1);
    }

    /// The number of the grant of a file to somebody.
    function pair(uint256 id, uint256 grantee) internal pure returns (uint256) {
        return double(PAIRS, id, grantee);
    }

    /// A funder's share of a bounty.
    function share(uint256 id, uint256 funder) internal pure returns (uint256) {
        return double(FUNDERS, id, funder);
    }

    /// What followed a place that a file has left.
    function departed(uint256 place) internal pure returns (uint256) {
        return double(DEPARTED, place, 0);
    }

    /// A bounty's words by sub-node: 0 the money, 1 what is for people to read, from 2 on the claims, 16 a node.
    function bounty(uint256 id, uint256 sub) internal pure returns (uint256) {
        return BOUNTIES + (spread(id) << 11) + (sub << 6);
    }

    // --- bytes in words ---

    /// Where word `k` of a record stands: in its place, or where long ones go on.
    function wordOf(uint256 rec, uint256 more, uint256 k) private pure returns (uint256) {
        return k < RECORD ? rec + 2 * k : more + 2 * (k - RECORD);
    }

    /// Writes bytes from word `k` on; returns the next free one.
    function put(uint256 rec, uint256 more, uint256 k, Span s) internal returns (uint256) {
        (uint256 p, uint256 n) = (Cbor.at(s), Cbor.len(s));
        for (uint256 i = 0; i < n; i += 32) {
            uint256 v = Cbor.load(p + i);
            uint256 left = n - i;
            if (left < 32) v &= ~(type(uint256).max >> (8 * left));
            store(wordOf(rec, more, k++), v);
        }
        return k;
    }

    /// Writes `n` stored bytes from word `k` on as CBOR of a major type; returns the word after them.
    function get(W memory w, uint256 major, uint256 rec, uint256 more, uint256 k, uint256 n)
        internal
        view
        returns (uint256)
    {
        Cbor.put(w, major, n);
        uint256 end = w.p + n;
        for (uint256 i = 0; i < n; i += 32) {
            Cbor.putRaw(w, load(wordOf(rec, more, k++)), 32);
        }
        w.p = end;
        return k;
    }
}
