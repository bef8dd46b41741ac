//! The age identities on disk: an ordinary identity file, 0600, the newest key first; under a passphrase it is what `age -p` makes of one.
//!
//! Older identities stay in the file, because they open what was wrapped for them.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::crypt::{self, Identity};
use crate::home::{FileError, Home, create_private, read_private, replace_private};
pub use crate::passphrase::SecretString;
use crate::passphrase::{Closed, lock, unlock};

/// How an age file begins; an identity file cannot.
const AGE_MAGIC: &[u8] = b"age-encryption.org/";

/// What went wrong with the identities.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is none yet.
    #[error("{0}: there is no identity file: `bauta init` or `bauta key new` make one")]
    Missing(PathBuf),
    /// It is under a passphrase and none was given.
    #[error("the identity in {0} is locked: its passphrase is needed")]
    Locked(PathBuf),
    /// The passphrase is not the one, or the file is damaged.
    #[error("the passphrase does not open {0}")]
    WrongPassphrase(PathBuf),
    /// A guess costs more than is opened.
    #[error("{path}: {why}")]
    TooCostly {
        /// Which file.
        path: PathBuf,
        /// How much.
        why: String,
    },
    /// Its contents.
    #[error("{path}: {why}")]
    Contents {
        /// Which file.
        path: PathBuf,
        /// What is wrong; never the secret.
        why: crypt::Error,
    },
    /// age could not encrypt.
    #[error("the identity could not be locked: {0}")]
    Encrypt(String),
}

/// The file that holds a user's identities.
#[derive(Debug, Clone)]
pub struct Keyring {
    path: PathBuf,
}

impl Keyring {
    /// The one of a home.
    pub fn of(home: &Home) -> Self {
        Self { path: home.identity_file() }
    }

    /// Any identity file.
    pub fn at(path: &Path) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is one.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Whether a passphrase is needed.
    ///
    /// Errors: Missing; TooOpen: others may read it.
    pub fn is_locked(&self) -> Result<bool, KeyringError> {
        Ok(self.read()?.starts_with(AGE_MAGIC))
    }

    /// Opens it: at least one identity, the newest first.
    ///
    /// Errors: [`KeyringError`].
    pub fn load(&self, passphrase: Option<&SecretString>) -> Result<Vec<Identity>, KeyringError> {
        let contents = self.read()?;
        let text = if contents.starts_with(AGE_MAGIC) {
            let passphrase = passphrase.ok_or_else(|| KeyringError::Locked(self.path.clone()))?;
            unlock(&contents, passphrase).map_err(|closed| match closed {
                Closed::Wrong => KeyringError::WrongPassphrase(self.path.clone()),
                Closed::TooCostly(_) => KeyringError::TooCostly { path: self.path.clone(), why: closed.to_string() },
            })?
        } else {
            contents
        };
        parse(&text).map_err(|why| KeyringError::Contents { path: self.path.clone(), why })
    }

    /// Writes identities, the newest first, under a passphrase if one is given. `replace` allows an old file to be overwritten.
    ///
    /// Errors: Exists: there is one and `replace` is false; Encrypt.
    pub fn save(
        &self,
        identities: &[Identity],
        passphrase: Option<&SecretString>,
        replace: bool,
    ) -> Result<(), KeyringError> {
        let mut text = Zeroizing::new(String::with_capacity(256 * identities.len()));
        for identity in identities {
            text.push_str(&identity.to_file());
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        let write = if replace { replace_private } else { create_private };
        match passphrase {
            None => write(&self.path, text.as_bytes())?,
            Some(passphrase) => {
                let locked = lock(text.as_bytes(), passphrase, None);
                write(&self.path, &locked.map_err(|e| KeyringError::Encrypt(e.to_string()))?)?;
            }
        }
        Ok(())
    }

    fn read(&self) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        read_private(&self.path).map_err(|error| match error {
            FileError::Missing(path) => KeyringError::Missing(path),
            other => other.into(),
        })
    }
}

/// Reads the text of an identity file.
///
/// Errors: as [`Identity::parse_file`]; [`crypt::Error::Malformed`] for what is no UTF-8.
pub fn parse(text: &[u8]) -> Result<Vec<Identity>, crypt::Error> {
    let text = std::str::from_utf8(text).map_err(|_| crypt::Error::Malformed("this is no identity file"))?;
    Identity::parse_file(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn recipients(identities: &[Identity]) -> Vec<String> {
        identities.iter().map(|i| i.recipient().to_string()).collect()
    }

    #[test]
    fn identities_come_back_in_order_and_the_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let ring = Keyring::at(&folder.path().join("identity.txt"));
        assert!(matches!(ring.load(None), Err(KeyringError::Missing(_))));
        let identities = [Identity::generate(), Identity::generate()];
        ring.save(&identities, None, false).unwrap();
        assert_eq!(recipients(&ring.load(None).unwrap()), recipients(&identities));
        assert_eq!(std::fs::metadata(ring.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(ring.save(&identities, None, false), Err(KeyringError::File(FileError::Exists(_)))));
        std::fs::set_permissions(ring.path(), PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(ring.load(None), Err(KeyringError::File(FileError::TooOpen { .. }))));
    }

    #[test]
    fn a_passphrase_locks_and_the_file_is_one_of_age() {
        let folder = tempfile::tempdir().unwrap();
        let ring = Keyring::at(&folder.path().join("identity.txt"));
        let identities = [Identity::generate()];
        let passphrase = SecretString::from("open sesame".to_string());
        ring.save(&identities, Some(&passphrase), false).unwrap();
        assert!(ring.is_locked().unwrap());
        assert!(matches!(ring.load(None), Err(KeyringError::Locked(_))));
        let wrong = SecretString::from("open barley".to_string());
        assert!(matches!(ring.load(Some(&wrong)), Err(KeyringError::WrongPassphrase(_))));
        assert_eq!(recipients(&ring.load(Some(&passphrase)).unwrap()), recipients(&identities));
    }

    #[test]
    fn what_is_no_identity_is_refused_without_being_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let ring = Keyring::at(&folder.path().join("identity.txt"));
        for text in ["", "hunter2", "AGE-SECRET-KEY-1QQQQ", "\u{1}\u{2}"] {
            replace_private(ring.path(), text.as_bytes()).unwrap();
            let error = ring.load(None).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("QQQQ"), "{error}");
        }
    }
}
