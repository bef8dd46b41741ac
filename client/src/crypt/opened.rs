//! Decrypting: a reader of an age file becomes a reader of its plaintext, which can seek if the file can.

use std::io::{self, Read, Seek, SeekFrom};

use super::header::{Header, write_header};
use super::stream::{BodyKey, CHUNK, SEALED_CHUNK, TAG, read_chunk};
use super::{Error, FileKey, Identity, Recipient, Wrap, wrap};

/// Decrypts an age file with a secret key. Each chunk is authenticated before a byte of it is given.
///
/// Errors: [`Error::NoMatch`], [`Error::Malformed`], [`Error::Unsupported`], [`Error::HeaderChanged`],
/// [`Error::Truncated`], [`Error::TooLarge`]; while reading also [`Error::Chunk`] and [`Error::TrailingData`], inside a
/// `std::io::Error`.
pub fn open<R: Read>(mut file: R, identity: &Identity) -> Result<Opened<R>, Error> {
    let header = Header::read(&mut file)?;
    let key = identity.unwrap_stanzas(&header.stanzas)?;
    header.check(&key)?;
    Ok(Opened::new(file, &header, key))
}

/// Decrypts an age file with its file key.
///
/// Errors: as [`open`], but [`Error::WrongKey`] when the key does not authenticate the header.
pub fn open_with_key<R: Read>(mut file: R, key: &FileKey) -> Result<Opened<R>, Error> {
    let header = Header::read(&mut file)?;
    header.check(key).map_err(|_| Error::WrongKey)?;
    Ok(Opened::new(file, &header, key.clone()))
}

/// Gives the same age file under a new header for other recipients. The body stays byte for byte.
///
/// Errors: as [`open_with_key`]; [`Error::Malformed`] without a recipient.
pub fn reheader<R: Read>(mut file: R, key: &FileKey, recipients: &[Recipient]) -> Result<impl Read + use<R>, Error> {
    let header = Header::read(&mut file)?;
    header.check(key).map_err(|_| Error::WrongKey)?;
    let wraps = recipients.iter().map(|recipient| wrap(key, recipient)).collect::<Result<Vec<_>, _>>()?;
    if wraps.is_empty() {
        return Err(Error::Malformed("nobody to encrypt to"));
    }
    let mut text = write_header(key, wraps.iter().map(Wrap::as_bytes))?;
    text.extend_from_slice(&header.nonce);
    Ok(io::Cursor::new(text).chain(file))
}

/// The plaintext of an age file; read it.
///
/// Errors: those of the file; [`Error::Chunk`], [`Error::Truncated`], [`Error::TrailingData`], [`Error::Malformed`], inside a
/// `std::io::Error`.
pub struct Opened<R> {
    file: R,
    key: FileKey,
    body: BodyKey,
    /// Where the file stands, counted from the first byte of the body.
    offset: u64,
    /// The chunk at hand, decrypted, and how many of its bytes were taken.
    chunk: Vec<u8>,
    taken: usize,
    /// A buffer for the chunk after the next.
    spare: Vec<u8>,
    /// The next chunk as it stands in the file, read ahead because the last one is marked. `None` before the first.
    ahead: Option<Vec<u8>>,
    /// Number of the chunk to be opened next.
    index: u64,
    state: State,
    /// Plaintext bytes, once the last chunk vouched for them.
    size: Option<u64>,
}

#[derive(PartialEq)]
enum State {
    Reading,
    Ended,
    Failed,
}

impl<R> Opened<R> {
    fn new(file: R, header: &Header, key: FileKey) -> Self {
        let body = BodyKey::new(&key, &header.nonce);
        Opened {
            file,
            key,
            body,
            offset: 0,
            chunk: Vec::new(),
            taken: 0,
            spare: Vec::new(),
            ahead: None,
            index: 0,
            state: State::Reading,
            size: None,
        }
    }

    /// Gives the file key.
    pub fn file_key(&self) -> &FileKey {
        &self.key
    }

    /// Gives the file, standing where its body begins if nothing was read yet, and the body's key.
    pub(crate) fn into_parts(self) -> (R, BodyKey) {
        (self.file, self.body)
    }
}

impl<R: Read> Opened<R> {
    /// Opens the next chunk.
    fn fill(&mut self) -> Result<(), Error> {
        if self.state == State::Failed {
            return Err(Error::Malformed("reading went on behind an error"));
        }
        self.state = State::Failed;
        self.taken = self.chunk.len();
        let sealed = match self.ahead.take() {
            Some(ahead) => ahead,
            None => self.next_sealed(Vec::with_capacity(SEALED_CHUNK))?,
        };
        let spare = std::mem::take(&mut self.spare);
        let ahead = if sealed.len() < SEALED_CHUNK { Vec::new() } else { self.next_sealed(spare)? };
        let last = ahead.is_empty();
        self.taken = 0;
        self.chunk.resize(sealed.len().saturating_sub(TAG), 0);
        let opened = self.body.open(self.index, last, &sealed, &mut self.chunk);
        self.spare = sealed;
        if opened.is_err() {
            // What did not authenticate is not handed out.
            self.chunk.clear();
        }
        opened?;
        self.ahead = Some(ahead);
        self.index += 1;
        self.state = if last { State::Ended } else { State::Reading };
        Ok(())
    }

    fn next_sealed(&mut self, mut chunk: Vec<u8>) -> Result<Vec<u8>, Error> {
        let outcome = read_chunk(&mut self.file, SEALED_CHUNK, &mut chunk);
        // What was read before an error counts, too: seeking goes on from there.
        self.offset += chunk.len() as u64;
        outcome.map_err(Error::Io)?;
        Ok(chunk)
    }
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.chunk.len() && self.state != State::Ended {
            self.fill()?;
        }
        let n = out.len().min(self.chunk.len() - self.taken);
        out[..n].copy_from_slice(&self.chunk[self.taken..][..n]);
        self.taken += n;
        Ok(n)
    }
}

impl<R: Read + Seek> Opened<R> {
    /// Gives the size of the plaintext. The last chunk is opened for it, so a shortened file is noticed here.
    ///
    /// Errors: as while reading.
    pub fn size(&mut self) -> Result<u64, Error> {
        if let Some(size) = self.size {
            return Ok(size);
        }
        let here = self.position();
        let body = self.file.stream_position()? - self.offset;
        let sealed = self.file.seek(SeekFrom::End(0))?.saturating_sub(body);
        let (size, chunks) = plain_size(sealed)?;
        self.offset = sealed;
        self.go_to(chunks - 1)?;
        self.size = Some(size);
        self.go_to_position(here, size)?;
        Ok(size)
    }

    /// Position in the plaintext.
    fn position(&self) -> u64 {
        self.index.saturating_sub(1) * CHUNK as u64 + self.taken as u64
    }

    /// Opens the chunk that holds a position, `position <= size`.
    fn go_to_position(&mut self, position: u64, size: u64) -> Result<(), Error> {
        let last = size.saturating_sub(1) / CHUNK as u64;
        let index = (position / CHUNK as u64).min(last);
        if self.index != index + 1 || self.state == State::Failed {
            self.go_to(index)?;
        }
        self.taken = (position - index * CHUNK as u64) as usize;
        Ok(())
    }

    /// Opens a chunk.
    fn go_to(&mut self, index: u64) -> Result<(), Error> {
        let body = self.file.stream_position()? - self.offset;
        let offset = index * SEALED_CHUNK as u64;
        self.file.seek(SeekFrom::Start(body + offset))?;
        self.offset = offset;
        (self.index, self.ahead, self.state) = (index, None, State::Reading);
        self.fill()
    }
}

impl<R: Read + Seek> Seek for Opened<R> {
    /// Errors: `InvalidInput` before the start; positions past the end are the end.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let size = self.size()?;
        let target = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => size.checked_add_signed(n),
            SeekFrom::Current(n) => self.position().checked_add_signed(n),
        };
        let target = target.ok_or(io::Error::from(io::ErrorKind::InvalidInput))?.min(size);
        self.go_to_position(target, size)?;
        Ok(target)
    }
}

/// Gives the size of the plaintext of a body of this size, if nothing was changed, and the number of its chunks.
///
/// Errors: [`Error::Truncated`].
pub(crate) fn plain_size(sealed: u64) -> Result<(u64, u64), Error> {
    let chunks = sealed.div_ceil(SEALED_CHUNK as u64).max(1);
    let size = sealed.checked_sub(chunks * TAG as u64).ok_or(Error::Truncated)?;
    Ok((size, chunks))
}
