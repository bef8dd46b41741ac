// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Bounties, Bounty} from "./Bounties.sol";
import {Cbor, R, Span, W} from "./Cbor.sol";
import {Chain} from "./Chain.sol";
import {BountyClaimed, BountySettled} from "./Events.sol";
import {Exits} from "./Exits.sol";
import {Files} from "./Files.sol";
import {Slots} from "./Slots.sol";

/// What the chain has proven about a sector: by the miner's own notification, or by a market deal.
struct Proof {
    uint256 provider;
    uint256 sector;
    bool byDeal;
    uint256 deal;
    bool isPiece;
    uint256 piece;
    uint256 size;
    int256 expiration;
}

/// A claim. Its words: 0 provider 64 | sector 64 | deal 64 | start 40 | by a deal 8 | activated 8 | status 8; 1 paid 96 | covered 40 |
/// settled until 40 | sector expiration 64.
struct Claim {
    uint256 provider;
    uint256 sector;
    uint256 deal;
    uint256 start;
    bool byDeal;
    bool activated;
    uint256 status;
    uint256 paid;
    uint256 covered;
    uint256 until;
    uint256 expiration;
}

/// One claim to settle, and what was seen of its sector.
struct Settlement {
    uint256 claim;
    Span aux;
    uint256 status;
    int256 expiration;
    uint256 amount;
}

/// Claims: who may claim, and what a claim has earned.
library Claims {
    using Bounties for Bounty;
    using Cbor for R;
    using Cbor for Span;
    using Cbor for W;

    uint256 private constant MAX_CLAIMS = 64;
    uint256 private constant MAX_AT_ONCE = 32;
    uint256 private constant MAX_LOCATION = 64;
    uint256 private constant MAX_NOTIFIED_PIECES = 256;
    uint256 private constant MAX_PAYLOAD = 9;
    /// Thirty days, in which a sector may give up a piece whose deal still runs.
    uint256 private constant MIN_DEAL_LEFT = 30 * 2880;

    uint256 private constant OPEN = 0;
    uint256 private constant COMPLETED = 1;
    uint256 private constant DEAD = 2;
    /// Statuses of sectors.
    uint256 private constant SECTOR_DEAD = 0;
    uint256 private constant SECTOR_ACTIVE = 1;

    /// `deal -> [piece CID, padded size]`
    uint256 private constant GET_DEAL_DATA_COMMITMENT = 1157985802;
    /// `deal -> provider`
    uint256 private constant GET_DEAL_PROVIDER = 935081690;
    /// `deal -> [start, duration]`
    uint256 private constant GET_DEAL_TERM = 163777312;
    /// `deal -> [activated, terminated]`, -1 for never
    uint256 private constant GET_DEAL_ACTIVATION = 2567238399;
    /// `deal -> sector`
    uint256 private constant GET_DEAL_SECTOR = 2611213344;

    // --- records ---

    function slotOf(uint256 id, uint256 claim) private pure returns (uint256) {
        return Slots.bounty(id, 2 + (claim >> 4)) + ((claim & 15) << 2);
    }

    function load(uint256 id, uint256 claim) private view returns (Claim memory c) {
        uint256 slot = slotOf(id, claim);
        uint256 v = Slots.load(slot);
        (c.provider, c.sector, c.deal) = (v >> 192, uint64(v >> 128), uint64(v >> 64));
        (c.start, c.byDeal, c.activated) = (uint40(v >> 24), uint8(v >> 16) != 0, uint8(v >> 8) != 0);
        c.status = uint8(v);
        v = Slots.load(slot + 2);
        (c.paid, c.covered, c.until, c.expiration) = (v >> 144, uint40(v >> 104), uint40(v >> 64), uint64(v));
    }

    function save(uint256 id, uint256 claim, Claim memory c) private {
        uint256 slot = slotOf(id, claim);
        uint256 v = (c.provider << 192) | (c.sector << 128) | (c.deal << 64) | (c.start << 24) | c.status;
        if (c.byDeal) v |= 1 << 16;
        if (c.activated) v |= 1 << 8;
        Slots.store(slot, v);
        Slots.store(slot + 2, (c.paid << 144) | (c.covered << 104) | (c.until << 64) | c.expiration);
    }

    /// All that a claim has to keep; the bounty's side first, then the proof's. 0 if it does.
    function refusal(Bounty memory b, Proof memory proof) private view returns (uint256) {
        if (
            b.cancelled || Chain.now_() > b.deadline || b.replicasLeft() == 0 || b.claims >= MAX_CLAIMS
                || b.free() < b.reward
        ) return Exits.BOUNTY_CLOSED;
        if (
            !proof.isPiece || proof.piece != b.piece || proof.size != b.paddedSize
                || proof.expiration < int256(Chain.now_() + b.duration)
        ) return Exits.DEAL_DOES_NOT_FIT;
        bool listed = b.providers == 0;
        for (uint256 i = 0; i < b.providers && !listed; ++i) listed = Bounties.provider(b.id, i) == proof.provider;
        if (!listed) return Exits.DEAL_DOES_NOT_FIT;
        for (uint256 i = 0; i < b.claims; ++i) {
            if (Slots.load(slotOf(b.id, i)) >> 192 == proof.provider) return Exits.DEAL_DOES_NOT_FIT;
        }
        return 0;
    }

    /// Records a claim that fits; otherwise says why it does not.
    function claimWith(Bounty memory b, Proof memory proof) private returns (uint256 refused) {
        refused = refusal(b, proof);
        if (refused != 0) return refused;
        Claim memory c;
        (c.provider, c.sector, c.byDeal, c.deal) = (proof.provider, proof.sector, proof.byDeal, proof.deal);
        (c.start, c.until, c.expiration) = (Chain.now_(), Chain.now_(), uint256(proof.expiration));
        save(b.id, b.claims, c);
        emit BountyClaimed(
            uint64(b.id), uint64(c.provider), uint64(b.claims), uint64(c.sector), c.byDeal, uint64(c.deal)
        );
        ++b.claims;
        ++b.open;
        // Activation and all epochs together are the whole reward.
        b.reserved += b.reward;
        b.save();
    }

    /// What an open claim may still earn.
    function reserve(Bounty memory b, Claim memory c) private pure returns (uint256) {
        uint256 left = c.start + b.duration - c.until;
        return (c.activated ? 0 : b.activation()) + b.earned(c.covered + left) - b.earned(c.covered);
    }

    // --- methods ---

    /// Total for a miner, whose whole batch would fail with us: what is not understood, not fitting or not possible is passed over.
    function sectorContentChanged(R memory r) internal {
        uint256 provider = Chain.caller();
        Exits.need(Chain.isMiner(provider), Exits.FORBIDDEN);
        // An answer is never longer than its question.
        W memory w = Cbor.writer(r.end - r.p);
        uint256 first = r.p;
        uint256 n = r.list();
        w.putTuple(n);
        for (uint256 i = 0; i < n && !r.isBroken(); ++i) {
            r.tuple(3);
            r.u64();
            r.i64();
            uint256 k = r.list();
            w.putTuple(k);
            for (uint256 j = 0; j < k && !r.isBroken(); ++j) {
                r.tuple(3);
                r.link();
                r.u64();
                r.octets();
                w.putBool(true);
            }
        }
        if (r.isDone()) {
            r.p = first;
            record(r, provider);
        } else {
            w.p = w.start + 128;
            w.putTuple(0);
        }
        Exits.ok(w);
    }

    function record(R memory r, uint256 provider) private {
        uint256 looked = 0;
        Proof memory proof;
        proof.provider = provider;
        for (uint256 n = r.list(); n > 0; --n) {
            r.tuple(3);
            proof.sector = r.u64();
            proof.expiration = r.i64();
            for (uint256 k = r.list(); k > 0; --k) {
                if (looked++ == MAX_NOTIFIED_PIECES) return;
                r.tuple(3);
                (proof.isPiece, proof.piece) = r.piece();
                proof.size = r.u64();
                Span payload = r.octets();
                R memory hint = payload.over();
                uint256 id = hint.u64();
                if (payload.len() > MAX_PAYLOAD || !hint.isDone()) continue;
                (bool some, Bounty memory b) = Bounties.find(id);
                if (some) claimWith(b, proof);
            }
        }
    }

    function market(uint256 method, uint256 deal) private returns (R memory answer) {
        uint256 exit;
        (exit, answer) = Chain.ask(Chain.MARKET, method, Chain.number(deal));
        Exits.need(exit == 0, exit == Exits.NOT_FOUND ? Exits.NOT_FOUND : Exits.DEAL_DOES_NOT_FIT);
    }

    function fits(R memory answer) private view {
        Exits.need(answer.isDone(), Exits.DEAL_DOES_NOT_FIT);
    }

    function number(uint256 method, uint256 deal) private returns (uint256 v) {
        R memory answer = market(method, deal);
        v = answer.u64();
        fits(answer);
    }

    function epochs(uint256 method, uint256 deal) private returns (int256 one, int256 other) {
        R memory answer = market(method, deal);
        answer.tuple(2);
        (one, other) = (answer.i64(), answer.i64());
        fits(answer);
    }

    function claimBounty(R memory r) internal {
        r.tuple(2);
        uint256 id = r.u64();
        uint256 deal = r.u64();
        Exits.done(r);
        Bounty memory b = Bounties.get(id);
        Proof memory proof;
        (proof.byDeal, proof.deal) = (true, deal);

        R memory answer = market(GET_DEAL_DATA_COMMITMENT, deal);
        answer.tuple(2);
        (proof.isPiece, proof.piece) = answer.piece();
        proof.size = answer.u64();
        fits(answer);
        proof.provider = number(GET_DEAL_PROVIDER, deal);
        (int256 activated, int256 terminated) = epochs(GET_DEAL_ACTIVATION, deal);
        // The market calls a deal active that is over until somebody settles it.
        (int256 start, int256 duration) = epochs(GET_DEAL_TERM, deal);
        Exits.need(
            activated >= 0 && terminated < 0 && start + duration > int256(Chain.now_() + MIN_DEAL_LEFT),
            Exits.DEAL_DOES_NOT_FIT
        );
        proof.sector = number(GET_DEAL_SECTOR, deal);
        bool known;
        (known, proof.expiration) = Chain.expiration(proof.provider, proof.sector);
        Exits.need(known, Exits.DEAL_DOES_NOT_FIT);

        uint256 claim = b.claims;
        uint256 refused = claimWith(b, proof);
        Exits.need(refused == 0, refused);
        W memory w = Cbor.writer();
        w.putTuple(1);
        w.putU64(claim);
        Exits.ok(w);
    }

    function settleBounty(R memory r) internal {
        r.tuple(2);
        uint256 id = r.u64();
        uint256 n = r.list();
        r.check(n > 0 && n <= MAX_AT_ONCE);
        Settlement[] memory all = new Settlement[](n > MAX_AT_ONCE ? 0 : n);
        for (uint256 i = 0; i < n && !r.isBroken(); ++i) {
            r.tuple(2);
            uint256 claim = r.u64();
            Span aux = r.octets();
            r.check(aux.len() <= MAX_LOCATION);
            if (i >= all.length) continue;
            (all[i].claim, all[i].aux) = (claim, aux);
            for (uint256 j = 0; j < i; ++j) r.check(all[j].claim != claim);
        }
        Exits.done(r);
        Bounty memory b = Bounties.get(id);
        for (uint256 i = 0; i < n; ++i) {
            Exits.need(all[i].claim < b.claims, Exits.NOT_FOUND);
            Exits.need(uint8(Slots.load(slotOf(id, all[i].claim))) == OPEN, Exits.CLAIM_CLOSED);
        }
        for (uint256 i = 0; i < n; ++i) look(id, all[i]);
        settle(b, all);
        W memory w = Cbor.writer();
        w.putTuple(1);
        w.putTuple(n);
        for (uint256 i = 0; i < n; ++i) w.putAmount(all[i].amount);
        Exits.ok(w);
    }

    /// Asks the miner of a claim how its sector is.
    function look(uint256 id, Settlement memory s) private {
        uint256 v = Slots.load(slotOf(id, s.claim));
        bytes memory aux = new bytes(s.aux.len());
        (uint256 p, uint256 n) = (s.aux.at(), s.aux.len());
        assembly ("memory-safe") {
            mcopy(add(aux, 32), p, n)
        }
        bool good;
        (good, s.status, s.expiration) = Chain.sector(v >> 192, uint64(v >> 128), aux);
        Exits.need(good, Exits.STALE_LOCATION);
    }

    /// Moves claims on to what was seen; the state first, then the money, then what indexers are told.
    function settle(Bounty memory b, Settlement[] memory all) private {
        uint256 total = 0;
        for (uint256 i = 0; i < all.length; ++i) {
            Claim memory c = load(b.id, all[i].claim);
            all[i].amount = advance(b, c, all[i]);
            total += all[i].amount;
            save(b.id, all[i].claim, c);
        }
        b.paid += total;
        b.escrowed -= total;
        Bounties.escrow(-int256(total));
        b.save();
        for (uint256 i = 0; i < all.length; ++i) {
            Chain.pay(Slots.load(slotOf(b.id, all[i].claim)) >> 192, all[i].amount);
        }
        for (uint256 i = 0; i < all.length; ++i) {
            Claim memory c = load(b.id, all[i].claim);
            emit BountySettled(
                uint64(b.id),
                uint64(c.provider),
                uint64(all[i].claim),
                all[i].amount,
                int64(uint64(c.until)),
                uint8(c.status)
            );
        }
    }

    /// Moves one claim on, and returns what it has earned on the way.
    function advance(Bounty memory b, Claim memory c, Settlement memory seen) private view returns (uint256 amount) {
        b.reserved -= reserve(b, c);
        uint256 end = c.start + b.duration;
        uint256 until = Chain.now_() < end ? Chain.now_() : end;
        if (seen.status != SECTOR_DEAD && seen.expiration < int256(until)) {
            until = seen.expiration < 0 ? 0 : uint256(seen.expiration);
        }
        if (until < c.until) until = c.until;
        if (seen.status == SECTOR_ACTIVE) {
            uint256 before = b.earned(c.covered);
            c.covered += until - c.until;
            amount = b.earned(c.covered) - before;
            if (!c.activated) amount += b.activation();
            c.activated = true;
        }
        c.paid += amount;
        c.until = until;
        if (seen.status == SECTOR_DEAD) c.status = DEAD;
        else if (until >= end) c.status = COMPLETED;
        if (c.status == OPEN) {
            b.reserved += reserve(b, c);
        } else {
            --b.open;
            if (c.status == COMPLETED) ++b.completed;
        }
    }

    function listBountyClaims(R memory r) internal view {
        r.tuple(3);
        uint256 id = r.u64();
        (, uint256 first) = r.maybe();
        uint256 most = Files.limit(r);
        Exits.done(r);
        Bounty memory b = Bounties.get(id);
        uint256 last = Bounties.stop(first, most, b.claims);
        Claim[] memory page = new Claim[](last - first);
        for (uint256 i = 0; i < page.length; ++i) page[i] = load(id, first + i);
        W memory w = Cbor.writer();
        w.putTuple(2);
        w.putTuple(page.length);
        for (uint256 i = 0; i < page.length; ++i) {
            Claim memory c = page[i];
            w.putTuple(2);
            w.putU64(first + i);
            w.putTuple(10);
            w.putU64(c.provider);
            w.putU64(c.sector);
            w.putMaybe(c.byDeal, c.deal);
            w.putU64(c.start);
            w.putU64(c.until);
            w.putU64(c.covered);
            w.putBool(c.activated);
            w.putAmount(c.paid);
            w.putU64(c.expiration);
            w.putU64(c.status);
        }
        w.putMaybe(last < b.claims && last > first, last);
        Exits.ok(w);
    }
}
