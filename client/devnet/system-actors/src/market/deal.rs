//! One deal: what was agreed, and what became of it.

use cid::{Cid, Version};
use fvm_ipld_encoding::tuple::*;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::commcid::{FIL_COMMITMENT_UNSEALED, SHA2_256_TRUNC254_PADDED};
use fvm_shared::crypto::signature::Signature;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::piece::PaddedPieceSize;
use fvm_shared::sector::SectorNumber;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::failure::{Result, ensure, failure, forbidden, illegal_argument};
use crate::policy::{DEAL_DURATION, LABEL_MAX};

/// Exit 32: the deal is over: finished, terminated, or never activated in time.
pub const EXPIRED: ExitCode = ExitCode::new(32);
/// Exit 33: the deal is published, and not yet activated.
pub const NOT_ACTIVATED: ExitCode = ExitCode::new(33);
/// No epoch.
pub const NEVER: ChainEpoch = -1;

/// The client's own mark: text or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Label {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Bytes(bytes) => to.serialize_bytes(bytes),
        }
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct TextOrBytes;
        impl Visitor<'_> for TextOrBytes {
            type Value = Label;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text or bytes")
            }
            fn visit_str<E: Error>(self, text: &str) -> std::result::Result<Label, E> {
                Ok(Label::Text(text.into()))
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> std::result::Result<Label, E> {
                Ok(Label::Bytes(bytes.into()))
            }
        }
        from.deserialize_any(TextOrBytes)
    }
}

/// What client and provider agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Proposal {
    /// Piece CID, version 1.
    pub piece_cid: Cid,
    /// Padded size.
    pub piece_size: PaddedPieceSize,
    /// Ignored: there is no datacap.
    pub verified: bool,
    /// Who pays.
    pub client: Address,
    /// Who stores.
    pub provider: Address,
    /// The client's own mark.
    pub label: Label,
    /// Latest epoch of activation, and first epoch paid for.
    pub start: ChainEpoch,
    /// First epoch not paid for.
    pub end: ChainEpoch,
    /// attoFIL per epoch.
    pub price: TokenAmount,
    /// Lost by the provider when it does not keep the deal.
    pub provider_collateral: TokenAmount,
    /// Locked, and given back.
    pub client_collateral: TokenAmount,
}

/// A proposal as its client signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ClientDeal {
    /// What is proposed.
    pub proposal: Proposal,
    /// The client's signature over its CBOR.
    pub signature: Signature,
}

/// What became of a deal once it was activated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct DealState {
    /// Where the piece is.
    pub sector: SectorNumber,
    /// When it came there.
    pub activated: ChainEpoch,
    /// When it was last settled; -1: never.
    pub last_updated: ChainEpoch,
    /// Always -1: terminated deals are deleted.
    pub slashed: ChainEpoch,
}

impl DealState {
    /// The deal's piece has just come into `sector`.
    pub fn new(sector: SectorNumber, now: ChainEpoch) -> Self {
        Self { sector, activated: now, last_updated: NEVER, slashed: NEVER }
    }
}

impl Proposal {
    /// Epochs it lasts.
    pub fn duration(&self) -> ChainEpoch {
        self.end - self.start
    }

    /// Price of all of it.
    pub fn total_price(&self) -> TokenAmount {
        &self.price * self.duration()
    }

    /// What the client has to have in escrow.
    pub fn client_lockup(&self) -> TokenAmount {
        &self.client_collateral + self.total_price()
    }

    /// Exit 16 unless the terms are allowed.
    pub fn check(&self, now: ChainEpoch) -> Result<()> {
        let money = |amount: &TokenAmount| !amount.is_negative() && *amount <= TokenAmount::from_whole(2_000_000_000);
        let (cid, hash) = (&self.piece_cid, self.piece_cid.hash());
        let rules = [
            (self.label.len() <= LABEL_MAX, "label too long"),
            (self.piece_size.validate().is_ok(), "invalid piece size"),
            (
                cid.version() == Version::V1
                    && cid.codec() == FIL_COMMITMENT_UNSEALED
                    && (hash.code(), hash.size()) == (SHA2_256_TRUNC254_PADDED, 32),
                "not a piece CID",
            ),
            (self.end > self.start, "proposal end before proposal start"),
            (now <= self.start, "deal start epoch has already elapsed"),
            (self.duration() >= DEAL_DURATION.0 && self.duration() <= DEAL_DURATION.1, "deal duration out of bounds"),
            (money(&self.price), "storage price out of bounds"),
            (money(&self.provider_collateral), "provider collateral out of bounds"),
            (money(&self.client_collateral), "client collateral out of bounds"),
        ];
        rules.into_iter().try_for_each(|(holds, why)| ensure(holds, || illegal_argument(why)))
    }

    /// Whether `provider` can activate it now, in a sector that lives until `sector_expiration`.
    ///
    /// Errors: 18: another provider's; 32: too late; 16: the sector ends too early.
    pub fn check_activation(&self, provider: ActorID, sector_expiration: ChainEpoch, now: ChainEpoch) -> Result<()> {
        ensure(self.provider == Address::new_id(provider), || forbidden("another provider's deal"))?;
        ensure(now <= self.start, || failure(EXPIRED, "deal start epoch has already elapsed"))?;
        ensure(self.end <= sector_expiration, || illegal_argument("deal ends after the sector"))
    }

    /// Money earned since the last settlement, if settled at `now`, at or after the start.
    pub fn due(&self, state: &DealState, now: ChainEpoch) -> TokenAmount {
        let from = self.start.max(state.last_updated);
        let epochs = (now.min(self.end) - from).max(0);
        &self.price * epochs
    }

    /// Money not earned yet at `now`.
    pub fn remaining(&self, now: ChainEpoch) -> TokenAmount {
        let epochs = (self.end - now.max(self.start)).max(0);
        &self.price * epochs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn proposal() -> Proposal {
        let digest = cid::multihash::Multihash::wrap(SHA2_256_TRUNC254_PADDED, &[1; 32]).unwrap();
        Proposal {
            piece_cid: Cid::new_v1(FIL_COMMITMENT_UNSEALED, digest),
            piece_size: PaddedPieceSize(2048),
            verified: false,
            client: Address::new_id(100),
            provider: Address::new_id(101),
            label: Label::Text("x".into()),
            start: 1000,
            end: 1000 + 518_400,
            price: TokenAmount::from_atto(3),
            provider_collateral: TokenAmount::from_atto(5),
            client_collateral: TokenAmount::from_atto(7),
        }
    }

    #[test]
    fn payments_add_up_to_the_price() {
        let p = proposal();
        let mut state = DealState::new(1, 900);
        let mut paid = TokenAmount::default();
        for now in [1000, 1001, 5000, 300_000, 519_399, 519_400, 600_000] {
            let due = p.due(&state, now);
            paid += due;
            state.last_updated = now;
            assert_eq!(&paid + p.remaining(now), p.total_price(), "at {now}");
        }
        assert_eq!(p.remaining(0), p.total_price());
        assert!(p.due(&DealState::new(1, 900), 999).is_zero());
    }

    #[test]
    fn terms_out_of_bounds_are_refused() {
        assert_eq!(proposal().check(1000), Ok(()));
        let spoil: [fn(&mut Proposal); 12] = [
            |p| p.label = Label::Bytes(vec![0; 257]),
            |p| p.piece_size = PaddedPieceSize(2047),
            |p| p.piece_size = PaddedPieceSize(64),
            |p| p.piece_cid = Cid::default(),
            |p| p.end = p.start,
            |p| p.start = 999,
            |p| p.end -= 1,
            |p| p.end = p.start + 1278 * 2880 + 1,
            |p| p.price = TokenAmount::from_atto(-1),
            |p| p.price = TokenAmount::from_whole(2_000_000_001),
            |p| p.provider_collateral = TokenAmount::from_atto(-1),
            |p| p.client_collateral = TokenAmount::from_atto(-1),
        ];
        for (case, spoil) in spoil.iter().enumerate() {
            let mut p = proposal();
            spoil(&mut p);
            assert_eq!(p.check(1000).unwrap_err().code.value(), 16, "case {case}");
        }
    }

    #[test]
    fn activation_has_its_own_codes() {
        let p = proposal();
        let code =
            |provider, expiration, now| p.check_activation(provider, expiration, now).err().map(|f| f.code.value());
        assert_eq!(code(101, p.end, 1000), None);
        assert_eq!(code(102, p.end, 1000), Some(18));
        assert_eq!(code(101, p.end, 1001), Some(32));
        assert_eq!(code(101, p.end - 1, 1000), Some(16));
    }

    #[test]
    fn labels_keep_their_kind() {
        for label in [Label::Text("é".into()), Label::Text(String::new()), Label::Bytes(vec![1, 2])] {
            let bytes = fvm_ipld_encoding::to_vec(&label).unwrap();
            assert_eq!(fvm_ipld_encoding::from_slice::<Label>(&bytes).unwrap(), label);
        }
        assert!(fvm_ipld_encoding::from_slice::<Label>(&[7]).is_err());
    }
}
