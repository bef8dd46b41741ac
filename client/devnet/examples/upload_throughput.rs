//! How fast bytes get to a provider on loopback: `curl -T`, and this library in one request and in chunks, against the same server.
//!
//! `cargo run --release -p bauta_devnet --example upload_throughput -- [MIB] [ROUNDS]`

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use bauta_client::deal::{Curio, DealId, Proposal, StorageProvider, Timeouts, Uploads, auth};
use bauta_client::piece::CommP;
use bauta_devnet::genesis::{Genesis, account_key};
use bauta_devnet::{Config, spawn};

/// Bytes that differ from round to round: a piece that is there already is not read.
fn piece(file: &Path, size: usize, seed: u64) -> Result<Proposal> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .take(size / 8)
    .flatten()
    .collect();
    std::fs::write(file, &bytes)?;
    Ok(Proposal::upload(CommP::of(&bytes)?, 518_400))
}

fn curl(url: &str, id: DealId, file: &Path) -> Result<()> {
    let path = format!("/market/mk20/upload/{id}");
    let header = auth::authorization(&account_key(0), "PUT", &path, SystemTime::now());
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--header", &format!("Authorization: {header}"), "-T"]).arg(file);
    let done = curl.arg(format!("{url}{path}")).stdout(Stdio::null()).status().context("curl is needed")?;
    ensure!(done.success(), "curl failed");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let mib = arguments.next().transpose()?.unwrap_or(512);
    let rounds = arguments.next().transpose()?.unwrap_or(3);
    let genesis = Genesis { accounts: 1, ..Genesis::default() };
    let devnet = spawn(Config { genesis, ..Config::default() }.with_providers(1)).await?;
    let provider = loop {
        if let Some(provider) = devnet.info().await?.providers.pop() {
            break provider;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let url = provider.url.context("it listens")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("piece");
    let curio = |serial: bool| -> Result<Curio> {
        let uploads = Uploads { serial: if serial { u64::MAX } else { 0 }, ..Uploads::default() };
        Ok(Curio::new(&url, provider.miner, account_key(0), Timeouts::default())?.with_uploads(uploads))
    };
    println!("{mib} MiB, MiB/s; chunks are put together by the provider afterwards, which is not counted");
    println!("{:>8} {:>8} {:>8}", "curl", "serial", "chunks");
    for round in 0..rounds {
        let mut speeds = Vec::new();
        for way in ["curl", "serial", "chunks"] {
            let seed = (round * 3 + speeds.len() + 1) as u64;
            let proposal = piece(&file, mib << 20, seed)?;
            let (id, ours) = (DealId::generate(), curio(way == "serial")?);
            ours.propose(id, &proposal).await?;
            let begun = Instant::now();
            match way {
                "curl" => {
                    let (url, file) = (url.clone(), file.clone());
                    tokio::task::spawn_blocking(move || curl(&url, id, &file)).await??;
                }
                _ => ours.upload(id, &file, None).await?,
            }
            speeds.push(mib as f64 / begun.elapsed().as_secs_f64());
        }
        println!("{:>8.0} {:>8.0} {:>8.0}", speeds[0], speeds[1], speeds[2]);
    }
    devnet.shutdown().await;
    Ok(())
}
