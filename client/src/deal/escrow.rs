//! The money that a client has in the built-in market (f05): deals are paid from it.
//!
//! Source: builtin-actors `actors/market/src/{lib,types}.rs`.

use fvm_ipld_encoding::{RawBytes, from_slice};
use fvm_shared::econ::TokenAmount;
use serde::{Deserialize, Serialize};

use super::market::MARKET;
use crate::message::Message;
use crate::node::json::MarketBalance;
use crate::sender::{Call, SendError, Sender, Sent, Watch};

const ADD_BALANCE: u64 = 822_473_126;
const WITHDRAW_BALANCE: u64 = 2_280_458_852;

/// Bounds of a provider's collateral for one deal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CollateralBounds {
    /// The least that the market takes, with something to spare.
    #[serde(with = "crate::node::json::forms::token")]
    pub min: TokenAmount,
    /// The most.
    #[serde(with = "crate::node::json::forms::token")]
    pub max: TokenAmount,
}

/// What of a balance is not bound by deals.
pub fn available(balance: &MarketBalance) -> TokenAmount {
    (&balance.escrow - &balance.locked).max(TokenAmount::default())
}

/// Moves money from the sender's balance into the market, for the sender's own deals.
pub async fn deposit(sender: &Sender, amount: TokenAmount, watch: &dyn Watch) -> Result<Sent, SendError> {
    let whose = RawBytes::serialize(sender.address()).expect("an address has a CBOR form");
    sender.send(&Call::new(MARKET, ADD_BALANCE).with_value(amount).with_params(whose), watch).await
}

/// Whether a message moves money into the market.
pub fn is_deposit(message: &Message) -> bool {
    message.to == MARKET && message.method_num == ADD_BALANCE
}

/// Takes money back that no deal binds: at most `amount`. Gives how much came back.
pub async fn withdraw(
    sender: &Sender,
    amount: TokenAmount,
    watch: &dyn Watch,
) -> Result<(TokenAmount, Sent), SendError> {
    let params = RawBytes::serialize((sender.address(), amount)).expect("an address and an amount have a CBOR form");
    let sent = sender.send(&Call::new(MARKET, WITHDRAW_BALANCE).with_params(params), watch).await?;
    let got = from_slice(&sent.receipt.return_data).unwrap_or_default();
    Ok((got, sent))
}
