// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor, R, Span, W} from "./Cbor.sol";
import {Chain} from "./Chain.sol";
import {AccessGranted, AccessRevoked} from "./Events.sol";
import {Exits} from "./Exits.sol";
import {Files} from "./Files.sol";
import {Keys} from "./Keys.sol";
import {Slots} from "./Slots.sol";

/// What one address gets.
struct NewGrant {
    Span addr;
    Span wrap;
    uint256 rights;
    int256 expiration;
    uint256 grantee;
}

/// Grants: who may read, write or share a file of somebody else's.
///
/// A file and a grantee have one grant, which keeps its number for good; a revoked one has no rights. A record's words: 0 grantee 64 |
/// given by 64 | version of the file 64 | rights 3 | length of the wrap 12; 1 expiration 64 | file 64 | older grant of the file 64 |
/// older grant to the grantee 64; 2… wrap.
library Grants {
    using Cbor for R;
    using Cbor for Span;
    using Cbor for W;

    uint256 internal constant WRITE = 2;
    uint256 private constant SHARE = 4;

    uint256 private constant MAX_AT_ONCE = 32;
    uint256 private constant MAX_SKIPPED = 100;
    /// Rights and length of the wrap.
    uint256 private constant GIVEN = (1 << 15) - 1;

    // --- records ---

    function find(uint256 id, uint256 grantee) private view returns (uint256 rec, uint256 head) {
        uint256 number = Slots.load(Slots.pair(id, grantee));
        if (number == 0) return (0, 0);
        rec = Slots.grant(number);
        head = Slots.load(rec);
        if (rightsOf(head) == 0) rec = 0;
    }

    function rightsOf(uint256 head) private pure returns (uint256) {
        return (head >> 12) & 7;
    }

    function giverOf(uint256 head) private pure returns (uint256) {
        return uint64(head >> 128);
    }

    function expirationOf(uint256 rec) private view returns (uint256) {
        return Slots.load(rec + 2) >> 192;
    }

    function fileOf(uint256 rec) private view returns (uint256) {
        return uint64(Slots.load(rec + 2) >> 128);
    }

    /// The grant by which somebody who is not the owner has a right. A stale grant still gives it: only its wrap is of no use.
    function held(uint256 id, uint256 who, uint256 right) internal view returns (uint256 rights, uint256 expiration) {
        (uint256 rec, uint256 head) = find(id, who);
        Exits.need(rec != 0, Exits.FORBIDDEN);
        (rights, expiration) = (rightsOf(head), expirationOf(rec));
        Exits.need(Chain.now_() < expiration && rights & right != 0, Exits.FORBIDDEN);
    }

    /// Drops a grant if there is one.
    function drop(uint256 id, uint256 grantee) internal {
        (uint256 rec, uint256 head) = find(id, grantee);
        if (rec != 0) Slots.store(rec, head & ~GIVEN);
    }

    function write(uint256 id, uint256 version, uint256 by, NewGrant memory g) private {
        uint256 pair = Slots.pair(id, g.grantee);
        uint256 number = Slots.load(pair);
        uint256 rec;
        uint256 links;
        if (number == 0) {
            uint256 counts = Slots.load(Slots.COUNTS) + (1 << 64);
            number = uint64(counts >> 64);
            Slots.store(Slots.COUNTS, counts);
            Slots.store(pair, number);
            uint256 head = Slots.grantHead(id);
            links = (id << 128) | (Slots.load(head) << 64) | Keys.grantHead(g.grantee);
            Slots.store(head, number);
            Keys.setGrantHead(g.grantee, number);
            rec = Slots.grant(number);
        } else {
            rec = Slots.grant(number);
            links = Slots.load(rec + 2) << 64 >> 64;
        }
        Slots.store(rec, (g.grantee << 192) | (by << 128) | (version << 64) | (g.rights << 12) | g.wrap.len());
        Slots.store(rec + 2, (uint256(g.expiration) << 192) | links);
        Slots.put(rec, Slots.longGrant(number), 2, g.wrap);
    }

    function put(W memory w, uint256 number, uint256 version) private view {
        uint256 rec = Slots.grant(number);
        uint256 head = Slots.load(rec);
        uint256 expiration = expirationOf(rec);
        w.putTuple(5);
        Slots.get(w, 2, rec, Slots.longGrant(number), 2, head & 0xfff);
        w.putU64(rightsOf(head));
        w.putU64(expiration);
        w.putU64(uint64(head >> 64));
        w.putU64(Chain.now_() >= expiration ? 1 : uint64(head >> 64) < version ? 2 : 0);
    }

    // --- methods ---

    function grantAccess(R memory r) internal {
        r.tuple(2);
        uint256 id = r.u64();
        uint256 n = r.list();
        r.check(n > 0 && n <= MAX_AT_ONCE);
        NewGrant[] memory grants = new NewGrant[](n > MAX_AT_ONCE ? 0 : n);
        for (uint256 i = 0; i < n && !r.isBroken(); ++i) {
            NewGrant memory g;
            r.tuple(4);
            g.addr = r.addr();
            g.wrap = Files.wrapped(r);
            g.rights = r.u64();
            if (g.rights > 0xff) r.breaks();
            r.check(g.rights > 0 && g.rights < 8);
            g.expiration = r.i64();
            r.check(g.expiration > 0);
            if (i < grants.length) grants[i] = g;
        }
        Exits.done(r);
        for (uint256 i = 0; i < n; ++i) grants[i].grantee = Chain.resolveExisting(grants[i].addr);
        for (uint256 i = 0; i < n; ++i) {
            for (uint256 j = 0; j < i; ++j) {
                Exits.need(grants[i].grantee != grants[j].grantee, Exits.ILLEGAL_ARGUMENT);
            }
        }
        (, uint256 file) = Files.get(id);
        uint256 me = Chain.caller();
        check(id, file, me, grants);
        for (uint256 i = 0; i < n; ++i) {
            NewGrant memory g = grants[i];
            write(id, Files.versionOf(file), me, g);
            emit AccessGranted(uint64(id), uint64(g.grantee), uint64(me), uint8(g.rights), int64(g.expiration));
        }
        Exits.nothing();
    }

    /// Whoever shares by a grant gives no more than they hold, and leaves what others have given alone.
    function check(uint256 id, uint256 file, uint256 me, NewGrant[] memory grants) private view {
        uint256 owner = Files.ownerOf(file);
        (uint256 rights, uint256 until) = (0, 0);
        if (owner != me) (rights, until) = held(id, me, SHARE);
        for (uint256 i = 0; i < grants.length; ++i) {
            NewGrant memory g = grants[i];
            uint256 expiration = uint256(g.expiration);
            Exits.need(g.grantee != owner && Chain.now_() < expiration, Exits.ILLEGAL_ARGUMENT);
            if (owner == me) continue;
            Exits.need(rights & g.rights == g.rights && expiration <= until, Exits.FORBIDDEN);
            (uint256 rec, uint256 head) = find(id, g.grantee);
            Exits.need(rec == 0 || giverOf(head) == me || Chain.now_() >= expirationOf(rec), Exits.FORBIDDEN);
        }
    }

    function revokeAccess(R memory r) internal {
        r.tuple(2);
        uint256 id = r.u64();
        uint256 n = r.list();
        r.check(n > 0 && n <= MAX_AT_ONCE);
        Span[] memory addrs = new Span[](n > MAX_AT_ONCE ? 0 : n);
        for (uint256 i = 0; i < n && !r.isBroken(); ++i) {
            Span a = r.addr();
            if (i < addrs.length) addrs[i] = a;
        }
        Exits.done(r);
        uint256[] memory grantees = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) grantees[i] = Chain.resolve(addrs[i]);
        (, uint256 file) = Files.get(id);
        uint256 me = Chain.caller();
        for (uint256 i = 0; i < n; ++i) {
            (uint256 rec, uint256 head) = find(id, grantees[i]);
            for (uint256 j = 0; j < i; ++j) if (grantees[i] == grantees[j]) rec = 0;
            Exits.need(rec != 0, Exits.NOT_FOUND);
            Exits.need(me == Files.ownerOf(file) || me == giverOf(head) || me == grantees[i], Exits.FORBIDDEN);
        }
        for (uint256 i = 0; i < n; ++i) {
            drop(id, grantees[i]);
            emit AccessRevoked(uint64(id), uint64(grantees[i]), uint64(me));
        }
        Exits.nothing();
    }

    function getGrant(R memory r) internal view {
        r.tuple(2);
        uint256 id = r.u64();
        Span a = r.addr();
        Exits.done(r);
        uint256 grantee = Chain.resolve(a);
        (uint256 file, uint256 head) = Files.find(id);
        uint256 rec = 0;
        if (file != 0) (rec,) = find(id, grantee);
        W memory w = Cbor.writer();
        if (rec == 0) w.putNull();
        else put(w, Slots.load(Slots.pair(id, grantee)), Files.versionOf(head));
        Exits.ok(w);
    }

    function listGrants(R memory r) internal view {
        r.tuple(3);
        uint256 id = r.u64();
        (bool some, uint256 next) = r.maybe();
        uint256 most = Files.limit(r);
        Exits.done(r);
        (uint256 file,) = Files.find(id);
        if (!some) next = Slots.load(Slots.grantHead(id));
        if (file == 0) next = 0;
        page(next, most, id, 0);
    }

    function listShared(R memory r) internal view {
        r.tuple(3);
        Span a = r.addr();
        (bool some, uint256 next) = r.maybe();
        uint256 most = Files.limit(r);
        Exits.done(r);
        uint256 grantee = Chain.resolve(a);
        if (!some) next = Keys.grantHead(grantee);
        page(next, most, 0, grantee);
    }

    /// A page of the grants of a file, or else of those to somebody, newest first. A cursor from elsewhere lists nothing.
    function page(uint256 next, uint256 most, uint256 id, uint256 grantee) private view {
        if (next > uint64(Slots.load(Slots.COUNTS) >> 64)) next = 0;
        uint256[] memory found = new uint256[](most);
        uint256 n = 0;
        for (uint256 i = 0; i < most + MAX_SKIPPED && next != 0 && n < most; ++i) {
            uint256 rec = Slots.grant(next);
            uint256 head = Slots.load(rec);
            if (id != 0 ? fileOf(rec) != id : head >> 192 != grantee) {
                next = 0;
                break;
            }
            uint256 file = id;
            if (id == 0) (file,) = Files.find(fileOf(rec));
            if (rightsOf(head) != 0 && file != 0) found[n++] = next;
            uint256 links = Slots.load(rec + 2);
            next = uint64(id != 0 ? links >> 64 : links);
        }
        W memory w = Cbor.writer();
        w.putTuple(2);
        w.putTuple(n);
        for (uint256 i = 0; i < n; ++i) {
            uint256 rec = Slots.grant(found[i]);
            uint256 fileId = fileOf(rec);
            (, uint256 file) = Files.find(fileId);
            w.putTuple(2);
            w.putU64(id != 0 ? Slots.load(rec) >> 192 : fileId);
            put(w, found[i], Files.versionOf(file));
        }
        w.putMaybe(next != 0, next);
        Exits.ok(w);
    }
}
