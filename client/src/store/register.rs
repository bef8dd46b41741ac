//! The registration: one message, written down before it is pushed, and found again by its CID or by what it did.

use std::sync::Mutex;

use bauta_abi::{FileId, FileSpec, RegisterFileReturn, UpdateFileReturn};

use super::job::{Job, Registered};
use super::{Request, Store, StoreError, Watch};
use crate::access::actor_id;
use crate::actor::{ActorError, Call, Done};
use crate::message::SignedMessage;
use crate::node::Waiting;
use crate::sender::{self, Cost, Sent, Slip};
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;

impl Store<'_> {
    /// Registers the file, or finds out that it is.
    pub(super) async fn register(
        &self,
        name: &str,
        job: &mut Job,
        request: &Request,
        watch: &dyn Watch,
    ) -> Result<Registered, StoreError> {
        if let Some(registered) = &job.registered {
            return Ok(registered.clone());
        }
        let file = job.file.clone().expect("packed before it is registered");
        let registered = match self.found(&file, request).await? {
            Some(found) => found,
            None => self.send(name, job, &file, request, watch).await?,
        };
        job.registered = Some(registered.clone());
        job.pending = None;
        self.outbox.save(name, job)?;
        Ok(registered)
    }

    /// Looks for the file on the chain: its key is new with every packing, so its commitment is the file's fingerprint.
    async fn found(&self, file: &FileSpec, request: &Request) -> Result<Option<Registered>, StoreError> {
        let of = |file, version| Registered { file, version, message: None, gas_used: None, epoch: None };
        if let Some(id) = request.update {
            let record = self.actor.file(id).await?.ok_or(StoreError::NoSuchFile(id))?;
            let same = record.file.key_commitment == file.key_commitment;
            return Ok(same.then(|| of(id, record.version)));
        }
        let Some(me) = actor_id(self.actor, &self.sender.address()).await? else { return Ok(None) };
        let mine = self.actor.files_of(&Address::new_id(me)).await?;
        let same = mine.iter().find(|(_, record)| record.file.key_commitment == file.key_commitment);
        Ok(same.map(|(id, record)| of(*id, record.version)))
    }

    async fn send(
        &self,
        name: &str,
        job: &mut Job,
        file: &FileSpec,
        request: &Request,
        watch: &dyn Watch,
    ) -> Result<Registered, StoreError> {
        if let Some(pending) = job.pending.clone() {
            match self.resume(&pending, file, request, watch).await {
                Err(StoreError::Actor(error)) if can_never_be(&error) => {
                    job.pending = None;
                    self.outbox.save(name, job)?;
                }
                other => return other,
            }
        }
        let call = self.call(file, request).await?;
        let since = self.actor.node().chain_head().await?.height - 1;
        let journal = Journal { store: self, name, job: Mutex::new(job), since, watch };
        match request.update {
            None => Ok(first(self.actor.send(self.sender, &call, &journal).await?)?),
            Some(id) => Ok(updated(id, self.actor.send(self.sender, &call, &journal).await?)),
        }
    }

    async fn resume(
        &self,
        pending: &Slip,
        file: &FileSpec,
        request: &Request,
        watch: &dyn Watch,
    ) -> Result<Registered, StoreError> {
        let call = self.call(file, request).await?;
        let (signed, since) = (&pending.signed, pending.since);
        let watch: &dyn sender::Watch = watch;
        match request.update {
            None => Ok(first(self.actor.resume(self.sender, &call, signed, since, watch).await?)?),
            Some(id) => Ok(updated(id, self.actor.resume(self.sender, &call, signed, since, watch).await?)),
        }
    }

    async fn call(&self, file: &FileSpec, request: &Request) -> Result<Call, StoreError> {
        let Some(id) = request.update else { return Ok(Call::register_file(vec![file.clone()])?) };
        let record = self.actor.file(id).await?.ok_or(StoreError::NoSuchFile(id))?;
        Ok(Call::update_file(id, record.version, file.clone())?)
    }
}

/// Whether a message that was signed will never have an effect: it was executed and failed, or another one took its nonce.
fn can_never_be(error: &ActorError) -> bool {
    match error {
        ActorError::Rejected(rejection) => rejection.executed.is_some(),
        ActorError::Send(error) => error.can_never_be(),
        _ => false,
    }
}

fn first(done: Done<RegisterFileReturn>) -> Result<Registered, ActorError> {
    let id = done.value.ids.first().copied().ok_or_else(|| ActorError::Answer {
        method: bauta_abi::Method::RegisterFile,
        why: bauta_abi::WireError::Malformed("no file number".into()),
    })?;
    Ok(registered(id, 1, &done.sent))
}

fn updated(id: FileId, done: Done<UpdateFileReturn>) -> Registered {
    registered(id, done.value.version, &done.sent)
}

fn registered(file: FileId, version: u64, sent: &Sent) -> Registered {
    Registered {
        file,
        version,
        message: Some(sent.cid.to_string()),
        gas_used: Some(sent.receipt.gas_used),
        epoch: Some(sent.height),
    }
}

/// Writes the message down before it can reach the chain.
struct Journal<'a> {
    store: &'a Store<'a>,
    name: &'a str,
    job: Mutex<&'a mut Job>,
    since: ChainEpoch,
    watch: &'a dyn Watch,
}

impl sender::Watch for Journal<'_> {
    fn priced(&self, cost: &Cost) -> Result<(), String> {
        self.watch.priced(cost)
    }

    fn before_push(&self, signed: &SignedMessage) -> Result<(), String> {
        self.watch.before_push(signed)?;
        let mut job = self.job.lock().map_err(|_| "the journal is broken".to_string())?;
        job.pending = Some(Slip { signed: signed.clone(), since: self.since });
        self.store.outbox.save(self.name, &job).map_err(|e| e.to_string())
    }

    fn waiting(&self, progress: Waiting) {
        self.watch.waiting(progress);
    }
}
