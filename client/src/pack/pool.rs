//! Threads that share out small pieces of work. The caller helps whenever it has nothing better to do, and does all of it where
//! there are no threads.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Work of one kind, done by anybody.
pub(super) trait Job: Send + 'static {
    /// What comes out.
    type Done: Send + 'static;

    /// Does it.
    fn run(self) -> Self::Done;

    /// When it is to be done.
    fn turn(&self) -> Turn;
}

/// What is done first, where there is a choice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Takes long, and others wait for it: threads begin with such, the caller leaves them to the threads.
    Long,
    /// Others wait for it.
    Early,
    /// Nobody waits for it: what is left to do while something long is under way.
    Late,
}

/// The work to be done.
struct Queue<J> {
    long: VecDeque<J>,
    early: VecDeque<J>,
    late: VecDeque<J>,
    closed: bool,
}

impl<J> Queue<J> {
    fn short(&mut self) -> Option<J> {
        self.early.pop_front().or_else(|| self.late.pop_front())
    }
}

struct Shared<J> {
    queue: Mutex<Queue<J>>,
    more: Condvar,
}

impl<J> Shared<J> {
    fn lock(&self) -> MutexGuard<'_, Queue<J>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came out, or the panic of the thread.
type Outcome<D> = Result<D, Box<dyn Any + Send>>;

/// More threads than this have nothing to do: there are only so many buffers.
const MAX_THREADS: usize = 32;

/// The threads: as many as the machine runs at once, less the caller's. They start with the second job under way.
pub(super) struct Pool<J: Job> {
    shared: Arc<Shared<J>>,
    report: Sender<Outcome<J::Done>>,
    done: Receiver<Outcome<J::Done>>,
    threads: Vec<JoinHandle<()>>,
    started: bool,
    under_way: usize,
}

impl<J: Job> Pool<J> {
    pub fn new() -> Self {
        let queue =
            Mutex::new(Queue { long: VecDeque::new(), early: VecDeque::new(), late: VecDeque::new(), closed: false });
        let (report, done) = channel();
        let shared = Arc::new(Shared { queue, more: Condvar::new() });
        Pool { shared, report, done, threads: Vec::new(), started: false, under_way: 0 }
    }

    /// Hands out a job.
    pub fn submit(&mut self, job: J) {
        self.under_way += 1;
        if self.under_way > 1 && !self.started {
            self.start();
        }
        let mut queue = self.shared.lock();
        match job.turn() {
            Turn::Long => queue.long.push_back(job),
            Turn::Early => queue.early.push_back(job),
            Turn::Late => queue.late.push_back(job),
        }
        drop(queue);
        self.shared.more.notify_one();
    }

    /// Takes an outcome if there is one; none means not yet.
    pub fn take(&mut self) -> Option<J::Done> {
        self.done.try_recv().ok().map(|outcome| self.received(outcome))
    }

    /// Gives an outcome: of a short job that the caller does meanwhile, or of one that it waits for. Long jobs are the
    /// threads', if there are any: the caller is needed in between. `None` when nothing is under way.
    pub fn wait(&mut self) -> Option<J::Done> {
        if self.under_way == 0 {
            return None;
        }
        let mut queue = self.shared.lock();
        let mut job = queue.short();
        if job.is_none() && self.threads.is_empty() {
            job = queue.long.pop_front();
        }
        drop(queue);
        if let Some(job) = job {
            self.under_way -= 1;
            return Some(job.run());
        }
        let outcome = self.done.recv().expect("the pool holds a sender itself");
        Some(self.received(outcome))
    }

    fn received(&mut self, outcome: Outcome<J::Done>) -> J::Done {
        self.under_way -= 1;
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Starts the threads, or fewer when the system gives no more: WebAssembly gives none.
    fn start(&mut self) {
        self.started = true;
        let count = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS) - 1;
        self.threads = (0..count)
            .map_while(|_| {
                let (shared, report) = (self.shared.clone(), self.report.clone());
                thread::Builder::new().name("pack".into()).spawn(move || work(&shared, &report)).ok()
            })
            .collect();
    }
}

fn work<J: Job>(shared: &Shared<J>, report: &Sender<Outcome<J::Done>>) {
    loop {
        let job = {
            let mut queue = shared.lock();
            loop {
                match queue.long.pop_front().or_else(|| queue.short()) {
                    Some(job) => break job,
                    None if queue.closed => return,
                    None => queue = shared.more.wait(queue).unwrap_or_else(PoisonError::into_inner),
                }
            }
        };
        if report.send(catch_unwind(AssertUnwindSafe(|| job.run()))).is_err() {
            return;
        }
    }
}

impl<J: Job> Drop for Pool<J> {
    /// What was not begun is dropped, what was begun is waited for.
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.long.clear();
        queue.early.clear();
        queue.late.clear();
        drop(queue);
        self.shared.more.notify_all();
        for thread in self.threads.drain(..) {
            // Its panic, if there was one, has been reported as an outcome.
            let _ = thread.join();
        }
    }
}
