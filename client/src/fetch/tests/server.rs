//! Providers of one piece, good and bad, on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fvm_shared::address::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::super::Source;

/// What a provider does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Conduct {
    Honest,
    /// Each byte at a multiple of this is another.
    Lies(usize),
    /// As `Lies`, but not in what the roll call asks for.
    LiesLater,
    /// Answers, and says no more.
    Stalls,
    /// The same, from so many bytes served on.
    StallsAfter(u64),
    /// Takes its time for each answer.
    Slow(Duration),
    /// Closes every connection from so many bytes served on.
    DiesAfter(u64),
    /// Knows no `Range`.
    NoRanges,
    /// Announces other bytes than were asked for.
    OtherRange,
    /// Ends each answer early, though it announced all of it.
    Truncates,
    /// Announces fewer bytes than were asked for, and sends those.
    Short,
    /// Does not stop sending.
    Endless,
    /// Sends on to itself.
    Circles,
    /// Sends on to an honest one.
    SendsOn(SocketAddr),
    /// Has nothing.
    Lost,
}

/// A provider.
pub struct Provider {
    pub source: Source,
    pub address: SocketAddr,
    /// Bytes of bodies that it sent.
    pub served: Arc<AtomicU64>,
    /// Requests that it answered or began to.
    pub asked: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Provider {
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }

    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One that nobody reaches, and its port: nobody else listens there while it is held.
pub fn dead() -> (Source, TcpSocket) {
    let held = TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = held.local_addr().unwrap();
    let miner = Address::new_id(u64::from(address.port()));
    (Source::Provider { miner, url: format!("http://{address}") }, held)
}

pub async fn serve(bytes: &[u8], conduct: Conduct) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::new(AtomicU64::new(0));
    let asked = Arc::new(AtomicU64::new(0));
    let (bytes, counts): (Arc<[u8]>, _) = (bytes.into(), (served.clone(), asked.clone()));
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(answer(stream, bytes.clone(), conduct, counts.clone()));
        }
    });
    let source =
        Source::Provider { miner: Address::new_id(u64::from(address.port())), url: format!("http://{address}") };
    Provider { source, address, served, asked, task }
}

async fn answer(mut stream: TcpStream, bytes: Arc<[u8]>, conduct: Conduct, counts: (Arc<AtomicU64>, Arc<AtomicU64>)) {
    let (served, asked) = counts;
    let mut pending = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let end = loop {
            if let Some(end) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(n) => pending.extend_from_slice(&buffer[..n]),
            }
        };
        let request: Vec<u8> = pending.drain(..end).collect();
        asked.fetch_add(1, Ordering::SeqCst);
        if one(&mut stream, &String::from_utf8_lossy(&request), &bytes, conduct, &served).await.is_none() {
            return;
        }
    }
}

/// Answers one request; none ends the connection.
async fn one(stream: &mut TcpStream, request: &str, bytes: &[u8], conduct: Conduct, served: &AtomicU64) -> Option<()> {
    let path = request.split(' ').nth(1)?;
    if let Conduct::Circles | Conduct::SendsOn(_) = conduct {
        let to = if let Conduct::SendsOn(to) = conduct { format!("http://{to}{path}") } else { path.to_string() };
        let text = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        return stream.write_all(text.as_bytes()).await.ok();
    }
    let range = request.lines().find_map(|line| {
        let (from, to) = line
            .to_lowercase()
            .strip_prefix("range: bytes=")?
            .split_once('-')
            .map(|(a, b)| (a.to_string(), b.to_string()))?;
        Some((from.parse().ok()?, to.trim().parse::<usize>().map_or(bytes.len(), |to| to + 1)))
    });
    let range = range.filter(|_| conduct != Conduct::NoRanges);
    let (from, to): (usize, usize) = range.unwrap_or((0, bytes.len()));
    let before = served.load(Ordering::SeqCst);
    let mut body = bytes.get(from..to)?.to_vec();
    let (mut announced, mut shown) = (body.len(), (from, to));
    match conduct {
        Conduct::Lies(every) => (0..body.len()).filter(|i| (from + i) % every == 0).for_each(|i| body[i] ^= 1),
        Conduct::LiesLater if to < bytes.len() => {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
        Conduct::Slow(delay) => tokio::time::sleep(delay).await,
        Conduct::DiesAfter(limit) if before >= limit => return None,
        Conduct::OtherRange => shown = (from + 1, to + 1),
        Conduct::Truncates => body.truncate(body.len() / 2),
        Conduct::Short => {
            body.truncate(body.len() - 1);
            announced = body.len();
        }
        Conduct::Lost => return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.ok(),
        _ => {}
    }
    let (status, content_range) = match range {
        Some(_) => {
            let text = format!("content-range: bytes {}-{}/{}\r\n", shown.0, shown.1 - 1, bytes.len());
            ("206 Partial Content", text)
        }
        None => ("200 OK", String::new()),
    };
    let length = if conduct == Conduct::Endless { String::new() } else { format!("content-length: {announced}\r\n") };
    stream.write_all(format!("HTTP/1.1 {status}\r\n{content_range}{length}\r\n").as_bytes()).await.ok()?;
    let stalls = matches!(conduct, Conduct::Stalls)
        || matches!(conduct, Conduct::StallsAfter(limit) if before + body.len() as u64 > limit);
    if stalls {
        stream.write_all(&body[..body.len() / 2]).await.ok()?;
        std::future::pending::<()>().await;
    }
    served.fetch_add(body.len() as u64, Ordering::SeqCst);
    stream.write_all(&body).await.ok()?;
    if conduct == Conduct::Endless {
        loop {
            stream.write_all(&[0; 4096]).await.ok()?;
        }
    }
    (body.len() == announced).then_some(())
}
