//! The figures as a table.

use std::collections::HashSet;
use std::fmt::Write;

use crate::plan::Whose;
use crate::rounds::Results;

/// A block for each input, in the order of the data, and what was not measured.
pub fn of(results: &Results) -> String {
    let mut out = String::new();
    let mut input = "";
    for row in &results.rows {
        if row.input != input {
            input = &row.input;
            let _ = writeln!(out, "\n{:<44}{:>6}{:>12}{:>20}{:>8}", input, "cores", "GB/s", "worst to best", "MiB");
        }
        let mark = match row.whose {
            Whose::Ours => '*',
            Whose::Peer => ' ',
            Whose::Limit => '|',
        };
        let spread = format!("{} to {}", rate(row.spread[0]), rate(row.spread[1]));
        let memory = row.peak_mib.map_or(String::new(), |mib| format!("{mib:.0}"));
        let _ = writeln!(out, "{mark} {:<42}{:>6}{:>12}{spread:>20}{memory:>8}", row.name, row.threads, rate(row.gbps));
    }
    out.push_str("\n* ours   | what a stage or an instruction allows at most\n");
    let mut said = HashSet::new();
    for missing in &results.missing {
        if said.is_empty() {
            out.push_str("\nnot measured\n");
        }
        // The reason is most often the same at every size.
        if said.insert((missing.name, &missing.why)) {
            let why = missing.why.lines().next().unwrap_or_default();
            let _ = writeln!(out, "  {:<42}  {why}", missing.name);
        }
    }
    out
}

/// Three significant figures, from a few MB/s to many GB/s.
fn rate(gbps: f64) -> String {
    let digits = if gbps >= 1.0 {
        2
    } else if gbps >= 0.1 {
        3
    } else {
        4
    };
    format!("{gbps:.digits$}")
}
