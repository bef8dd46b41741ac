//! What runs beside a test: it is waited for, read from and ended, but never for ever.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::PATIENCE;

/// Waits until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Interrupts a process, as Ctrl-C does, and gives its exit code; -1 where a signal has killed it.
pub fn interrupt(child: &mut Child) -> i32 {
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    ended(child)
}

/// Waits for the end of a process and gives its exit code; -1 where a signal has killed it. One that does not end is killed.
pub fn ended(child: &mut Child) -> i32 {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            // Also called while a test fails already.
            assert!(std::thread::panicking(), "process {} does not end", child.id());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether this process, and so those that it starts, ignore a signal.
pub fn is_ignored(signal: u32) -> bool {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = text.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Waits until an interruption does not kill a process any more: it has a handler for it. Also where it has ended before.
pub fn wait_until_interruptible(child: &mut Child) {
    let status = format!("/proc/{}/status", child.id());
    wait_until("a handler", || {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let caught = text.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
        // SIGINT is the second signal.
        caught.is_some_and(|mask| mask >> 1 & 1 == 1) || child.try_wait().unwrap().is_some()
    });
}

/// Waits until a journal has a line more than when it was first seen, or the process that writes it has ended.
pub fn wait_for_a_checkpoint(child: &mut Child, journal: impl Fn() -> Option<u64>) {
    let (mut first, mut last) = (None, None);
    wait_until("a checkpoint", || {
        let now = journal();
        first = first.or(now);
        // Twice the same: no line is half written.
        let is_there = now > first && now == last;
        last = now;
        is_there || child.try_wait().unwrap().is_some()
    });
}

/// The lines that somebody writes, as they come.
pub struct Lines(Receiver<String>);

impl Lines {
    pub fn of(from: impl Read + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                // Who has enough has dropped the other end; the writer is still read from.
                let _ = sender.send(line);
            }
        });
        Self(lines)
    }
}

impl Lines {
    /// The first line from here on of which something holds.
    pub fn until(&mut self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        let mut found = self.take_while(|_| begun.elapsed() < PATIENCE).filter(|line| holds(line));
        found.next().unwrap_or_else(|| panic!("{what} is not said"))
    }
}

impl Iterator for Lines {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        match self.0.recv_timeout(PATIENCE) {
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("no further line comes"),
            line => line.ok(),
        }
    }
}

/// The document that a process begins with.
pub fn banner_of(child: &mut Child) -> Value {
    let line = Lines::of(child.stdout.take().unwrap()).next().unwrap_or_default();
    serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
}
