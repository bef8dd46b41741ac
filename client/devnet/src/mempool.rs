//! Messages that wait for a tipset, and the rules by which they may.
//!
//! The sentences are Lotus's, because clients match on them. Source: lotus `chain/messagepool`.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use bauta_client::address::Prefix;
use bauta_client::message::eth::EthError;
use bauta_client::message::{self, Message, MessageError, SignatureKind, SignedMessage};
use cid::Cid;
use fvm_shared::address::{Address, Protocol};
use fvm_shared::econ::TokenAmount;

use crate::vm::{BASE_FEE, BLOCK_GAS};

#[cfg(test)]
mod tests;
mod turns;

use turns::turns;

/// How much one sender may have waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How far a nonce may be ahead of the next one.
    gap: u64,
    /// How many messages may wait.
    pending: usize,
}

impl Limits {
    /// For `MpoolPush`. Lotus knows no largest gap here; one that takes more messages than may wait cannot be filled.
    pub const TRUSTED: Self = Self { gap: 999, pending: 1000 };
    /// For `MpoolPushUntrusted`, which is what gateways make of `MpoolPush`.
    pub const UNTRUSTED: Self = Self { gap: 0, pending: 100 };
}

/// A replacement must offer this many percent of the old premium.
const REPLACE_PERCENT: u64 = 125;
/// How many replaced messages are remembered.
const MAX_REPLACED: usize = 10_000;
/// How many names of messages are remembered.
const MAX_NAMED: usize = 10_000;

/// Why a message may not wait.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// Longer than 64 KiB.
    #[error("mpool message too large ({0}B): message too big")]
    TooBig(usize),
    /// A field is out of its bounds.
    #[error("message not valid for block inclusion: {0}")]
    Invalid(String),
    /// Less gas than its own bytes cost.
    #[error(
        "verify msg failed: message will not be included in a block: 'GasLimit' field cannot be less than the cost of \
         storing a message on chain {limit} < {cost}"
    )]
    GasLimitTooLow {
        /// What it offers.
        limit: u64,
        /// What its bytes cost.
        cost: u64,
    },
    /// A fee cap below the lowest base fee.
    #[error("GasFeeCap {0} is below the lowest base fee, {BASE_FEE}: gas fee cap too low")]
    FeeCapTooLow(String),
    /// Only accounts send: f1, f3 and f410.
    #[error("sender actor {0} is not a valid top-level sender")]
    Sender(String),
    /// The signature does not fit.
    #[error("signature verification failed: {0}")]
    Signature(String),
    /// The nonce has been used.
    #[error("minimum expected nonce is {expected}, got {got}: message nonce too low")]
    NonceTooLow {
        /// The next one.
        expected: u64,
        /// The message's.
        got: u64,
    },
    /// The nonce is far ahead.
    #[error(
        "failed to add locked: message nonce has too big a gap from expected nonce (Nonce: {got}, nextNonce: {expected}): \
         unfulfilled nonce gap"
    )]
    NonceGap {
        /// The next one.
        expected: u64,
        /// The message's.
        got: u64,
    },
    /// This very message waits already.
    #[error(
        "failed to add locked: message from {from} with nonce {nonce} already in mpool: message with nonce already exists"
    )]
    Exists {
        /// Who sends it.
        from: String,
        /// Its nonce.
        nonce: u64,
    },
    /// Another message with this nonce offers as much.
    #[error(
        "failed to add locked: message from {from} with nonce {nonce} already in mpool, increase GasPremium to {least} from \
         {offered} to trigger replace by fee: replace by fee has too low GasPremium"
    )]
    LowPremium {
        /// Who sends it.
        from: String,
        /// Its nonce.
        nonce: u64,
        /// attoFIL per gas that would do.
        least: String,
        /// attoFIL per gas that it offers.
        offered: String,
    },
    /// The sender cannot pay for the message's gas.
    #[error(
        "failed to check balance: not enough funds (required: {required} FIL, balance: {available} FIL): not enough funds to \
         execute transaction"
    )]
    Funds {
        /// What its gas can cost.
        required: TokenAmount,
        /// What the sender has.
        available: TokenAmount,
    },
    /// The sender cannot pay for the gas of all that wait.
    #[error(
        "failed to check balance: not enough funds including pending messages (required: {required} FIL, balance: \
         {available} FIL): validation failure"
    )]
    PendingFunds {
        /// What the gas of all can cost.
        required: TokenAmount,
        /// What the sender has.
        available: TokenAmount,
    },
    /// Too many of this sender's messages wait.
    #[error("failed to add locked: too many pending messages for actor")]
    TooMany,
}

/// What the state says about a sender.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The next nonce.
    pub nonce: u64,
    /// attoFIL.
    pub balance: TokenAmount,
}

/// A message that waits.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The message.
    pub signed: SignedMessage,
    /// Its CID on chain.
    pub cid: Cid,
    arrival: u64,
}

/// All messages that wait, by sender and nonce.
#[derive(Default)]
pub struct Mempool {
    senders: BTreeMap<Vec<u8>, BTreeMap<u64, Pending>>,
    /// Where a message is, by its CID on chain and that of the unsigned message.
    places: HashMap<Cid, (Vec<u8>, u64)>,
    /// Messages that others took the place of, by both CIDs, and the order in which they went.
    replaced: HashMap<Cid, Message>,
    went: VecDeque<Cid>,
    /// What was signed here on demand, by the name that who demanded it gave.
    named: HashMap<String, SignedMessage>,
    arrivals: u64,
}

/// A message was taken in.
#[derive(Debug)]
pub struct Admitted {
    /// Its CID on chain.
    pub cid: Cid,
    /// The message that it has replaced.
    pub replaced: Option<Cid>,
}

impl Mempool {
    /// Checks what depends on the message alone. `inclusion_gas` is what its bytes cost on chain.
    ///
    /// An f410 account's message is an Ethereum transaction: it can only be `InvokeContract` of any actor, or `CreateExternal`
    /// of the address manager.
    pub fn check(signed: &SignedMessage, inclusion_gas: u64, chain_id: u64) -> Result<(), PoolError> {
        let message = &signed.message;
        signed.check().map_err(|e| match e {
            MessageError::TooBig(length) => PoolError::TooBig(length),
            MessageError::GasLimit(limit) if limit > BLOCK_GAS => PoolError::Invalid(format!(
                "'GasLimit' field cannot be greater than a block's gas limit ({limit} > {BLOCK_GAS})"
            )),
            other => PoolError::Invalid(other.to_string()),
        })?;
        if message.gas_limit < inclusion_gas {
            return Err(PoolError::GasLimitTooLow { limit: message.gas_limit, cost: inclusion_gas });
        }
        if message.gas_fee_cap < TokenAmount::from_atto(BASE_FEE) {
            return Err(PoolError::FeeCapTooLow(message.gas_fee_cap.atto().to_string()));
        }
        if !matches!(message.from.protocol(), Protocol::Secp256k1 | Protocol::BLS | Protocol::Delegated) {
            return Err(PoolError::Sender(Prefix::Testnet.show(&message.from)));
        }
        signed.verify_on(chain_id).map_err(|e| {
            PoolError::Signature(match e {
                EthError::Signature(e) => e.to_string(),
                e => format!("failed to validate signature: failed to reconstruct Ethereum transaction: {e}"),
            })
        })
    }

    /// Takes a checked message in, if nonce, funds and limits allow it.
    pub fn push(&mut self, signed: SignedMessage, sender: &Sender, limits: Limits) -> Result<Admitted, PoolError> {
        let admitted = self.would_take(&signed, sender, limits)?;
        self.take(signed, &admitted);
        Ok(admitted)
    }

    /// Whether nonce, funds and limits allow a checked message to be taken in. As on Lotus, funds are for gas: a value that is
    /// not there fails on the chain.
    pub(crate) fn would_take(
        &self,
        signed: &SignedMessage,
        sender: &Sender,
        limits: Limits,
    ) -> Result<Admitted, PoolError> {
        let message = &signed.message;
        let nonce = message.sequence;
        if nonce < sender.nonce {
            return Err(PoolError::NonceTooLow { expected: sender.nonce, got: nonce });
        }
        let waiting = self.senders.get(&message.from.to_bytes());
        let available = || sender.balance.clone();
        let own = message::max_fee(message);
        if own > sender.balance {
            return Err(PoolError::Funds { required: own, available: available() });
        }
        let others = waiting.into_iter().flatten().filter(|(other, _)| **other != nonce);
        let required = others.fold(own, |sum, (_, other)| sum + message::max_fee(&other.signed.message));
        if required > sender.balance {
            return Err(PoolError::PendingFunds { required, available: available() });
        }
        let expected = self.next_nonce(&message.from, sender.nonce);
        if nonce > expected.saturating_add(limits.gap) {
            return Err(PoolError::NonceGap { expected, got: nonce });
        }
        let cid = signed.cid();
        let old = waiting.and_then(|w| w.get(&nonce));
        if let Some(old) = old {
            let from = Prefix::Testnet.show(&message.from);
            if old.cid == cid {
                return Err(PoolError::Exists { from, nonce });
            }
            let least =
                (old.signed.message.gas_premium.clone() * REPLACE_PERCENT).div_floor(100) + TokenAmount::from_atto(1);
            if message.gas_premium < least {
                let offered = message.gas_premium.atto().to_string();
                return Err(PoolError::LowPremium { from, nonce, least: least.atto().to_string(), offered });
            }
        } else if waiting.is_some_and(|w| w.len() >= limits.pending) {
            return Err(PoolError::TooMany);
        }
        Ok(Admitted { cid, replaced: old.map(|old| old.cid) })
    }

    /// Takes in what would be taken.
    pub(crate) fn take(&mut self, signed: SignedMessage, admitted: &Admitted) {
        if let Some(old) = admitted.replaced.and_then(|old| self.find(&old)).cloned() {
            self.remember(&old);
        }
        self.insert(signed, admitted.cid);
    }

    /// Keeps the body of a message that is being replaced, so that who asks for it learns what became of it.
    fn remember(&mut self, old: &Pending) {
        for cid in [old.cid, message::cid(&old.signed.message)] {
            self.places.remove(&cid);
            if self.replaced.insert(cid, old.signed.message.clone()).is_none() {
                self.went.push_back(cid);
            }
        }
        while self.went.len() > MAX_REPLACED {
            self.went.pop_front().map(|cid| self.replaced.remove(&cid));
        }
    }

    /// A message that another took the place of, by either CID.
    pub fn replaced(&self, cid: &Cid) -> Option<&Message> {
        self.replaced.get(cid)
    }

    /// The message that was signed under a name.
    pub fn named(&self, name: &str) -> Option<&SignedMessage> {
        self.named.get(name)
    }

    /// Remembers under which name a message was signed.
    pub fn name(&mut self, name: String, signed: SignedMessage) {
        if self.named.len() >= MAX_NAMED {
            self.named.clear();
        }
        self.named.insert(name, signed);
    }

    /// Puts a message back that was admitted before (after a restart).
    pub fn restore(&mut self, signed: SignedMessage) {
        let cid = signed.cid();
        self.insert(signed, cid);
    }

    fn insert(&mut self, signed: SignedMessage, cid: Cid) {
        self.arrivals += 1;
        let place = (signed.message.from.to_bytes(), signed.message.sequence);
        for cid in [cid, message::cid(&signed.message)] {
            self.places.insert(cid, place.clone());
        }
        let waiting = self.senders.entry(place.0).or_default();
        waiting.insert(signed.message.sequence, Pending { signed, cid, arrival: self.arrivals });
    }

    /// The nonce after the sender's unbroken row of waiting messages.
    pub fn next_nonce(&self, from: &Address, state_nonce: u64) -> u64 {
        let Some(waiting) = self.senders.get(&from.to_bytes()) else { return state_nonce };
        let mut next = state_nonce;
        while waiting.contains_key(&next) {
            next += 1;
        }
        next
    }

    /// The sender's messages that can run one after the other from `state_nonce`.
    pub fn runnable(&self, from: &Address, state_nonce: u64) -> Vec<&Pending> {
        let Some(waiting) = self.senders.get(&from.to_bytes()) else { return vec![] };
        (state_nonce..).map_while(|nonce| waiting.get(&nonce)).collect()
    }

    /// All messages that wait, in the order they came.
    pub fn all(&self) -> Vec<&Pending> {
        let mut all: Vec<_> = self.senders.values().flat_map(BTreeMap::values).collect();
        all.sort_by_key(|p| p.arrival);
        all
    }

    /// A message that waits, by its CID on chain or that of the unsigned message.
    pub fn find(&self, cid: &Cid) -> Option<&Pending> {
        let (from, nonce) = self.places.get(cid)?;
        self.senders.get(from)?.get(nonce)
    }

    /// The messages for the next block: each sender's in the order of nonces, BLS before the rest as blocks hold them,
    /// otherwise in the order they came, within a block's gas.
    pub fn select(&self, mut nonce_of: impl FnMut(&Address) -> u64) -> Vec<Pending> {
        let mut ready: Vec<&Pending> = Vec::new();
        for waiting in self.senders.values() {
            let Some(first) = waiting.values().next() else { continue };
            let from = first.signed.message.from;
            ready.extend(self.runnable(&from, nonce_of(&from)));
        }
        let is_bls = |p: &Pending| p.signed.signature.kind() == SignatureKind::Bls;
        let turn = turns(&ready);
        ready.sort_by_key(|p| (!is_bls(p), turn[&p.arrival], p.signed.message.sequence));
        let mut gas = 0;
        let mut held = HashSet::new();
        ready.retain(|p| {
            let limit = p.signed.message.gas_limit;
            if held.contains(&p.signed.message.from) || gas + limit > BLOCK_GAS {
                held.insert(p.signed.message.from);
                return false;
            }
            gas += limit;
            true
        });
        ready.into_iter().cloned().collect()
    }

    /// Forgets a message.
    pub fn remove(&mut self, pending: &Pending) {
        let from = pending.signed.message.from.to_bytes();
        for cid in [pending.cid, message::cid(&pending.signed.message)] {
            self.places.remove(&cid);
        }
        if let Some(waiting) = self.senders.get_mut(&from) {
            waiting.remove(&pending.signed.message.sequence);
            if waiting.is_empty() {
                self.senders.remove(&from);
            }
        }
    }
}
