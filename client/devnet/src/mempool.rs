//! Messages that wait for a tipset, and the rules by which they may.
//!
//! The sentences are Lotus's, because clients match on them. Source: lotus `chain/messagepool`.

use std::collections::{BTreeMap, HashSet};

use bauta_client::message::{self, MessageError, SignatureKind, SignedMessage};
use cid::Cid;
use fvm_shared::address::{Address, Protocol};
use fvm_shared::econ::TokenAmount;

use crate::vm::{BASE_FEE, BLOCK_GAS};

/// How far a nonce may be ahead of the next one.
const MAX_NONCE_GAP: u64 = 100;
/// How many messages of one sender may wait.
const MAX_PENDING: usize = 1000;
/// A replacement must offer this many percent of the old premium.
const REPLACE_PERCENT: u64 = 125;

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
        "message will not be included in a block: 'GasLimit' field cannot be less than the cost of storing a message \
         on chain {limit} < {cost}"
    )]
    GasLimitTooLow {
        /// What it offers.
        limit: u64,
        /// What its bytes cost.
        cost: u64,
    },
    /// A fee cap below the lowest base fee.
    #[error("gas fee cap too low: {0} < {BASE_FEE}")]
    FeeCapTooLow(String),
    /// Only f1 and f3 accounts send here.
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
        "message nonce has too big a gap from expected nonce (Nonce: {got}, expected: {expected}): unfulfilled nonce gap"
    )]
    NonceGap {
        /// The next one.
        expected: u64,
        /// The message's.
        got: u64,
    },
    /// This very message waits already.
    #[error("message with nonce already exists")]
    Exists,
    /// Another message with this nonce offers as much.
    #[error("replace by fee has too low GasPremium: need at least {0}")]
    LowPremium(String),
    /// The sender's waiting messages together cost more than they have.
    #[error("not enough funds to execute transaction: required {required}, available {available}")]
    Funds {
        /// What all of them can cost.
        required: String,
        /// The balance.
        available: String,
    },
    /// Too many of this sender's messages wait.
    #[error("too many pending messages for actor {0}")]
    TooMany(String),
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
    pub fn check(signed: &SignedMessage, inclusion_gas: u64) -> Result<(), PoolError> {
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
        if !matches!(message.from.protocol(), Protocol::Secp256k1 | Protocol::BLS) {
            return Err(PoolError::Sender(message.from.to_string()));
        }
        signed.verify().map_err(|e| PoolError::Signature(e.to_string()))
    }

    /// Takes a checked message in, if nonce and funds allow it.
    pub fn push(&mut self, signed: SignedMessage, sender: &Sender) -> Result<Admitted, PoolError> {
        let got = signed.message.sequence;
        if got < sender.nonce {
            return Err(PoolError::NonceTooLow { expected: sender.nonce, got });
        }
        let expected = self.next_nonce(&signed.message.from, sender.nonce);
        if got > expected.saturating_add(MAX_NONCE_GAP) {
            return Err(PoolError::NonceGap { expected, got });
        }
        let cid = signed.cid();
        let waiting = self.senders.get(&signed.message.from.to_bytes());
        let old = waiting.and_then(|w| w.get(&got));
        if let Some(old) = old {
            if old.cid == cid {
                return Err(PoolError::Exists);
            }
            let least =
                (old.signed.message.gas_premium.clone() * REPLACE_PERCENT).div_floor(100) + TokenAmount::from_atto(1);
            if signed.message.gas_premium < least {
                return Err(PoolError::LowPremium(least.atto().to_string()));
            }
        } else if waiting.is_some_and(|w| w.len() >= MAX_PENDING) {
            return Err(PoolError::TooMany(signed.message.from.to_string()));
        }
        let others = waiting.into_iter().flatten().filter(|(nonce, _)| **nonce != got).map(|(_, p)| &p.signed.message);
        let required = others.fold(message::required_funds(&signed.message), |sum, m| sum + message::required_funds(m));
        if required > sender.balance {
            return Err(PoolError::Funds {
                required: required.atto().to_string(),
                available: sender.balance.atto().to_string(),
            });
        }
        let replaced = old.map(|old| old.cid);
        self.insert(signed, cid);
        Ok(Admitted { cid, replaced })
    }

    /// Puts a message back that was admitted before (after a restart).
    pub fn restore(&mut self, signed: SignedMessage) {
        let cid = signed.cid();
        self.insert(signed, cid);
    }

    fn insert(&mut self, signed: SignedMessage, cid: Cid) {
        self.arrivals += 1;
        let waiting = self.senders.entry(signed.message.from.to_bytes()).or_default();
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

    /// True while the message waits, by its CID on chain or that of the unsigned message.
    pub fn find(&self, cid: &Cid) -> Option<&Pending> {
        self.senders
            .values()
            .flat_map(BTreeMap::values)
            .find(|p| p.cid == *cid || message::cid(&p.signed.message) == *cid)
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
        if let Some(waiting) = self.senders.get_mut(&from) {
            waiting.remove(&pending.signed.message.sequence);
            if waiting.is_empty() {
                self.senders.remove(&from);
            }
        }
    }
}

/// When a message's turn is: not before those with lower nonces of the same sender.
fn turns(ready: &[&Pending]) -> BTreeMap<u64, u64> {
    let mut latest: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut turns = BTreeMap::new();
    for pending in ready {
        let turn = latest.entry(pending.signed.message.from.to_bytes()).or_default();
        *turn = (*turn).max(pending.arrival);
        turns.insert(pending.arrival, *turn);
    }
    turns
}
