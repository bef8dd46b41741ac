//! One provider, as its HTTP server, its downloads and the chain's thread share it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bauta_client::piece::PieceInfo;
use bauta_client::wallet::{Key, KeyKind};
use futures::future::BoxFuture;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;

use super::book::{Book, Job, Stage};
use super::market::Facts;
use super::pieces::Pieces;
use super::shelf::Shelf;
use super::uploads::Uploads;

/// What a provider asks of the chain from outside its thread.
pub struct Outlook {
    /// The id of an address, if it is on chain.
    pub resolve: Box<dyn Fn(Address) -> BoxFuture<'static, Result<Option<ActorID>>> + Send + Sync>,
    /// What the chain says about a client of the built-in market.
    pub facts: Box<dyn Fn(Address) -> BoxFuture<'static, Result<Facts>> + Send + Sync>,
    /// Says that there is something to do.
    pub wake: Box<dyn Fn() + Send + Sync>,
}

/// One provider.
pub struct Shop {
    /// Its place among the devnet's providers.
    pub index: u64,
    pub owner: Key,
    pub worker: Key,
    pub pieces: Pieces,
    pub uploads: Uploads,
    pub shelf: Shelf,
    pub outlook: Arc<Outlook>,
    pub http: reqwest::Client,
    pub socket: SocketAddr,
    pub folder: PathBuf,
    book: Mutex<Book>,
    epoch: AtomicI64,
    closed: AtomicBool,
}

/// The owner's and the worker's key of the provider `index`, the same on every devnet. Everybody knows them.
pub fn keys(index: u64) -> (Key, Key) {
    let owner = Key::from_seed(KeyKind::Secp256k1, format!("bauta devnet provider {index} owner").as_bytes());
    let worker = Key::from_seed(KeyKind::Bls, format!("bauta devnet provider {index} worker").as_bytes());
    (owner, worker)
}

/// Listens on any port of loopback.
pub fn any_door() -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free for a provider")
}

impl Shop {
    /// Opens a provider's folder and listens where it listened last, if that port is free. A new one listens at the `door`
    /// that is open for it.
    pub fn open(
        index: u64,
        folder: &Path,
        outlook: Arc<Outlook>,
        door: Option<TcpListener>,
    ) -> Result<(Arc<Self>, TcpListener)> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let mut book = Book::open(folder)?;
        let remembered = book.port.and_then(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
        let listener = match remembered.or(door) {
            Some(listener) => listener,
            None => any_door()?,
        };
        listener.set_nonblocking(true)?;
        let socket = listener.local_addr()?;
        if book.port != Some(socket.port()) {
            book.port = Some(socket.port());
            book.save(folder)?;
        }
        let (owner, worker) = keys(index);
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(20))
            .build()?;
        let shop = Self {
            index,
            owner,
            worker,
            pieces: Pieces::open(folder.join("pieces"))?,
            uploads: Uploads::open(folder.join("uploads"), &book)?,
            shelf: Shelf::default(),
            outlook,
            http,
            socket,
            folder: folder.to_path_buf(),
            book: Mutex::new(book),
            epoch: AtomicI64::new(0),
            closed: AtomicBool::new(false),
        };
        Ok((Arc::new(shop), listener))
    }

    /// Where it serves.
    pub fn url(&self) -> String {
        format!("http://{}", self.socket)
    }

    /// Its miner actor, once there is one.
    pub fn miner(&self) -> Option<ActorID> {
        self.lock().miner
    }

    /// The last epoch that it heard of.
    pub fn epoch(&self) -> ChainEpoch {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Tells it the time.
    pub fn set_epoch(&self, epoch: ChainEpoch) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// The book; never held while waiting for anything.
    pub fn lock(&self) -> MutexGuard<'_, Book> {
        // A panic elsewhere leaves at worst an unsaved change.
        self.book.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Ends it: nothing is written down from now on, for the folder may belong to somebody else.
    pub fn close(&self) {
        let _writing = self.lock();
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Writes the book down.
    pub fn save(&self, book: &Book) -> Result<()> {
        ensure!(!self.closed.load(Ordering::Relaxed), "the provider has stopped");
        book.save(&self.folder).context("writing the provider's book")
    }

    /// Changes a job and writes that down, if the job is still there.
    pub fn change_job<T>(&self, name: &str, change: impl FnOnce(&mut Job) -> T) -> Result<Option<T>> {
        let mut book = self.lock();
        let Some(job) = book.jobs.get_mut(name) else { return Ok(None) };
        let value = change(job);
        self.save(&book)?;
        Ok(Some(value))
    }

    /// Takes a new job.
    pub fn add_job(&self, name: String, job: Job) -> Result<()> {
        let mut book = self.lock();
        book.jobs.insert(name, job);
        self.save(&book)
    }

    /// The piece of a job is here.
    pub fn stored(&self, name: &str, piece: &PieceInfo) -> Result<()> {
        self.change_job(name, |job| {
            job.wanted.payload_size = Some(piece.payload_size);
            job.stage = Stage::Stored;
        })?;
        (self.outlook.wake)();
        Ok(())
    }

    /// A job cannot be done.
    pub fn failed(&self, name: &str, why: impl std::fmt::Display) -> Result<()> {
        tracing::info!("provider {}: {name} failed: {why}", self.index);
        self.change_job(name, |job| job.stage = Stage::failed(why)).map(drop)
    }
}
