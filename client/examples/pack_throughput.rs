//! Measures packing and unpacking beside their stages: `cargo run -p bauta_client --example pack_throughput [options]`.
//!
//! `--sizes 1,256,4096` (MiB), `--threads 1,2`, `--rounds 3`, `--files 100000` (adds a folder of so many small files), `--dir DIR`
//! (where the data lies; default: the system's temporary folder), `--json FILE`.
//!
//! Each measurement is a process of its own, bound to as many cores as it may have threads (with `taskset`), so that its peak
//! memory is its own. The limit is what the three stages that compute allow together: each encrypts, names or commits to data in
//! memory, on as many threads, in the same run. All input is in the system's cache. "null" writes nowhere, "file" into a file beside the input. Rates are of
//! plaintext, 1 GB = 1e9 bytes: by the clock, the best of all rounds, since other programs run beside; "cpu" is by the CPU time
//! of all threads together, the system's part included.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use bauta_client::crypt::Identity;
use bauta_client::pack::{Key, Options, pack, pack_to_file, unpack};
use bauta_client::piece::Engine;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

const MIB: usize = 1 << 20;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "measure") {
        return measure(&arguments[1..]);
    }
    let mut options = BTreeMap::new();
    for pair in arguments.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a value", pair[0]).into()) };
        options.insert(name.trim_start_matches("--").to_string(), value.clone());
    }
    let list = |name: &str, default: &str| -> Result<Vec<usize>, Failure> {
        let list = options.get(name).map_or(default, |list| list);
        Ok(list.split(',').filter(|n| !n.is_empty()).map(str::parse).collect::<Result<_, _>>()?)
    };
    let dir = tempfile::tempdir_in(options.get("dir").map_or_else(std::env::temp_dir, PathBuf::from))?;
    let rounds = list("rounds", "3")?[0];
    let mut rows = Vec::new();
    for mib in list("sizes", "1,256,4096")? {
        let input = dir.path().join("input");
        write_noise(&input, mib * MIB)?;
        for threads in list("threads", "1,2")? {
            rows.push(row(&format!("{mib} MiB"), mib * MIB, threads, rounds, dir.path())?);
            print_row(rows.last().ok_or("a row")?, rows.len() == 1);
        }
        fs::remove_file(&input)?;
    }
    if let Some(count) = options.get("files") {
        let count: usize = count.parse()?;
        let input = dir.path().join("input");
        for files in [count / 4, count] {
            let bytes = write_folder(&input, files)?;
            for threads in list("threads", "1,2")? {
                rows.push(row(&format!("{files} files"), bytes, threads, 1, dir.path())?);
                print_row(rows.last().ok_or("a row")?, rows.len() == 1);
            }
            fs::remove_dir_all(&input)?;
        }
    }
    if let Some(path) = options.get("json") {
        fs::write(path, serde_json::to_string_pretty(&rows)?)?;
    }
    Ok(())
}

/// Measures everything for one input.
fn row(name: &str, bytes: usize, threads: usize, rounds: usize, dir: &Path) -> Result<Value, Failure> {
    let mut row = json!({"input": name, "bytes": bytes, "threads": threads});
    for round in 0..rounds {
        for what in ["encrypt", "name", "commit", "null", "file", "unpack"] {
            let found = child(what, bytes, threads, dir)?;
            let best = &mut row[what];
            if round == 0 || found["gbps"].as_f64() > best["gbps"].as_f64() {
                *best = found;
            }
        }
    }
    let rate = |what: &str| row[what]["gbps"].as_f64().unwrap_or(f64::NAN);
    let limit = 1.0 / (1.0 / rate("encrypt") + 1.0 / rate("name") + 1.0 / rate("commit"));
    let (null, file, unpack) = (rate("null") / limit, rate("file") / limit, rate("unpack") / rate("file"));
    row["limit"] = limit.into();
    row["share_null"] = null.into();
    row["share_file"] = file.into();
    row["unpack_to_pack"] = unpack.into();
    Ok(row)
}

fn print_row(row: &Value, first: bool) {
    if first {
        println!(
            "{:<14}{:>3}{:>9}{:>7}{:>8}{:>7} |{:>7}{:>7}{:>6}{:>6} |{:>7}{:>7}{:>6}{:>6} |{:>8}{:>6}{:>6}{:>8}",
            "input",
            "thr",
            "encrypt",
            "name",
            "commit",
            "limit",
            "null",
            "share",
            "cpu",
            "MiB",
            "file",
            "share",
            "cpu",
            "MiB",
            "unpack",
            "cpu",
            "MiB",
            "to pack"
        );
    }
    let of = |what: &str, field: &str| row[what][field].as_f64().unwrap_or(f64::NAN);
    let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    println!(
        "{:<14}{:>3}{:>9.2}{:>7.2}{:>8.2}{:>7.2} |{:>7.2}{:>6.0}%{:>6.2}{:>6.0} |{:>7.2}{:>6.0}%{:>6.2}{:>6.0} |{:>8.2}{:>6.2}{:>6.0}{:>7.2}x",
        row["input"].as_str().unwrap_or_default(),
        row["threads"],
        of("encrypt", "gbps"),
        of("name", "gbps"),
        of("commit", "gbps"),
        number("limit"),
        of("null", "gbps"),
        number("share_null") * 100.0,
        of("null", "cpu_gbps"),
        of("null", "peak_mib"),
        of("file", "gbps"),
        number("share_file") * 100.0,
        of("file", "cpu_gbps"),
        of("file", "peak_mib"),
        of("unpack", "gbps"),
        of("unpack", "cpu_gbps"),
        of("unpack", "peak_mib"),
        number("unpack_to_pack")
    );
}

/// Runs one measurement in a process that has so many cores.
fn child(what: &str, bytes: usize, threads: usize, dir: &Path) -> Result<Value, Failure> {
    let cores = format!("0-{}", threads - 1);
    let me = std::env::current_exe()?;
    let output = Command::new("taskset")
        .args(["-c", &cores])
        .arg(me)
        .args(["measure", what, &bytes.to_string(), &threads.to_string()])
        .arg(dir)
        .output()?;
    if !output.status.success() {
        return Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The process that measures.
fn measure(arguments: &[String]) -> Result<(), Failure> {
    let [what, bytes, threads, dir] = arguments else { return Err("what to measure?".into()) };
    let (bytes, threads, dir) = (bytes.parse::<usize>()?, threads.parse::<usize>()?, Path::new(dir));
    let (input, car, back) = (dir.join("input"), dir.join("out.car"), dir.join("back"));
    let owner: Identity = Identity::parse_file(&fs::read_to_string(secret(dir)?)?)?.remove(0);
    let to = [owner.recipient()];
    // Short ones are repeated: the first time pays for memory and for the choice of kernels.
    let times = if bytes < 64 * MIB && input.is_file() { 30 } else { 1 };
    let (mut best, mut cpu) = (f64::MAX, f64::MAX);
    if what == "unpack" {
        // Packing finds its input in memory, too.
        io::copy(&mut File::open(&car)?, &mut io::sink())?;
    }
    for _ in 0..times {
        let (cpu_before, start) = (cpu_time()?, Instant::now());
        let mut wall = None;
        match what.as_str() {
            "encrypt" | "name" | "commit" => wall = Some(stage(what, bytes, threads)),
            "null" => _ = pack(&input, &to, Nowhere::default(), Options::default())?,
            "file" => _ = pack_to_file(&input, &to, &car, Options { overwrite: true, ..Options::default() })?,
            "unpack" => {
                let options = Options { overwrite: true, ..Options::default() };
                unpack(File::open(&car)?, None, Key::Identity(&owner), &back, options)?;
            }
            other => return Err(format!("{other} cannot be measured").into()),
        }
        best = best.min(wall.unwrap_or(start.elapsed().as_secs_f64()));
        cpu = cpu.min(cpu_time()? - cpu_before);
        if back.is_dir() {
            fs::remove_dir_all(&back)?;
        } else if back.is_file() {
            fs::remove_file(&back)?;
        }
    }
    let gbps = |seconds: f64| bytes as f64 / seconds / 1e9;
    // The clock of the CPU ticks a hundred times a second.
    let cpu_gbps = (cpu > 0.05).then(|| gbps(cpu));
    let found = json!({"gbps": gbps(best), "cpu_gbps": cpu_gbps, "seconds": best, "peak_mib": peak_mib()?});
    println!("{found}");
    Ok(())
}

/// An identity for all measurements of a run.
fn secret(dir: &Path) -> Result<PathBuf, Failure> {
    let path = dir.join("identity");
    if !path.exists() {
        fs::write(&path, Identity::generate().to_file().as_bytes())?;
    }
    Ok(path)
}

/// One stage alone, over 32 MiB in memory for each thread again and again. Gives the seconds.
fn stage(what: &str, bytes: usize, threads: usize) -> f64 {
    let share = (bytes / threads).max(MIB);
    let run = || {
        let mut data = vec![0u8; 32 * (MIB + 64)];
        noise(&mut data);
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).expect("the key has 32 bytes"));
        let engine = Engine::new();
        let mut one = |size: usize| match what {
            "encrypt" => data[..size].chunks_mut(64 << 10).enumerate().for_each(|(i, chunk)| {
                let mut nonce = [0; 12];
                nonce[3..11].copy_from_slice(&(i as u64).to_be_bytes());
                let tag = key.seal_in_place_separate_tag(Nonce::from(&nonce), Aad::empty(), chunk);
                std::hint::black_box(tag.expect("a chunk is far below the limit").as_ref());
            }),
            "name" => {
                let leaves: Vec<_> = data.chunks(MIB + 64).map(|leaf| &leaf[..MIB]).take(size / MIB).collect();
                std::hint::black_box(bauta_commp::sha256_each(&leaves));
            }
            _ => _ = std::hint::black_box(engine.part(130_048, &data[..size])),
        };
        one(MIB);
        let start = Instant::now();
        let mut left = share;
        while left > 0 {
            let size = left.min(32 * MIB);
            one(size);
            left -= size;
        }
        start.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mine = run();
        others.into_iter().map(|other| other.join().expect("it does not panic")).fold(mine, f64::max)
    })
}

/// An output that forgets.
#[derive(Default)]
struct Nowhere(u64, u64);

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        self.1 = self.1.max(self.0);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Nowhere {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => self.1.checked_add_signed(n),
            SeekFrom::Current(n) => self.0.checked_add_signed(n),
        };
        self.0 = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.0)
    }
}

fn noise(bytes: &mut [u8]) {
    let mut x = 0x2545_f491_4f6c_dd1du64;
    for word in bytes.as_chunks_mut::<8>().0 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        *word = x.to_le_bytes();
    }
}

fn write_noise(path: &Path, bytes: usize) -> io::Result<()> {
    let mut buffer = vec![0; MIB];
    noise(&mut buffer);
    let mut file = File::create(path)?;
    for i in 0..bytes / MIB {
        buffer[..8].copy_from_slice(&(i as u64).to_le_bytes());
        file.write_all(&buffer)?;
    }
    file.sync_all()
}

/// Writes files of 200 to 8,000 bytes, a thousand to a folder. Gives their size.
fn write_folder(path: &Path, files: usize) -> io::Result<usize> {
    let mut buffer = vec![0; 8192];
    noise(&mut buffer);
    let mut bytes = 0;
    for i in 0..files {
        let folder = path.join(format!("folder {}", i / 1000));
        if i % 1000 == 0 {
            fs::create_dir_all(&folder)?;
        }
        let size = 200 + i * 7919 % 7800;
        buffer[..8].copy_from_slice(&(i as u64).to_le_bytes());
        fs::write(folder.join(format!("file number {i}.txt")), &buffer[..size])?;
        bytes += size;
    }
    Ok(bytes)
}

/// Largest resident memory of this process so far.
fn peak_mib() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// CPU time of all threads of this process, in seconds, to a hundredth.
fn cpu_time() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<_> = stat.rsplit(')').next().ok_or("no fields")?.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}
