//! A deadline: the partitions that are proven in the same window.

use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::tuple::*;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;

use super::partition::{Change, Closed, Partition, Proven};
use crate::failure::{Result, ensure, illegal_argument, not_found};
use crate::policy::PARTITIONS_MAX;

/// Partitions in order, and which of them were proven in the window that is open.
#[derive(Debug, Clone, Default, PartialEq, Serialize_tuple, Deserialize_tuple)]
pub struct Deadline {
    /// Partitions, by index.
    pub partitions: Vec<Partition>,
    /// Indices of those proven in this window.
    pub posted: BitField,
    /// Daily fees of all live sectors.
    pub daily_fee: TokenAmount,
}

/// What a closed window did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeadlineClosed {
    /// Sectors that reached their expiration.
    pub expired: BitField,
    /// Sectors given up after being faulty for too long.
    pub given_up: BitField,
    /// What became of power.
    pub power: Change,
    /// Sectors that were faulty before the window closed.
    pub faulty_before: u64,
}

impl Deadline {
    /// The partition at `index`. Exit 17: there is none.
    pub fn partition(&mut self, index: u64) -> Result<&mut Partition> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.partitions.get_mut(index).ok_or_else(|| not_found("no such partition"))
    }

    /// Sectors ever added, and sectors not terminated.
    pub fn count(&self) -> (u64, u64) {
        let total: u64 = self.partitions.iter().map(|p| p.sectors.len()).sum();
        (total, total - self.partitions.iter().map(|p| p.terminated.len()).sum::<u64>())
    }

    /// Adds a sector: to the last partition, or to a new one when that has `size` sectors.
    pub fn add(&mut self, sector: u64, expires: ChainEpoch, size: u64) {
        match self.partitions.last_mut() {
            Some(last) if last.sectors.len() < size => last.add(sector, expires),
            _ => {
                let mut new = Partition::default();
                new.add(sector, expires);
                self.partitions.push(new);
            }
        }
    }

    /// Takes proofs of partitions, each with the sectors that its proof skips.
    ///
    /// Errors: 16: a partition twice, or already proven; 17: no such partition.
    pub fn prove(&mut self, partitions: &[(u64, BitField)], limit: ChainEpoch) -> Result<Proven> {
        let mut all = Proven::default();
        for (index, skipped) in partitions {
            ensure(!self.posted.get(*index), || illegal_argument("partition already proven"))?;
            let proven = self.partition(*index)?.prove(skipped, limit)?;
            self.posted.set(*index);
            all.sectors |= &proven.sectors;
            all.ignored |= &proven.ignored;
            all.recovered += proven.recovered;
            all.power.add(proven.power);
        }
        Ok(all)
    }

    /// Closes the window at `now`, its last epoch. New faults are given up at `limit`.
    pub fn close(&mut self, now: ChainEpoch, limit: ChainEpoch) -> Result<DeadlineClosed> {
        let posted = std::mem::take(&mut self.posted);
        let mut all = DeadlineClosed::default();
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            all.faulty_before += partition.faults.len();
            let Closed { expired, given_up, power } = partition.close(posted.get(index as u64), now, limit)?;
            all.expired |= &expired;
            all.given_up |= &given_up;
            all.power.add(power);
        }
        Ok(all)
    }
}

/// A deadline's candidacy for new sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Deadline.
    pub index: u64,
    /// Sectors ever added.
    pub total: u64,
    /// Sectors not terminated.
    pub live: u64,
}

/// Chooses a deadline for each of `count` sectors, as the official actor does: the fewest partitions to prove, then the
/// fullest open partition, then the fewest live sectors, then the lowest index.
///
/// Errors: 20, as there: every candidate has all partitions it may have.
pub fn assign(mut candidates: Vec<Candidate>, count: usize, size: u64) -> Result<Vec<u64>> {
    let key = |c: &Candidate| {
        let full = c.total.is_multiple_of(size);
        let open = if full { 0 } else { u64::MAX - c.total };
        (c.live / size + 1, c.total / size + 1, full, open, c.live, c.index)
    };
    let mut chosen = Vec::with_capacity(count);
    for _ in 0..count {
        let best = candidates
            .iter_mut()
            .min_by_key(|c| key(c))
            .filter(|c| c.total / size < PARTITIONS_MAX)
            .ok_or_else(|| crate::failure::illegal_state("no deadline takes more sectors"))?;
        best.total += 1;
        best.live += 1;
        chosen.push(best.index);
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(indices: std::ops::Range<u64>) -> Vec<Candidate> {
        indices.map(|index| Candidate { index, total: 0, live: 0 }).collect()
    }

    #[test]
    fn sectors_fill_a_partition_then_spread_over_the_deadlines() {
        assert_eq!(assign(fresh(2..5), 8, 2).unwrap(), [2, 2, 3, 3, 4, 4, 2, 2]);
    }

    #[test]
    fn an_open_partition_comes_before_an_empty_deadline() {
        let mut c = fresh(0..3);
        c[2] = Candidate { index: 2, total: 1, live: 1 };
        assert_eq!(assign(c, 3, 2).unwrap(), [2, 0, 0]);
        assert!(assign(vec![], 1, 2).is_err());
    }

    #[test]
    fn a_partition_is_proven_once_a_window() {
        let mut d = Deadline::default();
        for sector in 0..3 {
            d.add(sector, 10_000, 2);
        }
        assert_eq!((d.partitions.len(), d.count()), (2, (3, 3)));
        let none = BitField::new;
        assert_eq!(d.clone().prove(&[(0, none()), (0, none())], 900).unwrap_err().code.value(), 16);
        assert_eq!(d.clone().prove(&[(2, none())], 900).unwrap_err().code.value(), 17);
        let proven = d.prove(&[(0, none())], 900).unwrap();
        assert_eq!((proven.power.gained, proven.sectors.len()), (2, 2));
        let closed = d.close(59, 900).unwrap();
        assert_eq!((closed.power, d.partitions[1].faults.len(), closed.faulty_before), (Change::default(), 1, 0));
        assert!(d.prove(&[(0, none())], 900).is_ok());
        assert_eq!(d.close(119, 960).unwrap().faulty_before, 1);
    }
}
