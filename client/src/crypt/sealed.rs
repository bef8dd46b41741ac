//! Encrypting: a reader of plaintext becomes a reader of an age file.

use std::io::{self, Read};

use rand::RngCore;
use rand::rngs::OsRng;

use super::header::{NONCE, write_header};
use super::stream::{BodyKey, CHUNK, SEALED_CHUNK, read_chunk};
use super::{Error, FileKey, Recipient, Wrap, wrap};

/// Encrypts what a reader gives, under a new file key, to one or more recipients. The age file is read from the result.
///
/// Errors: [`Error::Malformed`] without a recipient; [`Error::TooLarge`] for more of them than a header holds.
pub fn seal<R: Read>(plain: R, recipients: &[Recipient]) -> Result<Sealed<R>, Error> {
    seal_with_key(plain, &FileKey::generate(), recipients)
}

/// As [`seal`] under a given file key. The body's key is new each time, so one file key may seal several bodies.
///
/// Errors: [`Error::Malformed`] without a recipient; [`Error::TooLarge`] for more of them than a header holds.
pub fn seal_with_key<R: Read>(plain: R, key: &FileKey, recipients: &[Recipient]) -> Result<Sealed<R>, Error> {
    let Envelope { wraps, header, body } = Envelope::new(key, recipients)?;
    Ok(Sealed { plain, key: key.clone(), wraps, body, ready: header, taken: 0, ahead: None, index: 0, failed: false })
}

/// What is in front of an age file's body, and the key of that body.
pub(crate) struct Envelope {
    /// The wrapped keys as they stand in the header, in the order of the recipients.
    pub wraps: Vec<Wrap>,
    /// Header and nonce.
    pub header: Vec<u8>,
    pub body: BodyKey,
}

impl Envelope {
    /// Makes one; the body's key is new each time.
    ///
    /// Errors: [`Error::Malformed`] without a recipient; [`Error::TooLarge`] for more of them than a header holds.
    pub fn new(key: &FileKey, recipients: &[Recipient]) -> Result<Envelope, Error> {
        let wraps = recipients.iter().map(|recipient| wrap(key, recipient)).collect::<Result<Vec<_>, _>>()?;
        if wraps.is_empty() {
            return Err(Error::Malformed("nobody to encrypt to"));
        }
        let mut nonce = [0; NONCE];
        OsRng.fill_bytes(&mut nonce);
        let mut header = write_header(key, wraps.iter().map(Wrap::as_bytes))?;
        header.extend_from_slice(&nonce);
        let body = BodyKey::new(key, &nonce);
        Ok(Envelope { wraps, header, body })
    }
}

/// An age file in the making; read it.
///
/// Errors: those of the plaintext's reader; after one, reading does not go on.
pub struct Sealed<R> {
    plain: R,
    key: FileKey,
    wraps: Vec<Wrap>,
    body: BodyKey,
    /// Bytes of the age file that wait to be taken, and how many were.
    ready: Vec<u8>,
    taken: usize,
    /// The next plaintext chunk, read ahead because the last one is marked. `None` before the first.
    ahead: Option<Vec<u8>>,
    /// Number of the chunk to be sealed next.
    index: u64,
    /// Whether reading failed: what was read by then is lost, and an age file without it would look whole.
    failed: bool,
}

impl<R> Sealed<R> {
    /// Gives the file key.
    pub fn file_key(&self) -> &FileKey {
        &self.key
    }

    /// Gives the wrapped keys as they stand in the header, in the order of the recipients.
    pub fn wraps(&self) -> &[Wrap] {
        &self.wraps
    }

    /// Gives back the reader of plaintext.
    pub fn into_inner(self) -> R {
        self.plain
    }
}

impl<R: Read> Sealed<R> {
    /// Seals the next chunk into `ready`; leaves it empty at the end.
    fn fill(&mut self) -> io::Result<()> {
        self.taken = 0;
        let mut chunk = std::mem::take(&mut self.ready);
        chunk.clear();
        let mut ahead = match self.ahead.take() {
            Some(ahead) => ahead,
            None => {
                let mut first = Vec::with_capacity(SEALED_CHUNK);
                read_chunk(&mut self.plain, CHUNK, &mut first)?;
                first
            }
        };
        // Only the whole file may be an empty chunk.
        if !ahead.is_empty() || self.index == 0 {
            std::mem::swap(&mut chunk, &mut ahead);
            read_chunk(&mut self.plain, CHUNK, &mut ahead)?;
            let tag = self.body.seal(self.index, ahead.is_empty(), &mut chunk);
            chunk.extend_from_slice(&tag);
            self.index += 1;
        }
        (self.ready, self.ahead) = (chunk, Some(ahead));
        Ok(())
    }
}

impl<R: Read> Read for Sealed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.ready.len() {
            if self.failed {
                return Err(io::Error::other("reading the plaintext failed before"));
            }
            self.failed = true;
            self.fill()?;
            self.failed = false;
        }
        let n = out.len().min(self.ready.len() - self.taken);
        out[..n].copy_from_slice(&self.ready[self.taken..][..n]);
        self.taken += n;
        Ok(n)
    }
}
