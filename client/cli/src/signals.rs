//! The ways to ask a program to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// From when it is made, what asks this process to end does not kill it, but is heard here.
pub struct Ends {
    interrupts: Signal,
    others: Option<(Signal, Option<Signal>)>,
}

impl Ends {
    /// All of them: Ctrl-C, SIGTERM, and the terminal's end. Who runs a program by `nohup` does not want that one to end it.
    pub fn all() -> io::Result<Self> {
        let hangups = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { others: Some((signal(SignalKind::terminate())?, hangups)), ..Self::interrupts()? })
    }

    /// Ctrl-C alone.
    pub fn interrupts() -> io::Result<Self> {
        Ok(Self { interrupts: signal(SignalKind::interrupt())?, others: None })
    }

    /// Waits for any of them.
    pub async fn next(&mut self) {
        let Some((terminations, hangups)) = &mut self.others else {
            self.interrupts.recv().await;
            return;
        };
        let hangup = async {
            match hangups {
                Some(hangups) => hangups.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupts.recv() => {}
            _ = terminations.recv() => {}
            _ = hangup => {}
        }
    }
}

/// As the system tells of this process; no where it does not.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}
