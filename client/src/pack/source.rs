//! Plaintext on its way in: counted, and watched for changes.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::Error;
use super::journal::Seen;
use super::platform::seen;
use super::twins::Digest;

/// What a file was when it was opened.
struct Opened {
    size: u64,
    seen: Seen,
    /// What there is where the system tells nothing better.
    modified: Option<SystemTime>,
}

impl Opened {
    fn of(about: &Metadata) -> Self {
        Opened { size: about.len(), seen: Seen(seen(about)), modified: about.modified().ok() }
    }

    /// Says whether it still is: by all that the system tells, since the time of a file's content is anybody's to set.
    fn is_still(&self, about: &Metadata) -> bool {
        let now = Opened::of(about);
        let known = if self.seen.0.is_empty() { self.modified == now.modified } else { self.seen == now.seen };
        self.size == now.size && known
    }
}

/// A reader of plaintext that remembers why it failed, so that its errors are told from those of the output.
pub(super) struct Source<R> {
    path: PathBuf,
    reader: R,
    /// None for what is no file.
    opened: Option<Opened>,
    read: u64,
    failed: Option<Error>,
}

impl Source<File> {
    /// Takes a file from its start.
    ///
    /// Errors: the system's.
    pub fn of_file(path: &Path, file: File) -> io::Result<Self> {
        let opened = Some(Opened::of(&file.metadata()?));
        Ok(Source { path: path.into(), reader: file, opened, read: 0, failed: None })
    }

    /// Takes a file from where it stands. It has to be what an earlier run has seen, until its end.
    ///
    /// Errors: the system's.
    pub fn going_on(path: &Path, mut file: File, seen: Seen) -> io::Result<Self> {
        let read = file.stream_position()?;
        let size = seen.0.first().copied().unwrap_or_default();
        let opened = Some(Opened { size, seen, modified: file.metadata()?.modified().ok() });
        Ok(Source { path: path.into(), reader: file, opened, read, failed: None })
    }

    /// Says whether the file is still what it was when it was opened.
    fn is_unchanged(&self) -> bool {
        let Some(opened) = &self.opened else { return true };
        self.reader.metadata().is_ok_and(|about| opened.is_still(&about))
    }

    /// Says what the file was when it was opened, for whoever goes on with it later.
    pub fn seen(&self) -> Seen {
        self.opened.as_ref().map_or(Seen(Vec::new()), |opened| opened.seen.clone())
    }

    /// Reads all of a small file.
    ///
    /// Errors: as [`check`](Source::check).
    pub fn read_all(&mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(self.expected().unwrap_or_default() as usize);
        let outcome = self.read_to_end(&mut bytes);
        self.check()?;
        outcome.map_err(|e| Error::io(&self.path, e))?;
        Ok(bytes)
    }

    /// Reads all of a file for the digest of its content, and goes back to the start.
    ///
    /// Errors: as [`check`](Source::check); [`Error::Io`] where it cannot go back.
    pub fn digest(&mut self) -> Result<Digest, Error> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        let outcome = loop {
            match self.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(n) => hash.update(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        self.check()?;
        outcome.and_then(|()| self.reader.rewind()).map_err(|e| Error::io(&self.path, e))?;
        self.read = 0;
        Ok(hash.finalize().into())
    }

    /// Says why reading failed, if it did, or that the file is another by now.
    ///
    /// Errors: [`Error::Io`] with its path, told once; [`Error::Changed`].
    pub fn check(&mut self) -> Result<(), Error> {
        match self.failed.take() {
            Some(e) => Err(e),
            None if !self.is_unchanged() => Err(Error::Changed(self.path.clone())),
            None => Ok(()),
        }
    }
}

impl<R: Read> Source<R> {
    /// Takes a reader whose size is unknown.
    pub fn of_reader(name: &Path, reader: R) -> Self {
        Source { path: name.into(), reader, opened: None, read: 0, failed: None }
    }

    /// Gives the size that the file had when it was opened.
    pub fn expected(&self) -> Option<u64> {
        self.opened.as_ref().map(|opened| opened.size)
    }

    /// Counts the bytes read.
    pub fn size(&self) -> u64 {
        self.read
    }

    /// Reads and tells how many bytes were read so far.
    pub fn reporting<F: FnMut(u64)>(&mut self, report: F) -> Reporting<'_, R, F> {
        Reporting { source: self, report, told: 0 }
    }

    /// Says why reading failed, if it did.
    ///
    /// Errors: [`Error::Io`] with its path, told once.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let outcome = self.reader.read(out);
        match outcome {
            Ok(n) => {
                self.read += n as u64;
                let ended = n == 0 && !out.is_empty();
                let changed = |size| self.read > size || (ended && self.read < size);
                if self.expected().is_some_and(changed) {
                    self.failed = Some(Error::Changed(self.path.clone()));
                    return Err(io::Error::other("the file changed while it was read"));
                }
                Ok(n)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(e),
            Err(e) => {
                let told = io::Error::new(e.kind(), e.to_string());
                self.failed = Some(Error::Io { path: self.path.clone(), error: e });
                Err(told)
            }
        }
    }
}

/// A source that reports.
pub(super) struct Reporting<'a, R, F> {
    source: &'a mut Source<R>,
    report: F,
    told: u64,
}

impl<R: Read, F: FnMut(u64)> Read for Reporting<'_, R, F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(out)?;
        let done = self.source.size();
        if done - self.told >= 1 << 20 || n == 0 {
            self.told = done;
            (self.report)(done);
        }
        Ok(n)
    }
}
