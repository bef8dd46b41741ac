//! What can be earned: bounties as a provider looks at them.

use bauta_abi::{BountyClaim, BountyId, BountyRecord, ClaimStatus, EPOCHS_IN_DAY, is_past};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;

use super::BountyError;
use crate::actor::Actor;

/// A bounty that takes claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Number of the bounty.
    pub id: BountyId,
    /// What the chain knows of it.
    pub record: BountyRecord,
    /// How many more claims are paid for now.
    pub replicas_left: u64,
    /// The providers that have claimed it; each may once.
    pub claimed_by: Vec<ActorID>,
}

impl Opening {
    /// A bounty as an opening at `now`; none where nothing can be claimed.
    pub fn of(id: BountyId, record: BountyRecord, claims: &[BountyClaim], now: ChainEpoch) -> Option<Self> {
        let terms = &record.terms;
        if record.cancelled || record.ended || is_past(terms.claim_deadline, now) {
            return None;
        }
        // A dead claim leaves its place to another one.
        let held = claims.iter().filter(|claim| claim.status != ClaimStatus::Dead).count() as u64;
        let places = terms.replicas.saturating_sub(held);
        let mut free = &record.escrowed - &record.reserved;
        let mut replicas_left = 0;
        while replicas_left < places && free >= terms.reward_per_replica {
            free -= &terms.reward_per_replica;
            replicas_left += 1;
        }
        let claimed_by = claims.iter().map(|claim| claim.provider).collect();
        (replicas_left > 0).then_some(Self { id, record, replicas_left, claimed_by })
    }

    /// What one replica earns a day, rounded down.
    pub fn per_day(&self) -> TokenAmount {
        let terms = &self.record.terms;
        (&terms.reward_per_replica * EPOCHS_IN_DAY).div_floor(terms.min_duration)
    }

    /// Whether a miner may claim it.
    pub fn is_open_to(&self, miner: ActorID) -> bool {
        let allowed = &self.record.terms.providers;
        let named = allowed.is_empty() || allowed.contains(&Address::new_id(miner));
        named && !self.claimed_by.contains(&miner)
    }
}

/// What can be claimed now: the best paid first, then what earns faster, then what is over sooner.
pub async fn openings(actor: &Actor, now: ChainEpoch) -> Result<Vec<Opening>, BountyError> {
    let mut all = Vec::new();
    for (id, record) in actor.bounties().await? {
        let claims = if record.claims > 0 { actor.claims(id).await? } else { Vec::new() };
        let claims: Vec<BountyClaim> = claims.into_iter().map(|(_, claim)| claim).collect();
        all.extend(Opening::of(id, record, &claims, now));
    }
    sort(&mut all);
    Ok(all)
}

fn sort(all: &mut [Opening]) {
    all.sort_by(|a, b| {
        let (left, right) = (&a.record.terms, &b.record.terms);
        let by_reward = right.reward_per_replica.cmp(&left.reward_per_replica);
        let by_rate = || b.per_day().cmp(&a.per_day());
        let by_time = || left.claim_deadline.cmp(&right.claim_deadline);
        by_reward.then_with(by_rate).then_with(by_time).then_with(|| a.id.cmp(&b.id))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use bauta_abi::Terms;
    use fvm_shared::piece::PaddedPieceSize;

    fn record(reward: i64, replicas: u64, escrowed: i64, reserved: i64) -> BountyRecord {
        let fil = TokenAmount::from_whole;
        let terms = Terms {
            piece_cid: crate::piece::CommP::of(b"a piece").unwrap().piece_cid,
            padded_size: PaddedPieceSize(128),
            file_id: None,
            reward_per_replica: fil(reward),
            activation_bps: 0,
            replicas,
            min_duration: 200 * 2880,
            claim_deadline: 100,
            providers: vec![],
            source: String::new(),
            note: String::new(),
        };
        BountyRecord {
            terms,
            creator: 1,
            created: 0,
            cancelled: false,
            funded: fil(escrowed),
            paid: fil(0),
            refunded: fil(0),
            escrowed: fil(escrowed),
            reserved: fil(reserved),
            claims: 0,
            ended: false,
        }
    }

    fn claim(provider: ActorID, status: ClaimStatus) -> BountyClaim {
        let (sector, deal, start, settled_until, covered, activated) = (1, None, 0, 0, 0, false);
        let (paid, sector_expiration) = (TokenAmount::default(), 10);
        BountyClaim {
            provider,
            sector,
            deal,
            start,
            settled_until,
            covered,
            activated,
            paid,
            sector_expiration,
            status,
        }
    }

    #[test]
    fn places_and_money_both_limit_what_is_left() {
        use ClaimStatus::{Completed, Dead, Open};
        let left = |record, claims: &[BountyClaim]| Opening::of(1, record, claims, 100).map(|o| o.replicas_left);
        assert_eq!(left(record(2, 3, 6, 0), &[]), Some(3));
        assert_eq!(left(record(2, 3, 5, 0), &[]), Some(2));
        assert_eq!(left(record(2, 3, 6, 2), &[claim(1000, Open)]), Some(2));
        assert_eq!(left(record(2, 3, 6, 6), &[claim(1000, Open)]), None);
        assert_eq!(left(record(2, 1, 2, 0), &[claim(1000, Completed)]), None);
        assert_eq!(left(record(2, 1, 2, 0), &[claim(1000, Dead)]), Some(1));
        assert_eq!(left(record(2, 3, 1, 0), &[]), None);
        assert!(Opening::of(1, record(2, 3, 6, 0), &[], 101).is_none(), "past the deadline");
        assert!(Opening::of(1, BountyRecord { cancelled: true, ..record(2, 3, 6, 0) }, &[], 1).is_none());
        assert!(Opening::of(1, BountyRecord { ended: true, ..record(2, 3, 6, 0) }, &[], 1).is_none());
    }

    #[test]
    fn each_may_claim_once_and_some_not_at_all() {
        let mut opening = Opening::of(1, record(2, 3, 6, 0), &[claim(1000, ClaimStatus::Dead)], 1).unwrap();
        assert!(!opening.is_open_to(1000) && opening.is_open_to(1001));
        opening.record.terms.providers = vec![Address::new_id(1002)];
        assert!(!opening.is_open_to(1001) && opening.is_open_to(1002));
        assert_eq!(opening.per_day(), TokenAmount::from_nano(10_000_000));
    }

    #[test]
    fn the_best_paid_comes_first() {
        let of = |id, reward, duration, deadline| {
            let mut record = record(reward, 1, reward, 0);
            (record.terms.min_duration, record.terms.claim_deadline) = (duration, deadline);
            Opening::of(id, record, &[], 1).unwrap()
        };
        let mut all = vec![of(1, 1, 10, 50), of(2, 5, 20, 50), of(3, 5, 10, 60), of(4, 5, 10, 50), of(5, 5, 10, 50)];
        sort(&mut all);
        assert_eq!(all.iter().map(|opening| opening.id).collect::<Vec<_>>(), [4, 5, 3, 2, 1]);
    }
}
