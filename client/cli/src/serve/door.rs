//! The door of a server that strangers may knock at: so many at once, so many from one place, and nobody who holds a seat for nothing.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// What a door bears.
#[derive(Clone, Copy)]
struct House {
    /// Connections at once.
    seats: usize,
    /// Of these from one place. This machine has no such limit: a proxy of its own may stand before us.
    from_one: usize,
    /// In each such time a connection has to move something: who sends a request a byte a minute, or reads so slowly that nobody can want
    /// the piece, does not keep a seat.
    time: Duration,
    /// So many bytes of it.
    least: u64,
}

const HOUSE: House = House { seats: 128, from_one: 32, time: Duration::from_secs(60), least: 16 << 10 };

impl House {
    /// Whether somebody who has moved so much in their time may stay for another.
    fn bears(&self, moved: &mut u64) -> bool {
        std::mem::take(moved) >= self.least
    }
}

/// Lets a number of connections in; the others wait, or are sent away where others of theirs are in.
pub struct Door {
    listener: TcpListener,
    house: House,
    seats: Arc<Semaphore>,
    inside: Inside,
}

impl Door {
    /// Stands before a listener.
    pub fn new(listener: TcpListener) -> Self {
        Self::of(HOUSE, listener)
    }

    fn of(house: House, listener: TcpListener) -> Self {
        Self { listener, house, seats: Arc::new(Semaphore::new(house.seats)), inside: Inside::default() }
    }
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let seat = self.seats.clone().acquire_owned().await.expect("it is never closed");
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            if let Some(entry) = self.inside.enter(address.ip(), self.house.from_one) {
                return (Guest::new(stream, self.house, (seat, entry)), address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// How many are in from each place.
#[derive(Clone, Default)]
struct Inside(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Inside {
    /// Counts one more, unless there are so many.
    fn enter(&self, from: IpAddr, most: usize) -> Option<Entry> {
        let place = place_of(from);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(place).or_default();
        if *count >= most && !place.is_loopback() {
            return None;
        }
        *count += 1;
        Some(Entry { inside: self.clone(), place })
    }
}

/// One IPv6 customer has as many addresses as they like below a prefix of 64 bits.
fn place_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        other => other,
    }
}

/// Counted as long as it lives.
struct Entry {
    inside: Inside,
    place: IpAddr,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut counts = self.inside.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.place) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.place);
            }
        }
    }
}

/// A connection that ends when too little moves for too long.
pub struct Guest {
    stream: TcpStream,
    house: House,
    until: Pin<Box<Sleep>>,
    moved: u64,
    _seat: (OwnedSemaphorePermit, Entry),
}

impl Guest {
    fn new(stream: TcpStream, house: House, seat: (OwnedSemaphorePermit, Entry)) -> Self {
        Self { stream, house, until: Box::pin(sleep(house.time)), moved: 0, _seat: seat }
    }

    /// Ends what waits once the time is over in which enough should have moved.
    fn watched<T>(&mut self, context: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        while self.until.as_mut().poll(context).is_ready() {
            if !self.house.bears(&mut self.moved) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.until.as_mut().reset(Instant::now() + self.house.time);
        }
        done
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.moved += (buffer.filled().len() - before) as u64;
        self.watched(context, read)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = written {
            self.moved += written as u64;
        }
        self.watched(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watched(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn one_place_has_so_many_seats() {
        let inside = Inside::default();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = inside.enter(ip("192.0.2.1"), 1).unwrap();
        assert!(inside.enter(ip("192.0.2.1"), 1).is_none() && inside.enter(ip("::ffff:192.0.2.1"), 1).is_none());
        let _others = (inside.enter(ip("192.0.2.2"), 1).unwrap(), inside.enter(ip("2001:db8::1"), 1).unwrap());
        assert!(inside.enter(ip("2001:db8::ffff"), 1).is_none());
        assert!(inside.enter(ip("2001:db8:0:1::1"), 1).is_some());
        let _here = (inside.enter(ip("127.0.0.1"), 1).unwrap(), inside.enter(ip("127.0.0.1"), 1).unwrap());
        drop(first);
        assert!(inside.enter(ip("192.0.2.1"), 1).is_some());
    }

    #[test]
    fn what_counts_is_what_moved_in_this_time() {
        let (house, mut moved) = (House { least: 1000, ..HOUSE }, 1000);
        assert!(house.bears(&mut moved) && moved == 0);
        moved = 999;
        assert!(!house.bears(&mut moved));
    }

    #[tokio::test]
    async fn who_drips_loses_the_seat() {
        let house = House { seats: 1, from_one: 1, time: Duration::from_millis(200), least: 1 << 20 };
        let mut door = Door::of(house, TcpListener::bind("127.0.0.1:0").await.unwrap());
        let mut stranger = TcpStream::connect(door.local_addr().unwrap()).await.unwrap();
        let dripping = tokio::spawn(async move {
            while stranger.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let (mut guest, _) = door.accept().await;
        let end = guest.read_to_end(&mut Vec::new()).await;
        assert_eq!(end.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
        drop(guest);
        dripping.await.unwrap();
    }
}
