//! Tipsets as blocks.

use serde_json::{Value, json};

use super::bloom::Bloom;
use super::forms::{self, Hash};
use super::transactions::{Transaction, hash_on_chain, receipts as receipts_of};
use super::{Answer, Args, RpcError, answer, block_param, logs};
use crate::chain::Chain;
use crate::records::TipsetRecord;
use crate::tipset;
use crate::vm::{BASE_FEE, BLOCK_GAS};

/// keccak256 of the RLP of an empty list: there are no uncles.
const NO_UNCLES: &str = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";
/// keccak256 of the RLP of nothing: there are no transactions.
const NO_TRANSACTIONS: &str = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";

pub(super) fn number(chain: &mut Chain, _: &Args) -> Answer {
    answer(forms::quantity(block_param::latest(chain)?.height.unsigned_abs()))
}

fn numbered(chain: &Chain, args: &Args) -> Result<TipsetRecord, RpcError> {
    let text = args.get::<String>(0)?;
    block_param::by_number(chain, &text, true)
        .ok_or_else(|| args.refuse(0, format!("failed to parse block number: {text:.80}")))?
}

pub(super) fn by_number(chain: &mut Chain, args: &Args) -> Answer {
    let record = numbered(chain, args)?;
    answer(show(chain, &record, args.get(1)?)?)
}

pub(super) fn by_hash(chain: &mut Chain, args: &Args) -> Answer {
    let record = block_param::by_hash(chain, args.get(0)?)?;
    answer(show(chain, &record, args.get(1)?)?)
}

pub(super) fn count_by_number(chain: &mut Chain, args: &Args) -> Answer {
    answer(forms::quantity(numbered(chain, args)?.messages.len() as u64))
}

pub(super) fn count_by_hash(chain: &mut Chain, args: &Args) -> Answer {
    answer(forms::quantity(block_param::by_hash(chain, args.get(0)?)?.messages.len() as u64))
}

pub(super) fn receipts(chain: &mut Chain, args: &Args) -> Answer {
    let record = block_param::find(chain, args, 0, true)?;
    answer(receipts_of(chain, &record)?)
}

/// A tipset as a block, with its transactions or only their hashes.
pub(super) fn show(chain: &Chain, record: &TipsetRecord, full: bool) -> Result<Value, RpcError> {
    let header = tipset::read_block(chain.store(), &record.block)?;
    let mut transactions = vec![];
    for (index, cid) in record.messages.iter().enumerate() {
        transactions.push(match full {
            true => Transaction::of(chain, record, index)?.to_json(),
            false => json!(hash_on_chain(chain, cid)?),
        });
    }
    let used: u64 =
        tipset::read_receipts(chain.store(), &record.receipts)?.iter().map(|receipt| receipt.gas_used).sum();
    let mut bloom = Bloom::new();
    logs::of_tipset(chain, record)?.iter().for_each(|log| bloom.add(&log.address, &log.topics));
    let zero = Hash([0; 32]);
    Ok(json!({
        "hash": block_param::hash_of(record),
        "parentHash": Hash::of(&tipset::key_cid(&header.parents)),
        "sha3Uncles": NO_UNCLES,
        "miner": "0x0000000000000000000000000000000000000000",
        "stateRoot": zero,
        "transactionsRoot": if transactions.is_empty() { json!(NO_TRANSACTIONS) } else { json!(zero) },
        "receiptsRoot": zero,
        "logsBloom": forms::bytes(bloom.bytes()),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "number": forms::quantity(record.height.unsigned_abs()),
        "gasLimit": forms::quantity(BLOCK_GAS),
        "gasUsed": forms::quantity(used),
        "timestamp": forms::quantity(header.timestamp),
        "extraData": "0x",
        "mixHash": zero,
        "nonce": "0x0000000000000000",
        "baseFeePerGas": forms::quantity(BASE_FEE),
        "size": "0x0",
        "transactions": transactions,
        "uncles": [],
    }))
}
