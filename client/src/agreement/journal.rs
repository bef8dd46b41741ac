//! Agreements on disk: one file each, written before anything is paid or proposed. It holds no secret.

use std::fs;
use std::path::{Path, PathBuf};

use fvm_shared::address::Address;
use fvm_shared::deal::DealID;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Order;
use crate::deal::DealId;
use crate::deal::market::DealProposal;
use crate::home::{FileError, MAX_PRIVATE, create_private_folder, read_note, remove, replace_private};

/// The version of the journal's form; another one is not read.
const FORM: u64 = 1;
const SUFFIX: &str = ".json";

/// A deal that was begun: its name and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The client's name for it.
    pub id: DealId,
    /// What was offered.
    pub terms: DealProposal,
    /// Whether it is on the chain: from then on the market itself holds the money for it back.
    pub published: bool,
    /// Its number there.
    pub deal: Option<DealID>,
}

#[derive(Serialize, Deserialize)]
struct Form {
    form: u64,
    id: String,
    /// CBOR in hex.
    terms: String,
    #[serde(default)]
    published: bool,
    #[serde(default)]
    deal: Option<DealID>,
}

/// Names what is wanted from whom: the same again is the same deal.
pub fn name(client: &Address, order: &Order) -> String {
    let mut hash = Sha256::new();
    for part in [client.to_bytes(), order.miner.to_bytes(), order.piece.piece_cid.to_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(order.piece.padded_size.0.to_be_bytes());
    hex::encode(&hash.finalize()[..16])
}

/// Reads an agreement, if there is one.
///
/// Errors: Damaged: there is one, and nobody knows its terms.
pub fn load(folder: &Path, name: &str) -> Result<Option<Agreement>, FileError> {
    read_note(&path(folder, name), MAX_PRIVATE, parse)
}

/// Reads the agreements beside this one.
pub fn others(folder: &Path, name: &str) -> Result<Vec<Agreement>, FileError> {
    let names = names(folder)?.into_iter().filter(|other| other != name);
    names.filter_map(|other| load(folder, &other).transpose()).collect()
}

/// The names of all agreements in a folder; none where there is no such folder.
fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let listing = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| FileError::Io { path: folder.into(), source })?,
    };
    let name = |entry: fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(SUFFIX)?.to_string());
    Ok(listing.flatten().filter_map(name).collect())
}

/// Writes an agreement down.
pub fn save(folder: &Path, name: &str, agreement: &Agreement) -> Result<(), FileError> {
    create_private_folder(folder)?;
    let Agreement { id, terms, published, deal } = agreement;
    let (id, terms) = (id.to_string(), hex::encode(terms.to_bytes()));
    let form = Form { form: FORM, id, terms, published: *published, deal: *deal };
    let text = serde_json::to_vec_pretty(&form).expect("texts and numbers have a JSON form");
    replace_private(&path(folder, name), &text)
}

/// Puts an agreement aside that another one is made in place of, while its paper can still be published: its money is counted on.
pub fn set_aside(folder: &Path, name: &str, agreement: &Agreement) -> Result<(), FileError> {
    save(folder, &name_aside(name, agreement), agreement)?;
    forget(folder, name)
}

/// Reads the agreements that were put aside for the one of this name.
pub fn aside(folder: &Path, name: &str) -> Result<Vec<Agreement>, FileError> {
    let prefix = format!("{name}-");
    let names = names(folder)?.into_iter().filter(|other| other.starts_with(&prefix));
    names.filter_map(|other| load(folder, &other).transpose()).collect()
}

/// The name under which an agreement is put aside.
pub fn name_aside(name: &str, agreement: &Agreement) -> String {
    format!("{name}-{}", agreement.id)
}

/// Forgets an agreement that came to nothing.
pub fn forget(folder: &Path, name: &str) -> Result<(), FileError> {
    remove(&path(folder, name))
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{SUFFIX}"))
}

fn parse(text: &[u8]) -> Option<Agreement> {
    let form: Form = serde_json::from_slice(text).ok().filter(|form: &Form| form.form == FORM)?;
    let terms = fvm_ipld_encoding::from_slice(&hex::decode(form.terms).ok()?).ok()?;
    Some(Agreement { id: form.id.parse().ok()?, terms, published: form.published, deal: form.deal })
}
