//! From the name of a measurement to what is done.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use bauta_commp::Backend;

use crate::inputs;
use crate::stages::{comm_p, encrypt, pipeline, programs, unixfs};

const MIB: u64 = 1 << 20;

/// Bytes in memory are no more than this.
pub const WINDOW: u64 = 256 * MIB;

/// What is done once, on how many bytes. It gives the seconds itself where not all of them are to count.
pub struct Work<'a> {
    /// Bytes gone over.
    pub bytes: u64,
    /// Whether a process does it again and again: not what other programs do, or whole folders.
    pub again: bool,
    /// The work.
    pub run: Box<dyn FnMut() -> Result<Option<f64>> + 'a>,
}

/// Where everything lies.
pub struct Place<'a> {
    /// Input and outputs.
    pub dir: &'a Path,
    /// The peers' programs.
    pub tools: &'a Path,
}

/// Makes it ready; none where this CPU cannot do it.
pub fn work<'a>(what: &str, bytes: u64, threads: usize, place: &'a Place) -> Result<Option<Work<'a>>> {
    let (dir, tools) = (place.dir, place.tools);
    let input = dir.join("input");
    if let Some(backend) = what.strip_prefix("commp: bauta, ") {
        let backend: Backend = backend.parse()?;
        return Ok(backend.is_available().then(|| commit(bytes, move |payload| comm_p::ours_by(payload, backend))));
    }
    if let Some(library) = what.strip_prefix("encrypt: cipher alone, ") {
        let run =
            if library == "ring" { Some(encrypt::ring as fn(&mut [u8])) } else { encrypt::cipher_of(library.parse()?) };
        return Ok(run.map(|run| side_by_side(bytes, threads, run)));
    }
    let npm = |what: &'static str| once(bytes, move || Ok(Some(programs::package(tools, what, &dir.join("input"))?.0)));
    let rage = || programs::rage(tools, &dir.join("input"), &dir.join("peer.out"));
    Ok(Some(match what {
        "encrypt: cipher alone" => side_by_side(bytes, threads, encrypt::cipher),
        "encrypt: bauta" => in_memory(bytes, encrypt::ours),
        "encrypt: age crate" => in_memory(bytes, encrypt::age),
        "encrypt: rage to a file" => once(bytes, move || rage().map(|()| None)),
        "unixfs: leaf hashes alone" => side_by_side(bytes, threads, |data| unixfs::leaves(data)),
        "unixfs: bauta" => in_memory(bytes, |plain| unixfs::ours(plain).map(drop)),
        "unixfs: rust-unixfs" => in_memory(bytes, |plain| unixfs::rust_unixfs(plain).map(drop)),
        "unixfs: ipfs-unixfs-importer (npm)" => npm("ipfs-unixfs-importer"),
        "unixfs: ipfs-car (npm) to a file" => {
            once(bytes, move || programs::ipfs_car(tools, &input, &dir.join("peer.out")).map(|()| None))
        }
        "commp: parts alone" => side_by_side(bytes, threads, |data| comm_p::part(data)),
        "commp: bauta" => commit(bytes, move |payload| comm_p::ours(payload, threads)),
        "commp: hashtree" => commit(bytes, |payload| Ok(comm_p::hashtree(payload))),
        #[cfg(target_arch = "x86_64")]
        "commp: hashtree, avx512" if is_x86_feature_detected!("avx512bw") => commit(bytes, comm_p::hashtree_avx512),
        "commp: hashtree, avx512" => return Ok(None),
        "commp: filecoin-proofs-api" => commit(bytes, comm_p::filecoin_proofs),
        "commp: fr32 wasm (npm)" => npm("fr32-wasm"),
        "commp: synapse-core (npm)" => npm("synapse-core"),
        "commp: data-segment (npm)" => npm("data-segment"),
        "pack: bauta to nowhere" => whole(bytes, move || pipeline::ours_to_nowhere(&input, dir).map(|()| None)),
        "pack folder: bauta" => once(bytes, move || pack_to_a_new_file(&input, dir).map(Some)),
        "pack: bauta to a file" => whole(bytes, move || pack_to_a_new_file(&input, dir).map(Some)),
        "unpack: bauta to a file" | "unpack folder: bauta" => {
            // Packing finds its input in memory, too.
            io::copy(&mut File::open(pipeline::car(dir))?, &mut io::sink())?;
            let back = move || pipeline::ours_back(dir).map(|()| None);
            if what.starts_with("unpack folder") { once(bytes, back) } else { whole(bytes, back) }
        }
        "pack: best libraries, in memory" => in_memory(bytes, pipeline::best_libraries),
        "pack: rage, ipfs-car, data-segment" => {
            once(bytes, move || programs::chain_of_today(tools, &input, dir).map(|()| None))
        }
        other => bail!("{other} cannot be measured"),
    }))
}

/// Done in this process.
fn whole<'a>(bytes: u64, run: impl FnMut() -> Result<Option<f64>> + 'a) -> Work<'a> {
    Work { bytes, again: true, run: Box::new(run) }
}

/// Done by another program, or too long to be done again.
fn once<'a>(bytes: u64, run: impl FnMut() -> Result<Option<f64>> + 'a) -> Work<'a> {
    Work { bytes, again: false, run: Box::new(run) }
}

/// Packs into a new file: to replace one, the system has to give its blocks back, which takes as long as a tenth of the work.
fn pack_to_a_new_file(input: &Path, dir: &Path) -> Result<f64> {
    let _ = fs::remove_file(pipeline::car(dir));
    let start = Instant::now();
    pipeline::ours_to_file(input, dir)?;
    Ok(start.elapsed().as_secs_f64())
}

fn plain(bytes: u64) -> Vec<u8> {
    let mut plain = vec![0; usize::try_from(bytes.min(WINDOW)).expect("a window fits memory")];
    inputs::noise(&mut plain);
    plain
}

fn in_memory<'a>(bytes: u64, run: fn(&[u8]) -> Result<()>) -> Work<'a> {
    let plain = plain(bytes);
    whole(plain.len() as u64, move || run(&plain).map(|()| None))
}

/// Whole pieces, because some peers take nothing else: 127 for 128.
fn commit<'a>(bytes: u64, run: impl Fn(&[u8]) -> Result<[u8; 32]> + 'a) -> Work<'a> {
    let mut payload = plain(bytes);
    payload.truncate(payload.len() / 128 * 127);
    whole(payload.len() as u64, move || {
        std::hint::black_box(run(&payload)?);
        Ok(None)
    })
}

/// One stage on all cores, each over 32 MiB of its own again and again: what a stage may cost at least.
fn side_by_side<'a>(bytes: u64, threads: usize, run: fn(&mut [u8])) -> Work<'a> {
    let share = (bytes / threads as u64).max(MIB);
    let one = move || {
        let mut data = plain(32 * MIB);
        run(&mut data[..1 << 20]);
        let start = Instant::now();
        let mut left = share;
        while left > 0 {
            let size = left.min(32 * MIB);
            run(&mut data[..usize::try_from(size).expect("32 MiB at most")]);
            left -= size;
        }
        start.elapsed().as_secs_f64()
    };
    whole(share * threads as u64, move || {
        Ok(Some(std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(one)).collect();
            let mine = one();
            others.into_iter().map(|other| other.join().expect("it does not panic")).fold(mine, f64::max)
        })))
    })
}
