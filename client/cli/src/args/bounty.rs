//! Bounties.

use bauta_abi::{BountyId, ClaimId, FileId};
use bauta_client::address::AnyAddress;
use clap::{Args, Subcommand};

use crate::amount::Amount;
use crate::span::{Span, When};

/// `bauta bounty`.
#[derive(Debug, Subcommand)]
pub enum Bounty {
    /// Offer a reward for storing a file.
    Create(BountyCreate),
    /// Add money to a bounty.
    Fund(BountyFund),
    /// Show a bounty.
    Show(BountyArg),
    /// List all bounties, or what a provider can earn.
    Ls(BountyLs),
    /// Print the deal that a provider needs to earn a bounty.
    Offer(BountyOffer),
    /// List the claims of a bounty.
    Claims(BountyArg),
    /// Pay what claims have earned; anybody may.
    Settle(BountySettle),
    /// Take back your share of what was not earned.
    Refund(BountyArg),
    /// End a bounty of yours that nobody has claimed.
    Cancel(BountyArg),
    /// Claim a bounty for the provider of a market deal.
    Claim(BountyClaim),
}

/// `bauta bounty create`.
#[derive(Debug, Args)]
pub struct BountyCreate {
    /// The file to keep stored.
    pub file_id: FileId,
    /// What one replica earns over the whole duration: 1.5, 1.5FIL.
    #[arg(long, value_name = "FIL")]
    pub reward: Amount,
    /// How many providers are paid.
    #[arg(long, value_name = "N")]
    pub replicas: u64,
    /// How long each has to prove it: epochs, or 180d.
    #[arg(long, value_name = "D")]
    pub duration: Span,
    /// How long claims are taken: epochs from now, 30d, or @EPOCH.
    #[arg(long, value_name = "D", value_parser = When::span_or_at)]
    pub deadline: When,
    /// A provider that may claim; anybody where none is named.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub provider: Vec<AnyAddress>,
    /// Part of the reward that is earned at once, in hundredths of a percent.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub activation_bps: u64,
    /// What to pay in now; all of reward x replicas without it.
    #[arg(long, value_name = "FIL")]
    pub fund: Option<Amount>,
    /// Where a provider can fetch the piece; a provider that has it without it.
    #[arg(long, value_name = "URL", value_parser = super::web_address)]
    pub source: Option<String>,
    /// A word for people.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
}

/// A command about one bounty.
#[derive(Debug, Args)]
pub struct BountyArg {
    /// Number of the bounty.
    pub id: BountyId,
}

/// `bauta bounty ls`.
#[derive(Debug, Args)]
pub struct BountyLs {
    /// Only what can be claimed now, the best paid first.
    #[arg(long)]
    pub open: bool,
    /// Only what this provider can claim.
    #[arg(long, value_name = "ADDRESS", requires = "open")]
    pub provider: Option<AnyAddress>,
}

/// `bauta bounty offer`.
#[derive(Debug, Args)]
pub struct BountyOffer {
    /// Number of the bounty.
    pub id: BountyId,
    /// The miner that is to store it.
    #[arg(long, value_name = "ADDRESS")]
    pub provider: AnyAddress,
    /// Who proposes the deal, and signs the request; your own address without it.
    #[arg(long, value_name = "ADDRESS")]
    pub client: Option<AnyAddress>,
    /// Where the piece can be fetched, where the bounty does not say.
    #[arg(long, value_name = "URL", value_parser = super::web_address)]
    pub source: Option<String>,
    /// Bytes of the piece before padding, where nobody says.
    #[arg(long, value_name = "BYTES")]
    pub payload_size: Option<u64>,
}

/// `bauta bounty fund`.
#[derive(Debug, Args)]
pub struct BountyFund {
    /// Number of the bounty.
    pub id: BountyId,
    /// How much.
    pub amount: Amount,
}

/// `bauta bounty settle`.
#[derive(Debug, Args)]
pub struct BountySettle {
    /// Number of the bounty.
    pub id: BountyId,
    /// Only these claims; all open ones without it.
    #[arg(long, value_name = "CLAIM", value_delimiter = ',')]
    pub claim: Vec<ClaimId>,
}

/// `bauta bounty claim`.
#[derive(Debug, Args)]
pub struct BountyClaim {
    /// Number of the bounty.
    pub id: BountyId,
    /// A market deal of the provider that holds the piece.
    #[arg(long, value_name = "DEAL_ID")]
    pub deal: u64,
}
