//! The storage providers that a network begins with: two accounts and a miner actor each, made like the anchor miner by
//! implicit messages, so that a new chain needs no message of theirs.

use anyhow::{Context, Result};
use fvm_ipld_encoding::tuple::{Deserialize_tuple, Serialize_tuple, serde_tuple};
use fvm_ipld_encoding::{BytesSer, RawBytes, strict_bytes, to_vec};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sector::RegisteredPoStProof;
use fvm_shared::state::ActorState;

use super::{CREATE_MINER, POWER, fund};
use crate::vm::Vm;

/// A storage provider that is there from the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Founder {
    /// Who makes the miner actor, and what it begins with.
    pub owner: (Address, TokenAmount),
    /// Who sends the miner's messages, and what it begins with.
    pub worker: (Address, TokenAmount),
    /// What the owner gives the miner actor.
    pub miner: TokenAmount,
    /// The miner's peer id.
    pub peer: String,
    /// Where it listens: a binary multiaddr.
    #[serde(with = "strict_bytes")]
    pub multiaddr: Vec<u8>,
}

impl Founder {
    /// Makes accounts and miner actor.
    pub(super) fn settle(&self, vm: &mut Vm) -> Result<ActorID> {
        for (address, amount) in [&self.owner, &self.worker] {
            fund(vm, address, amount)?;
        }
        let (owner, worker) = (self.owner.0, self.worker.0);
        let miner = create_miner(vm, &owner, &worker, self.peer.as_bytes(), &[&self.multiaddr], &self.miner)?;
        // As if the owner's first message had made it: the name of what the next one creates is another.
        let id = vm.resolve(&owner)?.context("the owner was funded")?;
        let actor = vm.actor(&owner)?.context("the owner was funded")?;
        vm.place(id, ActorState { sequence: 1, ..actor });
        Ok(miner)
    }
}

/// A miner actor by its owner's message to the power actor.
pub(super) fn create_miner(
    vm: &mut Vm,
    owner: &Address,
    worker: &Address,
    peer: &[u8],
    multiaddrs: &[&[u8]],
    value: &TokenAmount,
) -> Result<ActorID> {
    let post = RegisteredPoStProof::StackedDRGWindow32GiBV1P1;
    let multiaddrs: Vec<_> = multiaddrs.iter().map(|multiaddr| BytesSer(multiaddr)).collect();
    let params = RawBytes::serialize((owner, worker, post, BytesSer(peer), multiaddrs))?;
    let made = vm.implicit(owner, &POWER, CREATE_MINER, value, params)?.ok().context("CreateMiner")?;
    let (miner, _): (Address, Address) = made.decode()?;
    Ok(miner.id()?)
}

/// The robust address of the first actor that a sender's message with nonce 0 creates, which is the miner of a founder.
///
/// Source: `next_actor_address` of the FVM's call manager.
pub(crate) fn first_created_by(sender: &Address) -> Address {
    let mut name = to_vec(sender).expect("an address has a CBOR form");
    let (nonce, created_before) = (0u64, 0u64);
    name.extend(nonce.to_be_bytes());
    name.extend(created_before.to_be_bytes());
    Address::new_actor(&name)
}
