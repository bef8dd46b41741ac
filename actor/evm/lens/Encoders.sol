// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor, W} from "../src/Cbor.sol";
import {Methods} from "../src/Methods.sol";
import {FileSpec, Terms} from "./Records.sol";

/// Whom a file is opened to; the wrapped key is theirs alone.
struct GrantSpec {
    address to;
    bytes wrap;
    uint8 rights;
    int64 expiration;
}

/// Where a claim's sector is, as its miner's `GenerateSectorLocation` says.
struct Settlement {
    uint64 claim;
    bytes aux;
}

/// Writes the params of the registry's methods in the one form that it takes. Bounds are its own to check.
abstract contract Params {
    using Cbor for W;

    /// Like `Cbor.writer`, but `bytes_` is the only thing that comes after.
    function begin(uint256 elements) internal pure returns (W memory w) {
        w = Cbor.writer();
        w.putTuple(elements);
    }

    /// An f410 address, or the ID address that 0xff and eleven zeros stand for.
    function putAddress(W memory w, address a) internal pure {
        uint256 v = uint160(a);
        if (v >> 64 == 0xff << 88) return w.putId(uint64(v));
        w.put(2, 22);
        w.putRaw((0x040a << 240) | (v << 80), 22);
    }

    function putText(W memory w, string memory text) internal pure {
        w.put(3, bytes(text).length);
        uint256 p = w.p;
        assembly ("memory-safe") {
            mcopy(p, add(text, 32), mload(text))
        }
        w.p = p + bytes(text).length;
    }

    function putSpec(W memory w, FileSpec memory s) internal pure {
        w.putTuple(7);
        w.putPayload(uint256(s.payload), s.codec & 0x7f);
        w.putPiece(uint256(s.piece));
        w.putU64(s.paddedSize);
        w.putU64(s.payloadSize);
        w.putWord(uint256(s.keyCommitment));
        w.putBytes(s.metadata);
        w.putBytes(s.ownerWrap);
    }

    /// [id]
    function one(uint64 id) internal pure returns (bytes memory) {
        W memory w = begin(1);
        w.putU64(id);
        return w.bytes_();
    }

    /// [what, cursor or null, limit]
    function page(uint64 id, uint64 cursor, uint64 limit) internal pure returns (bytes memory) {
        W memory w = begin(3);
        w.putU64(id);
        w.putMaybe(cursor != 0, cursor);
        w.putU64(limit);
        return w.bytes_();
    }

    function page(address of_, uint64 cursor, uint64 limit) internal pure returns (bytes memory) {
        W memory w = begin(3);
        putAddress(w, of_);
        w.putMaybe(cursor != 0, cursor);
        w.putU64(limit);
        return w.bytes_();
    }
}

/// Calldata for the registry: what these return is sent to it as it is, by any wallet; money for a bounty goes along as value.
abstract contract Encoders is Params {
    using Cbor for W;

    function encoded(uint256 method, bytes memory params) private pure returns (bytes memory) {
        return abi.encodeWithSignature("invoke(uint64,bytes)", uint64(method), params);
    }

    function encodePublishKey(string memory recipient) external pure returns (bytes memory) {
        W memory w = begin(1);
        putText(w, recipient);
        return encoded(Methods.PUBLISH_KEY, w.bytes_());
    }

    function encodeRegisterFiles(FileSpec[] memory files) external pure returns (bytes memory) {
        W memory w = begin(1);
        w.putTuple(files.length);
        for (uint256 i = 0; i < files.length; ++i) putSpec(w, files[i]);
        return encoded(Methods.REGISTER_FILE, w.bytes_());
    }

    /// `expectedVersion` is the version that is replaced.
    function encodeUpdateFile(uint64 id, uint64 expectedVersion, FileSpec memory file)
        external
        pure
        returns (bytes memory)
    {
        W memory w = begin(3);
        w.putU64(id);
        w.putU64(expectedVersion);
        putSpec(w, file);
        return encoded(Methods.UPDATE_FILE, w.bytes_());
    }

    /// `wrap` is the file's key, wrapped for the new owner.
    function encodeTransferFile(uint64 id, address to, bytes memory wrap) external pure returns (bytes memory) {
        W memory w = begin(3);
        w.putU64(id);
        putAddress(w, to);
        w.putBytes(wrap);
        return encoded(Methods.TRANSFER_FILE, w.bytes_());
    }

    function encodeRemoveFile(uint64 id) external pure returns (bytes memory) {
        return encoded(Methods.REMOVE_FILE, one(id));
    }

    function encodeGrantAccess(uint64 id, GrantSpec[] memory grants) external pure returns (bytes memory) {
        W memory w = begin(2);
        w.putU64(id);
        w.putTuple(grants.length);
        for (uint256 i = 0; i < grants.length; ++i) {
            w.putTuple(4);
            putAddress(w, grants[i].to);
            w.putBytes(grants[i].wrap);
            w.putU64(grants[i].rights);
            w.putI64(grants[i].expiration);
        }
        return encoded(Methods.GRANT_ACCESS, w.bytes_());
    }

    function encodeRevokeAccess(uint64 id, address[] memory from) external pure returns (bytes memory) {
        W memory w = begin(2);
        w.putU64(id);
        w.putTuple(from.length);
        for (uint256 i = 0; i < from.length; ++i) putAddress(w, from[i]);
        return encoded(Methods.REVOKE_ACCESS, w.bytes_());
    }

    function encodeCreateBounty(Terms memory t) external pure returns (bytes memory) {
        W memory w = begin(1);
        w.putTuple(11);
        w.putPiece(uint256(t.piece));
        w.putU64(t.paddedSize);
        w.putMaybe(t.hasFile, t.file);
        // Above this the writer of amounts has no room; it is far beyond the registry's bound.
        require(t.rewardPerReplica >> 128 == 0);
        w.putAmount(t.rewardPerReplica);
        w.putU64(t.activationBps);
        w.putU64(t.replicas);
        w.putI64(t.minDuration);
        w.putI64(t.claimDeadline);
        w.putTuple(t.providers.length);
        for (uint256 i = 0; i < t.providers.length; ++i) w.putId(t.providers[i]);
        putText(w, t.source);
        putText(w, t.note);
        return encoded(Methods.CREATE_BOUNTY, w.bytes_());
    }

    function encodeFundBounty(uint64 id) external pure returns (bytes memory) {
        return encoded(Methods.FUND_BOUNTY, one(id));
    }

    function encodeClaimBounty(uint64 id, uint64 deal) external pure returns (bytes memory) {
        W memory w = begin(2);
        w.putU64(id);
        w.putU64(deal);
        return encoded(Methods.CLAIM_BOUNTY, w.bytes_());
    }

    function encodeSettleBounty(uint64 id, Settlement[] memory claims) external pure returns (bytes memory) {
        W memory w = begin(2);
        w.putU64(id);
        w.putTuple(claims.length);
        for (uint256 i = 0; i < claims.length; ++i) {
            w.putTuple(2);
            w.putU64(claims[i].claim);
            w.putBytes(claims[i].aux);
        }
        return encoded(Methods.SETTLE_BOUNTY, w.bytes_());
    }

    function encodeCancelBounty(uint64 id) external pure returns (bytes memory) {
        return encoded(Methods.CANCEL_BOUNTY, one(id));
    }

    function encodeRefundBounty(uint64 id) external pure returns (bytes memory) {
        return encoded(Methods.REFUND_BOUNTY, one(id));
    }
}
