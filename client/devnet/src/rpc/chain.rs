//! Tipsets, blocks, messages and objects.

use bauta_client::message::SignedMessage;
use bauta_client::node::json::{
    BlockHeader, BytesJson, CidJson, ElectionProof, MessageJson, Receipt, SignatureJson, SignedMessageJson, Ticket,
    TipSet, TipsetKey,
};
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_shared::bigint::BigInt;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

use super::args::answer;
use super::{Answer, Args, Method, RpcError};
use crate::chain::Chain;
use crate::records::TipsetRecord;
use crate::tipset;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.ChainHead", 0, head),
    Method::read("Filecoin.ChainGetGenesis", 0, genesis),
    Method::read("Filecoin.ChainGetTipSet", 1, tipset_by_key),
    Method::read("Filecoin.ChainGetTipSetByHeight", 2, tipset_by_height),
    Method::read("Filecoin.ChainGetTipSetAfterHeight", 2, tipset_after_height),
    Method::read("Filecoin.ChainGetFinalizedTipSet", 0, head),
    Method::read("Filecoin.ChainGetPath", 2, path),
    Method::read("Filecoin.ChainTipSetWeight", 1, weight),
    Method::read("Filecoin.ChainGetMessagesInTipset", 1, messages_in_tipset),
    Method::read("Filecoin.ChainGetBlock", 1, block),
    Method::read("Filecoin.ChainGetBlockMessages", 1, block_messages),
    Method::read("Filecoin.ChainGetParentMessages", 1, parent_messages),
    Method::read("Filecoin.ChainGetParentReceipts", 1, parent_receipts),
    Method::read("Filecoin.ChainGetMessage", 1, message),
    Method::read("Filecoin.ChainReadObj", 1, read_obj),
    Method::read("Filecoin.ChainHasObj", 1, has_obj),
];

/// The tipset that a key names; the empty key is the head.
pub(super) fn find(chain: &Chain, key: &TipsetKey) -> Result<TipsetRecord, RpcError> {
    match key.0.as_slice() {
        [] => Ok(chain.head().clone()),
        [block] => by_block(chain, block),
        _ => Err(RpcError::application("tipset not found: tipsets have one block here")),
    }
}

fn by_block(chain: &Chain, block: &Cid) -> Result<TipsetRecord, RpcError> {
    let missing = || RpcError::application(format!("loading tipset: get block {block}: ipld: could not find {block}"));
    let header = tipset::read_block(chain.store(), block).map_err(|_| missing())?;
    let found = chain.store().tipset_at_or_before(header.height)?;
    found.filter(|t| t.block == *block).ok_or_else(missing)
}

/// A tipset in JSON.
pub(super) fn show(chain: &Chain, record: &TipsetRecord) -> Result<TipSet, RpcError> {
    Ok(TipSet {
        cids: key_of(record),
        blocks: vec![show_block(&tipset::read_block(chain.store(), &record.block)?)?],
        height: record.height,
    })
}

/// Whether the tipset of an epoch is still the one with this block.
pub(super) fn is_on_chain(chain: &Chain, epoch: ChainEpoch, block: &Cid) -> Result<bool, RpcError> {
    Ok(chain.store().tipset_at_or_before(epoch)?.is_some_and(|record| record.block == *block))
}

/// A tipset that the chain has gone back over, and epoch and block of its parent; nothing if they are forgotten.
pub(super) fn show_reverted(chain: &Chain, block: &Cid) -> Result<Option<Reverted>, RpcError> {
    let Ok(header) = tipset::read_block(chain.store(), block) else { return Ok(None) };
    let Some(parent) = header.parents.first() else { return Ok(None) };
    let Ok(before) = tipset::read_block(chain.store(), parent) else { return Ok(None) };
    let tipset = TipSet { cids: TipsetKey(vec![*block]), blocks: vec![show_block(&header)?], height: header.height };
    Ok(Some((tipset, before.height, *parent)))
}

type Reverted = (TipSet, ChainEpoch, Cid);

/// The key of a tipset.
pub(super) fn key_of(record: &TipsetRecord) -> TipsetKey {
    TipsetKey(vec![record.block])
}

fn show_block(header: &tipset::BlockHeader) -> Result<BlockHeader, RpcError> {
    let aggregate = bauta_client::message::Signature::from_bytes(&header.bls_aggregate)
        .map_err(|e| RpcError::application(e.to_string()))?;
    Ok(BlockHeader {
        miner: header.miner,
        ticket: Some(Ticket { vrf_proof: header.ticket.vrf_proof.clone() }),
        election_proof: Some(ElectionProof {
            win_count: header.election_proof.win_count,
            vrf_proof: header.election_proof.vrf_proof.clone(),
        }),
        beacon_entries: None,
        win_post_proof: None,
        parents: TipsetKey(header.parents.clone()),
        parent_weight: TokenAmount::from_atto(header.parent_weight.clone()),
        height: header.height,
        parent_state_root: header.parent_state_root,
        parent_message_receipts: header.parent_message_receipts,
        messages: header.messages,
        bls_aggregate: Some(SignatureJson(aggregate)),
        timestamp: header.timestamp,
        block_sig: None,
        fork_signaling: header.fork_signaling,
        parent_base_fee: header.parent_base_fee.clone(),
    })
}

/// A receipt in JSON.
pub(super) fn show_receipt(receipt: &fvm_shared::receipt::Receipt) -> Receipt {
    Receipt {
        exit_code: receipt.exit_code.value(),
        return_data: receipt.return_data.to_vec(),
        gas_used: i64::try_from(receipt.gas_used).unwrap_or(i64::MAX),
        events_root: receipt.events_root,
    }
}

fn head(chain: &mut Chain, _: &Args) -> Answer {
    answer(show(chain, chain.head())?)
}

fn genesis(chain: &mut Chain, _: &Args) -> Answer {
    let first = chain.store().tipset_at_or_before(0)?;
    answer(show(chain, &first.ok_or_else(|| RpcError::application("there is no genesis"))?)?)
}

fn tipset_by_key(chain: &mut Chain, args: &Args) -> Answer {
    answer(show(chain, &find(chain, &args.key(0)?)?)?)
}

/// The epoch of the first param, which the tipset of the second has to have reached.
fn reached(chain: &Chain, args: &Args) -> Result<ChainEpoch, RpcError> {
    let epoch: ChainEpoch = args.get(0)?;
    let from = find(chain, &args.key(1)?)?;
    if epoch < 0 {
        return Err(RpcError::application(format!("height {epoch} is negative")));
    }
    if epoch > from.height {
        return Err(RpcError::application(format!(
            "looking for tipset with height greater than start point, req: {epoch}, head: {}",
            from.height
        )));
    }
    Ok(epoch)
}

fn tipset_by_height(chain: &mut Chain, args: &Args) -> Answer {
    let found = chain.store().tipset_at_or_before(reached(chain, args)?)?;
    answer(show(chain, &found.ok_or_else(|| RpcError::application("tipset not found"))?)?)
}

/// After a null round the next tipset, where `ChainGetTipSetByHeight` gives the last one before.
fn tipset_after_height(chain: &mut Chain, args: &Args) -> Answer {
    let found = chain.store().tipset_after(reached(chain, args)? - 1)?;
    answer(show(chain, &found.ok_or_else(|| RpcError::application("tipset not found"))?)?)
}

/// Tipsets on one path.
const MAX_PATH: usize = 2000;

/// What has to be undone and done to come from one tipset to another. There are no forks, so it is one or the other.
fn path(chain: &mut Chain, args: &Args) -> Answer {
    let (from, to) = (find(chain, &args.key(0)?)?, find(chain, &args.key(1)?)?);
    let (low, high) = (from.height.min(to.height), from.height.max(to.height));
    let mut between = Vec::new();
    let mut at = low;
    while at < high {
        let next = chain.store().tipset_after(at)?.ok_or_else(|| RpcError::application("tipset not found"))?;
        at = next.height;
        if between.len() == MAX_PATH {
            return Err(RpcError::application(format!("a path has at most {MAX_PATH} tipsets here")));
        }
        between.push(show(chain, &next)?);
    }
    let kind = if from.height > to.height { "revert" } else { "apply" };
    if kind == "revert" {
        between.reverse();
    }
    answer(between.into_iter().map(|tipset| json!({ "Type": kind, "Val": tipset })).collect::<Vec<_>>())
}

/// The number of tipsets up to this one, which is what headers say of their parents.
fn weight(chain: &mut Chain, args: &Args) -> Answer {
    let record = find(chain, &args.key(0)?)?;
    let header = tipset::read_block(chain.store(), &record.block)?;
    answer((header.parent_weight + BigInt::from(1)).to_string())
}

fn messages_in_tipset(chain: &mut Chain, args: &Args) -> Answer {
    let record = find(chain, &args.key(0)?)?;
    answer(with_cids(chain, &record.messages)?)
}

/// As on Lotus, no messages are null.
fn with_cids(chain: &Chain, messages: &[Cid]) -> Result<Option<Vec<Value>>, RpcError> {
    let mut all = Vec::new();
    for cid in messages {
        let message = MessageJson::from(load(chain, cid)?.into_message());
        all.push(json!({ "Cid": CidJson(*cid), "Message": message }));
    }
    Ok((!all.is_empty()).then_some(all))
}

fn block(chain: &mut Chain, args: &Args) -> Answer {
    let record = by_block(chain, &args.cid(0)?)?;
    answer(show_block(&tipset::read_block(chain.store(), &record.block)?)?)
}

/// A message of a tipset by its CID there.
pub(super) fn load(chain: &Chain, cid: &Cid) -> Result<Loaded, RpcError> {
    let block = chain.store().get(cid)?;
    let block =
        block.ok_or_else(|| RpcError::application(format!("failed to load message: ipld: could not find {cid}")))?;
    if let Ok(signed) = SignedMessage::from_bytes(&block) {
        return Ok(Loaded::Signed(signed));
    }
    let message = bauta_client::message::from_bytes(&block)
        .map_err(|e| RpcError::application(format!("failed to load message: {e}")))?;
    Ok(Loaded::Plain(message))
}

/// A message as a block holds it.
pub(super) enum Loaded {
    /// With its own signature.
    Signed(SignedMessage),
    /// The signature is in the block's aggregate.
    Plain(bauta_client::message::Message),
}

impl Loaded {
    pub fn into_message(self) -> bauta_client::message::Message {
        match self {
            Self::Signed(signed) => signed.message,
            Self::Plain(message) => message,
        }
    }
}

fn block_messages(chain: &mut Chain, args: &Args) -> Answer {
    let record = by_block(chain, &args.cid(0)?)?;
    let (mut bls, mut secp256k1) = (vec![], vec![]);
    for cid in &record.messages {
        match load(chain, cid)? {
            Loaded::Signed(signed) => secp256k1.push(SignedMessageJson(signed)),
            Loaded::Plain(message) => bls.push(MessageJson::from(message)),
        }
    }
    let cids: Vec<CidJson> = record.messages.iter().copied().map(CidJson).collect();
    answer(json!({ "BlsMessages": bls, "SecpkMessages": secp256k1, "Cids": cids }))
}

/// The parent of the tipset that a block makes; none at genesis.
fn parent(chain: &Chain, args: &Args) -> Result<Option<TipsetRecord>, RpcError> {
    let record = by_block(chain, &args.cid(0)?)?;
    record.parent.map(|parent| by_block(chain, &parent)).transpose()
}

fn parent_messages(chain: &mut Chain, args: &Args) -> Answer {
    let Some(parent) = parent(chain, args)? else { return answer(Value::Null) };
    answer(with_cids(chain, &parent.messages)?)
}

fn parent_receipts(chain: &mut Chain, args: &Args) -> Answer {
    let Some(parent) = parent(chain, args)? else { return answer(Value::Null) };
    let receipts = tipset::read_receipts(chain.store(), &parent.receipts)?;
    answer(receipts.iter().map(show_receipt).collect::<Vec<_>>())
}

/// A message wherever it is: in the mempool, on the chain, or replaced by another.
pub(super) fn find_message(chain: &Chain, cid: &Cid) -> Result<bauta_client::message::Message, RpcError> {
    match chain.pool.find(cid).map(|pending| &pending.signed.message).or_else(|| chain.pool.replaced(cid)) {
        Some(message) => Ok(message.clone()),
        None => Ok(load(chain, cid)?.into_message()),
    }
}

fn message(chain: &mut Chain, args: &Args) -> Answer {
    answer(MessageJson::from(find_message(chain, &args.cid(0)?)?))
}

fn read_obj(chain: &mut Chain, args: &Args) -> Answer {
    let cid = args.cid(0)?;
    let block = chain.store().get(&cid)?;
    let block = block.ok_or_else(|| RpcError::application(format!("blockstore get: ipld: could not find {cid}")))?;
    answer(BytesJson(block))
}

fn has_obj(chain: &mut Chain, args: &Args) -> Answer {
    answer(chain.store().has(&args.cid(0)?)?)
}
