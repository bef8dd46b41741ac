//! How a commitment is to be computed.

use crate::backend::{Backend, Kernel};
use crate::merkle::MAX_HEIGHT;
use crate::{CommP, Error, PaddedPieceSize, PieceInfo, Tree, height_of};

/// Threads, backend and what is kept of the tree.
#[derive(Debug, Clone, Copy)]
pub struct Engine {
    pub(crate) threads: usize,
    pub(crate) kernel: Option<Kernel>,
    /// Height of the nodes kept; above every piece's root: none.
    pub(crate) keep: u8,
}

impl Engine {
    /// One thread, the fastest backend, nothing kept but the root.
    pub fn new() -> Self {
        Engine { threads: 1, kernel: None, keep: MAX_HEIGHT + 1 }
    }

    /// Works on so many threads: with one, on the caller's alone. The others start with the second MiB and end with the piece; for
    /// each there are two buffers of 1 MB. A large write is shared out where it lies, among threads that end with the write. WebAssembly
    /// has no threads: there it is always one.
    pub fn threads(self, threads: usize) -> Self {
        let threads = if cfg!(target_family = "wasm") { 1 } else { threads.max(1) };
        Engine { threads, ..self }
    }

    /// Works on as many threads as the machine runs at once.
    pub fn all_cores(self) -> Self {
        self.threads(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Works with this backend. Without a choice, the fastest one: the first piece of 128 KiB (padded) and more measures all that
    /// the CPU runs, in some milliseconds, unless the environment variable `BAUTA_COMMP_BACKEND` names one of them; smaller ones are the
    /// portable backend's.
    ///
    /// Errors: [`Error::Unavailable`] where this CPU cannot run it.
    pub fn backend(self, backend: Backend) -> Result<Self, Error> {
        let kernel = backend.kernel().ok_or(Error::Unavailable(backend))?;
        Ok(Engine { kernel: Some(kernel), ..self })
    }

    /// Keeps the nodes of this size: 32 bytes each. Smaller than 8 KiB is slow: the fused kernels do not stop there.
    ///
    /// Errors: [`Error::BadSize`] unless it is a power of two, 128 bytes to 64 GiB.
    pub fn keep(self, node_size: PaddedPieceSize) -> Result<Self, Error> {
        Ok(Engine { keep: height_of(node_size)?, ..self })
    }

    /// Starts a piece.
    pub fn comm_p(self) -> CommP {
        CommP::with(self)
    }

    /// Gives what a piece of exactly these bytes is.
    ///
    /// Errors: [`Error::TooLarge`] above 64 GiB (padded).
    pub fn piece_of(self, payload: &[u8]) -> Result<PieceInfo, Error> {
        let mut comm_p = self.comm_p();
        comm_p.update(payload)?;
        Ok(comm_p.finish())
    }

    /// Gives the kept nodes of a piece of exactly these bytes.
    ///
    /// Errors: [`Error::TooLarge`] above 64 GiB (padded).
    pub fn tree_of(self, payload: &[u8]) -> Result<Tree, Error> {
        let mut comm_p = self.comm_p();
        comm_p.update(payload)?;
        Ok(comm_p.finish_tree())
    }
}

impl Default for Engine {
    fn default() -> Self {
        Engine::new()
    }
}
