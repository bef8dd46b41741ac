//! In which null rounds cron has work: the last epoch of each deadline of each miner with sectors.
//!
//! All other cron work (power, reward, market) catches up over skipped epochs by itself; only smoothed estimates of the
//! network differ a little from ticking every epoch.

use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use anyhow::{Context, Result};
use cid::Cid;
use fvm::machine::Manifest;
use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::CborStore;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;

use crate::genesis::Kind;
use crate::state::State;
use crate::store::Store;

/// Epochs of one deadline.
const WINDOW: ChainEpoch = 60;
/// The init actor hands out ids from here.
const FIRST_ID: ActorID = 100;

/// A miner's root state as actors v16 and later have it.
pub(crate) type MinerState = (
    Cid,
    TokenAmount,
    TokenAmount,
    Option<((ChainEpoch, TokenAmount), Cid)>,
    TokenAmount,
    TokenAmount,
    Cid,
    Cid,
    Cid,
    Cid,
    ChainEpoch,
    u64,
    Cid,
    BitField,
    bool,
);

/// The miners found so far.
#[derive(Default)]
pub(crate) struct Deadlines {
    miners: Vec<ActorID>,
    scanned: ActorID,
}

impl Deadlines {
    /// All miners of a state, in order of their ids.
    pub fn miners(&mut self, store: &Rc<Store>, state: &State, manifest: Cid) -> Result<&[ActorID]> {
        self.scan(store, state, manifest)?;
        Ok(&self.miners)
    }

    /// The epochs of `epochs` in which a miner's deadline ends, in order.
    pub fn ticks(
        &mut self,
        store: &Rc<Store>,
        state: &State,
        manifest: Cid,
        epochs: Range<ChainEpoch>,
    ) -> Result<Vec<ChainEpoch>> {
        self.scan(store, state, manifest)?;
        let mut phases = BTreeSet::new();
        for id in &self.miners {
            let miner: MinerState = state.object(&Address::new_id(*id)).with_context(|| format!("miner t0{id}"))?;
            let (period_start, has_deadlines) = (miner.10, miner.14);
            if has_deadlines {
                phases.insert((period_start - 1).rem_euclid(WINDOW));
            }
        }
        let mut ticks: Vec<ChainEpoch> = Vec::new();
        for phase in phases {
            let first = epochs.start + (phase - epochs.start).rem_euclid(WINDOW);
            ticks.extend((first..epochs.end).step_by(WINDOW as usize));
        }
        ticks.sort_unstable();
        ticks.dedup();
        Ok(ticks)
    }

    /// Looks at the actors that are new since the last time.
    fn scan(&mut self, store: &Rc<Store>, state: &State, manifest: Cid) -> Result<()> {
        let (_, next, _): (Cid, ActorID, String) = state.object(&Address::new_id(1)).context("the init actor")?;
        let from = self.scanned.max(FIRST_ID);
        if from >= next {
            return Ok(());
        }
        let manifest: Vec<(String, Cid)> = store.get_cbor(&manifest)?.context("the manifest is missing")?;
        let code = *Manifest::new(manifest)?.code_by_id(Kind::Miner as u32).context("the bundle lacks miners")?;
        for id in from..next {
            if state.actor(&Address::new_id(id))?.is_some_and(|actor| actor.code == code) {
                self.miners.push(id);
            }
        }
        self.scanned = next;
        Ok(())
    }
}
