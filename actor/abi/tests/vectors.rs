//! Walks `test-vectors/abi`: one file for each type of the wire, beside `methods.json`, `exits.json` and `events.json`.
//!
//! `UPDATE_VECTORS=1` writes the files anew from the values in `vectors/samples.rs`; without it, they are only read.

#[path = "vectors/samples.rs"]
mod samples;
#[path = "vectors/tables.rs"]
mod tables;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use bauta_abi::{Wire, WireError, decode, encode};
use serde_json::{Value, json};

/// A type with its vectors: values that are good, and values of the right form that break a bound.
pub struct Subject {
    name: &'static str,
    cases: Vec<Value>,
    judge: fn(&[u8]) -> Result<Judged, WireError>,
}

/// What bytes decode to, as text, and what that encodes to.
type Judged = (String, Vec<u8>);

impl Subject {
    /// Derives the cases of a type: the good values, the bad ones, and forms that are none of the type.
    pub fn new<T: Wire + Debug>(name: &'static str, good: Vec<T>, bad: Vec<(&str, T)>) -> Self {
        let mut cases = vec![];
        for (value, at) in good.iter().zip(1..) {
            let cbor = fvm_ipld_encoding::to_vec(value).expect("encodes");
            cases.push(case::<T>(&format!("good {at}"), &cbor));
        }
        for (what, value) in &bad {
            let cbor = fvm_ipld_encoding::to_vec(value).expect("encodes");
            cases.push(case::<T>(what, &cbor));
        }
        let whole = fvm_ipld_encoding::to_vec(&good[0]).expect("encodes");
        for (what, cbor) in spoiled(&whole) {
            cases.push(case::<T>(what, &cbor));
        }
        Self { name, cases, judge: judge::<T> }
    }
}

/// Forms that no type of the wire has.
fn spoiled(whole: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut longer = whole.to_vec();
    longer[0] = longer[0].wrapping_add(1);
    longer.push(0);
    vec![
        ("nothing", vec![]),
        ("the last byte is missing", whole[..whole.len() - 1].to_vec()),
        ("a byte too many", [whole, &[0]].concat()),
        ("an element too many", longer),
        ("a map", vec![0xa0]),
        ("undefined", vec![0xf7]),
        ("a float", vec![0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
        ("a list without end", vec![0x9f, 0x01, 0xff]),
        ("a list longer than memory", vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("a text", vec![0x63, 0x61, 0x62, 0x63]),
    ]
}

fn case<T: Wire + Debug>(name: &str, cbor: &[u8]) -> Value {
    match judge::<T>(cbor) {
        Ok((value, _)) => json!({ "name": name, "cbor": hex::encode(cbor), "expect": { "value": value } }),
        Err(e) => json!({ "name": name, "cbor": hex::encode(cbor), "error": kind(&e) }),
    }
}

/// Decodes, and encodes what came of it.
fn judge<T: Wire + Debug>(cbor: &[u8]) -> Result<Judged, WireError> {
    let value: T = decode(cbor)?;
    let again = encode(&value)?;
    Ok((format!("{value:?}"), again))
}

/// What stays the same when a library words its errors anew.
fn kind(e: &WireError) -> String {
    match e {
        WireError::Malformed(_) => "malformed".into(),
        WireError::OutOfBounds(what) => what.to_string(),
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors/abi")
}

fn write(name: &str, cases: &[Value]) {
    if std::env::var_os("UPDATE_VECTORS").is_some_and(|value| value == "1") {
        fs::create_dir_all(folder()).expect("the folder can be made");
        let rows: Vec<_> = cases.iter().map(|case| format!("  {case}")).collect();
        fs::write(folder().join(name), format!("[\n{}\n]\n", rows.join(",\n"))).expect("the file can be written");
    }
}

fn read(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn every_type_reads_its_vectors() {
    let (mut accepted, mut rejected) = (0, 0);
    for subject in samples::subjects() {
        let file = format!("{}.json", subject.name);
        write(&file, &subject.cases);
        for case in read(&file) {
            let name = format!("{file}, {}", case["name"]);
            let cbor = hex::decode(case["cbor"].as_str().expect("hex")).expect("hex");
            match (subject.judge)(&cbor) {
                Ok((value, again)) => {
                    accepted += 1;
                    assert_eq!(case["expect"], json!({ "value": value }), "{name}");
                    assert_eq!(again, cbor, "{name}: one form for each value");
                }
                Err(e) => {
                    rejected += 1;
                    assert_eq!(case["error"], json!(kind(&e)), "{name}");
                }
            }
        }
    }
    assert!(rejected > 2 * accepted, "{rejected} rejections, {accepted} acceptances");
}

#[test]
fn tables_are_what_they_were() {
    for (file, cases) in tables::all() {
        write(file, &cases);
        assert_eq!(read(file), cases, "{file}: numbers and names are never changed");
    }
}

#[test]
fn no_file_is_unread_and_none_is_missing() {
    let known: BTreeSet<String> = samples::subjects()
        .iter()
        .map(|subject| format!("{}.json", subject.name))
        .chain(tables::all().into_iter().map(|(file, _)| file.to_owned()))
        .collect();
    let found = fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("a name in Unicode"));
    assert_eq!(found.collect::<BTreeSet<_>>(), known);
}

/// A type that implements `Wire` without having vectors would be overlooked otherwise.
#[test]
fn no_type_is_without_vectors() {
    let mut declared = BTreeSet::new();
    for entry in walk(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(entry).expect("readable");
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("impl Wire for ")) {
            declared.insert(line.split([' ', '{']).next().expect("a name").to_owned());
        }
    }
    declared.remove("$name");
    let one_bounty =
        ["CreateBountyReturn", "FundBountyParams", "CancelBountyParams", "RefundBountyParams", "GetBountyParams"];
    declared.extend(one_bounty.map(str::to_owned));
    let known: BTreeSet<_> = samples::subjects().iter().map(|subject| subject.name.to_owned()).collect();
    assert_eq!(known, declared);
}

fn walk(folder: &PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
