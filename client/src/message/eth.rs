//! Ethereum transactions as the chain knows them: a message of an f410 account, signed over the transaction's RLP.
//!
//! What can be said: to an address with call data (`InvokeContract`), or to nobody with code (`CreateExternal` of the address manager).
//! Each message gives the transaction back, byte for byte, so one signature serves both. Three forms exist: EIP-1559 (type 2), and the
//! legacy forms with (EIP-155) and without the chain id (Homestead), which begin the signature with a byte of their own and have one
//! gas price for both fee cap and premium.
//!
//! Source: FIP-0055, FIP-0091; lotus `chain/types/ethtypes`.

use fvm_ipld_encoding::{BytesDe, BytesSer, RawBytes};
use fvm_shared::address::Address;
use fvm_shared::bigint::{BigInt, Sign};
use fvm_shared::econ::TokenAmount;
use thiserror::Error;

use super::rlp::{self, Item, Writer};
use super::{Message, Signature, SignatureError, SignatureKind, SignedMessage};
use crate::address::{EthAddress, Protocol, keccak256};

/// Calls a contract the Ethereum way; the FRC-0042 number of `InvokeEVM`. Params and return are a bare CBOR byte string.
pub const INVOKE_CONTRACT: u64 = 3_844_450_837;
/// Creates a contract: `init code -> [id, robust address, Ethereum address]`; a method of the address manager (builtin-actors v18,
/// `actors/eam`).
pub const CREATE_EXTERNAL: u64 = 4;
/// The Ethereum address manager, f010.
pub const ADDRESS_MANAGER: Address = Address::new_id(crate::address::ETH_NAMESPACE);

/// Where the address manager puts the contract that a message creates: as Ethereum does, by who sends it and its nonce. Who has no address in
/// Ethereum's form is known by the hash of the one they have. None for a sender that is no account's key.
///
/// Source: builtin-actors v18, `actors/eam`.
pub fn created_by(from: &Address, sequence: u64) -> Option<EthAddress> {
    let last = |hash: [u8; 32]| EthAddress(hash[12..].try_into().expect("32 - 12 = 20"));
    let creator = match from.protocol() {
        Protocol::Secp256k1 | Protocol::BLS => last(keccak256(&from.to_bytes())),
        Protocol::Delegated => EthAddress::of(from)?,
        Protocol::ID | Protocol::Actor => return None,
    };
    let mut list = Writer::default();
    list.bytes(&creator.0).number(&sequence.to_be_bytes());
    Some(last(keccak256(&list.list())))
}

/// First byte of a legacy signature without chain id.
const HOMESTEAD: u8 = 1;
/// First byte of a legacy signature with chain id.
const EIP_155: u8 = 2;

/// Why something is no transaction, or a message none of an f410 account. Sentences are Lotus's where clients match on them.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EthError {
    /// The bytes are no RLP of a transaction.
    #[error("invalid rlp data: {0}")]
    Rlp(&'static str),
    /// A type that the network does not take: access lists, blobs, authorizations.
    #[error("unsupported transaction type {0}")]
    Type(u8),
    /// It is for another chain.
    #[error("invalid chain id, expected {expected}, got {got}")]
    ChainId {
        /// This chain.
        expected: u64,
        /// The transaction's.
        got: u64,
    },
    /// An access list, which has no meaning here.
    #[error("access list should be an empty list")]
    AccessList,
    /// The signature's last part is none.
    #[error("{0} is not a recovery id of this form of transaction")]
    RecoveryId(u64),
    /// A sender that is no f410 account.
    #[error("sender was not an eth account")]
    Sender,
    /// A method that no transaction can ask for.
    #[error(
        "invalid methodnum {0}: only allowed method is InvokeContract({INVOKE_CONTRACT}) or CreateExternal({CREATE_EXTERNAL})"
    )]
    Method(u64),
    /// Another method of the address manager.
    #[error("unsupported EAM method")]
    ManagerMethod,
    /// A recipient without an address in Ethereum's form.
    #[error("the recipient has to be an f0 or f410 address: resolve it first")]
    Recipient,
    /// Params that are not one canonical byte string.
    #[error("failed to read params byte array: {0}")]
    Params(&'static str),
    /// Gas price and premium differ in a legacy transaction.
    #[error("Ethereum transaction roundtrip mismatch")]
    Mismatch,
    /// An amount above 256 bits, or negative.
    #[error("an amount does not fit into a transaction")]
    Amount,
    /// The signature itself.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// Which form a transaction has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Type 2.
    Eip1559,
    /// Legacy, with the chain id in the signature.
    Eip155,
    /// Legacy, valid on any chain.
    Homestead,
}

/// A signed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EthTransaction {
    /// Its form.
    pub form: Form,
    /// The chain that it is for.
    pub chain_id: u64,
    /// How many transactions the sender had sent.
    pub nonce: u64,
    /// To whom; `None` creates a contract.
    pub to: Option<EthAddress>,
    /// attoFIL.
    pub value: TokenAmount,
    /// Call data or code.
    pub input: Vec<u8>,
    /// Highest gas use.
    pub gas_limit: u64,
    /// Most for one gas, in attoFIL.
    pub max_fee: TokenAmount,
    /// Of it for the miner.
    pub max_priority_fee: TokenAmount,
    /// Recovery id as the form has it: 0 and 1, 27 and 28, or 35 and 36 above twice the chain id.
    pub v: u64,
    /// First half of the signature.
    pub r: [u8; 32],
    /// Second half.
    pub s: [u8; 32],
}

/// Params of a message with this call data: one CBOR byte string; none for none.
pub fn params(input: &[u8]) -> RawBytes {
    if input.is_empty() {
        return RawBytes::default();
    }
    RawBytes::serialize(BytesSer(input)).expect("a byte string always encodes")
}

/// The call data in a message's params, the inverse of [`params`].
///
/// Errors: Params: not one canonical byte string, or an empty one.
pub fn input(params: &RawBytes) -> Result<Vec<u8>, EthError> {
    if params.is_empty() {
        return Ok(vec![]);
    }
    let BytesDe(bytes) = params.deserialize().map_err(|_| EthError::Params("they are not one byte string"))?;
    if bytes.is_empty() {
        return Err(EthError::Params("non-empty params encode empty byte array"));
    }
    if self::params(&bytes) == *params { Ok(bytes) } else { Err(EthError::Params("they are not canonical")) }
}

impl EthTransaction {
    /// Reads the bytes of `eth_sendRawTransaction`.
    ///
    /// Errors: a type that the network does not take, another chain, an access list, a `v` of no form, anything not canonical.
    pub fn parse(raw: &[u8], chain_id: u64) -> Result<Self, EthError> {
        match raw.first() {
            None => Err(EthError::Rlp("it is empty")),
            Some(2) => Self::parse_1559(&rlp::list(&raw[1..])?, chain_id),
            Some(0x80..) => Self::parse_legacy(&rlp::list(raw)?, chain_id),
            Some(other) => Err(EthError::Type(*other)),
        }
    }

    fn parse_1559(items: &[Item<'_>], chain_id: u64) -> Result<Self, EthError> {
        let [chain, nonce, premium, fee, gas, to, value, input, access, v, r, s] = items else {
            return Err(EthError::Rlp("an EIP-1559 transaction has 12 elements"));
        };
        check_chain(chain.u64()?, chain_id)?;
        if *access != Item::List(&[]) {
            return Err(EthError::AccessList);
        }
        let parsed = Self {
            form: Form::Eip1559,
            chain_id,
            nonce: nonce.u64()?,
            to: recipient(to)?,
            value: amount(value)?,
            input: input.bytes()?.to_vec(),
            gas_limit: gas.u64()?,
            max_fee: amount(fee)?,
            max_priority_fee: amount(premium)?,
            v: v.u64()?,
            r: r.word()?,
            s: s.word()?,
        };
        parsed.parity()?;
        Ok(parsed)
    }

    fn parse_legacy(items: &[Item<'_>], chain_id: u64) -> Result<Self, EthError> {
        let [nonce, price, gas, to, value, input, v, r, s] = items else {
            return Err(EthError::Rlp("a legacy transaction has 9 elements"));
        };
        let v = v.u64()?;
        let form = if matches!(v, 27 | 28) { Form::Homestead } else { Form::Eip155 };
        if form == Form::Eip155 {
            check_chain(v.checked_sub(35).ok_or(EthError::RecoveryId(v))? / 2, chain_id)?;
        }
        Ok(Self {
            form,
            chain_id,
            nonce: nonce.u64()?,
            to: recipient(to)?,
            value: amount(value)?,
            input: input.bytes()?.to_vec(),
            gas_limit: gas.u64()?,
            max_fee: amount(price)?,
            max_priority_fee: amount(price)?,
            v,
            r: r.word()?,
            s: s.word()?,
        })
    }

    /// The transaction that a message is, without its signature; the form is EIP-1559.
    ///
    /// Errors: Sender, Method, ManagerMethod, Recipient, Params, Amount: no transaction can say this.
    pub fn of_message(message: &Message, chain_id: u64) -> Result<Self, EthError> {
        if EthAddress::of(&message.from).is_none_or(|from| from.as_id().is_some()) {
            return Err(EthError::Sender);
        }
        let to = match message.method_num {
            CREATE_EXTERNAL if message.to == ADDRESS_MANAGER => None,
            _ if message.to == ADDRESS_MANAGER => return Err(EthError::ManagerMethod),
            INVOKE_CONTRACT => Some(EthAddress::of(&message.to).ok_or(EthError::Recipient)?),
            other => return Err(EthError::Method(other)),
        };
        for amount in [&message.value, &message.gas_fee_cap, &message.gas_premium] {
            if amount.is_negative() || amount.atto().bits() > 256 {
                return Err(EthError::Amount);
            }
        }
        Ok(Self {
            form: Form::Eip1559,
            chain_id,
            nonce: message.sequence,
            to,
            value: message.value.clone(),
            input: input(&message.params)?,
            gas_limit: message.gas_limit,
            max_fee: message.gas_fee_cap.clone(),
            max_priority_fee: message.gas_premium.clone(),
            v: 0,
            r: [0; 32],
            s: [0; 32],
        })
    }

    /// The transaction that a signed message is.
    ///
    /// Errors: as [`EthTransaction::of_message`]; the signature has no form, or one for another chain; Mismatch.
    pub fn of_signed(signed: &SignedMessage, chain_id: u64) -> Result<Self, EthError> {
        let mut transaction = Self::of_message(&signed.message, chain_id)?;
        if signed.signature.kind() != SignatureKind::Delegated {
            return Err(SignatureError::WrongAddress { kind: signed.signature.kind().name() }.into());
        }
        let data = signed.signature.data();
        let (form, data) = match (data.len(), data.first()) {
            (65, _) => (Form::Eip1559, data),
            (66, Some(&HOMESTEAD)) => (Form::Homestead, &data[1..]),
            (66.., Some(&EIP_155)) => (Form::Eip155, &data[1..]),
            _ => return Err(SignatureError::Malformed.into()),
        };
        let (r, rest) = data.split_first_chunk().ok_or(SignatureError::Malformed)?;
        let (s, v) = rest.split_first_chunk().ok_or(SignatureError::Malformed)?;
        let v = Item::Bytes(if *v == [0] { &[] } else { v }).u64()?;
        (transaction.form, transaction.v, transaction.r, transaction.s) = (form, v, *r, *s);
        if form == Form::Eip155 {
            check_chain(v.checked_sub(35).ok_or(EthError::RecoveryId(v))? / 2, chain_id)?;
        }
        transaction.parity()?;
        // A legacy transaction has one price.
        if form != Form::Eip1559 && transaction.max_fee != transaction.max_priority_fee {
            return Err(EthError::Mismatch);
        }
        Ok(transaction)
    }

    /// The message, with the sender recovered from the signature.
    ///
    /// Errors: as [`EthTransaction::sender`].
    pub fn to_signed_message(&self) -> Result<SignedMessage, EthError> {
        let message = self.to_message(self.sender()?);
        Ok(SignedMessage { message, signature: self.signature()? })
    }

    fn to_message(&self, from: EthAddress) -> Message {
        let (to, method_num) = match self.to {
            Some(to) => (to.to_filecoin(), INVOKE_CONTRACT),
            None => (ADDRESS_MANAGER, CREATE_EXTERNAL),
        };
        Message {
            version: 0,
            from: from.to_filecoin(),
            to,
            sequence: self.nonce,
            value: self.value.clone(),
            method_num,
            params: params(&self.input),
            gas_limit: self.gas_limit,
            gas_fee_cap: self.max_fee.clone(),
            gas_premium: self.max_priority_fee.clone(),
        }
    }

    /// The signature as a message carries it.
    fn signature(&self) -> Result<Signature, EthError> {
        let mut data = match self.form {
            Form::Eip1559 => vec![],
            Form::Eip155 => vec![EIP_155],
            Form::Homestead => vec![HOMESTEAD],
        };
        data.extend_from_slice(&self.r);
        data.extend_from_slice(&self.s);
        let v = self.v.to_be_bytes();
        data.extend_from_slice(&v[(self.v.leading_zeros() as usize / 8).min(7)..]);
        Ok(Signature::new(SignatureKind::Delegated, data)?)
    }

    /// Who signed it.
    ///
    /// Errors: as [`EthTransaction::parity`]; Signature: `r` and `s` are none.
    pub fn sender(&self) -> Result<EthAddress, EthError> {
        let mut signature = [0; 65];
        signature[..32].copy_from_slice(&self.r);
        signature[32..64].copy_from_slice(&self.s);
        signature[64] = self.parity()?;
        Ok(super::signature::recover_eth(&signature, &self.signing_bytes())?)
    }

    /// 0 or 1, whatever the form.
    ///
    /// Errors: RecoveryId: `v` is none of this form and chain.
    pub fn parity(&self) -> Result<u8, EthError> {
        let base = match self.form {
            Form::Eip1559 => 0,
            Form::Homestead => 27,
            Form::Eip155 => self.chain_id.saturating_mul(2).saturating_add(35),
        };
        match self.v.checked_sub(base) {
            Some(parity @ 0..=1) => Ok(u8::try_from(parity).expect("0 or 1")),
            _ => Err(EthError::RecoveryId(self.v)),
        }
    }

    /// What is hashed and signed.
    pub fn signing_bytes(&self) -> Vec<u8> {
        let mut list = self.fields();
        if self.form == Form::Eip155 {
            list.number(&self.chain_id.to_be_bytes()).number(&[]).number(&[]);
        }
        self.typed(&list)
    }

    /// The bytes of `eth_sendRawTransaction`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut list = self.fields();
        list.number(&self.v.to_be_bytes()).number(&self.r).number(&self.s);
        self.typed(&list)
    }

    /// The hash that Ethereum's tools know it by.
    pub fn hash(&self) -> [u8; 32] {
        keccak256(&self.to_bytes())
    }

    fn typed(&self, list: &Writer) -> Vec<u8> {
        let mut bytes = list.list();
        if self.form == Form::Eip1559 {
            bytes.insert(0, 2);
        }
        bytes
    }

    fn fields(&self) -> Writer {
        let mut list = Writer::default();
        if self.form == Form::Eip1559 {
            list.number(&self.chain_id.to_be_bytes());
        }
        list.number(&self.nonce.to_be_bytes());
        if self.form == Form::Eip1559 {
            list.number(&big_endian(&self.max_priority_fee));
        }
        list.number(&big_endian(&self.max_fee)).number(&self.gas_limit.to_be_bytes());
        list.bytes(self.to.as_ref().map_or(&[][..], |to| &to.0));
        list.number(&big_endian(&self.value)).bytes(&self.input);
        if self.form == Form::Eip1559 {
            list.empty_list();
        }
        list
    }
}

fn big_endian(amount: &TokenAmount) -> Vec<u8> {
    amount.atto().to_bytes_be().1
}

fn amount(item: &Item<'_>) -> Result<TokenAmount, EthError> {
    Ok(TokenAmount::from_atto(BigInt::from_bytes_be(Sign::Plus, &item.word()?)))
}

fn recipient(item: &Item<'_>) -> Result<Option<EthAddress>, EthError> {
    match item.bytes()? {
        [] => Ok(None),
        bytes => {
            bytes.try_into().map(|bytes| Some(EthAddress(bytes))).map_err(|_| EthError::Rlp("an address has 20 bytes"))
        }
    }
}

fn check_chain(got: u64, expected: u64) -> Result<(), EthError> {
    if got == expected { Ok(()) } else { Err(EthError::ChainId { expected, got }) }
}
