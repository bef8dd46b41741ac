//! Progress on stderr, and the flag that Ctrl-C raises for work that runs in threads.

use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bauta_client::car::{self, Blocks};
use cid::Cid;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::args::ProgressMode;
use crate::exit::{Exit, Failure};

/// Raised once, by Ctrl-C; seen by every read and write of a long piece of work.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// How often a plain line is written.
const EVERY: Duration = Duration::from_secs(2);

/// Tells threads to stop and gives the error that the command ends with.
pub fn interrupt() -> anyhow::Error {
    INTERRUPTED.store(true, Ordering::SeqCst);
    Failure::because(Exit::Interrupted, "interrupted")
}

/// An error where Ctrl-C was pressed.
pub fn interrupted() -> io::Result<()> {
    if INTERRUPTED.load(Ordering::SeqCst) { Err(io::Error::other("interrupted")) } else { Ok(()) }
}

/// How progress is shown, decided once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// A bar that moves.
    Bar,
    /// Lines.
    Plain,
    /// Nothing.
    Nothing,
}

impl Show {
    /// Decides: bars only on a terminal, nothing where the caller wants quiet.
    pub fn decide(mode: ProgressMode, quiet: bool) -> Self {
        match mode {
            _ if quiet => Self::Nothing,
            ProgressMode::Plain => Self::Plain,
            ProgressMode::Auto if io::stderr().is_terminal() => Self::Bar,
            ProgressMode::Auto | ProgressMode::None => Self::Nothing,
        }
    }
}

/// One phase of work that can be counted in bytes.
#[derive(Clone)]
pub struct Phase(Arc<Inner>);

struct Inner {
    name: String,
    show: Show,
    bar: ProgressBar,
    started: Instant,
    last: Mutex<Instant>,
    over: AtomicBool,
}

impl Phase {
    /// Begins a phase; `total` is in bytes where it is known.
    pub fn begin(show: Show, name: &str, total: Option<u64>) -> Self {
        let bar = match (show, total) {
            (Show::Bar, Some(total)) => ProgressBar::new(total),
            (Show::Bar, None) => ProgressBar::new_spinner(),
            _ => ProgressBar::hidden(),
        };
        if let (Show::Plain, Some(total)) = (show, total) {
            bar.set_length(total);
        }
        let template = match total {
            Some(_) => "{msg:12} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{msg:12} {spinner} {bytes} {bytes_per_sec}",
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the template is a constant"));
        bar.set_message(name.to_string());
        let now = Instant::now();
        Self(Arc::new(Inner {
            name: name.into(),
            show,
            bar,
            started: now,
            last: Mutex::new(now),
            over: AtomicBool::new(false),
        }))
    }

    /// Counts bytes.
    pub fn add(&self, bytes: u64) {
        let inner = &self.0;
        inner.bar.inc(bytes);
        if inner.show == Show::Plain {
            let mut last = inner.last.lock().expect("nobody panics while holding it");
            if last.elapsed() >= EVERY {
                *last = Instant::now();
                inner.line("");
            }
        }
    }

    /// Ends the phase; once.
    pub fn end(&self) {
        if self.0.over.swap(true, Ordering::Relaxed) {
            return;
        }
        self.0.bar.finish_and_clear();
        if self.0.show == Show::Plain {
            self.0.line(", done");
        }
    }
}

impl Inner {
    fn line(&self, suffix: &str) {
        let done = self.bar.position();
        let rate = done as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let total = self.bar.length().map(|total| format!(" of {}", HumanBytes(total))).unwrap_or_default();
        // Where stderr is closed there is nobody left to tell.
        let _ =
            writeln!(io::stderr(), "{}: {}{total}, {}/s{suffix}", self.name, HumanBytes(done), HumanBytes(rate as u64));
    }
}

/// A reader or writer that counts what passes, and stops when Ctrl-C was pressed.
pub struct Counted<T> {
    inner: T,
    phase: Phase,
}

impl<T> Counted<T> {
    /// Counts what passes through `inner`.
    pub fn new(inner: T, phase: Phase) -> Self {
        Self { inner, phase }
    }

    /// Gives what is inside.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<B: Blocks> Blocks for Counted<B> {
    fn root(&self) -> Cid {
        self.inner.root()
    }

    fn read(&mut self, cid: &Cid, data: &mut Vec<u8>) -> Result<(), car::Error> {
        interrupted()?;
        self.inner.read(cid, data)?;
        self.phase.add(data.len() as u64);
        Ok(())
    }

    fn verifies(&self) -> bool {
        self.inner.verifies()
    }

    fn size_of(&mut self, cid: &Cid) -> Option<u64> {
        self.inner.size_of(cid)
    }

    fn stands_at(&mut self, cid: &Cid, places: &[car::Place]) {
        self.inner.stands_at(cid, places);
    }

    fn place_of(&self, cid: &Cid) -> Option<car::Place> {
        self.inner.place_of(cid)
    }

    fn announce(&mut self, file: &Cid, bytes: std::ops::Range<u64>) {
        self.inner.announce(file, bytes);
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        interrupted()?;
        let read = self.inner.read(buffer)?;
        self.phase.add(read as u64);
        Ok(read)
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        interrupted()?;
        let written = self.inner.write(buffer)?;
        self.phase.add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Seek> Seek for Counted<T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
