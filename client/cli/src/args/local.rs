//! The actor's installation and the local network.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bauta_abi::BountyId;
use bauta_client::address::AnyAddress;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

/// `bauta deploy`.
#[derive(Debug, Args)]
pub struct Deploy {
    /// Which body; without it, the Wasm where the network takes it (the devnet), the contract elsewhere.
    #[arg(long, value_name = "BODY", value_enum)]
    pub body: Option<Body>,
    /// Wasm of the actor, instead of the one that came with this program.
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    pub wasm: Option<PathBuf>,
    /// Deploy nothing: compare the code on the network with this program's.
    #[arg(long, conflicts_with = "new")]
    pub check: bool,
    /// Make another contract, though one is recorded for this network.
    #[arg(long)]
    pub new: bool,
}

/// What the actor is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// Native code of the FVM.
    Wasm,
    /// An EVM contract.
    Evm,
}

impl std::fmt::Display for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wasm => "wasm",
            Self::Evm => "evm",
        })
    }
}

/// `bauta devnet`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Devnet {
    /// Steer a devnet that runs; without it, run one.
    #[command(subcommand)]
    pub command: Option<DevnetCommand>,
    /// What to run.
    #[command(flatten)]
    pub run: DevnetRun,
}

/// `bauta devnet` without a subcommand.
#[derive(Debug, Args)]
pub struct DevnetRun {
    /// Folder of the chain; the one that `bauta` opens by itself without it.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Where to serve; port 0 is any free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1234")]
    pub listen: SocketAddr,
    /// A tipset every so often (1s, 500ms); on demand without it.
    #[arg(long, value_name = "TIME", value_parser = block_time)]
    pub block_time: Option<Duration>,
    /// CAR with the built-in actors, instead of our own.
    #[arg(long, value_name = "CAR")]
    pub bundle: Option<PathBuf>,
    /// Funded accounts to make.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=100))]
    pub accounts: Option<u16>,
    /// Storage providers to run.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=16))]
    pub providers: Option<u16>,
    /// Do not install the Bauta actor; `bauta deploy` can later.
    #[arg(long)]
    pub without_actor: bool,
    /// Begin with the chain in this CAR, which an export has made; `-` is stdin.
    #[arg(long, value_name = "FILE")]
    pub import: Option<PathBuf>,
    /// Write the chain into this CAR instead of running it, also while it runs elsewhere; `-` is stdout.
    #[arg(long, value_name = "FILE", conflicts_with = "import")]
    pub export: Option<PathBuf>,
    /// Overwrite the file that is exported to.
    #[arg(long, requires = "export")]
    pub force: bool,
}

/// What can be asked of a devnet.
#[derive(Debug, Subcommand)]
pub enum DevnetCommand {
    /// Steer one of its providers.
    Provider(DevnetProvider),
    /// Check everything that must always hold.
    Check,
    /// Remember this moment of the chain.
    Snapshot,
    /// Go back to a moment: everything since is undone, and later snapshots are gone.
    Revert {
        /// Number of the snapshot; the newest without it.
        snapshot: Option<u64>,
    },
}

/// `bauta devnet provider`.
#[derive(Debug, Args)]
pub struct DevnetProvider {
    /// The miner.
    pub miner: AnyAddress,
    /// Whether it proves its sectors.
    #[arg(long, value_name = "on|off")]
    pub proving: Option<Switch>,
    /// How it serves pieces.
    #[arg(long, value_name = "HOW")]
    pub serving: Option<Serving>,
    /// Whether it takes open bounties by itself.
    #[arg(long, value_name = "on|off")]
    pub hunting: Option<Switch>,
    /// What it says of its deals.
    #[arg(long, value_name = "WHAT")]
    pub telling: Option<Telling>,
    /// Whether it takes deals.
    #[arg(long, value_name = "WHICH")]
    pub taking: Option<Taking>,
    /// What it is to do now.
    #[command(subcommand)]
    pub order: Option<Order>,
}

/// What a provider is told to do.
#[derive(Debug, Subcommand)]
pub enum Order {
    /// Fetch, seal and claim a bounty.
    Take {
        /// Number of the bounty.
        bounty: BountyId,
    },
    /// End a sector early.
    Terminate {
        /// Number of the sector.
        sector: u64,
    },
    /// Stop where it stands, breaking its connections, and start again.
    Restart,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Does it.
    On,
    /// Does not.
    Off,
}

/// How a provider answers who wants a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Serving {
    /// With the piece.
    Honest,
    /// As if it had lost it.
    Lost,
    /// With other bytes.
    Corrupt,
    /// Never to the end.
    Stall,
}

/// What a provider says of its deals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Telling {
    /// How they stand.
    Truth,
    /// That they are complete, sealing nothing.
    Complete,
}

/// Which deals a provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Taking {
    /// All good ones.
    Deals,
    /// None now: it is overloaded.
    Busy,
    /// None from anybody.
    Nobody,
}

/// `bauta mine`.
#[derive(Debug, Args)]
pub struct Mine {
    /// How many epochs: a number, or a time (180d).
    pub epochs: crate::span::Span,
}

/// `bauta completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell.
    pub shell: clap_complete::Shell,
}

/// Reads `1s`, `500ms`, `2m`.
fn block_time(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "a time is a number and a unit: 1s, 500ms".to_string())?;
    let millis = match unit {
        "ms" => Some(number),
        "s" | "" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        other => return Err(format!("`{other}` is no unit of time: ms, s, m")),
    };
    match millis {
        Some(millis @ 1..=3_600_000) => Ok(Duration::from_millis(millis)),
        _ => Err("between a millisecond and an hour".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_block_times() {
        assert_eq!(block_time("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(block_time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(block_time("2"), Ok(Duration::from_secs(2)));
        for text in ["", "0s", "-1s", "1h", "s", "18446744073709551615m", "2h"] {
            assert!(block_time(text).is_err(), "{text}");
        }
    }
}
