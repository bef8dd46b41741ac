//! From a file to CAR and piece commitment, and back.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bauta_client::crypt::Identity;
use bauta_client::pack::{Key, Options, pack, pack_to_file, unpack};

use super::{comm_p, unixfs};

fn owner(dir: &Path) -> Result<Identity> {
    let path = dir.join("identity");
    if !path.exists() {
        fs::write(&path, Identity::generate().to_file().as_bytes())?;
    }
    Identity::parse_file(&fs::read_to_string(path)?)?.into_iter().next().context("an identity")
}

/// Ours, into nowhere.
pub fn ours_to_nowhere(input: &Path, dir: &Path) -> Result<()> {
    pack(input, &[owner(dir)?.recipient()], Nowhere::default(), Options::default())?;
    Ok(())
}

/// Where [`ours_to_file`] leaves the CAR.
pub fn car(dir: &Path) -> PathBuf {
    dir.join("out.car")
}

/// Ours, into a file.
pub fn ours_to_file(input: &Path, dir: &Path) -> Result<()> {
    let options = Options { overwrite: true, ..Options::default() };
    pack_to_file(input, &[owner(dir)?.recipient()], &car(dir), options)?;
    Ok(())
}

/// The way back: verified and decrypted, into a file or folder that is gone before and after.
pub fn ours_back(dir: &Path) -> Result<()> {
    let options = Options { overwrite: true, ..Options::default() };
    unpack(File::open(car(dir))?, None, Key::Identity(&owner(dir)?), &back(dir), options)?;
    Ok(())
}

/// Where [`ours_back`] writes.
pub fn back(dir: &Path) -> PathBuf {
    dir.join("back")
}

/// The best libraries of others in one process, as somebody would put them together who knows them well: age, rust-unixfs, and the faster of two
/// kernels for commitments. Bytes stream through, in pieces of 1 MiB that are still in the cache, into buffers that are used again; they come from
/// memory and go nowhere, so no disk slows them down.
pub fn best_libraries(plain: &[u8]) -> Result<()> {
    let owner = age::x25519::Identity::generate();
    let recipient = owner.to_public();
    let recipients = [&recipient as &dyn age::Recipient];
    let mut out = age::Encryptor::with_recipients(recipients.into_iter())?.wrap_output(Others::new())?;
    for piece in plain.chunks(unixfs::CHUNK) {
        out.write_all(piece)?;
    }
    std::hint::black_box(out.finish()?.finish()?);
    Ok(())
}

/// What the libraries do with what age has sealed.
struct Others {
    /// Less than a chunk: whole ones are handed over where they lie.
    sealed: Vec<u8>,
    dag: unixfs::RustUnixFs,
    piece: comm_p::Stream,
}

impl Others {
    fn new() -> Self {
        let piece = comm_p::Stream::new(comm_p::faster_hashtree());
        Others { sealed: Vec::with_capacity(unixfs::CHUNK), dag: unixfs::RustUnixFs::new(), piece }
    }

    fn hand_over(&mut self) {
        self.dag.push(&self.sealed);
        self.piece.update(&self.sealed);
        self.sealed.clear();
    }

    fn finish(mut self) -> Result<(String, [u8; 32])> {
        self.hand_over();
        Ok((self.dag.finish()?, self.piece.finish()))
    }
}

impl Write for Others {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = bytes.len().min(unixfs::CHUNK - self.sealed.len());
        self.sealed.extend_from_slice(&bytes[..size]);
        if self.sealed.len() == unixfs::CHUNK {
            self.hand_over();
        }
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An output that forgets.
#[derive(Default)]
struct Nowhere {
    at: u64,
    end: u64,
}

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.at += bytes.len() as u64;
        self.end = self.end.max(self.at);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Nowhere {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => self.end.checked_add_signed(n),
            SeekFrom::Current(n) => self.at.checked_add_signed(n),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
