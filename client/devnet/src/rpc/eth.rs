//! The chain as Ethereum's tools see it: a tipset is a block, a message is a transaction.
//!
//! As on Lotus, `latest` is the head's parent, the last tipset whose messages' results are on the chain; a block's hash is the digest
//! of its tipset key's CID; a transaction's hash is Ethereum's for messages of f410 accounts, and the digest of the message's CID for
//! all others. Every method is served under Lotus's name, too (`Filecoin.EthCall`).
//!
//! Source: lotus `node/impl/eth`; Ethereum execution-apis; address forms: FIP-0055.

mod accounts;
mod block_param;
mod blocks;
mod bloom;
mod calls;
mod fees;
mod filters;
mod forms;
mod logs;
mod subscription;
mod transactions;

use serde_json::{Value, json};

use super::args::answer;
use super::{Answer, Args, Method, RpcError};
use crate::chain::Chain;

pub(crate) use filters::Filters;
pub(super) use subscription::{Subscription, is_known, new_id};
pub(crate) use transactions::hash_of;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.Web3ClientVersion", 0, client_version).also("web3_clientVersion"),
    Method::read("Filecoin.NetVersion", 0, net_version).also("net_version"),
    Method::read("Filecoin.NetListening", 0, |_, _| answer(true)).also("net_listening"),
    Method::read("Filecoin.EthProtocolVersion", 0, protocol_version).also("eth_protocolVersion"),
    Method::read("Filecoin.EthChainId", 0, chain_id).also("eth_chainId"),
    Method::read("Filecoin.EthSyncing", 0, |_, _| answer(false)).also("eth_syncing"),
    Method::read("Filecoin.EthAccounts", 0, |_, _| answer(json!([]))).also("eth_accounts"),
    Method::read("Filecoin.EthBlockNumber", 0, blocks::number).also("eth_blockNumber"),
    // Accounts.
    Method::read("Filecoin.EthGetBalance", 2, accounts::balance).also("eth_getBalance"),
    Method::read("Filecoin.EthGetTransactionCount", 2, accounts::transaction_count).also("eth_getTransactionCount"),
    Method::read("Filecoin.EthGetCode", 2, accounts::code).also("eth_getCode"),
    Method::read("Filecoin.EthGetStorageAt", 3, accounts::storage).also("eth_getStorageAt"),
    Method::read("Filecoin.EthAddressToFilecoinAddress", 1, accounts::to_filecoin),
    Method::read("Filecoin.FilecoinAddressToEthAddress", 2, accounts::to_eth).least(1),
    // Fees.
    Method::read("Filecoin.EthBaseFee", 0, fees::base_fee).also("eth_baseFee"),
    Method::read("Filecoin.EthGasPrice", 0, fees::gas_price).also("eth_gasPrice"),
    Method::read("Filecoin.EthMaxPriorityFeePerGas", 0, fees::priority_fee).also("eth_maxPriorityFeePerGas"),
    Method::read("Filecoin.EthFeeHistory", 3, fees::history).least(2).also("eth_feeHistory"),
    // Calls.
    Method::read("Filecoin.EthCall", 2, calls::call).least(1).also("eth_call"),
    Method::read("Filecoin.EthEstimateGas", 2, calls::estimate).least(1).also("eth_estimateGas"),
    // Transactions.
    Method::settle("Filecoin.EthSendRawTransaction", 1, transactions::send).also("eth_sendRawTransaction"),
    Method::settle("Filecoin.EthSendRawTransactionUntrusted", 1, transactions::send_untrusted),
    Method::read("Filecoin.EthGetTransactionByHash", 1, transactions::by_hash).also("eth_getTransactionByHash"),
    Method::read("Filecoin.EthGetTransactionReceipt", 1, transactions::receipt).also("eth_getTransactionReceipt"),
    Method::read("Filecoin.EthGetTransactionByBlockHashAndIndex", 2, transactions::by_block_hash)
        .also("eth_getTransactionByBlockHashAndIndex"),
    Method::read("Filecoin.EthGetTransactionByBlockNumberAndIndex", 2, transactions::by_block_number)
        .also("eth_getTransactionByBlockNumberAndIndex"),
    Method::read("Filecoin.EthGetMessageCidByTransactionHash", 1, transactions::message_cid),
    Method::read("Filecoin.EthGetTransactionHashByCid", 1, transactions::hash_by_cid),
    // Blocks.
    Method::read("Filecoin.EthGetBlockByNumber", 2, blocks::by_number).also("eth_getBlockByNumber"),
    Method::read("Filecoin.EthGetBlockByHash", 2, blocks::by_hash).also("eth_getBlockByHash"),
    Method::read("Filecoin.EthGetBlockReceipts", 1, blocks::receipts).also("eth_getBlockReceipts"),
    Method::read("Filecoin.EthGetBlockTransactionCountByNumber", 1, blocks::count_by_number)
        .also("eth_getBlockTransactionCountByNumber"),
    Method::read("Filecoin.EthGetBlockTransactionCountByHash", 1, blocks::count_by_hash)
        .also("eth_getBlockTransactionCountByHash"),
    // Logs.
    Method::read("Filecoin.EthGetLogs", 1, logs::get).also("eth_getLogs"),
    Method::read("Filecoin.EthNewFilter", 1, filters::new_logs).also("eth_newFilter"),
    Method::read("Filecoin.EthNewBlockFilter", 0, filters::new_blocks).also("eth_newBlockFilter"),
    Method::read("Filecoin.EthNewPendingTransactionFilter", 0, filters::new_pending)
        .also("eth_newPendingTransactionFilter"),
    Method::read("Filecoin.EthGetFilterChanges", 1, filters::changes).also("eth_getFilterChanges"),
    Method::read("Filecoin.EthGetFilterLogs", 1, filters::all_logs).also("eth_getFilterLogs"),
    Method::read("Filecoin.EthUninstallFilter", 1, filters::uninstall).also("eth_uninstallFilter"),
    // Over WebSocket these are the connection's.
    Method::read("Filecoin.EthSubscribe", 2, no_callbacks).least(1).also("eth_subscribe"),
    Method::read("Filecoin.EthUnsubscribe", 1, no_callbacks).also("eth_unsubscribe"),
];

fn client_version(_: &mut Chain, _: &Args) -> Answer {
    answer(format!("bauta-devnet/{}", env!("CARGO_PKG_VERSION")))
}

fn net_version(chain: &mut Chain, _: &Args) -> Answer {
    answer(chain.network().chain_id.to_string())
}

fn protocol_version(chain: &mut Chain, _: &Args) -> Answer {
    answer(forms::quantity(chain.network().version.into()))
}

fn chain_id(chain: &mut Chain, _: &Args) -> Answer {
    answer(forms::quantity(chain.network().chain_id))
}

fn no_callbacks(_: &mut Chain, _: &Args) -> Result<Value, RpcError> {
    Err(RpcError::application("connection doesn't support callbacks"))
}
