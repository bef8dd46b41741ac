//! Window PoSt. Proofs are fake, as in the official `fake-proofs` build: the hash of the challenge and of the sectors.

use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::{BytesDe, to_vec};
use fvm_sdk::{crypto, message, rand};
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::crypto::hash::SupportedHashes;
use fvm_shared::randomness::RANDOMNESS_LENGTH;
use fvm_shared::sector::{PoStProof, SectorInfo as ProofSector};

use super::{by_controller, change_power, info};
use crate::failure::{Result, ensure, illegal_argument, illegal_state};
use crate::miner::State;
use crate::miner::clock::{Window, is_deadline};
use crate::miner::partition::Proven;
use crate::policy::{ADDRESSED_MAX, FAULT_MAX_AGE, POSTED_PARTITIONS_MAX, is_valid_post};
use crate::runtime::{Answer, Store, balance, done, load, now, save};

/// Domain separation tags of randomness.
const WINDOWED_POST_CHALLENGE: i64 = 4;
const POST_CHAIN_COMMIT: i64 = 9;

/// Deadline, partitions with what they skip, proofs, commit epoch, commit randomness.
type PoStParams = (u64, Vec<(u64, BitField)>, Vec<PoStProof>, ChainEpoch, BytesDe);

#[inline(never)]
pub fn submit_windowed_post((index, partitions, proofs, commit_epoch, commit_rand): PoStParams) -> Answer {
    let now = now();
    let [proof] = proofs.as_slice() else { return Err(illegal_argument("expected exactly one proof")) };
    ensure(is_valid_post(proof.post_proof), || illegal_argument("proof type not allowed"))?;
    ensure(is_deadline(index), || illegal_argument("invalid deadline"))?;
    ensure(commit_rand.0.len() <= RANDOMNESS_LENGTH, || illegal_argument("randomness too long"))?;

    let mut state: State = load()?;
    let miner = info(&state)?;
    by_controller(&miner)?;
    ensure(proof.post_proof == miner.post_proof, || illegal_argument("not the miner's proof type"))?;
    let size = miner.post_proof.proof_size().map_err(|_| illegal_state("unknown proof size"))?;
    ensure(proof.proof_bytes.len() <= size * partitions.len(), || illegal_argument("proof too long"))?;
    let limit = POSTED_PARTITIONS_MAX.min(ADDRESSED_MAX.1 / miner.partition_sectors);
    ensure(partitions.len() as u64 <= limit, || illegal_argument("too many partitions"))?;

    let window = Window::current(state.proving_period_start, now);
    ensure(index == window.index, || illegal_argument("deadline is not open"))?;
    ensure(commit_epoch >= window.challenge(), || illegal_argument("chain commit epoch too old"))?;
    ensure(commit_epoch < now, || illegal_argument("chain commit epoch must be before now"))?;
    let base = rand::get_chain_randomness(commit_epoch).map_err(|_| illegal_argument("no such randomness"))?;
    ensure(draw(&base, POST_CHAIN_COMMIT, commit_epoch, &[])[..] == commit_rand.0, || {
        illegal_argument("post commit randomness mismatched")
    })?;

    let mut deadline = state.deadline(&Store, index)?;
    let proven = deadline.prove(&partitions, window.last() + FAULT_MAX_AGE)?;
    ensure(!(&proven.sectors - &proven.ignored).is_empty(), || {
        illegal_argument("cannot prove partitions with no active sectors")
    })?;
    // A proof that brings nothing back is believed; on public networks it can be disputed.
    if proven.recovered > 0 {
        verify(&state, &proven, window.challenge(), &proof.proof_bytes)?;
    }
    state.set_deadline(&Store, index, deadline)?;
    state.check_balance(&balance())?;
    save(&state)?;
    change_power(proven.power.net(), miner.bytes())?;
    done()
}

/// Exit 16 unless it is the proof for this challenge and these sectors.
fn verify(state: &State, proven: &Proven, challenge: ChainEpoch, proof: &[u8]) -> Result<()> {
    let entropy = to_vec(&Address::new_id(message::receiver()))?;
    let base = rand::get_beacon_randomness(challenge).map_err(|_| illegal_argument("no such randomness"))?;
    let mut input = draw(&base, WINDOWED_POST_CHALLENGE, challenge, &entropy).to_vec();
    input[31] &= 0x3f;
    // A sector that is not proven is replaced by the first that is.
    let good = (&proven.sectors - &proven.ignored).first().unwrap_or_default();
    for sector in state.sectors(&Store, &proven.sectors)? {
        let shown = match proven.ignored.get(sector.number) {
            true => state.sector(&Store, good)?.ok_or_else(|| illegal_state("no such sector"))?,
            false => sector,
        };
        input.extend(to_vec(&ProofSector {
            proof: shown.seal_proof,
            sector_number: shown.number,
            sealed_cid: shown.sealed_cid,
        })?);
    }
    ensure(crypto::hash_owned(SupportedHashes::Sha2_256, &input) == proof, || {
        illegal_argument("invalid post was submitted")
    })
}

/// Randomness for one purpose.
fn draw(base: &[u8; RANDOMNESS_LENGTH], tag: i64, epoch: ChainEpoch, entropy: &[u8]) -> [u8; 32] {
    crypto::hash_blake2b(&[&tag.to_be_bytes()[..], base, &epoch.to_be_bytes(), entropy].concat())
}
