//! Runs the plan: every measurement in a process of its own, all in turn, several times.

use std::io::IsTerminal;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::measure::Found;
use crate::plan::{Item, PLAN, Whose};
use crate::{Options, inputs};

const MIB: u64 = 1 << 20;

/// What all rounds found for one measurement.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Part of the data path.
    pub section: &'static str,
    /// What was measured.
    pub name: &'static str,
    /// Whose it is.
    pub whose: Whose,
    /// The input, as a person says it.
    pub input: String,
    /// Its bytes.
    pub bytes: u64,
    /// Files in it.
    pub files: u64,
    /// Cores it could use.
    pub threads: usize,
    /// GB/s: median of the rounds.
    pub gbps: f64,
    /// GB/s: worst and best round.
    pub spread: [f64; 2],
    /// Largest resident memory of any round, in MiB; none where another program did the work.
    pub peak_mib: Option<f64>,
}

/// Measures everything that the options ask for.
pub fn run(options: &Options) -> Result<Vec<Row>> {
    let parent = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::tempdir_in(parent)?;
    let input = dir.path().join("input");
    let there = |item: &&Item| item.programs().all(|program| options.tools.join(program).exists());
    let wanted = |item: &&Item| {
        there(item) && (options.only.is_empty() || options.only.iter().any(|section| section == item.section))
    };
    let mut rows = Vec::new();
    for &size in &options.sizes {
        let plan: Vec<_> =
            PLAN.iter().filter(wanted).filter(|item| item.section != "folder" && size <= item.most).collect();
        if plan.is_empty() {
            continue;
        }
        inputs::file(&input, size * MIB)?;
        let subject = Subject { input: format!("{size} MiB"), bytes: size * MIB, files: 1 };
        rows.extend(subject.measure(&plan, options, options.rounds, dir.path())?);
        std::fs::remove_file(&input)?;
    }
    let plan: Vec<_> = PLAN.iter().filter(wanted).filter(|item| item.section == "folder").collect();
    if options.files > 0 && !plan.is_empty() {
        for files in [options.files / 4, options.files] {
            let bytes = inputs::folder(&input, files)?;
            let subject = Subject { input: format!("{files} files"), bytes, files };
            rows.extend(subject.measure(&plan, options, options.rounds.min(3), dir.path())?);
            inputs::put_aside(&input)?;
        }
    }
    Ok(rows)
}

/// What is worked on.
struct Subject {
    input: String,
    bytes: u64,
    files: u64,
}

impl Subject {
    fn measure(&self, plan: &[&Item], options: &Options, rounds: usize, dir: &Path) -> Result<Vec<Row>> {
        let turns: Vec<(usize, &Item)> = (options.threads.iter())
            .flat_map(|&threads| plan.iter().map(move |item| (threads, *item)))
            .filter(|(threads, item)| *threads == 1 || item.parallel)
            .collect();
        let mut found: Vec<Vec<Found>> = vec![Vec::new(); turns.len()];
        for round in 0..rounds {
            for (i, (threads, item)) in turns.iter().enumerate() {
                if std::io::stderr().is_terminal() {
                    eprint!("\r\x1b[K{}, round {} of {rounds}: {} on {threads}", self.input, round + 1, item.name);
                }
                found[i].push(child(item.name, self.bytes, *threads, dir, &options.tools)?);
            }
        }
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
        Ok(turns.iter().zip(found).filter_map(|((threads, item), found)| self.row(item, *threads, &found)).collect())
    }

    fn row(&self, item: &Item, threads: usize, found: &[Found]) -> Option<Row> {
        let mut rates: Vec<f64> = found.iter().filter_map(|found| found.gbps).collect();
        rates.sort_by(f64::total_cmp);
        Some(Row {
            section: item.section,
            name: item.name,
            whose: item.whose,
            input: self.input.clone(),
            bytes: self.bytes,
            files: self.files,
            threads,
            gbps: *rates.get(rates.len() / 2)?,
            spread: [*rates.first()?, *rates.last()?],
            peak_mib: found
                .iter()
                .filter_map(|found| found.peak_mib)
                .reduce(f64::max)
                .filter(|_| item.programs().next().is_none()),
        })
    }
}

/// Runs one measurement in a process that has so many cores.
fn child(what: &str, bytes: u64, threads: usize, dir: &Path, tools: &Path) -> Result<Found> {
    let cores = format!("0-{}", threads - 1);
    let output = Command::new("taskset")
        .args(["-c", &cores])
        .arg(std::env::current_exe()?)
        .args(["measure", what, &bytes.to_string(), &threads.to_string()])
        .args([dir, tools])
        .output()
        .context("taskset (Debian: util-linux)")?;
    if !output.status.success() {
        bail!("{what}: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).with_context(|| what.to_owned())
}

/// What this machine is, for whoever reads the figures.
pub fn machine() -> serde_json::Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    serde_json::json!({"cpu": model.trim_start_matches([' ', '\t', ':']), "cores": cores})
}
