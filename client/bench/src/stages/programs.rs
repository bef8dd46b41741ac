//! Peers that are programs of their own: `rage`, and packages from npm under Node.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Runs a program to its end; what it prints is the answer.
fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `rage`, from one file to another.
pub fn rage(tools: &Path, input: &Path, out: &Path) -> Result<()> {
    let somebody = age::x25519::Identity::generate().to_public().to_string();
    run(Command::new(tools.join("bin/rage")).args(["-r", &somebody, "-o"]).arg(out).arg(input))?;
    Ok(())
}

/// `ipfs-car pack`, from one file to another.
pub fn ipfs_car(tools: &Path, input: &Path, out: &Path) -> Result<()> {
    let program = tools.join("npm/node_modules/ipfs-car/bin.js");
    run(Command::new("node").arg(program).arg("pack").arg(input).args(["--no-wrap", "--output"]).arg(out))?;
    Ok(())
}

/// A package from npm, which tells how long it worked, reading and Node's start not counted. Gives seconds and result.
pub fn package(tools: &Path, what: &str, input: &Path) -> Result<(f64, String)> {
    let script = tools.join("npm/measure.mjs");
    let answer = run(Command::new("node").arg("--max-old-space-size=8192").arg(script).arg(what).arg(input))?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let seconds = answer["seconds"].as_f64().context("seconds")?;
    Ok((seconds, answer["result"].as_str().context("a result")?.to_owned()))
}

/// What somebody who stores a private file would type today: encrypt, pack, commit. Each program writes a file that the next one reads.
pub fn chain_of_today(tools: &Path, input: &Path, dir: &Path) -> Result<()> {
    let (sealed, car) = (dir.join("today.age"), dir.join("today.car"));
    rage(tools, input, &sealed)?;
    ipfs_car(tools, &sealed, &car)?;
    package(tools, "data-segment", &car)?;
    for file in [sealed, car] {
        std::fs::remove_file(file)?;
    }
    Ok(())
}
