//! Exit codes: what a script can tell apart, and the one place where errors become codes.

use std::fmt;
use std::io;

use bauta_client::access::AccessError;
use bauta_client::actor::ActorError;
use bauta_client::address::AddressError;
use bauta_client::agreement::AgreementError;
use bauta_client::bounty::BountyError;
use bauta_client::care::CareError;
use bauta_client::crypt;
use bauta_client::deal::DealError;
use bauta_client::deploy::DeployError;
use bauta_client::fetch::FetchError;
use bauta_client::home::{ConfigError, FileError, HomeError};
use bauta_client::keyring::KeyringError;
use bauta_client::known_keys::KnownKeyError;
use bauta_client::network::EndpointError;
use bauta_client::node::NodeError;
use bauta_client::pack;
use bauta_client::piece;
use bauta_client::sender::SendError;
use bauta_client::share::ShareError;
use bauta_client::store::StoreError;
use bauta_client::wallet::{KeyError, PhraseError, WalletError};
use bauta_devnet::archive::ArchiveError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for is done.
    Done = 0,
    /// Anything that has no code of its own.
    Failed = 1,
    /// The command line, the environment or the configuration makes no sense.
    Usage = 2,
    /// A part is done, and the rest failed.
    Partly = 3,
    /// No such file, grant, bounty, key or account.
    NotFound = 4,
    /// The network or a provider did not answer; trying again may help.
    Network = 5,
    /// No grant, or a key that does not open.
    NoAccess = 6,
    /// Bytes that are not what their name says.
    Corrupt = 7,
    /// The sender cannot pay.
    Funds = 8,
    /// The message is on its way, and nobody knows yet how it ended.
    Unconfirmed = 9,
    /// The disk is full, or a limit on space or on the size of files is reached.
    NoRoom = 10,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// An error that names its own exit code.
#[derive(Debug)]
pub struct Failure {
    /// How the command ends.
    pub exit: Exit,
    /// One sentence for a person.
    pub message: String,
}

impl Failure {
    /// An error with its exit code.
    pub fn because(exit: Exit, message: impl Into<String>) -> anyhow::Error {
        Self { exit, message: message.into() }.into()
    }

    /// A mistake in what was asked.
    pub fn usage(message: impl Into<String>) -> anyhow::Error {
        Self::because(Exit::Usage, message)
    }

    /// Something that is not there.
    pub fn not_found(message: impl Into<String>) -> anyhow::Error {
        Self::because(Exit::NotFound, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The code of an error: the first one in its chain that says more than "failed".
pub fn exit_of(error: &anyhow::Error) -> Exit {
    error.chain().find_map(code_of).unwrap_or(Exit::Failed)
}

/// The sentence of an error. What libraries pass through transparently stands in it once.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain().map(|cause| cause.to_string()) {
        if parts.iter().all(|part| !part.contains(&cause)) {
            parts.push(cause);
        }
    }
    parts.join(": ")
}

fn code_of(error: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    macro_rules! first {
        ($($kind:ty => $code:expr),* $(,)?) => {
            $(if let Some(error) = error.downcast_ref::<$kind>() { return Some(($code as fn(&$kind) -> Exit)(error)); })*
        };
    }
    first! {
        Failure => |e| e.exit,
        AccessError => access,
        ShareError => share,
        KnownKeyError => known_key,
        BountyError => bounty,
        FetchError => fetch,
        StoreError => store,
        CareError => care,
        pack::Error => package,
        ActorError => actor,
        SendError => send,
        DeployError => deploy,
        NodeError => node,
        AgreementError => agreement,
        DealError => deal,
        crypt::Error => cipher,
        FileError => file,
        io::Error => disk,
        piece::Error => |_| Exit::Failed,
        KeyringError => keyring,
        WalletError => wallet,
        KeyError => |_| Exit::Failed,
        PhraseError => |_| Exit::Failed,
        AddressError => |_| Exit::Usage,
        ConfigError => config,
        HomeError => |_| Exit::Usage,
        EndpointError => |_| Exit::Usage,
        ArchiveError => archive,
        bauta_devnet::store::StoreError => chain,
    }
    None
}

fn access(error: &AccessError) -> Exit {
    match error {
        AccessError::NoSuchFile(_) => Exit::NotFound,
        AccessError::Actor(error) => actor(error),
        _ => Exit::NoAccess,
    }
}

fn share(error: &ShareError) -> Exit {
    match error {
        ShareError::Access(error) => access(error),
        ShareError::NoKey(_) => Exit::NotFound,
        ShareError::BadKey { .. } => Exit::Corrupt,
        ShareError::Known(error) => known_key(error),
        ShareError::Partly { .. } => Exit::Partly,
        ShareError::Actor(error) => actor(error),
    }
}

fn known_key(error: &KnownKeyError) -> Exit {
    match error {
        KnownKeyError::Changed { .. } => Exit::NoAccess,
        KnownKeyError::Damaged { .. } => Exit::Failed,
        KnownKeyError::File(error) => file(error),
    }
}

fn bounty(error: &BountyError) -> Exit {
    match error {
        BountyError::NoSuchBounty(_) | BountyError::NoSuchClaim { .. } | BountyError::NothingToSettle(_) => {
            Exit::NotFound
        }
        BountyError::UnknownSize(_) => Exit::NotFound,
        BountyError::TooLong(_) => Exit::Failed,
        BountyError::Actor(error) => actor(error),
    }
}

fn deploy(error: &DeployError) -> Exit {
    match error {
        DeployError::Send(error) => send(error),
        DeployError::File(error) => file(error),
        DeployError::Answer(_) => Exit::Failed,
    }
}

fn fetch(error: &FetchError) -> Exit {
    match error {
        FetchError::NoSource | FetchError::Unavailable(_) => Exit::Network,
        FetchError::Corrupt(_) => Exit::Corrupt,
        FetchError::Disk(error) => disk(error),
    }
}

fn store(error: &StoreError) -> Exit {
    match error {
        StoreError::Pack(error) => package(error),
        StoreError::NoProvider => Exit::Usage,
        StoreError::NotStored(tried) if tried.iter().all(|(_, why)| why.is_passing()) => Exit::Network,
        StoreError::NotStored(_) => Exit::Failed,
        StoreError::NoSuchFile(_) => Exit::NotFound,
        StoreError::CarGone(error) => fetch(error),
        StoreError::Share(error) => share(error),
        StoreError::Actor(error) => actor(error),
        StoreError::Source { why, .. } => disk(why),
        StoreError::Home(error) => file(error),
    }
}

fn care(error: &CareError) -> Exit {
    match error {
        CareError::Busy => Exit::Failed,
        CareError::Fetch(error) => fetch(error),
        CareError::Home(error) => file(error),
        CareError::Actor(error) => actor(error),
    }
}

fn package(error: &pack::Error) -> Exit {
    match error {
        pack::Error::NoAccess(_) => Exit::NoAccess,
        pack::Error::Corrupt { .. } => Exit::Corrupt,
        pack::Error::NotFound(_) => Exit::NotFound,
        pack::Error::NoRoom { .. } => Exit::NoRoom,
        pack::Error::Io { error, .. } | pack::Error::Output(error) => disk(error),
        _ => Exit::Failed,
    }
}

fn actor(error: &ActorError) -> Exit {
    match error {
        ActorError::Node(error) => node(error),
        ActorError::Send(error) => send(error),
        ActorError::Rejected(rejection) => match rejection.exit() {
            Some(bauta_abi::Exit::NotFound) => Exit::NotFound,
            Some(bauta_abi::Exit::Forbidden) => Exit::NoAccess,
            // As where we notice it ourselves.
            Some(bauta_abi::Exit::IllegalArgument) => Exit::Usage,
            _ if rejection.code == 6 => Exit::Funds,
            _ => Exit::Failed,
        },
        ActorError::Params { .. } => Exit::Usage,
        ActorError::Answer { .. } => Exit::Corrupt,
        ActorError::Unread { .. } => Exit::Partly,
    }
}

fn send(error: &SendError) -> Exit {
    match error {
        SendError::Unreachable(_) => Exit::Network,
        SendError::Unconfirmed { .. } | SendError::Forgotten { .. } => Exit::Unconfirmed,
        SendError::Funds { .. } => Exit::Funds,
        SendError::Malformed(_) => Exit::Network,
        SendError::WrongNetwork { .. } | SendError::NoTransaction(_) => Exit::Usage,
        SendError::Slip(error) => file(error),
        _ => Exit::Failed,
    }
}

fn node(error: &NodeError) -> Exit {
    match error {
        NodeError::Unreachable(_) | NodeError::Malformed(_) => Exit::Network,
        NodeError::Refused { .. } => Exit::Failed,
    }
}

fn agreement(error: &AgreementError) -> Exit {
    match error {
        AgreementError::Deal(error) => deal(error),
        AgreementError::Send(error) => send(error),
        AgreementError::Node(error) => node(error),
        AgreementError::Home(error) => file(error),
        AgreementError::TooDear { .. } => Exit::Funds,
        AgreementError::Proposal(_) => Exit::Usage,
        AgreementError::Pending { .. } => Exit::Network,
        AgreementError::Untold { .. }
        | AgreementError::Size { .. }
        | AgreementError::Price { .. }
        | AgreementError::Declined(_) => Exit::Failed,
    }
}

fn deal(error: &DealError) -> Exit {
    match error {
        DealError::Unreachable { .. } | DealError::TooSlow { .. } | DealError::Drips { .. } => Exit::Network,
        DealError::WrongBytes { .. } | DealError::Forged { .. } | DealError::Malformed { .. } => Exit::Corrupt,
        _ => Exit::Failed,
    }
}

fn cipher(error: &crypt::Error) -> Exit {
    match error {
        crypt::Error::NoMatch | crypt::Error::WrongKey => Exit::NoAccess,
        crypt::Error::HeaderChanged
        | crypt::Error::Truncated
        | crypt::Error::Chunk(_)
        | crypt::Error::TrailingData
        | crypt::Error::Malformed(_) => Exit::Corrupt,
        _ => Exit::Failed,
    }
}

fn archive(error: &ArchiveError) -> Exit {
    match error {
        ArchiveError::NotACar(_) | ArchiveError::NotASnapshot | ArchiveError::Damaged(_) => Exit::Corrupt,
        ArchiveError::OtherNetwork { .. } | ArchiveError::OtherBundle => Exit::Usage,
        ArchiveError::Store(error) => chain(error),
        ArchiveError::Disk(error) => disk(error),
        ArchiveError::Occupied(_) | ArchiveError::Node(_) => Exit::Failed,
    }
}

fn chain(error: &bauta_devnet::store::StoreError) -> Exit {
    match error {
        bauta_devnet::store::StoreError::InUse(_) => Exit::Network,
        bauta_devnet::store::StoreError::NoChain(_) => Exit::NotFound,
        _ => Exit::Failed,
    }
}

fn disk(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        // Ctrl-C where a passphrase is asked for.
        io::ErrorKind::Interrupted => Exit::Interrupted,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Exit::NoRoom,
        _ => Exit::Failed,
    }
}

fn file(error: &FileError) -> Exit {
    match error {
        FileError::Missing(_) => Exit::NotFound,
        FileError::Io { source, .. } => disk(source),
        _ => Exit::Failed,
    }
}

fn config(error: &ConfigError) -> Exit {
    match error {
        ConfigError::File(error) => file(error),
        _ => Exit::Usage,
    }
}

fn keyring(error: &KeyringError) -> Exit {
    match error {
        KeyringError::Missing(_) => Exit::NotFound,
        KeyringError::Locked(_) | KeyringError::WrongPassphrase(_) => Exit::NoAccess,
        KeyringError::File(error) => file(error),
        _ => Exit::Failed,
    }
}

fn wallet(error: &WalletError) -> Exit {
    match error {
        WalletError::Unknown(_) | WalletError::NoDefault | WalletError::DefaultDamaged(_) => Exit::NotFound,
        WalletError::Locked(_) | WalletError::WrongPassphrase(_) => Exit::NoAccess,
        WalletError::File(error) => file(error),
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests;
