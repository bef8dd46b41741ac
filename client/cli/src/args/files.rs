//! Files: pack, put, get, and who may read.

use std::path::PathBuf;

use bauta_abi::{FileId, Rights};
use bauta_client::address::AnyAddress;
use clap::Args;

use super::ProviderArg;
use crate::span::When;

/// `bauta pack`.
#[derive(Debug, Args)]
pub struct Pack {
    /// File or folder; `-` is stdin.
    pub path: PathBuf,
    /// CAR to write; `-` is stdout.
    #[arg(long, short, value_name = "CAR")]
    pub out: PathBuf,
    /// Who can decrypt it; your own identity where none is named.
    #[arg(long, value_name = "AGE", value_delimiter = ',')]
    pub recipient: Vec<String>,
    /// Overwrite what is there.
    #[arg(long)]
    pub force: bool,
}

/// `bauta commp`.
#[derive(Debug, Args)]
pub struct Commp {
    /// Any file; `-` is stdin.
    pub file: PathBuf,
}

/// `bauta unpack`.
#[derive(Debug, Args)]
pub struct Unpack {
    /// CAR to read.
    pub car: PathBuf,
    /// Where to write; `-` is stdout, for a single file.
    #[arg(long, short, value_name = "PATH")]
    pub out: PathBuf,
    /// Identity file to decrypt with, instead of your own.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Overwrite what is there.
    #[arg(long)]
    pub force: bool,
}

/// `bauta put`.
#[derive(Debug, Args)]
pub struct Put {
    /// File or folder.
    pub path: PathBuf,
    /// Open it to this address at once.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub grant: Vec<AnyAddress>,
    /// Store it at this provider: its address, and where it is reached if the chain does not say.
    #[arg(long, value_name = "ADDRESS[=URL]", value_delimiter = ',')]
    pub provider: Vec<ProviderArg>,
    /// How many providers are to store it: 1 without it, and with --update as many as the version before.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=16))]
    pub copies: Option<u64>,
    /// Register it without storing it anywhere.
    #[arg(long, conflicts_with_all = ["provider", "copies"])]
    pub no_store: bool,
    /// Replace the content of this file by a new version.
    #[arg(long, value_name = "FILE_ID")]
    pub update: Option<FileId>,
}

/// `bauta get`.
#[derive(Debug, Args)]
pub struct Get {
    /// Number of the file.
    pub file_id: FileId,
    /// Where to write; `-` is stdout, and without it the file's own name.
    #[arg(long, short, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Only these bytes of a single file: first, and the one after the last.
    #[arg(long, value_name = "FROM-TO", value_parser = range)]
    pub range: Option<(u64, u64)>,
    /// Only this path of a folder.
    #[arg(long, value_name = "INNER")]
    pub path: Option<String>,
    /// Ask this provider first: its address, and where it is reached if the chain does not say.
    #[arg(long, value_name = "ADDRESS[=URL]", value_delimiter = ',')]
    pub provider: Vec<ProviderArg>,
    /// Overwrite what is there.
    #[arg(long)]
    pub force: bool,
}

/// `bauta ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// What others have opened to you.
    #[arg(long, conflicts_with = "owner")]
    pub shared: bool,
    /// The files of somebody else.
    #[arg(long, value_name = "ADDRESS")]
    pub owner: Option<AnyAddress>,
}

/// A command about one file.
#[derive(Debug, Args)]
pub struct FileArg {
    /// Number of the file.
    pub file_id: FileId,
}

/// `bauta verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Number of the file.
    pub file_id: FileId,
    /// Ask this provider, too.
    #[arg(long, value_name = "ADDRESS[=URL]", value_delimiter = ',')]
    pub provider: Vec<ProviderArg>,
    /// Read all that they serve, not only some of it.
    #[arg(long)]
    pub full: bool,
}

/// `bauta transfer`.
#[derive(Debug, Args)]
pub struct Transfer {
    /// Number of the file.
    pub file_id: FileId,
    /// The new owner.
    #[arg(value_name = "ADDRESS")]
    pub to: AnyAddress,
}

/// `bauta grant`.
#[derive(Debug, Args)]
pub struct Grant {
    /// Number of the file.
    pub file_id: FileId,
    /// Who gets access.
    #[arg(required = true, value_name = "ADDRESS")]
    pub addresses: Vec<AnyAddress>,
    /// What they may do: read, write, share.
    #[arg(long, value_name = "RIGHTS", default_value = "read", value_parser = rights)]
    pub rights: Rights,
    /// When it ends: an epoch, or a time from now (30d).
    #[arg(long, value_name = "EPOCH|DURATION", value_parser = When::epoch_or_span)]
    pub expires: Option<When>,
}

/// `bauta revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// Number of the file.
    pub file_id: FileId,
    /// Who loses access.
    #[arg(required = true, value_name = "ADDRESS")]
    pub addresses: Vec<AnyAddress>,
}

/// Reads `read,write,share`.
fn rights(text: &str) -> Result<Rights, String> {
    let mut bits = 0;
    for word in text.split(',') {
        bits |= match word.trim() {
            "read" => Rights::READ.bits(),
            "write" => Rights::WRITE.bits(),
            "share" => Rights::SHARE.bits(),
            other => return Err(format!("`{other}` is no right: read, write, share")),
        };
    }
    Rights::from_bits(bits).ok_or_else(|| "no right at all".into())
}

/// Reads `FROM-TO`, half-open; an empty side means the beginning or the end.
fn range(text: &str) -> Result<(u64, u64), String> {
    let bad = || format!("`{text}` is no range: 0-100 are the first hundred bytes, 100- is all but them");
    let (from, to) = text.split_once('-').ok_or_else(bad)?;
    let number = |side: &str, empty: u64| {
        if side.is_empty() {
            Ok(empty)
        } else if side.bytes().all(|c| c.is_ascii_digit()) {
            side.parse().map_err(|_| bad())
        } else {
            Err(bad())
        }
    };
    let (from, to) = (number(from, 0)?, number(to, u64::MAX)?);
    if from < to && text != "-" { Ok((from, to)) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rights() {
        assert_eq!(rights("read").unwrap(), Rights::READ);
        assert_eq!(rights("read,share").unwrap().bits(), 5);
        assert_eq!(rights("share, write,read").unwrap(), Rights::ALL);
        for text in ["", "all", "read,", "READ", "read;write"] {
            assert!(rights(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_ranges() {
        assert_eq!(range("0-100"), Ok((0, 100)));
        assert_eq!(range("100-"), Ok((100, u64::MAX)));
        assert_eq!(range("-100"), Ok((0, 100)));
        for text in ["", "-", "5", "5-5", "6-5", "a-b", "1-2-3", "+1-2", "-1--2", "18446744073709551616-"] {
            assert!(range(text).is_err(), "{text}");
        }
    }
}
