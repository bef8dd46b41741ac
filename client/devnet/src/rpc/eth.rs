//! What Ethereum's tools read of a Filecoin chain. There are no contracts here, so no transactions either.
//!
//! Source: lotus `node/impl/eth`; address forms: FIP-0055.

use fvm_shared::address::Address;
use fvm_shared::bigint::Sign;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::state::ActorState;
use serde_json::Value;

use super::args::answer;
use super::{Answer, Args, Method, RpcError};
use crate::chain::Chain;
use crate::records::TipsetRecord;
use crate::state::State;
use crate::vm::BASE_FEE;

pub(super) const METHODS: &[Method] = &[
    Method::read("eth_chainId", 0, chain_id),
    Method::read("Filecoin.EthChainId", 0, chain_id),
    Method::read("eth_blockNumber", 0, block_number),
    Method::read("Filecoin.EthBlockNumber", 0, block_number),
    Method::read("eth_getBalance", 2, balance),
    Method::read("Filecoin.EthGetBalance", 2, balance),
    Method::read("eth_getTransactionCount", 2, transaction_count),
    Method::read("Filecoin.EthGetTransactionCount", 2, transaction_count),
    Method::read("eth_gasPrice", 0, gas_price),
    Method::read("Filecoin.EthGasPrice", 0, gas_price),
    Method::read("net_version", 0, net_version),
    Method::read("Filecoin.NetVersion", 0, net_version),
];

/// The namespace of the Ethereum address manager, f410.
const EAM: u64 = 10;

fn chain_id(chain: &mut Chain, _: &Args) -> Answer {
    answer(format!("{:#x}", chain.network().chain_id))
}

fn net_version(chain: &mut Chain, _: &Args) -> Answer {
    answer(chain.network().chain_id.to_string())
}

fn gas_price(_: &mut Chain, _: &Args) -> Answer {
    answer(format!("{BASE_FEE:#x}"))
}

/// The last tipset whose messages' results are on the chain: the head's parent.
fn executed(chain: &Chain) -> Result<TipsetRecord, RpcError> {
    Ok(match chain.head().height.checked_sub(1) {
        Some(before) if before >= 0 => chain.store().tipset_at_or_before(before)?,
        _ => None,
    }
    .unwrap_or_else(|| chain.head().clone()))
}

fn block_number(chain: &mut Chain, _: &Args) -> Answer {
    answer(format!("{:#x}", executed(chain)?.height))
}

fn balance(chain: &mut Chain, args: &Args) -> Answer {
    let actor = actor(chain, args)?;
    let (sign, digits) = actor.map(|a| a.balance.atto().clone()).unwrap_or_default().into_parts();
    if sign == Sign::Minus {
        return Err(RpcError::application("a negative balance"));
    }
    answer(format!("{digits:#x}"))
}

fn transaction_count(chain: &mut Chain, args: &Args) -> Answer {
    answer(format!("{:#x}", actor(chain, args)?.map_or(0, |a| a.sequence)))
}

/// The actor of the first param in the state after the block of the second.
fn actor(chain: &Chain, args: &Args) -> Result<Option<ActorState>, RpcError> {
    let address = address(args, 0)?;
    let block: Value = args.get(1)?;
    let number = block.get("blockNumber").unwrap_or(&block);
    let record = match number.as_str() {
        Some("earliest") => chain.store().tipset_at_or_before(0)?,
        Some("latest" | "pending" | "safe" | "finalized") => Some(executed(chain)?),
        Some(text) => at(chain, args, text)?,
        None => {
            return Err(
                args.refuse(1, "a block is a number in hex or one of earliest, latest, safe, finalized, pending")
            );
        }
    };
    let record = record.ok_or_else(|| RpcError::application("there is no such block"))?;
    Ok(State::at(chain.store(), &record.state)?.actor(&address)?)
}

fn at(chain: &Chain, args: &Args, text: &str) -> Result<Option<TipsetRecord>, RpcError> {
    let height = text.strip_prefix("0x").and_then(|digits| ChainEpoch::from_str_radix(digits, 16).ok());
    let height = height.filter(|h| *h >= 0).ok_or_else(|| args.refuse(1, format!("not a block number: {text:.80}")))?;
    if height > chain.head().height {
        return Err(RpcError::application("requested a future epoch (beyond 'latest')"));
    }
    Ok(chain.store().tipset_at_or_before(height)?)
}

/// An Ethereum address: `ff`, zeros and an id for an actor without a delegated address, else f410.
fn address(args: &Args, index: usize) -> Result<Address, RpcError> {
    let text: String = args.get(index)?;
    let bytes = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok());
    let bytes: [u8; 20] = bytes
        .and_then(|b| b.try_into().ok())
        .ok_or_else(|| args.refuse(index, format!("not an Ethereum address: {text:.80}")))?;
    match bytes {
        [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, id @ ..] => Ok(Address::new_id(u64::from_be_bytes(id))),
        sub => Address::new_delegated(EAM, &sub).map_err(|e| args.refuse(index, e)),
    }
}
