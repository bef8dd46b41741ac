//! Measures the data path beside its peers, all in one run: what `scripts/bench` calls after it has built everything.
//!
//! Each measurement is a process of its own, bound to as many cores as it may use, so that its peak memory is its own; all of them
//! take turns, round after round, so that a neighbour's load meets everybody. Rates are of plaintext or payload, 1 GB = 1e9 bytes.

mod cores;

mod inputs;

mod limits;

mod stages;

mod plan;

mod work;

mod measure;

mod rounds;

mod verdict;

mod table;

mod plot;

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

/// Measures the data path beside its peers.
#[derive(Parser)]
#[command(name = "bauta_bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures everything, prints a table, and writes JSON and a plot.
    Run(Options),
    /// The process that measures one thing; started by `run`.
    Measure { what: String, bytes: u64, threads: usize, dir: PathBuf, tools: PathBuf },
}

/// What is measured, and how often.
#[derive(clap::Args)]
pub struct Options {
    /// Sizes of the file, in MiB.
    #[arg(long, value_delimiter = ',', default_value = "1,16,256,4096")]
    sizes: Vec<NonZeroU64>,
    /// Cores to use.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<NonZeroUsize>,
    /// How often each is measured; the median counts.
    #[arg(long, default_value = "5")]
    rounds: NonZeroUsize,
    /// Files of the largest folder; 0 for none.
    #[arg(long, default_value_t = 100_000)]
    files: u64,
    /// Only these sections.
    #[arg(long, value_delimiter = ',', value_parser = ["encrypt", "unixfs", "commp", "pipeline", "chain", "folder"])]
    only: Vec<String>,
    /// Where the data lies.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where the peers' programs are: `rage` and the packages from npm.
    #[arg(long)]
    tools: PathBuf,
    /// Where the results go: bench.json, bench.svg.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Measure { what, bytes, threads, dir, tools } => measure::run(&what, bytes, threads, &dir, &tools),
        Command::Run(options) => run(&options),
    }
}

fn run(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.out)?;
    // Written after each input: half an hour's figures are not lost to what comes last.
    let results = rounds::run(options, |known| write(options, known))?;
    print!("{}{}", table::of(&results), verdict::table(&verdict::of(&results.rows)));
    println!("written: {0}/bench.json, {0}/bench.svg", options.out.display());
    let ours = |missing: &&rounds::Missing| missing.whose == plan::Whose::Ours && missing.why.starts_with("failed: ");
    let failed: Vec<_> = results.missing.iter().filter(ours).collect();
    ensure!(failed.is_empty(), "ours failed: {failed:#?}");
    Ok(())
}

/// Writes what is known as JSON and as a picture.
fn write(options: &Options, known: &rounds::Results) -> Result<()> {
    let document = serde_json::json!({
        "schema": 2,
        "machine": rounds::machine(options),
        "results": known.rows,
        "missing": known.missing,
        "verdicts": verdict::of(&known.rows),
    });
    let write = |name: &str, text: String| {
        let path = options.out.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())
    };
    write("bench.json", serde_json::to_string_pretty(&document)?)?;
    write("bench.svg", plot::of(&known.rows))
}
