// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor, R, Span, W} from "./Cbor.sol";
import {Chain} from "./Chain.sol";
import {Exits} from "./Exits.sol";
import {FileRegistered, FileRemoved, FileTransferred, FileUpdated} from "./Events.sol";
import {Grants} from "./Grants.sol";
import {Keys} from "./Keys.sol";
import {Slots} from "./Slots.sol";

/// What a version of a file is, as `bauta_abi` has it.
struct Spec {
    uint256 payload;
    uint256 codec;
    uint256 piece;
    uint256 paddedSize;
    uint256 payloadSize;
    uint256 commitment;
    Span metadata;
    Span wrap;
}

/// Files: numbers, versions, owners, and each owner's list.
///
/// A record's words: 0 owner 64 | version 64 | registered 40 | updated 40 | payload is raw 1 | length of metadata 11 | of the wrap 12;
/// 1 place 64 | older place 64 | payload size 64 | padded size 64; 2 payload; 3 piece; 4 key commitment; 5… metadata, then wrap.
/// Word 0 is zero where there is no such file. Place and list are those of the Wasm body: `actor/src/state/files.rs`.
library Files {
    using Cbor for R;
    using Cbor for Span;
    using Cbor for W;

    uint256 private constant MAX_FILES = 64;
    uint256 private constant MAX_METADATA = 1024;
    uint256 private constant MAX_WRAP = 2048;
    uint256 private constant MAX_LIST = 100;
    uint256 private constant MAX_SKIPPED = 100;
    uint256 private constant NUMBERS = 1 << 40;
    /// Files that have room in storage: half a trillion.
    uint256 private constant LAST = 1 << 39;

    // --- params ---

    function piece(R memory r) internal pure returns (uint256 digest, uint256 size) {
        bool fits;
        (fits, digest) = r.piece();
        r.check(fits);
        size = r.u64();
        r.check(size >= 128 && size <= 64 << 30 && size & (size - 1) == 0);
    }

    function wrapped(R memory r) internal pure returns (Span s) {
        s = r.octets();
        r.check(s.len() > 0 && s.len() <= MAX_WRAP);
    }

    function limit(R memory r) internal pure returns (uint256 n) {
        n = r.u64();
        r.check(n > 0 && n <= MAX_LIST);
    }

    function spec(R memory r) private pure returns (Spec memory s) {
        r.tuple(7);
        (s.payload, s.codec) = r.payload();
        (s.piece, s.paddedSize) = piece(r);
        s.payloadSize = r.u64();
        unchecked {
            r.check(s.payloadSize > 0 && s.payloadSize <= s.paddedSize - s.paddedSize / 128);
        }
        s.commitment = r.word();
        s.metadata = r.octets();
        r.check(s.metadata.len() <= MAX_METADATA);
        s.wrap = wrapped(r);
    }

    // --- records ---

    function count() private view returns (uint256) {
        return Slots.load(Slots.COUNTS) >> 192;
    }

    /// A file's record and first word; both zero where there is none.
    function find(uint256 id) internal view returns (uint256 rec, uint256 head) {
        uint256 n = count();
        if (id == 0 || id > n) return (0, 0);
        rec = Slots.file(id, n);
        head = Slots.load(rec);
        if (head == 0) rec = 0;
    }

    function get(uint256 id) internal view returns (uint256 rec, uint256 head) {
        (rec, head) = find(id);
        Exits.need(rec != 0, Exits.NOT_FOUND);
    }

    function ownerOf(uint256 head) internal pure returns (uint256) {
        return head >> 192;
    }

    function versionOf(uint256 head) internal pure returns (uint256) {
        return uint64(head >> 128);
    }

    function own(uint256 id, uint256 me) private view returns (uint256 rec, uint256 head) {
        (rec, head) = get(id);
        Exits.need(ownerOf(head) == me, Exits.FORBIDDEN);
    }

    /// Writes a version; `head` holds owner, version and registration.
    function write(uint256 rec, uint256 id, uint256 head, uint256 places, Spec memory s) private {
        head = (head >> 88 << 88) | (Chain.now_() << 48);
        if (s.codec == 0x55) head |= 1 << 23;
        Slots.store(rec, head | (s.metadata.len() << 12) | s.wrap.len());
        Slots.store(rec + 2, (places << 128) | (s.payloadSize << 64) | s.paddedSize);
        Slots.store(rec + 4, s.payload);
        Slots.store(rec + 6, s.piece);
        Slots.store(rec + 8, s.commitment);
        uint256 more = Slots.longFile(id);
        Slots.put(rec, more, Slots.put(rec, more, 5, s.metadata), s.wrap);
    }

    function put(W memory w, uint256 rec, uint256 head, uint256 id) private view {
        w.putTuple(6);
        w.putU64(ownerOf(head));
        w.putU64(versionOf(head));
        w.putTuple(7);
        uint256 sizes = Slots.load(rec + 2);
        w.putPayload(Slots.load(rec + 4), (head >> 23) & 1 == 0 ? 0x70 : 0x55);
        w.putPiece(Slots.load(rec + 6));
        w.putU64(uint64(sizes));
        w.putU64(uint64(sizes >> 64));
        w.putWord(Slots.load(rec + 8));
        uint256 more = Slots.longFile(id);
        uint256 k = Slots.get(w, 2, rec, more, 5, (head >> 12) & 0x7ff);
        Slots.get(w, 2, rec, more, k, head & 0xfff);
        w.putU64(uint40(head >> 88));
        w.putU64(uint40(head >> 48));
        // Storage keeps no older versions; those are in the chain's messages and events.
        w.putNull();
    }

    // --- lists ---

    /// Takes a place out of an owner's list. Even the newest place is remembered: somebody's cursor may stand there.
    function leave(uint256 owner, uint256 places) private {
        (uint256 place, uint256 older) = (places >> 64, uint64(places));
        if (Keys.fileHead(owner) == place) Keys.setFileHead(owner, older);
        Slots.store(Slots.departed(place), older);
    }

    // --- methods ---

    function registerFile(R memory r) internal {
        r.tuple(1);
        uint256 n = r.list();
        r.check(n > 0 && n <= MAX_FILES);
        Spec[] memory specs = new Spec[](n > MAX_FILES ? 0 : n);
        for (uint256 i = 0; i < n && !r.isBroken(); ++i) {
            Spec memory s = spec(r);
            if (i < specs.length) specs[i] = s;
        }
        Exits.done(r);
        uint256 counts = Slots.load(Slots.COUNTS);
        uint256 first = counts >> 192;
        Exits.need(first + n < LAST, Exits.ILLEGAL_ARGUMENT);
        uint256 owner = Chain.caller();
        uint256 older = Keys.fileHead(owner);
        uint256 head = (owner << 192) | (1 << 128) | (Chain.now_() << 88);
        for (uint256 i = 0; i < n; ++i) {
            uint256 id = first + i + 1;
            Slots.settleTail(id - 1);
            write(Slots.file(id, id), id, head, (id << 64) | older, specs[i]);
            older = id;
            emit FileRegistered(
                uint64(id), uint64(owner), bytes32(specs[i].piece), bytes32(specs[i].payload), uint64(specs[i].codec)
            );
        }
        Slots.store(Slots.COUNTS, counts + (n << 192));
        Keys.setFileHead(owner, older);
        W memory w = Cbor.writer();
        w.putTuple(1);
        w.putTuple(n);
        for (uint256 i = 1; i <= n; ++i) w.putU64(first + i);
        Exits.ok(w);
    }

    function updateFile(R memory r) internal {
        r.tuple(3);
        uint256 id = r.u64();
        uint256 expected = r.u64();
        Spec memory s = spec(r);
        Exits.done(r);
        (uint256 rec, uint256 head) = get(id);
        uint256 me = Chain.caller();
        uint256 owner = ownerOf(head);
        if (owner != me) Grants.held(id, me, Grants.WRITE);
        uint256 version = versionOf(head);
        Exits.need(version == expected, Exits.VERSION_CONFLICT);
        write(rec, id, head + (1 << 128), Slots.load(rec + 2) >> 128, s);
        ++version;
        emit FileUpdated(
            uint64(id), uint64(owner), bytes32(s.piece), uint64(version), bytes32(s.payload), uint64(s.codec)
        );
        W memory w = Cbor.writer();
        w.putTuple(1);
        w.putU64(version);
        Exits.ok(w);
    }

    function transferFile(R memory r) internal {
        r.tuple(3);
        uint256 id = r.u64();
        Span a = r.addr();
        Span wrap = wrapped(r);
        Exits.done(r);
        uint256 to = Chain.resolveExisting(a);
        uint256 me = Chain.caller();
        (uint256 rec, uint256 head) = own(id, me);
        uint256 sizes = Slots.load(rec + 2);
        uint256 place = (sizes >> 192) + NUMBERS;
        Exits.need(to != me && place >> 63 == 0, Exits.ILLEGAL_ARGUMENT);
        leave(me, sizes >> 128);
        Slots.store(rec + 2, (place << 192) | (Keys.fileHead(to) << 128) | uint128(sizes));
        Keys.setFileHead(to, place);
        Slots.store(rec, (to << 192) | (head << 64 >> 76 << 12) | wrap.len());
        uint256 k = 5 + (((head >> 12) & 0x7ff) + 31) / 32;
        Slots.put(rec, Slots.longFile(id), k, wrap);
        Grants.drop(id, to);
        emit FileTransferred(uint64(id), uint64(me), uint64(to));
        Exits.nothing();
    }

    function removeFile(R memory r) internal {
        r.tuple(1);
        uint256 id = r.u64();
        Exits.done(r);
        uint256 me = Chain.caller();
        (uint256 rec,) = own(id, me);
        leave(me, Slots.load(rec + 2) >> 128);
        Slots.store(rec, 0);
        emit FileRemoved(uint64(id), uint64(me));
        Exits.nothing();
    }

    function getFile(R memory r) internal view {
        r.tuple(1);
        uint256 id = r.u64();
        Exits.done(r);
        (uint256 rec, uint256 head) = find(id);
        W memory w = Cbor.writer();
        if (rec == 0) w.putNull();
        else put(w, rec, head, id);
        Exits.ok(w);
    }

    function listFiles(R memory r) internal view {
        r.tuple(3);
        Span a = r.addr();
        (bool some, uint256 place) = r.maybe();
        uint256 most = limit(r);
        Exits.done(r);
        uint256 owner = Chain.resolve(a);
        if (!some) place = Keys.fileHead(owner);
        uint256[] memory ids = new uint256[](most);
        uint256 n = 0;
        for (uint256 i = 0; i < most + MAX_SKIPPED && place != 0 && n < most; ++i) {
            uint256 id = place & (NUMBERS - 1);
            (uint256 rec, uint256 head) = find(id);
            uint256 places = rec == 0 ? 0 : Slots.load(rec + 2) >> 128;
            if (rec != 0 && ownerOf(head) == owner && places >> 64 == place) {
                ids[n++] = id;
                place = uint64(places);
            } else {
                place = Slots.load(Slots.departed(place));
            }
        }
        W memory w = Cbor.writer();
        w.putTuple(2);
        w.putTuple(n);
        for (uint256 i = 0; i < n; ++i) {
            w.putTuple(2);
            w.putU64(ids[i]);
            (uint256 rec, uint256 head) = find(ids[i]);
            put(w, rec, head, ids[i]);
        }
        w.putMaybe(place != 0, place);
        Exits.ok(w);
    }
}
