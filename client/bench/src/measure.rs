//! The process that measures one thing: it works until the clock can be believed, and prints what it took.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::stages::pipeline;
use crate::work::{Place, work};
use crate::{inputs, limits};

/// Short ones are repeated for so many seconds: the first time pays for memory and for the choice of kernels.
const LONG_ENOUGH: f64 = 0.3;

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
    let (mut best, mut total, mut peak) = (f64::MAX, 0.0, None);
    while total < LONG_ENOUGH {
        let start = Instant::now();
        let told = (work.run)()?;
        let seconds = start.elapsed().as_secs_f64();
        if peak.is_none() {
            peak = Some(peak_mib()?);
        }
        best = best.min(told.unwrap_or(seconds));
        total += seconds;
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

/// Largest resident memory of this process so far.
fn peak_mib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
