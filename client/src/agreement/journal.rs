//! Agreements on disk: one file each, written before anything is paid or proposed. It holds no secret.

use std::path::Path;

use fvm_shared::address::Address;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Order;
use crate::deal::DealId;
use crate::deal::market::DealProposal;
use crate::home::{FileError, create_private_folder, read_private, remove, replace_private};

/// The version of the journal's form; another one is not read.
const FORM: u64 = 1;

/// A deal that was begun: its name and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The client's name for it.
    pub id: DealId,
    /// What was offered.
    pub terms: DealProposal,
}

#[derive(Serialize, Deserialize)]
struct Form {
    form: u64,
    id: String,
    /// CBOR in hex.
    terms: String,
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

/// Reads an agreement; `None` if there is none, or it was written by another version.
pub fn load(folder: &Path, name: &str) -> Result<Option<Agreement>, FileError> {
    let path = folder.join(format!("{name}.json"));
    if !path.exists() {
        return Ok(None);
    }
    let form: Option<Form> = serde_json::from_slice(&read_private(&path)?).ok();
    Ok(form.filter(|form| form.form == FORM).and_then(|form| {
        let terms = fvm_ipld_encoding::from_slice(&hex::decode(form.terms).ok()?).ok()?;
        Some(Agreement { id: form.id.parse().ok()?, terms })
    }))
}

/// Writes an agreement down.
pub fn save(folder: &Path, name: &str, agreement: &Agreement) -> Result<(), FileError> {
    create_private_folder(folder)?;
    let form = Form { form: FORM, id: agreement.id.to_string(), terms: hex::encode(agreement.terms.to_bytes()) };
    let text = serde_json::to_vec_pretty(&form).expect("texts and numbers have a JSON form");
    replace_private(&folder.join(format!("{name}.json")), &text)
}

/// Forgets an agreement that came to nothing.
pub fn forget(folder: &Path, name: &str) -> Result<(), FileError> {
    remove(&folder.join(format!("{name}.json")))
}
