//! Progress on stderr, and the flag that Ctrl-C raises for work that runs in threads.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use bauta_client::address::Address;
use bauta_client::car::{self, Blocks};
use bauta_client::network::Network;
use cid::Cid;
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

use crate::args::ProgressMode;
use crate::exit::{Exit, Failure};

/// Which of the two came first, an interruption or a result that takes its place: what came second gives way.
static STAGE: AtomicU8 = AtomicU8::new(0);
/// Raised by Ctrl-C; seen by every read and write of a long piece of work.
const INTERRUPTED: u8 = 1;
/// Raised by a result that takes its place.
const PUBLISHED: u8 = 2;
/// How often a plain line is written.
const EVERY: Duration = Duration::from_secs(2);

/// All bars of this process, under each other.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Does something that writes to stderr while the bars stand aside.
pub fn aside<T>(write: impl FnOnce() -> T) -> T {
    BARS.suspend(write)
}

/// Tells threads to stop and gives the error that the command ends with.
pub fn interrupt() -> anyhow::Error {
    STAGE.fetch_or(INTERRUPTED, Ordering::SeqCst);
    Failure::because(Exit::Interrupted, "interrupted")
}

/// An error where Ctrl-C was pressed.
pub fn interrupted() -> io::Result<()> {
    if STAGE.load(Ordering::SeqCst) & INTERRUPTED == 0 { Ok(()) } else { Err(io::Error::other("interrupted")) }
}

/// Says that a result takes its place from here on; an error where Ctrl-C was pressed before.
pub fn publish() -> io::Result<()> {
    STAGE.fetch_or(PUBLISHED, Ordering::SeqCst);
    interrupted()
}

/// Whether a result takes its place, or has.
pub fn is_published() -> bool {
    STAGE.load(Ordering::SeqCst) & PUBLISHED != 0
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
            (Show::Bar, Some(total)) => BARS.add(ProgressBar::new(total)),
            (Show::Bar, None) => BARS.add(ProgressBar::new_spinner()),
            _ => ProgressBar::hidden(),
        };
        if let (Show::Plain, Some(total)) = (show, total) {
            bar.set_length(total);
        }
        bar.set_style(style(total));
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

    /// Says how far it is, and of how much where that is known by now.
    pub fn reach(&self, done: u64, total: Option<u64>) {
        let bar = &self.0.bar;
        if let Some(total) = total.filter(|total| bar.length() != Some(*total)) {
            bar.set_length(total);
            bar.set_style(style(Some(total)));
        }
        self.add(done.saturating_sub(bar.position()));
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

impl Phase {
    /// Ends a phase that did not come to its end.
    fn abandon(&self) {
        if !self.0.over.swap(true, Ordering::Relaxed) {
            self.0.bar.finish_and_clear();
        }
    }
}

fn style(total: Option<u64>) -> ProgressStyle {
    let template = match total {
        Some(_) => "{msg:12} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        None => "{msg:12} {spinner} {bytes} {bytes_per_sec}",
    };
    ProgressStyle::with_template(template).expect("the template is a constant")
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

/// Uploads to several providers at once, a phase each.
pub struct Uploads {
    show: Show,
    network: Network,
    phases: Mutex<BTreeMap<Address, (Phase, u64)>>,
}

impl Uploads {
    /// None yet.
    pub fn new(show: Show, network: &Network) -> Self {
        Self { show, network: network.clone(), phases: Mutex::default() }
    }

    /// So many bytes have gone to a provider.
    pub fn sent(&self, provider: &Address, bytes: u64, of: u64) {
        let mut phases = self.phases.lock().expect("nobody panics while holding it");
        let begin = || (Phase::begin(self.show, &format!("to {}", self.network.show(provider)), Some(of)), 0);
        let (phase, before) = phases.entry(*provider).or_insert_with(begin);
        phase.add(bytes.saturating_sub(*before));
        *before = bytes;
        if bytes >= of {
            phase.end();
        }
    }

    /// An upload broke off.
    pub fn failed(&self, provider: &Address) {
        if let Some((phase, _)) = self.phases.lock().expect("nobody panics while holding it").remove(provider) {
            phase.abandon();
        }
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
