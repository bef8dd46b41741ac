//! Sharing: the file key, wrapped for somebody else, goes on the chain; no byte is uploaded again.
//!
//! ```no_run
//! # async fn example(sender: bauta_client::sender::Sender, actor: bauta_client::actor::Actor,
//! #     me: bauta_client::crypt::Identity, known: bauta_client::known_keys::KnownKeys) -> Result<(), Box<dyn std::error::Error>> {
//! use bauta_abi::{EPOCH_NEVER, Rights};
//! use bauta_client::address;
//! use bauta_client::sender::Silent;
//! use bauta_client::share;
//!
//! let friend = address::parse("t1…")?;
//! let readers = share::readers(&actor, &known, &[friend]).await?;
//! share::grant(&actor, &sender, &[me], 7, &readers, Rights::READ, EPOCH_NEVER, &Silent).await?;
//! share::revoke(&actor, &sender, 7, &[friend], &Silent).await?;
//! # Ok(())
//! # }
//! ```

use bauta_abi::{FileId, GrantSpec, Key, MAX_GRANTS_PER_CALL, MAX_REVOKES_PER_CALL, Rights};
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;

use crate::access::{Access, AccessError, actor_id};
use crate::actor::{Actor, ActorError, Call};
use crate::crypt::{self, Identity, Recipient};
use crate::known_keys::{KnownKeyError, KnownKeys};
use crate::sender::{Sender, Sent, Watch};

/// Why something was not shared.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// The file does not open to us.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The other has published no key, so there is nothing to wrap the file key for.
    #[error("{} has published no key: they have to run `bauta key publish` first", .0.join(", "))]
    NoKey(Vec<String>),
    /// The published key is none that we can encrypt to.
    #[error("the key of {who} cannot be used: {why}")]
    BadKey {
        /// Whose.
        who: String,
        /// What is wrong with it.
        why: crypt::Error,
    },
    /// The published key is not the one that is known.
    #[error(transparent)]
    Known(Box<KnownKeyError>),
    /// A part of the batches went through before one failed.
    #[error("{done} of {all} addresses are done, then: {why}")]
    Partly {
        /// How many addresses are done.
        done: usize,
        /// Of how many.
        all: usize,
        /// The messages that went through.
        sent: Vec<Sent>,
        /// Why it stopped.
        why: ActorError,
    },
    /// The chain.
    #[error(transparent)]
    Actor(#[from] ActorError),
}

impl From<KnownKeyError> for ShareError {
    fn from(error: KnownKeyError) -> Self {
        Self::Known(Box::new(error))
    }
}

/// Publishes the recipient under the sender's address, unless it is there already.
///
/// Errors: [`ShareError::Actor`].
pub async fn publish(
    actor: &Actor,
    sender: &Sender,
    recipient: &Recipient,
    watch: &dyn Watch,
) -> Result<Option<Sent>, ShareError> {
    let recipient = recipient.to_string();
    if let Some(me) = actor_id(actor, &sender.address()).await? {
        let published = actor.key(&Address::new_id(me)).await?;
        if published.is_some_and(|key| key.recipient == recipient) {
            return Ok(None);
        }
    }
    Ok(Some(actor.send_only(sender, &Call::publish_key(recipient)?, watch).await?))
}

/// Somebody with a published key that contradicts nothing we know.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Who.
    pub address: Address,
    /// Their key.
    pub recipient: Recipient,
    /// Whether we know them only since now: then it is the node's word that the key is theirs.
    pub is_new: bool,
}

/// Looks up the published keys of addresses, each once, and compares them with what is known.
///
/// Errors: [`ShareError::NoKey`] with all who have none, [`ShareError::BadKey`], [`ShareError::Known`].
pub async fn readers(actor: &Actor, known: &KnownKeys, of: &[Address]) -> Result<Vec<Reader>, ShareError> {
    let who = |address: &Address| actor.node().prefix().show(address);
    let (mut shown, mut missing) = (Vec::new(), Vec::new());
    for address in distinct(of) {
        match published(actor, &address).await? {
            Some(key) => {
                let recipient: Result<Recipient, _> = key.recipient.parse();
                shown.push((address, recipient.map_err(|why| ShareError::BadKey { who: who(&address), why })?));
            }
            None => missing.push(who(&address)),
        }
    }
    if !missing.is_empty() {
        return Err(ShareError::NoKey(missing));
    }
    let pairs: Vec<_> = shown.iter().map(|(address, recipient)| (*address, recipient)).collect();
    let new = known.meet(&pairs, actor.node().prefix()).await?;
    let reader = |((address, recipient), is_new)| Reader { address, recipient, is_new };
    Ok(shown.into_iter().zip(new).map(reader).collect())
}

/// The key that an address has published; an address that is not on the chain has none.
async fn published(actor: &Actor, address: &Address) -> Result<Option<Key>, ActorError> {
    match actor_id(actor, address).await? {
        Some(id) => actor.key(&Address::new_id(id)).await,
        None => Ok(None),
    }
}

/// Opens a file to others: wraps its key for each of them. Batches of 32. `expiration` is the first epoch without it.
///
/// Caller: the owner, or a grantee with the right to share.
///
/// Errors: [`ShareError::Access`] where it does not open to the sender, or not to be shared; [`ShareError::BadKey`];
/// [`ShareError::Actor`]; [`ShareError::Partly`] where a batch had gone through.
#[allow(clippy::too_many_arguments)] // The ABI's own parameters plus the three that every flow has.
pub async fn grant(
    actor: &Actor,
    sender: &Sender,
    identities: &[Identity],
    id: FileId,
    to: &[Reader],
    rights: Rights,
    expiration: ChainEpoch,
    watch: &dyn Watch,
) -> Result<Vec<Sent>, ShareError> {
    let access = Access::open(actor, id, &sender.address(), identities).await?;
    access.needs(Rights::SHARE)?;
    let mut grants = Vec::new();
    for reader in to {
        let wrap = wrap_for(&access, reader, actor)?;
        grants.push(GrantSpec { address: reader.address, wrap, rights, expiration });
    }
    let calls = grants.chunks(MAX_GRANTS_PER_CALL).map(|batch| (batch.len(), Call::grant_access(id, batch.to_vec())));
    send_all(actor, sender, calls.collect(), watch).await
}

/// Closes a file to others, each once, in batches of 32. What they have read they keep; what they may still hold is the key of this version.
///
/// Caller: the owner, whoever gave the grant, or the grantee.
///
/// Errors: [`ShareError::Actor`]; [`ShareError::Partly`] where a batch had gone through.
pub async fn revoke(
    actor: &Actor,
    sender: &Sender,
    id: FileId,
    from: &[Address],
    watch: &dyn Watch,
) -> Result<Vec<Sent>, ShareError> {
    let from = distinct(from);
    let calls = from.chunks(MAX_REVOKES_PER_CALL).map(|batch| (batch.len(), Call::revoke_access(id, batch.to_vec())));
    send_all(actor, sender, calls.collect(), watch).await
}

/// Gives a file to a new owner, its key wrapped for them.
///
/// Caller: the owner.
///
/// Errors: [`ShareError::Access`] where it does not open to the sender; [`ShareError::BadKey`]; [`ShareError::Actor`].
pub async fn transfer(
    actor: &Actor,
    sender: &Sender,
    identities: &[Identity],
    id: FileId,
    to: &Reader,
    watch: &dyn Watch,
) -> Result<Sent, ShareError> {
    let access = Access::open(actor, id, &sender.address(), identities).await?;
    let wrap = wrap_for(&access, to, actor)?;
    Ok(actor.send_only(sender, &Call::transfer_file(id, to.address, wrap)?, watch).await?)
}

fn wrap_for(access: &Access, to: &Reader, actor: &Actor) -> Result<Vec<u8>, ShareError> {
    let who = || actor.node().prefix().show(&to.address);
    let wrap = crypt::wrap(&access.file_key, &to.recipient).map_err(|why| ShareError::BadKey { who: who(), why })?;
    Ok(wrap.into_bytes())
}

async fn send_all(
    actor: &Actor,
    sender: &Sender,
    calls: Vec<(usize, Result<Call, ActorError>)>,
    watch: &dyn Watch,
) -> Result<Vec<Sent>, ShareError> {
    let all = calls.iter().map(|(addresses, _)| addresses).sum();
    let (mut sent, mut done) = (Vec::new(), 0);
    for (addresses, call) in calls {
        match actor.send_only(sender, &call?, watch).await {
            Ok(one) => sent.push(one),
            Err(why) if done == 0 => return Err(why.into()),
            Err(why) => return Err(ShareError::Partly { done, all, sent, why }),
        }
        done += addresses;
    }
    Ok(sent)
}

/// Each address once, in the order given.
fn distinct(addresses: &[Address]) -> Vec<Address> {
    let mut seen = Vec::new();
    for address in addresses {
        if !seen.contains(address) {
            seen.push(*address);
        }
    }
    seen
}
