//! The configuration file.
//!
//! ```toml
//! network = "local"
//!
//! [networks.calibration]
//! rpc_url = "https://api.calibration.node.glif.io/rpc/v1"
//! actor = "t2…"
//!
//! [networks.office]
//! rpc_url = "http://10.0.0.5:1234/rpc/v1"
//! node_name = "2k"
//! chain_id = 31415926
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fvm_shared::address::Address;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml_edit::{DocumentMut, Item, Table};

use super::files::{FileError, replace_private};
use crate::address::{AddressError, AnyAddress};
use crate::network::{Endpoint, EndpointError, Network, NetworkNameError};

/// What the user has chosen for all commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The network in use when none is named; `local` when unset.
    pub network: Option<String>,
    /// By the name of the network.
    pub networks: BTreeMap<String, NetworkConfig>,
}

/// What the user has chosen for one network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The node to ask; the network's default one when unset.
    pub rpc_url: Option<String>,
    /// Bauta's actor on that network.
    pub actor: Option<Address>,
    /// For a custom network: what its nodes answer to `StateNetworkName`.
    pub node_name: Option<String>,
    /// For a custom network: its EIP-155 chain id.
    pub chain_id: Option<u64>,
}

/// What is wrong with the configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no TOML, or has a key that means nothing.
    #[error("{path}: {reason}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        reason: String,
    },
    /// A network's name.
    #[error(transparent)]
    Name(#[from] NetworkNameError),
    /// An actor's address.
    #[error("networks.{network}.actor: {source}")]
    Actor {
        /// Whose.
        network: String,
        /// What is wrong.
        source: AddressError,
    },
    /// A node's URL.
    #[error("networks.{network}.rpc_url: {source}")]
    Url {
        /// Whose.
        network: String,
        /// What is wrong.
        source: EndpointError,
    },
    /// A known network's chain id and name are not for the user to choose.
    #[error("networks.{0}: node_name and chain_id can only be set for a network of your own")]
    NotCustom(String),
    /// A network under two of its names.
    #[error("networks.{0} is there twice: under its name and under another one that means it")]
    Twice(String),
}

/// The file as it is written.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    networks: BTreeMap<String, NetworkForm>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<u64>,
}

/// Puts values in the place of others, and what is new behind them.
fn merge(into: &mut Table, from: &Table) {
    for (key, new) in from {
        match (into.get_mut(key), new) {
            (Some(Item::Table(into)), Item::Table(from)) => merge(into, from),
            (Some(Item::Value(old)), Item::Value(new)) => {
                let (decor, mut new) = (old.decor().clone(), new.clone());
                *new.decor_mut() = decor;
                *old = new;
            }
            _ => _ = into.insert(key, new.clone()),
        }
    }
}

impl Config {
    /// Reads a file; a missing one is the default configuration.
    ///
    /// Errors: File: it cannot be read; as [`Config::parse`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(FileError::io(path, error).into()),
        }
    }

    /// Reads the text of a file; `path` is for its errors.
    ///
    /// Errors: Syntax: no TOML, or an unknown key; Name; Actor; Url: a bad one; NotCustom: a known network is given a node name or a
    /// chain id; Twice.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            path: path.to_path_buf(),
            reason: error.to_string().trim().to_string(),
        };
        let form: FileForm = toml::from_str(text).map_err(syntax)?;
        if let Some(name) = &form.network {
            Network::from_name(name)?;
        }
        let mut networks = BTreeMap::new();
        for (name, form) in form.networks {
            let network = Network::from_name(&name)?;
            let custom = matches!(network, Network::Custom { .. });
            if !custom && (form.node_name.is_some() || form.chain_id.is_some()) {
                return Err(ConfigError::NotCustom(name));
            }
            if let Some(url) = &form.rpc_url {
                Endpoint::from_url(url).map_err(|source| ConfigError::Url { network: name.clone(), source })?;
            }
            let actor = form.actor.as_deref().map(str::parse::<AnyAddress>).transpose();
            let actor = actor.map_err(|source| ConfigError::Actor { network: name.clone(), source })?.map(|any| any.0);
            let config =
                NetworkConfig { rpc_url: form.rpc_url, actor, node_name: form.node_name, chain_id: form.chain_id };
            if networks.insert(network.name().to_string(), config).is_some() {
                return Err(ConfigError::Twice(network.name().to_string()));
            }
        }
        Ok(Self { network: form.network, networks })
    }

    /// The text of the file.
    pub fn to_toml(&self) -> String {
        let networks = self.networks.iter().map(|(name, config)| {
            let prefix = Network::from_name(name).unwrap_or_default().prefix();
            let form = NetworkForm {
                rpc_url: config.rpc_url.clone(),
                actor: config.actor.map(|actor| prefix.show(&actor)),
                node_name: config.node_name.clone(),
                chain_id: config.chain_id,
            };
            (name.clone(), form)
        });
        let form = FileForm { network: self.network.clone(), networks: networks.collect() };
        toml::to_string(&form).expect("strings and numbers in named tables always encode")
    }

    /// Writes the file, 0600. What its owner has written into it beside the values (comments, an order) stays, and so does a link that stands
    /// in its place.
    ///
    /// Errors: File: it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ConfigError> {
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let before = std::fs::read_to_string(&path).ok();
        let text = before.and_then(|before| self.merged_into(&before)).unwrap_or_else(|| self.to_toml());
        Ok(replace_private(&path, text.as_bytes())?)
    }

    /// The text of a file that says this, made of one that says something else; none where that cannot be.
    fn merged_into(&self, before: &str) -> Option<String> {
        let (mut document, ours): (DocumentMut, DocumentMut) = (before.parse().ok()?, self.to_toml().parse().ok()?);
        merge(document.as_table_mut(), ours.as_table());
        let text = document.to_string();
        // What it does not have any more is still in there: then nothing of the old text can be trusted to stay.
        Self::parse(&text, Path::new("")).is_ok_and(|merged| merged == *self).then_some(text)
    }

    /// The network of that name, or the default one, with what is known of it here.
    ///
    /// Errors: Name: no network can have that name.
    pub fn network(&self, name: Option<&str>) -> Result<Network, ConfigError> {
        let name = name.or(self.network.as_deref()).unwrap_or("local");
        Ok(match Network::from_name(name)? {
            Network::Custom { name, .. } => {
                let config = self.networks.get(&name);
                Network::Custom {
                    node_name: config.and_then(|config| config.node_name.clone()),
                    chain_id: config.and_then(|config| config.chain_id),
                    name,
                }
            }
            known => known,
        })
    }

    /// Where to reach a network: the configured node, else the default one; `None` for a custom network without either.
    ///
    /// Errors: Url: the configured one is none.
    pub fn endpoint(&self, network: &Network) -> Result<Option<Endpoint>, ConfigError> {
        let configured = self.networks.get(network.name()).and_then(|config| config.rpc_url.as_deref());
        let Some(url) = configured.or(network.default_url()) else { return Ok(None) };
        let endpoint = Endpoint::from_url(url);
        endpoint.map(Some).map_err(|source| ConfigError::Url { network: network.name().to_string(), source })
    }

    /// Bauta's actor on a network, if it is known here.
    pub fn actor(&self, network: &Network) -> Option<Address> {
        self.networks.get(network.name()).and_then(|config| config.actor)
    }

    /// Remembers Bauta's actor on a network.
    pub fn set_actor(&mut self, network: &Network, actor: Address) {
        self.networks.entry(network.name().to_string()).or_default().actor = Some(actor);
    }
}
