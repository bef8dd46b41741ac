//! Looking after what is stored: status, renew, repair, watch, serve.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bauta_abi::{BountyId, FileId};
use bauta_client::deal::{MAX_DURATION, MIN_DURATION};
use clap::{ArgGroup, Args};
use fvm_shared::clock::ChainEpoch;

use super::ProviderArg;
use crate::span::Span;

/// `bauta status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Number of the file; all of yours without it.
    pub file_id: Option<FileId>,
    /// Ask this provider, too.
    #[arg(long, value_name = "ADDRESS[=URL]", value_delimiter = ',')]
    pub provider: Vec<ProviderArg>,
}

/// How new deals are made.
#[derive(Debug, Clone, Args)]
pub struct NewDeals {
    /// Store it at this provider.
    #[arg(long, value_name = "ADDRESS[=URL]", value_delimiter = ',')]
    pub provider: Vec<ProviderArg>,
    /// How long it is to be stored: epochs, or 200d.
    #[arg(long, value_name = "D", default_value = "180d", value_parser = deal_duration)]
    pub duration: ChainEpoch,
    /// Let the new provider fetch the bytes from the old one, instead of passing them through this machine.
    #[arg(long)]
    pub pull: bool,
}

/// `bauta renew`.
#[derive(Debug, Args)]
pub struct Renew {
    /// Number of the file.
    pub file_id: FileId,
    /// Prolong copies that end within this time.
    #[arg(long, value_name = "D", default_value = "30d")]
    pub within: Span,
    /// How.
    #[command(flatten)]
    pub deals: NewDeals,
}

/// `bauta repair`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub struct Repair {
    /// Number of the file.
    #[arg(group = "what")]
    pub file_id: Option<FileId>,
    /// The piece of this bounty, whoever's file it is.
    #[arg(long, value_name = "ID", group = "what")]
    pub bounty: Option<BountyId>,
    /// How many copies there are to be, from now on; as many as were wished for without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=16))]
    pub copies: Option<u64>,
    /// How.
    #[command(flatten)]
    pub deals: NewDeals,
}

/// `bauta watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// Numbers of the files; all of yours without them.
    pub file_id: Vec<FileId>,
    /// How often to look: 30m, 6h, 1d.
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = wall_time)]
    pub every: Duration,
    /// Look once, and end.
    #[arg(long)]
    pub once: bool,
    /// Prolong copies that end within this time.
    #[arg(long, value_name = "D", default_value = "30d")]
    pub within: Span,
    /// How long a provider may be silent before its copy is replaced.
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = wall_time)]
    pub grace: Duration,
    /// How.
    #[command(flatten)]
    pub deals: NewDeals,
}

/// `bauta serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// CARs to serve, or any other pieces.
    #[arg(required = true, value_name = "CAR")]
    pub cars: Vec<PathBuf>,
    /// Where to serve; port 0 is any free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8480")]
    pub listen: SocketAddr,
    /// How providers reach it, where that is another URL.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

/// Reads how long a deal is to run.
pub(super) fn deal_duration(text: &str) -> Result<ChainEpoch, String> {
    let epochs = text.parse::<Span>()?.0;
    if (MIN_DURATION..=MAX_DURATION).contains(&epochs) {
        return Ok(epochs);
    }
    Err(format!("providers take {} to {} days", MIN_DURATION / 2880, MAX_DURATION / 2880))
}

/// Reads `500ms`, `30s`, `6h`.
fn wall_time(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "a time is a number and a unit: 30m, 6h, 1d".to_string())?;
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let found = units.iter().find(|(name, _)| *name == unit);
    let (_, millis) = found.ok_or_else(|| format!("`{unit}` is no unit of time: ms, s, m, h, d"))?;
    match number.checked_mul(*millis) {
        Some(millis) if millis <= 366 * 86_400_000 => Ok(Duration::from_millis(millis)),
        _ => Err("a year at most".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times() {
        assert_eq!(wall_time("6h"), Ok(Duration::from_secs(21_600)));
        assert_eq!(wall_time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(wall_time("0s"), Ok(Duration::ZERO));
        for text in ["", "6", "h", "-1h", "1w", "367d", "18446744073709551615d", "1.5h"] {
            assert!(wall_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_what_providers_take() {
        assert_eq!(deal_duration("180d"), Ok(518_400));
        assert_eq!(deal_duration("600000"), Ok(600_000));
        for text in ["179d", "518399", "1248d", "", "0"] {
            assert!(deal_duration(text).is_err(), "{text}");
        }
    }
}
