//! The calls that Bauta makes, typed.

use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use multihash_codetable::{Code, MultihashDigest};
use num_traits::Zero;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::json::{
    ActorState, AddressJson, BytesJson, CidJson, InvocResult, MarketBalance, MarketDeal, MessageJson, MinerInfo,
    MsgLookup, NetworkParams, SendSpec, SignedMessageJson, TipSet, TipsetKey, TokenJson, Version, with_prefix,
};
use super::{Node, NodeError};
use crate::deal::escrow::CollateralBounds;
use crate::message::{Message, SignedMessage};

/// No limit to how far back a message is searched; gateways make 20 epochs of it.
pub const LOOKBACK_NO_LIMIT: ChainEpoch = -1;

impl<'n> dyn Node + 'n {
    /// Makes any call and decodes its result.
    ///
    /// Errors: as [`Node::request`]; Malformed: the result is not a `T`.
    pub async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, NodeError> {
        decode(method, self.request(method, params).await?)
    }

    /// Encodes params with this node's address prefix.
    pub(super) fn params(&self, params: impl Serialize) -> Result<Value, NodeError> {
        with_prefix(self.prefix(), || serde_json::to_value(params))
            .map_err(|error| NodeError::Malformed(format!("the params do not encode: {error}")))
    }

    /// The node's software.
    pub async fn version(&self) -> Result<Version, NodeError> {
        self.call("Filecoin.Version", Value::Array(vec![])).await
    }

    /// The network's name, as its nodes print it.
    pub async fn network_name(&self) -> Result<String, NodeError> {
        self.call("Filecoin.StateNetworkName", Value::Array(vec![])).await
    }

    /// The network's protocol version.
    pub async fn network_version(&self) -> Result<u32, NodeError> {
        self.call("Filecoin.StateNetworkVersion", self.params((TipsetKey::HEAD,))?).await
    }

    /// The network's constants.
    pub async fn network_params(&self) -> Result<NetworkParams, NodeError> {
        self.call("Filecoin.StateGetNetworkParams", Value::Array(vec![])).await
    }

    /// The network's EIP-155 chain id.
    pub async fn chain_id(&self) -> Result<u64, NodeError> {
        let text: String = self.call("Filecoin.EthChainId", Value::Array(vec![])).await?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        u64::from_str_radix(digits, 16).map_err(|_| NodeError::Malformed(format!("chain id `{text:.40}` is not hex")))
    }

    /// The newest tipset.
    pub async fn chain_head(&self) -> Result<TipSet, NodeError> {
        self.call("Filecoin.ChainHead", Value::Array(vec![])).await
    }

    /// A tipset by its key.
    pub async fn tipset(&self, key: &TipsetKey) -> Result<TipSet, NodeError> {
        self.call("Filecoin.ChainGetTipSet", self.params((key,))?).await
    }

    /// The tipset at an epoch before `key`, or the last one before that epoch if it was a null round.
    pub async fn tipset_by_height(&self, epoch: ChainEpoch, key: &TipsetKey) -> Result<TipSet, NodeError> {
        self.call("Filecoin.ChainGetTipSetByHeight", self.params((epoch, key))?).await
    }

    /// A message by its CID, signed or unsigned; `None` if the node does not hold it.
    pub async fn get_message(&self, cid: &Cid) -> Result<Option<Message>, NodeError> {
        let answer = self.call::<Option<MessageJson>>("Filecoin.ChainGetMessage", self.params((CidJson(*cid),))?).await;
        Ok(unless_missing(answer)?.map(|message| message.message))
    }

    /// A block of state by its CID, checked against it; `None` if the node does not hold it.
    ///
    /// Errors: Malformed: the bytes are not what the CID names.
    pub async fn read_obj(&self, cid: &Cid) -> Result<Option<Vec<u8>>, NodeError> {
        let answer = self.call::<Option<BytesJson>>("Filecoin.ChainReadObj", self.params((CidJson(*cid),))?).await;
        let Some(BytesJson(bytes)) = unless_missing(answer)? else { return Ok(None) };
        let unverifiable = || NodeError::Malformed(format!("{cid} uses a hash that cannot be checked"));
        let code = Code::try_from(cid.hash().code()).map_err(|_| unverifiable())?;
        if code.digest(&bytes) == *cid.hash() {
            Ok(Some(bytes))
        } else {
            Err(NodeError::Malformed(format!("the node's bytes are not {cid}")))
        }
    }

    /// An actor; `None` if there is none at this address.
    pub async fn get_actor(&self, address: &Address) -> Result<Option<ActorState>, NodeError> {
        let params = self.params((AddressJson(*address), TipsetKey::HEAD))?;
        unless_absent(self.call::<Option<ActorState>>("Filecoin.StateGetActor", params).await)
    }

    /// The ID address of an actor; `None` if it is not on the chain.
    pub async fn lookup_id(&self, address: &Address) -> Result<Option<Address>, NodeError> {
        let params = self.params((AddressJson(*address), TipsetKey::HEAD))?;
        let answer = unless_absent(self.call::<Option<AddressJson>>("Filecoin.StateLookupID", params).await)?;
        Ok(answer.map(|address| address.0))
    }

    /// The key address (f1 or f3) behind an account; `None` if the actor is not on the chain.
    ///
    /// Errors: Refused: the actor is no account.
    pub async fn account_key(&self, address: &Address) -> Result<Option<Address>, NodeError> {
        let params = self.params((AddressJson(*address), TipsetKey::HEAD))?;
        let answer = unless_absent(self.call::<Option<AddressJson>>("Filecoin.StateAccountKey", params).await)?;
        Ok(answer.map(|address| address.0))
    }

    /// The balance of an address; zero where there is no actor.
    pub async fn balance(&self, address: &Address) -> Result<TokenAmount, NodeError> {
        let answer = self.call::<TokenJson>("Filecoin.WalletBalance", self.params((AddressJson(*address),))?).await;
        match answer {
            Err(error) if error.is_actor_not_found() => Ok(TokenAmount::zero()),
            answer => Ok(answer?.0),
        }
    }

    /// The nonce of the next message, pending ones counted; zero where there is no actor.
    pub async fn nonce(&self, address: &Address) -> Result<u64, NodeError> {
        match self.call::<u64>("Filecoin.MpoolGetNonce", self.params((AddressJson(*address),))?).await {
            Err(error) if error.is_actor_not_found() => Ok(0),
            answer => answer,
        }
    }

    /// Executes a message without sending it. An actor's failure is in the result's receipt.
    pub async fn state_call(&self, message: &Message, at: &TipsetKey) -> Result<InvocResult, NodeError> {
        let params = self.params((request_form(message), at))?;
        self.call("Filecoin.StateCall", params).await
    }

    /// Fills in gas limit, fee cap and premium; everything else of the answer is ignored.
    ///
    /// Errors: Refused: the message's execution fails; see [`NodeError::execution_failure`].
    pub async fn gas_estimate(&self, message: &Message, spec: Option<&SendSpec>) -> Result<Message, NodeError> {
        let params = self.params((request_form(message), spec, TipsetKey::HEAD))?;
        let answer: MessageJson = self.call("Filecoin.GasEstimateMessageGas", params).await?;
        Ok(Message {
            gas_limit: answer.message.gas_limit,
            gas_fee_cap: answer.message.gas_fee_cap,
            gas_premium: answer.message.gas_premium,
            ..message.clone()
        })
    }

    /// Hands a message to the network.
    ///
    /// Errors: Unreachable: it may have arrived; look it up by its CID before anything else.
    pub async fn mpool_push(&self, message: &SignedMessage) -> Result<Cid, NodeError> {
        let params = self.params((SignedMessageJson(message.clone()),))?;
        let cid: CidJson = self.call("Filecoin.MpoolPush", params).await?;
        Ok(cid.0)
    }

    /// Where a message was executed, searched `lookback` epochs back from a tipset; `None` if not found there.
    pub async fn search_msg(
        &self,
        from: &TipsetKey,
        cid: &Cid,
        lookback: ChainEpoch,
    ) -> Result<Option<MsgLookup>, NodeError> {
        let params = self.params((from, CidJson(*cid), lookback, true))?;
        unless_missing(self.call::<Option<MsgLookup>>("Filecoin.StateSearchMsg", params).await)
    }

    /// Who is behind a miner actor; `None` if it is not on the chain.
    pub async fn miner_info(&self, miner: &Address) -> Result<Option<MinerInfo>, NodeError> {
        let params = self.params((AddressJson(*miner), TipsetKey::HEAD))?;
        unless_absent(self.call::<Option<MinerInfo>>("Filecoin.StateMinerInfo", params).await)
    }

    /// What an address has in the built-in market.
    pub async fn market_balance(&self, address: &Address) -> Result<MarketBalance, NodeError> {
        self.call("Filecoin.StateMarketBalance", self.params((AddressJson(*address), TipsetKey::HEAD))?).await
    }

    /// How much a provider may put up for a deal about a piece of this padded size.
    pub async fn deal_collateral_bounds(&self, size: u64) -> Result<CollateralBounds, NodeError> {
        let params = self.params((size, false, TipsetKey::HEAD))?;
        self.call("Filecoin.StateDealProviderCollateralBounds", params).await
    }

    /// A deal of the built-in market; `None` if there is none.
    pub async fn market_deal(&self, deal: u64) -> Result<Option<MarketDeal>, NodeError> {
        let params = self.params((deal, TipsetKey::HEAD))?;
        unless_missing(self.call::<Option<MarketDeal>>("Filecoin.StateMarketStorageDeal", params).await)
    }
}

/// A message as it stands in a request: glif's node and Forest want `""` for no params.
fn request_form(message: &Message) -> MessageJson {
    MessageJson { message: message.clone(), null_params: false }
}

fn decode<T: DeserializeOwned>(method: &str, value: Value) -> Result<T, NodeError> {
    serde_json::from_value(value).map_err(|error| NodeError::Malformed(format!("{method}: {error}")))
}

fn unless_absent<T>(answer: Result<Option<T>, NodeError>) -> Result<Option<T>, NodeError> {
    match answer {
        Err(error) if error.is_actor_not_found() => Ok(None),
        answer => answer,
    }
}

fn unless_missing<T>(answer: Result<Option<T>, NodeError>) -> Result<Option<T>, NodeError> {
    match answer {
        Err(error) if error.is_not_found() => Ok(None),
        answer => answer,
    }
}
