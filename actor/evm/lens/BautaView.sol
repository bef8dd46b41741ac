// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor, R, W} from "../src/Cbor.sol";
import {Methods} from "../src/Methods.sol";
import {Rejected} from "../src/Exits.sol";
import {Encoders} from "./Encoders.sol";
import {Bounty, Claim, File, Grant, Records} from "./Records.sol";

/// What is read of the registry here.
interface IRegistry {
    function query(uint64 method, bytes memory params) external view returns (bytes memory);
}

/// The registry in types that ethers and viem read by themselves: every view, and the calldata of every method that a person calls.
///
/// It keeps nothing, owns nothing and may call nothing but views: the registry is the first argument, so one of these serves all, and
/// its code is the same everywhere. A view that the registry refuses reverts with the registry's own `Rejected(exit code)`; what is not
/// there with `Rejected(17)`. A list's `cursor` is 0 for the beginning, and 0 in the answer when there is no more.
contract BautaView is Encoders {
    using Cbor for R;
    using Cbor for W;
    using Records for R;

    uint32 private constant NOT_FOUND = 17;
    uint32 private constant SERIALIZATION = 21;
    address private constant RESOLVE_ADDRESS = 0xFE00000000000000000000000000000000000001;
    address private constant LOOKUP_DELEGATED_ADDRESS = 0xfE00000000000000000000000000000000000002;

    function ask(IRegistry registry, uint256 method, bytes memory params) private view returns (R memory r) {
        // Solidity passes on what it reverts with.
        return Cbor.reader(registry.query(uint64(method), params));
    }

    function some(IRegistry registry, uint256 method, bytes memory params) private view returns (R memory r) {
        r = ask(registry, method, params);
        if (r.isNull()) revert Rejected(NOT_FOUND);
    }

    function done(R memory r) private pure {
        if (!r.isDone() || r.flaw != 0) revert Rejected(SERIALIZATION);
    }

    function cursorOf(R memory r) private pure returns (uint64 cursor) {
        (, uint256 v) = r.maybe();
        done(r);
        return uint64(v);
    }

    // --- accounts ---

    /// The actor ID by which the registry knows an address; reverts with `Rejected(17)` for who has never been on the chain.
    function idOf(address a) public view returns (uint64) {
        uint256 v = uint160(a);
        if (v >> 64 == 0xff << 88) return uint64(v);
        (bool good, bytes memory answer) = RESOLVE_ADDRESS.staticcall(abi.encodePacked(hex"040a", a));
        if (!good || answer.length != 32) revert Rejected(NOT_FOUND);
        return uint64(uint256(bytes32(answer)));
    }

    /// The Ethereum address of an actor: its own, or 0xff, eleven zeros and its ID.
    function addressOf(uint64 id) external view returns (address) {
        (bool good, bytes memory answer) = LOOKUP_DELEGATED_ADDRESS.staticcall(abi.encode(uint256(id)));
        if (good && answer.length == 22 && bytes2(answer) == 0x040a) return address(uint160(uint256(bytes32(answer)) >> 80));
        return address(uint160((0xff << 152) | id));
    }

    // --- keys ---

    /// The recipient that files are opened to for somebody.
    function key(IRegistry registry, address of_)
        external
        view
        returns (string memory recipient, uint64 version, int64 epoch)
    {
        W memory w = begin(1);
        putAddress(w, of_);
        R memory r = some(registry, Methods.GET_KEY, w.bytes_());
        r.tuple(3);
        recipient = string(Records.toBytes(r.text()));
        version = uint64(r.u64());
        epoch = int64(r.i64());
        done(r);
    }

    // --- files ---

    function file(IRegistry registry, uint64 id) external view returns (File memory f) {
        R memory r = some(registry, Methods.GET_FILE, one(id));
        f = r.file(id);
        done(r);
    }

    /// Files of an owner, the newest first.
    function files(IRegistry registry, address owner, uint64 cursor, uint64 limit)
        public
        view
        returns (File[] memory list, uint64 next)
    {
        R memory r = ask(registry, Methods.LIST_FILES, page(owner, cursor, limit));
        r.tuple(2);
        list = new File[](r.list());
        for (uint256 i = 0; i < list.length; ++i) {
            r.tuple(2);
            list[i] = r.file(uint64(r.u64()));
        }
        next = cursorOf(r);
    }

    /// Those of them that are this content, by the digest of its payload CID or of its piece CID.
    function filesWith(IRegistry registry, address owner, bytes32 digest, uint64 cursor, uint64 limit)
        external
        view
        returns (File[] memory list, uint64 next)
    {
        (list, next) = files(registry, owner, cursor, limit);
        uint256 n = 0;
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i].spec.payload == digest || list[i].spec.piece == digest) list[n++] = list[i];
        }
        assembly ("memory-safe") {
            mstore(list, n)
        }
    }

    // --- grants ---

    /// What somebody may do with a file by a grant; reverts with `Rejected(17)` where there is none.
    function grant(IRegistry registry, uint64 id, address grantee) external view returns (Grant memory g) {
        R memory r = some(registry, Methods.GET_GRANT, grantParams(id, grantee));
        g = r.grant(idOf(grantee));
        done(r);
    }

    function grantParams(uint64 id, address grantee) private pure returns (bytes memory) {
        W memory w = begin(2);
        w.putU64(id);
        putAddress(w, grantee);
        return w.bytes_();
    }

    /// Whether somebody can open the newest version of a file: its owner, or by a grant to read that is neither expired nor stale.
    function mayRead(IRegistry registry, uint64 id, address who) external view returns (bool) {
        R memory r = some(registry, Methods.GET_FILE, one(id));
        File memory f = r.file(id);
        done(r);
        if (f.owner == idOf(who)) return true;
        r = ask(registry, Methods.GET_GRANT, grantParams(id, who));
        if (r.isNull()) return false;
        Grant memory g = r.grant(0);
        done(r);
        return g.rights & 1 != 0 && g.state == 0;
    }

    /// Grants of a file, the newest first.
    function grants(IRegistry registry, uint64 id, uint64 cursor, uint64 limit)
        external
        view
        returns (Grant[] memory list, uint64 next)
    {
        return grantsOf(ask(registry, Methods.LIST_GRANTS, page(id, cursor, limit)));
    }

    /// Grants to somebody, the newest first.
    function shared(IRegistry registry, address grantee, uint64 cursor, uint64 limit)
        external
        view
        returns (Grant[] memory list, uint64 next)
    {
        return grantsOf(ask(registry, Methods.LIST_SHARED, page(grantee, cursor, limit)));
    }

    function grantsOf(R memory r) private pure returns (Grant[] memory list, uint64 next) {
        r.tuple(2);
        list = new Grant[](r.list());
        for (uint256 i = 0; i < list.length; ++i) {
            r.tuple(2);
            list[i] = r.grant(uint64(r.u64()));
        }
        next = cursorOf(r);
    }

    // --- bounties ---

    function bounty(IRegistry registry, uint64 id) external view returns (Bounty memory b) {
        R memory r = some(registry, Methods.GET_BOUNTY, one(id));
        b = r.bounty(id);
        done(r);
    }

    /// All bounties, the oldest first.
    function bounties(IRegistry registry, uint64 cursor, uint64 limit)
        external
        view
        returns (Bounty[] memory list, uint64 next)
    {
        R memory r = ask(registry, Methods.LIST_BOUNTIES, bountyPage(cursor, limit));
        r.tuple(2);
        list = new Bounty[](r.list());
        for (uint256 i = 0; i < list.length; ++i) {
            r.tuple(2);
            list[i] = r.bounty(uint64(r.u64()));
        }
        next = cursorOf(r);
    }

    function bountyPage(uint64 cursor, uint64 limit) private pure returns (bytes memory) {
        W memory w = begin(2);
        w.putMaybe(cursor != 0, cursor);
        w.putU64(limit);
        return w.bytes_();
    }

    function claims(IRegistry registry, uint64 id, uint64 cursor, uint64 limit)
        external
        view
        returns (Claim[] memory list, uint64 next)
    {
        R memory r = ask(registry, Methods.LIST_BOUNTY_CLAIMS, page(id, cursor, limit));
        r.tuple(2);
        list = new Claim[](r.list());
        for (uint256 i = 0; i < list.length; ++i) {
            r.tuple(2);
            list[i] = r.claim(uint64(r.u64()));
        }
        next = cursorOf(r);
    }

    /// How many bounties there have been, and what the registry has: the money of all of them, and what was sent there by mistake.
    function totals(IRegistry registry) external view returns (uint64 count, uint256 balance) {
        // Bounties are numbered without gaps, so the last one is found by halving.
        uint64 beyond = 1;
        while (isBounty(registry, beyond)) beyond *= 2;
        count = beyond / 2;
        for (uint64 step = beyond / 4; step > 0; step /= 2) {
            if (isBounty(registry, count + step)) count += step;
        }
        return (count, address(registry).balance);
    }

    function isBounty(IRegistry registry, uint64 id) private view returns (bool) {
        return !ask(registry, Methods.GET_BOUNTY, one(id)).isNull();
    }
}
