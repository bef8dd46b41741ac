//! A large file on its way to the disk while more of it is made, so that little is left to wait for at the end.

mod direct;
mod settling;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use self::direct::Direct;
use self::settling::Settling;

/// Writes past the system's cache, where system and file system can; else through it.
pub(super) struct Disk<'a>(Way<'a>);

enum Way<'a> {
    Direct(Direct<'a>),
    Cached(Settling<'a>),
}

impl<'a> Disk<'a> {
    /// Goes on where the file stands. One that does not stand at its start has to be open for reading, too.
    ///
    /// Errors: what is in front of there cannot be read.
    pub fn new(file: &'a mut File) -> io::Result<Self> {
        Ok(Disk(match direct::open(file) {
            Some((past, at)) => Way::Direct(Direct::new(file, past, at)?),
            None => Way::Cached(Settling::new(file)),
        }))
    }

    /// Lets the system have everything. The disk reports each failure once only. Nothing is synced yet.
    ///
    /// Errors: what the disk said of anything written.
    pub fn finish(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Way::Direct(file) => file.finish(),
            Way::Cached(file) => file.finish(),
        }
    }
}

impl Write for Disk<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Way::Direct(file) => file.write(bytes),
            Way::Cached(file) => file.write(bytes),
        }
    }

    /// Lets the system have everything.
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Way::Direct(file) => file.flush(),
            Way::Cached(file) => file.flush(),
        }
    }
}

impl Seek for Disk<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.0 {
            Way::Direct(file) => file.seek(to),
            Way::Cached(file) => file.seek(to),
        }
    }
}
