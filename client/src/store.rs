//! Storing: encrypt and pack, hand the piece to providers, register the file; all of it written down before it is done, so that whoever continues
//! does nothing twice.
//!
//! file -> Sealed -> Car -> Piece -> Deal -> FileId
//!
//! ```no_run
//! # async fn example(actor: bauta_client::actor::Actor, sender: bauta_client::sender::Sender,
//! #     me: bauta_client::crypt::Identity) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use bauta_client::home::Home;
//! use bauta_client::store::{Quiet, Request, Store};
//!
//! let home = Home::find()?;
//! let store = Store::new(&actor, &sender, me.recipient(), &home).await?.resuming(&[me]);
//! let request = Request::new("photos".as_ref(), store.devnet_providers().await?);
//! let stored = store.put(&request, Arc::new(Quiet)).await?;
//! println!("file {}: {}", stored.registered.file, stored.file.payload_cid);
//! # Ok(())
//! # }
//! ```

mod content;
mod deals;
mod error;
pub(crate) mod handout;
pub(crate) mod job;
mod register;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bauta_abi::{FileId, FileSpec, GrantState, Rights};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;

use crate::access::{AccessError, actor_id};
use crate::actor::{Actor, ActorError};
use crate::care::Book;
use crate::check::Trees;
use crate::crypt::{self, Recipient};
use crate::deal::{self, DealError};
use crate::fetch::Source;
use crate::home::{Home, Lock};
use crate::known_keys::KnownKeys;
use crate::node::chain_name;
use crate::pack::{self, Options, Skipped};
use crate::sender::{self, SendError, Sender};
use crate::share::{self, ShareError};

pub(crate) use deals::place_of;
pub use error::StoreError;
pub use job::{DealEntry, DealProgress, Outbox, Place, Registered};

use job::{Identity, Job};

/// See [`crate::fuzzing`].
#[cfg(fuzzing)]
pub(crate) fn fuzz_journal(bytes: &[u8]) {
    if let Some(job) = Job::from_json(bytes) {
        assert_eq!(Job::from_json(job.to_json().as_bytes()), Some(job));
    }
}

/// Who wants to know how storing goes on; beside what a [`sender::Watch`] is told. Nothing has to be implemented.
pub trait Watch: sender::Watch {
    /// So many more bytes of the original have been looked at.
    fn looked(&self, _bytes: u64) {}
    /// The content is being encrypted and packed.
    fn packing(&self, _progress: pack::Progress) {}
    /// So many bytes have gone to a provider.
    fn uploading(&self, _provider: &Address, _bytes: u64, _of: u64) {}
    /// A provider did not take it.
    fn failed(&self, _provider: &Address, _why: &DealError) {}
    /// An earlier put of the same content is continued, or was over already.
    fn resumed(&self, _over: bool) {}
    /// An error here stops the work at the next byte.
    fn stop(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Wants to know nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl sender::Watch for Quiet {}
impl Watch for Quiet {}

/// What is to be stored, and where.
#[derive(Debug, Clone)]
pub struct Request {
    /// A file or folder.
    pub path: PathBuf,
    /// Providers to ask, the first ones first.
    pub providers: Vec<Source>,
    /// How many of them are to store it; 0 registers it and keeps the CAR here.
    pub copies: usize,
    /// The file that gets a new version; a new file without it.
    pub update: Option<FileId>,
    /// Epochs of storage.
    pub duration: ChainEpoch,
    /// How long to wait for the seals.
    pub patience: Duration,
    /// What inside of the path is left out.
    pub exclude: Vec<PathBuf>,
}

impl Request {
    /// One copy with one of these providers, for as short as they take it.
    pub fn new(path: &Path, providers: Vec<Source>) -> Self {
        Self {
            path: path.into(),
            providers,
            copies: 1,
            update: None,
            duration: deal::MIN_DURATION,
            patience: Duration::from_secs(60),
            exclude: Vec::new(),
        }
    }
}

/// What was stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What the chain knows of it now.
    pub file: FileSpec,
    /// Its number, and the message that registered it.
    pub registered: Registered,
    /// Who stores it, or was asked to.
    pub deals: Vec<DealEntry>,
    /// Who did not take it in this run, and why.
    pub failed: Vec<(Address, String)>,
    /// How many were to store it.
    pub wanted: usize,
    /// The CAR, where it stays on this machine.
    pub car: Option<PathBuf>,
    /// What of a folder was left out.
    pub skipped: Vec<Skipped>,
}

impl Stored {
    /// How many providers have the bytes.
    pub fn copies(&self) -> usize {
        self.deals.iter().filter(|deal| deal.has_bytes()).count()
    }
}

/// Stores for one sender on one chain.
pub struct Store<'a> {
    actor: &'a Actor,
    sender: &'a Sender,
    recipient: Recipient,
    identities: Vec<crypt::Identity>,
    home: &'a Home,
    outbox: Outbox,
    book: Book,
    chain: String,
}

impl<'a> Store<'a> {
    /// Stores as `sender`, encrypted to `recipient`, with journals in `home`. The sender has to write its messages down.
    ///
    /// Errors: NoSlips: it does not, so a put that dies could register twice; the chain's.
    pub async fn new(
        actor: &'a Actor,
        sender: &'a Sender,
        recipient: Recipient,
        home: &'a Home,
    ) -> Result<Self, StoreError> {
        sender.slips().ok_or(SendError::NoSlips).map_err(ActorError::from)?;
        let outbox = Outbox::at(&home.journals(sender.network().name()));
        let chain = chain_name(&**actor.node(), sender.network()).await?;
        let book = Book::of(home, sender.network(), &chain);
        Ok(Self { actor, sender, recipient, identities: Vec::new(), home, outbox, book, chain })
    }

    /// Lets an interrupted packing be continued: its journal is sealed to the first of these identities of the sender's. Without any, packing begins
    /// anew.
    pub fn resuming(self, identities: &[crypt::Identity]) -> Self {
        Self { identities: identities.to_vec(), ..self }
    }

    /// The providers of a devnet.
    pub async fn devnet_providers(&self) -> Result<Vec<Source>, StoreError> {
        let info = self.actor.node().devnet_info().await?;
        let provider = |p: crate::node::DevnetProvider| p.url.map(|url| Source::Provider { miner: p.miner, url });
        Ok(info.providers.into_iter().filter_map(provider).collect())
    }

    /// Stores and registers what is at a path, or goes on where an earlier call stopped.
    ///
    /// Errors: [`StoreError`]; what was done stays done, and the same call goes on from there.
    pub async fn put(&self, request: &Request, watch: Arc<dyn Watch>) -> Result<Stored, StoreError> {
        self.sender.check_network().await.map_err(ActorError::from)?;
        let name = self.identify(request, &watch).await?;
        let _lock: Lock = self.home.lock(&format!("journal/{}/{name}", self.sender.network().name()))?;
        self.outbox.sweep();
        let mut job = self.continued(&name, request, &*watch).await?.unwrap_or_else(|| Job::new(&request.path));

        self.adopt(&name, &mut job, request).await?;
        let skipped = self.packed(&name, &mut job, request, &watch).await?;
        let since = self.actor.node().chain_head().await?.height;
        let failed = self.deal(&name, &mut job, request, &watch).await?;
        self.remember(&job, request, since)?;
        let registered = self.register(&name, &mut job, request, &*watch).await?;
        self.wait_for_seals(&name, &mut job, request).await?;
        self.remember(&job, request, since)?;

        let file = job.file.clone().expect("packed two steps above");
        let car = self.settle_car(&name, &job, &file, request)?;
        let failed = failed.into_iter().map(|(who, why)| (who, why.to_string())).collect();
        Ok(Stored { file, registered, deals: job.deals, failed, wanted: request.copies, car, skipped })
    }

    /// Names the job after what is at the path.
    async fn identify(&self, request: &Request, watch: &Arc<dyn Watch>) -> Result<String, StoreError> {
        let failed = |why| StoreError::Source { path: request.path.clone(), why };
        let source = request.path.canonicalize().map_err(failed)?;
        let (path, watch, exclude) = (source.clone(), watch.clone(), request.exclude.clone());
        let hashing = tokio::task::spawn_blocking(move || {
            content::identify(&path, &exclude, &mut |bytes| {
                watch.looked(bytes);
                watch.stop()
            })
        });
        let content = hashing.await.map_err(io::Error::other).and_then(|content| content).map_err(failed)?;
        let owner = self.sender.address();
        let identity =
            Identity { source: &source, owner: &owner, chain: &self.chain, update: request.update, content: &content };
        Ok(identity.name())
    }

    /// The journal of an earlier run, unless what it stored has been removed, given away or replaced since.
    async fn continued(&self, name: &str, request: &Request, watch: &dyn Watch) -> Result<Option<Job>, StoreError> {
        let Some(job) = self.outbox.load(name)? else { return Ok(None) };
        if let (Some(registered), Some(file)) = (&job.registered, &job.file) {
            let record = self.actor.file(registered.file).await?;
            let me = actor_id(self.actor, &self.sender.address()).await?;
            let ours = record.is_some_and(|record| {
                let mine = request.update.is_some() || Some(record.owner) == me;
                mine && record.file.key_commitment == file.key_commitment
            });
            if !ours {
                self.outbox.forget(name)?;
                return Ok(None);
            }
        }
        watch.resumed(job.registered.is_some());
        Ok(Some(job))
    }

    /// Packs, unless that is done.
    async fn packed(
        &self,
        name: &str,
        job: &mut Job,
        request: &Request,
        watch: &Arc<dyn Watch>,
    ) -> Result<Vec<Skipped>, StoreError> {
        let settled = job.registered.is_some() || job.deals.iter().any(DealEntry::has_bytes);
        let settled = settled || self.outbox.car(name).exists() || self.is_on_its_way(job, request).await?;
        if job.file.is_some() && settled {
            return Ok(job.skipped.clone());
        }
        let owner = self.owner_of(request).await?;
        // Nothing is known to have left this machine, so what was packed before is of no use to anybody.
        job.deals.clear();
        self.outbox.folder()?;
        let (path, exclude) = (request.path.clone(), request.exclude.clone());
        let (outbox, name_of) = (self.outbox.clone(), name.to_string());
        let (watch, journal, identities) = (watch.clone(), self.outbox.packing(name), self.identities.clone());
        let packing = tokio::task::spawn_blocking(move || {
            let resume = pack::Resume { journal: &journal, identities: &identities, every: pack::Resume::EVERY };
            pack_into(&path, &[owner], exclude, (&outbox, &name_of), &resume, &watch)
        });
        let packed = packing
            .await
            .map_err(|e| StoreError::Source { path: request.path.clone(), why: io::Error::other(e) })??;
        let wrap = packed.wraps.into_iter().next().expect("one wrap for each recipient, and there is one");
        job.file = Some(FileSpec {
            payload_cid: packed.payload_cid,
            piece_cid: packed.piece.piece_cid,
            padded_size: packed.piece.padded_size,
            payload_size: packed.piece.payload_size,
            key_commitment: packed.commitment.0,
            metadata: packed.metadata.seal(&packed.file_key),
            owner_wrap: wrap.into_bytes(),
        });
        job.skipped.clone_from(&packed.skipped);
        self.outbox.save(name, job)?;
        Trees::of(self.home).keep(&packed.tree)?;
        self.outbox.packed(name)?;
        Ok(packed.skipped)
    }

    /// Whom to encrypt to: the owner, who may be somebody else where a file of theirs is updated.
    async fn owner_of(&self, request: &Request) -> Result<Recipient, StoreError> {
        let Some(id) = request.update else { return Ok(self.recipient.clone()) };
        let record = self.actor.file(id).await?.ok_or(StoreError::NoSuchFile(id))?;
        let me = actor_id(self.actor, &self.sender.address()).await?;
        if Some(record.owner) == me {
            return Ok(self.recipient.clone());
        }
        // Better before anything is uploaded than after.
        self.may_write(id, me).await.map_err(ShareError::from)?;
        let known = KnownKeys::of(self.home, &**self.actor.node(), self.sender.network()).await?;
        let owner = share::readers(self.actor, &known, &[Address::new_id(record.owner)]).await?;
        owner.into_iter().next().map(|owner| owner.recipient).ok_or(StoreError::NoSuchFile(id))
    }

    async fn may_write(&self, id: FileId, me: Option<ActorID>) -> Result<(), AccessError> {
        let no_grant = || AccessError::NoGrant { id, who: self.sender.network().show(&self.sender.address()) };
        let grant = self.actor.grant(id, &Address::new_id(me.ok_or_else(no_grant)?)).await?.ok_or_else(no_grant)?;
        match grant.state {
            GrantState::Expired => Err(AccessError::Expired { id, at: grant.expiration }),
            _ if !grant.rights.contains(Rights::WRITE) => Err(AccessError::NoRight { id, right: "write" }),
            _ => Ok(()),
        }
    }

    /// Removes the CAR once providers have it for good; keeps it where nobody else has it.
    fn settle_car(
        &self,
        name: &str,
        job: &Job,
        file: &FileSpec,
        request: &Request,
    ) -> Result<Option<PathBuf>, StoreError> {
        let car = self.outbox.car(name);
        let sealed = job.deals.iter().filter(|deal| deal.state == DealProgress::Sealed).count();
        if sealed > 0 && sealed >= request.copies {
            self.outbox.drop_car(name)?;
            return Ok(None);
        }
        if !car.exists() {
            return Ok(None);
        }
        self.outbox.note_piece(&file.piece_cid, &Place::Here(car.clone()))?;
        Ok(Some(car))
    }
}

/// Packs into a file that appears only when it is whole, or goes on with one of an earlier run.
fn pack_into(
    path: &Path,
    recipients: &[Recipient],
    mut exclude: Vec<PathBuf>,
    (outbox, name): (&Outbox, &str),
    resume: &pack::Resume<'_>,
    watch: &Arc<dyn Watch>,
) -> Result<pack::Packed, StoreError> {
    let car = outbox.car(name);
    exclude.push(outbox.folder()?.to_path_buf());
    let mut report = |progress| watch.packing(progress);
    let stop = || watch.stop();
    let options = Options { exclude, overwrite: false, progress: Some(&mut report), stop: Some(&stop) };
    let (packed, file) = pack::pack_into_file(path, recipients, || outbox.part(name), resume, options)?;
    file.persist(&car).map_err(|e| StoreError::Source { path: car, why: e.error })?;
    Ok(packed)
}
