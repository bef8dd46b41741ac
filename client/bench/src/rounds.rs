//! Runs the plan: every measurement in a process of its own, all in turn, several times.

use std::io::IsTerminal;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::measure::Found;
use crate::plan::{Item, PLAN, Whose};
use crate::{Options, cores, inputs};

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
    /// Its bytes; none for instructions alone.
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

/// What was wanted, and is not among the rows.
#[derive(Debug, Serialize)]
pub struct Missing {
    /// What was to be measured.
    pub name: &'static str,
    /// Whose it is.
    pub whose: Whose,
    /// The input, as a person says it.
    pub input: String,
    /// Cores it was to use.
    pub threads: usize,
    /// Why it was not measured; begins with `failed: ` where it was tried.
    pub why: String,
}

/// All that came of a run.
#[derive(Debug, Default, Serialize)]
pub struct Results {
    /// What was measured.
    pub rows: Vec<Row>,
    /// What was not.
    pub missing: Vec<Missing>,
}

/// Measures everything that the options ask for. What is known is shown after each input.
pub fn run(options: &Options, mut known: impl FnMut(&Results) -> Result<()>) -> Result<Results> {
    let parent = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::tempdir_in(parent)?;
    let (dir, input) = (dir.path(), dir.path().join("input"));
    let cpus = cores::one_of_each();
    let wanted = |item: &&Item| options.only.is_empty() || options.only.iter().any(|section| section == item.section);
    let plan: Vec<&Item> = PLAN.iter().filter(wanted).collect();
    let of = |section: &str| plan.iter().copied().filter(|item| item.section == section).collect::<Vec<_>>();
    let rounds = options.rounds.get();
    let mut results = Results::default();

    let subject = Subject { input: "instructions".into(), bytes: 0, files: 0 };
    let alone: Vec<_> = plan.iter().copied().filter(|item| item.is_input_free()).collect();
    if !alone.is_empty() {
        subject.measure(&mut results, &alone, options, &cpus, rounds, dir)?;
        known(&results)?;
    }
    for size in options.sizes.iter().map(|size| size.get()) {
        let fits = |item: &&Item| item.section != "folder" && !item.is_input_free() && size <= item.most;
        let plan: Vec<_> = plan.iter().copied().filter(fits).collect();
        if plan.is_empty() {
            continue;
        }
        inputs::file(&input, size * MIB)?;
        let subject = Subject { input: format!("{size} MiB"), bytes: size * MIB, files: 1 };
        subject.measure(&mut results, &plan, options, &cpus, rounds, dir)?;
        std::fs::remove_file(&input)?;
        known(&results)?;
    }
    let plan = of("folder");
    if options.files > 0 && !plan.is_empty() {
        for files in [options.files / 4, options.files] {
            let bytes = inputs::folder(&input, files)?;
            let subject = Subject { input: format!("{files} files"), bytes, files };
            subject.measure(&mut results, &plan, options, &cpus, rounds.min(3), dir)?;
            inputs::put_aside(&input)?;
            known(&results)?;
        }
    }
    Ok(results)
}

/// What is worked on.
struct Subject {
    input: String,
    bytes: u64,
    files: u64,
}

impl Subject {
    /// Adds what it finds. What fails is noted, not tried again, and stops nobody else.
    fn measure(
        &self,
        results: &mut Results,
        plan: &[&'static Item],
        options: &Options,
        cpus: &[usize],
        rounds: usize,
        dir: &Path,
    ) -> Result<()> {
        let mut turns: Vec<Turn> = (options.threads.iter())
            .flat_map(|threads| plan.iter().map(move |&item| Turn::new(item, threads.get())))
            .filter(|turn| turn.threads == 1 || turn.item.parallel)
            .collect();
        for turn in &mut turns {
            if let Some(absent) = turn.item.programs().find(|program| !options.tools.join(program).exists()) {
                turn.why = Some(format!("there is no {absent} among the tools"));
            } else if turn.threads > cpus.len() {
                turn.why = Some(format!("{} cores wanted, {} here", turn.threads, cpus.len()));
            }
        }
        for round in 0..rounds {
            for turn in turns.iter_mut().filter(|turn| turn.why.is_none()) {
                let Turn { item, threads, .. } = *turn;
                if std::io::stderr().is_terminal() {
                    eprint!("\r\x1b[K{}, round {} of {rounds}: {} on {threads}", self.input, round + 1, item.name);
                }
                match child(item.name, self.bytes, &cpus[..threads], dir, &options.tools) {
                    Ok(Found { gbps: None, .. }) => turn.why = Some("not on this machine".into()),
                    Ok(found) => turn.found.push(found),
                    Err(why) => turn.why = Some(format!("failed: {}", format!("{why:#}").trim())),
                }
            }
        }
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
        for turn in turns {
            match self.row(&turn) {
                Ok(row) => results.rows.push(row),
                Err(missing) => results.missing.push(missing),
            }
        }
        Ok(())
    }

    fn row(&self, turn: &Turn) -> Result<Row, Missing> {
        let Turn { item, threads, found, why } = turn;
        let mut rates: Vec<f64> = found.iter().filter_map(|found| found.gbps).collect();
        rates.sort_by(f64::total_cmp);
        let (true, Some(&worst), Some(&best)) = (why.is_none(), rates.first(), rates.last()) else {
            let (name, whose, why) = (item.name, item.whose, why.clone().unwrap_or_default());
            return Err(Missing { name, whose, input: self.input.clone(), threads: *threads, why });
        };
        let peak = found.iter().filter_map(|found| found.peak_mib).reduce(f64::max);
        Ok(Row {
            section: item.section,
            name: item.name,
            whose: item.whose,
            input: self.input.clone(),
            bytes: self.bytes,
            files: self.files,
            threads: *threads,
            gbps: median(&rates),
            spread: [worst, best],
            peak_mib: peak.filter(|_| item.programs().next().is_none()),
        })
    }
}

/// One measurement on so many cores: what its rounds found, or why there are none.
struct Turn {
    item: &'static Item,
    threads: usize,
    found: Vec<Found>,
    why: Option<String>,
}

impl Turn {
    fn new(item: &'static Item, threads: usize) -> Self {
        Turn { item, threads, found: Vec::new(), why: None }
    }
}

/// Of an even number the mean of the two in the middle. They are sorted, and there is one.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] }
}

/// Runs one measurement in a process that has these CPUs.
fn child(what: &str, bytes: u64, cpus: &[usize], dir: &Path, tools: &Path) -> Result<Found> {
    let list: Vec<_> = cpus.iter().map(usize::to_string).collect();
    let output = Command::new("taskset")
        .args(["-c", &list.join(",")])
        .arg(std::env::current_exe()?)
        .args(["measure", what, &bytes.to_string(), &cpus.len().to_string()])
        .args([dir, tools])
        .output()
        .context("taskset (Debian: util-linux)")?;
    if !output.status.success() {
        bail!("{}, {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What this machine is, for whoever reads the figures, and which of its CPUs were used.
pub fn machine(options: &Options) -> serde_json::Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cpus = cores::one_of_each();
    let most = options.threads.iter().map(|threads| threads.get()).filter(|threads| *threads <= cpus.len()).max();
    serde_json::json!({
        "cpu": model.trim_start_matches([' ', '\t', ':']),
        "cores": cpus.len(),
        "cpus_used": cpus[..most.unwrap_or_default()],
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(super::median(&[1.0]), 1.0);
        assert_eq!(super::median(&[1.0, 2.0]), 1.5);
        assert_eq!(super::median(&[1.0, 2.0, 9.0]), 2.0);
        assert_eq!(super::median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
    }
}
