//! Exit codes: standard ones where they fit, ours from 40. 33 stays unused, because a reverting EVM contract exits with it.

use fvm_shared::error::ExitCode;

macro_rules! exits {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $sentence:literal;)*) => {
        /// Why the actor refused. No refusal changes state or moves money.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Exit {
            $($(#[$doc])* $name,)*
        }

        impl Exit {
            /// All exits, by code.
            pub const ALL: &'static [Exit] = &[$(Exit::$name),*];

            /// The exit code.
            pub const fn code(self) -> ExitCode {
                match self {
                    $(Self::$name => ExitCode::new($code),)*
                }
            }

            /// One sentence for a person.
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)*
                }
            }

            /// Finds the exit of a code that the actor returned.
            pub fn from_code(code: ExitCode) -> Option<Self> {
                match code.value() {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

exits! {
    /// A param is out of its bounds.
    IllegalArgument = 16, "a parameter is out of bounds";
    /// No such file, grant, bounty, claim, deal or address.
    NotFound = 17, "there is no such file, grant, bounty, deal or address";
    /// The caller may not do this.
    Forbidden = 18, "the caller has no right to do this";
    /// The value sent is not what the method takes.
    WrongValue = 19, "the amount sent is not what this method takes";
    /// The actor's state is broken: a defect of ours.
    IllegalState = 20, "the actor's state is broken";
    /// The params do not decode.
    Serialization = 21, "the parameters do not decode";
    /// No such method.
    UnhandledMessage = 22, "the actor has no such method";
    /// The file has another version than expected.
    VersionConflict = 40, "the file has changed since it was read";
    /// The bounty takes no more claims or money.
    BountyClosed = 41, "the bounty is closed or past its deadline";
    /// The bounty has been claimed.
    BountyHasClaims = 42, "the bounty has been claimed";
    /// The bounty still runs.
    BountyNotEnded = 43, "the bounty has not ended yet";
    /// The money would exceed what the bounty can pay.
    Overfunded = 44, "the bounty cannot pay out that much";
    /// The caller has no share left.
    NothingToRefund = 45, "the caller has no share left in this bounty";
    /// The deal does not fit the bounty's terms.
    DealDoesNotFit = 46, "the deal does not fit the bounty's terms";
    /// The claim is settled to its end.
    ClaimClosed = 47, "the claim is closed";
    /// The sector is not where the caller says.
    StaleLocation = 48, "the sector has moved, look its location up again";
    /// A transfer failed.
    TransferFailed = 49, "a transfer failed";
}
