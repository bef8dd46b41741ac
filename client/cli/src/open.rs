//! Files as a user sees them: the record, the name where the key opens, who may serve the bytes.

use bauta_abi::{FileId, FileRecord};
use bauta_client::access::{Access, AccessError};
use bauta_client::actor::Actor;
use bauta_client::address::{self, Address};
use bauta_client::crypt::{ContentKind, Metadata};
use bauta_client::fetch::{self, Source};
use bauta_client::network::Network;
use bauta_client::store::{Outbox, Place};
use serde::Serialize;

use crate::args::ProviderArg;
use crate::context::Context;
use crate::exit::{Failure, sentence};
use crate::output::{Rows, clean};
use crate::pack::Piece;
use crate::span;
use fvm_shared::clock::ChainEpoch;

/// What the encrypted metadata says.
#[derive(Debug, Clone, Serialize)]
pub struct Named {
    /// The file's name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Bytes of the original.
    pub size: u64,
    /// `file` or `folder`.
    pub kind: &'static str,
}

impl From<Metadata> for Named {
    fn from(metadata: Metadata) -> Self {
        let kind = if metadata.kind == ContentKind::Folder { "folder" } else { "file" };
        Self { name: metadata.name, media_type: metadata.media_type, size: metadata.size, kind }
    }
}

/// A record, for printing.
#[derive(Debug, Serialize)]
pub struct FileRow {
    /// Number of the file.
    pub file_id: FileId,
    /// Who owns it.
    pub owner: String,
    /// Its version.
    pub version: u64,
    /// Root of the CAR.
    pub payload_cid: String,
    /// The piece.
    #[serde(flatten)]
    pub piece: Piece,
    /// When it was registered.
    pub registered: ChainEpoch,
    /// When this version was written.
    pub updated: ChainEpoch,
    /// What the metadata says, where the key opens.
    pub metadata: Option<Named>,
    /// Why the key does not open, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<String>,
}

impl FileRow {
    /// A record with its name, as far as it opens.
    pub fn new(id: FileId, record: &FileRecord, network: &Network, opened: Result<Option<Metadata>, String>) -> Self {
        let (metadata, locked) = match opened {
            Ok(metadata) => (metadata.map(Named::from), None),
            Err(why) => (None, Some(why)),
        };
        Self {
            file_id: id,
            owner: network.show(&Address::new_id(record.owner)),
            version: record.version,
            payload_cid: record.file.payload_cid.to_string(),
            piece: Piece::from(&fetch::piece_of(&record.file)),
            registered: record.registered,
            updated: record.updated,
            metadata,
            locked,
        }
    }

    /// The rows of a record; `now` puts its times into words.
    pub fn rows(&self, now: ChainEpoch) -> Rows {
        let rows = Rows::default().row("file", self.file_id).row("owner", &self.owner).row("version", self.version);
        let rows = match (&self.metadata, &self.locked) {
            (Some(named), _) => rows
                .row("name", clean(&named.name))
                .row("kind", named.kind)
                .maybe("media type", Some(clean(&named.media_type)).filter(|text| !text.is_empty()))
                .row("size", named.size),
            (None, Some(why)) => rows.row("name", format_args!("({})", clean(why))),
            (None, None) => rows,
        };
        self.piece
            .rows(rows.row("payload_cid", &self.payload_cid))
            .row("registered", span::at(self.registered, now))
            .row("updated", span::at(self.updated, now))
    }
}

/// A source in the network's spelling.
pub fn source_name(network: &Network, source: &Source) -> String {
    match source {
        Source::Provider { miner, url } => format!("{} at {url}", network.show(miner)),
        Source::Here(path) => path.display().to_string(),
    }
}

/// Opens a file as the user of this context.
pub async fn open(context: &mut Context, actor: &Actor, id: FileId) -> anyhow::Result<Access> {
    let me = context.me()?;
    let identities = context.identities()?;
    Ok(Access::open(actor, id, &me, &identities).await?)
}

/// The name of a record that is at hand: what it says, or why it does not open. Only the chain's own failures are errors.
pub async fn name_of(
    context: &mut Context,
    actor: &Actor,
    id: FileId,
    record: &FileRecord,
) -> anyhow::Result<Result<Option<Metadata>, String>> {
    let (me, identities) = match (context.me(), context.identities()) {
        (Ok(me), Ok(identities)) => (me, identities),
        // Told apart: a key that is not there, and one that is and does not open.
        (_, Err(why)) if context.keyring().exists() => return Ok(Err(sentence(&why))),
        (Err(why), _) if !context.keystore().list()?.is_empty() => return Ok(Err(sentence(&why))),
        _ => return Ok(Err("no identity here".into())),
    };
    match Access::open_record(actor, id, record.clone(), &me, &identities).await {
        Ok(access) => Ok(access.metadata().map_err(|e| e.to_string())),
        Err(error @ AccessError::Actor(_)) => Err(error.into()),
        Err(AccessError::NoGrant { .. }) => Ok(Err("not open to you".into())),
        Err(shut) => Ok(Err(shut.to_string())),
    }
}

/// The folder of journals for the network in use.
pub async fn outbox(context: &mut Context) -> anyhow::Result<Outbox> {
    let (_, network) = context.node().await?;
    Ok(Outbox::at(&context.home().journals(network.name())))
}

/// Providers chosen on the command line: where it says they are, else where the devnet or the chain does.
pub async fn chosen_sources(context: &mut Context, chosen: &[ProviderArg]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    let known = devnet_sources(context).await?;
    let (node, network) = context.node().await?;
    for ProviderArg { miner, url } in chosen {
        let id = node.lookup_id(&miner.0).await?.unwrap_or(miner.0);
        let local = known.iter().find_map(|source| match source {
            Source::Provider { miner, url } if *miner == id => Some(url.clone()),
            _ => None,
        });
        let url = match url.clone().or(local) {
            Some(url) => Some(url),
            None => fetch::provider_url(&*node, &id).await?,
        };
        if url.is_none() && node.get_actor(&id).await?.is_none() {
            return Err(Failure::not_found(format!("there is no provider {}", network.show(&miner.0))));
        }
        let nowhere = || format!("{0} announces no address to reach it at: give it as {0}=URL", network.show(&miner.0));
        sources.push(Source::Provider { miner: id, url: url.ok_or_else(|| Failure::not_found(nowhere()))? });
    }
    Ok(sources)
}

/// The providers of a devnet; none elsewhere.
pub async fn devnet_sources(context: &mut Context) -> anyhow::Result<Vec<Source>> {
    let info = context.devnet_info().await?;
    let providers = info.map(|info| info.providers).unwrap_or_default();
    Ok(providers.into_iter().filter_map(|p| p.url.map(|url| Source::Provider { miner: p.miner, url })).collect())
}

/// Everybody who may have a file's bytes, the likeliest first: named, noted here, paid by bounties, and on a devnet all.
pub async fn sources(
    context: &mut Context,
    actor: &Actor,
    record: &FileRecord,
    named: &[ProviderArg],
) -> anyhow::Result<Vec<Source>> {
    holders(context, actor, &record.file.piece_cid, named).await
}

/// The same for a piece, whatever it belongs to.
pub async fn holders(
    context: &mut Context,
    actor: &Actor,
    piece_cid: &cid::Cid,
    named: &[ProviderArg],
) -> anyhow::Result<Vec<Source>> {
    let mut all = chosen_sources(context, named).await?;
    let local = devnet_sources(context).await?;
    for place in outbox(context).await?.places(piece_cid)? {
        match place {
            Place::Here(path) if path.exists() => all.push(Source::Here(path)),
            Place::Here(_) => {}
            Place::Provider { miner, url, .. } => {
                let Ok(miner) = address::parse(&miner) else { continue };
                // A devnet's providers get a new port with each start; what it says now is right.
                let now =
                    local.iter().find(|source| matches!(source, Source::Provider { miner: m, .. } if *m == miner));
                all.push(now.cloned().unwrap_or(Source::Provider { miner, url }));
            }
        }
    }
    all.extend(fetch::sources_on_chain(actor, piece_cid).await?);
    all.extend(local);
    let mut seen = Vec::new();
    all.retain(|source| {
        let key = match source {
            Source::Provider { miner, .. } => miner.to_string(),
            Source::Here(path) => path.display().to_string(),
        };
        let new = !seen.contains(&key);
        seen.push(key);
        new
    });
    Ok(all)
}
