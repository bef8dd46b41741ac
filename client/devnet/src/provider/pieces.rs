//! The pieces on a provider's disk: one file each, named by the v2 piece CID; only verified bytes get there.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bauta_client::deal::VerifiedPiece;
use bauta_client::piece::PieceInfo;
use cid::Cid;

use super::book::{Wanted, piece_name, piece_of_name};

/// The pieces on a provider's disk.
pub struct Pieces {
    folder: PathBuf,
    known: Mutex<BTreeMap<Cid, Vec<PieceInfo>>>,
}

impl Pieces {
    /// Opens the folder, making it if needed; what an interrupted transfer left there is removed.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let mut known: BTreeMap<Cid, Vec<PieceInfo>> = BTreeMap::new();
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let piece = name.to_str().and_then(piece_of_name);
            // Who ran before us may be putting the last of its files away.
            let Some(about) = gone_is_none(entry.metadata())? else { continue };
            match piece {
                Some(piece) if about.len() == piece.payload_size => {
                    known.entry(piece.piece_cid).or_default().push(piece);
                }
                _ => _ = gone_is_none(std::fs::remove_file(entry.path()))?,
            }
        }
        Ok(Self { folder, known: Mutex::new(known) })
    }

    /// Where bytes are received: the disk that they will stay on.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a piece.
    pub fn path(&self, piece: &PieceInfo) -> PathBuf {
        self.folder.join(piece_name(piece))
    }

    /// The piece that is meant, if it is here.
    pub fn find(&self, wanted: &Wanted) -> Option<PieceInfo> {
        let known = self.known.lock().expect("nobody panics with it");
        known.get(&wanted.piece_cid)?.iter().find(|piece| wanted.is(piece)).cloned()
    }

    /// The largest piece with a commitment, if one is here.
    pub fn largest(&self, piece_cid: &Cid) -> Option<PieceInfo> {
        let known = self.known.lock().expect("nobody panics with it");
        known.get(piece_cid)?.iter().max_by_key(|piece| (piece.padded_size.0, piece.payload_size)).cloned()
    }

    /// Keeps a piece. Waits for the disk.
    pub fn keep(&self, piece: VerifiedPiece) -> io::Result<PieceInfo> {
        let path = self.path(piece.info());
        let info = piece.keep(&path)?;
        let mut known = self.known.lock().expect("nobody panics with it");
        let same = known.entry(info.piece_cid).or_default();
        if !same.contains(&info) {
            same.push(info.clone());
        }
        Ok(info)
    }

    /// All pieces.
    pub fn list(&self) -> Vec<PieceInfo> {
        self.known.lock().expect("nobody panics with it").values().flatten().cloned().collect()
    }
}

/// What is gone already needs nothing.
pub(super) fn gone_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}
