//! From a path to a piece and back, in one pass each.
//!
//! A file becomes one age file; a folder becomes an encrypted manifest and one age file for each file in it, so that one path
//! can be read without the rest and all names stay hidden. Either is a UnixFS graph in a CAR.
//!
//! ```
//! use std::io::Cursor;
//! use bauta_client::crypt::Identity;
//! use bauta_client::pack::{Key, Options, Package, pack};
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("letter.txt"), "dear friend")?;
//! let owner = Identity::generate();
//! let mut car = Cursor::new(Vec::new());
//! let packed = pack(folder.path(), &[owner.recipient()], &mut car, Options::default())?;
//!
//! let mut package = Package::open(car, Some(&packed.payload_cid), Key::Identity(&owner))?;
//! let letter = std::io::read_to_string(package.open_path(b"letter.txt")?)?;
//! assert_eq!(letter, "dear friend");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checkpoints;
mod disk;
mod error;
mod extract;
mod folder;
mod into_file;
mod journal;
mod manifest;
mod media_type;
mod opening;
mod output;
mod package;
mod pipeline;
mod platform;
mod pool;
mod resume;
mod scan;
mod sealing;
mod shelves;
mod single;
mod source;
mod twins;
mod unpacker;

#[cfg(fuzzing)]
mod fuzz;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use cid::Cid;

use crate::crypt::{Commitment, FileKey, Identity, Metadata, Recipient, Wrap};
use crate::piece::{PieceInfo, Tree};

#[cfg(fuzzing)]
pub(crate) use fuzz::{fuzz_journal, fuzz_manifest};

pub use error::Error;
pub use extract::Unpacked;
pub use into_file::pack_into_file;
pub use manifest::{Content, Entry};
pub use package::Package;
pub use resume::Resume;

use output::{Watched, write_beside};
use pipeline::Pipeline;
use source::Source;

/// How a pass is to be made.
#[derive(Default)]
pub struct Options<'a> {
    /// Paths that are left out of a folder, for instance the CAR being written.
    pub exclude: Vec<PathBuf>,
    /// Whether an existing file may be replaced. An existing folder never is.
    pub overwrite: bool,
    /// Is told how far the pass is, at least once a MiB.
    pub progress: Option<&'a mut dyn FnMut(Progress)>,
    /// Is asked when the CAR is written; its error stops the pass.
    pub stop: Option<&'a dyn Fn() -> io::Result<()>>,
}

impl Options<'_> {
    fn report(&mut self, phase: Phase, done: u64, total: Option<u64>) {
        if let Some(progress) = &mut self.progress {
            progress(Progress { phase, done, total });
        }
    }
}

/// How far a pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Plaintext bytes done; while scanning, entries found.
    pub done: u64,
    /// Plaintext bytes in all, where known.
    pub total: Option<u64>,
}

/// What a pass is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Going on with what an interrupted pass has left: told once, with the bytes of the CAR that stand.
    Resume,
    /// Looking through a folder.
    Scan,
    /// Encrypting and writing the CAR.
    Pack,
    /// Checking and decrypting.
    Unpack,
}

/// What came out of packing; the CAR itself went to the output.
#[derive(Debug)]
pub struct Packed {
    /// Root of the CAR.
    pub payload_cid: Cid,
    /// The piece that the CAR is.
    pub piece: PieceInfo,
    /// The upper part of its tree: parts of the piece can be checked with it later.
    pub tree: Tree,
    /// Key of the file, or of the manifest of a folder: opens everything.
    pub file_key: FileKey,
    /// The file key wrapped for each recipient, in their order.
    pub wraps: Vec<Wrap>,
    /// Fingerprint of the file key.
    pub commitment: Commitment,
    /// Name, media type, size and kind; not sealed yet.
    pub metadata: Metadata,
    /// What of a folder was left out, and why.
    pub skipped: Vec<Skipped>,
}

/// Something of a folder that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Where it is.
    pub path: PathBuf,
    /// Why it was left out.
    pub reason: String,
}

/// What opens a package.
#[derive(Debug, Clone, Copy)]
pub enum Key<'a> {
    /// Of one of its recipients.
    Identity(&'a Identity),
    /// Its own, for instance from a grant.
    File(&'a FileKey),
}

/// Encrypts a file or folder into a CAR at the output's position.
///
/// Effects: writes to the output only; what is there after an error is for the caller to discard.
///
/// Errors: of a single file [`Error::Io`] and [`Error::Changed`] with its path; [`Error::Unsupported`] for a path that is neither file nor
/// folder; [`Error::TooLarge`] above 64 GiB (padded), 1,000,000 files of different content, or what a manifest holds;
/// [`Error::Io`] and [`Error::NoRoom`] of the output; [`Error::Corrupt`] without a recipient. What cannot be read inside a folder is
/// skipped and listed.
pub fn pack<W: Write + Seek>(
    path: &Path,
    recipients: &[Recipient],
    out: W,
    options: Options<'_>,
) -> Result<Packed, Error> {
    let target = Target::look(path)?;
    let pipeline = Pipeline::new(Watched::new(out, options.stop), recipients)?;
    if target.about.is_dir() {
        return folder::pack_folder(&target.real, target.name, pipeline, Default::default(), options);
    }
    single::pack_file(&target, pipeline, None, options)
}

/// What is packed.
struct Target {
    /// As it was named, and without links.
    given: PathBuf,
    real: PathBuf,
    about: fs::Metadata,
    name: String,
}

impl Target {
    /// Errors: [`Error::Io`]; [`Error::Unsupported`] for what is neither file nor folder.
    fn look(path: &Path) -> Result<Target, Error> {
        let io = |e| Error::io(path, e);
        let real = path.canonicalize().map_err(io)?;
        let about = real.metadata().map_err(io)?;
        if !about.is_dir() && !about.is_file() {
            return Err(Error::Unsupported(format!("{}: neither a file nor a folder", path.display())));
        }
        let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Target { given: path.into(), real, about, name })
    }
}

/// Encrypts what a reader gives, for instance standard input, as one file of the name given.
///
/// Errors: [`Error::Io`], [`Error::NoRoom`], [`Error::TooLarge`]; [`Error::Corrupt`] without a recipient.
pub fn pack_reader<W: Write + Seek>(
    reader: impl Read,
    name: &str,
    recipients: &[Recipient],
    out: W,
    mut options: Options<'_>,
) -> Result<Packed, Error> {
    let mut source = Source::of_reader(Path::new(name), reader);
    let pipeline = Pipeline::new(Watched::new(out, options.stop), recipients)?;
    let packed = single::pack_source(&mut source, name.into(), pipeline, None, &mut options);
    source.finish()?;
    packed
}

/// As [`pack`] into a file, which appears under its name only when it is whole.
///
/// Errors: also [`Error::Exists`], unless `options.overwrite`.
pub fn pack_to_file(
    path: &Path,
    recipients: &[Recipient],
    out: &Path,
    mut options: Options<'_>,
) -> Result<Packed, Error> {
    let overwrite = options.overwrite;
    write_beside(out, overwrite, |file, beside| {
        options.exclude.push(beside.to_path_buf());
        options.exclude.push(out.to_path_buf());
        pack(path, recipients, file, options)
    })
}

/// Checks and decrypts a CAR, which the input begins with: its file to the path `destination`, or its folder to a new folder
/// there. Every block and every chunk is verified before it is used; the destination appears only when it is whole.
///
/// Errors: as [`Package::open`] and [`Package::unpack`].
pub fn unpack<R: Read + Seek>(
    car: R,
    root: Option<&Cid>,
    key: Key<'_>,
    destination: &Path,
    options: Options<'_>,
) -> Result<Unpacked, Error> {
    Package::open(car, root, key)?.unpack(destination, options)
}
