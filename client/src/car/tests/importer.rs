//! `test-vectors/car/unixfs.json`: roots of many sizes, as the JavaScript importer computes them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::vectors::{Case, update, walk};

const PACKAGE: &str = "ipfs-unixfs-importer@17.1.1";
/// Larger files are computed by JavaScript only when the vectors are rewritten.
const LARGE: u64 = 64 << 20;

/// Size, chunk size, links a node.
const CASES: [(u64, u64, u64); 34] = [
    (0, 1 << 20, 1024),
    (1, 1 << 20, 1024),
    (255, 1 << 20, 1024),
    ((1 << 20) - 1, 1 << 20, 1024),
    (1 << 20, 1 << 20, 1024),
    ((1 << 20) + 1, 1 << 20, 1024),
    (2 << 20, 1 << 20, 1024),
    ((3 << 20) + 7, 1 << 20, 1024),
    ((17 << 20) + 4711, 1 << 20, 1024),
    (1024 << 20, 1 << 20, 1024),
    ((1024 << 20) + 1, 1 << 20, 1024),
    (1023 * 64, 64, 1024),
    (1024 * 64 - 1, 64, 1024),
    (1024 * 64, 64, 1024),
    (1024 * 64 + 1, 64, 1024),
    (1025 * 64, 64, 1024),
    (2048 * 64, 64, 1024),
    (2049 * 64, 64, 1024),
    (1_000_000, 256 << 10, 174),
    (174 * 100 + 1, 100, 174),
    (174 * 174 * 2, 2, 174),
    (174 * 174 * 2 + 1, 2, 174),
    (9, 10, 3),
    (10, 10, 3),
    (11, 10, 3),
    (30, 10, 3),
    (31, 10, 3),
    (90, 10, 3),
    (91, 10, 3),
    (270, 10, 3),
    (271, 10, 3),
    (301, 10, 3),
    (811, 10, 3),
    (5000, 1, 2),
];

#[test]
fn roots_are_those_of_the_javascript_importer() {
    let importer = Importer::install();
    if let Ok(importer) = &importer {
        update("car", "unixfs.json", || {
            let mut cases: Vec<_> = CASES.iter().map(|case| input(*case)).collect();
            let roots = importer.roots(&cases);
            cases.iter_mut().zip(roots).for_each(|(case, root)| case["expect"] = root.into());
            cases
        });
    }
    let vectors = &walk("car", &["archives.json", "unixfs.json"])["unixfs.json"];
    assert_eq!(vectors.len(), CASES.len());
    for case in vectors {
        case.check(Ok::<_, Error>(root(case).to_string().into()));
    }
    match importer {
        Err(reason) => eprintln!("skipped the comparison with {PACKAGE}: {reason}"),
        Ok(importer) => {
            let small: Vec<_> = vectors.iter().filter(|case| case.number("size") <= LARGE).collect();
            let inputs: Vec<_> = small.iter().map(|case| case.value.clone()).collect();
            for (case, root) in small.iter().zip(importer.roots(&inputs)) {
                assert_eq!(case.text("expect"), root, "{}", case.name);
            }
        }
    }
}

fn input((size, chunk_size, max_links): (u64, u64, u64)) -> Value {
    let name = format!("{size} bytes in leaves of {chunk_size}, {max_links} links");
    json!({"name": name, "seed": size % 1000, "size": size, "chunk_size": chunk_size, "max_links": max_links})
}

fn root(case: &Case) -> Cid {
    let profile =
        Profile { chunk_size: case.number("chunk_size") as usize, max_links: case.number("max_links") as usize };
    let content = Lcg { x: case.number("seed") as u32, left: case.number("size") };
    let mut car = CarWriter::new(io::sink()).unwrap();
    add_file(content, &profile, &mut car).unwrap().cid
}

/// The bytes of `vectors::lcg` as a reader: large files are not kept in memory.
struct Lcg {
    x: u32,
    left: u64,
}

impl Read for Lcg {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.left.min(out.len() as u64) as usize;
        for byte in &mut out[..n] {
            self.x = self.x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (self.x >> 24) as u8;
        }
        self.left -= n as u64;
        Ok(n)
    }
}

#[test]
fn the_two_generators_agree() {
    let streamed = read_all(Lcg { x: 42, left: 1000 }).unwrap();
    assert_eq!(streamed, lcg(42).take(1000).collect::<Vec<_>>());
}

/// The importer, installed from npm into the target folder.
struct Importer(PathBuf);

impl Importer {
    fn install() -> Result<Self, String> {
        let run = |command: &mut Command| {
            let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
            match output.status.success() {
                true => Ok(()),
                false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
            }
        };
        run(Command::new("node").arg("--version"))?;
        // target/debug/deps/this-test
        let test = std::env::current_exe().map_err(|e| e.to_string())?;
        let target = test.ancestors().nth(3).ok_or("the test is not in a target folder")?;
        let folder = target.join("unixfs-importer");
        if !folder.join("node_modules/ipfs-unixfs-importer").is_dir() {
            std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000"]);
            run(npm.arg("--prefix").arg(&folder).arg(PACKAGE))?;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/car/tests/importer.mjs");
        std::fs::copy(script, folder.join("importer.mjs")).map_err(|e| e.to_string())?;
        Ok(Importer(folder.join("importer.mjs")))
    }

    fn roots(&self, cases: &[Value]) -> Vec<String> {
        let mut node =
            Command::new("node").arg(&self.0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node runs");
        let input = serde_json::to_vec(cases).expect("cases are JSON");
        node.stdin.take().expect("its input is piped").write_all(&input).expect("node takes the cases");
        let output = node.wait_with_output().expect("node ends");
        assert!(output.status.success(), "the importer failed");
        let roots: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(String::from).collect();
        assert_eq!(roots.len(), cases.len());
        roots
    }
}
