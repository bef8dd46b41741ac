//! Measures every backend beside what the machine could do at most: `cargo run -p bauta_commp --example throughput [MIB [BACKEND…]]`.
//!
//! The limit of a backend is what its instructions take when they wait for nothing: loops that only touch registers are
//! measured in the same run, and multiplied by the instructions of a node. Times are those of the thread on the CPU, the best
//! of several, since other programs run beside; for two threads it is the wall, so an idle machine is needed. "Written" is
//! the same in writes of 64 KiB.
#![allow(
    unsafe_code,
    reason = "loops over instructions have to be written as such, and the CPU time of a thread asks the system"
)]

use std::time::Instant;

use bauta_commp::{Backend, Engine};

/// Payload bytes that one node stands for: a quad of 127 bytes has four, one of them in the layers above.
const PAYLOAD_OF_A_NODE: f64 = 127.0 / 4.0;

/// Payload of a measurement from memory: some milliseconds.
const WINDOW: usize = 16 << 20;

/// Payload that stays in the second cache: four batches.
const CACHED: usize = 4 * 130_048;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mib: usize = arguments.next().map_or(256, |mib| mib.parse().expect("a number of MiB"));
    let mut backends: Vec<Backend> = arguments.map(|name| name.parse().expect("the name of a backend")).collect();
    if backends.is_empty() {
        backends.extend(Backend::ALL.into_iter().filter(|backend| backend.is_available()));
    }
    assert!(mib >= 64, "less than 64 MiB come from the cache");
    let mut payload = vec![0u8; mib << 20];
    let mut x = 0x2545_f491_4f6c_dd1du64;
    for word in payload.as_chunks_mut::<8>().0 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        *word = x.to_le_bytes();
    }
    println!("{mib} MiB from memory; GB/s of payload; chosen by itself: {}", Backend::chosen());
    println!(
        "{:<10}{:>10}{:>8}{:>8}{:>12}{:>10}{:>10}{:>10}{:>10}",
        "backend", "1 thread", "limit", "share", "from cache", "2 (wall)", "2 to 1", "written", "by 2"
    );
    let mut first = None;
    for backend in backends {
        let engine = Engine::new().backend(backend).expect("the CPU has the instructions");
        let piece_of = |engine: Engine, part: &[u8]| engine.piece_of(part).expect("it fits a sector");
        // Windows are short enough to run undisturbed now and then; until one is read again, the cache has seen all others.
        let (mut one, mut one_wall, mut two_wall) = (f64::MAX, f64::MAX, f64::MAX);
        for turn in 0..2 {
            for window in payload.chunks_exact(WINDOW) {
                let (cpu, wall) = (cpu_time(), Instant::now());
                let piece = piece_of(engine, window);
                one = one.min(cpu_time() - cpu);
                one_wall = one_wall.min(wall.elapsed().as_secs_f64());
                if turn == 0 && window.as_ptr() == payload.as_ptr() {
                    assert_eq!(*first.get_or_insert(piece.clone()), piece, "every backend gives the same");
                }
            }
            for window in payload.chunks_exact(WINDOW) {
                let wall = Instant::now();
                piece_of(engine.threads(2), window);
                two_wall = two_wall.min(wall.elapsed().as_secs_f64());
            }
        }
        let (mut written, mut written_two) = (f64::MAX, f64::MAX);
        for window in payload.chunks_exact(WINDOW) {
            let write = |engine: Engine| {
                let mut comm_p = engine.comm_p();
                window.chunks(64 << 10).for_each(|part| comm_p.update(part).expect("it fits a sector"));
                comm_p.finish()
            };
            let cpu = cpu_time();
            write(engine);
            written = written.min(cpu_time() - cpu);
            let wall = Instant::now();
            write(engine.threads(2));
            written_two = written_two.min(wall.elapsed().as_secs_f64());
        }
        let small = &payload[..CACHED];
        let cached = best(200, || {
            std::hint::black_box(piece_of(engine, small));
        });

        let rate = |bytes: usize, seconds: f64| bytes as f64 / seconds / 1e9;
        let own = rate(WINDOW, one);
        let limit = limits::nanoseconds_of_a_node(backend).map(|ns| PAYLOAD_OF_A_NODE / ns);
        let (limit, share) = limit
            .map_or(("-".into(), "-".into()), |limit| (format!("{limit:.2}"), format!("{:.0} %", 100.0 * own / limit)));
        println!(
            "{:<10}{own:>10.2}{limit:>8}{share:>8}{:>12.2}{:>10.2}{:>10.2}{:>10.2}{:>10.2}",
            backend.to_string(),
            rate(CACHED, cached),
            rate(WINDOW, two_wall),
            one_wall / two_wall,
            rate(WINDOW, written),
            rate(WINDOW, written_two)
        );
    }
}

fn best(times: usize, mut f: impl FnMut()) -> f64 {
    (0..times)
        .map(|_| {
            let start = cpu_time();
            f();
            cpu_time() - start
        })
        .fold(f64::MAX, f64::min)
}

/// Seconds that this thread has run.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn cpu_time() -> f64 {
    #[repr(C)]
    struct TimeSpec {
        seconds: i64,
        nanoseconds: i64,
    }
    unsafe extern "C" {
        safe fn clock_gettime(clock: i32, time: &mut TimeSpec) -> i32;
    }
    const THREAD: i32 = 3;
    let mut time = TimeSpec { seconds: 0, nanoseconds: 0 };
    assert_eq!(clock_gettime(THREAD, &mut time), 0, "Linux has this clock");
    time.seconds as f64 + time.nanoseconds as f64 * 1e-9
}

/// Seconds that went by.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn cpu_time() -> f64 {
    use std::sync::LazyLock;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64()
}

#[cfg(target_arch = "x86_64")]
mod limits {
    use std::arch::asm;

    use bauta_commp::Backend;

    const TURNS: u64 = 200_000;

    /// What a node takes at least: its instructions times what one takes when it waits for nothing.
    ///
    /// AVX-512, sixteen nodes: a round is 17 instructions (16 in the padding block), a word of the schedule 11, and 17 add
    /// the initial state and clear two bits: 2,657. SHA-NI: 64 of `sha256rnds2`.
    pub fn nanoseconds_of_a_node(backend: Backend) -> Option<f64> {
        match backend {
            Backend::Avx512 => Some(2657.0 / 16.0 * per_instruction(16, || mix(TURNS))),
            Backend::ShaNi => Some(64.0 * per_instruction(8, || rounds(TURNS))),
            Backend::Portable | Backend::ArmSha2 | Backend::Avx2 => None,
        }
    }

    fn per_instruction(in_a_turn: u64, f: impl Fn()) -> f64 {
        super::best(50, f) * 1e9 / (TURNS * in_a_turn) as f64
    }

    /// Six rotations, three logic functions and seven sums, as in a round; no result is waited for.
    fn mix(turns: u64) {
        // SAFETY: called only where the AVX-512 backend is available; nothing but registers is touched.
        unsafe {
            asm!(
                ".p2align 5",
                "2:",
                "vprord zmm16, zmm0, 6", "vpaddd zmm17, zmm0, zmm1", "vprord zmm18, zmm0, 11", "vpaddd zmm19, zmm0, zmm1",
                "vprord zmm20, zmm0, 25", "vpaddd zmm21, zmm0, zmm1", "vpternlogd zmm2, zmm0, zmm1, 0x96", "vpaddd zmm22, zmm0, zmm1",
                "vprord zmm23, zmm0, 2", "vpaddd zmm24, zmm0, zmm1", "vprord zmm25, zmm0, 13", "vpternlogd zmm3, zmm0, zmm1, 0xca",
                "vprord zmm26, zmm0, 22", "vpaddd zmm27, zmm0, zmm1", "vpternlogd zmm4, zmm0, zmm1, 0xe8", "vpaddd zmm28, zmm0, zmm1",
                "dec {turns}",
                "jnz 2b",
                turns = inout(reg) turns => _,
                out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _,
                out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _, out("zmm20") _, out("zmm21") _, out("zmm22") _,
                out("zmm23") _, out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _, out("zmm28") _,
                options(nomem, nostack)
            );
        }
    }

    /// Eight independent chains of the instruction that does two rounds.
    fn rounds(turns: u64) {
        // SAFETY: called only where the SHA-NI backend is available; nothing but registers is touched.
        unsafe {
            asm!(
                ".p2align 5",
                "2:",
                "sha256rnds2 xmm1, xmm9, xmm0", "sha256rnds2 xmm2, xmm9, xmm0", "sha256rnds2 xmm3, xmm9, xmm0", "sha256rnds2 xmm4, xmm9, xmm0",
                "sha256rnds2 xmm5, xmm9, xmm0", "sha256rnds2 xmm6, xmm9, xmm0", "sha256rnds2 xmm7, xmm9, xmm0", "sha256rnds2 xmm8, xmm9, xmm0",
                "dec {turns}",
                "jnz 2b",
                turns = inout(reg) turns => _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _,
                options(nomem, nostack)
            );
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod limits {
    use bauta_commp::Backend;

    /// Nothing to derive it from.
    pub fn nanoseconds_of_a_node(_: Backend) -> Option<f64> {
        None
    }
}
