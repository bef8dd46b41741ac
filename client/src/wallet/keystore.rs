//! Keys on disk: a folder with one 0600 file a key, and a pointer to the default one.
//!
//! `<address>.key` is a Lotus key file; `<address>.key.age` is the same under a passphrase, as `age -p` makes it. `default` holds an
//! address. Addresses in file names begin with `f` whatever the network: a key has no network.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fvm_shared::address::{Address, Protocol};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Key, KeyError, KeyKind};
use crate::address::{self, EthAddress, Prefix};
use crate::home::{FileError, create_private, read_private, remove, replace_private};
use crate::passphrase::{Closed, SecretString, lock, unlock};

const DEFAULT: &str = "default";
const PLAIN: &str = ".key";
const LOCKED: &str = ".key.age";

/// What went wrong with the wallet.
#[derive(Debug, Error)]
pub enum WalletError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file's contents.
    #[error("{path}: {source}")]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: KeyError,
    },
    /// The file is named after another key than it holds.
    #[error("{0} holds the key of another address")]
    Misnamed(PathBuf),
    /// No key of that address.
    #[error("the wallet has no key for {0}")]
    Unknown(String),
    /// The file that names the default key names none.
    #[error("{0} does not name a key: choose one with `bauta wallet default ADDRESS`")]
    DefaultDamaged(PathBuf),
    /// No key at all, or no default one.
    #[error("the wallet has no default key: make one with `bauta wallet new`")]
    NoDefault,
    /// The key is under a passphrase and none was given.
    #[error("the key of {0} is locked: its passphrase is needed")]
    Locked(String),
    /// The passphrase is not the one, or the file is damaged.
    #[error("the passphrase does not open the key of {0}")]
    WrongPassphrase(String),
    /// A guess of the passphrase costs more than is opened.
    #[error("the key of {address}: {why}")]
    TooCostly {
        /// Whose key.
        address: String,
        /// How much.
        why: String,
    },
    /// age could not encrypt.
    #[error("the key could not be locked: {0}")]
    Encrypt(String),
}

/// What the wallet tells about a key without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its address.
    pub address: Address,
    /// Its kind.
    pub kind: KeyKind,
    /// Whether it is under a passphrase.
    pub locked: bool,
    /// Whether it is used when none is named.
    pub is_default: bool,
}

/// A folder of keys.
#[derive(Clone, Debug)]
pub struct Keystore {
    folder: PathBuf,
    work_factor: Option<u8>,
}

impl Keystore {
    /// Uses a folder; it is made when the first key is added.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), work_factor: None }
    }

    /// Sets the cost of guessing passphrases to `2^log_n`; without it `2^18`, about a second.
    pub fn with_work_factor(mut self, log_n: u8) -> Self {
        self.work_factor = Some(log_n);
        self
    }

    /// Lists the keys, ordered by address.
    ///
    /// Errors: File.
    pub fn list(&self) -> Result<Vec<Entry>, WalletError> {
        let default = match self.default_address() {
            // The keys are there all the same.
            Err(WalletError::DefaultDamaged(_)) => None,
            other => other?,
        };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(source) => return Err(FileError::Io { path: self.folder.clone(), source }.into()),
        };
        let mut keys = vec![];
        for entry in entries {
            let entry = entry.map_err(|source| FileError::Io { path: self.folder.clone(), source })?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let (stem, locked) = match (name.strip_suffix(LOCKED), name.strip_suffix(PLAIN)) {
                (Some(stem), _) => (stem, true),
                (None, Some(stem)) => (stem, false),
                (None, None) => continue,
            };
            let Ok(address) = address::parse(stem) else { continue };
            let Some(kind) = kind_of(&address) else { continue };
            keys.push(Entry { address, kind, locked, is_default: default == Some(address) });
        }
        keys.sort_by_key(|entry| Prefix::Mainnet.show(&entry.address));
        // A key in both forms counts once, as the open file that it is.
        keys.dedup_by(|later, earlier| {
            let same = later.address == earlier.address;
            if same {
                earlier.locked = earlier.locked && later.locked;
            }
            same
        });
        Ok(keys)
    }

    /// Adds a key, under a passphrase if one is given; says whether it is new. The first key becomes the default one. A key that is there
    /// already is left as it is; but one in the clear is put under the passphrase.
    ///
    /// Errors: Encrypt; File.
    pub fn add(&self, key: &Key, passphrase: Option<&SecretString>) -> Result<bool, WalletError> {
        let address = key.address();
        let found = self.find(&address)?;
        if matches!((&found, passphrase), (Some(_), None) | (Some((_, true)), _)) {
            return Ok(false);
        }
        let mut text = Zeroizing::new(String::with_capacity(key.export().len() + 1));
        text.push_str(&key.export());
        text.push('\n');
        match passphrase {
            Some(passphrase) => {
                let locked = self.lock(text.as_bytes(), passphrase)?;
                // Killed in between, there are both, and the open one counts.
                replace_private(&self.path(&address, LOCKED), &locked)?;
                remove(&self.path(&address, PLAIN))?;
            }
            None => create_private(&self.path(&address, PLAIN), text.as_bytes())?,
        }
        if found.is_some() {
            return Ok(false);
        }
        if matches!(self.default_address(), Ok(None)) {
            self.set_default(&address)?;
        }
        Ok(true)
    }

    /// Opens a key.
    ///
    /// Errors: Unknown; TooOpen: others may read its file; Locked: it needs a passphrase; WrongPassphrase; TooCostly; Key: its
    /// file holds none; Misnamed.
    pub fn load(&self, address: &Address, passphrase: Option<&SecretString>) -> Result<Key, WalletError> {
        let shown = || Prefix::Mainnet.show(address);
        let (path, locked) = self.find(address)?.ok_or_else(|| WalletError::Unknown(shown()))?;
        let mut contents = read_private(&path)?;
        if locked {
            let passphrase = passphrase.ok_or_else(|| WalletError::Locked(shown()))?;
            contents = unlock(&contents, passphrase).map_err(|closed| match closed {
                Closed::Wrong => WalletError::WrongPassphrase(shown()),
                Closed::TooCostly(_) => WalletError::TooCostly { address: shown(), why: closed.to_string() },
            })?;
        }
        let text = std::str::from_utf8(&contents)
            .map_err(|_| WalletError::Key { path: path.clone(), source: KeyError::NotHex })?;
        let key = Key::import(text).map_err(|source| WalletError::Key { path: path.clone(), source })?;
        if key.address() == *address { Ok(key) } else { Err(WalletError::Misnamed(path)) }
    }

    /// Opens the default key.
    ///
    /// Errors: NoDefault; as [`Keystore::default_address`] and [`Keystore::load`].
    pub fn load_default(&self, passphrase: Option<&SecretString>) -> Result<Key, WalletError> {
        self.load(&self.default_address()?.ok_or(WalletError::NoDefault)?, passphrase)
    }

    /// The address that is used when none is named.
    ///
    /// Errors: DefaultDamaged: what is written down is no address.
    pub fn default_address(&self) -> Result<Option<Address>, WalletError> {
        let path = self.folder.join(DEFAULT);
        match fs::read(&path) {
            Ok(text) => {
                let named = std::str::from_utf8(&text).ok().and_then(|text| address::parse(text.trim()).ok());
                named.map(Some).ok_or(WalletError::DefaultDamaged(path))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FileError::Io { path, source }.into()),
        }
    }

    /// Chooses the address that is used when none is named.
    ///
    /// Errors: Unknown: the wallet has no key for it.
    pub fn set_default(&self, address: &Address) -> Result<(), WalletError> {
        if self.find(address)?.is_none() {
            return Err(WalletError::Unknown(Prefix::Mainnet.show(address)));
        }
        let text = format!("{}\n", Prefix::Mainnet.show(address));
        Ok(replace_private(&self.folder.join(DEFAULT), text.as_bytes())?)
    }

    /// Forgets a key for good.
    ///
    /// Errors: Unknown: the wallet has no key for it.
    pub fn remove(&self, address: &Address) -> Result<(), WalletError> {
        if self.find(address)?.is_none() {
            return Err(WalletError::Unknown(Prefix::Mainnet.show(address)));
        }
        remove(&self.path(address, PLAIN))?;
        remove(&self.path(address, LOCKED))?;
        if matches!(self.default_address(), Ok(Some(default)) if default == *address) {
            remove(&self.folder.join(DEFAULT))?;
        }
        Ok(())
    }

    fn path(&self, address: &Address, suffix: &str) -> PathBuf {
        self.folder.join(format!("{}{suffix}", Prefix::Mainnet.show(address)))
    }

    fn find(&self, address: &Address) -> Result<Option<(PathBuf, bool)>, WalletError> {
        for (suffix, locked) in [(PLAIN, false), (LOCKED, true)] {
            let path = self.path(address, suffix);
            match path.try_exists() {
                Ok(true) => return Ok(Some((path, locked))),
                Ok(false) => {}
                Err(source) => return Err(FileError::Io { path, source }.into()),
            }
        }
        Ok(None)
    }

    fn lock(&self, text: &[u8], passphrase: &SecretString) -> Result<Vec<u8>, WalletError> {
        lock(text, passphrase, self.work_factor).map_err(|error| WalletError::Encrypt(error.to_string()))
    }
}

fn kind_of(address: &Address) -> Option<KeyKind> {
    match address.protocol() {
        Protocol::Secp256k1 => Some(KeyKind::Secp256k1),
        Protocol::BLS => Some(KeyKind::Bls),
        Protocol::Delegated => EthAddress::of(address).map(|_| KeyKind::Delegated),
        _ => None,
    }
}
