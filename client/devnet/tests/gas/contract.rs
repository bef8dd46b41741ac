//! Large states of the contract, written into its storage without messages: the words that `actor/evm/src` would have written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bauta_abi::{EPOCH_NEVER, Terms};
use bauta_devnet::store::Store;
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_encoding::{BytesDe, BytesSer};
use fvm_ipld_kamt::{AsHashedKey, Config, HashedKey, Kamt};
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;
use multihash_codetable::{Code, MultihashDigest};
use num_bigint::BigUint;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fill::{self, EACH, Owners, somebody};

/// A word of storage, or the number of its slot: written without leading zeros (builtin-actors v18, `actors/evm/shared/src/uints.rs`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Word([u8; 32]);

impl Word {
    fn of(number: BigUint) -> Self {
        let bytes = number.to_bytes_be();
        let mut word = [0; 32];
        word[32 - bytes.len()..].copy_from_slice(&bytes);
        Self(word)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let zeros = self.0.iter().take_while(|byte| **byte == 0).count();
        BytesSer(&self.0[zeros..]).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let BytesDe(bytes) = BytesDe::deserialize(d)?;
        Ok(Self::of(BigUint::from_bytes_be(&bytes)))
    }
}

/// The trie takes the slot's number itself as its key.
#[derive(Debug)]
struct Identity;

impl AsHashedKey<Word, 32> for Identity {
    fn as_hashed_key(key: &Word) -> Cow<'_, HashedKey<32>> {
        Cow::Borrowed(&key.0)
    }
}

const CONFIG: Config = Config { bit_width: 5, min_data_depth: 0, max_array_width: 1 };

/// Storage that is being written.
struct Storage<'s> {
    slots: Kamt<&'s Store, Word, Word, Identity>,
}

fn big(number: u64) -> BigUint {
    BigUint::from(number)
}

/// `Slots.spread`: each three bits to five.
fn spread(number: u64) -> BigUint {
    (0..22).map(|group| big(number >> (3 * group) & 7) << (5 * group)).sum()
}

fn region(number: u64) -> BigUint {
    big(number) << 76
}

fn record(base: BigUint, index: u64) -> BigUint {
    base + (spread(index >> 1) << 6) + (big(index & 1) << 5)
}

fn double(kind: u64, a: u64, b: u64) -> BigUint {
    (big(kind) << 186) + (spread(a) << 81) + (spread(b) << 1)
}

fn bounty_slot(id: u64, sub: u64) -> BigUint {
    region(7) + (spread(id) << 11) + (big(sub) << 6)
}

/// Fields of a word, from the top: value and bits.
fn packed(fields: &[(u64, u32)]) -> BigUint {
    fields.iter().fold(big(0), |word, (value, bits)| (word << *bits) + big(*value))
}

impl Storage<'_> {
    fn set(&mut self, slot: &BigUint, word: BigUint) {
        if word != big(0) {
            self.slots.set(Word::of(slot.clone()), Word::of(word)).expect("set");
        }
    }

    fn bytes(&mut self, slot: &BigUint, bytes: &[u8]) -> BigUint {
        let mut slot = slot.clone();
        for part in bytes.chunks(32) {
            let mut word = [0; 32];
            word[..part.len()].copy_from_slice(part);
            self.set(&slot, BigUint::from_bytes_be(&word));
            slot += 2u32;
        }
        slot
    }
}

/// What an account has: newest place, newest grant to it, key.
#[derive(Default)]
struct Account {
    file: u64,
    grant: u64,
    key: u64,
}

/// A state that is being filled on top of a contract's own.
pub struct Filling<'s> {
    storage: Storage<'s>,
    store: &'s Store,
    accounts: BTreeMap<ActorID, Account>,
    files: u64,
    grants: u64,
    bounties: u64,
    escrowed: BigUint,
    now: u64,
}

impl<'s> Filling<'s> {
    pub fn new(store: &'s Store, now: ChainEpoch) -> Self {
        Self {
            storage: Storage { slots: Kamt::new_with_config(store, CONFIG) },
            store,
            accounts: BTreeMap::new(),
            files: 0,
            grants: 0,
            bounties: 0,
            escrowed: big(0),
            now: now.unsigned_abs(),
        }
    }

    /// Registers files as `fill::register` does.
    pub fn register(mut self, me: ActorID, count: u64, owners: Owners) -> Self {
        for n in 0..count {
            self.file(if owners == Owners::One { me } else { somebody(n) }, n, count);
        }
        self
    }

    /// Makes what `fill::everything` makes.
    pub fn everything(mut self, me: ActorID, entries: u64, terms: &Terms) -> Self {
        for n in 0..entries {
            let who = if n % EACH == 0 { me } else { somebody(n) };
            let recipient = format!("age1{n:058}");
            self.accounts.entry(somebody(n)).or_default().key = recipient.len() as u64;
            let slot = region(3) + (spread(somebody(n)) << 11);
            self.storage.bytes(&slot, recipient.as_bytes());
            self.file(who, n, entries);
            self.grant(n + 1, somebody(n + 1_000_000), who);
            self.bounty(who, terms);
        }
        self
    }

    fn file(&mut self, owner: ActorID, n: u64, count: u64) {
        let (spec, id) = (fill::file(n), n + 1);
        let account = self.accounts.entry(owner).or_default();
        let older = std::mem::replace(&mut account.file, id);
        let tail = n >> 3 == (count - 1) >> 3;
        let at = if tail { record(region(1), n & 7) } else { record(big(0), n + 8) };
        let (metadata, wrap) = (spec.metadata.len() as u64, spec.owner_wrap.len() as u64);
        let head = packed(&[(owner, 64), (1, 64), (self.now, 40), (self.now, 40), (0, 25), (metadata, 11), (wrap, 12)]);
        let sizes = packed(&[(id, 64), (older, 64), (spec.payload_size, 64), (spec.padded_size.0, 64)]);
        let digest = BigUint::from_bytes_be(spec.payload_cid.hash().digest());
        let piece = BigUint::from_bytes_be(spec.piece_cid.hash().digest());
        let commitment = BigUint::from_bytes_be(&spec.key_commitment);
        for (word, value) in [head, sizes, digest, piece, commitment].into_iter().enumerate() {
            self.storage.set(&(&at + 2 * word), value);
        }
        let next = self.storage.bytes(&(&at + 10u32), &spec.metadata);
        self.storage.bytes(&next, &spec.owner_wrap);
        self.files = id;
    }

    fn grant(&mut self, file: u64, grantee: ActorID, by: ActorID) {
        self.grants += 1;
        let number = self.grants;
        let account = self.accounts.entry(grantee).or_default();
        let older = std::mem::replace(&mut account.grant, number);
        let at = record(region(5), number);
        let wrap = vec![3; 98];
        let head = packed(&[(grantee, 64), (by, 64), (1, 64), (0, 49), (1, 3), (wrap.len() as u64, 12)]);
        self.storage.set(&at, head);
        let links = packed(&[(EPOCH_NEVER.unsigned_abs(), 64), (file, 64), (0, 64), (older, 64)]);
        self.storage.set(&(&at + 2u32), links);
        self.storage.bytes(&(&at + 4u32), &wrap);
        self.storage.set(&double(1, file, grantee), big(number));
        self.storage.set(&(region(8) + (spread(file) << 1)), big(number));
    }

    fn bounty(&mut self, creator: ActorID, terms: &Terms) {
        self.bounties += 1;
        let id = self.bounties;
        let atto = |amount: &fvm_shared::econ::TokenAmount| BigUint::from_bytes_be(&amount.atto().to_bytes_be().1);
        let (reward, target) = (atto(&terms.reward_per_replica), atto(&terms.target()));
        let (source, note) = (terms.source.len() as u64, terms.note.len() as u64);
        let head = packed(&[
            (creator, 64),
            (self.now, 40),
            (terms.padded_size.0, 40),
            (terms.activation_bps, 16),
            (source, 16),
            (note, 16),
            (terms.replicas, 8),
            (0, 8),
            (0, 24),
            (u64::from(terms.file_id.is_some()), 8),
            (0, 16),
        ]);
        let at = bounty_slot(id, 0);
        let time = packed(&[
            (terms.min_duration.unsigned_abs(), 24),
            (terms.claim_deadline.unsigned_abs(), 40),
            (terms.file_id.unwrap_or_default(), 64),
        ]);
        let piece = BigUint::from_bytes_be(terms.piece_cid.hash().digest());
        let funded = (target.clone() << 128) + target.clone();
        let shares = target.clone() << 128;
        for (word, value) in [head, piece, (reward << 128) + time, funded, big(0), shares].into_iter().enumerate() {
            self.storage.set(&(&at + 2 * word), value);
        }
        let next = self.storage.bytes(&(bounty_slot(id, 1) + 8u32), terms.source.as_bytes());
        self.storage.bytes(&next, terms.note.as_bytes());
        self.storage.set(&double(2, id, creator), target.clone());
        self.escrowed += target;
    }

    /// The contract's state with this storage: the link to the trie is its second one.
    pub fn state(mut self, own: &Cid) -> Cid {
        for (id, account) in std::mem::take(&mut self.accounts) {
            let version = u64::from(account.key != 0);
            let epoch = if account.key == 0 { 0 } else { self.now };
            let word =
                packed(&[(account.file, 64), (account.grant, 64), (version, 64), (epoch, 52), (account.key, 12)]);
            self.storage.set(&(region(2) + (spread(id) << 1)), word);
        }
        let counts = packed(&[(self.files, 64), (self.bounties, 64), (self.grants, 64), (0, 64)]);
        self.storage.set(&region(9), counts);
        let escrowed = std::mem::take(&mut self.escrowed);
        self.storage.set(&(region(9) + 2u32), escrowed);
        let trie = self.storage.slots.flush().expect("flushed");
        let block = self.store.get(own).expect("readable").expect("there");
        // CIDv1, dag-cbor, blake2b-256: the trie's root; the bytecode is raw bytes.
        let mark = [0x00, 0x01, 0x71, 0xa0, 0xe4, 0x02, 0x20];
        let at = block.windows(mark.len()).position(|part| part == mark).expect("a link to the trie") + mark.len();
        let mut state = block.clone();
        state[at..at + 32].copy_from_slice(trie.hash().digest());
        let cid = Cid::new_v1(own.codec(), Code::Blake2b256.digest(&state));
        self.store.put_keyed(&cid, &state).expect("put");
        cid
    }
}
