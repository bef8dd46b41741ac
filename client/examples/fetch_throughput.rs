//! How fast a file comes back, beside `curl` against the same server: `cargo run --release -p bauta_client --example fetch_throughput [MIB]`.
//!
//! Serves a CAR on loopback and reads it: as `curl` does (to a file, nothing verified), then every block verified and kept on the disk, then
//! decrypted too, then from four providers that are good, and from four of which one lies, one stalls and one is dead.

use std::io::Cursor;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::get;
use bauta_client::address::Address;
use bauta_client::car::Blocks;
use bauta_client::crypt::Identity;
use bauta_client::deal::piece_path;
use bauta_client::fetch::{Quiet, Remote, Source};
use bauta_client::pack::{self, Key, Options, Package, Packed};
use futures::stream::{self, StreamExt};
use tokio::net::TcpListener;

#[derive(Clone, Copy, PartialEq)]
enum Conduct {
    Good,
    Lies,
    Stalls,
}

#[derive(Clone)]
struct Piece(Bytes, Conduct);

async fn serve(State(Piece(bytes, conduct)): State<Piece>, headers: HeaderMap) -> Response<Body> {
    let range =
        headers.get(header::RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let range = range.and_then(|(from, to)| Some((from.parse().ok()?, to.parse::<usize>().ok()? + 1)));
    let (from, to): (usize, usize) = range.unwrap_or((0, bytes.len()));
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut body = bytes.slice(from..to);
    if conduct == Conduct::Lies {
        let mut lie = body.to_vec();
        let middle = lie.len() / 2;
        lie[middle] ^= 1;
        body = lie.into();
    }
    // As a file server sends it: in parts.
    let parts: Vec<_> = (0..body.len())
        .step_by(256 << 10)
        .map(|at| Ok::<_, std::io::Error>(body.slice(at..body.len().min(at + (256 << 10)))))
        .collect();
    let body = match conduct {
        Conduct::Stalls => Body::from_stream(stream::iter(parts.into_iter().take(1)).chain(stream::pending())),
        _ => Body::from_stream(stream::iter(parts)),
    };
    Response::builder()
        .status(status)
        .header(header::CONTENT_LENGTH, to - from)
        .header(header::CONTENT_RANGE, format!("bytes {from}-{}/{}", to - 1, bytes.len()))
        .body(body)
        .expect("a response")
}

async fn provider(bytes: &Bytes, conduct: Conduct) -> (SocketAddr, Source) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let app = Router::new().route("/piece/{cid}", get(serve)).with_state(Piece(bytes.clone(), conduct));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let source = Source::Provider { miner: Address::new_id(address.port().into()), url: format!("http://{address}") };
    (address, source)
}

/// Seconds for all blocks, and for all plaintext into a file.
async fn read(packed: &Packed, sources: &[Source], folder: &Path, decrypt: bool) -> f64 {
    let remote =
        Remote::new(&packed.piece, &packed.payload_cid, sources, folder, true, Arc::new(Quiet)).expect("a folder");
    let (key, root, out) = (packed.file_key.clone(), packed.payload_cid, folder.join("plain"));
    let started = Instant::now();
    let reading = move || {
        if decrypt {
            let mut package = Package::of(remote, Key::File(&key)).expect("it opens");
            package.unpack(&out, Options { overwrite: true, ..Options::default() }).expect("it is right");
            package.into_blocks().finish();
        } else {
            let mut remote = remote;
            remote.announce(&root, 0..u64::MAX);
            let mut file = remote.file(&root).expect("a file");
            std::io::copy(&mut file, &mut std::io::sink()).expect("it is right");
            remote.finish();
        }
    };
    tokio::task::spawn_blocking(reading).await.expect("it reads");
    started.elapsed().as_secs_f64()
}

fn curl(address: SocketAddr, path: &str, out: &Path) -> Option<f64> {
    let started = Instant::now();
    let url = format!("http://{address}{path}");
    let ran = Command::new("curl").args(["-sS", "-o"]).arg(out).arg(url).status().ok()?;
    ran.success().then(|| started.elapsed().as_secs_f64())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[tokio::main]
async fn main() {
    let mib: usize = std::env::args().nth(1).map_or(256, |text| text.parse().expect("a number of MiB"));
    let folder = tempfile::tempdir().expect("a folder");
    let plain: Vec<u8> = (0..mib << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut car = Cursor::new(Vec::new());
    let owner = [Identity::generate().recipient()];
    let packed = pack::pack_reader(&plain[..], "file", &owner, &mut car, Options::default()).expect("it packs");
    drop(plain);
    let bytes = Bytes::from(car.into_inner());
    let (address, good) = provider(&bytes, Conduct::Good).await;
    let mut four = vec![good.clone()];
    for _ in 0..3 {
        four.push(provider(&bytes, Conduct::Good).await.1);
    }
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let at = listener.local_addr().expect("it is bound");
        Source::Provider { miner: Address::new_id(1), url: format!("http://{at}") }
    };
    let bad = [provider(&bytes, Conduct::Lies).await.1, provider(&bytes, Conduct::Stalls).await.1, dead, good.clone()];
    let mut times: [Vec<f64>; 5] = Default::default();
    for _ in 0..5 {
        let path = piece_path(&packed.piece);
        let out = folder.path().join("curl");
        let curled = tokio::task::spawn_blocking(move || curl(address, &path, &out)).await.expect("it runs");
        times[0].extend(curled);
        times[1].push(read(&packed, std::slice::from_ref(&good), folder.path(), false).await);
        times[2].push(read(&packed, std::slice::from_ref(&good), folder.path(), true).await);
        times[3].push(read(&packed, &four, folder.path(), true).await);
        times[4].push(read(&packed, &bad, folder.path(), true).await);
    }
    let names = ["curl to a file", "verified", "verified and decrypted", "from four", "from four, three of them bad"];
    let base = times[0].first().map(|_| median(times[0].clone()));
    for (name, times) in names.iter().zip(times).filter(|(_, times)| !times.is_empty()) {
        let time = median(times);
        let ratio = base.map(|base| format!(", {:.0}% of curl", 100.0 * base / time)).unwrap_or_default();
        println!("{name}: {:.3} s, {:.0} MB/s{ratio}", time, bytes.len() as f64 / time / 1e6);
    }
}
