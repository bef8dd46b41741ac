//! Sharing: the file key, wrapped for somebody else, goes on the chain; no byte is uploaded again.
//!
//! ```no_run
//! # async fn example(sender: bauta_client::sender::Sender, actor: bauta_client::actor::Actor,
//! #     me: bauta_client::crypt::Identity) -> Result<(), Box<dyn std::error::Error>> {
//! use bauta_abi::{EPOCH_NEVER, Rights};
//! use bauta_client::address;
//! use bauta_client::sender::Silent;
//! use bauta_client::share;
//!
//! let friend = address::parse("t1…")?;
//! share::grant(&actor, &sender, &[me], 7, &[friend], Rights::READ, EPOCH_NEVER, &Silent).await?;
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

/// Publishes the recipient under the sender's address, unless it is there already.
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

/// The published recipient of an address.
///
/// Errors: [`ShareError::NoKey`], [`ShareError::BadKey`].
pub async fn recipient_of(actor: &Actor, address: &Address) -> Result<Recipient, ShareError> {
    let who = || actor.node().prefix().show(address);
    match published(actor, address).await? {
        Some(key) => key.recipient.parse().map_err(|why| ShareError::BadKey { who: who(), why }),
        None => Err(ShareError::NoKey(vec![who()])),
    }
}

/// The key that an address has published; an address that is not on the chain has none.
async fn published(actor: &Actor, address: &Address) -> Result<Option<Key>, ActorError> {
    match actor_id(actor, address).await? {
        Some(id) => actor.key(&Address::new_id(id)).await,
        None => Ok(None),
    }
}

/// Opens a file to others: wraps its key for each of them. All must have published a key before the first message is sent; then batches of 32.
#[allow(clippy::too_many_arguments)] // The ABI's own parameters plus the three that every flow has.
pub async fn grant(
    actor: &Actor,
    sender: &Sender,
    identities: &[Identity],
    id: FileId,
    to: &[Address],
    rights: Rights,
    expiration: ChainEpoch,
    watch: &dyn Watch,
) -> Result<Vec<Sent>, ShareError> {
    let access = Access::open(actor, id, &sender.address(), identities).await?;
    access.needs(Rights::SHARE)?;
    let mut missing = Vec::new();
    let mut grants = Vec::new();
    for address in distinct(to) {
        match recipient_of(actor, &address).await {
            Ok(recipient) => {
                let wrap = wrap_for(&access, &recipient, actor, &address)?;
                grants.push(GrantSpec { address, wrap, rights, expiration });
            }
            Err(ShareError::NoKey(who)) => missing.extend(who),
            Err(other) => return Err(other),
        }
    }
    if !missing.is_empty() {
        return Err(ShareError::NoKey(missing));
    }
    let calls = grants.chunks(MAX_GRANTS_PER_CALL).map(|batch| (batch.len(), Call::grant_access(id, batch.to_vec())));
    send_all(actor, sender, calls.collect(), watch).await
}

/// Closes a file to others. What they have read they keep; what they may still hold is the key of this version.
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
pub async fn transfer(
    actor: &Actor,
    sender: &Sender,
    identities: &[Identity],
    id: FileId,
    to: &Address,
    watch: &dyn Watch,
) -> Result<Sent, ShareError> {
    let access = Access::open(actor, id, &sender.address(), identities).await?;
    let recipient = recipient_of(actor, to).await?;
    let wrap = wrap_for(&access, &recipient, actor, to)?;
    Ok(actor.send_only(sender, &Call::transfer_file(id, *to, wrap)?, watch).await?)
}

fn wrap_for(access: &Access, to: &Recipient, actor: &Actor, address: &Address) -> Result<Vec<u8>, ShareError> {
    let who = || actor.node().prefix().show(address);
    let wrap = crypt::wrap(&access.file_key, to).map_err(|why| ShareError::BadKey { who: who(), why })?;
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
