//! Messages that an earlier run has signed: looked up, handed over if no node knows them, waited for, and never made a second time.

use cid::Cid;
use fvm_shared::clock::ChainEpoch;

use super::{SendError, Sender, Sent, Watch};
use crate::message::{Message, SignedMessage};

impl Sender {
    /// Continues with a message that was signed before, by this process or an earlier one: looks it up, hands it over if no node knows it,
    /// and waits. The same signed bytes can be executed only once, so this never does a thing twice.
    ///
    /// `since` is an epoch before it was signed. Errors: as [`Sender::send`]; Refused with `nonce too low`: another message took its
    /// nonce, so it can never be executed.
    pub async fn resume(
        &self,
        signed: &SignedMessage,
        since: ChainEpoch,
        watch: &dyn Watch,
    ) -> Result<Sent, SendError> {
        self.check_network().await?;
        let sent = self.see_through(signed, since, watch).await;
        if let Some(slips) = &self.slips
            && sent.as_ref().map_or_else(SendError::can_never_be, |_| true)
        {
            slips.forget_message(&signed.cid())?;
        }
        sent
    }

    /// Sees the messages of this sender through that earlier runs have left on their way, of those that `chosen` chooses. What can never
    /// have an effect any more is forgotten.
    ///
    /// Errors: as [`Sender::resume`]; the messages after the one that fails are left.
    pub async fn settle(&self, chosen: impl Fn(&Message) -> bool, watch: &dyn Watch) -> Result<Vec<Sent>, SendError> {
        let Some(slips) = &self.slips else { return Ok(Vec::new()) };
        let me = self.address();
        let mut left = slips.all()?;
        left.retain(|(_, slip)| slip.signed.message.from == me && chosen(&slip.signed.message));
        left.sort_by_key(|(_, slip)| slip.signed.message.sequence);
        let mut settled = Vec::new();
        for (name, slip) in left {
            let _mine = slips.take(&name)?;
            match self.resume(&slip.signed, slip.since, watch).await {
                Ok(sent) => settled.push(sent),
                Err(error) if error.can_never_be() => {}
                Err(error) => return Err(error),
            }
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
