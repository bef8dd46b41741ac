//! `bauta put`.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bauta_abi::{EPOCH_NEVER, FileId, GrantState, Rights};
use bauta_client::address::Address;
use bauta_client::deal::{self, DealError};
use bauta_client::network::Network;
use bauta_client::node::Waiting;
use bauta_client::pack;
use bauta_client::sender::{self, Cost};
use bauta_client::share::{self, Reader};
use bauta_client::store::{self, DealEntry, DealProgress, Request, Store, Stored};
use cid::Cid;
use indicatif::HumanBytes;
use serde::Serialize;

use crate::args::Put;
use crate::chain::{MessageRow, Spending};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::grants::meet;
use crate::open;
use crate::output::{Notes, Output, Rows, clean};
use crate::pack::{Piece, skipped};
use crate::place::is_dash;
use crate::progress::{Phase, Uploads, interrupted};

/// How long the local network may take to seal; elsewhere it takes hours, and nobody waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shows how storing goes on.
struct Progress {
    notes: Notes,
    network: Network,
    spending: Spending,
    packing: Phase,
    packed: AtomicU64,
    uploads: Uploads,
}

impl sender::Watch for Progress {
    fn priced(&self, cost: &Cost) -> Result<(), String> {
        self.spending.priced(cost)
    }

    fn continued(&self, cid: &Cid) {
        self.spending.continued(cid);
    }

    fn waiting(&self, progress: Waiting) {
        self.spending.waiting(progress);
    }
}

impl store::Watch for Progress {
    fn packing(&self, progress: pack::Progress) {
        if progress.phase == pack::Phase::Resume {
            self.notes.say(format_args!("going on with packing: {} of it are there", HumanBytes(progress.done)));
        }
        if progress.phase == pack::Phase::Pack {
            let before = self.packed.swap(progress.done, Ordering::Relaxed);
            self.packing.add(progress.done.saturating_sub(before));
        }
    }

    fn uploading(&self, provider: &Address, bytes: u64, of: u64) {
        self.packing.end();
        self.uploads.sent(provider, bytes, of);
    }

    fn failed(&self, provider: &Address, why: &DealError) {
        self.uploads.failed(provider);
        self.notes.say(format_args!("{} did not take it: {why}", self.network.show(provider)));
    }

    fn resumed(&self, over: bool) {
        self.notes.say(if over { "this was stored before" } else { "going on where an earlier put stopped" });
    }

    fn stop(&self) -> io::Result<()> {
        interrupted()
    }
}

/// A deal, for printing.
#[derive(Serialize)]
pub struct DealRow {
    provider: String,
    url: String,
    deal: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl DealRow {
    /// A deal as it stands; `failed` says what went wrong in this run.
    pub fn of(deal: &DealEntry, network: &Network, failed: &[(Address, String)]) -> Self {
        let (state, error) = match &deal.state {
            DealProgress::Begun => ("begun", None),
            DealProgress::Stored => ("stored", None),
            DealProgress::Sealed => ("sealed", None),
            DealProgress::Failed(why) => ("failed", Some(why.clone())),
        };
        let now = || failed.iter().find(|(who, _)| *who == deal.provider).map(|(_, why)| why.clone());
        let (url, deal_id) = (deal.url.clone(), deal.id.to_string());
        let error = error.or_else(|| if deal.has_bytes() { None } else { now() });
        Self { provider: network.show(&deal.provider), url, deal: deal_id, state, error }
    }
}

impl fmt::Display for DealRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, deal {}", self.provider, self.state, self.deal)?;
        self.error.iter().try_for_each(|why| write!(f, ": {}", clean(why)))
    }
}

#[derive(Serialize)]
struct RegistrationRow {
    cid: Option<String>,
    gas_used: Option<i64>,
    epoch: Option<i64>,
}

impl fmt::Display for RegistrationRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cid, self.gas_used) {
            (Some(cid), Some(gas)) => write!(f, "{cid} (gas {gas}, epoch {})", self.epoch.unwrap_or_default()),
            _ => f.write_str("found on the chain, registered by an earlier run"),
        }
    }
}

#[derive(Serialize)]
struct PutResult {
    file_id: FileId,
    version: u64,
    payload_cid: String,
    #[serde(flatten)]
    piece: Piece,
    providers: Vec<DealRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    car: Option<String>,
    registration: RegistrationRow,
    granted: Vec<String>,
    messages: Vec<MessageRow>,
    skipped: Vec<String>,
}

impl fmt::Display for PutResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default().row("file", self.file_id).row("version", self.version);
        self.piece
            .rows(rows.row("payload_cid", &self.payload_cid))
            .each("provider", &self.providers)
            .maybe("kept here", self.car.as_ref())
            .row("message", &self.registration)
            .each("opened to", &self.granted)
            .each("message", &self.messages)
            .fmt(f)
    }
}

/// Encrypts, stores, registers, and opens to others.
pub async fn put(context: &mut Context, args: Put) -> anyhow::Result<Output> {
    if is_dash(&args.path) {
        return Err(Failure::usage("what comes from stdin cannot be continued after an interruption: put a file"));
    }
    if !args.path.exists() {
        return Err(Failure::not_found(format!("{}: there is no such file", args.path.display())));
    }
    let actor = context.actor().await?;
    let sender = context.sender().await?;
    let network = sender.network().clone();
    let identities = context.identities()?;
    let grantees: Vec<Address> = args.grant.iter().map(|address| address.0).collect();
    // Better before anything is uploaded than after.
    let readers = meet(context, &actor, &grantees).await?;
    let home = context.home().clone();
    let store = Store::new(&actor, &sender, identities[0].recipient(), &home).await?.resuming(&identities);
    let wished = match args.update {
        Some(id) => store.wished(id).await?,
        None => None,
    };
    let request = request(context, &args, &network, wished.unwrap_or(1)).await?;
    let progress = Arc::new(Progress {
        notes: context.notes(),
        network: network.clone(),
        spending: Spending::new(context.notes(), &network, "registering the file"),
        packing: Phase::begin(context.progress(), "encrypting", None),
        packed: AtomicU64::new(0),
        uploads: Uploads::new(context.progress(), &network),
    });
    let stored = store.put(&request, progress.clone()).await?;
    progress.packing.end();

    let mut messages = Vec::new();
    let missing = not_granted(&actor, stored.registered.file, readers).await?;
    let mut trouble = trouble(&stored);
    if !missing.is_empty() {
        let spending = Spending::new(context.notes(), &network, "granting access");
        let id = stored.registered.file;
        let granted = share::grant(&actor, &sender, &identities, id, &missing, Rights::READ, EPOCH_NEVER, &spending);
        match granted.await {
            Ok(sent) => messages.extend(sent.iter().map(MessageRow::from)),
            Err(why) => trouble = Some(format!("file {id} is stored, but not opened to everybody: {why}")),
        }
    }
    let skipped = skipped(context, &stored.skipped);
    if trouble.is_none() && !skipped.is_empty() {
        trouble = Some(format!("{} entries were left out", skipped.len()));
    }
    let output = Output::new(&PutResult {
        file_id: stored.registered.file,
        version: stored.registered.version,
        payload_cid: stored.file.payload_cid.to_string(),
        piece: Piece::from(&bauta_client::fetch::piece_of(&stored.file)),
        providers: stored.deals.iter().map(|deal| DealRow::of(deal, &network, &stored.failed)).collect(),
        car: stored.car.as_ref().map(|car| car.display().to_string()),
        registration: RegistrationRow {
            cid: stored.registered.message.clone(),
            gas_used: stored.registered.gas_used,
            epoch: stored.registered.epoch,
        },
        granted: grantees.iter().map(|grantee| network.show(grantee)).collect(),
        messages,
        skipped,
    });
    Ok(match trouble {
        Some(message) => output.but(Exit::Partly, message),
        None => output,
    })
}

/// What is asked of the store; `usual` is how many copies there are to be where nobody says so.
async fn request(context: &mut Context, args: &Put, network: &Network, usual: usize) -> anyhow::Result<Request> {
    let named = &args.provider;
    // Providers would be given the bytes: that is no message, and cannot be taken back.
    let no_store = args.no_store || context.dry_run();
    let providers = match (no_store, named.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => open::devnet_sources(context).await?,
        (false, false) => open::chosen_sources(context, named).await?,
    };
    // Naming several providers asks for all of them.
    let copies = match args.copies {
        Some(copies) => named.len().max(copies as usize),
        None if named.is_empty() => usual,
        None => named.len(),
    };
    let is_local = *network == Network::Local;
    Ok(Request {
        path: args.path.clone(),
        providers,
        copies: if no_store { 0 } else { copies },
        update: args.update,
        duration: deal::MIN_DURATION,
        patience: if is_local { PATIENCE } else { Duration::ZERO },
        exclude: vec![context.home().data().to_path_buf()],
    })
}

/// Those who have no grant to the present version yet.
async fn not_granted(
    actor: &bauta_client::actor::Actor,
    id: FileId,
    readers: Vec<Reader>,
) -> anyhow::Result<Vec<Reader>> {
    let mut missing = Vec::new();
    for reader in readers {
        let grant = actor.grant(id, &reader.address).await?;
        if grant.is_none_or(|grant| grant.state != GrantState::Active) {
            missing.push(reader);
        }
    }
    Ok(missing)
}

fn trouble(stored: &Stored) -> Option<String> {
    let (have, want) = (stored.copies(), stored.wanted);
    (have < want).then(|| format!("{have} of {want} copies are stored; the same command goes on"))
}
