//! Messages that an earlier run has signed: looked up, handed over if no node knows them, waited for, and never made a second time.

use cid::Cid;
use fvm_shared::clock::ChainEpoch;

use super::{Call, SendError, Sender, Sent, Slip, Slips, Watch};
use crate::home::{FileError, Lock};
use crate::message::{Message, SignedMessage};

impl Sender {
    /// Goes on with a call whose message an earlier run has signed and not seen the end of, and sends nothing new: none where there is no such
    /// message, or it can never have an effect any more.
    ///
    /// Errors: as [`Sender::resume`].
    pub async fn go_on(&self, call: &Call, watch: &dyn Watch) -> Result<Option<Sent>, SendError> {
        self.check_network().await?;
        let Some(slips) = &self.slips else { return Ok(None) };
        let name = Slips::name(&self.address(), call);
        let _mine = self.take(slips, &name)?;
        self.left(slips, &name, call.kept, watch).await
    }

    /// Whether an earlier run has signed a message for this call, as far as is written down.
    pub fn has_left(&self, call: &Call) -> Result<bool, SendError> {
        let Some(slips) = &self.slips else { return Ok(false) };
        Ok(slips.read(&Slips::name(&self.address(), call))?.is_some())
    }

    /// Takes a call's message over from where an earlier build wrote it down.
    ///
    /// Errors: NoSlips; Slip.
    pub fn adopt(&self, call: &Call, slip: Slip) -> Result<(), SendError> {
        let slips = self.slips.as_ref().ok_or(SendError::NoSlips)?;
        Ok(slips.adopt(&Slips::name(&slip.signed.message.from, call), slip)?)
    }

    /// Throws away what is written down of a message, once what came of it is written down elsewhere.
    pub fn forget(&self, cid: &Cid) -> Result<(), SendError> {
        Ok(self.slips.iter().try_for_each(|slips| slips.forget_message(cid))?)
    }

    /// Takes a call for this process, until it is over.
    pub(super) fn take(&self, slips: &Slips, name: &str) -> Result<Lock, SendError> {
        slips.take(name).map_err(|error| match error {
            FileError::Busy(_) => SendError::Stopped("another bauta process is sending the very same".into()),
            other => other.into(),
        })
    }

    /// Sees the message of a name through that the caller has taken.
    pub(super) async fn left(
        &self,
        slips: &Slips,
        name: &str,
        kept: bool,
        watch: &dyn Watch,
    ) -> Result<Option<Sent>, SendError> {
        let Some(slip) = slips.read(name)? else { return Ok(None) };
        watch.continued(&slip.signed.cid());
        let sent = match self.resume(&slip.signed, slip.since, watch).await {
            Ok(sent) => Some(sent),
            Err(error) if error.can_never_be() => None,
            Err(error) => return Err(error),
        };
        if sent.is_none() || !kept {
            slips.forget(name)?;
        }
        Ok(sent)
    }

    /// Continues with a message that was signed before, by this process or an earlier one: looks it up, hands it over if no node knows it,
    /// and waits. The same signed bytes can be executed only once, so this never does a thing twice. Its slip, if it has one, stays.
    ///
    /// `since` is an epoch before it was signed. Errors: as [`Sender::send`]; Refused with `nonce too low`: another message took its
    /// nonce, so it can never be executed; Forgotten: the node does not tell which one did.
    pub async fn resume(
        &self,
        signed: &SignedMessage,
        since: ChainEpoch,
        watch: &dyn Watch,
    ) -> Result<Sent, SendError> {
        self.check_network().await?;
        self.see_through(signed, since, watch).await
    }

    /// Sees the messages of this sender through that earlier runs have left on their way, of those that `chosen` chooses. What can never
    /// have an effect any more is forgotten; of the others, the slips that are [kept](Slip::kept) stay for whoever keeps them.
    ///
    /// Errors: as [`Sender::resume`]; the messages after the one that fails are left.
    pub async fn settle(&self, chosen: impl Fn(&Message) -> bool, watch: &dyn Watch) -> Result<Vec<Sent>, SendError> {
        let Some(slips) = &self.slips else { return Ok(Vec::new()) };
        let me = self.address();
        let mut left = slips.all()?;
        left.retain(|(_, slip)| slip.signed.message.from == me && chosen(&slip.signed.message));
        left.sort_by_key(|(_, slip)| slip.signed.message.sequence);
        let mut settled = Vec::new();
        for (name, _) in left {
            let _mine = self.take(slips, &name)?;
            // Another process may have seen it through, and begun the same anew.
            let Some(slip) = slips.read(&name)? else { continue };
            let sent = match self.resume(&slip.signed, slip.since, watch).await {
                Ok(sent) => Some(sent),
                Err(error) if error.can_never_be() => None,
                Err(error) => return Err(error),
            };
            if sent.is_none() || !slip.kept {
                slips.forget(&name)?;
            }
            settled.extend(sent);
        }
        Ok(settled)
    }

    async fn see_through(
        &self,
        signed: &SignedMessage,
        since: ChainEpoch,
        watch: &dyn Watch,
    ) -> Result<Sent, SendError> {
        let turn = self.turn().await?;
        // What the node knows is waited for. (Handed over again just after it was put into a block, its nonce is too low and its receipt not
        // there yet.)
        if !self.is_known(&signed.cid()).await?
            && let Err(error) = self.push(signed).await
        {
            if !error.can_never_be() {
                return Err(error);
            }
            self.look_back(&signed.cid(), since, error).await?;
        }
        drop(turn);
        self.confirm(signed, since, watch).await
    }

    /// Its nonce is taken. By whom, if the node knows messages no more that were executed a while ago? By itself, if it is found.
    ///
    /// Errors: the given one, where it was surely another message; Forgotten where nobody can tell; Unconfirmed where the node does not answer.
    async fn look_back(&self, cid: &Cid, since: ChainEpoch, error: SendError) -> Result<(), SendError> {
        let found = self.node.find_msg(cid, since, &self.wait).await;
        let head = self.node.chain_head().await?.height;
        match found {
            Ok(Some(_)) => Ok(()),
            Err(why) if why.is_replaced() => Err(error),
            Ok(None) if self.wait.reaches(since, head) => Err(error),
            Ok(None) => {
                let slip = self.slips.as_ref().and_then(|slips| slips.path_of(cid).ok().flatten());
                let slip = slip.map_or_else(|| "its journal".into(), |path| path.display().to_string());
                Err(SendError::Forgotten { cid: *cid, since, slip: slip.into() })
            }
            Err(why) => {
                let reason = format!("its nonce is taken, and the node does not say by what: {why}");
                Err(SendError::Unconfirmed { cid: *cid, reason })
            }
        }
    }
}
