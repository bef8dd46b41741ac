//! `bauta repair` and `bauta renew`: new deals for what is stored.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bauta_abi::{BountyId, FileId, notification_payload};
use bauta_client::access::AccessError;
use bauta_client::actor::Actor;
use bauta_client::address::Address;
use bauta_client::bounty;
use bauta_client::care::{Care, Mended, Order, Survey, Way};
use bauta_client::deal::DealError;
use bauta_client::fetch::{self, Source};
use bauta_client::network::Network;
use bauta_client::piece::PieceInfo;
use bauta_client::sender::{self, Sender};
use bauta_client::store;
use cid::Cid;
use fvm_shared::clock::ChainEpoch;
use serde::Serialize;

use crate::args::{NewDeals, Renew, Repair};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::get::{Download, Told};
use crate::open;
use crate::output::{Notes, Output, Rows, clean};
use crate::progress::{Show, Uploads, interrupted};
use crate::put::DealRow;
use crate::span;
use crate::status::{FileStatus, called};

/// How long the local network may take to seal; elsewhere it takes hours, and nobody waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shows how a copy is made.
struct Progress {
    notes: Notes,
    network: Network,
    told: Told,
    download: Download,
    uploads: Uploads,
}

impl Progress {
    fn new(notes: Notes, network: &Network, show: Show, size: u64) -> Arc<Self> {
        Arc::new(Self {
            notes,
            network: network.clone(),
            told: Told::new(notes, network),
            download: Download::new(show, size),
            uploads: Uploads::new(show, network),
        })
    }
}

impl sender::Watch for Progress {}

impl fetch::Watch for Progress {
    fn asking(&self, source: &Source) {
        self.download.asking(source);
    }

    fn received(&self, bytes: u64) {
        self.download.received(bytes);
    }

    fn dropped(&self, source: &Source, why: &DealError) {
        self.told.dropped(source, why);
    }
}

impl store::Watch for Progress {
    fn uploading(&self, provider: &Address, bytes: u64, of: u64) {
        self.download.end();
        self.uploads.sent(provider, bytes, of);
    }

    fn failed(&self, provider: &Address, why: &DealError) {
        self.uploads.failed(provider);
        self.notes.say(format_args!("{} did not take it: {why}", self.network.show(provider)));
    }

    fn stop(&self) -> io::Result<()> {
        interrupted()
    }
}

/// A piece that is looked after, and what is known of it outside of the chain's sectors.
pub struct Subject {
    /// Number of the file, where it is one.
    pub file: Option<FileId>,
    /// What people call it, where it opens.
    pub name: Option<String>,
    /// The piece.
    pub piece: PieceInfo,
    /// The root of the CAR, where that is known.
    root: Option<Cid>,
    /// An epoch in which nobody had it.
    pub since: ChainEpoch,
    /// The bounty through which it was found.
    bounty: Option<(BountyId, String)>,
}

impl Subject {
    /// The present version of a file.
    pub async fn file(context: &mut Context, actor: &Actor, id: FileId) -> anyhow::Result<Self> {
        let record = actor.file(id).await?.ok_or(AccessError::NoSuchFile(id))?;
        let name = called(context, actor, id, &record).await?;
        let (piece, root) = (fetch::piece_of(&record.file), Some(record.file.payload_cid));
        Ok(Self { file: Some(id), name, piece, root, since: record.updated, bounty: None })
    }

    /// The piece of a bounty.
    async fn bounty(actor: &Actor, id: BountyId) -> anyhow::Result<Self> {
        let record = bounty::get(actor, id).await?;
        let piece = bounty::piece_of(actor, id, &record.terms, &record.terms.source).await?;
        let bounty = Some((id, record.terms.source.clone()));
        Ok(Self { file: None, name: None, piece, root: None, since: record.created, bounty })
    }
}

/// Who makes deals, for whom, and how.
pub struct Carer<'a> {
    /// Looks and makes.
    pub care: Care<'a>,
    /// Signs.
    pub sender: &'a Sender,
    /// The actor that bounties live in.
    pub actor: &'a Actor,
    /// How deals are made.
    pub deals: &'a NewDeals,
    /// The providers that were named.
    pub named: Vec<Source>,
}

impl Carer<'_> {
    /// Looks at a piece from all sides.
    pub async fn look(&self, context: &mut Context, subject: &Subject) -> anyhow::Result<(Survey, Vec<Source>)> {
        let mut known = open::holders(context, self.actor, &subject.piece.piece_cid, &[]).await?;
        known.extend(self.named.iter().filter(|source| !known.contains(source)).cloned().collect::<Vec<_>>());
        self.care.ask(self.sender, &subject.piece.piece_cid).await?;
        let survey = self.care.survey(&subject.piece, subject.root.as_ref(), subject.since, &known).await?;
        Ok((survey, known))
    }

    /// Brings a piece to `copies` copies.
    pub async fn repair(
        &self,
        context: &Context,
        subject: &Subject,
        looked: &(Survey, Vec<Source>),
        copies: usize,
        grace: Duration,
    ) -> anyhow::Result<Mended> {
        let (survey, known) = looked;
        let mut order = Order::repair(survey, copies, grace, known, &self.named);
        if let Some((id, source)) = &subject.bounty {
            // Whoever takes it earns the bounty with it.
            order.notify = Some((self.actor.address(), notification_payload(*id)));
            if survey.sources().is_empty() && !source.is_empty() {
                order.way = Way::PullFrom(source.clone());
            }
        }
        self.mend(context, survey, order).await
    }

    /// Prolongs what ends before an epoch.
    pub async fn renew(
        &self,
        context: &Context,
        looked: &(Survey, Vec<Source>),
        before: ChainEpoch,
    ) -> anyhow::Result<Mended> {
        let (survey, known) = looked;
        let order = Order::renewal(survey, before, known, &self.named);
        self.mend(context, survey, order).await
    }

    async fn mend(&self, context: &Context, survey: &Survey, mut order: Order) -> anyhow::Result<Mended> {
        let network = self.sender.network();
        order.duration = self.deals.duration;
        order.patience = if *network == Network::Local { PATIENCE } else { Duration::ZERO };
        if self.deals.pull && order.way == Way::Through {
            order.way = Way::Pull;
        }
        let progress = Progress::new(context.notes(), network, context.progress(), survey.piece.payload_size);
        let mended = self.care.mend(self.sender, survey, &order, progress.clone()).await;
        progress.download.end();
        Ok(mended?)
    }
}

#[derive(Serialize)]
struct Refusal {
    provider: String,
    error: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.provider, clean(&self.error))
    }
}

/// What was done for a piece, and how it stands afterwards.
#[derive(Serialize)]
struct Done {
    made: Vec<DealRow>,
    refused: Vec<Refusal>,
    file: FileStatus,
}

impl Done {
    fn of(mended: &Mended, subject: &Subject, after: &Survey, network: &Network) -> Self {
        let refusal =
            |(provider, error): &(Address, String)| Refusal { provider: network.show(provider), error: error.clone() };
        Self {
            made: mended.made.iter().map(|deal| DealRow::of(deal, network, &[])).collect(),
            refused: mended.failed.iter().map(refusal).collect(),
            file: FileStatus::of(subject.file, subject.name.clone(), after, network),
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rows::default().each("new deal", &self.made).each("refused", &self.refused).fmt(f)?;
        self.file.fmt(f)
    }
}

/// Brings a file, or a bounty's piece, back to as many copies as are wished for.
pub async fn repair(context: &mut Context, args: Repair) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let subject = match (args.file_id, args.bounty) {
        (Some(id), _) => Subject::file(context, &actor, id).await?,
        (None, Some(id)) => Subject::bounty(&actor, id).await?,
        (None, None) => return Err(Failure::usage("which file, or which --bounty?")),
    };
    let sender = context.sender().await?;
    let home = context.home().clone();
    let carer = carer(context, &actor, &sender, &home, &args.deals).await?;
    let _lock = carer.care.lock(&subject.piece.piece_cid)?;
    if let Some(copies) = args.copies {
        carer.care.wish(&subject.piece.piece_cid, copies as usize)?;
    }
    let looked = carer.look(context, &subject).await?;
    let wanted = looked.0.wanted();
    if wanted == 0 {
        return Err(Failure::usage("nobody has said how many copies there are to be: give --copies"));
    }
    let mended = carer.repair(context, &subject, &looked, wanted, Duration::ZERO).await?;
    let (after, _) = if mended.made.is_empty() { looked } else { carer.look(context, &subject).await? };
    let output = Output::new(&Done::of(&mended, &subject, &after, sender.network()));
    let (good, asked) = (after.good(), !mended.failed.is_empty());
    Ok(match good < wanted {
        false => output,
        true => output.but(Exit::Partly, too_few(good, wanted, asked)),
    })
}

fn too_few(good: usize, wanted: usize, asked: bool) -> String {
    let why = if asked { "see why above" } else { "there is nobody else to ask" };
    format!("{good} of {wanted} copies are good, {why}: name another provider with --provider")
}

/// Prolongs a file's copies that end soon.
pub async fn renew(context: &mut Context, args: Renew) -> anyhow::Result<Output> {
    let actor = context.actor().await?;
    let subject = Subject::file(context, &actor, args.file_id).await?;
    let sender = context.sender().await?;
    let home = context.home().clone();
    let carer = carer(context, &actor, &sender, &home, &args.deals).await?;
    let _lock = carer.care.lock(&subject.piece.piece_cid)?;
    let looked = carer.look(context, &subject).await?;
    if looked.0.good() == 0 {
        return Err(Failure::because(
            Exit::Network,
            format!("no copy of file {} is good now: see `bauta status {0}`", args.file_id),
        ));
    }
    let before = looked.0.now.saturating_add(args.within.0);
    if looked.0.to_prolong(before) == 0 {
        context
            .notes()
            .say(format_args!("nothing ends within {}; --within asks for more", span::epochs(args.within.0)));
    }
    let mended = carer.renew(context, &looked, before).await?;
    let (after, _) = if mended.made.is_empty() { looked } else { carer.look(context, &subject).await? };
    let left = after.to_prolong(before);
    let output = Output::new(&Done::of(&mended, &subject, &after, sender.network()));
    Ok(match left {
        0 => output,
        left => output.but(Exit::Partly, format!("{left} copies were not prolonged: name a provider with --provider")),
    })
}

/// Who looks after pieces with these deals.
pub async fn carer<'a>(
    context: &mut Context,
    actor: &'a Actor,
    sender: &'a Sender,
    home: &'a bauta_client::home::Home,
    deals: &'a NewDeals,
) -> anyhow::Result<Carer<'a>> {
    let named = open::chosen_sources(context, &deals.provider).await?;
    let care = Care::new(actor, sender.network(), home).await?;
    Ok(Carer { care, sender, actor, deals, named })
}
