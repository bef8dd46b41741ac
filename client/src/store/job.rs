//! The journal of one put: what has been done, so that whoever continues does nothing twice. It holds no secret: the file key is in it only as the
//! owner's own wrap, inside the record that goes on the chain anyway.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bauta_abi::{FileId, FileSpec};
use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::address::{self, Prefix};
use crate::deal::DealId;
use crate::deal::INCOMING;
use crate::home::{
    FileError, MAX_PRIVATE, create_private_folder, is_unfinished, read_note, remove, replace_private, sweep,
};
use crate::pack::Skipped;
use crate::sender::Slip;

/// The version of the journal's form; another one is not read.
const FORM: u64 = 1;

/// After so long nobody comes back for a CAR that was not packed to its end.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 3600);

/// After so long without a byte nobody is fetching any more.
const STALLED: Duration = Duration::from_secs(24 * 3600);

/// Longest journal read: it names every file that was left out.
const MAX_JOURNAL: u64 = 256 << 20;

/// One deal with one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DealEntry {
    /// The miner actor.
    pub provider: Address,
    /// Where it was reached.
    pub url: String,
    /// The deal's name, chosen before it was proposed.
    pub id: DealId,
    /// How it stands.
    pub state: DealProgress,
}

/// How a deal stands, as far as we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DealProgress {
    /// Named, and perhaps proposed.
    Begun,
    /// The provider has the bytes.
    Stored,
    /// The bytes are in a proven sector.
    Sealed,
    /// It is not going to be.
    Failed(String),
}

/// The registration, once it is on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Number of the file.
    pub file: FileId,
    /// Its version.
    pub version: u64,
    /// The message; unknown where the registration was found on the chain and not by its message.
    pub message: Option<String>,
    /// Gas that it used.
    pub gas_used: Option<i64>,
    /// When it was executed.
    pub epoch: Option<ChainEpoch>,
}

/// A put that is under way or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What was put.
    pub source: PathBuf,
    /// The record, once the content is packed.
    pub file: Option<FileSpec>,
    /// What of a folder was left out of it, and why.
    pub skipped: Vec<Skipped>,
    /// One entry a provider.
    pub deals: Vec<DealEntry>,
    /// The message that registers, as earlier builds noted it here; what is sent now has a slip.
    pub pending: Option<Slip>,
    /// The end of it.
    pub registered: Option<Registered>,
}

/// The form on disk.
#[derive(Serialize, Deserialize)]
struct Form {
    form: u64,
    source: String,
    file: Option<String>,
    #[serde(default)]
    skipped: Vec<(PathBuf, String)>,
    deals: Vec<DealForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<Slip>,
    registered: Option<Registered>,
}

#[derive(Serialize, Deserialize)]
struct DealForm {
    provider: String,
    url: String,
    id: String,
    state: DealProgress,
}

impl Job {
    /// A put that has not begun.
    pub fn new(source: &Path) -> Self {
        Self {
            source: source.into(),
            file: None,
            skipped: Vec::new(),
            deals: Vec::new(),
            pending: None,
            registered: None,
        }
    }

    pub(super) fn to_json(&self) -> String {
        let hex_of = |file: &FileSpec| hex::encode(fvm_ipld_encoding::to_vec(file).expect("a record has a CBOR form"));
        let form = Form {
            form: FORM,
            source: self.source.display().to_string(),
            file: self.file.as_ref().map(hex_of),
            // A path that is no text is shown as near to it as can be: it is for people.
            skipped: self.skipped.iter().map(|s| (s.path.display().to_string().into(), s.reason.clone())).collect(),
            deals: self.deals.iter().map(DealForm::of).collect(),
            pending: self.pending.clone(),
            registered: self.registered.clone(),
        };
        serde_json::to_string_pretty(&form).expect("texts and numbers have a JSON form")
    }

    pub(super) fn from_json(text: &[u8]) -> Option<Self> {
        let form: Form = serde_json::from_slice(text).ok()?;
        if form.form != FORM {
            return None;
        }
        let file = match form.file {
            Some(text) => Some(bauta_abi::decode(&hex::decode(text).ok()?).ok()?),
            None => None,
        };
        let deals = form.deals.into_iter().map(DealForm::read).collect::<Option<_>>()?;
        let skipped = form.skipped.into_iter().map(|(path, reason)| Skipped { path, reason }).collect();
        Some(Self {
            source: form.source.into(),
            file,
            skipped,
            deals,
            pending: form.pending,
            registered: form.registered,
        })
    }
}

impl DealForm {
    fn of(deal: &DealEntry) -> Self {
        Self {
            provider: Prefix::Mainnet.show(&deal.provider),
            url: deal.url.clone(),
            id: deal.id.to_string(),
            state: deal.state.clone(),
        }
    }

    fn read(self) -> Option<DealEntry> {
        Some(DealEntry {
            provider: address::parse(&self.provider).ok()?,
            url: self.url,
            id: self.id.parse().ok()?,
            state: self.state,
        })
    }
}

/// The folder of journals and of CARs that wait to be stored, for one network.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
}

/// What makes two puts the same.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// Where it lies, without links.
    pub source: &'a Path,
    /// Who puts it.
    pub owner: &'a Address,
    /// Which chain: its name, or for local ones what tells them apart.
    pub chain: &'a str,
    /// Which file gets a new version, if any.
    pub update: Option<FileId>,
    /// See [`super::content::identify`].
    pub content: &'a [u8; 32],
}

impl Identity<'_> {
    /// The job's name.
    pub fn name(&self) -> String {
        let mut hash = Sha256::new();
        let source = self.source.as_os_str().as_encoded_bytes();
        let update = self.update.map(|id| id.to_string()).unwrap_or_default();
        let owner = self.owner.to_bytes();
        for part in [b"bauta/v1 put".as_slice(), source, &owner, self.chain.as_bytes(), update.as_bytes(), self.content]
        {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hex::encode(&hash.finalize()[..16])
    }
}

impl Outbox {
    /// Uses a folder; it is made when it is needed.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder, made if it is missing; nobody else can look into it.
    pub fn folder(&self) -> Result<&Path, FileError> {
        create_private_folder(&self.folder)?;
        Ok(&self.folder)
    }

    /// Reads a job; none where it has not begun.
    ///
    /// Errors: Damaged: it has, and nobody knows how far.
    pub fn load(&self, name: &str) -> Result<Option<Job>, FileError> {
        read_note(&self.journal(name), MAX_JOURNAL, Job::from_json)
    }

    /// Writes a job, whole or not at all.
    pub fn save(&self, name: &str, job: &Job) -> Result<(), FileError> {
        self.folder()?;
        replace_private(&self.journal(name), job.to_json().as_bytes())
    }

    /// Forgets a job and its CAR.
    pub fn forget(&self, name: &str) -> Result<(), FileError> {
        remove(&self.journal(name))?;
        remove(&self.car(name))
    }

    /// Where a job's CAR lies.
    pub fn car(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.car"))
    }

    /// Where the journal of a job's packing lies.
    pub fn packing(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.packing"))
    }

    /// Makes the CAR of a job that is being packed, for the first time or anew.
    pub fn part(&self, name: &str) -> io::Result<NamedTempFile> {
        let name = format!("{name}.part");
        // What nobody can go on with, if anything.
        let _ = fs::remove_file(self.folder.join(&name));
        tempfile::Builder::new().prefix(&name).rand_bytes(0).tempfile_in(&self.folder)
    }

    /// Removes what killed processes have left: at once what is of no use, and after a while what nobody has come back for.
    pub fn sweep(&self) {
        // Younger ones may belong to somebody who is about to lock them.
        sweep(&self.folder, Duration::from_secs(2), is_unfinished);
        // Nobody locks what is being fetched.
        sweep(&self.folder, STALLED, |name| name.starts_with(INCOMING));
        sweep(&self.folder, FORGOTTEN, |name| name.ends_with(".part") || name.ends_with(".packing"));
    }

    /// Removes the journal of a job's packing, which is over.
    pub fn packed(&self, name: &str) -> Result<(), FileError> {
        remove(&self.packing(name))
    }

    /// Removes a job's CAR.
    pub fn drop_car(&self, name: &str) -> Result<(), FileError> {
        remove(&self.car(name))
    }

    /// Notes where a piece lies, for whoever fetches it later.
    pub fn note_piece(&self, piece_cid: &Cid, place: &Place) -> Result<(), FileError> {
        let mut places = self.places(piece_cid)?;
        if !places.contains(place) {
            places.push(place.clone());
            create_private_folder(&self.folder.join("pieces"))?;
            let text = serde_json::to_string_pretty(&places).expect("texts have a JSON form");
            replace_private(&self.pieces(piece_cid), text.as_bytes())?;
        }
        Ok(())
    }

    /// Where a piece lies, as far as is noted here.
    pub fn places(&self, piece_cid: &Cid) -> Result<Vec<Place>, FileError> {
        let places = read_note(&self.pieces(piece_cid), MAX_PRIVATE, |text| serde_json::from_slice(text).ok())?;
        Ok(places.unwrap_or_default())
    }

    fn journal(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    fn pieces(&self, piece_cid: &Cid) -> PathBuf {
        self.folder.join("pieces").join(format!("{piece_cid}.json"))
    }
}

/// Where a piece lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// At a provider.
    #[serde(rename = "provider")]
    Provider {
        /// Its miner actor.
        miner: String,
        /// Where it serves.
        url: String,
        /// The deal's name.
        deal: String,
    },
    /// In this folder, because it was never uploaded.
    #[serde(rename = "here")]
    Here(PathBuf),
}

#[cfg(test)]
mod tests;
