//! Networks: how they are called by people and by nodes, and where their public nodes are.

mod endpoint;

use std::fmt;

pub use endpoint::{Endpoint, EndpointError};
use thiserror::Error;

use crate::address::{Address, Prefix};

/// What the devnet answers to `StateNetworkName`.
pub const LOCAL_NODE_NAME: &str = "bauta-local";
/// The chain id that local Filecoin networks use by convention.
pub const LOCAL_CHAIN_ID: u64 = 31_415_926;

/// A network that files can be kept on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Network {
    /// Bauta's own devnet.
    #[default]
    Local,
    /// The public test network.
    Calibration,
    /// The network with real money.
    Mainnet,
    /// A network named in the configuration.
    Custom {
        /// Its name on the command line and in the configuration.
        name: String,
        /// What its nodes answer to `StateNetworkName`; unchecked when absent.
        node_name: Option<String>,
        /// Its EIP-155 chain id; unchecked when absent.
        chain_id: Option<u64>,
    },
}

/// A name that cannot be a network's.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is not a network name: 1 to 32 of a-z, 0-9, `-` and `_`, beginning with a letter or digit")]
pub struct NetworkNameError(pub String);

impl Network {
    /// Finds a network by the name that people use; an unknown name is a custom network without checks.
    ///
    /// Errors: the name is empty, longer than 32, or has a character that could not stand in a file name.
    pub fn from_name(name: &str) -> Result<Self, NetworkNameError> {
        match name {
            "local" => Ok(Self::Local),
            "calibration" | "calibrationnet" | "calibnet" => Ok(Self::Calibration),
            "mainnet" => Ok(Self::Mainnet),
            _ => {
                let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
                let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
                if starts_well && name.len() <= 32 && name.chars().all(allowed) {
                    Ok(Self::Custom { name: name.to_string(), node_name: None, chain_id: None })
                } else {
                    Err(NetworkNameError(name.to_string()))
                }
            }
        }
    }

    /// The name that people use.
    pub fn name(&self) -> &str {
        match self {
            Self::Local => "local",
            Self::Calibration => "calibration",
            Self::Mainnet => "mainnet",
            Self::Custom { name, .. } => name,
        }
    }

    /// What this network's nodes answer to `StateNetworkName`, where it is known.
    pub fn node_name(&self) -> Option<&str> {
        match self {
            Self::Local => Some(LOCAL_NODE_NAME),
            Self::Calibration => Some("calibrationnet"),
            Self::Mainnet => Some("mainnet"),
            Self::Custom { node_name, .. } => node_name.as_deref(),
        }
    }

    /// The EIP-155 chain id, where it is known.
    pub fn chain_id(&self) -> Option<u64> {
        match self {
            Self::Local => Some(LOCAL_CHAIN_ID),
            Self::Calibration => Some(314_159),
            Self::Mainnet => Some(314),
            Self::Custom { chain_id, .. } => *chain_id,
        }
    }

    /// The letter that this network's nodes print before addresses.
    pub fn prefix(&self) -> Prefix {
        match self {
            Self::Mainnet => Prefix::Mainnet,
            _ => Prefix::Testnet,
        }
    }

    /// Prints an address as this network's nodes do.
    pub fn show(&self, address: &Address) -> String {
        self.prefix().show(address)
    }

    /// The node that is asked when none is configured.
    pub fn default_url(&self) -> Option<&'static str> {
        match self {
            Self::Local => Some("http://127.0.0.1:1234/rpc/v1"),
            Self::Calibration => Some("https://api.calibration.node.glif.io/rpc/v1"),
            Self::Mainnet => Some("https://api.node.glif.io/rpc/v1"),
            Self::Custom { .. } => None,
        }
    }

    /// Whether a value on this network can be worth money.
    pub fn is_real_money(&self) -> bool {
        matches!(self, Self::Mainnet)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
