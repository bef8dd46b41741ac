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
    /// What was found; none where something that it compares was not measured.
    pub found: Option<f64>,
    /// What is promised.
    pub bound: f64,
    /// Whether the found has to be at least, or at most, the bound.
    pub at_least: bool,
    /// Whether it holds, if that is known.
    pub holds: Option<bool>,
}

/// Compares everything that was measured.
pub fn of(rows: &[Row]) -> Vec<Verdict> {
    let look = Look(rows);
    let mut verdicts = Vec::new();
    let mut at_least = |promise: &str, found: Option<f64>, bound: f64| {
        let holds = found.map(|found| found >= bound);
        verdicts.push(Verdict { promise: promise.into(), found, bound, at_least: true, holds });
    };

    const OURS: &str = "commp: bauta";
    const NOWHERE: &str = "pack: bauta to nowhere";
    const FILE: &str = "pack: bauta to a file";
    const BACK: &str = "unpack: bauta to a file";
    let limit = |name| look.rate(&format!("commp: instructions alone, {name}"), 1);
    let (vectors, sha) = (limit("avx512"), limit("sha-ni"));
    // Of the vectors 70 %, or of the SHA instructions where they allow more; where there are no such vectors 90 % of the SHA instructions.
    let bound = if vectors.is_some() { 0.7 } else { 0.9 };
    let best = if sha > vectors { sha } else { vectors };
    at_least("CommP, one core, share of what the instructions allow", ratio(look.rate(OURS, 1), best), bound);
    let avx512 = look.rate("commp: bauta, avx512", 1);
    at_least("CommP by AVX-512, one core, share of what the vector instructions allow", ratio(avx512, vectors), 0.7);
    // Beside the better one: at least so many times as fast as each.
    let kernels = ["commp: hashtree", "commp: hashtree, avx512"].map(|peer| look.times((OURS, 1), (peer, 1)));
    let least = kernels.into_iter().flatten().reduce(f64::min);
    at_least("CommP, one core, beside the best peer's kernel", least, 2.0);
    at_least(
        "CommP, one core, beside filecoin-proofs-api",
        look.times((OURS, 1), ("commp: filecoin-proofs-api", 1)),
        10.0,
    );
    at_least("CommP, two cores beside one", look.times((OURS, 2), (OURS, 1)), 1.8);

    let libraries = ("pack: best libraries, in memory", 1);
    at_least("pack, one core, beside the best libraries together", look.times((NOWHERE, 1), libraries), 3.0);
    for threads in [1, 2] {
        at_least(
            &format!("pack to a file, {threads} core(s), beside today's chain of programs"),
            look.times((FILE, threads), ("pack: rage, ipfs-car, data-segment", threads)),
            10.0,
        );
    }
    for threads in [1, 2] {
        for name in [NOWHERE, FILE] {
            let share = look.share_of_stages(name, threads);
            at_least(&format!("{name}, {threads} core(s), share of what its three stages allow"), share, 0.6);
        }
    }
    for threads in [1, 2] {
        let beside = look.times((BACK, threads), (FILE, threads));
        at_least(&format!("unpack beside pack, to a file, {threads} core(s)"), beside, 1.0);
    }
    let flat = ratio(look.rate_at(NOWHERE, 1, 4096 << 20), look.rate_at(NOWHERE, 1, 256 << 20));
    at_least("pack, one core, 4 GiB beside 256 MiB (flat)", flat, 0.9);

    let mut at_most = |promise: &str, found: Option<f64>, bound: f64| {
        let holds = found.map(|found| found <= bound);
        verdicts.push(Verdict { promise: promise.into(), found, bound, at_least: false, holds });
    };
    at_most(
        "memory of packing a file, MiB",
        look.peak(|row| row.section == "pipeline" && row.name.starts_with("pack: bauta")),
        64.0,
    );
    at_most("memory of unpacking a file, MiB", look.peak(|row| row.name == BACK), 64.0);
    at_most("memory of the largest folder, both ways, MiB", look.peak(|row| row.section == "folder"), 128.0);
    at_most("pack a folder: seconds a file, all files beside a quarter", look.growth("pack folder: bauta"), 1.25);
    verdicts
}

/// The promises as a table.
pub fn table(verdicts: &[Verdict]) -> String {
    let mut out = String::from("\npromises\n");
    for verdict in verdicts {
        let sign = if verdict.at_least { ">=" } else { "<=" };
        let word = match verdict.holds {
            Some(true) => "holds",
            Some(false) => "DOES NOT HOLD",
            None => "not measured",
        };
        let found = verdict.found.map_or("-".into(), |found| format!("{found:.2}"));
        let _ = writeln!(out, "  {:<78}{found:>9}  {sign} {:<6}{word}", verdict.promise, verdict.bound);
    }
    out
}

fn ratio(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other?)
}

/// A measurement on so many cores.
type Which<'a> = (&'a str, usize);

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

    fn rate_at(&self, name: &str, threads: usize, bytes: u64) -> Option<f64> {
        Some(self.rows(name, threads).find(|row| row.bytes == bytes)?.gbps)
    }

    /// How many times as fast one is, at the largest input of both.
    fn times(&self, (one, its): Which, (other, others): Which) -> Option<f64> {
        let both = self.rows(one, its).filter(|row| self.rate_at(other, others, row.bytes).is_some());
        let largest = both.max_by_key(|row| row.bytes)?;
        ratio(Some(largest.gbps), self.rate_at(other, others, largest.bytes))
    }

    /// The speed as a share of what encryption, leaf hashes and commitment allow together, each alone on data in memory; at the largest input
    /// of all four.
    fn share_of_stages(&self, name: &str, threads: usize) -> Option<f64> {
        let each = ["encrypt: cipher alone", "unixfs: leaf hashes alone", "commp: parts alone"];
        let stages = |bytes| -> Option<f64> {
            let seconds: Option<f64> = each.iter().map(|name| Some(1.0 / self.rate_at(name, threads, bytes)?)).sum();
            Some(1.0 / seconds?)
        };
        let all = self.rows(name, threads).filter(|row| stages(row.bytes).is_some());
        let largest = all.max_by_key(|row| row.bytes)?;
        ratio(Some(largest.gbps), stages(largest.bytes))
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
