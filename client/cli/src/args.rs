//! The command line as plain values. Nothing here does anything.

mod bounty;
mod care;
mod environment;
mod files;
mod keys;
mod local;
mod market;
mod provider;

use std::path::PathBuf;

use bauta_client::address::AnyAddress;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use bounty::*;
pub use care::*;
pub use environment::{command, parse, wants_json};
pub use files::*;
pub use keys::*;
pub use local::*;
pub use market::*;
pub use provider::ProviderArg;

/// Reads where providers fetch from: they do so over HTTP only.
fn web_address(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !text.contains(char::is_whitespace) => Ok(text.into()),
        _ => Err("a provider fetches over http:// or https://".into()),
    }
}

/// Private files on Filecoin: encrypted here, opened to whom you choose, kept alive by bounties.
#[derive(Debug, Parser)]
#[command(name = "bauta", version, propagate_version = false, disable_help_subcommand = true, max_term_width = 110)]
#[command(
    after_help = "Every flag can be set by a variable, BAUTA_ and its name in capitals: BAUTA_NETWORK, BAUTA_JSON=1.\n\
    Exit codes: 0 done, 1 failed, 2 usage, 3 partly done, 4 not found, 5 network, 6 no access,\n\
    7 corrupt or forged, 8 not enough funds, 9 sent but not confirmed, 10 disk full, 130 interrupted."
)]
pub struct Cli {
    /// Where, as whom, and how to print.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Network: local, calibration, mainnet, or one of the configuration.
    #[arg(long, global = true, value_name = "NAME")]
    pub network: Option<String>,
    /// URL of a node, instead of a network's own.
    #[arg(long, global = true, value_name = "URL")]
    pub rpc_url: Option<String>,
    /// Folder that holds configuration and data.
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Address of the Bauta actor.
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub actor: Option<AnyAddress>,
    /// Key of the wallet that signs and pays.
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub address: Option<AnyAddress>,
    /// Print one JSON document, and never ask.
    #[arg(long, global = true)]
    pub json: bool,
    /// Send nothing: print every message and every call of the node instead.
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Print the result and errors only.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// How to show progress on stderr.
    #[arg(long, global = true, value_name = "HOW", value_enum, default_value_t)]
    pub progress: ProgressMode,
    /// File whose first line is the passphrase of an encrypted key.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "password_command")]
    pub password_file: Option<PathBuf>,
    /// Command that prints that passphrase.
    #[arg(long, global = true, value_name = "COMMAND")]
    pub password_command: Option<String>,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// Bars, on a terminal only.
    #[default]
    Auto,
    /// A line now and then.
    Plain,
    /// Nothing.
    None,
}

/// The commands, in the order of a file's life.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Encrypt a file or folder into a CAR and compute its piece commitment; offline.
    Pack(Pack),
    /// Compute the piece commitment of any file.
    Commp(Commp),
    /// Verify a CAR block by block and decrypt what it holds.
    Unpack(Unpack),
    /// Make an identity, a wallet and a configuration, and publish the key where a network answers.
    Init(Init),
    /// The identity that opens your files.
    #[command(subcommand)]
    Key(Key),
    /// The keys that sign and pay.
    #[command(subcommand)]
    Wallet(Wallet),
    /// Encrypt, store and register a file or folder.
    Put(Put),
    /// Fetch, verify and decrypt a file.
    Get(Get),
    /// List files.
    Ls(Ls),
    /// Show what the chain knows of a file.
    Info(FileArg),
    /// Check a file: record, key, and what the providers serve.
    Verify(Verify),
    /// Show where files are stored, until when, and whether they still come back.
    Status(Status),
    /// Prolong the storage of a file by new deals.
    Renew(Renew),
    /// Bring a file back to as many copies as are wished for.
    Repair(Repair),
    /// Renew and repair on a schedule.
    Watch(Watch),
    /// Remove a file from the registry.
    Rm(FileArg),
    /// Give a file to another owner.
    Transfer(Transfer),
    /// Open a file to others.
    Grant(Grant),
    /// Close a file to others.
    Revoke(Revoke),
    /// List whom a file is open to.
    Grants(FileArg),
    /// Rewards for keeping a file stored.
    #[command(subcommand)]
    Bounty(Bounty),
    /// Deals of the built-in market, and the money for them.
    #[command(subcommand)]
    Market(Market),
    /// Offer pieces over HTTP for providers to fetch.
    Serve(Serve),
    /// Install the actor on the network in use.
    Deploy(Deploy),
    /// A local Filecoin: run it, or steer the one that runs.
    Devnet(Devnet),
    /// Move a devnet's time: N epochs at once.
    Mine(Mine),
    /// Print a completion script for a shell.
    Completions(Completions),
}
