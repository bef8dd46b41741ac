//! `test-vectors/car/archives.json`: made by hand, each rule with a case that breaks it.

use serde_json::json;

use super::*;
use crate::vectors::walk;

#[test]
fn vectors_hold() {
    for case in &walk("car", &["archives.json", "unixfs.json"])["archives.json"] {
        let car = case.bytes("car");
        case.check(read(&car));
        // What is cut off nowhere makes the archive whole again.
        if case.value.get("expect").is_some() {
            for keep in 0..car.len().min(400) {
                if let Ok(cut) = read(&car[..keep]) {
                    let expect = &case.value["expect"];
                    assert_eq!(
                        (&cut["root"], &cut["file"]),
                        (&expect["root"], &expect["file"]),
                        "{}: {keep}",
                        case.name
                    );
                }
            }
        }
    }
}

/// Checks every block, then reads the root as a file.
fn read(car: &[u8]) -> Result<serde_json::Value, Error> {
    let mut reader = CarReader::new(car)?;
    let mut count = 0;
    while reader.next_block()?.is_some() {
        count += 1;
    }
    let root = *reader.root();
    let mut car = CarFile::open(Cursor::new(car), Some(&root))?;
    let file = read_all(car.file(&root)?)?;
    Ok(json!({"root": root.to_string(), "blocks": count, "file": hex::encode(file)}))
}
