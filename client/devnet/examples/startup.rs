//! How long the devnet takes to start: `cargo run -p bauta_devnet --example startup`. CPU time beside wall time, because
//! others may use the cores. `BAUTA_BUNDLE` names an official bundle.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bauta_devnet::bundle::Bundle;
use bauta_devnet::genesis::Genesis;
use bauta_devnet::{Config, spawn};

#[tokio::main]
async fn main() -> Result<()> {
    // Compiled actors are kept by the process: an old state is opened by a process of its own.
    let folder = match std::env::args().nth(1) {
        Some(folder) => folder.into(),
        None => {
            let folder = tempfile::tempdir()?;
            start("new state", folder.path()).await?;
            let own = std::env::current_exe()?;
            let status = std::process::Command::new(own).arg(folder.path()).status()?;
            anyhow::ensure!(status.success(), "opening the old state failed");
            return Ok(());
        }
    };
    let folder: std::path::PathBuf = folder;
    start("old state", &folder).await
}

async fn start(name: &str, folder: &std::path::Path) -> Result<()> {
    let (wall, cpu) = (Instant::now(), cpu()?);
    let lap = |what: &str| -> Result<()> {
        let (wall, cpu) = (wall.elapsed(), self::cpu()? - cpu);
        println!("{name:10} {what:28} {:6} ms {:6} ms CPU", wall.as_millis(), cpu.as_millis());
        Ok(())
    };
    let config = Config {
        state: Some(folder.to_owned()),
        listen: Some(([127, 0, 0, 1], 0).into()),
        genesis: Genesis { bundle: Bundle::from_environment(), ..Genesis::default() },
        ..Config::default()
    };
    let devnet = spawn(config).await?;
    lap("spawned")?;
    let url = devnet.rpc_url().context("it listens")?;
    let head = r#"{"jsonrpc":"2.0","id":1,"method":"Filecoin.ChainHead","params":[]}"#;
    reqwest::Client::new().post(url).body(head).send().await?.error_for_status()?;
    lap("first answer over HTTP")?;
    devnet.node().devnet_mine(1).await?;
    lap("first tipset")?;
    devnet.shutdown().await;
    Ok(())
}

/// CPU time of all threads of this process, in the 10 ms that Linux counts in.
fn cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').context("a name in brackets")?.1;
    let ticks = |field: usize| -> Result<u64> {
        Ok(after_name.split_whitespace().nth(field).context("a field is missing")?.parse()?)
    };
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}
