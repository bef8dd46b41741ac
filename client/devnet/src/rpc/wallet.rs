//! The node's wallet: the funded accounts, whose keys everybody knows.

use bauta_client::address::Prefix;
use bauta_client::message::{self, Message};
use bauta_client::node::json::{AddressJson, BytesJson, MessageJson, SendSpec, SignatureJson, SignedMessageJson};
use bauta_client::wallet::Key;
use fvm_shared::address::{Address, Protocol};

use super::args::answer;
use super::{Answer, Args, Method, RpcError};
use crate::chain::Chain;
use crate::estimate;
use crate::genesis::account_key;

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.WalletList", 0, list),
    Method::read("Filecoin.WalletHas", 1, has),
    Method::read("Filecoin.WalletDefaultAddress", 0, default),
    Method::read("Filecoin.WalletSign", 2, sign),
    Method::read("Filecoin.WalletSignMessage", 2, sign_message),
    Method::read("Filecoin.WalletVerify", 3, verify),
    Method::read("Filecoin.WalletValidateAddress", 1, validate_address),
    Method::settle("Filecoin.MpoolPushMessage", 2, push_message),
];

fn keys(chain: &Chain) -> impl Iterator<Item = Key> + use<> {
    (0..chain.network().accounts).map(account_key)
}

/// The key of an account, by its own address or its id.
fn key(chain: &Chain, address: &Address) -> Result<Option<Key>, RpcError> {
    if address.protocol() != Protocol::ID {
        return Ok(keys(chain).find(|key| key.address() == *address));
    }
    let (state, id) = (chain.state()?, address.id().ok());
    for key in keys(chain) {
        if state.resolve(&key.address())? == id {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn expect_key(chain: &Chain, address: &Address) -> Result<Key, RpcError> {
    key(chain, address)?.ok_or_else(|| {
        RpcError::application(format!("signing using key '{}': key info not found", Prefix::Testnet.show(address)))
    })
}

fn list(chain: &mut Chain, _: &Args) -> Answer {
    answer(keys(chain).map(|key| AddressJson(key.address())).collect::<Vec<_>>())
}

fn has(chain: &mut Chain, args: &Args) -> Answer {
    answer(key(chain, &args.address(0)?)?.is_some())
}

fn default(chain: &mut Chain, _: &Args) -> Answer {
    let first =
        keys(chain).next().ok_or_else(|| RpcError::application("failed to get default key: key info not found"))?;
    answer(AddressJson(first.address()))
}

fn sign(chain: &mut Chain, args: &Args) -> Answer {
    let (address, BytesJson(data)) = (args.address(0)?, args.get(1)?);
    answer(SignatureJson(expect_key(chain, &address)?.sign_bytes(&data)))
}

fn sign_message(chain: &mut Chain, args: &Args) -> Answer {
    let (address, MessageJson { message, .. }) = (args.address(0)?, args.get(1)?);
    answer(SignedMessageJson(signed(&expect_key(chain, &address)?, message)?))
}

fn signed(key: &Key, message: Message) -> Result<message::SignedMessage, RpcError> {
    key.sign(message).map_err(|e| RpcError::application(format!("failed to sign message: {e}")))
}

fn verify(_: &mut Chain, args: &Args) -> Answer {
    let (address, BytesJson(data), SignatureJson(signature)) = (args.address(0)?, args.get(1)?, args.get(2)?);
    answer(signature.verify(&data, &address).is_ok())
}

fn validate_address(_: &mut Chain, args: &Args) -> Answer {
    let text: String = args.get(0)?;
    let parsed = bauta_client::address::parse(&text);
    answer(AddressJson(parsed.map_err(|e| RpcError::application(e.to_string()))?))
}

/// Go's unset UUID.
const NO_UUID: &str = "00000000-0000-0000-0000-000000000000";

/// Estimates, signs and sends.
///
/// Source: lotus `node/impl/full/mpool.go`, `MpoolPushMessage`.
fn push_message(chain: &mut Chain, args: &Args) -> Answer {
    let MessageJson { mut message, .. } = args.get(0)?;
    let spec: SendSpec = args.get::<Option<SendSpec>>(1)?.unwrap_or_default();
    // Asked again under the same name, it is the same message.
    let named = !spec.msg_uuid.is_empty() && spec.msg_uuid != NO_UUID;
    if named && let Some(signed) = chain.pool.named(&spec.msg_uuid) {
        return answer(SignedMessageJson(signed.clone()));
    }
    let key = expect_key(chain, &message.from)?;
    message.from = key.address();
    if message.sequence != 0 {
        let nonce = message.sequence;
        return Err(RpcError::application(format!("MpoolPushMessage expects message nonce to be 0, was {nonce}")));
    }
    message.sequence = chain.next_nonce(&message.from)?.ok_or_else(|| RpcError::unresolved(message.from))?;
    let (state, epoch) = (chain.head().state, chain.epoch() + 1);
    estimate::fill(chain, state, epoch, &mut message)?;
    estimate::cap(&mut message, &spec.max_fee, spec.maximize_fee_cap);
    let balance = chain.actor(&message.from)?.map(|actor| actor.balance).unwrap_or_default();
    let required = message::required_funds(&message);
    if balance < required {
        return Err(RpcError::application(format!(
            "mpool push: not enough funds: {} < {}",
            balance.atto(),
            required.atto()
        )));
    }
    let signed = signed(&key, message)?;
    chain.push(signed.clone())?;
    if named {
        chain.pool.name(spec.msg_uuid, signed.clone());
    }
    answer(SignedMessageJson(signed))
}
