//! The chain's own thread: carries out what others ask of the chain, and lets time pass.
//!
//! On demand: whatever was asked, afterwards waiting messages get a tipset, a tipset with messages gets a child (so that
//! what came of them can be seen), and time runs on while somebody with duties says that it is awaited. With an interval:
//! a tipset every so often, empty or not.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::oneshot;

use crate::chain::Chain;

/// The FVM needs 64 MiB at least.
const STACK: usize = 128 << 20;
/// So many tipsets in a row may follow from one request; more means that somebody awaits what never comes.
const MAX_ROUNDS: usize = 10_000;

type Job = Box<dyn FnOnce(&mut Chain) + Send>;

enum Order {
    Run(Job),
    Wake,
    Stop,
}

/// Runs something on a thread whose stack is large enough for the FVM, and waits for it.
pub fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        match thread.expect("the system gives a thread").join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Tells the chain's thread to look whether time is awaited.
#[derive(Clone)]
pub struct Waker(mpsc::Sender<Order>);

impl Waker {
    /// Never waits; does nothing when the chain has stopped.
    pub fn wake(&self) {
        let _ = self.0.send(Order::Wake);
    }
}

/// The chain did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// It has ended.
    #[error("the devnet has stopped")]
    Ended,
    /// What was asked of it panicked, which is a defect, or the disk takes no more; the chain is as it was.
    #[error("the devnet failed inside; its log says where")]
    Panicked,
}

/// Asks the chain's thread; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    orders: mpsc::Sender<Order>,
    stop: Arc<AtomicBool>,
    on_demand: bool,
}

impl Handle {
    /// Runs something on the chain and gives its result. What it makes possible has happened when this returns: on demand,
    /// messages it pushed are in tipsets.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Chain) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (reply, result) = oneshot::channel();
        let order = Order::Run(Box::new(move |chain| {
            let value = job(chain);
            match chain.store().sync() {
                // Whoever asked may have gone away.
                Ok(()) => drop(reply.send(value)),
                Err(e) => tracing::error!("what was done cannot be kept: {e}"),
            }
        }));
        self.orders.send(order).map_err(|_| Stopped::Ended)?;
        result.await.map_err(|_| match self.orders.send(Order::Wake) {
            Ok(()) => Stopped::Panicked,
            Err(_) => Stopped::Ended,
        })
    }

    /// Runs something that makes tipsets necessary, such as pushing a message.
    pub async fn run_and_settle<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Chain) -> T + Send + 'static,
    ) -> Result<(T, Result<()>), Stopped> {
        let on_demand = self.on_demand;
        self.run(move |chain| {
            let value = job(chain);
            let settled = if on_demand { settle(chain) } else { Ok(()) };
            (value, settled)
        })
        .await
    }

    /// True if time passes only when something asks for it.
    pub fn is_on_demand(&self) -> bool {
        self.on_demand
    }

    /// Wakes the chain's thread.
    pub fn waker(&self) -> Waker {
        Waker(self.orders.clone())
    }
}

/// The thread; stops and waits for it when dropped.
pub(crate) struct Clock {
    pub handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Clock {
    /// Starts the thread with a chain that `open` opens on it; an interval of `None` is on demand.
    pub fn start(
        open: impl FnOnce(&Handle) -> Result<Chain> + Send + 'static,
        interval: Option<Duration>,
    ) -> Result<Self> {
        let (orders, inbox) = mpsc::channel();
        let handle = Handle { orders, stop: Arc::default(), on_demand: interval.is_none() };
        let (ready, opened) = mpsc::channel();
        let own = handle.clone();
        let thread = std::thread::Builder::new().name("chain".into()).stack_size(STACK).spawn(move || {
            match open(&own) {
                Ok(mut chain) => {
                    chain.stop = own.stop.clone();
                    chain.be_synced_by_others();
                    drop(own);
                    let _ = ready.send(Ok(()));
                    drop(ready);
                    tick(&mut chain, &inbox, interval);
                }
                Err(e) => {
                    let _ = ready.send(Err(e));
                }
            };
        })?;
        let clock = Self { handle, thread: Some(thread) };
        opened.recv().context("the chain's thread ended while opening the chain")??;
        Ok(clock)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.handle.stop.store(true, Ordering::Relaxed);
        let _ = self.handle.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn tick(chain: &mut Chain, inbox: &mpsc::Receiver<Order>, interval: Option<Duration>) {
    let mut next = interval.map(|interval| Instant::now() + interval);
    if interval.is_none() && !chain.is_compiling() {
        // What waited when the chain was closed, or must be done at its beginning.
        guarded(chain, |chain| lasting(chain, settle));
    }
    loop {
        if let (Some(interval), Some(due)) = (interval, next)
            && due <= Instant::now()
        {
            guarded(chain, |chain| lasting(chain, Chain::mine_one));
            // After long work the missed tipsets are not made up for.
            next = Some((due + interval).max(Instant::now()));
        }
        let order = match next {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match order {
            Ok(Order::Run(job)) => guarded(chain, job),
            // Whoever compiles wakes us in the end.
            Ok(Order::Wake) if interval.is_none() && !chain.is_compiling() => {
                guarded(chain, |chain| lasting(chain, settle));
            }
            Ok(Order::Wake) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Does something; if it panics, everything that it left half done is forgotten, and the chain goes on.
fn guarded(chain: &mut Chain, job: impl FnOnce(&mut Chain)) {
    if std::panic::catch_unwind(AssertUnwindSafe(|| job(chain))).is_err() {
        tracing::error!(
            "something that was asked of the chain panicked, which is a defect; what was not written yet is forgotten"
        );
        chain.store.discard();
    }
}

/// Does what nobody waits for, and sees to it that it is on the disk.
fn lasting(chain: &mut Chain, work: impl FnOnce(&mut Chain) -> Result<()>) {
    note(work(chain));
    note(chain.store().sync().map_err(Into::into));
}

fn note(done: Result<()>) {
    if let Err(e) = done {
        tracing::error!("{e:#}");
    }
}

/// Lets on-demand time pass until nothing is left to do.
pub(crate) fn settle(chain: &mut Chain) -> Result<()> {
    for _ in 0..MAX_ROUNDS {
        if chain.has_runnable()? || !chain.head().messages.is_empty() {
            chain.mine_one()?;
            continue;
        }
        let Some(awaited) = chain.awaited()? else { return Ok(()) };
        let ahead = u64::try_from(awaited - chain.epoch()).context("an awaited epoch has passed")?;
        chain.mine(ahead)?;
    }
    anyhow::bail!("time was awaited for {MAX_ROUNDS} tipsets in a row")
}
