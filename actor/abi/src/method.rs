//! Method numbers.

use frc42_macros::method_hash;

/// The constructor's number; called once by whoever installs the actor, without params.
pub const CONSTRUCTOR: u64 = 1;

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $hashed:literal,)*) => {
        /// Every method of the actor, in the order of this crate's modules.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $($(#[$doc])* $name,)*
        }

        impl Method {
            /// All methods, in order.
            pub const ALL: &'static [Method] = &[$(Method::$name),*];

            /// The FRC-0042 number: first four bytes >= 2^24 of blake2b-512(`1|Name`).
            pub const fn number(self) -> u64 {
                match self {
                    $(Self::$name => method_hash!($hashed),)*
                }
            }

            /// The name that the number is the hash of.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $hashed,)*
                }
            }

            /// Finds the method of a number.
            pub fn from_number(number: u64) -> Option<Self> {
                $(const $name: u64 = Method::$name.number();)*
                match number {
                    $($name => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

#[allow(non_upper_case_globals)]
mod table {
    use super::method_hash;

    methods! {
        /// Publishes the caller's age recipient.
        PublishKey = "PublishKey",
        /// View: the recipient of an address.
        GetKey = "GetKey",
        /// Registers files of the caller.
        RegisterFile = "RegisterFile",
        /// Replaces the content of a file by a new version.
        UpdateFile = "UpdateFile",
        /// Gives a file to another owner.
        TransferFile = "TransferFile",
        /// Removes a file and its grants.
        RemoveFile = "RemoveFile",
        /// View: one file.
        GetFile = "GetFile",
        /// View: the files of an owner.
        ListFiles = "ListFiles",
        /// Opens a file to others.
        GrantAccess = "GrantAccess",
        /// Closes a file to others.
        RevokeAccess = "RevokeAccess",
        /// View: one grant.
        GetGrant = "GetGrant",
        /// View: the grants of a file.
        ListGrants = "ListGrants",
        /// View: what has been opened to an address.
        ListShared = "ListShared",
        /// Offers a reward for storing a piece.
        CreateBounty = "CreateBounty",
        /// Adds money to a bounty.
        FundBounty = "FundBounty",
        /// The push claim: a miner actor tells which sectors hold which pieces (FIP-0076, FIP-0109).
        SectorContentChanged = "SectorContentChanged",
        /// The pull claim, by a built-in market deal.
        ClaimBounty = "ClaimBounty",
        /// Pays what claims have earned.
        SettleBounty = "SettleBounty",
        /// Ends a bounty that nobody has claimed.
        CancelBounty = "CancelBounty",
        /// Gives the caller's share of what was not earned back.
        RefundBounty = "RefundBounty",
        /// View: one bounty.
        GetBounty = "GetBounty",
        /// View: all bounties.
        ListBounties = "ListBounties",
        /// View: the claims of a bounty.
        ListBountyClaims = "ListBountyClaims",
    }
}

pub use table::Method;

impl Method {
    /// Tells whether the method only reads: views never write, emit or move money.
    pub const fn is_view(self) -> bool {
        matches!(
            self,
            Self::GetKey
                | Self::GetFile
                | Self::ListFiles
                | Self::GetGrant
                | Self::ListGrants
                | Self::ListShared
                | Self::GetBounty
                | Self::ListBounties
                | Self::ListBountyClaims
        )
    }

    /// Tells whether the method takes money; every other one refuses a value.
    pub const fn is_payable(self) -> bool {
        matches!(self, Self::CreateBounty | Self::FundBounty)
    }
}
