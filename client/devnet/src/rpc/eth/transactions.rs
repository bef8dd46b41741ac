//! Transactions: sending, finding, and what came of them.

use bauta_client::address::EthAddress;
use bauta_client::message::eth::{self, ADDRESS_MANAGER, CREATE_EXTERNAL, EthTransaction, Form, INVOKE_CONTRACT};
use bauta_client::message::{Message, SignatureKind, SignedMessage};
use bauta_client::node::json::CidJson;
use cid::Cid;
use fvm_ipld_encoding::CBOR;
use fvm_shared::ActorID;
use fvm_shared::bigint::Zero;
use fvm_shared::econ::TokenAmount;
use fvm_shared::receipt::Receipt;
use serde_json::{Value, json};

use super::bloom::Bloom;
use super::forms::{self, Data, Hash, Quantity};
use super::logs::{self, Log};
use super::{Answer, Args, RpcError, accounts, answer, block_param};
use crate::chain::Chain;
use crate::records::TipsetRecord;
use crate::rpc::chain::{Loaded, load};
use crate::state::State;
use crate::tipset;
use crate::vm::BASE_FEE;

/// Stands for a receiver that was never created: `ff`, zeros, and the highest id.
const NOBODY: ActorID = ActorID::MAX;
/// keccak256("handle_filecoin_method(uint64,uint64,bytes)"), the first four bytes.
const NATIVE_SELECTOR: [u8; 4] = [0x86, 0x8e, 0x10, 0xc4];

pub(super) fn send(chain: &mut Chain, args: &Args) -> Answer {
    push(chain, args, Chain::push)
}

/// What gateways make of it.
pub(super) fn send_untrusted(chain: &mut Chain, args: &Args) -> Answer {
    push(chain, args, Chain::push_untrusted)
}

fn push(chain: &mut Chain, args: &Args, push: impl FnOnce(&mut Chain, SignedMessage) -> anyhow::Result<Cid>) -> Answer {
    let Data(raw) = args.get(0)?;
    let transaction = EthTransaction::parse(&raw, chain.network().chain_id).map_err(refused)?;
    let signed = transaction.to_signed_message().map_err(refused)?;
    push(chain, signed)?;
    answer(Hash(transaction.hash()))
}

fn refused(error: eth::EthError) -> RpcError {
    RpcError::application(error.to_string())
}

/// The hash by which Ethereum's tools know a message.
pub(crate) fn hash_of(signed: &SignedMessage, chain_id: u64) -> Option<Hash> {
    if signed.signature.kind() == SignatureKind::Delegated {
        return EthTransaction::of_signed(signed, chain_id).ok().map(|transaction| Hash(transaction.hash()));
    }
    Hash::of(&signed.cid())
}

/// The same of a message on the chain, by its CID there.
pub(super) fn hash_on_chain(chain: &Chain, cid: &Cid) -> Result<Option<Hash>, RpcError> {
    Ok(match load(chain, cid)? {
        Loaded::Signed(signed) => hash_of(&signed, chain.network().chain_id),
        Loaded::Plain(_) => Hash::of(cid),
    })
}

/// Where a transaction is: its tipset and its number there.
fn place(chain: &Chain, hash: Hash) -> Result<Option<(TipsetRecord, usize)>, RpcError> {
    // Ethereum's hash has an entry of its own; any other is the digest of a message's CID.
    for cid in [tipset::transaction_cid(&hash.0), hash.to_cid()] {
        if let Some(place) = chain.store().place(&cid)?
            && let Some(record) = chain.store().tipset_at_or_before(place.epoch)?
            && let Some(on_chain) = record.messages.get(place.index as usize)
            && record.height == place.epoch
            && hash_on_chain(chain, on_chain)? == Some(hash)
        {
            return Ok(Some((record, place.index as usize)));
        }
    }
    Ok(None)
}

/// A transaction that waits.
fn waiting(chain: &Chain, hash: Hash) -> Option<&SignedMessage> {
    let all = chain.pool.all().into_iter().map(|pending| &pending.signed);
    all.into_iter().find(|signed| hash_of(signed, chain.network().chain_id) == Some(hash))
}

pub(super) fn by_hash(chain: &mut Chain, args: &Args) -> Answer {
    let Some(hash) = args.get::<Option<Hash>>(0)? else { return answer(Value::Null) };
    if let Some((record, index)) = place(chain, hash)?
        && record.height < chain.head().height
    {
        return answer(Transaction::of(chain, &record, index)?.to_json());
    }
    // A waiting message of another account may name addresses that have no form yet.
    match waiting(chain, hash).filter(|signed| signed.signature.kind() == SignatureKind::Delegated) {
        Some(signed) => answer(Transaction::of_account(signed, chain.network().chain_id)?.to_json()),
        None => answer(Value::Null),
    }
}

fn by_index(chain: &Chain, record: &TipsetRecord, args: &Args) -> Answer {
    let index = args.get::<Quantity>(1)?.0;
    let count = record.messages.len();
    match usize::try_from(index).ok().filter(|index| *index < count) {
        Some(index) => answer(Transaction::of(chain, record, index)?.to_json()),
        None => Err(RpcError::application(format!("index {index} out of range: tipset contains {count} messages"))),
    }
}

pub(super) fn by_block_hash(chain: &mut Chain, args: &Args) -> Answer {
    let record = block_param::by_hash(chain, args.get(0)?)?;
    by_index(chain, &record, args)
}

pub(super) fn by_block_number(chain: &mut Chain, args: &Args) -> Answer {
    let record = block_param::find(chain, args, 0, true)?;
    by_index(chain, &record, args)
}

pub(super) fn receipt(chain: &mut Chain, args: &Args) -> Answer {
    let Some((record, index)) = place(chain, args.get(0)?)? else { return answer(Value::Null) };
    // As on Lotus, what a message did is known once its tipset has a child.
    if record.height >= chain.head().height {
        return answer(Value::Null);
    }
    answer(receipts(chain, &record)?.swap_remove(index))
}

pub(super) fn message_cid(chain: &mut Chain, args: &Args) -> Answer {
    let Some(hash) = args.get::<Option<Hash>>(0)? else { return answer(Value::Null) };
    let found = match place(chain, hash)? {
        Some((record, index)) => Some(record.messages[index]),
        None => waiting(chain, hash).map(SignedMessage::cid),
    };
    answer(found.map(CidJson))
}

pub(super) fn hash_by_cid(chain: &mut Chain, args: &Args) -> Answer {
    let cid = args.cid(0)?;
    if let Some(pending) = chain.pool.find(&cid) {
        return answer(hash_of(&pending.signed, chain.network().chain_id));
    }
    match chain.store().place(&cid)? {
        Some(_) => answer(hash_on_chain(chain, &cid)?),
        None => answer(Value::Null),
    }
}

/// A transaction with its place.
pub(super) struct Transaction {
    /// As Ethereum knows it.
    pub hash: Hash,
    /// Sender.
    pub from: EthAddress,
    /// Receiver; `None` creates a contract.
    pub to: Option<EthAddress>,
    input: Vec<u8>,
    message: Message,
    chain_id: u64,
    /// The transaction that was signed, of f410 accounts.
    signed: Option<EthTransaction>,
    place: Option<(Hash, u64, usize)>,
}

impl Transaction {
    /// A message of a tipset.
    pub fn of(chain: &Chain, record: &TipsetRecord, index: usize) -> Result<Self, RpcError> {
        let cid = record.messages[index];
        let chain_id = chain.network().chain_id;
        let mut transaction = match load(chain, &cid)? {
            Loaded::Signed(signed) if signed.signature.kind() == SignatureKind::Delegated => {
                Self::of_account(&signed, chain_id)?
            }
            Loaded::Signed(SignedMessage { message, .. }) | Loaded::Plain(message) => {
                // By the head's state: old ones go, and addresses stay.
                Self::of_native(&State::at(chain.store(), &chain.head().state)?, &cid, message, chain_id)?
            }
        };
        transaction.place = Some((block_param::hash_of(record), record.height.unsigned_abs(), index));
        Ok(transaction)
    }

    /// A message of an f410 account.
    fn of_account(signed: &SignedMessage, chain_id: u64) -> Result<Self, RpcError> {
        let transaction = EthTransaction::of_signed(signed, chain_id).map_err(refused)?;
        Ok(Self {
            hash: Hash(transaction.hash()),
            from: EthAddress::of(&signed.message.from).ok_or_else(|| refused(eth::EthError::Sender))?,
            to: transaction.to,
            input: transaction.input.clone(),
            message: signed.message.clone(),
            chain_id,
            signed: Some(transaction),
            place: None,
        })
    }

    /// Any other message: a call of `handle_filecoin_method`, unless it is what an f410 account could say, too.
    fn of_native(state: &State, cid: &Cid, message: Message, chain_id: u64) -> Result<Self, RpcError> {
        let unknown = || RpcError::unresolved(message.from);
        let from = accounts::shown(state, &message.from)?.ok_or_else(unknown)?;
        let mut to = Some(accounts::shown(state, &message.to)?.unwrap_or_else(|| EthAddress::from_id(NOBODY)));
        let codec = if message.params.is_empty() { 0 } else { CBOR };
        let mut input = native_input(message.method_num, codec, message.params.bytes());
        let creates = message.to == ADDRESS_MANAGER && message.method_num == CREATE_EXTERNAL;
        if (creates || message.method_num == INVOKE_CONTRACT)
            && let Ok(data) = eth::input(&message.params)
        {
            input = data;
            to = to.filter(|_| !creates);
        }
        let hash = Hash::of(cid).ok_or_else(|| RpcError::application("a message's CID has another hash"))?;
        Ok(Self { hash, from, to, input, message, chain_id, signed: None, place: None })
    }

    /// What one gas costs in the end, without what was burnt for too high a limit.
    fn gas_price(&self) -> TokenAmount {
        let base = TokenAmount::from_atto(BASE_FEE);
        (&self.message.gas_premium + base).min(self.message.gas_fee_cap.clone())
    }

    /// In JSON.
    pub fn to_json(&self) -> Value {
        let form = self.signed.as_ref().map_or(Form::Eip1559, |signed| signed.form);
        let legacy = form != Form::Eip1559;
        let mut json = json!({
            "hash": self.hash,
            // One that any chain takes names none.
            "chainId": forms::quantity(if form == Form::Homestead { 0 } else { self.chain_id }),
            "type": if legacy { "0x0" } else { "0x2" },
            "nonce": forms::quantity(self.message.sequence),
            "blockHash": self.place.map(|(hash, _, _)| hash),
            "blockNumber": self.place.map(|(_, number, _)| forms::quantity(number)),
            "transactionIndex": self.place.map(|(_, _, index)| forms::quantity(index as u64)),
            "from": forms::address(&self.from),
            "to": self.to.as_ref().map(forms::address),
            "value": forms::amount(&self.message.value),
            "input": forms::bytes(&self.input),
            "gas": forms::quantity(self.message.gas_limit),
            "gasPrice": forms::amount(&if legacy { self.message.gas_fee_cap.clone() } else { self.gas_price() }),
        });
        if !legacy {
            json["maxFeePerGas"] = json!(forms::amount(&self.message.gas_fee_cap));
            json["maxPriorityFeePerGas"] = json!(forms::amount(&self.message.gas_premium));
            json["accessList"] = json!([]);
        }
        let number = |bytes: &[u8; 32]| forms::amount(&TokenAmount::from_atto(big(bytes)));
        let (v, r, s) = match &self.signed {
            Some(signed) => (signed.v, number(&signed.r), number(&signed.s)),
            None => (0, "0x0".into(), "0x0".into()),
        };
        json["v"] = json!(forms::quantity(v));
        json["r"] = json!(r);
        json["s"] = json!(s);
        if !legacy {
            json["yParity"] = json["v"].clone();
        }
        json
    }
}

fn big(bytes: &[u8]) -> fvm_shared::bigint::BigInt {
    fvm_shared::bigint::BigInt::from_bytes_be(fvm_shared::bigint::Sign::Plus, bytes)
}

/// Call data of `handle_filecoin_method(method, codec, params)`.
fn native_input(method: u64, codec: u64, params: &[u8]) -> Vec<u8> {
    let mut input = NATIVE_SELECTOR.to_vec();
    for number in [method, codec, 96, params.len() as u64] {
        input.extend([0; 24]);
        input.extend(number.to_be_bytes());
    }
    input.extend(params);
    input.resize(4 + 4 * 32 + params.len().next_multiple_of(32), 0);
    input
}

/// The receipts of a tipset in JSON.
pub(super) fn receipts(chain: &Chain, record: &TipsetRecord) -> Result<Vec<Value>, RpcError> {
    let logs = logs::of_tipset(chain, record)?;
    let mut all = vec![];
    for (index, receipt) in tipset::read_receipts(chain.store(), &record.receipts)?.into_iter().enumerate() {
        let transaction = Transaction::of(chain, record, index)?;
        let own: Vec<&Log> = logs.iter().filter(|log| log.transaction == index).collect();
        all.push(show_receipt(&transaction, &receipt, &own, block_param::hash_of(record), record.height)?);
    }
    Ok(all)
}

fn show_receipt(
    transaction: &Transaction,
    receipt: &Receipt,
    logs: &[&Log],
    block: Hash,
    height: i64,
) -> Result<Value, RpcError> {
    let mut bloom = Bloom::new();
    logs.iter().for_each(|log| bloom.add(&log.address, &log.topics));
    let mut created = None;
    if transaction.to.is_none() && receipt.exit_code.is_success() {
        let (_, _, address): (ActorID, Option<fvm_shared::address::Address>, fvm_ipld_encoding::BytesDe) =
            receipt.return_data.deserialize().map_err(anyhow::Error::from)?;
        created = Some(forms::bytes(&address.0));
    }
    let spent = fees(&transaction.message, receipt.gas_used);
    let price = if receipt.gas_used == 0 { TokenAmount::zero() } else { spent.div_floor(receipt.gas_used) };
    Ok(json!({
        "transactionHash": transaction.hash,
        "transactionIndex": transaction.place.map(|(_, _, index)| forms::quantity(index as u64)),
        "blockHash": block,
        "blockNumber": forms::quantity(height.unsigned_abs()),
        "from": forms::address(&transaction.from),
        "to": transaction.to.as_ref().map(forms::address),
        "root": Hash([0; 32]),
        "status": if receipt.exit_code.is_success() { "0x1" } else { "0x0" },
        "contractAddress": created,
        // As on Lotus, which does not count.
        "cumulativeGasUsed": "0x0",
        "gasUsed": forms::quantity(receipt.gas_used),
        "effectiveGasPrice": forms::amount(&price),
        "logsBloom": forms::bytes(bloom.bytes()),
        "logs": logs,
        "type": transaction.to_json()["type"],
    }))
}

/// What a message's gas has cost: base fee, tip, and what is burnt for a limit far above the use.
///
/// Source: lotus `chain/vm/burn.go`.
fn fees(message: &Message, used: u64) -> TokenAmount {
    let base = TokenAmount::from_atto(BASE_FEE).min(message.gas_fee_cap.clone());
    let tip = (&message.gas_fee_cap - &base).min(message.gas_premium.clone());
    let unused = u128::from(message.gas_limit.saturating_sub(used));
    let over = u128::from(message.gas_limit).checked_sub(u128::from(used) * 11 / 10);
    let burnt = match over {
        None => 0,
        Some(_) if used == 0 => unused,
        Some(over) => unused * over.min(u128::from(used)) / u128::from(used),
    };
    base.clone() * used + tip * message.gas_limit + base * burnt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gas_that_was_asked_for_in_vain_is_burnt_as_on_lotus() {
        let mut message = bauta_client::message::draft(
            ADDRESS_MANAGER,
            ADDRESS_MANAGER,
            TokenAmount::zero(),
            0,
            fvm_ipld_encoding::RawBytes::default(),
        );
        message.gas_fee_cap = TokenAmount::from_atto(1000);
        message.gas_premium = TokenAmount::from_atto(10);
        // Lotus's table of (limit, used, burnt gas).
        for (limit, used, burnt) in [(110, 100, 0), (200, 100, 90), (220, 100, 120), (2100, 100, 2000), (500, 0, 500)] {
            message.gas_limit = limit;
            let want = TokenAmount::from_atto(100 * used + 10 * limit + 100 * burnt);
            assert_eq!(fees(&message, used), want, "{limit} {used}");
        }
    }
}
