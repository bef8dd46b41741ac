//! The built-in storage market, asked through its own methods, so that any bundle answers.

use bauta_client::node::json::{DealProposal, DealState, MarketBalance, MarketDeal, TipsetKey};
use cid::Cid;
use fvm_ipld_encoding::RawBytes;
use fvm_ipld_encoding::de::DeserializeOwned;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::bigint::BigInt;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;

use super::args::answer;
use super::miner::call;
use super::{Answer, Args, Method, RpcError};
use crate::chain::Chain;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.StateMarketBalance", 2, balance),
    Method::read("Filecoin.StateMarketStorageDeal", 2, deal),
];

const MARKET: Address = Address::new_id(5);
const GET_BALANCE: u64 = 726_108_461;
const GET_DEAL_DATA_COMMITMENT: u64 = 1_157_985_802;
const GET_DEAL_CLIENT: u64 = 128_053_329;
const GET_DEAL_PROVIDER: u64 = 935_081_690;
const GET_DEAL_LABEL: u64 = 46_363_526;
const GET_DEAL_TERM: u64 = 163_777_312;
const GET_DEAL_TOTAL_PRICE: u64 = 4_287_162_428;
const GET_DEAL_CLIENT_COLLATERAL: u64 = 200_567_895;
const GET_DEAL_PROVIDER_COLLATERAL: u64 = 2_986_712_137;
const GET_DEAL_VERIFIED: u64 = 2_627_389_465;
const GET_DEAL_ACTIVATION: u64 = 2_567_238_399;
const GET_DEAL_SECTOR: u64 = 2_611_213_344;

fn balance(chain: &mut Chain, args: &Args) -> Answer {
    let address = args.address(0)?;
    let params = RawBytes::serialize(address).map_err(anyhow::Error::from)?;
    let failure = || RpcError::unresolved(address);
    let (escrow, locked): (TokenAmount, TokenAmount) =
        call(chain, &args.key(1)?, &MARKET, GET_BALANCE, params, failure)?;
    answer(MarketBalance { escrow, locked })
}

/// Asks the market about one deal.
struct Deal<'a> {
    chain: &'a Chain,
    key: TipsetKey,
    id: u64,
}

impl Deal<'_> {
    fn ask<T: DeserializeOwned>(&self, method: u64) -> Result<T, RpcError> {
        let params = RawBytes::serialize(self.id).map_err(anyhow::Error::from)?;
        call(self.chain, &self.key, &MARKET, method, params, || {
            RpcError::application(format!(
                "deal {} not found - deal may not have completed sealing before deal proposal start epoch, or deal may \
                 have been slashed",
                self.id
            ))
        })
    }

    fn amount(&self, method: u64) -> Result<TokenAmount, RpcError> {
        self.ask(method)
    }
}

fn deal(chain: &mut Chain, args: &Args) -> Answer {
    let deal = Deal { chain, id: args.get(0)?, key: args.key(1)? };
    let (piece_cid, piece_size): (Cid, u64) = deal.ask(GET_DEAL_DATA_COMMITMENT)?;
    let (start, duration): (ChainEpoch, ChainEpoch) = deal.ask(GET_DEAL_TERM)?;
    let (activated, terminated): (ChainEpoch, ChainEpoch) = deal.ask(GET_DEAL_ACTIVATION)?;
    let total = deal.amount(GET_DEAL_TOTAL_PRICE)?;
    answer(MarketDeal {
        proposal: DealProposal {
            piece_cid,
            piece_size,
            verified_deal: deal.ask(GET_DEAL_VERIFIED)?,
            client: Address::new_id(deal.ask::<ActorID>(GET_DEAL_CLIENT)?),
            provider: Address::new_id(deal.ask::<ActorID>(GET_DEAL_PROVIDER)?),
            // A label of bytes is not text and prints as none, as on Lotus.
            label: deal.ask::<String>(GET_DEAL_LABEL).unwrap_or_default(),
            start_epoch: start,
            end_epoch: start + duration,
            storage_price_per_epoch: total.div_floor(BigInt::from(duration.max(1))),
            provider_collateral: deal.amount(GET_DEAL_PROVIDER_COLLATERAL)?,
            client_collateral: deal.amount(GET_DEAL_CLIENT_COLLATERAL)?,
        },
        state: DealState {
            // Not activated: no sector yet.
            sector_number: deal.ask(GET_DEAL_SECTOR).unwrap_or_default(),
            sector_start_epoch: activated,
            last_updated_epoch: -1,
            slash_epoch: terminated,
        },
    })
}
