//! The registration: one message, whose slip tells of it until the job's journal tells what came of it.
//!
//! Slip, push, receipt, journal, slip thrown away: whoever continues after any of them finds the slip, or the end in the journal. The chain
//! itself is asked as well, by the file's key, before a message is made anew.

use bauta_abi::{FileId, FileSpec, RegisterFileReturn, UpdateFileReturn};
use cid::Cid;
use fvm_shared::address::Address;

use super::job::{Job, Registered};
use super::{Request, Store, StoreError, Watch};
use crate::access::actor_id;
use crate::actor::{ActorError, Call, Done};
use crate::sender::{self, SendError, Sent};

impl Store<'_> {
    /// Registers the file, or finds out that it is.
    pub(super) async fn register(
        &self,
        name: &str,
        job: &mut Job,
        request: &Request,
        watch: &dyn Watch,
    ) -> Result<Registered, StoreError> {
        let registered = match &job.registered {
            Some(registered) => registered.clone(),
            None => {
                let file = job.file.clone().expect("packed before it is registered");
                let registered = self.registered(&file, request, watch).await?;
                job.registered = Some(registered.clone());
                self.outbox.save(name, job)?;
                registered
            }
        };
        // The journal tells the end of it.
        if let Some(cid) = registered.message.as_ref().and_then(|cid| cid.parse().ok()) {
            self.forget(&cid)?;
        }
        Ok(registered)
    }

    /// Goes on with the message of an earlier run, or finds what it did, or sends one.
    async fn registered(
        &self,
        file: &FileSpec,
        request: &Request,
        watch: &dyn Watch,
    ) -> Result<Registered, StoreError> {
        let call = self.call(file, request).await?;
        match self.sent(&call, request.update, true, watch).await {
            Ok(Some(registered)) => return Ok(registered),
            Ok(None) => {}
            Err(StoreError::Actor(ActorError::Send(error))) => {
                let SendError::Forgotten { cid, .. } = *error else { return Err(ActorError::Send(error).into()) };
                // The node cannot tell what became of the message; the registry can, if it is there.
                let Some(found) = self.found(file, request).await? else { return Err(ActorError::Send(error).into()) };
                self.forget(&cid)?;
                return Ok(found);
            }
            Err(error) => return Err(error),
        }
        if let Some(found) = self.found(file, request).await? {
            return Ok(found);
        }
        let sent = self.sent(&call, request.update, false, watch).await?;
        Ok(sent.expect("what is sent anew is sent"))
    }

    /// Whether a message that an earlier run has signed may still register what the job has packed.
    pub(super) async fn is_on_its_way(&self, job: &Job, request: &Request) -> Result<bool, StoreError> {
        let Some(file) = &job.file else { return Ok(false) };
        let call = self.call(file, request).await?;
        Ok(self.actor.has_left(self.sender, &call).await?)
    }

    /// Makes a slip of the message that an earlier build has noted in the job's journal.
    pub(super) async fn adopt(&self, name: &str, job: &mut Job, request: &Request) -> Result<(), StoreError> {
        let (Some(slip), Some(file)) = (&job.pending, &job.file) else { return Ok(()) };
        if job.registered.is_none() {
            let call = self.call(file, request).await?;
            self.actor.adopt(self.sender, &call, slip.clone()).await?;
        }
        job.pending = None;
        Ok(self.outbox.save(name, job)?)
    }

    fn forget(&self, cid: &Cid) -> Result<(), StoreError> {
        Ok(self.sender.forget(cid).map_err(ActorError::from)?)
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

    /// Sends the call, or goes only on with what was sent.
    async fn sent(
        &self,
        call: &Call,
        update: Option<FileId>,
        only_on: bool,
        watch: &dyn Watch,
    ) -> Result<Option<Registered>, StoreError> {
        let (actor, sender, watch): (_, _, &dyn sender::Watch) = (self.actor, self.sender, watch);
        Ok(match (update, only_on) {
            (None, true) => actor.go_on(sender, call, watch).await?.map(first).transpose()?,
            (None, false) => Some(first(actor.send(sender, call, watch).await?)?),
            (Some(id), true) => actor.go_on(sender, call, watch).await?.map(|done| updated(id, done)),
            (Some(id), false) => Some(updated(id, actor.send(sender, call, watch).await?)),
        })
    }

    async fn call(&self, file: &FileSpec, request: &Request) -> Result<Call, StoreError> {
        let Some(id) = request.update else { return Ok(Call::register_file(vec![file.clone()])?.kept()) };
        let record = self.actor.file(id).await?.ok_or(StoreError::NoSuchFile(id))?;
        // It is the same update whatever version it was meant to follow.
        Ok(Call::update_file(id, record.version, file.clone())?.meaning(&(id, file))?.kept())
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
