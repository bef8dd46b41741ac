// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor, R, Span} from "../src/Cbor.sol";

// The records of `bauta_abi` in Solidity's form. A payload CID (v1, sha2-256) is its digest and codec (0x55 raw, 0x70 dag-pb), a piece
// CID its digest. Accounts are actor IDs; epochs are 30 seconds; amounts are attoFIL.

struct FileSpec {
    bytes32 payload;
    uint64 codec;
    bytes32 piece;
    uint64 paddedSize;
    uint64 payloadSize;
    bytes32 keyCommitment;
    bytes metadata;
    bytes ownerWrap;
}

struct File {
    uint64 id;
    uint64 owner;
    uint64 version;
    FileSpec spec;
    int64 registered;
    int64 updated;
}

/// `to` is the grantee in a list of a file's grants and the file in a list of what is shared with somebody.
struct Grant {
    uint64 to;
    bytes wrap;
    /// 1 read, 2 write, 4 share.
    uint8 rights;
    /// `type(int64).max` is never.
    int64 expiration;
    uint64 version;
    /// 0 active, 1 expired, 2 stale: of an older version than the file's.
    uint8 state;
}

struct Terms {
    bytes32 piece;
    uint64 paddedSize;
    bool hasFile;
    uint64 file;
    uint256 rewardPerReplica;
    uint64 activationBps;
    uint64 replicas;
    int64 minDuration;
    int64 claimDeadline;
    /// Actor IDs of the miners that may claim; nobody named is everybody.
    uint64[] providers;
    string source;
    string note;
}

struct Bounty {
    uint64 id;
    Terms terms;
    uint64 creator;
    int64 created;
    bool cancelled;
    uint256 funded;
    uint256 paid;
    uint256 refunded;
    uint256 escrowed;
    uint256 reserved;
    uint64 claims;
    bool ended;
}

struct Claim {
    uint64 id;
    uint64 provider;
    uint64 sector;
    bool byDeal;
    uint64 deal;
    int64 start;
    int64 settledUntil;
    int64 covered;
    bool activated;
    uint256 paid;
    int64 sectorExpiration;
    /// 0 open, 1 completed, 2 dead.
    uint8 status;
}

/// Reads them out of the registry's answers.
library Records {
    using Cbor for R;
    using Cbor for Span;

    function isNull(R memory r) internal pure returns (bool) {
        return r.p < r.end && Cbor.load(r.p) >> 248 == 0xf6;
    }

    function toBytes(Span s) internal pure returns (bytes memory b) {
        (uint256 p, uint256 n) = (s.at(), s.len());
        b = new bytes(n);
        assembly ("memory-safe") {
            mcopy(add(b, 32), p, n)
        }
    }

    function flag(R memory r) internal pure returns (bool) {
        return r.expect(7) == 21;
    }

    /// The actor ID of an ID address.
    function actorId(R memory r) internal pure returns (uint64 id) {
        Span a = r.addr();
        (uint256 v,) = Cbor.varint(a.at() + 1, a.at() + a.len());
        return uint64(v);
    }

    function spec(R memory r) internal pure returns (FileSpec memory s) {
        r.tuple(7);
        (uint256 digest, uint256 codec) = r.payload();
        (s.payload, s.codec) = (bytes32(digest), uint64(codec));
        (, digest) = r.piece();
        s.piece = bytes32(digest);
        s.paddedSize = uint64(r.u64());
        s.payloadSize = uint64(r.u64());
        s.keyCommitment = bytes32(r.word());
        s.metadata = toBytes(r.octets());
        s.ownerWrap = toBytes(r.octets());
    }

    function file(R memory r, uint64 id) internal pure returns (File memory f) {
        r.tuple(6);
        f.id = id;
        f.owner = uint64(r.u64());
        f.version = uint64(r.u64());
        f.spec = spec(r);
        f.registered = int64(r.i64());
        f.updated = int64(r.i64());
        // The contract keeps no link to the version before.
        r.expect(7);
    }

    function grant(R memory r, uint64 to) internal pure returns (Grant memory g) {
        r.tuple(5);
        g.to = to;
        g.wrap = toBytes(r.octets());
        g.rights = uint8(r.u64());
        g.expiration = int64(r.i64());
        g.version = uint64(r.u64());
        g.state = uint8(r.u64());
    }

    function terms(R memory r) internal pure returns (Terms memory t) {
        r.tuple(11);
        (, uint256 v) = r.piece();
        t.piece = bytes32(v);
        t.paddedSize = uint64(r.u64());
        (t.hasFile, v) = r.maybe();
        t.file = uint64(v);
        t.rewardPerReplica = r.amount();
        t.activationBps = uint64(r.u64());
        t.replicas = uint64(r.u64());
        t.minDuration = int64(r.i64());
        t.claimDeadline = int64(r.i64());
        t.providers = new uint64[](r.list());
        for (uint256 i = 0; i < t.providers.length; ++i) t.providers[i] = actorId(r);
        t.source = string(toBytes(r.text()));
        t.note = string(toBytes(r.text()));
    }

    function bounty(R memory r, uint64 id) internal pure returns (Bounty memory b) {
        r.tuple(11);
        b.id = id;
        b.terms = terms(r);
        b.creator = uint64(r.u64());
        b.created = int64(r.i64());
        b.cancelled = flag(r);
        b.funded = r.amount();
        b.paid = r.amount();
        b.refunded = r.amount();
        b.escrowed = r.amount();
        b.reserved = r.amount();
        b.claims = uint64(r.u64());
        b.ended = flag(r);
    }

    function claim(R memory r, uint64 id) internal pure returns (Claim memory c) {
        r.tuple(10);
        c.id = id;
        c.provider = uint64(r.u64());
        c.sector = uint64(r.u64());
        (bool byDeal, uint256 deal) = r.maybe();
        (c.byDeal, c.deal) = (byDeal, uint64(deal));
        c.start = int64(r.i64());
        c.settledUntil = int64(r.i64());
        c.covered = int64(r.i64());
        c.activated = flag(r);
        c.paid = r.amount();
        c.sectorExpiration = int64(r.i64());
        c.status = uint8(r.u64());
    }
}
