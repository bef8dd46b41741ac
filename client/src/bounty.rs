//! Bounties: money in escrow for whoever keeps a piece stored, paid against proof on the chain.
//!
//! fund -> Open -> Claimed -> Settled -> Closed
//!
//! ```no_run
//! # async fn example(sender: bauta_client::sender::Sender, actor: bauta_client::actor::Actor)
//! #     -> Result<(), Box<dyn std::error::Error>> {
//! use bauta_client::bounty;
//! use bauta_client::sender::Silent;
//!
//! let settled = bounty::settle(&actor, &sender, 1, &[], &Silent).await?;
//! for paid in settled.claims {
//!     println!("claim {} got {} FIL", paid.claim, paid.amount);
//! }
//! # Ok(())
//! # }
//! ```

mod location;
mod offer;
mod opening;

use bauta_abi::{
    BountyClaim, BountyId, BountyRecord, ClaimId, ClaimStatus, CreateBountyReturn, Exit, MAX_SETTLEMENTS_PER_CALL,
    RefundBountyReturn, SettleBountyReturn, Settlement, Terms,
};
use fvm_shared::econ::TokenAmount;

use crate::actor::{Actor, ActorError, Call, Done};
use crate::sender::{Sender, Sent, Watch};

pub use location::{sector_location, sector_status};
pub use offer::{Offer, piece_of, with_size};
pub use opening::{Opening, openings};

/// Why a bounty did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum BountyError {
    /// No such bounty.
    #[error("there is no bounty {0}")]
    NoSuchBounty(BountyId),
    /// No such claim.
    #[error("bounty {bounty} has no claim {claim}")]
    NoSuchClaim {
        /// The bounty.
        bounty: BountyId,
        /// The claim.
        claim: ClaimId,
    },
    /// There is nothing to settle.
    #[error("bounty {0} has no open claim")]
    NothingToSettle(BountyId),
    /// Nobody says how many bytes the piece has, and its CID as providers write it holds that number.
    #[error("nobody says how many bytes the piece of bounty {0} has: give --payload-size")]
    UnknownSize(BountyId),
    /// It lasts longer than any deal.
    #[error("bounty {0} asks for longer than any provider's deal lasts")]
    TooLong(BountyId),
    /// The chain.
    #[error(transparent)]
    Actor(#[from] ActorError),
}

/// One claim that was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// Which claim.
    pub claim: ClaimId,
    /// What it got now.
    pub amount: TokenAmount,
    /// What the claim looks like afterwards.
    pub after: BountyClaim,
}

/// What settling did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// In the order of the claims.
    pub claims: Vec<Paid>,
    /// The messages, 32 claims each.
    pub sent: Vec<Sent>,
}

/// A bounty, which has to be there.
pub async fn get(actor: &Actor, id: BountyId) -> Result<BountyRecord, BountyError> {
    actor.bounty(id).await?.ok_or(BountyError::NoSuchBounty(id))
}

/// Offers a reward, funded with `value`.
pub async fn create(
    actor: &Actor,
    sender: &Sender,
    terms: Terms,
    value: TokenAmount,
    watch: &dyn Watch,
) -> Result<Done<CreateBountyReturn>, BountyError> {
    Ok(actor.send(sender, &Call::create_bounty(terms, value)?, watch).await?)
}

/// Settles claims: those named, or all open ones. Each sector's place is looked up freshly; where one moves in between, all are looked up once more.
pub async fn settle(
    actor: &Actor,
    sender: &Sender,
    id: BountyId,
    only: &[ClaimId],
    watch: &dyn Watch,
) -> Result<Settled, BountyError> {
    get(actor, id).await?;
    let chosen = choose(id, actor.claims(id).await?, only)?;
    let mut settled = Settled { claims: Vec::new(), sent: Vec::new() };
    for batch in chosen.chunks(MAX_SETTLEMENTS_PER_CALL) {
        let done = match settle_batch(actor, sender, id, batch, watch).await {
            Err(error) if error.exit() == Some(Exit::StaleLocation) => {
                settle_batch(actor, sender, id, batch, watch).await?
            }
            other => other?,
        };
        // What was paid is told whether or not the node goes on answering.
        let after = actor.claims(id).await.unwrap_or_default();
        for ((claim, before), amount) in batch.iter().zip(done.value.amounts) {
            let after = after.iter().find(|(other, _)| other == claim).map_or(before, |(_, after)| after).clone();
            settled.claims.push(Paid { claim: *claim, amount, after });
        }
        settled.sent.push(done.sent);
    }
    Ok(settled)
}

/// The claims to settle.
fn choose(
    id: BountyId,
    claims: Vec<(ClaimId, BountyClaim)>,
    only: &[ClaimId],
) -> Result<Vec<(ClaimId, BountyClaim)>, BountyError> {
    if let Some(claim) = only.iter().find(|wanted| claims.iter().all(|(claim, _)| claim != *wanted)) {
        return Err(BountyError::NoSuchClaim { bounty: id, claim: *claim });
    }
    let chosen: Vec<_> = claims
        .into_iter()
        .filter(
            |(claim, record)| {
                if only.is_empty() { record.status == ClaimStatus::Open } else { only.contains(claim) }
            },
        )
        .collect();
    if chosen.is_empty() { Err(BountyError::NothingToSettle(id)) } else { Ok(chosen) }
}

async fn settle_batch(
    actor: &Actor,
    sender: &Sender,
    id: BountyId,
    batch: &[(ClaimId, BountyClaim)],
    watch: &dyn Watch,
) -> Result<Done<SettleBountyReturn>, ActorError> {
    let mut settlements = Vec::new();
    for (claim, record) in batch {
        let aux = sector_location(actor, record.provider, record.sector).await?;
        settlements.push(Settlement { claim: *claim, aux });
    }
    actor.send(sender, &Call::settle_bounty(id, settlements)?, watch).await
}

/// Takes back the sender's share of what was not earned.
pub async fn refund(
    actor: &Actor,
    sender: &Sender,
    id: BountyId,
    watch: &dyn Watch,
) -> Result<Done<RefundBountyReturn>, BountyError> {
    get(actor, id).await?;
    Ok(actor.send(sender, &Call::refund_bounty(id)?, watch).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(status: ClaimStatus) -> BountyClaim {
        BountyClaim {
            provider: 1000,
            sector: 1,
            deal: None,
            start: 0,
            settled_until: 0,
            covered: 0,
            activated: false,
            paid: TokenAmount::default(),
            sector_expiration: 10,
            status,
        }
    }

    #[test]
    fn open_claims_are_settled_unless_some_are_named() {
        let all =
            || vec![(0, claim(ClaimStatus::Dead)), (1, claim(ClaimStatus::Open)), (2, claim(ClaimStatus::Completed))];
        let ids = |chosen: Vec<(ClaimId, BountyClaim)>| chosen.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids(choose(7, all(), &[]).unwrap()), [1]);
        assert_eq!(ids(choose(7, all(), &[0, 2]).unwrap()), [0, 2]);
        assert!(matches!(choose(7, all(), &[1, 9]), Err(BountyError::NoSuchClaim { bounty: 7, claim: 9 })));
        assert!(matches!(choose(7, vec![], &[]), Err(BountyError::NothingToSettle(7))));
    }
}
