//! The client against servers that do not do what they should.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::*;
use super::key;
use crate::piece::CommP;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every connection with what `answer` makes of its number and its request, then closes it.
async fn serve(answer: impl Fn(usize, &str) -> Vec<u8> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let answer = Arc::new(answer);
    let count = AtomicUsize::new(0);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                while !request.windows(4).any(|w| w == b"\r\n\r\n") {
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(n) => request.extend_from_slice(&buffer[..n]),
                    }
                }
                let _ = stream.write_all(&answer(number, &String::from_utf8_lossy(&request))).await;
            });
        }
    });
    address
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write!(bytes, "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n").expect("memory");
    bytes.extend_from_slice(body);
    bytes
}

/// Where silence is the point, and where it would only be a busy machine's.
const IMPATIENT: Duration = Duration::from_millis(300);
const PATIENT: Duration = Duration::from_secs(60);

fn retrieval(at: SocketAddr, idle: Duration) -> Retrieval {
    let timeouts = Timeouts { connect: Duration::from_secs(60), idle };
    Retrieval::with_timeouts(&format!("http://{at}"), timeouts).expect("a URL")
}

/// Fetches into an empty folder; gives the error and checks that nothing is left behind.
async fn failing(at: SocketAddr, piece: &PieceInfo) -> DealError {
    failing_after(at, piece, PATIENT).await
}

async fn failing_after(at: SocketAddr, piece: &PieceInfo, idle: Duration) -> DealError {
    let folder = tempfile::tempdir().expect("a folder");
    let error = retrieval(at, idle).fetch_piece(piece, &folder.path().join("out"), None).await.expect_err("must fail");
    assert!(error.to_string().contains(&at.to_string()), "names the provider: {error}");
    for _ in 0..6000 {
        if std::fs::read_dir(folder.path()).expect("it is there").count() == 0 {
            return error;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a file is left behind");
}

#[tokio::test]
async fn a_broken_connection_is_taken_up_again() {
    let bytes: Arc<Vec<u8>> = Arc::new(crate::vectors::lcg(5).take(10_000).collect());
    let piece = CommP::of(&bytes).expect("small enough");
    let served = bytes.clone();
    let at = serve(move |number, request| {
        let from: usize = request
            .lines()
            .find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok())
            .unwrap_or(0);
        assert_eq!(from > 0, number > 0, "{request}");
        let rest = &served[from..];
        let cut = rest.len().min(4000);
        let (status, range) = if from > 0 {
            ("206 Partial Content", format!("content-range: bytes {from}-9999/10000\r\n"))
        } else {
            ("200 OK", String::new())
        };
        response(status, &format!("content-length: {}\r\n{range}", rest.len()), &rest[..cut])
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    retrieval(at, PATIENT).fetch_piece(&piece, &out, None).await.expect("three connections are enough");
    assert_eq!(std::fs::read(&out).expect("it is there"), *bytes);
}

#[tokio::test]
async fn other_bytes_are_named_and_nothing_is_left() {
    let piece = CommP::of(&[1; 500]).expect("small enough");
    let at = serve(|_, _| response("200 OK", "content-length: 500\r\n", &[2; 500])).await;
    match failing(at, &piece).await {
        DealError::WrongBytes { mismatch, .. } => {
            assert_eq!(mismatch.expected, piece);
            assert_eq!(mismatch.found, CommP::of(&[2; 500]).expect("small enough"));
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn fewer_and_more_bytes_are_refused() {
    let piece = CommP::of(&[1; 500]).expect("small enough");
    let at = serve(|_, _| response("200 OK", "content-length: 499\r\n", &[1; 499])).await;
    assert!(matches!(failing(at, &piece).await, DealError::WrongBytes { .. }));
    let at = serve(|_, _| response("200 OK", "content-length: 5000\r\n", &[1; 5000])).await;
    assert!(matches!(failing(at, &piece).await, DealError::Malformed { .. }));
}

#[tokio::test]
async fn silence_ends() {
    let piece = CommP::of(&[1; 500]).expect("small enough");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("it is bound");
    assert!(matches!(failing_after(at, &piece, IMPATIENT).await, DealError::Unreachable { .. }));
    drop(listener);
    // Nobody listens there; it is held, so that nobody else does meanwhile.
    let held = tokio::net::TcpSocket::new_v4().expect("a socket");
    held.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let at = held.local_addr().expect("it is bound");
    assert!(matches!(failing(at, &piece).await, DealError::Unreachable { .. }));
}

#[tokio::test]
async fn a_server_without_ranges_is_not_believed() {
    let piece = CommP::of(&[1; 500]).expect("small enough");
    let at = serve(|_, _| response("200 OK", "content-length: 500\r\n", &[1; 500])).await;
    let error = retrieval(at, PATIENT).read_range(&piece, 5..10).await.expect_err("all bytes come");
    assert!(matches!(error, DealError::NoRanges { .. }), "{error}");
    let at =
        serve(|_, _| response("206 Partial Content", "content-range: bytes 0-4/500\r\ncontent-length: 5\r\n", &[1; 5]))
            .await;
    let error = retrieval(at, PATIENT).read_range(&piece, 5..10).await.expect_err("others come");
    assert!(matches!(error, DealError::Malformed { .. }), "{error}");
    assert_eq!(retrieval(at, PATIENT).read_range(&piece, 0..5).await.expect("these come"), vec![1; 5]);
}

#[tokio::test]
async fn refusals_keep_code_and_reason() {
    let at = serve(|_, request| {
        if request.starts_with("POST") {
            response("441 Too Short", "", b"Reason: duration must be at least 518400")
        } else {
            response("500 Internal Server Error", "", b"")
        }
    })
    .await;
    let curio =
        Curio::new(&format!("http://{at}"), Address::new_id(1000), key("bls"), Timeouts::default()).expect("a URL");
    let piece = CommP::of(&[1; 500]).expect("small enough");
    match curio.propose(DealId::generate(), &Proposal::upload(piece, 1)).await {
        Err(DealError::Refused { code: DealCode::DurationTooShort, reason, provider }) => {
            assert_eq!(reason, "duration must be at least 518400");
            assert!(provider.contains("t01000"), "{provider}");
        }
        other => panic!("{other:?}"),
    }
    let error = curio.status(DealId::generate()).await.expect_err("500 is no status");
    assert!(error.is_passing(), "{error}");
}

#[test]
fn only_http_urls_are_providers() {
    for url in ["", "example.org", "ftp://example.org", "file:///etc/passwd", "http://"] {
        assert!(Retrieval::new(url).is_err(), "{url}");
    }
}

/// Takes a body of so many bytes at so many each 20 milliseconds, then answers; takes none of it where it is to stall.
async fn slow_line(each: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut request, mut buffer) = (Vec::new(), vec![0; each.max(1)]);
                let mut whole = usize::MAX;
                while request.len() < whole {
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(n) => request.extend_from_slice(&buffer[..n]),
                    }
                    if let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") {
                        let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
                        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                        whole = end + 4 + length.unwrap_or(0);
                        if each == 1 {
                            std::future::pending::<()>().await;
                        }
                    }
                    if request.len() > 10_000 {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
                let _ = stream.write_all(&response("200 OK", "content-length: 0\r\n", b"")).await;
            });
        }
    });
    address
}

/// A line may be slow for as long as it likes: what counts is that bytes go out.
#[tokio::test]
async fn an_upload_takes_as_long_as_the_line_needs_and_ends_where_it_stalls() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.car");
    // More than the system takes off our hands by itself.
    std::fs::write(&file, vec![7; 24 << 20]).expect("written");
    let upload = async |each: usize, stall: Duration, idle: Duration| {
        let (at, timeouts) = (slow_line(each).await, Timeouts { connect: Duration::from_secs(60), idle });
        let uploads = Uploads { serial: u64::MAX, attempts: 0, stall, ..Uploads::default() };
        let curio = Curio::new(&format!("http://{at}"), Address::new_id(1000), key("secp256k1"), timeouts);
        let curio = curio.expect("a URL").with_uploads(uploads);
        let begun = std::time::Instant::now();
        (curio.upload(DealId::generate(), &file, None).await, begun.elapsed())
    };
    let (sent, took) = upload(512 << 10, PATIENT, PATIENT).await;
    sent.expect("slow is no error");
    assert!(took > 3 * IMPATIENT, "{took:?}: it was no slow line");
    let (sent, _) = upload(1, Duration::from_millis(500), IMPATIENT).await;
    let error = sent.expect_err("nothing goes out");
    assert!(error.is_passing() && error.to_string().contains("nothing more went out"), "{error}");
}

/// Who sends a byte now and then is never silent for long, and would hold everybody up for years.
#[tokio::test]
async fn who_drips_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut next = response("200 OK", "content-length: 1048576\r\n", b"");
                while stream.write_all(&next).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    next = vec![1];
                }
            });
        }
    });
    let piece = CommP::of(&[1; 1 << 20]).expect("small enough");
    let left = |error: &DealError| matches!(error, DealError::Drips { .. } | DealError::Unreachable { .. });
    let error = failing_after(at, &piece, IMPATIENT).await;
    assert!(left(&error), "{error}");
    let error = retrieval(at, IMPATIENT).read_range(&piece, 0..1 << 20).await.expect_err("it never ends");
    assert!(left(&error), "{error}");
}

#[test]
fn what_providers_say_is_cut_and_cleaned() {
    let said = crate::deal::curio::shortened(&format!("no\u{1b}[2J{}", "x".repeat(300_000)));
    assert!(said.len() < 600 && !said.contains('\u{1b}') && said.ends_with('…'), "{said}");
}
