//! The instructions of one message among several: text, for those who put them together.

/// Four rounds of one message block. Registers by their numbers: the state, and the words of these rounds.
macro_rules! rounds {
    ($step:literal, $abef:literal $cdgh:literal, $w:literal) => {
        concat!(
            "vpaddd xmm0, xmm", $w, ", xmmword ptr [{rounds} + 32 * ", $step, "]\n",
            "sha256rnds2 xmm", $cdgh, ", xmm", $abef, "\n",
            "vpshufd xmm0, xmm0, 14\n",
            "sha256rnds2 xmm", $abef, ", xmm", $cdgh, "\n",
        )
    };
}

/// The words sixteen rounds on, in place of those of these rounds; two registers to work with. (SHA instructions know only the first sixteen
/// registers; moves between registers cost nothing but their place in the queue.)
macro_rules! schedule {
    ($w0:literal $w1:literal $w2:literal $w3:literal, $t:literal $u:literal) => {
        concat!(
            "vmovdqa32 xmm", $t, ", xmm", $w0, "\n",
            "vmovdqa32 xmm", $u, ", xmm", $w1, "\n",
            "sha256msg1 xmm", $t, ", xmm", $u, "\n",
            "vpalignr xmm", $u, ", xmm", $w3, ", xmm", $w2, ", 4\n",
            "vpaddd xmm", $t, ", xmm", $t, ", xmm", $u, "\n",
            "vmovdqa32 xmm", $u, ", xmm", $w3, "\n",
            "sha256msg2 xmm", $t, ", xmm", $u, "\n",
            "vmovdqa32 xmm", $w0, ", xmm", $t, "\n",
        )
    };
}

pub(super) use {rounds, schedule};
