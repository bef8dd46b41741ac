//! A CAR that is coming in, on the disk: each block in its place as soon as it is verified, holes where none is yet.
//!
//! It is its own journal: a block is there if its name stands in front of it and its bytes have its hash, which is looked at each time it is
//! read. So nothing has to be synced, no crash can make it lie, and whoever asks for the same content again goes on from what is there. All
//! of it is ciphertext.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use cid::Cid;

use crate::car::{Place, find_ending, frame_size};
use crate::home::create_private_folder;
use crate::piece::PieceInfo;

use super::Peer;

/// The blocks of one CAR that have come.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
}

impl Partial {
    /// Opens the one that an earlier run has left, or begins one. It is 0600. None where another process is at it.
    pub fn open(folder: &Path, root: &Cid) -> io::Result<Option<Self>> {
        create_private_folder(folder).map_err(io::Error::other)?;
        let path = folder.join(format!("{root}.car"));
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Looks for the root block.
    pub fn root(&self, piece: &PieceInfo, root: &Cid) -> Option<(Place, Vec<u8>)> {
        let tail = Peer::tail(piece);
        if self.file.metadata().ok()?.len() < tail.end {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(tail.end - tail.start).ok()?];
        self.file.read_exact_at(&mut bytes, tail.start).ok()?;
        let place = find_ending(root, tail.start, &bytes)?;
        Some((place, self.block(root, &place)?))
    }

    /// Says whether a block's name stands at a place. Its bytes may still be missing.
    pub fn has(&self, cid: &Cid, place: &Place) -> bool {
        let mut frame = [0; 48];
        let size = frame_size(place.size) as usize;
        let Some(frame) = frame.get_mut(..size) else { return false };
        self.file.read_exact_at(frame, place.at).is_ok() && frame.ends_with(&cid.to_bytes())
    }

    /// Reads a block and verifies it. None where it is not there, or not whole.
    pub fn block(&self, cid: &Cid, place: &Place) -> Option<Vec<u8>> {
        if !self.has(cid, place) {
            return None;
        }
        let range = place.range();
        let mut bytes = vec![0; usize::try_from(range.end - range.start).ok()?];
        self.file.read_exact_at(&mut bytes, range.start).ok()?;
        place.verify(cid, &bytes).ok()?;
        bytes.drain(..frame_size(place.size) as usize);
        Some(bytes)
    }

    /// Keeps verified blocks with their frames.
    pub fn keep(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    /// Keeps a verified block.
    pub fn keep_block(&self, cid: &Cid, place: &Place, block: &[u8]) -> io::Result<()> {
        self.keep(place.at, &[&place.frame(cid)[..], block].concat())
    }

    /// Removes it: everything it was for is done, or nothing is in it.
    pub fn remove(&self) {
        // Whatever is left is removed when it is old.
        let _ = std::fs::remove_file(&self.path);
    }

    /// Bytes that are there, as far as the file system tells.
    pub fn kept(&self) -> u64 {
        self.file.metadata().map_or(0, |about| std::os::unix::fs::MetadataExt::blocks(&about) * 512)
    }

    /// Says whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.file.metadata().is_ok_and(|about| about.len() == 0)
    }
}
