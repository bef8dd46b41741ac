//! Chunks on several threads, their nodes in order.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::Commitment;
use crate::backend::Kernel;
use crate::chunk::{CHUNK, CHUNK_HEIGHT, chunk_nodes};

/// A chunk's nodes and their height.
type Nodes = (u8, Vec<Commitment>);

/// A chunk by its number, its bytes given back, and its nodes or the panic of the thread.
type Done = (usize, Vec<u8>, Result<Vec<Commitment>, Box<dyn Any + Send>>);

/// Threads that hash chunks. At most two chunks for each are under way.
pub(crate) struct Workers {
    /// None only while dropping: that ends the threads.
    jobs: Option<Sender<(usize, Vec<u8>)>>,
    done: Receiver<Done>,
    threads: Vec<JoinHandle<()>>,
    spare: Vec<Vec<u8>>,
    under_way: usize,
    /// Chunks from the next one in order: the nodes of those that are ready.
    results: VecDeque<Option<Vec<Commitment>>>,
    /// Number of the first chunk in `results`.
    first: usize,
    height: u8,
}

impl Workers {
    /// Starts so many threads, or fewer when the system gives no more; with none the caller does it all.
    pub fn start(count: usize, kernel: Kernel, level: u8) -> Workers {
        let (jobs, todo) = channel::<(usize, Vec<u8>)>();
        let (report, done) = channel();
        let todo = Arc::new(Mutex::new(todo));
        let threads = (0..count).map_while(|_| {
            let (todo, report) = (todo.clone(), report.clone());
            let work = move || {
                // The lock is held while waiting, not while working.
                while let Ok((number, chunk)) = { todo.lock().unwrap_or_else(PoisonError::into_inner).recv() } {
                    let nodes = catch_unwind(AssertUnwindSafe(|| chunk_nodes(kernel, &chunk, level)));
                    if report.send((number, chunk, nodes)).is_err() {
                        break;
                    }
                }
            };
            thread::Builder::new().name("commp".into()).spawn(work).ok()
        });
        let threads: Vec<_> = threads.collect();
        Workers {
            jobs: Some(jobs),
            done,
            threads,
            spare: Vec::new(),
            under_way: 0,
            results: VecDeque::new(),
            first: 0,
            height: level.min(CHUNK_HEIGHT),
        }
    }

    /// Gives a buffer to fill, unless enough is under way.
    pub fn spare(&mut self) -> Option<Vec<u8>> {
        self.receive(false);
        (self.under_way < 2 * self.threads.len()).then(|| self.spare.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK)))
    }

    /// Hands out the next chunk.
    pub fn send(&mut self, chunk: Vec<u8>) {
        let number = self.first + self.results.len();
        self.results.push_back(None);
        self.under_way += 1;
        let jobs = self.jobs.as_ref().expect("only dropping takes it");
        jobs.send((number, chunk)).expect("`done` lives, so the threads go on taking jobs");
    }

    /// Notes the nodes of the next chunk, which the caller hashed.
    pub fn record(&mut self, nodes: Vec<Commitment>) {
        self.results.push_back(Some(nodes));
    }

    /// Gives the nodes of the next chunk in order. Unless it shall wait, none may mean not yet.
    pub fn next(&mut self, wait: bool) -> Option<Nodes> {
        self.receive(false);
        while wait && matches!(self.results.front(), Some(None)) {
            self.receive(true);
        }
        let nodes = self.results.pop_front_if(|first| first.is_some())??;
        self.first += 1;
        Some((self.height, nodes))
    }

    /// Takes what the threads report; waits for one report if it shall.
    fn receive(&mut self, wait: bool) {
        let mut report = if wait { self.done.recv().ok() } else { self.done.try_recv().ok() };
        while let Some((number, chunk, nodes)) = report {
            self.under_way -= 1;
            self.spare.push(chunk);
            self.results[number - self.first] = Some(nodes.unwrap_or_else(|panic| resume_unwind(panic)));
            report = self.done.try_recv().ok();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // Its panic, if there was one, has been reported as a result.
            let _ = thread.join();
        }
    }
}

/// Hashes whole chunks where they lie, on so many threads, one of them the caller's, which first does something else. Gives
/// their nodes in order.
pub(crate) fn scatter(chunks: &[u8], threads: usize, kernel: Kernel, level: u8, first: impl FnOnce()) -> Vec<Nodes> {
    let next = AtomicUsize::new(0);
    let chunks: Vec<&[u8]> = chunks.chunks_exact(CHUNK).collect();
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = chunks.get(number) else { break done };
            done.push((number, chunk_nodes(kernel, chunk, level)));
        }
    };
    let mut nodes = thread::scope(|scope| {
        let start = |_| thread::Builder::new().name("commp".into()).spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).map_while(start).collect();
        first();
        let mut nodes = work();
        for other in others {
            nodes.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        nodes
    });
    nodes.sort_unstable_by_key(|(number, _)| *number);
    nodes.into_iter().map(|(_, nodes)| (level.min(CHUNK_HEIGHT), nodes)).collect()
}
