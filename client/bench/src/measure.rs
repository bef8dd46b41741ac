//! The process that measures one thing, as often as it measures every other one of that size, and prints what it took.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::stages::pipeline;
use crate::work::{Place, WINDOW, work};
use crate::{inputs, limits};

/// What one measurement found; none where this machine cannot do it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Found {
    /// GB/s, the best of the process.
    pub gbps: Option<f64>,
    /// Seconds of the best.
    pub seconds: Option<f64>,
    /// Largest resident memory of the process after its first time, in MiB.
    pub peak_mib: Option<f64>,
}

/// Measures and prints one JSON object.
pub fn run(what: &str, bytes: u64, threads: usize, dir: &Path, tools: &Path) -> Result<()> {
    println!("{}", serde_json::to_string(&found(what, bytes, threads, &Place { dir, tools })?)?);
    Ok(())
}

fn found(what: &str, bytes: u64, threads: usize, place: &Place) -> Result<Found> {
    if let Some(backend) = what.strip_prefix("commp: instructions alone, ") {
        return Ok(Found { gbps: limits::comm_p(backend), ..Found::default() });
    }
    let Some(mut work) = work(what, bytes, threads, place)? else { return Ok(Found::default()) };
    let (uncounted, counted) = if work.again { turns(bytes) } else { (0, 1) };
    let (mut best, mut peak) = (f64::MAX, None);
    for turn in 0..uncounted + counted {
        let start = Instant::now();
        let told = (work.run)()?;
        let seconds = start.elapsed().as_secs_f64();
        if peak.is_none() {
            peak = Some(peak_mib()?);
        }
        if turn >= uncounted {
            best = best.min(told.unwrap_or(seconds));
        }
        // What it wrote is not there the next time.
        for left in [pipeline::back(place.dir), place.dir.join("peer.out")] {
            if left.is_dir() {
                inputs::put_aside(&left)?;
            } else if left.is_file() {
                fs::remove_file(&left)?;
            }
        }
    }
    Ok(Found { gbps: Some(work.bytes as f64 / best / 1e9), seconds: Some(best), peak_mib: peak })
}

/// How often is done what is done in this process, ours or a peer's: at first without being counted, which pays for memory and for the choice
/// of kernels, and then so often that the best counts. (Above a window the first time disappears in the whole, and no peer is measured there.)
fn turns(bytes: u64) -> (u64, u64) {
    ((bytes <= WINDOW).into(), (WINDOW / bytes.max(1)).clamp(1, 16))
}

/// Largest resident memory of this process so far.
fn peak_mib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
