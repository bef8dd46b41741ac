//! The same events as the contract emits them: EVM logs, which the chain keeps as entries `t1` to `t4` and `d` (raw bytes, FIP-0054).
//!
//! `t1` is the keccak-256 of the event's Solidity signature (`actor/evm/src/Events.sol`), the other topics are its indexed fields, `d` is
//! the rest in words of 32 bytes. CIDs stand there by their digests.

use cid::Cid;
use cid::multihash::Multihash;
use fvm_shared::bigint::{BigInt, Sign};
use fvm_shared::econ::TokenAmount;
use fvm_shared::event::Entry;

use super::Event;
use crate::{ClaimStatus, Rights};

type Word = [u8; 32];

/// Each event's Solidity signature and its hash.
pub const LOGS: [(&str, &str); 13] = [
    ("KeyPublished(uint64,uint64)", "1dc28c37b95fc6abe2dd68ef860f62b9459221b6662266b5e9d221fad21bc917"),
    (
        "FileRegistered(uint64,uint64,bytes32,bytes32,uint64)",
        "0a96d744b1b76275901a5e366f70691769bd70f72d6dc89047032185df3b21c4",
    ),
    (
        "FileUpdated(uint64,uint64,bytes32,uint64,bytes32,uint64)",
        "9a949fa2e688e01eeb160a2726028eeec315395f3244914c0716ac9fe3f0633e",
    ),
    ("FileTransferred(uint64,uint64,uint64)", "f25f653329a01524add6f116546a43b8879b57d1ad0884c4a243aa9b19428258"),
    ("FileRemoved(uint64,uint64)", "733549cceb159d2e5edbdc1b3d5d027c87919dda7d53d51ad72e15d02c6480d1"),
    (
        "AccessGranted(uint64,uint64,uint64,uint8,int64)",
        "72f841b0e68f44e13b709a95222fcf631553a4756a84595ced94988be7614188",
    ),
    ("AccessRevoked(uint64,uint64,uint64)", "0d29948f0789556bafc028dc51fa75cf849778021aa90bdd148bb5f9bb279d52"),
    ("BountyCreated(uint64,uint64,bytes32)", "afddffd98e7e99f938fa35bdc1d0c9a29a649bc2d786f879dbaa6e73b36daf1f"),
    ("BountyFunded(uint64,uint64,uint256)", "9fb582c3105cd33190f04b6985e0b8c67e7c134d0edeb14ccbfaa96f7ba02468"),
    (
        "BountyClaimed(uint64,uint64,uint64,uint64,bool,uint64)",
        "6a68e8901d6df5b4e4d06715c8c6e0099b1cba292927317a201b7a579ddf254c",
    ),
    (
        "BountySettled(uint64,uint64,uint64,uint256,int64,uint8)",
        "a563640414856bbd8afd8c8b1e391bf12874709291961217b877370fbb5d6e7c",
    ),
    ("BountyCancelled(uint64)", "d30b33b2df449d1ad9e3b5bed434c433a32b6dcf72273b7f09cd792c7f26dd14"),
    ("BountyRefunded(uint64,uint64,uint256)", "2f0b5bdfc07604dc27c2f385e9802a732378536cf82f92a09eaadf10faa6de7c"),
];

impl Event {
    /// Reads an event out of an EVM log: its topics, and its data in words; `None` for what is not one of ours.
    pub fn from_log(topics: &[Word], data: &[u8]) -> Option<Self> {
        let (first, indexed) = topics.split_first()?;
        let (signature, _) = LOGS.iter().find(|(_, topic)| unhex(topic) == *first)?;
        let (data, []) = data.as_chunks::<32>() else { return None };
        let fields = Fields { indexed, data };
        Some(match signature.split_once('(')?.0 {
            "KeyPublished" => Self::KeyPublished { owner: fields.topic(0)?, version: fields.number(0)? },
            "FileRegistered" => Self::FileRegistered {
                id: fields.topic(0)?,
                owner: fields.topic(1)?,
                piece_cid: piece(indexed.get(2)?)?,
                payload_cid: fields.payload(0)?,
            },
            "FileUpdated" => Self::FileUpdated {
                id: fields.topic(0)?,
                owner: fields.topic(1)?,
                piece_cid: piece(indexed.get(2)?)?,
                version: fields.number(0)?,
                payload_cid: fields.payload(1)?,
            },
            "FileTransferred" => {
                Self::FileTransferred { id: fields.topic(0)?, from: fields.topic(1)?, to: fields.topic(2)? }
            }
            "FileRemoved" => Self::FileRemoved { id: fields.topic(0)?, owner: fields.topic(1)? },
            "AccessGranted" => Self::AccessGranted {
                id: fields.topic(0)?,
                grantee: fields.topic(1)?,
                by: fields.number(0)?,
                rights: Rights::from_bits(u8::try_from(fields.number(1)?).ok()?)?,
                expiration: fields.epoch(2)?,
            },
            "AccessRevoked" => {
                Self::AccessRevoked { id: fields.topic(0)?, grantee: fields.topic(1)?, by: fields.number(0)? }
            }
            "BountyCreated" => Self::BountyCreated {
                id: fields.topic(0)?,
                creator: fields.topic(1)?,
                piece_cid: piece(indexed.get(2)?)?,
            },
            "BountyFunded" => {
                Self::BountyFunded { id: fields.topic(0)?, funder: fields.topic(1)?, amount: fields.amount(0)? }
            }
            "BountyClaimed" => Self::BountyClaimed {
                id: fields.topic(0)?,
                provider: fields.topic(1)?,
                claim: fields.number(0)?,
                sector: fields.number(1)?,
                deal: if fields.number(2)? == 1 { Some(fields.number(3)?) } else { None },
            },
            "BountySettled" => Self::BountySettled {
                id: fields.topic(0)?,
                provider: fields.topic(1)?,
                claim: fields.number(0)?,
                amount: fields.amount(1)?,
                until: fields.epoch(2)?,
                status: match fields.number(3)? {
                    0 => ClaimStatus::Open,
                    1 => ClaimStatus::Completed,
                    2 => ClaimStatus::Dead,
                    _ => return None,
                },
            },
            "BountyCancelled" => Self::BountyCancelled { id: fields.topic(0)? },
            "BountyRefunded" => {
                Self::BountyRefunded { id: fields.topic(0)?, funder: fields.topic(1)?, amount: fields.amount(0)? }
            }
            _ => return None,
        })
    }

    /// Reads an event out of the entries that an EVM log becomes.
    pub(super) fn from_log_entries(entries: &[Entry]) -> Option<Self> {
        let value = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_slice());
        let topics: Vec<Word> =
            ["t1", "t2", "t3", "t4"].into_iter().map_while(|key| value(key)?.try_into().ok()).collect();
        Self::from_log(&topics, value("d").unwrap_or_default())
    }
}

struct Fields<'l> {
    indexed: &'l [Word],
    data: &'l [Word],
}

impl Fields<'_> {
    fn topic(&self, at: usize) -> Option<u64> {
        number(self.indexed.get(at)?)
    }

    fn number(&self, at: usize) -> Option<u64> {
        number(self.data.get(at)?)
    }

    fn epoch(&self, at: usize) -> Option<i64> {
        i64::try_from(self.number(at)?).ok()
    }

    fn amount(&self, at: usize) -> Option<TokenAmount> {
        Some(TokenAmount::from_atto(BigInt::from_bytes_be(Sign::Plus, self.data.get(at)?)))
    }

    /// A payload's digest, and its codec in the word after it.
    fn payload(&self, at: usize) -> Option<Cid> {
        const SHA2_256: u64 = 0x12;
        Some(Cid::new_v1(self.number(at + 1)?, Multihash::wrap(SHA2_256, self.data.get(at)?).ok()?))
    }
}

fn number(word: &Word) -> Option<u64> {
    let (high, low) = word.split_at(24);
    high.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(low.try_into().expect("8 of 32 bytes are left")))
}

fn piece(digest: &Word) -> Option<Cid> {
    const FIL_COMMITMENT_UNSEALED: u64 = 0xf101;
    const SHA2_256_TRUNC254_PADDED: u64 = 0x1012;
    Some(Cid::new_v1(FIL_COMMITMENT_UNSEALED, Multihash::wrap(SHA2_256_TRUNC254_PADDED, digest).ok()?))
}

fn unhex(hex: &str) -> Word {
    std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("the table holds hex"))
}
