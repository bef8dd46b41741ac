//! Addresses as text, without a process-wide network switch.
//!
//! An address is the same bytes on every network; only the first letter of its text differs (`f` on mainnet, `t` elsewhere). People paste
//! either letter on either network, so [`parse`] takes both, and [`Prefix::show`] prints the letter that a network's own nodes print.
//!
//! Source: Filecoin spec, appendix "Address"; FIP-0048 (f4).

mod eth;

use std::str::FromStr;

pub use eth::{ETH_NAMESPACE, EthAddress, keccak256};
use fvm_shared::address::Network as Letter;
pub use fvm_shared::address::{Address, Error as AddressReason, Payload, Protocol};
use thiserror::Error;

/// The first letter of an address in text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// `f`, as mainnet prints.
    Mainnet,
    /// `t`, as every other network prints.
    #[default]
    Testnet,
}

impl Prefix {
    /// The letter itself.
    pub fn letter(self) -> char {
        match self {
            Self::Mainnet => 'f',
            Self::Testnet => 't',
        }
    }

    /// Prints an address with this prefix.
    pub fn show(self, address: &Address) -> String {
        // The letter is no part of the checksum, and the rest of the text is the same on all networks.
        let text = address.to_string();
        let mut shown = String::with_capacity(text.len());
        shown.push(self.letter());
        shown.push_str(&text[1..]);
        shown
    }
}

/// Why a text is no address.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// Base32, checksum, length or protocol is wrong.
    #[error("`{text}` is not a Filecoin address: {reason}")]
    Invalid {
        /// What was given, cut to 100 characters.
        text: String,
        /// What is wrong with it.
        reason: AddressReason,
    },
    /// The same address has another, shorter spelling.
    #[error("`{text}` is not how this address is written: `{canonical}` is")]
    NotCanonical {
        /// What was given.
        text: String,
        /// The one spelling that is accepted.
        canonical: String,
    },
    /// Not an address in Ethereum's form.
    #[error("`{text}` is not an Ethereum address: {reason}")]
    Ethereum {
        /// What was given, cut to 100 characters.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Reads `f0…`/`t0…` to `f4…`/`t4…` whatever the network in use.
///
/// Errors: bad letter, protocol, base32, checksum or length; a spelling that is not the canonical one (`f007`, `f0+7`).
pub fn parse(text: &str) -> Result<Address, AddressError> {
    let letter = if text.starts_with('t') { Letter::Testnet } else { Letter::Mainnet };
    let address = letter
        .parse_address(text)
        .map_err(|reason| AddressError::Invalid { text: text.chars().take(100).collect(), reason })?;
    let prefix = if text.starts_with('t') { Prefix::Testnet } else { Prefix::Mainnet };
    let canonical = prefix.show(&address);
    if canonical == text { Ok(address) } else { Err(AddressError::NotCanonical { text: text.to_string(), canonical }) }
}

/// An address given on a command line or in a file: as [`parse`] reads it, or in Ethereum's form (`0x…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnyAddress(pub Address);

impl FromStr for AnyAddress {
    type Err = AddressError;

    /// Reads what begins with `0x` as an [`EthAddress`], everything else as [`parse`] does.
    ///
    /// Errors: theirs.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("0x") {
            return text.parse().map(|address: EthAddress| Self(address.to_filecoin()));
        }
        parse(text).map(Self)
    }
}

#[cfg(test)]
mod tests;
