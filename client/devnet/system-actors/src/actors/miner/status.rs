//! Where a sector is and how it is doing (FIP-0112).

use fvm_ipld_encoding::{BytesDe, BytesSer, from_slice, to_vec};
use fvm_shared::sector::SectorNumber;

use crate::failure::{Result, ensure, failure, illegal_argument, not_found};
use crate::miner::State;
use crate::miner::clock::is_deadline;
use crate::miner::partition::Partition;
use crate::policy::MAX_SECTOR_NUMBER;
use crate::runtime::{Answer, Store, done, load, reply};

const DEAD: u8 = 0;
const ACTIVE: u8 = 1;
const FAULTY: u8 = 2;
/// Deadline and partition of a sector that is nowhere.
const NOWHERE: (i64, i64) = (-1, -1);

#[inline(never)]
pub fn check_sector_proven((sector,): (SectorNumber,)) -> Answer {
    ensure(sector <= MAX_SECTOR_NUMBER, || illegal_argument("sector number out of range"))?;
    expect_sector(&load()?, sector)?;
    done()
}

#[inline(never)]
pub fn generate_sector_location((sector,): (SectorNumber,)) -> Answer {
    let state: State = load()?;
    let Some((deadline, index)) = state.locate(&Store, sector)? else {
        return reply(&(DEAD, BytesSer(&to_vec(&NOWHERE)?)));
    };
    let mut deadline_state = state.deadline(&Store, deadline)?;
    let partition = deadline_state.partition(index)?;
    let status = [DEAD, FAULTY].into_iter().find(|s| is(partition, sector, *s)).unwrap_or(ACTIVE);
    reply(&(status, BytesSer(&to_vec(&(deadline as i64, index as i64))?)))
}

#[inline(never)]
pub fn validate_sector_status((sector, status, location): (SectorNumber, u8, BytesDe)) -> Answer {
    use fvm_shared::error::ExitCode;
    ensure(status <= FAULTY, || failure(ExitCode::USR_SERIALIZATION, "no such status"))?;
    let state: State = load()?;
    let (deadline, index): (i64, i64) = from_slice(&location.0).map_err(|_| illegal_argument("invalid aux data"))?;
    ensure((deadline == NOWHERE.0) == (index == NOWHERE.1), || illegal_argument("invalid sector location"))?;
    if deadline == NOWHERE.0 {
        // Only absence can be validated here.
        ensure(state.sector(&Store, sector)?.is_none(), || not_found("sector is somewhere"))?;
        return reply(&(status == DEAD));
    }
    let deadline = deadline as u64;
    ensure(is_deadline(deadline), || illegal_argument("invalid deadline index"))?;
    let mut deadline = state.deadline(&Store, deadline)?;
    let partition = deadline.partition(index as u64)?;
    ensure(partition.sectors.get(sector), || not_found("sector is not there"))?;
    reply(&is(partition, sector, status))
}

#[inline(never)]
pub fn get_nominal_sector_expiration(sector: SectorNumber) -> Answer {
    reply(&expect_sector(&load()?, sector)?)
}

/// Nominal expiration. Exit 17: no such sector.
fn expect_sector(state: &State, sector: SectorNumber) -> Result<i64> {
    Ok(state.sector(&Store, sector)?.ok_or_else(|| not_found("no such sector"))?.expiration)
}

fn is(partition: &Partition, sector: SectorNumber, status: u8) -> bool {
    let (terminated, faulty) = (partition.terminated.get(sector), partition.faults.get(sector));
    match status {
        DEAD => terminated,
        FAULTY => faulty,
        _ => !terminated && !faulty,
    }
}
