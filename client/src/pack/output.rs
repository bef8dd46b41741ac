//! A CAR on its way out: written and committed to at once.

use std::io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use super::Error;
use super::disk::Disk;
use crate::car::HEADER;
use crate::piece::{CommP, Commitment, Engine, KEPT_NODE, Part, Saved, Tree};

/// Writes, and computes the piece commitment of what is written.
pub(super) struct Output<W: Write> {
    out: BufWriter<W>,
    start: u64,
    comm_p: CommP,
}

impl<W: Write + Seek> Output<W> {
    /// Starts at the output's position.
    ///
    /// Errors: what the output says.
    pub fn new(mut out: W) -> Result<Self, Error> {
        let start = out.stream_position()?;
        Ok(Output { out: BufWriter::with_capacity(256 << 10, out), start, comm_p: comm_p() })
    }

    /// Goes on with a CAR that begins with the output, which stands behind what was committed to.
    pub fn resume(out: W, comm_p: CommP) -> Self {
        Output { out: BufWriter::with_capacity(256 << 10, out), start: 0, comm_p }
    }

    /// Puts the real header in its place, in the output and in the tree.
    ///
    /// Errors: what the output says.
    pub fn finish(mut self, header: &[u8; HEADER]) -> Result<Tree, Error> {
        self.comm_p.patch_prefix(header).expect("the CAR begins with a header of this length");
        let end = self.out.stream_position()?;
        self.out.seek(SeekFrom::Start(self.start))?;
        self.out.write_all(header)?;
        self.out.seek(SeekFrom::Start(end))?;
        self.out.flush()?;
        Ok(self.comm_p.finish_tree())
    }
}

impl<W: Write> Output<W> {
    /// Counts the bytes.
    pub fn written(&self) -> u64 {
        self.comm_p.written()
    }

    /// Hands all to the system, and puts down the commitment to it; the kept nodes beside it.
    ///
    /// Errors: what the output says.
    pub fn save(&mut self) -> io::Result<(Saved, &[Commitment])> {
        self.out.flush()?;
        let saved = self.comm_p.save().expect("it is on one thread and keeps no nodes below 1 MiB");
        Ok((saved, self.comm_p.kept()))
    }

    /// Writes what was committed to ahead, if it was.
    ///
    /// Errors: what the output says; `FileTooLarge` above 64 GiB (padded).
    pub fn write_part(&mut self, bytes: &[u8], part: Option<&Part>) -> io::Result<()> {
        match part {
            Some(part) => {
                self.comm_p.update_part(bytes, part).map_err(|e| io::Error::new(ErrorKind::FileTooLarge, e))?
            }
            None => self.comm_p.write_all(bytes)?,
        }
        self.out.write_all(bytes)
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_part(bytes, None)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What commits to a CAR, and keeps the nodes that parts of it are checked with later.
pub(super) fn comm_p() -> CommP {
    Engine::new().keep(KEPT_NODE).expect("a MiB is the size of a node").comm_p()
}

/// Lets a file be written beside its place, then renames it; after an error nothing is left.
pub(super) fn write_beside<T>(
    path: &Path,
    overwrite: bool,
    write: impl FnOnce(&mut Disk<'_>, &Path) -> Result<T, Error>,
) -> Result<T, Error> {
    let io = |e| Error::io(path, e);
    if !overwrite && path.symlink_metadata().is_ok() {
        return Err(Error::Exists(path.into()));
    }
    let mut beside = super::platform::temporary_file(folder_of(path)).map_err(io)?;
    let at = beside.path().to_path_buf();
    let mut disk = Disk::new(beside.as_file_mut()).map_err(io)?;
    let outcome = write(&mut disk, &at)?;
    disk.finish().map_err(io)?;
    drop(disk);
    beside.as_file().sync_all().map_err(io)?;
    let placed = if overwrite { beside.persist(path) } else { beside.persist_noclobber(path) };
    match placed {
        Ok(_) => Ok(outcome),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Err(Error::Exists(path.into())),
        Err(e) => Err(io(e.error)),
    }
}

/// An output that somebody may want to stop.
pub(super) struct Watched<'a, W> {
    out: W,
    stop: Option<&'a dyn Fn() -> io::Result<()>>,
}

impl<'a, W> Watched<'a, W> {
    pub fn new(out: W, stop: Option<&'a dyn Fn() -> io::Result<()>>) -> Self {
        Watched { out, stop }
    }
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stop.map_or(Ok(()), |stop| stop())?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Seek> Seek for Watched<'_, W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.out.seek(to)
    }
}

/// The folder that a path is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
