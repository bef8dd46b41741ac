//! The committed tables.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

/// Toolchains differ by an instruction here and there: so much more, in percent, is the same.
const TOLERANCE: u64 = 2;

/// What one thing costs on one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub name: String,
    pub entries: u64,
    pub gas: BTreeMap<&'static str, u64>,
}

/// A table and what was measured for it.
pub struct Table {
    path: PathBuf,
    known: Vec<Value>,
    measured: Vec<Row>,
}

/// Tells whether the largest states are to be measured, too.
pub fn is_large() -> bool {
    is_set("BAUTA_GAS_LARGE")
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value == "1")
}

impl Table {
    pub fn open(file: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors/gas").join(file);
        let known = std::fs::read_to_string(&path).map(|text| serde_json::from_str(&text).expect("a JSON array"));
        let known =
            if is_set("UPDATE_VECTORS") { known.unwrap_or_default() } else { known.expect("the table is there") };
        Self { path, known, measured: vec![] }
    }

    /// Takes measurements in; unless the table is written anew, none may be above it.
    pub fn compare(&mut self, rows: Vec<Row>) {
        for row in &rows {
            println!("{:>9} {:<24} {:?}", row.entries, row.name, row.gas);
        }
        self.measured.extend(rows);
    }

    /// Fails for what has become dearer, or writes the table.
    pub fn close(self) {
        if is_set("UPDATE_VECTORS") {
            return self.write();
        }
        let mut worse = vec![];
        for row in &self.measured {
            let known = self.known.iter().find(|known| is_of(known, row));
            let known = known.unwrap_or_else(|| panic!("{} at {} is not in the table", row.name, row.entries));
            for (what, gas) in &row.gas {
                let most = known["expect"][what].as_u64().expect("a number");
                if *gas > most + most * TOLERANCE / 100 {
                    worse.push(format!("{} at {}: {what} {gas}, the table says {most}", row.name, row.entries));
                }
            }
        }
        assert!(worse.is_empty(), "dearer than the table (UPDATE_VECTORS=1 accepts it):\n{}", worse.join("\n"));
        let gone = self.known.iter().filter(|known| !self.measured.iter().any(|row| is_of(known, row)));
        let gone: Vec<_> = gone.filter(|_| is_large()).collect();
        assert!(gone.is_empty(), "in the table and not measured: {gone:?}");
    }

    /// Rows of states that were not measured now stay as they are.
    fn write(self) {
        let kept = self.known.iter().filter(|known| !self.measured.iter().any(|row| row.entries == known["entries"]));
        let measured =
            self.measured.iter().map(|row| json!({ "name": row.name, "entries": row.entries, "expect": row.gas }));
        let mut rows: Vec<Value> = kept.cloned().chain(measured).collect();
        rows.sort_by_key(|row| row["entries"].as_u64());
        let rows: Vec<_> = rows.iter().map(|row| format!("  {row}")).collect();
        std::fs::create_dir_all(self.path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(&self.path, format!("[\n{}\n]\n", rows.join(",\n"))).expect("the table can be written");
    }
}

fn is_of(known: &Value, row: &Row) -> bool {
    known["name"] == row.name.as_str() && known["entries"] == row.entries
}
