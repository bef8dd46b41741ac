//! Slips: messages on the way, on disk. One file each, from before the message can reach a chain until its receipt is seen, so that the same
//! call, made again after a crash, goes on with the same signed bytes. A slip holds no secret: what is in it is about to be public.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use super::Call;
use crate::home::{
    FileError, Home, Lock, MAX_PRIVATE, create_private_folder, read_note, remove, replace_private, sweep,
};
use crate::message::{Message, SignedMessage};
use crate::network::Network;
use crate::node::{Node, NodeError, chain_name};

/// The version of a slip's form; another one is not read.
const FORM: u64 = 1;
const SLIP: &str = "json";
const LOCK: &str = ".lock";
/// After so long nobody comes back for a lock's file.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long another process may take from asking for a nonce to handing its message over.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message that was signed and may be on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slip {
    /// What was or was to be pushed: CBOR in hex.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub signed: SignedMessage,
    /// An epoch before it was signed.
    pub since: ChainEpoch,
    /// Whether it stays when the receipt has been seen, as [`Call::kept`](super::Call::kept) says. Earlier builds did not write it down.
    #[serde(default = "yes")]
    pub kept: bool,
}

fn yes() -> bool {
    true
}

fn to_hex<S: Serializer>(signed: &SignedMessage, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(signed.to_bytes()))
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedMessage, D::Error> {
    let bytes = hex::decode(String::deserialize(deserializer)?).map_err(de::Error::custom)?;
    SignedMessage::from_bytes(&bytes).map_err(de::Error::custom)
}

#[derive(Serialize, Deserialize)]
struct Form {
    form: u64,
    #[serde(flatten)]
    slip: Slip,
}

/// The folder of slips of one chain.
#[derive(Debug, Clone)]
pub struct Slips {
    folder: PathBuf,
}

impl Slips {
    /// Uses a folder; it is made when it is needed.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.into() }
    }

    /// The slips of the chain that a node belongs to: a local one that was begun anew has others.
    pub async fn of(home: &Home, node: &dyn Node, network: &Network) -> Result<Self, NodeError> {
        let chain = hex::encode(&Sha256::digest(chain_name(node, network).await?)[..8]);
        Ok(Self::at(&home.journals(network.name()).join("sent").join(chain)))
    }

    /// Names what somebody asks of an actor: the same again is the same slip.
    pub(super) fn name(from: &Address, call: &Call) -> String {
        let mut hash = Sha256::new();
        let (value, method) = (call.value.atto().to_string(), call.method.to_string());
        let (kind, meaning) = match &call.meaning {
            None => (b"params", &call.params),
            Some(meaning) => (b"means:", meaning),
        };
        let (from, to) = (from.to_bytes(), call.to.to_bytes());
        for part in [&from, &to, value.as_bytes(), method.as_bytes(), kind, meaning.bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex::encode(&hash.finalize()[..16])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension(SLIP)
    }

    /// Takes a call for this process, from before it is looked up until it is over.
    ///
    /// Errors: Busy: another process is sending the very same.
    pub(super) fn take(&self, name: &str) -> Result<Lock, FileError> {
        sweep(&self.folder, FORGOTTEN, |file| file.ends_with(LOCK));
        Lock::take(&self.folder.join(format!("{name}{LOCK}")))
    }

    /// Waits until no other process is between asking for a nonce of this address and handing its message over.
    pub(super) async fn turn(&self, from: &Address) -> Result<Lock, FileError> {
        Lock::wait(&self.folder.join(format!("nonce-{}{LOCK}", hex::encode(from.to_bytes()))), PATIENCE).await
    }

    /// Reads a slip, if there is one.
    ///
    /// Errors: Damaged: there is one, and nobody knows which message it holds.
    pub(super) fn read(&self, name: &str) -> Result<Option<Slip>, FileError> {
        read_note(&self.path(name), MAX_PRIVATE, parse)
    }

    /// Writes a slip, whole or not at all.
    pub(super) fn write(&self, name: &str, slip: Slip) -> Result<(), FileError> {
        create_private_folder(&self.folder)?;
        let text = serde_json::to_vec(&Form { form: FORM, slip }).expect("texts and numbers have a JSON form");
        replace_private(&self.path(name), &text)
    }

    /// Writes a slip for a message that was written down elsewhere. Another message that has the name already stays: it was made when the one
    /// from elsewhere was over.
    pub(super) fn adopt(&self, name: &str, slip: Slip) -> Result<(), FileError> {
        let cid = slip.signed.cid();
        if self.read(name)?.is_none() {
            self.write(name, slip)?;
        }
        let twice = self.all()?.into_iter().filter(|(other, slip)| other != name && slip.signed.cid() == cid);
        twice.map(|(other, _)| other).try_for_each(|other| self.forget(&other))
    }

    /// Throws a slip away.
    pub(super) fn forget(&self, name: &str) -> Result<(), FileError> {
        remove(&self.path(name))
    }

    /// The messages on their way that `chosen` chooses, whoever has signed them.
    ///
    /// Errors: the folder or a slip cannot be read.
    pub fn find(&self, chosen: impl Fn(&Message) -> bool) -> Result<Vec<Slip>, FileError> {
        let all = self.all()?.into_iter().map(|(_, slip)| slip);
        Ok(all.filter(|slip| chosen(&slip.signed.message)).collect())
    }

    /// Every slip and its name.
    pub(super) fn all(&self) -> Result<Vec<(String, Slip)>, FileError> {
        let listing = match fs::read_dir(&self.folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(FileError::Io { path: self.folder.clone(), source }),
        };
        let slips =
            listing.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == SLIP));
        let named = slips.filter_map(|path| Some(path.file_stem()?.to_str()?.to_string()));
        named.filter_map(|name| self.read(&name).map(|slip| slip.map(|slip| (name, slip))).transpose()).collect()
    }

    /// Where the slip of a message is, if there is one.
    pub(super) fn path_of(&self, cid: &Cid) -> Result<Option<PathBuf>, FileError> {
        let found = self.all()?.into_iter().find(|(_, slip)| slip.signed.cid() == *cid);
        Ok(found.map(|(name, _)| self.path(&name)))
    }

    /// Throws away the slip of a message, if there is one.
    pub(crate) fn forget_message(&self, cid: &Cid) -> Result<(), FileError> {
        self.all()?.iter().filter(|(_, slip)| slip.signed.cid() == *cid).try_for_each(|(name, _)| self.forget(name))
    }
}

fn parse(text: &[u8]) -> Option<Slip> {
    serde_json::from_slice::<Form>(text).ok().filter(|form| form.form == FORM).map(|form| form.slip)
}
