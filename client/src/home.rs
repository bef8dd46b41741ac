//! Where Bauta keeps its things on this machine: folders, configuration, private files, locks.
//!
//! | what | where | mode |
//! |---|---|---|
//! | configuration | `$XDG_CONFIG_HOME/bauta/config.toml` | 0600 |
//! | keys, identities, journals, the local chain | `$XDG_DATA_HOME/bauta/…` | folders 0700, secrets 0600 |
//!
//! `BAUTA_HOME` puts both in one folder.

mod config;
mod files;
mod lock;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use config::{Config, ConfigError, NetworkConfig};
pub use files::{
    FileError, MAX_PRIVATE, create_private, create_private_folder, is_unfinished, read_note, read_private,
    read_private_up_to, remove, replace_private, sweep, write_public,
};
pub use lock::Lock;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The two folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    config: PathBuf,
    data: PathBuf,
    /// Where journals are, if not with the data.
    journals: Option<PathBuf>,
}

/// Why there is no home.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HomeError {
    /// None of the variables is set.
    #[error("no folder to keep things in: set BAUTA_HOME, or HOME")]
    NoHome,
    /// `BAUTA_HOME` is relative, and would mean another folder in each place.
    #[error("BAUTA_HOME is a relative path; it has to be absolute")]
    Relative,
}

impl Home {
    /// Finds the folders by the process's environment.
    ///
    /// Errors: as [`Home::find_by`].
    pub fn find() -> Result<Self, HomeError> {
        Self::find_by(|name| std::env::var_os(name))
    }

    /// Finds the folders by the given variables: `BAUTA_HOME`, `XDG_CONFIG_HOME`, `XDG_DATA_HOME`, `HOME`.
    ///
    /// As the XDG base directory specification demands, its variables are ignored when empty or relative.
    ///
    /// Errors: NoHome: they do not give both folders; Relative: `BAUTA_HOME` is a relative path.
    pub fn find_by(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, HomeError> {
        let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(folder) = path("BAUTA_HOME") {
            return if folder.is_absolute() { Ok(Self::at(&folder)) } else { Err(HomeError::Relative) };
        }
        let home = path("HOME").filter(|home| home.is_absolute());
        let xdg = |name: &str, fallback: &str| {
            let set = path(name).filter(|folder| folder.is_absolute());
            set.or_else(|| home.as_ref().map(|home| home.join(fallback))).ok_or(HomeError::NoHome)
        };
        Ok(Self {
            config: xdg("XDG_CONFIG_HOME", ".config")?.join("bauta"),
            data: xdg("XDG_DATA_HOME", ".local/share")?.join("bauta"),
            journals: None,
        })
    }

    /// Puts everything in one folder.
    pub fn at(folder: &Path) -> Self {
        Self { config: folder.to_path_buf(), data: folder.to_path_buf(), journals: None }
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The wallet's folder.
    pub fn wallet(&self) -> PathBuf {
        self.data.join("wallet")
    }

    /// The age identity.
    pub fn identity_file(&self) -> PathBuf {
        self.data.join("identity.txt")
    }

    /// The local chain's state.
    pub fn devnet(&self) -> PathBuf {
        self.data.join("devnet")
    }

    /// Journals of what is under way on a network.
    pub fn journals(&self, network: &str) -> PathBuf {
        self.journals.clone().unwrap_or_else(|| self.data.join("journal")).join(network)
    }

    /// The same home with its journals elsewhere: what is only rehearsed must not be gone on with.
    pub fn with_journals(self, folder: &Path) -> Self {
        Self { journals: Some(folder.to_path_buf()), ..self }
    }

    /// The journal of packing into a file at this absolute path.
    pub fn pack_journal(&self, out: &Path) -> PathBuf {
        let name = hex::encode(&Sha256::digest(out.as_os_str().as_encoded_bytes())[..16]);
        self.data.join("packing").join(format!("{name}.journal"))
    }

    /// Other people's keys on a chain.
    pub fn known_keys(&self, chain: &str) -> PathBuf {
        self.data.join("known_keys").join(format!("{}.json", chain.replace(' ', "-")))
    }

    /// Whether this home is only rehearsed in: nothing of it is to change.
    pub fn is_rehearsed(&self) -> bool {
        self.journals.is_some()
    }

    /// Takes the lock of that name: at most one process holds it.
    ///
    /// Errors: Busy: another process holds it.
    pub fn lock(&self, name: &str) -> Result<Lock, FileError> {
        Lock::take(&self.data.join(format!("{name}.lock")))
    }

    /// Reads the configuration; the default one if there is no file.
    ///
    /// Errors: as [`Config::load`].
    pub fn load_config(&self) -> Result<Config, ConfigError> {
        Config::load(&self.config_file())
    }

    /// Writes the configuration.
    ///
    /// Errors: as [`Config::save`].
    pub fn save_config(&self, config: &Config) -> Result<(), ConfigError> {
        config.save(&self.config_file())
    }
}

#[cfg(test)]
mod tests;
