//! Getting pieces back: `GET|HEAD {url}/piece/{piece_cid_v2}` with ranges, as Curio and Boost serve them.

use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};

use super::curio::innermost;
use super::sink::{PieceSink, SinkError};
use super::{DealCode, DealError, Progress, Timeouts};
use crate::piece::{PieceInfo, piece_cid_v2};

/// Places that a request may be sent on to.
const MAX_REDIRECTS: usize = 3;

/// Connections that may break during one piece, each after having brought something.
const MAX_BREAKS: u32 = 8;

/// What has to come, in bytes a second: less is no slow line any more, but somebody who holds others up.
const LEAST: u64 = 2 << 10;
/// Silences of the longest kind over which that is counted.
const SILENCES: u32 = 3;

/// How fast an answer comes.
struct Pace {
    over: Duration,
    since: Instant,
    came: u64,
}

impl Pace {
    fn new(idle: Duration) -> Self {
        Self { over: idle * SILENCES, since: Instant::now(), came: 0 }
    }

    /// Counts what came; false once it was too little for too long.
    fn keeps_up(&mut self, bytes: usize) -> bool {
        self.came += bytes as u64;
        let took = self.since.elapsed();
        if took < self.over {
            return true;
        }
        let enough = self.came as f64 >= took.as_secs_f64() * LEAST as f64;
        (self.since, self.came) = (Instant::now(), 0);
        enough
    }
}

/// The path of a piece below a provider's URL.
pub fn piece_path(piece: &PieceInfo) -> String {
    format!("/piece/{}", piece_cid_v2(piece))
}

/// One who serves pieces, by its URL.
pub struct Retrieval {
    url: Url,
    http: Client,
    idle: Duration,
}

/// Whether a URL names a host that only this machine or its network can mean.
fn is_inside(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    match host.trim_matches(['[', ']']).parse().map(|ip: IpAddr| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

impl Retrieval {
    /// Takes a provider's base URL.
    ///
    /// Errors: [`DealError::Malformed`] where that is no http URL.
    pub fn new(url: &str) -> Result<Self, DealError> {
        Self::with_timeouts(url, Timeouts { idle: Duration::from_secs(30), ..Timeouts::default() })
    }

    /// The same, with patience of one's own.
    pub fn with_timeouts(url: &str, timeouts: Timeouts) -> Result<Self, DealError> {
        // A provider may send elsewhere, but not in circles, not from a protected place to an open one, and not into the network that we are in.
        let redirects = redirect::Policy::custom(|attempt| match attempt.previous() {
            before if before.len() > MAX_REDIRECTS => attempt.error("it sends from place to place"),
            [.., last] if last.scheme() == "https" && attempt.url().scheme() != "https" => attempt.stop(),
            [.., last] if is_inside(attempt.url()) && !is_inside(last) => attempt.stop(),
            _ => attempt.follow(),
        });
        let http = Client::builder().connect_timeout(timeouts.connect).read_timeout(timeouts.idle).redirect(redirects);
        let url = base_url(url)?;
        let why = |error: reqwest::Error| DealError::Unreachable { provider: "HTTP".into(), why: innermost(&error) };
        Ok(Self { url, http: http.build().map_err(why)?, idle: timeouts.idle })
    }

    /// Whether the piece is served. Not proven by anything but the answer.
    ///
    /// Errors: [`DealError::Malformed`] where it is served with another size.
    pub async fn has_piece(&self, piece: &PieceInfo) -> Result<bool, DealError> {
        match self.request(Method::HEAD, piece, None).await {
            Ok(response) => {
                let length = response.headers().get(reqwest::header::CONTENT_LENGTH);
                let length: Option<u64> = length.and_then(|l| l.to_str().ok()).and_then(|l| l.parse().ok());
                match length {
                    Some(length) if length != piece.payload_size => {
                        Err(self.malformed(format!("a piece of {} bytes has {length} there", piece.payload_size)))
                    }
                    _ => Ok(true),
                }
            }
            Err(DealError::Refused { code: DealCode::NotFound, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads some bytes of a piece. They are not verified: whoever asks has to check them, as a CAR's blocks can be.
    ///
    /// Errors: [`DealError::Malformed`] where other bytes than these are announced or come; [`DealError::NoRanges`] where all of them would
    /// come; [`DealError::Unreachable`] where the connection ends before; [`DealError::Drips`].
    pub async fn read_range(&self, piece: &PieceInfo, range: Range<u64>) -> Result<Vec<u8>, DealError> {
        let wanted = range.end.saturating_sub(range.start);
        if wanted == 0 {
            return Ok(Vec::new());
        }
        // All of it comes from servers without ranges, too.
        let whole = range == (0..piece.payload_size);
        let asked = (!whole).then_some((range.start, Some(range.end - 1)));
        let mut response = self.request(Method::GET, piece, asked).await?;
        if !whole {
            self.check_range(&response, range.start, Some((range.end, piece.payload_size)))?;
        }
        if response.content_length().is_some_and(|length| length != wanted) {
            let length = response.content_length().unwrap_or_default();
            return Err(self.malformed(format!("{length} bytes are announced instead of {wanted}")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        let mut pace = Pace::new(self.idle);
        while let Some(chunk) = self.next_of(&mut response, &mut pace).await? {
            if bytes.len() as u64 + chunk.len() as u64 > wanted {
                return Err(self.malformed(format!("more than {wanted} bytes come")));
            }
            bytes.extend_from_slice(&chunk);
        }
        if bytes.len() as u64 == wanted {
            Ok(bytes)
        } else {
            Err(self.malformed(format!("{} bytes come instead of {wanted}", bytes.len())))
        }
    }

    /// Fetches a whole piece into a file that appears only once every byte is verified against the piece CID. A connection that breaks on
    /// the way is taken up again.
    ///
    /// Errors: [`DealError::WrongBytes`] where it serves something else; nothing is left behind then.
    pub async fn fetch_piece(
        &self,
        piece: &PieceInfo,
        out: &Path,
        progress: Option<Progress>,
    ) -> Result<(), DealError> {
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut sink = PieceSink::create(folder, piece.payload_size)?;
        let mut breaks = 0;
        loop {
            let before = sink.taken();
            match self.fetch_rest(piece, &mut sink, progress.as_ref()).await {
                Ok(()) => break,
                Err(error @ DealError::Unreachable { .. }) if sink.taken() > before && breaks < MAX_BREAKS => {
                    tracing::debug!(%error, taken = sink.taken(), "going on where the connection broke");
                    breaks += 1;
                }
                Err(error) => return Err(error),
            }
        }
        let received = sink.finish().await.map_err(|error| self.sink_error(error))?;
        let verified =
            received.verify(piece).map_err(|mismatch| DealError::WrongBytes { provider: self.name(), mismatch })?;
        let out = out.to_path_buf();
        tokio::task::spawn_blocking(move || verified.keep(&out)).await.map_err(io::Error::other)??;
        Ok(())
    }

    async fn fetch_rest(
        &self,
        piece: &PieceInfo,
        sink: &mut PieceSink,
        progress: Option<&Progress>,
    ) -> Result<(), DealError> {
        let start = sink.taken();
        if start == piece.payload_size && start > 0 {
            return Ok(());
        }
        let range = (start > 0).then_some((start, None));
        let mut response = self.request(Method::GET, piece, range).await?;
        if start > 0 {
            self.check_range(&response, start, None)?;
        }
        let mut pace = Pace::new(self.idle);
        while let Some(chunk) = self.next_of(&mut response, &mut pace).await? {
            sink.take(chunk).await.map_err(|error| self.sink_error(error))?;
            if let Some(progress) = progress {
                progress(sink.taken());
            }
        }
        Ok(())
    }

    /// The next bytes of an answer.
    async fn next_of(&self, response: &mut Response, pace: &mut Pace) -> Result<Option<Bytes>, DealError> {
        let chunk = response.chunk().await.map_err(|error| self.unreachable(&error))?;
        match &chunk {
            Some(chunk) if !pace.keeps_up(chunk.len()) => Err(DealError::Drips { provider: self.name(), least: LEAST }),
            _ => Ok(chunk),
        }
    }

    async fn request(
        &self,
        method: Method,
        piece: &PieceInfo,
        range: Option<(u64, Option<u64>)>,
    ) -> Result<Response, DealError> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{}", self.url.path().trim_end_matches('/'), piece_path(piece)));
        let mut request = self.http.request(method, url);
        if let Some((from, to)) = range {
            let to = to.map(|to| to.to_string()).unwrap_or_default();
            request = request.header(RANGE, format!("bytes={from}-{to}"));
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let expected = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        if status == expected {
            return Ok(response);
        }
        if status == StatusCode::OK {
            return Err(DealError::NoRanges { provider: self.name() });
        }
        Err(DealError::Refused {
            provider: self.name(),
            code: DealCode::from(status.as_u16()),
            reason: format!("no {} there ({status})", piece_cid_v2(piece)),
        })
    }

    /// Checks that an answer begins where it was asked for and, where `end` and the size are known, goes to just there.
    fn check_range(&self, response: &Response, start: u64, end: Option<(u64, u64)>) -> Result<(), DealError> {
        let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
        let fits = match end {
            None => range.starts_with(&format!("bytes {start}-")),
            Some((end, size)) => {
                let sizes = [size.to_string(), "*".into()];
                let (bytes, of) = range.split_once('/').unwrap_or_default();
                bytes == format!("bytes {start}-{}", end - 1) && sizes.iter().any(|size| size == of)
            }
        };
        if fits {
            Ok(())
        } else {
            Err(self.malformed(format!("bytes from {start} are asked for, and `{range}` comes")))
        }
    }

    /// Who this is, for messages.
    pub(crate) fn name(&self) -> String {
        format!("the provider at {}", self.url.as_str().trim_end_matches('/'))
    }

    fn unreachable(&self, error: &reqwest::Error) -> DealError {
        DealError::Unreachable { provider: self.name(), why: innermost(error) }
    }

    fn malformed(&self, why: String) -> DealError {
        DealError::Malformed { provider: self.name(), why }
    }

    fn sink_error(&self, error: SinkError) -> DealError {
        match error {
            SinkError::TooLong(limit) => self.malformed(format!("more bytes come than the {limit} that the piece has")),
            SinkError::Disk(error) => DealError::Disk(error),
        }
    }
}

/// Reads a provider's base URL.
pub(super) fn base_url(text: &str) -> Result<Url, DealError> {
    let malformed = |why: &str| DealError::Malformed { provider: format!("`{text}`"), why: why.to_string() };
    let url = Url::parse(text).map_err(|error| malformed(&format!("it is not a URL: {error}")))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err(malformed("a provider's URL begins with http:// or https://"))
    }
}

/// Tells how much of a stream has gone by.
pub(super) fn counted<S>(stream: S, progress: Option<Progress>) -> impl Stream<Item = io::Result<Bytes>> + Send
where
    S: Stream<Item = io::Result<Bytes>> + Send,
{
    let mut sent = 0u64;
    stream.inspect(move |chunk| {
        if let (Ok(chunk), Some(progress)) = (chunk, &progress) {
            sent += chunk.len() as u64;
            progress(sent);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_our_own_network_are_known() {
        for inside in [
            "http://127.0.0.1:1/",
            "http://10.1.2.3/",
            "https://192.168.0.1/x",
            "http://169.254.169.254/",
            "http://[::1]/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
            "http://localhost:8/",
            "http://a.localhost/",
            "http://0.0.0.0/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://localhost./",
        ] {
            assert!(is_inside(&inside.parse().unwrap()), "{inside}");
        }
        for outside in
            ["https://example.com/", "http://8.8.8.8/", "http://[2001:db8::1]/", "http://127.0.0.1.example.com/"]
        {
            assert!(!is_inside(&outside.parse().unwrap()), "{outside}");
        }
    }
}
