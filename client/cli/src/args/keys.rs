//! Identity and wallet.

use std::path::PathBuf;

use bauta_client::address::AnyAddress;
use bauta_client::crypt::Recipient;
use bauta_client::wallet::KeyPath;
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
    /// Ethereum's; addresses begin with f410, or 0x. Calls contracts only.
    Delegated,
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
    /// List the keys of other people that you know.
    Known,
    /// Say that a key is somebody's: they told you, by a way on which nobody could have changed it.
    Trust(KeyTrust),
}

/// `bauta key new`.
#[derive(Debug, Args)]
pub struct KeyNew {
    /// Protect it with a passphrase.
    #[arg(long)]
    pub encrypt: bool,
    /// Put it before the identity that is there, which stays in the file and goes on opening what it has opened.
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
    /// Put it before the identity that is there, which stays in the file and goes on opening what it has opened.
    #[arg(long)]
    pub force: bool,
}

/// `bauta key trust`.
#[derive(Debug, Args)]
pub struct KeyTrust {
    /// Whose key it is.
    #[arg(value_name = "ADDRESS")]
    pub who: AnyAddress,
    /// What `bauta key show` prints where they are.
    #[arg(value_name = "AGE")]
    pub recipient: Recipient,
}

/// `bauta wallet`.
#[derive(Debug, Subcommand)]
pub enum Wallet {
    /// Make a new key.
    New(WalletNew),
    /// List the keys.
    List,
    /// Take a key from a Lotus key file (one line of hex), or keys from a phrase of words.
    Import(WalletImport),
    /// Print a key in the form of a Lotus key file, or write it to a file.
    Export(WalletExport),
    /// Print or choose the key that signs where none is named.
    Default(WalletDefault),
    /// Print what an address owns.
    Balance(WalletBalance),
    /// Send FIL.
    Send(WalletSend),
    /// List the messages that a command has left on their way when it was killed.
    Pending(WalletPending),
    /// Sign some bytes, to show that you have a key.
    Sign(WalletSign),
    /// Check such a signature.
    Verify(WalletVerify),
}

/// `bauta wallet new`.
#[derive(Debug, Args)]
pub struct WalletNew {
    /// Kind of the key.
    #[arg(long, value_enum, default_value_t)]
    pub kind: Kind,
    /// Derive it from a new phrase of words (BIP-39), which gives it again; the phrase is shown once.
    #[arg(long)]
    pub mnemonic: bool,
    /// How many words: 12, 15, 18, 21 or 24.
    #[arg(long, requires = "mnemonic", default_value_t = 24, value_name = "N")]
    pub words: usize,
    /// Write the phrase to this file instead of showing it; nobody else will be able to read it.
    #[arg(long, requires = "mnemonic", value_name = "FILE")]
    pub phrase_out: Option<PathBuf>,
    #[command(flatten)]
    pub derivation: Derivation,
    /// Protect it with a passphrase.
    #[arg(long)]
    pub encrypt: bool,
}

/// Which keys of a phrase are meant.
#[derive(Debug, Args)]
pub struct Derivation {
    /// Which of the phrase's keys: the last number of m/44'/461'/0'/0/N.
    #[arg(long, requires = "mnemonic", value_name = "N")]
    pub index: Option<u32>,
    /// How many keys, from that one on.
    #[arg(long, requires = "mnemonic", default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub count: u32,
    /// Another path: m/44'/1'/0'/0/0, say.
    #[arg(long, requires = "mnemonic", conflicts_with_all = ["index", "count"])]
    pub path: Option<KeyPath>,
    /// First line of this file: the passphrase that belongs to the phrase (BIP-39), if it has one.
    #[arg(long, requires = "mnemonic", value_name = "FILE")]
    pub phrase_password_file: Option<PathBuf>,
}

/// `bauta wallet import`.
#[derive(Debug, Args)]
pub struct WalletImport {
    /// A Lotus key file, or one with a phrase; `-` is stdin.
    pub file: PathBuf,
    /// The file holds a phrase of words (BIP-39).
    #[arg(long)]
    pub mnemonic: bool,
    #[command(flatten)]
    pub derivation: Derivation,
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

/// `bauta wallet pending`.
#[derive(Debug, Args)]
pub struct WalletPending {
    /// See those of the key in use through: hand over what the node does not know, and wait for all of them.
    #[arg(long)]
    pub finish: bool,
}

/// `bauta wallet sign`.
#[derive(Debug, Args)]
pub struct WalletSign {
    /// What to sign; `-` is stdin.
    pub file: PathBuf,
    /// Sign the bytes as they are, as Lotus does, instead of in the envelope of FRC-0102. What looks like a message to the chain
    /// is refused.
    #[arg(long)]
    pub raw: bool,
}

/// `bauta wallet verify`.
#[derive(Debug, Args)]
pub struct WalletVerify {
    /// Who is said to have signed.
    pub signer: AnyAddress,
    /// The signature in hex, as `sign` prints it.
    pub signature: String,
    /// What was signed; `-` is stdin.
    pub file: PathBuf,
    /// The bytes were signed as they are.
    #[arg(long)]
    pub raw: bool,
}
