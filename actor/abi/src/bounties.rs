//! Bounties: rewards for storing a piece, paid from escrow against proof on the chain.

mod claims;
mod notify;
mod terms;

pub use claims::*;
pub use notify::*;
pub use terms::*;

use fvm_ipld_encoding::strict_bytes;
use fvm_ipld_encoding::tuple::*;
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;
use fvm_shared::econ::TokenAmount;

use crate::files::check_limit;
use crate::wire::ensure;
use crate::{MAX_LOCATION, MAX_SETTLEMENTS_PER_CALL, OutOfBounds, Wire};

/// Number of a bounty: sequential from 1, never reused.
pub type BountyId = u64;

/// Number of a claim within its bounty: sequential from 0.
pub type ClaimId = u64;

/// `[Terms]`, with any value up to the terms' target. Caller: anybody, who becomes the creator and, with a value, the first funder.
///
/// Errors: 44 where the value exceeds the target; 16 where the deadline has passed or lies more than a year ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct CreateBountyParams {
    /// What is paid for what.
    pub terms: Terms,
}

impl Wire for CreateBountyParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.terms.check()
    }
}

macro_rules! names_one_bounty {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
        pub struct $name {
            /// Which bounty.
            pub id: BountyId,
        }

        impl Wire for $name {}
    )*};
}

names_one_bounty! {
    /// `[id]`.
    CreateBountyReturn,
    /// `[id]`, with a value. Caller: anybody. Errors: 41 past the deadline or cancelled, 44 above what it can still pay out, 19 without a value.
    FundBountyParams,
    /// `[id]`. Caller: the creator. Errors: 42 where it has been claimed, 41 where it is cancelled already.
    CancelBountyParams,
    /// `[id]`. Caller: a funder. Errors: 43 while it runs, 45 without a share.
    RefundBountyParams,
    /// `[id]`.
    GetBountyParams,
}

/// `[id, deal_id]`. Caller: anybody, for the deal's provider.
///
/// Errors: 17 no such bounty or deal, 41 closed, 46 the deal does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ClaimBountyParams {
    /// Which bounty.
    pub id: BountyId,
    /// A built-in market deal that is active.
    pub deal_id: DealID,
}

impl Wire for ClaimBountyParams {}

/// `[claim]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ClaimBountyReturn {
    /// The new claim.
    pub claim: ClaimId,
}

impl Wire for ClaimBountyReturn {}

/// One claim to settle: `[claim, aux]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Settlement {
    /// Which claim.
    pub claim: ClaimId,
    /// The sector's location, as the miner's `GenerateSectorLocation` returns it (FIP-0112); up to 64 bytes.
    #[serde(with = "strict_bytes")]
    pub aux: Vec<u8>,
}

/// `[id, [[claim, aux]…]]`, 1 to 32, each claim once. Caller: anybody.
///
/// Errors: 17 no such bounty or claim, 47 the claim is closed, 48 the location is stale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SettleBountyParams {
    /// Which bounty.
    pub id: BountyId,
    /// Which claims.
    pub claims: Vec<Settlement>,
}

impl Wire for SettleBountyParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        ensure((1..=MAX_SETTLEMENTS_PER_CALL).contains(&self.claims.len()), "claims")?;
        ensure(self.claims.iter().all(|c| c.aux.len() <= MAX_LOCATION), "aux")?;
        let mut seen: Vec<ClaimId> = self.claims.iter().map(|c| c.claim).collect();
        seen.sort_unstable();
        ensure(seen.windows(2).all(|pair| pair[0] != pair[1]), "claims")
    }
}

/// `[[amount…]]` in attoFIL, in the order of the params.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct SettleBountyReturn {
    /// What each claim was paid now.
    pub amounts: Vec<TokenAmount>,
}

impl Wire for SettleBountyReturn {}

/// `[amount]` in attoFIL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct RefundBountyReturn {
    /// What the caller got back.
    pub amount: TokenAmount,
}

impl Wire for RefundBountyReturn {}

/// `[terms, creator, created, cancelled, funded, paid, refunded, escrowed, reserved, claims, ended]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BountyRecord {
    /// What is paid for what; addresses are IDs.
    pub terms: Terms,
    /// Who made it.
    pub creator: ActorID,
    /// When.
    pub created: ChainEpoch,
    /// Whether the creator ended it.
    pub cancelled: bool,
    /// All that was ever put in: `escrowed + paid + refunded`.
    pub funded: TokenAmount,
    /// All that providers got.
    pub paid: TokenAmount,
    /// All that funders took back.
    pub refunded: TokenAmount,
    /// What the actor holds for it now.
    pub escrowed: TokenAmount,
    /// The part of `escrowed` that open claims may still earn.
    pub reserved: TokenAmount,
    /// How many claims there have been.
    pub claims: u64,
    /// Whether nothing more can be earned, so that funders can take back their shares.
    pub ended: bool,
}

impl Wire for BountyRecord {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.terms.check()
    }
}

/// The bounty, or null where there is none.
pub type GetBountyReturn = Option<BountyRecord>;

impl Wire for GetBountyReturn {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.as_ref().map_or(Ok(()), Wire::check)
    }
}

/// `[cursor, limit]`, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ListBountiesParams {
    /// Where the listing before stopped, null for the start.
    pub cursor: Option<u64>,
    /// 1 to 100.
    pub limit: u64,
}

impl Wire for ListBountiesParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        check_limit(self.limit)
    }
}

/// `[[[id, BountyRecord]…], cursor | null]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ListBountiesReturn {
    /// A page.
    pub bounties: Vec<(BountyId, BountyRecord)>,
    /// Where to go on.
    pub cursor: Option<u64>,
}

impl Wire for ListBountiesReturn {
    fn check(&self) -> Result<(), OutOfBounds> {
        self.bounties.iter().try_for_each(|(_, record)| record.check())
    }
}

/// `[id, cursor, limit]`, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ListBountyClaimsParams {
    /// Which bounty.
    pub id: BountyId,
    /// Where the listing before stopped, null for the start.
    pub cursor: Option<u64>,
    /// 1 to 100.
    pub limit: u64,
}

impl Wire for ListBountyClaimsParams {
    fn check(&self) -> Result<(), OutOfBounds> {
        check_limit(self.limit)
    }
}

/// `[[[claim, BountyClaim]…], cursor | null]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct ListBountyClaimsReturn {
    /// A page.
    pub claims: Vec<(ClaimId, BountyClaim)>,
    /// Where to go on.
    pub cursor: Option<u64>,
}

impl Wire for ListBountyClaimsReturn {}
