//! Writes what the test vectors hold as bytes into the corpora of the fuzz targets: `fuzz_seeds VECTORS CORPUS`. Called by `scripts/check --fuzz`.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Which subject of the vectors is of use to which target.
const SUBJECTS: [(&str, &str); 6] =
    [("car", "car"), ("age", "age"), ("folder", "manifest"), ("piece", "commp"), ("abi", "abi"), ("folder", "journal")];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, vectors, corpus] = &arguments[..] else { panic!("fuzz_seeds VECTORS CORPUS") };
    for (subject, target) in SUBJECTS {
        let into = Path::new(corpus).join(target);
        fs::create_dir_all(&into).unwrap();
        let mut count = 0;
        for file in fs::read_dir(Path::new(vectors).join(subject)).unwrap() {
            let cases: Value = serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap();
            for case in cases.as_array().into_iter().flatten() {
                for text in case.as_object().into_iter().flat_map(|case| case.values()).filter_map(Value::as_str) {
                    // Bytes are hex; other texts are of use as they are.
                    let bytes = hex::decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
                    fs::write(into.join(format!("vector-{count:04}")), bytes).unwrap();
                    count += 1;
                }
            }
        }
        println!("{target}: {count} seeds");
    }
}
