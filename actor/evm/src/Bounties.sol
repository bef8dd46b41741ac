// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor, R, Span, W} from "./Cbor.sol";
import {Chain} from "./Chain.sol";
import {BountyCancelled, BountyCreated, BountyFunded, BountyRefunded} from "./Events.sol";
import {Exits} from "./Exits.sol";
import {Files} from "./Files.sol";
import {Slots} from "./Slots.sol";

/// A bounty without what is for people to read.
///
/// Its words, as in storage: 0 creator 64 | created 40 | padded size 40 | basis points 16 | length of the source 16 | of the note 16 |
/// replicas 8 | providers 8 | claims 8 | open ones 8 | completed ones 8 | file given 8 | cancelled 8; 1 piece; 2 reward 128 | duration
/// 24 | deadline 40 | file 64; 3 funded 128 | escrowed 128; 4 paid 128 | refunded 128; 5 shares 128 | reserved 128.
struct Bounty {
    uint256 id;
    uint256 creator;
    uint256 created;
    uint256 paddedSize;
    uint256 bps;
    uint256 source;
    uint256 note;
    uint256 replicas;
    uint256 providers;
    uint256 claims;
    uint256 open;
    uint256 completed;
    bool hasFile;
    bool cancelled;
    uint256 piece;
    uint256 reward;
    uint256 duration;
    uint256 deadline;
    uint256 file;
    uint256 funded;
    uint256 escrowed;
    uint256 paid;
    uint256 refunded;
    uint256 shares;
    uint256 reserved;
}

/// Terms as they are sent.
struct Terms {
    Span source;
    Span note;
    Span[] providers;
    int256 deadline;
}

/// Bounties: money in, money back. What claims earn is in `Claims`.
library Bounties {
    using Cbor for R;
    using Cbor for Span;
    using Cbor for W;

    uint256 private constant MAX_REPLICAS = 16;
    uint256 private constant MAX_PROVIDERS = 16;
    uint256 private constant MAX_TEXT = 256;
    int256 private constant MAX_DURATION = 1278 * 2880;
    uint256 private constant MAX_CLAIM_WINDOW = 365 * 2880;
    uint256 private constant BASIS_POINTS = 10_000;
    uint256 private constant MAX_REWARD = 2_000_000_000 ether;

    // --- records ---

    function count() private view returns (uint256) {
        return uint64(Slots.load(Slots.COUNTS) >> 128);
    }

    function find(uint256 id) internal view returns (bool some, Bounty memory b) {
        if (id == 0 || id > count()) return (false, b);
        uint256 slot = Slots.bounty(id, 0);
        uint256 v = Slots.load(slot);
        b.id = id;
        b.creator = v >> 192;
        b.created = uint40(v >> 152);
        b.paddedSize = uint40(v >> 112);
        b.bps = uint16(v >> 96);
        b.source = uint16(v >> 80);
        b.note = uint16(v >> 64);
        b.replicas = uint8(v >> 56);
        b.providers = uint8(v >> 48);
        b.claims = uint8(v >> 40);
        b.open = uint8(v >> 32);
        b.completed = uint8(v >> 24);
        b.hasFile = uint8(v >> 16) != 0;
        b.cancelled = uint8(v >> 8) != 0;
        b.piece = Slots.load(slot + 2);
        v = Slots.load(slot + 4);
        (b.reward, b.duration, b.deadline, b.file) = (v >> 128, uint24(v >> 104), uint40(v >> 64), uint64(v));
        v = Slots.load(slot + 6);
        (b.funded, b.escrowed) = (v >> 128, uint128(v));
        v = Slots.load(slot + 8);
        (b.paid, b.refunded) = (v >> 128, uint128(v));
        v = Slots.load(slot + 10);
        (b.shares, b.reserved) = (v >> 128, uint128(v));
        some = true;
    }

    function get(uint256 id) internal view returns (Bounty memory b) {
        bool some;
        (some, b) = find(id);
        Exits.need(some, Exits.NOT_FOUND);
    }

    /// Writes what changes: counts and money.
    function save(Bounty memory b) internal {
        uint256 slot = Slots.bounty(b.id, 0);
        uint256 v = (b.creator << 192) | (b.created << 152) | (b.paddedSize << 112) | (b.bps << 96);
        v |= (b.source << 80) | (b.note << 64) | (b.replicas << 56) | (b.providers << 48) | (b.claims << 40);
        v |= (b.open << 32) | (b.completed << 24);
        if (b.hasFile) v |= 1 << 16;
        if (b.cancelled) v |= 1 << 8;
        Slots.store(slot, v);
        Slots.store(slot + 6, (b.funded << 128) | b.escrowed);
        Slots.store(slot + 8, (b.paid << 128) | b.refunded);
        Slots.store(slot + 10, (b.shares << 128) | b.reserved);
    }

    /// Provider `i` of the list; four stand in a word.
    function provider(uint256 id, uint256 i) internal view returns (uint256) {
        return uint64(Slots.load(Slots.bounty(id, 1) + 2 * (i >> 2)) >> (64 * (i & 3)));
    }

    /// Tells whether nothing more can be earned, now or later.
    function isEnded(Bounty memory b) internal view returns (bool) {
        bool noMoreClaims = Chain.now_() > b.deadline || b.completed >= b.replicas;
        return b.cancelled || (noMoreClaims && b.open == 0);
    }

    /// The part of a replica's reward that activation earns, rounded down.
    function activation(Bounty memory b) internal pure returns (uint256) {
        return b.reward * b.bps / BASIS_POINTS;
    }

    /// What `covered` epochs of proven storage earn beside the activation, rounded down: all of the rest at `duration`.
    function earned(Bounty memory b, uint256 covered) internal pure returns (uint256) {
        return (b.reward - activation(b)) * covered / b.duration;
    }

    function escrow(int256 change) internal {
        Slots.store(Slots.ESCROWED, uint256(int256(Slots.load(Slots.ESCROWED)) + change));
    }

    /// Replicas that nobody keeps or has kept to the end.
    function replicasLeft(Bounty memory b) internal pure returns (uint256) {
        return b.replicas - b.open - b.completed;
    }

    /// Money that no open claim may still earn.
    function free(Bounty memory b) internal pure returns (uint256) {
        return b.escrowed - b.reserved;
    }

    /// Puts the value of this call into a bounty; no more than it could ever pay out: what a claim got that has died is missing for the one in
    /// its place.
    function putIn(Bounty memory b, uint256 funder) private {
        Exits.need(free(b) + msg.value <= b.reward * replicasLeft(b), Exits.OVERFUNDED);
        b.funded += msg.value;
        b.escrowed += msg.value;
        b.shares += msg.value;
        escrow(int256(msg.value));
        uint256 slot = Slots.share(b.id, funder);
        Slots.store(slot, Slots.load(slot) + msg.value);
    }

    // --- params ---

    function terms(R memory r) private pure returns (Bounty memory b, Terms memory t) {
        r.tuple(11);
        (b.piece, b.paddedSize) = Files.piece(r);
        (b.hasFile, b.file) = r.maybe();
        b.reward = r.amount();
        r.check(b.reward > 0 && b.reward <= MAX_REWARD);
        b.bps = r.u64();
        r.check(b.bps <= BASIS_POINTS);
        b.replicas = r.u64();
        r.check(b.replicas > 0 && b.replicas <= MAX_REPLICAS);
        int256 duration = r.i64();
        r.check(duration > 0 && duration <= MAX_DURATION);
        b.duration = uint256(duration);
        t.deadline = r.i64();
        r.check(t.deadline > 0);
        uint256 n = r.list();
        r.check(n <= MAX_PROVIDERS);
        t.providers = new Span[](n > MAX_PROVIDERS ? 0 : n);
        for (uint256 i = 0; i < n && !r.isBroken(); ++i) {
            Span a = r.addr();
            if (i < t.providers.length) t.providers[i] = a;
        }
        t.source = r.text();
        t.note = r.text();
        r.check(t.source.len() <= MAX_TEXT && t.note.len() <= MAX_TEXT);
        (b.source, b.note) = (t.source.len(), t.note.len());
    }

    /// IDs in order, each once.
    function resolved(Span[] memory addrs) private view returns (uint256[] memory ids, uint256 n) {
        ids = new uint256[](addrs.length);
        for (uint256 i = 0; i < addrs.length; ++i) {
            uint256 id = Chain.resolve(addrs[i]);
            uint256 at = n;
            while (at > 0 && ids[at - 1] > id) --at;
            if (at > 0 && ids[at - 1] == id) continue;
            for (uint256 j = n++; j > at; --j) ids[j] = ids[j - 1];
            ids[at] = id;
        }
    }

    // --- methods ---

    function createBounty(R memory r) internal {
        r.tuple(1);
        (Bounty memory b, Terms memory t) = terms(r);
        Exits.done(r);
        uint256[] memory providers;
        (providers, b.providers) = resolved(t.providers);
        b.created = Chain.now_();
        b.deadline = uint256(t.deadline);
        Exits.need(
            b.deadline >= b.created && b.deadline <= b.created + MAX_CLAIM_WINDOW, Exits.ILLEGAL_ARGUMENT
        );
        b.creator = Chain.caller();
        uint256 counts = Slots.load(Slots.COUNTS) + (1 << 128);
        b.id = uint64(counts >> 128);
        if (msg.value != 0) putIn(b, b.creator);
        Slots.store(Slots.COUNTS, counts);
        save(b);
        uint256 slot = Slots.bounty(b.id, 0);
        Slots.store(slot + 2, b.piece);
        Slots.store(slot + 4, (b.reward << 128) | (b.duration << 104) | (b.deadline << 64) | b.file);
        slot = Slots.bounty(b.id, 1);
        for (uint256 i = 0; i < b.providers; i += 4) {
            uint256 v = 0;
            for (uint256 j = i; j < i + 4 && j < b.providers; ++j) v |= providers[j] << (64 * (j - i));
            Slots.store(slot + i / 2, v);
        }
        Slots.put(slot, slot + 32, Slots.put(slot, slot + 32, 4, t.source), t.note);
        emit BountyCreated(uint64(b.id), uint64(b.creator), bytes32(b.piece));
        if (msg.value != 0) emit BountyFunded(uint64(b.id), uint64(b.creator), msg.value);
        W memory w = Cbor.writer();
        w.putTuple(1);
        w.putU64(b.id);
        Exits.ok(w);
    }

    function id1(R memory r) private view returns (uint256 id) {
        r.tuple(1);
        id = r.u64();
        Exits.done(r);
    }

    function fundBounty(R memory r) internal {
        uint256 id = id1(r);
        Exits.need(msg.value != 0, Exits.WRONG_VALUE);
        Bounty memory b = get(id);
        Exits.need(Chain.now_() <= b.deadline && !isEnded(b), Exits.BOUNTY_CLOSED);
        uint256 funder = Chain.caller();
        putIn(b, funder);
        save(b);
        emit BountyFunded(uint64(id), uint64(funder), msg.value);
        Exits.nothing();
    }

    function cancelBounty(R memory r) internal {
        uint256 id = id1(r);
        Bounty memory b = get(id);
        Exits.need(b.creator == Chain.caller(), Exits.FORBIDDEN);
        Exits.need(b.claims == 0, Exits.BOUNTY_HAS_CLAIMS);
        Exits.need(!isEnded(b), Exits.BOUNTY_CLOSED);
        b.cancelled = true;
        save(b);
        emit BountyCancelled(uint64(id));
        Exits.nothing();
    }

    /// Gives a funder their part of what was not earned: by share, rounded down, the rest to the last.
    function refundBounty(R memory r) internal {
        uint256 id = id1(r);
        Bounty memory b = get(id);
        uint256 funder = Chain.caller();
        uint256 slot = Slots.share(id, funder);
        uint256 share = Slots.load(slot);
        Exits.need(share != 0, Exits.NOTHING_TO_REFUND);
        Exits.need(isEnded(b), Exits.BOUNTY_NOT_ENDED);
        uint256 amount = b.escrowed * share / b.shares;
        b.shares -= share;
        b.escrowed -= amount;
        b.refunded += amount;
        escrow(-int256(amount));
        Slots.store(slot, 0);
        save(b);
        Chain.pay(funder, amount);
        emit BountyRefunded(uint64(id), uint64(funder), amount);
        W memory w = Cbor.writer();
        w.putTuple(1);
        w.putAmount(amount);
        Exits.ok(w);
    }

    function put(W memory w, Bounty memory b) private view {
        w.putTuple(11);
        w.putTuple(11);
        w.putPiece(b.piece);
        w.putU64(b.paddedSize);
        w.putMaybe(b.hasFile, b.file);
        w.putAmount(b.reward);
        w.putU64(b.bps);
        w.putU64(b.replicas);
        w.putU64(b.duration);
        w.putU64(b.deadline);
        w.putTuple(b.providers);
        for (uint256 i = 0; i < b.providers; ++i) w.putId(provider(b.id, i));
        uint256 slot = Slots.bounty(b.id, 1);
        Slots.get(w, 3, slot, slot + 32, Slots.get(w, 3, slot, slot + 32, 4, b.source), b.note);
        w.putU64(b.creator);
        w.putU64(b.created);
        w.putBool(b.cancelled);
        w.putAmount(b.funded);
        w.putAmount(b.paid);
        w.putAmount(b.refunded);
        w.putAmount(b.escrowed);
        w.putAmount(b.reserved);
        w.putU64(b.claims);
        w.putBool(isEnded(b));
    }

    function getBounty(R memory r) internal view {
        (bool some, Bounty memory b) = find(id1(r));
        W memory w = Cbor.writer();
        if (some) put(w, b);
        else w.putNull();
        Exits.ok(w);
    }

    /// Where a page that begins with `first` stops.
    function stop(uint256 first, uint256 most, uint256 end) internal pure returns (uint256) {
        return first + most < end ? first + most : end > first ? end : first;
    }

    function listBounties(R memory r) internal view {
        r.tuple(2);
        (bool some, uint256 first) = r.maybe();
        uint256 most = Files.limit(r);
        Exits.done(r);
        if (!some || first == 0) first = 1;
        uint256 end = count() + 1;
        uint256 last = stop(first, most, end);
        // The records take memory; the answer is written behind them.
        Bounty[] memory page = new Bounty[](last - first);
        for (uint256 i = 0; i < page.length; ++i) (, page[i]) = find(first + i);
        W memory w = Cbor.writer();
        w.putTuple(2);
        w.putTuple(page.length);
        for (uint256 i = 0; i < page.length; ++i) {
            w.putTuple(2);
            w.putU64(first + i);
            put(w, page[i]);
        }
        w.putMaybe(last < end && last > first, last);
        Exits.ok(w);
    }
}
