//! The ways to hash, and which of them the machine does fastest.

/// Runs a step for each of sixteen rounds, written out: their number has to be a constant for the words to stay in registers.
#[cfg(target_arch = "x86_64")]
macro_rules! sixteen {
    ($step:ident) => {
        $step!(0);
        $step!(1);
        $step!(2);
        $step!(3);
        $step!(4);
        $step!(5);
        $step!(6);
        $step!(7);
        $step!(8);
        $step!(9);
        $step!(10);
        $step!(11);
        $step!(12);
        $step!(13);
        $step!(14);
        $step!(15);
    };
}

#[cfg(target_arch = "aarch64")]
mod arm_sha2;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod constants;
mod portable;
#[cfg(target_arch = "x86_64")]
mod sha_ni;
#[cfg(target_arch = "x86_64")]
mod sha_ni_vl;

#[cfg(target_arch = "aarch64")]
pub(crate) use arm_sha2::digest;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::hash_streams;
#[cfg(target_arch = "x86_64")]
pub(crate) use sha_ni::digest_pair;
#[cfg(target_arch = "x86_64")]
pub(crate) use sha_ni_vl::digest_four;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::Commitment;
use crate::chunk::{BATCH, Batch, LANES};

/// Names a backend, and so decides; one that is unknown or that the CPU cannot run is passed over.
const VARIABLE: &str = "BAUTA_COMMP_BACKEND";

/// A way to hash. All give the same results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The `sha2` crate, node by node: the oracle of all others.
    Portable,
    /// The SHA instructions of ARMv8, four nodes interleaved.
    ArmSha2,
    /// The SHA instructions of x86: three nodes are begun while three others are finished.
    ShaNi,
    /// The same with the registers of AVX-512VL.
    ShaNiVl,
    /// AVX2: eight nodes in lanes.
    Avx2,
    /// AVX-512: sixteen subtrees in lanes, Fr32 and all their layers fused.
    Avx512,
}

impl Backend {
    /// All there are, on any machine.
    pub const ALL: [Backend; 6] =
        [Backend::Portable, Backend::ArmSha2, Backend::ShaNi, Backend::ShaNiVl, Backend::Avx2, Backend::Avx512];

    /// Says whether this machine can run it.
    pub fn is_available(self) -> bool {
        self.kernel().is_some()
    }

    /// Gives the one that [`Engine`](crate::Engine) uses unless told otherwise.
    pub fn chosen() -> Backend {
        Backend::fastest().0
    }

    #[cfg(target_arch = "x86_64")]
    pub(crate) fn kernel(self) -> Option<Kernel> {
        match self {
            Backend::Portable => Some(Kernel::PORTABLE),
            Backend::ArmSha2 => None,
            Backend::ShaNi => sha_ni::kernel(),
            Backend::ShaNiVl => sha_ni_vl::kernel(),
            Backend::Avx2 => avx2::kernel(),
            Backend::Avx512 => avx512::kernel(),
        }
    }

    #[cfg(target_arch = "aarch64")]
    pub(crate) fn kernel(self) -> Option<Kernel> {
        match self {
            Backend::Portable => Some(Kernel::PORTABLE),
            Backend::ArmSha2 => arm_sha2::kernel(),
            Backend::ShaNi | Backend::ShaNiVl | Backend::Avx2 | Backend::Avx512 => None,
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub(crate) fn kernel(self) -> Option<Kernel> {
        (self == Backend::Portable).then_some(Kernel::PORTABLE)
    }

    /// The one that the environment names, or the one that hashes a batch in the shortest time. Decided once.
    pub(crate) fn fastest() -> (Backend, Kernel) {
        static FASTEST: OnceLock<(Backend, Kernel)> = OnceLock::new();
        *FASTEST.get_or_init(|| {
            let available = Backend::ALL.into_iter().filter_map(|backend| Some((backend, backend.kernel()?)));
            let available: Vec<_> = available.collect();
            let named = std::env::var(VARIABLE).ok().and_then(|name| name.parse().ok());
            let named = available.iter().find(|(backend, _)| Some(*backend) == named);
            match (named, &available[..]) {
                (Some(named), _) => *named,
                // Where there is no choice there may be no clock either: WebAssembly.
                (None, [only]) => *only,
                (None, _) => *available.iter().min_by_key(|(_, kernel)| time(*kernel)).expect("one is always there"),
            }
        })
    }
}

/// The shortest of three times for a batch: some 100 to 500 microseconds each, or a millisecond where the CPU has no instructions for it.
fn time(kernel: Kernel) -> Duration {
    let batch: Box<Batch> = vec![0x5a; BATCH].try_into().expect("it is as long");
    let mut roots = [[0; 32]; LANES];
    let times = (0..3).map(|_| {
        let start = Instant::now();
        kernel.lane_roots(&batch, std::hint::black_box(&mut roots));
        start.elapsed()
    });
    times.min().expect("three times")
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Backend::Portable => "portable",
            Backend::ArmSha2 => "arm-sha2",
            Backend::ShaNi => "sha-ni",
            Backend::ShaNiVl => "sha-ni-vl",
            Backend::Avx2 => "avx2",
            Backend::Avx512 => "avx512",
        })
    }
}

impl FromStr for Backend {
    type Err = UnknownBackend;

    /// Reads a name as [`Display`](fmt::Display) writes it; whether this CPU can run it is not asked.
    ///
    /// Errors: [`UnknownBackend`].
    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        Backend::ALL.into_iter().find(|backend| backend.to_string() == name).ok_or_else(|| UnknownBackend(name.into()))
    }
}

/// The name of no backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no backend: portable, arm-sha2, sha-ni, sha-ni-vl, avx2 or avx512")]
pub struct UnknownBackend(String);

/// A backend that this machine can run: only what has checked that makes one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    lane_roots: fn(&Batch, &mut [Commitment; LANES]),
    hash_layer: fn(&mut [Commitment]),
}

impl Kernel {
    /// Runs anywhere.
    pub const PORTABLE: Kernel = Kernel { lane_roots: portable::lane_roots, hash_layer: portable::hash_layer };

    /// Gives the roots of a batch's subtrees.
    pub fn lane_roots(self, batch: &Batch, roots: &mut [Commitment; LANES]) {
        (self.lane_roots)(batch, roots);
    }

    /// Replaces the front half of `nodes` by the parents of all its pairs.
    pub fn hash_layer(self, nodes: &mut [Commitment]) {
        (self.hash_layer)(nodes);
    }
}
