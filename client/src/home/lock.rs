//! Advisory locks: two processes must not continue the same journal, or write the same chain.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::FileError;
use super::files::create_private_folder;

/// A lock that is held until it is dropped, or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock at `path` without waiting. The file stays when the lock is given back: removing it could give two processes a lock each.
    ///
    /// Errors: Busy: somebody else holds it.
    pub fn take(path: &Path) -> Result<Self, FileError> {
        if let Some(folder) = path.parent() {
            create_private_folder(folder)?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|source| FileError::io(path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, path: path.to_path_buf() }),
            Err(TryLockError::WouldBlock) => Err(FileError::Busy(path.to_path_buf())),
            Err(TryLockError::Error(source)) => Err(FileError::io(path, source)),
        }
    }

    /// Takes the lock at `path`, and waits for it where somebody else holds it.
    ///
    /// Errors: Busy: they still do after `patience`.
    pub async fn wait(path: &Path, patience: Duration) -> Result<Self, FileError> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            match Self::take(path) {
                Err(FileError::Busy(_)) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                taken => return taken,
            }
        }
    }

    /// The lock's file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would give it back as well; a child process that inherited it would then still hold it.
        let _ = self.file.unlock();
    }
}
