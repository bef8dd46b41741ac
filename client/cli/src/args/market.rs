//! Deals of the built-in market, and the money for them.

use bauta_abi::FileId;
use clap::{Args, Subcommand};

use super::ProviderArg;
use crate::amount::Amount;
use fvm_shared::clock::ChainEpoch;

/// `bauta market`.
#[derive(Debug, Subcommand)]
pub enum Market {
    /// Ask what a provider takes and what it costs.
    Ask(MarketAsk),
    /// Make a deal about a file that is stored, paid from your money in the market; the same command goes on with it.
    Deal(MarketDeal),
    /// Show a deal on the chain.
    Show(MarketShow),
    /// Show your money in the market.
    Balance,
    /// Move money into the market.
    Deposit(MarketDeposit),
    /// Take money back that no deal binds; all of it without an amount.
    Withdraw(MarketWithdraw),
}

/// `bauta market ask`.
#[derive(Debug, Args)]
pub struct MarketAsk {
    /// The provider, and where it is reached if the chain does not say: t01000 or t01000=URL.
    #[arg(value_name = "ADDRESS[=URL]")]
    pub provider: ProviderArg,
}

/// `bauta market deal`.
#[derive(Debug, Args)]
pub struct MarketDeal {
    /// Number of the file.
    pub file_id: FileId,
    /// The provider that is to store it.
    #[arg(long, value_name = "ADDRESS[=URL]")]
    pub provider: ProviderArg,
    /// Where it can fetch the piece; somebody who has it, if not given.
    #[arg(long, value_name = "URL", value_parser = super::web_address)]
    pub source: Option<String>,
    /// For how long.
    #[arg(long, value_name = "DURATION", default_value = "180d", value_parser = super::care::deal_duration)]
    pub duration: ChainEpoch,
    /// What is paid an epoch; what the provider asks, if not given.
    #[arg(long, value_name = "FIL")]
    pub price: Option<Amount>,
    /// The most that the whole deal may cost.
    #[arg(long, value_name = "FIL")]
    pub limit: Option<Amount>,
    /// Do not wait until the deal is active.
    #[arg(long)]
    pub no_wait: bool,
}

/// `bauta market show`.
#[derive(Debug, Args)]
pub struct MarketShow {
    /// Number of the deal on the chain.
    pub deal: u64,
}

/// `bauta market deposit`.
#[derive(Debug, Args)]
pub struct MarketDeposit {
    /// How much.
    #[arg(value_name = "FIL")]
    pub amount: Amount,
}

/// `bauta market withdraw`.
#[derive(Debug, Args)]
pub struct MarketWithdraw {
    /// How much at most.
    #[arg(value_name = "FIL")]
    pub amount: Option<Amount>,
}
