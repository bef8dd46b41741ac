//! A file that the system keeps in its cache: the disk is told while more is written, so that little is left to wait for at the end.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// A file whose data goes to the disk while more is written, so that little is left to wait for at the end.
pub(super) struct Settling<'a> {
    file: &'a mut File,
    unsettled: u64,
    thread: Option<(SyncSender<()>, JoinHandle<io::Result<()>>)>,
}

/// Bytes after which the disk is told.
const SETTLE: u64 = 16 << 20;

impl<'a> Settling<'a> {
    pub fn new(file: &'a mut File) -> Self {
        Settling { file, unsettled: 0, thread: None }
    }

    fn wrote(&mut self, bytes: usize) {
        self.unsettled += bytes as u64;
        if self.unsettled < SETTLE {
            return;
        }
        self.unsettled = 0;
        if self.thread.is_none() {
            self.thread = self.start();
        }
        if let Some((sender, _)) = &self.thread {
            // When it is still at it, it is told the next time.
            let _ = sender.try_send(());
        }
    }

    /// Without the thread everything is waited for at the end, as it would be anyway.
    fn start(&self) -> Option<(SyncSender<()>, JoinHandle<io::Result<()>>)> {
        let file = self.file.try_clone().ok()?;
        let (sender, told) = sync_channel(1);
        let work = move || {
            told.iter().try_for_each(|()| {
                file.sync_data()?;
                super::super::platform::forget_written(&file);
                Ok(())
            })
        };
        Some((sender, thread::Builder::new().name("settle".into()).spawn(work).ok()?))
    }
}

impl Settling<'_> {
    /// Says whether all that the disk was told went well: it reports each failure once only.
    ///
    /// Errors: what the disk said.
    pub fn finish(&mut self) -> io::Result<()> {
        let Some((sender, thread)) = self.thread.take() else { return Ok(()) };
        drop(sender);
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Settling<'_> {
    /// After an error: the file is about to be removed.
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl Write for Settling<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.wrote(n);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Settling<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
