//! Blocks as the chain has them: header, message lists, receipts and events, each under its real CID.
//!
//! A tipset has one block. Its key is the list of its blocks' CIDs. Source: Filecoin spec, "Block" and "Tipset"; the
//! order of fields is that of Lotus's `BlockHeader`.

use anyhow::{Context, Result};
use cid::Cid;
use fvm_ipld_amt::{Amt, Amtv0};
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::tuple::{Deserialize_tuple, Serialize_tuple, serde_tuple};
use fvm_ipld_encoding::{BytesSer, CborStore, DAG_CBOR, IPLD_RAW, strict_bytes};
use fvm_shared::address::Address;
use fvm_shared::bigint::{BigInt, bigint_ser};
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::event::StampedEvent;
use fvm_shared::receipt::Receipt;
use multihash_codetable::{Code, Multihash, MultihashDigest};

use crate::vm::{BASE_FEE, Source, blake2b, randomness};

/// Bit width of the AMT of a message's events.
const EVENTS_BIT_WIDTH: u32 = 5;

/// A block header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BlockHeader {
    /// Who made it: the anchor miner.
    pub miner: Address,
    /// A lottery ticket; here a hash of the epoch.
    pub ticket: Ticket,
    /// The won election.
    pub election_proof: ElectionProof,
    /// drand rounds; none on this network.
    pub beacon_entries: Vec<BeaconEntry>,
    /// Winning proofs; none on this network.
    pub winning_post: Vec<WinningProof>,
    /// Key of the parent tipset.
    pub parents: Vec<Cid>,
    /// Weight of the chain up to the parent: its number of tipsets.
    #[serde(with = "bigint_ser")]
    pub parent_weight: BigInt,
    /// Epoch.
    pub height: ChainEpoch,
    /// State after the parent's messages.
    pub parent_state_root: Cid,
    /// AMT of the receipts of the parent's messages.
    pub parent_message_receipts: Cid,
    /// [`MessageLists`] of this block.
    pub messages: Cid,
    /// One signature over all BLS messages, type byte first.
    #[serde(with = "strict_bytes")]
    pub bls_aggregate: Vec<u8>,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// The miner's signature; nobody else makes blocks here, so there is none.
    pub block_signature: Option<()>,
    /// Unused.
    pub fork_signaling: u64,
    /// attoFIL per gas.
    pub parent_base_fee: TokenAmount,
}

/// A ticket of the block lottery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Ticket {
    /// What the lottery compares.
    #[serde(with = "strict_bytes")]
    pub vrf_proof: Vec<u8>,
}

/// A won election.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ElectionProof {
    /// How many times.
    pub win_count: i64,
    /// Why.
    #[serde(with = "strict_bytes")]
    pub vrf_proof: Vec<u8>,
}

/// A drand round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BeaconEntry {
    /// Its number.
    pub round: u64,
    /// Its randomness.
    #[serde(with = "strict_bytes")]
    pub data: Vec<u8>,
}

/// A winning proof of spacetime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct WinningProof {
    /// Registered proof type.
    pub proof: i64,
    /// The proof.
    #[serde(with = "strict_bytes")]
    pub bytes: Vec<u8>,
}

/// The two lists of a block's messages, as AMTs of CIDs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct MessageLists {
    /// Messages whose signatures are in the aggregate.
    pub bls: Cid,
    /// Messages that carry their signatures.
    pub secp256k1: Cid,
}

/// What the header of a new block is made of.
pub struct Draft<'a> {
    /// Who makes it.
    pub miner: Address,
    /// Epoch.
    pub height: ChainEpoch,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// The parent's block; `None` for genesis.
    pub parent: Option<Cid>,
    /// The parent's weight.
    pub parent_weight: BigInt,
    /// State after the parent.
    pub parent_state_root: Cid,
    /// Receipts of the parent.
    pub parent_receipts: Cid,
    /// CIDs of BLS messages.
    pub bls: &'a [Cid],
    /// CIDs of signed messages.
    pub secp256k1: &'a [Cid],
    /// The aggregate over the BLS messages.
    pub bls_aggregate: Vec<u8>,
}

/// Writes the message lists and the header; gives the block's CID.
pub fn write_block(store: &impl Blockstore, draft: Draft<'_>) -> Result<Cid> {
    let lists = MessageLists { bls: list(store, draft.bls)?, secp256k1: list(store, draft.secp256k1)? };
    let header = BlockHeader {
        miner: draft.miner,
        ticket: Ticket { vrf_proof: randomness(Source::Chain, draft.height).to_vec() },
        election_proof: ElectionProof {
            win_count: 1,
            vrf_proof: blake2b(&[b"election", &draft.height.to_be_bytes()[..]].concat()).to_vec(),
        },
        beacon_entries: vec![],
        winning_post: vec![],
        parents: draft.parent.into_iter().collect(),
        parent_weight: draft.parent_weight,
        height: draft.height,
        parent_state_root: draft.parent_state_root,
        parent_message_receipts: draft.parent_receipts,
        messages: store.put_cbor(&lists, Code::Blake2b256)?,
        bls_aggregate: draft.bls_aggregate,
        timestamp: draft.timestamp,
        block_signature: None,
        fork_signaling: 0,
        parent_base_fee: TokenAmount::from_atto(BASE_FEE),
    };
    store.put_cbor(&header, Code::Blake2b256)
}

/// The CID by which a tipset's key is known: that of the key's bytes as one CBOR byte string. Ethereum's block hash is its digest.
pub fn key_cid(blocks: &[Cid]) -> Cid {
    let key: Vec<u8> = blocks.iter().flat_map(Cid::to_bytes).collect();
    let bytes = fvm_ipld_encoding::to_vec(&BytesSer(&key)).expect("a byte string always encodes");
    Cid::new_v1(DAG_CBOR, Code::Blake2b256.digest(&bytes))
}

/// Stands for the hash of an Ethereum transaction where messages are looked up by CID.
pub fn transaction_cid(hash: &[u8; 32]) -> Cid {
    Cid::new_v1(IPLD_RAW, Multihash::wrap(Code::Keccak256.into(), hash).expect("a digest of 32 bytes fits"))
}

/// Reads a block header.
pub fn read_block(store: &impl Blockstore, block: &Cid) -> Result<BlockHeader> {
    store.get_cbor(block)?.with_context(|| format!("block {block} is missing"))
}

fn list(store: &impl Blockstore, cids: &[Cid]) -> Result<Cid> {
    let mut amt = Amtv0::<Cid, _>::new(store);
    amt.batch_set(cids.iter().copied())?;
    Ok(amt.flush()?)
}

/// Writes the receipts of a tipset; gives the AMT's root.
pub fn write_receipts(store: &impl Blockstore, receipts: Vec<Receipt>) -> Result<Cid> {
    let mut amt = Amtv0::<Receipt, _>::new(store);
    amt.batch_set(receipts)?;
    Ok(amt.flush()?)
}

/// Reads one receipt of a tipset.
pub fn read_receipt(store: &impl Blockstore, receipts: &Cid, index: u32) -> Result<Option<Receipt>> {
    Ok(Amtv0::<Receipt, _>::load(receipts, store)?.get(u64::from(index))?.cloned())
}

/// Reads all receipts of a tipset.
pub fn read_receipts(store: &impl Blockstore, receipts: &Cid) -> Result<Vec<Receipt>> {
    let mut all = Vec::new();
    Amtv0::<Receipt, _>::load(receipts, store)?.for_each(|_, receipt| {
        all.push(receipt.clone());
        Ok(())
    })?;
    Ok(all)
}

/// Writes the events of a message; the root is the one that the VM put into the receipt.
pub fn write_events(store: &impl Blockstore, events: &[StampedEvent]) -> Result<Cid> {
    Ok(Amt::new_from_iter_with_bit_width(store, EVENTS_BIT_WIDTH, events.iter().cloned())?)
}

/// Reads the events of a message.
pub fn read_events(store: &impl Blockstore, root: &Cid) -> Result<Vec<StampedEvent>> {
    let mut all = Vec::new();
    Amt::<StampedEvent, _>::load(root, store)?.for_each(|_, event| {
        all.push(event.clone());
        Ok(())
    })?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fvm_ipld_blockstore::MemoryBlockstore;
    use fvm_ipld_encoding::RawBytes;
    use fvm_shared::error::ExitCode;

    #[test]
    fn a_block_and_its_receipts_read_back() {
        let store = MemoryBlockstore::default();
        let receipts: Vec<Receipt> = (0..20)
            .map(|n| Receipt {
                exit_code: ExitCode::new(n),
                return_data: RawBytes::new(vec![n as u8]),
                gas_used: u64::from(n) * 1000,
                events_root: None,
            })
            .collect();
        let root = write_receipts(&store, receipts.clone()).unwrap();
        assert_eq!(read_receipts(&store, &root).unwrap(), receipts);
        assert_eq!(read_receipt(&store, &root, 7).unwrap().as_ref(), Some(&receipts[7]));
        assert_eq!(read_receipt(&store, &root, 20).unwrap(), None);

        let draft = Draft {
            miner: Address::new_id(1000),
            height: 5,
            timestamp: 150,
            parent: Some(root),
            parent_weight: BigInt::from(4),
            parent_state_root: root,
            parent_receipts: root,
            bls: &[root],
            secp256k1: &[],
            bls_aggregate: vec![2],
        };
        let block = write_block(&store, draft).unwrap();
        let header = read_block(&store, &block).unwrap();
        assert_eq!((header.height, header.timestamp, &header.parents), (5, 150, &vec![root]));
        let lists: MessageLists = store.get_cbor(&header.messages).unwrap().unwrap();
        assert_eq!(Amtv0::<Cid, _>::load(&lists.bls, &store).unwrap().get(0).unwrap(), Some(&root));
        assert_eq!(Amtv0::<Cid, _>::load(&lists.secp256k1, &store).unwrap().count(), 0);
    }
}
