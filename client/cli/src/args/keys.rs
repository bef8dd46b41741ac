//! Identity and wallet.

use std::path::PathBuf;

use bauta_client::address::AnyAddress;
use clap::{Args, Subcommand, ValueEnum};

use crate::amount::Amount;

/// `bauta init`.
#[derive(Debug, Args)]
pub struct Init {
    /// Kind of the wallet's key.
    #[arg(long, value_enum, default_value_t)]
    pub kind: Kind,
    /// Protect the identity and the wallet with a passphrase.
    #[arg(long)]
    pub encrypt: bool,
    /// Do not publish the key.
    #[arg(long)]
    pub no_publish: bool,
}

/// The kind of a signing key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// ECDSA; addresses begin with f1.
    #[default]
    Secp256k1,
    /// BLS12-381; addresses begin with f3.
    Bls,
}

/// `bauta key`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a new identity.
    New(KeyNew),
    /// Print the recipient that others encrypt to.
    Show,
    /// Publish the recipient on the chain, so that others can share with you.
    Publish,
    /// Print the secret identity, or write it to a file.
    Export(KeyExport),
    /// Take an identity from an age identity file.
    Import(KeyImport),
}

/// `bauta key new`.
#[derive(Debug, Args)]
pub struct KeyNew {
    /// Protect it with a passphrase.
    #[arg(long)]
    pub encrypt: bool,
    /// Replace the identity that is there; it is kept beside as a backup.
    #[arg(long)]
    pub force: bool,
}

/// `bauta key export`.
#[derive(Debug, Args)]
pub struct KeyExport {
    /// File to write instead of stdout; nobody else will be able to read it.
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Overwrite what is there.
    #[arg(long)]
    pub force: bool,
}

/// `bauta key import`.
#[derive(Debug, Args)]
pub struct KeyImport {
    /// An age identity file; `-` is stdin.
    pub file: PathBuf,
    /// Protect it with a passphrase.
    #[arg(long)]
    pub encrypt: bool,
    /// Replace the identity that is there; it is kept beside as a backup.
    #[arg(long)]
    pub force: bool,
}

/// `bauta wallet`.
#[derive(Debug, Subcommand)]
pub enum Wallet {
    /// Make a new key.
    New(WalletNew),
    /// List the keys.
    List,
    /// Take a key from a Lotus key file (one line of hex).
    Import(WalletImport),
    /// Print a key in the form of a Lotus key file, or write it to a file.
    Export(WalletExport),
    /// Print or choose the key that signs where none is named.
    Default(WalletDefault),
    /// Print what an address owns.
    Balance(WalletBalance),
    /// Send FIL.
    Send(WalletSend),
}

/// `bauta wallet new`.
#[derive(Debug, Args)]
pub struct WalletNew {
    /// Kind of the key.
    #[arg(long, value_enum, default_value_t)]
    pub kind: Kind,
    /// Protect it with a passphrase.
    #[arg(long)]
    pub encrypt: bool,
}

/// `bauta wallet import`.
#[derive(Debug, Args)]
pub struct WalletImport {
    /// A Lotus key file; `-` is stdin.
    pub file: PathBuf,
    /// Protect it with a passphrase.
    #[arg(long)]
    pub encrypt: bool,
}

/// `bauta wallet export`.
#[derive(Debug, Args)]
pub struct WalletExport {
    /// Which key.
    pub key: AnyAddress,
    /// File to write instead of stdout; nobody else will be able to read it.
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Overwrite what is there.
    #[arg(long)]
    pub force: bool,
}

/// `bauta wallet default`.
#[derive(Debug, Args)]
pub struct WalletDefault {
    /// The key to use from now on.
    pub key: Option<AnyAddress>,
}

/// `bauta wallet balance`.
#[derive(Debug, Args)]
pub struct WalletBalance {
    /// Whose balance; your own without it.
    pub of: Option<AnyAddress>,
}

/// `bauta wallet send`.
#[derive(Debug, Args)]
pub struct WalletSend {
    /// Who gets it.
    pub to: AnyAddress,
    /// How much: 1.5, 1.5FIL, "100 nanoFIL".
    pub amount: Amount,
}
