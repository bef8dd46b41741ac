//! What a block says about its messages, collected while they run.

use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use bauta_client::message::eth::EthTransaction;
use bauta_client::message::{SignatureKind, SignedMessage};
use bls_signatures::Serialize as _;
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::receipt::Receipt;

use crate::mempool::Pending;
use crate::records::{EventRecord, Place};
use crate::store::Store;
use crate::tipset;
use crate::vm::Vm;

/// Bytes of a compressed point in G2.
const BLS_SIGNATURE_LENGTH: usize = 96;

/// A tipset while it is being made.
#[derive(Default)]
pub(super) struct Making {
    pub bls: Vec<Cid>,
    pub secp256k1: Vec<Cid>,
    pub signatures: Vec<bls_signatures::Signature>,
    pub receipts: Vec<Receipt>,
    pub places: Vec<(Cid, Place)>,
    pub events: Vec<EventRecord>,
    /// Messages that leave the mempool.
    pub gone: Vec<Pending>,
    /// Blocks to keep that hang on nothing else.
    pub roots: Vec<Cid>,
}

impl Making {
    /// Runs a message and notes all that a block says about it. One that cannot be paid for leaves the mempool unrun.
    pub fn run(
        &mut self,
        store: &Rc<Store>,
        vm: &mut Vm,
        pending: Pending,
        epoch: ChainEpoch,
        chain_id: u64,
    ) -> Result<()> {
        let SignedMessage { message, signature } = &pending.signed;
        let outcome = vm.explicit(message.clone(), pending.signed.on_chain_len())?;
        if !outcome.includable {
            tracing::info!("message {} was dropped: {}", pending.cid, outcome.failure.trim());
            self.gone.push(pending);
            return Ok(());
        }
        let index = u32::try_from(self.receipts.len()).context("too many messages in a tipset")?;
        let unsigned = bauta_client::message::cid(message);
        store.put_keyed(&unsigned, &bauta_client::message::to_bytes(message))?;
        self.roots.push(unsigned);
        self.places.push((unsigned, Place { epoch, index }));
        if signature.kind() == SignatureKind::Bls {
            self.bls.push(unsigned);
            self.signatures.push(bls_signatures::Signature::from_bytes(signature.data())?);
        } else {
            store.put_keyed(&pending.cid, &pending.signed.to_bytes())?;
            self.secp256k1.push(pending.cid);
            if let Ok(transaction) = EthTransaction::of_signed(&pending.signed, chain_id) {
                self.places.push((tipset::transaction_cid(&transaction.hash()), Place { epoch, index }));
            }
            self.places.push((pending.cid, Place { epoch, index }));
        }
        if !outcome.events.is_empty() {
            let root = tipset::write_events(store, &outcome.events)?;
            ensure!(Some(root) == outcome.events_root, "the events' root is not the VM's");
            self.roots.push(root);
            let message = pending.cid;
            self.events.extend(outcome.events.iter().cloned().map(|event| EventRecord { message, event }));
        }
        self.receipts.push(outcome.receipt());
        self.gone.push(pending);
        Ok(())
    }

    /// The signature over all BLS messages, type byte first; without messages the point at infinity, as Lotus has it.
    pub fn aggregate(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![SignatureKind::Bls as u8];
        if self.signatures.is_empty() {
            bytes.push(0xc0);
            bytes.resize(1 + BLS_SIGNATURE_LENGTH, 0);
        } else {
            bytes.extend(bls_signatures::aggregate(&self.signatures)?.as_bytes());
        }
        Ok(bytes)
    }
}
