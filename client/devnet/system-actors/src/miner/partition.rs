//! A partition: the sectors that one proof covers, and what each of them is.

use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::tuple::*;
use fvm_shared::clock::ChainEpoch;

use crate::failure::{Result, ensure, illegal_argument};

/// Sets of sectors by epoch, in order.
pub type Queue = Vec<(ChainEpoch, BitField)>;

/// All sets are sector numbers. `sectors` = terminated + live; `recoveries` ⊆ `faults` ⊆ live; `unproven` ⊆ live,
/// without `faults`.
#[derive(Debug, Clone, Default, PartialEq, Serialize_tuple, Deserialize_tuple)]
pub struct Partition {
    /// Every sector that was ever added.
    pub sectors: BitField,
    /// Added since the last window.
    pub unproven: BitField,
    /// Not proven when they had to be, or declared so.
    pub faults: BitField,
    /// Faulty, and promised for the next proof.
    pub recoveries: BitField,
    /// Terminated or expired.
    pub terminated: BitField,
    /// Live sectors, by the last epoch of the window in which they expire.
    pub expirations: Queue,
    /// Faulty sectors, by the epoch at which they are given up.
    pub fault_limits: Queue,
}

/// What became of power, in sectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    /// Sectors that count now.
    pub gained: u64,
    /// Sectors that do not count any more.
    pub lost: u64,
}

impl Change {
    /// Adds another change to it.
    pub fn add(&mut self, other: Change) {
        self.gained += other.gained;
        self.lost += other.lost;
    }

    /// Sectors gained, less sectors lost.
    pub fn net(self) -> i64 {
        self.gained as i64 - self.lost as i64
    }
}

/// What a proof did to its partition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Proven {
    /// Sectors of the partition.
    pub sectors: BitField,
    /// Of these, those that the proof does not cover.
    pub ignored: BitField,
    /// Sectors that the proof brings back.
    pub recovered: u64,
    /// What became of power.
    pub power: Change,
}

/// What a closed window did to its partition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Closed {
    /// Sectors that reached their expiration.
    pub expired: BitField,
    /// Sectors given up after being faulty for too long.
    pub given_up: BitField,
    /// What became of power.
    pub power: Change,
}

impl Partition {
    /// Sectors not terminated.
    pub fn live(&self) -> BitField {
        &self.sectors - &self.terminated
    }

    /// Adds a new sector that expires in the window that ends at `expires`.
    pub fn add(&mut self, sector: u64, expires: ChainEpoch) {
        self.sectors.set(sector);
        self.unproven.set(sector);
        enqueue(&mut self.expirations, expires, &BitField::try_from_bits([sector]).unwrap_or_default());
    }

    /// Marks sectors faulty: those that are not yet. A promised recovery among them is taken back.
    ///
    /// Errors: 16: sectors of another partition.
    pub fn fault(&mut self, sectors: &BitField, limit: ChainEpoch) -> Result<Change> {
        ensure(self.sectors.contains_all(sectors), || illegal_argument("not all sectors are in the partition"))?;
        self.recoveries -= sectors;
        let new = &(sectors - &self.terminated) - &self.faults;
        let lost = (&new - &self.unproven).len();
        self.unproven -= &new;
        self.faults |= &new;
        enqueue(&mut self.fault_limits, limit, &new);
        Ok(Change { gained: 0, lost })
    }

    /// Promises faulty sectors for the next proof; others are ignored.
    ///
    /// Errors: 16: sectors of another partition.
    pub fn declare_recovered(&mut self, sectors: &BitField) -> Result<()> {
        ensure(self.sectors.contains_all(sectors), || illegal_argument("not all sectors are in the partition"))?;
        self.recoveries |= &(sectors & &self.faults);
        Ok(())
    }

    /// Takes a proof that leaves out `skipped`.
    ///
    /// Errors: 16: skipped sectors of another partition.
    pub fn prove(&mut self, skipped: &BitField, limit: ChainEpoch) -> Result<Proven> {
        let mut power = self.fault(skipped, limit)?;
        let recovered = std::mem::take(&mut self.recoveries);
        self.faults -= &recovered;
        dequeue(&mut self.fault_limits, &recovered);
        power.gained += recovered.len() + std::mem::take(&mut self.unproven).len();
        Ok(Proven {
            sectors: self.sectors.clone(),
            ignored: &self.faults | &self.terminated,
            recovered: recovered.len(),
            power,
        })
    }

    /// Closes the window at `now`, its last epoch: what was not proven is faulty, what is due goes.
    pub fn close(&mut self, proven: bool, now: ChainEpoch, limit: ChainEpoch) -> Result<Closed> {
        let mut power = Change::default();
        if !proven {
            power = self.fault(&self.live(), limit)?;
        }
        let expired = pop(&mut self.expirations, now);
        dequeue(&mut self.fault_limits, &expired);
        let given_up = pop(&mut self.fault_limits, now);
        dequeue(&mut self.expirations, &given_up);
        power.lost += self.bury(&(&expired | &given_up));
        Ok(Closed { expired, given_up, power })
    }

    /// Terminates live sectors.
    ///
    /// Errors: 16: some are not live sectors of this partition.
    pub fn terminate(&mut self, sectors: &BitField) -> Result<Change> {
        ensure(self.live().contains_all(sectors), || illegal_argument("can only terminate live sectors"))?;
        dequeue(&mut self.expirations, sectors);
        dequeue(&mut self.fault_limits, sectors);
        Ok(Change { gained: 0, lost: self.bury(sectors) })
    }

    /// Moves the expiration of active sectors.
    ///
    /// Errors: 20, as the official actor: some are not active.
    pub fn extend(&mut self, sectors: &BitField, expires: ChainEpoch) -> Result<()> {
        let active = &(&self.live() - &self.faults) - &self.unproven;
        ensure(active.contains_all(sectors), || crate::failure::illegal_state("cannot extend inactive sectors"))?;
        dequeue(&mut self.expirations, sectors);
        enqueue(&mut self.expirations, expires, sectors);
        Ok(())
    }

    /// Makes sectors terminated; returns how many of them counted as power.
    fn bury(&mut self, sectors: &BitField) -> u64 {
        let counted = (&(sectors - &self.faults) - &self.unproven).len();
        self.terminated |= sectors;
        self.faults -= sectors;
        self.recoveries -= sectors;
        self.unproven -= sectors;
        counted
    }
}

fn enqueue(queue: &mut Queue, epoch: ChainEpoch, sectors: &BitField) {
    if sectors.is_empty() {
        return;
    }
    match queue.binary_search_by_key(&epoch, |entry| entry.0) {
        Ok(at) => queue[at].1 |= sectors,
        Err(at) => queue.insert(at, (epoch, sectors.clone())),
    }
}

fn dequeue(queue: &mut Queue, sectors: &BitField) {
    if sectors.is_empty() {
        return;
    }
    queue.iter_mut().for_each(|entry| entry.1 -= sectors);
    queue.retain(|entry| !entry.1.is_empty());
}

/// Takes everything up to and including `epoch`.
fn pop(queue: &mut Queue, epoch: ChainEpoch) -> BitField {
    let due = queue.partition_point(|entry| entry.0 <= epoch);
    BitField::union(queue.drain(..due).map(|entry| entry.1).collect::<Vec<_>>().iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(numbers: &[u64]) -> BitField {
        BitField::try_from_bits(numbers.iter().copied()).unwrap()
    }

    fn partition() -> Partition {
        let mut p = Partition::default();
        p.add(1, 1000);
        p.add(2, 1000);
        p.add(7, 5000);
        p
    }

    /// The relations that the type's documentation promises.
    fn check(p: &Partition) {
        let live = p.live();
        assert!(p.sectors.contains_all(&p.terminated));
        assert!(live.contains_all(&p.faults) && p.faults.contains_all(&p.recoveries));
        assert!(live.contains_all(&p.unproven) && !p.faults.contains_any(&p.unproven));
        let queued = |q: &Queue| BitField::union(q.iter().map(|e| &e.1));
        assert_eq!(queued(&p.expirations), live);
        assert_eq!(queued(&p.fault_limits), p.faults);
    }

    #[test]
    fn a_proof_makes_new_sectors_count_and_a_second_one_adds_nothing() {
        let mut p = partition();
        let proven = p.prove(&BitField::new(), 900).unwrap();
        assert_eq!((proven.power.net(), proven.recovered, proven.ignored.len()), (3, 0, 0));
        assert_eq!(p.close(true, 59, 900).unwrap(), Closed::default());
        assert_eq!(p.prove(&BitField::new(), 900).unwrap().power, Change::default());
        check(&p);
    }

    #[test]
    fn a_missed_window_makes_faults_and_only_counted_sectors_lose_power() {
        let mut p = partition();
        assert_eq!(p.close(false, 59, 900).unwrap().power, Change::default());
        assert_eq!(p.faults, bits(&[1, 2, 7]));
        check(&p);

        let mut p = partition();
        p.prove(&BitField::new(), 900).unwrap();
        assert_eq!(p.close(false, 59, 900).unwrap().power.lost, 3);
        assert_eq!(p.close(false, 119, 960).unwrap().power.lost, 0);
        check(&p);
    }

    #[test]
    fn recovery_needs_a_declaration_and_a_proof() {
        let mut p = partition();
        p.close(false, 59, 900).unwrap();
        assert_eq!(p.prove(&BitField::new(), 900).unwrap().power.net(), 0);
        p.declare_recovered(&bits(&[1])).unwrap();
        let proven = p.prove(&BitField::new(), 900).unwrap();
        assert_eq!((proven.power.gained, proven.recovered, proven.ignored), (1, 1, bits(&[2, 7])));
        check(&p);
        p.declare_recovered(&bits(&[2, 7])).unwrap();
        p.close(false, 119, 960).unwrap();
        assert_eq!((p.faults.len(), p.recoveries.len()), (3, 0));
        check(&p);
    }

    #[test]
    fn faults_are_given_up_at_their_limit_unless_they_expire_first() {
        let mut p = partition();
        p.close(false, 59, 2000).unwrap();
        let closed = p.close(false, 1000, 2900).unwrap();
        assert_eq!((closed.expired, closed.given_up), (bits(&[1, 2]), bits(&[])));
        check(&p);
        let closed = p.close(false, 2000, 2900).unwrap();
        assert_eq!((closed.expired, closed.given_up, closed.power.lost), (bits(&[]), bits(&[7]), 0));
        assert!(p.live().is_empty());
        check(&p);
    }

    #[test]
    fn skipped_sectors_are_faulty_and_lose_their_promise() {
        let mut p = partition();
        p.prove(&BitField::new(), 900).unwrap();
        p.fault(&bits(&[1]), 900).unwrap();
        p.declare_recovered(&bits(&[1])).unwrap();
        let proven = p.prove(&bits(&[1, 2]), 900).unwrap();
        assert_eq!((proven.power.net(), proven.recovered, proven.ignored), (-1, 0, bits(&[1, 2])));
        check(&p);
    }

    #[test]
    fn only_live_sectors_of_the_partition_can_be_terminated() {
        let mut p = partition();
        p.prove(&BitField::new(), 900).unwrap();
        p.fault(&bits(&[2]), 900).unwrap();
        assert_eq!(p.terminate(&bits(&[1, 2])).unwrap().lost, 1);
        check(&p);
        for wrong in [[1], [3]] {
            assert_eq!(p.terminate(&bits(&wrong)).unwrap_err().code.value(), 16);
        }
        assert_eq!(p.fault(&bits(&[3]), 900).unwrap_err().code.value(), 16);
        assert_eq!(p.declare_recovered(&bits(&[3])).unwrap_err().code.value(), 16);
        assert_eq!(p.prove(&bits(&[3]), 900).unwrap_err().code.value(), 16);
    }

    #[test]
    fn extension_moves_active_sectors_only() {
        let mut p = partition();
        assert!(p.extend(&bits(&[1]), 9000).is_err());
        p.prove(&BitField::new(), 900).unwrap();
        p.extend(&bits(&[1]), 9000).unwrap();
        assert_eq!(p.close(true, 1000, 2000).unwrap().expired, bits(&[2]));
        check(&p);
    }
}
