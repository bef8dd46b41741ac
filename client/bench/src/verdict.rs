//! What the figures are to show, and whether they do: ratios of one run, never absolute speeds.

use std::fmt::Write;

use serde::Serialize;

use crate::plan::Whose;
use crate::rounds::Row;

/// One promise beside what was found.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// The promise.
    pub promise: String,
    /// What was found.
    pub found: f64,
    /// What is promised.
    pub bound: f64,
    /// Whether the found has to be at least, or at most, the bound.
    pub at_least: bool,
    /// Whether it holds.
    pub holds: bool,
}

/// Compares everything that was measured.
pub fn of(rows: &[Row]) -> Vec<Verdict> {
    let look = Look(rows);
    let mut verdicts = Vec::new();
    let mut at_least = |promise: &str, found: Option<f64>, bound: f64| {
        if let Some(found) = found {
            verdicts.push(Verdict { promise: promise.into(), found, bound, at_least: true, holds: found >= bound });
        }
    };

    let ours = look.rate("commp: bauta", 1);
    let limit = |name| look.rate(&format!("commp: instructions alone, {name}"), 1);
    let (vectors, sha) = (limit("avx512"), limit("sha-ni"));
    // Of the vectors 70 %, or of the SHA instructions where they allow more; where there are no such vectors 90 % of the SHA instructions.
    let bound = if vectors.is_some() { 0.7 } else { 0.9 };
    let best = if sha > vectors { sha } else { vectors };
    at_least("CommP, one core, share of what the instructions allow", ratio(ours, best), bound);
    let avx512 = look.rate("commp: bauta, avx512", 1);
    at_least("CommP by AVX-512, one core, share of what the vector instructions allow", ratio(avx512, vectors), 0.7);
    let kernels = [look.rate("commp: hashtree", 1), look.rate("commp: hashtree, avx512", 1)];
    let best = kernels.into_iter().flatten().reduce(f64::max);
    at_least("CommP, one core, beside the best peer's kernel", ratio(ours, best), 2.0);
    at_least(
        "CommP, one core, beside filecoin-proofs-api",
        ratio(ours, look.rate("commp: filecoin-proofs-api", 1)),
        10.0,
    );
    at_least("CommP, two cores beside one", ratio(look.rate("commp: bauta", 2), ours), 1.8);

    let nowhere = look.rate_at("pack: bauta to nowhere", 1, "256 MiB");
    let libraries = look.rate_at("pack: best libraries, in memory", 1, "256 MiB");
    at_least("pack, one core, beside the best libraries together", ratio(nowhere, libraries), 3.0);
    for threads in [1, 2] {
        let today = look.rate("pack: rage, ipfs-car, data-segment", threads);
        let ours = look.rate_at("pack: bauta to a file", threads, &look.input("pack: rage, ipfs-car, data-segment"));
        at_least(
            &format!("pack to a file, {threads} core(s), beside today's chain of programs"),
            ratio(ours, today),
            10.0,
        );
    }
    for threads in [1, 2] {
        for name in ["pack: bauta to nowhere", "pack: bauta to a file"] {
            let share = ratio(look.rate(name, threads), look.stages(threads));
            at_least(&format!("{name}, {threads} core(s), share of what its three stages allow"), share, 0.6);
        }
    }
    for threads in [1, 2] {
        let (back, there) =
            (look.rate("unpack: bauta to a file", threads), look.rate("pack: bauta to a file", threads));
        at_least(&format!("unpack beside pack, to a file, {threads} core(s)"), ratio(back, there), 1.0);
    }
    let flat = ratio(look.rate_at("pack: bauta to nowhere", 1, "4096 MiB"), nowhere);
    at_least("pack, one core, 4 GiB beside 256 MiB (flat)", flat, 0.9);

    let mut at_most = |promise: &str, found: Option<f64>, bound: f64| {
        if let Some(found) = found {
            verdicts.push(Verdict { promise: promise.into(), found, bound, at_least: false, holds: found <= bound });
        }
    };
    at_most(
        "memory of packing a file, MiB",
        look.peak(|row| row.section == "pipeline" && row.name.starts_with("pack: bauta")),
        64.0,
    );
    at_most("memory of unpacking a file, MiB", look.peak(|row| row.name == "unpack: bauta to a file"), 64.0);
    at_most("memory of the largest folder, both ways, MiB", look.peak(|row| row.section == "folder"), 128.0);
    at_most("pack a folder: seconds a file, all files beside a quarter", look.growth("pack folder: bauta"), 1.25);
    verdicts
}

/// The promises as a table.
pub fn table(verdicts: &[Verdict]) -> String {
    let mut out = String::from("\npromises\n");
    for verdict in verdicts {
        let sign = if verdict.at_least { ">=" } else { "<=" };
        let word = if verdict.holds { "holds" } else { "DOES NOT HOLD" };
        let _ = writeln!(out, "  {:<78}{:>9.2}  {sign} {:<6}{word}", verdict.promise, verdict.found, verdict.bound);
    }
    out
}

fn ratio(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other?)
}

/// Finds rows.
struct Look<'a>(&'a [Row]);

impl Look<'_> {
    fn rows(&self, name: &str, threads: usize) -> impl Iterator<Item = &Row> {
        self.0.iter().filter(move |row| row.name == name && row.threads == threads)
    }

    /// At the largest input.
    fn rate(&self, name: &str, threads: usize) -> Option<f64> {
        Some(self.rows(name, threads).max_by_key(|row| row.bytes)?.gbps)
    }

    fn rate_at(&self, name: &str, threads: usize, input: &str) -> Option<f64> {
        Some(self.rows(name, threads).find(|row| row.input == input)?.gbps)
    }

    fn input(&self, name: &str) -> String {
        self.rows(name, 1).max_by_key(|row| row.bytes).map(|row| row.input.clone()).unwrap_or_default()
    }

    /// What encryption, leaf hashes and commitment allow together, each alone on data in memory.
    fn stages(&self, threads: usize) -> Option<f64> {
        let each = ["encrypt: cipher alone", "unixfs: leaf hashes alone", "commp: parts alone"];
        let seconds: Option<f64> = each.iter().map(|name| Some(1.0 / self.rate(name, threads)?)).sum();
        Some(1.0 / seconds?)
    }

    fn peak(&self, wanted: impl Fn(&Row) -> bool) -> Option<f64> {
        let ours = self.0.iter().filter(|row| row.whose == Whose::Ours && wanted(row));
        ours.filter_map(|row| row.peak_mib).reduce(f64::max)
    }

    /// Seconds a file of the largest folder beside the smallest.
    fn growth(&self, name: &str) -> Option<f64> {
        let each = |row: &Row| row.bytes as f64 / row.gbps / row.files as f64;
        let smallest = self.rows(name, 1).min_by_key(|row| row.files)?;
        let largest = self.rows(name, 1).max_by_key(|row| row.files)?;
        (smallest.files < largest.files).then(|| each(largest) / each(smallest))
    }
}
