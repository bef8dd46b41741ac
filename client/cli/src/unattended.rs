//! Work that may take for ever: what is typed, what comes through a pipe, or goes into one.

use std::io::{self, Read};

use anyhow::Context as _;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// Secrets are shorter than this. What grows leaves copies behind, so there is room for one from the start.
const SECRET: u64 = 1 << 20;

/// Does something in a thread that nobody has to wait for: who is asked to end meanwhile ends, and the thread with the process.
///
/// What is to be cleaned up stays with the caller, not in the thread.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    let (done, result) = oneshot::channel();
    // Who does not wait any more has dropped the other end.
    std::thread::Builder::new().spawn(move || drop(done.send(work())))?;
    result.await.context("a thread broke off")?
}

/// Reads stdin to its end, or so many bytes of it.
pub async fn stdin(most: u64) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    run(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(most.min(SECRET) as usize + 1));
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_it_comes_to_is_told_and_what_breaks_off_too() {
        assert_eq!(run(|| Ok(7)).await.unwrap(), 7);
        assert_eq!(run::<()>(|| anyhow::bail!("no")).await.unwrap_err().to_string(), "no");
        assert!(run::<()>(|| panic!("as it was asked to")).await.is_err());
    }

    #[tokio::test]
    async fn nobody_has_to_wait() {
        let (_held, never) = std::sync::mpsc::channel::<()>();
        let work = run(move || Ok(never.recv()));
        assert!(tokio::time::timeout(std::time::Duration::from_millis(10), work).await.is_err());
    }
}
