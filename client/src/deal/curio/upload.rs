//! Handing bytes to a provider: in one request, or in chunks that are asked for again where they did not arrive.

use std::io::SeekFrom;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

use super::super::mk20::{MAX_CHUNK, MAX_REQUEST, MIN_CHUNK, StartUpload, UploadStatus, chunk_count, chunk_of};
use super::super::retrieval::counted;
use super::super::{DealCode, DealError, DealId, DealState, Progress, StorageProvider};
use super::Curio;

/// How much of a file is read at once.
const BUFFER: usize = 256 << 10;
/// Chunks of one file that are wanted at most: more of them are larger ones.
const WANTED_CHUNKS: u64 = 1024;
const OCTETS: &str = "application/octet-stream";

/// How bytes go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploads {
    /// Files of up to so many bytes go in one request.
    pub serial: u64,
    /// Smallest chunk, in bytes: a power of two.
    pub chunk: u64,
    /// Chunks that are on their way at the same time.
    pub parallel: usize,
    /// How often one request is tried again, each time after a longer pause, before the upload is given up; the same call goes on there.
    pub attempts: u32,
    /// The first of these pauses; each further one is twice as long, up to 30 seconds.
    pub pause: Duration,
    /// After so long in which nothing more went out, and no answer came, a request is given up. However slow a line is, it goes on.
    pub stall: Duration,
}

impl Default for Uploads {
    fn default() -> Self {
        let (pause, stall) = (Duration::from_millis(250), Duration::from_secs(300));
        Self { serial: MIN_CHUNK, chunk: MIN_CHUNK, parallel: 4, attempts: 5, pause, stall }
    }
}

impl Uploads {
    /// The size of a chunk of a file of `size` bytes.
    pub fn chunk_size(&self, size: u64) -> u64 {
        let mut chunk = self.chunk.next_power_of_two();
        while chunk < MAX_CHUNK && chunk_count(size, chunk) > WANTED_CHUNKS {
            chunk *= 2;
        }
        chunk
    }
}

/// Which chunks a provider lacks.
enum Begun {
    /// These, of this size.
    Chunks(u64, UploadStatus),
    /// The bytes came in one request, or are complete.
    Otherwise,
}

impl Curio {
    /// Uploads a file, or what of it did not arrive yet, and says that it is complete.
    pub(super) async fn hand_over(&self, id: DealId, file: &Path, progress: Option<Progress>) -> Result<(), DealError> {
        let size = tokio::fs::metadata(file).await?.len();
        if size <= self.uploads.serial.min(MAX_REQUEST) {
            return self.serial(id, file, size, progress).await;
        }
        // A provider of before chunks, or one whose upload was begun in one request.
        match self.begun(id, size).await? {
            Begun::Chunks(chunk, status) => self.chunked(id, file, size, chunk, status, progress).await,
            Begun::Otherwise => self.serial(id, file, size, progress).await,
        }
    }

    /// One request for the bytes, one to finish.
    async fn serial(&self, id: DealId, file: &Path, size: u64, progress: Option<Progress>) -> Result<(), DealError> {
        let path = format!("/upload/{id}");
        let sent = self.patiently(|| async { self.send(&path, file, 0..size, progress.clone()).await }).await;
        match sent {
            // The bytes are there already, and only the end was not said.
            Ok(()) | Err(DealError::Refused { code: DealCode::NotFound, .. }) => self.finish(id, &path).await,
            Err(error) => Err(error),
        }
    }

    /// Asks which chunks are there; begins the upload where nothing is.
    async fn begun(&self, id: DealId, size: u64) -> Result<Begun, DealError> {
        let path = format!("/uploads/{id}");
        let chunk = self.uploads.chunk_size(size);
        self.patiently(|| async {
            match self.upload_status(id).await {
                Ok(status) => return self.fitting(status, size),
                // 425: it was not begun.
                Err(DealError::Refused { code: DealCode::ProductInvalid, .. }) => {}
                Err(DealError::Refused { code: DealCode::NotFound, .. }) => return Ok(Begun::Otherwise),
                Err(error) => return Err(error),
            }
            match self.answer(self.signed(Method::POST, &path).json(&StartUpload::new(size, chunk))).await {
                // Somebody else has begun it since: 409, or 404 a moment later.
                Ok(_) | Err(DealError::Refused { code: DealCode::AlreadyUploaded | DealCode::NotFound, .. }) => {}
                Err(error) => return Err(error),
            }
            self.fitting(self.upload_status(id).await?, size)
        })
        .await
    }

    /// Asks which chunks of an upload are there.
    ///
    /// Errors: [`DealError::Refused`] with 425 where no upload was begun, 404 where none is awaited.
    pub async fn upload_status(&self, id: DealId) -> Result<UploadStatus, DealError> {
        let answer = self.answer(self.signed(Method::GET, &format!("/uploads/{id}"))).await?;
        self.parsed(&answer)
    }

    fn fitting(&self, status: UploadStatus, size: u64) -> Result<Begun, DealError> {
        match status.chunk_size(size) {
            Some(chunk) => Ok(Begun::Chunks(chunk, status)),
            None => Err(self.malformed(format!("{} chunks are not those of {size} bytes", status.total_chunks))),
        }
    }

    async fn chunked(
        &self,
        id: DealId,
        file: &Path,
        size: u64,
        chunk: u64,
        mut status: UploadStatus,
        progress: Option<Progress>,
    ) -> Result<(), DealError> {
        // What was finished once needs no second look, unless the provider has lost something in between.
        for _ in 0..=self.uploads.attempts {
            let there: u64 = status.uploaded_chunks.iter().map(|number| length(&chunk_of(size, chunk, *number))).sum();
            let tally = Tally { arrived: AtomicU64::new(there), progress: progress.clone() };
            tally.tell(0);
            let missing: Vec<_> = status
                .missing_chunks
                .iter()
                .map(|number| {
                    let sent = self.chunk(id, file, size, chunk, *number, &tally);
                    sent.map(|sent| sent.map_err(|error| (*number, error))).boxed()
                })
                .collect();
            all(missing, self.uploads.parallel.max(1)).await?;
            match self.finish(id, &format!("/uploads/finalize/{id}")).await {
                Err(DealError::Refused { code: DealCode::BadProposal, reason, .. })
                    if reason.contains("not finished") =>
                {
                    status = self.upload_status(id).await?;
                }
                other => return other,
            }
        }
        Err(self.malformed("it loses chunks that it has taken".to_string()))
    }

    async fn chunk(
        &self,
        id: DealId,
        file: &Path,
        size: u64,
        chunk: u64,
        number: u64,
        tally: &Tally,
    ) -> Result<(), DealError> {
        let path = format!("/uploads/{id}/{number}");
        let range = chunk_of(size, chunk, number);
        let sent = self.patiently(|| async { self.send(&path, file, range.clone(), None).await }).await;
        match sent {
            // An attempt whose answer was lost, or another process that uploads the same.
            Ok(()) | Err(DealError::Refused { code: DealCode::AlreadyUploaded, .. }) => {
                tally.tell(length(&range));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Puts a part of a file, as long as it moves.
    async fn send(
        &self,
        path: &str,
        file: &Path,
        range: Range<u64>,
        progress: Option<Progress>,
    ) -> Result<(), DealError> {
        let (moved, size) = (Moved::now(), length(&range));
        let body = part(file, range, progress, moved.clone()).await?;
        let request = self.signed_by(&self.sending, Method::PUT, path);
        let request = request.header(CONTENT_TYPE, OCTETS).header(CONTENT_LENGTH, size).body(body);
        let sending = self.answer(request);
        tokio::pin!(sending);
        loop {
            let patience = moved.last() + self.uploads.stall;
            tokio::select! {
                sent = &mut sending => return sent.map(drop),
                () = tokio::time::sleep_until(patience) => {}
            }
            if moved.last() + self.uploads.stall <= Instant::now() {
                let why = format!("nothing more went out for {:?}", self.uploads.stall);
                return Err(DealError::Unreachable { provider: self.name(), why });
            }
        }
    }

    /// Says that the bytes are complete. Where the answer is lost, the deal tells whether it was heard.
    async fn finish(&self, id: DealId, path: &str) -> Result<(), DealError> {
        self.patiently(|| async {
            // The signature is over a minute: each request gets its own.
            let error = match self.answer(self.signed(Method::POST, path)).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            match self.status(id).await {
                Ok(Some(status)) if status.state != DealState::Uploading => Ok(()),
                _ => Err(error),
            }
        })
        .await
    }

    /// Tries again what may pass.
    async fn patiently<T, F: Future<Output = Result<T, DealError>>>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, DealError> {
        let mut pause = self.uploads.pause;
        for _ in 0..self.uploads.attempts {
            match attempt().await {
                Err(error) if error.is_passing() => {
                    tracing::debug!(%error, "again in {pause:?}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(30));
                }
                other => return other,
            }
        }
        attempt().await
    }
}

/// When bytes last went out.
#[derive(Clone)]
struct Moved(Arc<Mutex<Instant>>);

impl Moved {
    fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn touch(&self) {
        *self.0.lock().expect("nobody panics with it") = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().expect("nobody panics with it")
    }
}

/// Counts what has arrived.
struct Tally {
    arrived: AtomicU64,
    progress: Option<Progress>,
}

impl Tally {
    fn tell(&self, more: u64) {
        let arrived = self.arrived.fetch_add(more, Ordering::Relaxed) + more;
        if let Some(progress) = &self.progress {
            progress(arrived);
        }
    }
}

/// Sends chunks, so many at a time. After the first error no further one is begun, but what is under way comes to its end.
///
/// Errors: one that does not pass before one that does, then that of the lowest number: whichever came first.
async fn all(chunks: Vec<impl Future<Output = Result<(), (u64, DealError)>>>, at_once: usize) -> Result<(), DealError> {
    let mut chunks = chunks.into_iter();
    let mut running: FuturesUnordered<_> = chunks.by_ref().take(at_once).collect();
    let mut errors = Vec::new();
    while let Some(sent) = running.next().await {
        errors.extend(sent.err());
        if errors.is_empty() {
            running.extend(chunks.next());
        }
    }
    match errors.into_iter().min_by_key(|(number, error)| (error.is_passing(), *number)) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}

/// A part of a file as a request's body, read as it goes.
async fn part(file: &Path, range: Range<u64>, progress: Option<Progress>, moved: Moved) -> Result<Body, DealError> {
    let mut source = tokio::fs::File::open(file).await?;
    source.set_max_buf_size(BUFFER);
    source.seek(SeekFrom::Start(range.start)).await?;
    let reader = ReaderStream::with_capacity(source.take(length(&range)), BUFFER);
    let reader = reader.inspect(move |_| moved.touch());
    Ok(Body::wrap_stream(counted(reader, progress)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails when the others have had so many turns.
    async fn failing(number: u64, turns: usize, is_passing: bool) -> Result<(), (u64, DealError)> {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        let (provider, why) = ("a provider".to_string(), number.to_string());
        Err((
            number,
            if is_passing { DealError::Unreachable { provider, why } } else { DealError::Failed { provider, why } },
        ))
    }

    #[tokio::test]
    async fn whichever_chunk_fails_first_the_same_error_is_told() {
        for turns in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
            let chunks = |lasting: &'static [u64]| {
                (0..4u64)
                    .map(move |number| failing(number, turns[number as usize], !lasting.contains(&number)))
                    .collect()
            };
            let told = async |chunks: Vec<_>, at_once| all(chunks, at_once).await.unwrap_err().to_string();
            assert!(told(chunks(&[]), 4).await.contains(": 0"), "the lowest number");
            assert!(told(chunks(&[3, 2]), 4).await.contains(": 2"), "what does not pass");
            assert!(told(chunks(&[3]), 3).await.contains(": 0"), "after an error none is begun");
        }
        assert!(all(Vec::<std::future::Ready<_>>::new(), 4).await.is_ok());
    }
}
