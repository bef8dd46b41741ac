//! Reads `test-vectors/`: tests walk a whole folder, so that a file nobody reads fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One case of a file.
pub(crate) struct Case {
    /// `subject/file.json: name`, for messages.
    pub name: String,
    /// The whole case.
    pub value: Value,
}

impl Case {
    /// A text field that must be there.
    pub fn text(&self, field: &str) -> &str {
        self.value[field].as_str().unwrap_or_else(|| panic!("{}: {field} is no text", self.name))
    }

    /// A number field that must be there.
    pub fn number(&self, field: &str) -> u64 {
        self.value[field].as_u64().unwrap_or_else(|| panic!("{}: {field} is no number", self.name))
    }

    /// Bytes as hex.
    pub fn bytes(&self, field: &str) -> Vec<u8> {
        hex::decode(self.text(field)).unwrap_or_else(|e| panic!("{}: {field}: {e}", self.name))
    }

    /// Compares an outcome with `expect` (by equality) or with `error` (contained in what the error says).
    pub fn check<E: std::fmt::Display>(&self, outcome: Result<Value, E>) {
        match (outcome, self.value.get("expect"), self.value.get("error").and_then(Value::as_str)) {
            (Ok(value), Some(expect), None) => assert_eq!(&value, expect, "{}", self.name),
            (Err(e), None, Some(error)) => {
                let said = e.to_string();
                assert!(said.contains(error), "{}: says {said:?}, not {error:?}", self.name);
            }
            (Ok(value), None, Some(_)) => panic!("{}: accepted as {value}", self.name),
            (Err(e), Some(_), None) => panic!("{}: refused: {e}", self.name),
            _ => panic!("{}: a case has either expect or error", self.name),
        }
    }
}

/// Gives the cases of every file of a subject. Panics unless the folder holds exactly the files named, each with cases.
pub(crate) fn walk(subject: &str, files: &[&str]) -> BTreeMap<String, Vec<Case>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder(subject)).unwrap_or_else(|e| panic!("test-vectors/{subject}: {e}")) {
        let path = entry.expect("a folder can be listed").path();
        let file = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{subject}/{file}: {e}"));
        let cases: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{subject}/{file}: {e}"));
        assert!(!cases.is_empty(), "{subject}/{file} has no cases");
        let cases = cases.into_iter().map(|value| {
            let name = value["name"].as_str().unwrap_or_else(|| panic!("{subject}/{file}: a case has no name"));
            Case { name: format!("{subject}/{file}: {name}"), value }
        });
        found.insert(file.clone(), cases.collect());
    }
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    let mut expected = files.to_vec();
    expected.sort();
    assert_eq!(names, expected, "files of test-vectors/{subject} and files that tests read");
    found
}

/// Rewrites a generated file when `UPDATE_VECTORS=1`; says whether it did.
pub(crate) fn update(subject: &str, file: &str, cases: impl FnOnce() -> Vec<Value>) -> bool {
    let wanted = std::env::var_os("UPDATE_VECTORS").is_some_and(|v| v == "1");
    if wanted {
        let lines: Vec<_> = cases().iter().map(|case| format!("  {case}")).collect();
        let text = format!("[\n{}\n]\n", lines.join(",\n"));
        std::fs::create_dir_all(folder(subject)).expect("the folder can be made");
        std::fs::write(folder(subject).join(file), text).expect("vectors can be written");
    }
    wanted
}

/// A deterministic stream of bytes, the same in every language: `x = x * 1664525 + 1013904223 mod 2^32` from the seed on,
/// each byte the top eight bits of the next `x`.
pub(crate) fn lcg(seed: u32) -> impl Iterator<Item = u8> {
    let mut x = seed;
    std::iter::repeat_with(move || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    })
}

fn folder(subject: &str) -> PathBuf {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("test-vectors"));
    above.into_iter().find(|folder| folder.is_dir()).expect("test-vectors lies above the crate").join(subject)
}
