// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// A cursor over DAG-CBOR in memory. It never fails: what is wrong is remembered, and `Exits.done` says so before anything is written.
struct R {
    /// Next byte.
    uint256 p;
    /// First byte after the input.
    uint256 end;
    /// `BROKEN`: not the one form of a value; `BOUNDS`: a bound is not kept.
    uint256 flaw;
}

/// A place to write DAG-CBOR to: from `start` + 128 on, so that the ABI's head finds room before it.
struct W {
    uint256 p;
    uint256 start;
}

/// Bytes in memory: address * 2^64 + length.
type Span is uint256;

uint256 constant BOUNDS = 1;
uint256 constant BROKEN = 2;

/// DAG-CBOR as `bauta_abi` decodes it: one form for each value, no maps, no floats, no indefinite lengths.
///
/// Inputs of any bytes and any length end in bounded work: a list is as long as its bytes are many at most.
library Cbor {
    uint256 private constant TOP_BITS = 0x8080808080808080808080808080808080808080808080808080808080808080;
    uint256 private constant ONES = 0x0101010101010101010101010101010101010101010101010101010101010101;

    function reader(bytes memory d) internal pure returns (R memory r) {
        assembly ("memory-safe") {
            let p := add(d, 32)
            mstore(r, p)
            mstore(add(r, 32), add(p, mload(d)))
        }
    }

    function over(Span s) internal pure returns (R memory r) {
        (r.p, r.end) = (at(s), at(s) + len(s));
    }

    function at(Span s) internal pure returns (uint256) {
        return Span.unwrap(s) >> 64;
    }

    function len(Span s) internal pure returns (uint256) {
        return uint64(Span.unwrap(s));
    }

    /// Everything after this reads as nothing.
    function breaks(R memory r) internal pure {
        r.flaw |= BROKEN;
        r.p = r.end;
    }

    function check(R memory r, bool kept) internal pure {
        if (!kept) r.flaw |= BOUNDS;
    }

    function isBroken(R memory r) internal pure returns (bool) {
        return r.flaw & BROKEN != 0;
    }

    function isDone(R memory r) internal pure returns (bool) {
        return !isBroken(r) && r.p == r.end;
    }

    /// The head of an item of one major type; 0 and broken for any other, and for a longer form than needed.
    function expect(R memory r, uint256 major) internal pure returns (uint256 v) {
        uint256 p = r.p;
        bool good;
        uint256 end = r.end;
        assembly ("memory-safe") {
            let w := mload(p)
            let b := byte(0, w)
            good := and(eq(shr(5, b), major), lt(p, end))
            v := and(b, 31)
            p := add(p, 1)
            if gt(v, 23) {
                let n := sub(v, 24)
                // n of 0 to 3 stands for 1, 2, 4, 8 bytes; whatever is above is refused below.
                let s := shl(and(n, 3), 1)
                v := shr(sub(256, shl(3, s)), shl(8, w))
                p := add(p, s)
                // The value must not fit the next shorter form.
                switch n
                case 0 { good := and(good, gt(v, 23)) }
                default { good := and(good, and(lt(n, 4), gt(shr(shl(2, s), v), 0))) }
            }
        }
        if (!good || p > end) {
            breaks(r);
            return 0;
        }
        r.p = p;
    }

    function u64(R memory r) internal pure returns (uint256) {
        return expect(r, 0);
    }

    function peek(R memory r) private pure returns (uint256 b) {
        if (r.p >= r.end) return 0xff;
        uint256 p = r.p;
        assembly ("memory-safe") {
            b := byte(0, mload(p))
        }
    }

    function i64(R memory r) internal pure returns (int256) {
        bool negative = peek(r) >> 5 == 1;
        uint256 v = expect(r, negative ? 1 : 0);
        if (v >> 63 != 0) {
            breaks(r);
            return 0;
        }
        return negative ? -1 - int256(v) : int256(v);
    }

    /// A number, or null.
    function maybe(R memory r) internal pure returns (bool some, uint256 v) {
        if (peek(r) == 0xf6) {
            ++r.p;
            return (false, 0);
        }
        return (true, u64(r));
    }

    /// The length of a list: no element is shorter than a byte.
    function list(R memory r) internal pure returns (uint256 n) {
        n = expect(r, 4);
        if (n > r.end - r.p) {
            breaks(r);
            return 0;
        }
    }

    function tuple(R memory r, uint256 n) internal pure {
        if (expect(r, 4) != n) breaks(r);
    }

    function take(R memory r, uint256 n) private pure returns (Span s) {
        if (n > r.end - r.p) {
            breaks(r);
            return Span.wrap(0);
        }
        s = Span.wrap((r.p << 64) | n);
        r.p += n;
    }

    function octets(R memory r) internal pure returns (Span) {
        return take(r, expect(r, 2));
    }

    function word(R memory r) internal pure returns (uint256 v) {
        Span s = octets(r);
        if (len(s) != 32) breaks(r);
        return load(at(s));
    }

    function load(uint256 p) internal pure returns (uint256 v) {
        assembly ("memory-safe") {
            v := mload(p)
        }
    }

    function byteAt(uint256 p) private pure returns (uint256) {
        return load(p) >> 248;
    }

    /// An amount: a sign byte and the magnitude without leading zeros, nothing for zero. Negative ones and those above 2^128 are out of
    /// every bound.
    function amount(R memory r) internal pure returns (uint256) {
        Span s = octets(r);
        uint256 n = len(s);
        if (n == 0) return 0;
        uint256 w = load(at(s));
        if (w >> 249 != 0 || n == 1 || n > 128 || (w >> 240) & 0xff == 0) breaks(r);
        else check(r, w >> 248 == 0 && n <= 17);
        return n > 17 ? 0 : (w << 8) >> (8 * (33 - n));
    }

    /// A text: valid UTF-8.
    function text(R memory r) internal pure returns (Span s) {
        s = take(r, expect(r, 3));
        if (!isUtf8(at(s), at(s) + len(s))) breaks(r);
    }

    function isUtf8(uint256 p, uint256 end) private pure returns (bool) {
        while (p < end) {
            if (end - p >= 32 && load(p) & TOP_BITS == 0) {
                p += 32;
                continue;
            }
            uint256 b = byteAt(p++);
            if (b < 0x80) continue;
            (uint256 more, uint256 low, uint256 high) = (1, 0x80, 0xbf);
            if (b < 0xc2 || b > 0xf4) return false;
            if (b >= 0xf0) {
                more = 3;
                if (b == 0xf0) low = 0x90;
                if (b == 0xf4) high = 0x8f;
            } else if (b >= 0xe0) {
                more = 2;
                if (b == 0xe0) low = 0xa0;
                if (b == 0xed) high = 0x9f;
            }
            for (; more > 0; --more) {
                if (p >= end) return false;
                b = byteAt(p++);
                if (b < low || b > high) return false;
                (low, high) = (0x80, 0xbf);
            }
        }
        return true;
    }

    /// Tells whether a text is lower-case letters and digits, 32 at once: bytes below 0x80 carry nothing into each other.
    function isAlphanumeric(Span s) internal pure returns (bool) {
        (uint256 p, uint256 n) = (at(s), len(s));
        for (uint256 i = 0; i < n; i += 32) {
            uint256 w = load(p + i);
            uint256 beyond = n - i < 32 ? type(uint256).max >> (8 * (n - i)) : 0;
            w = (w & ~beyond) | (ONES * 0x61 & beyond);
            if (w & TOP_BITS != 0) return false;
            uint256 letter = (w + ONES * 0x1f) & ~(w + ONES * 0x05);
            uint256 digit = (w + ONES * 0x50) & ~(w + ONES * 0x46);
            if ((letter | digit) & TOP_BITS != TOP_BITS) return false;
        }
        return true;
    }

    /// A varint of up to 64 bits in its shortest form; `next` is 0 where there is none.
    function varint(uint256 p, uint256 end) internal pure returns (uint256 v, uint256 next) {
        for (uint256 i = 0; i < 70 && p < end; i += 7) {
            uint256 b = byteAt(p++);
            v |= (b & 0x7f) << i;
            if (b < 0x80) return v >> 64 != 0 || (b == 0 && i != 0) ? (0, 0) : (v, p);
        }
        return (0, 0);
    }

    /// An address of any protocol, checked for its form only.
    function addr(R memory r) internal pure returns (Span s) {
        s = octets(r);
        (uint256 p, uint256 n) = (at(s), len(s));
        uint256 protocol = byteAt(p);
        uint256 end = p + n;
        bool good = n > 1;
        if (protocol == 0 || protocol == 4) {
            (, uint256 next) = varint(p + 1, end);
            good = good && next != 0 && (protocol == 0 ? next == end : end - next <= 54);
        } else {
            good = protocol < 3 ? n == 21 : protocol == 3 && n == 49;
        }
        if (!good) breaks(r);
    }

    /// A link: the bytes of its CID.
    function link(R memory r) internal pure returns (Span) {
        if (expect(r, 6) != 42) breaks(r);
        Span s = octets(r);
        (uint256 p, uint256 n) = (at(s), len(s));
        if (n == 0 || byteAt(p) != 0 || !isCid(p + 1, p + n)) {
            breaks(r);
            return Span.wrap(0);
        }
        return Span.wrap(((p + 1) << 64) | (n - 1));
    }

    function isCid(uint256 p, uint256 end) private pure returns (bool) {
        if (end - p == 34 && load(p) >> 240 == 0x1220) return true;
        (uint256 v, uint256 next) = varint(p, end);
        if (next == 0 || v != 1) return false;
        for (uint256 i = 0; i < 3; ++i) {
            (v, next) = varint(next, end);
            if (next == 0) return false;
        }
        return v <= 64 && next + v == end;
    }

    /// A payload CID (v1, dag-pb or raw, sha2-256): its digest, and its codec.
    function payload(R memory r) internal pure returns (uint256 digest, uint256 codec) {
        Span s = link(r);
        uint256 w = load(at(s));
        codec = (w >> 240) & 0xff;
        check(r, len(s) == 36 && w >> 248 == 1 && (codec == 0x70 || codec == 0x55) && uint16(w >> 224) == 0x1220);
        return (load(at(s) + 4), codec);
    }

    /// A link that may be a piece commitment (v1, fil-commitment-unsealed, sha2-256-trunc254-padded): whether it is, and its digest.
    function piece(R memory r) internal pure returns (bool fits, uint256 digest) {
        Span s = link(r);
        return (len(s) == 39 && load(at(s)) >> 200 == 0x0181e203922020, load(at(s) + 7));
    }

    // --- writing ---

    /// Starts to write behind all that memory holds. What takes memory must come before: nothing keeps this room but `bytes_`.
    function writer() internal pure returns (W memory w) {
        uint256 start;
        assembly ("memory-safe") {
            start := mload(0x40)
        }
        (w.start, w.p) = (start, start + 128);
    }

    /// The same with room of its own for so many bytes.
    function writer(uint256 room) internal pure returns (W memory w) {
        w = writer();
        uint256 next = w.p + room + 64;
        assembly ("memory-safe") {
            mstore(0x40, next)
        }
    }

    /// Ends writing: what was written, as bytes in memory.
    function bytes_(W memory w) internal pure returns (bytes memory b) {
        uint256 p = w.p;
        uint256 start = w.start + 96;
        assembly ("memory-safe") {
            b := start
            mstore(b, sub(p, add(b, 32)))
            mstore(0x40, add(p, 32))
        }
    }

    function put(W memory w, uint256 major, uint256 v) internal pure {
        uint256 p = w.p;
        assembly ("memory-safe") {
            let m := shl(5, major)
            switch lt(v, 24)
            case 1 {
                mstore8(p, or(m, v))
                p := add(p, 1)
            }
            default {
                let n := add(add(gt(v, 0xff), gt(v, 0xffff)), gt(v, 0xffffffff))
                mstore8(p, or(m, add(24, n)))
                let s := shl(n, 1)
                mstore(add(p, 1), shl(sub(256, shl(3, s)), v))
                p := add(add(p, 1), s)
            }
        }
        w.p = p;
    }

    function putTuple(W memory w, uint256 n) internal pure {
        put(w, 4, n);
    }

    function putU64(W memory w, uint256 v) internal pure {
        put(w, 0, v);
    }

    function putI64(W memory w, int256 v) internal pure {
        put(w, v < 0 ? 1 : 0, uint256(v < 0 ? -1 - v : v));
    }

    function putBool(W memory w, bool v) internal pure {
        put(w, 7, v ? 21 : 20);
    }

    function putNull(W memory w) internal pure {
        put(w, 7, 22);
    }

    function putMaybe(W memory w, bool some, uint256 v) internal pure {
        put(w, some ? 0 : 7, some ? v : 22);
    }

    /// Raw bytes, left-aligned in a word.
    function putRaw(W memory w, uint256 v, uint256 n) internal pure {
        uint256 p = w.p;
        assembly ("memory-safe") {
            mstore(p, v)
        }
        w.p = p + n;
    }

    function putWord(W memory w, uint256 v) internal pure {
        put(w, 2, 32);
        putRaw(w, v, 32);
    }

    function putBytes(W memory w, bytes memory d) internal pure {
        put(w, 2, d.length);
        uint256 p = w.p;
        assembly ("memory-safe") {
            mcopy(p, add(d, 32), mload(d))
        }
        w.p = p + d.length;
    }

    function putAmount(W memory w, uint256 v) internal pure {
        uint256 n = 0;
        for (uint256 rest = v; rest > 0; rest >>= 8) ++n;
        if (n == 0) return put(w, 2, 0);
        put(w, 2, n + 1);
        putRaw(w, v << (8 * (31 - n)), n + 1);
    }

    function putId(W memory w, uint256 id) internal pure {
        uint256 n = 1;
        uint256 v = 0;
        for (uint256 rest = id; ; rest >>= 7) {
            v = (v << 8) | (rest & 0x7f) | (rest > 0x7f ? 0x80 : 0);
            ++n;
            if (rest <= 0x7f) break;
        }
        put(w, 2, n);
        putRaw(w, v << (8 * (32 - n)), n);
    }

    function putPayload(W memory w, uint256 digest, uint256 codec) internal pure {
        putRaw(w, (0xd82a58250001000000 | (codec << 16) | 0x1220) << 184, 9);
        putRaw(w, digest, 32);
    }

    function putPiece(W memory w, uint256 digest) internal pure {
        putRaw(w, 0xd82a5828000181e203922020 << 160, 12);
        putRaw(w, digest, 32);
    }
}
