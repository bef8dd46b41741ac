//! The part of multiaddrs that leads to a provider's HTTP server.
//!
//! A miner actor keeps binary multiaddrs; those of its HTTP server look like `/ip4/127.0.0.1/tcp/1235/http` and
//! `/dns/sp.example.org/tcp/443/https`.
//!
//! Source: github.com/multiformats/multiaddr `protocols.csv`.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

const IP4: u64 = 4;
const TCP: u64 = 6;
const IP6: u64 = 41;
const DNS: u64 = 53;
const DNS4: u64 = 54;
const DNS6: u64 = 55;
const HTTPS: u64 = 443;
const TLS: u64 = 448;
const HTTP: u64 = 480;

/// Why a multiaddr leads to no HTTP server.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MultiaddrError {
    /// The bytes end early, or a number is malformed.
    #[error("the multiaddr is cut short or malformed")]
    Malformed,
    /// Well-formed as far as it goes, and something else than HTTP over TCP.
    #[error("the multiaddr does not lead to an HTTP server")]
    NotHttp,
}

/// Writes the multiaddr of a plain HTTP server.
pub fn http_multiaddr(address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::new();
    match address.ip() {
        IpAddr::V4(ip) => {
            put_uvarint(IP4, &mut bytes);
            bytes.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            put_uvarint(IP6, &mut bytes);
            bytes.extend_from_slice(&ip.octets());
        }
    }
    put_uvarint(TCP, &mut bytes);
    bytes.extend_from_slice(&address.port().to_be_bytes());
    put_uvarint(HTTP, &mut bytes);
    bytes
}

/// Reads the URL out of a binary multiaddr.
///
/// Errors: [`MultiaddrError`].
pub fn http_url(multiaddr: &[u8]) -> Result<String, MultiaddrError> {
    let rest = &mut &multiaddr[..];
    let host = match get_uvarint(rest)? {
        IP4 => Ipv4Addr::from(array::<4>(rest)?).to_string(),
        IP6 => format!("[{}]", Ipv6Addr::from(array::<16>(rest)?)),
        DNS | DNS4 | DNS6 => {
            let length = usize::try_from(get_uvarint(rest)?).map_err(|_| MultiaddrError::Malformed)?;
            let name = take(rest, length)?;
            let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            if name.is_empty() || !name.iter().all(plain) {
                return Err(MultiaddrError::Malformed);
            }
            String::from_utf8_lossy(name).into_owned()
        }
        _ => return Err(MultiaddrError::NotHttp),
    };
    if get_uvarint(rest)? != TCP {
        return Err(MultiaddrError::NotHttp);
    }
    let port = u16::from_be_bytes(array::<2>(rest)?);
    let mut protocols = Vec::new();
    while !rest.is_empty() {
        protocols.push(get_uvarint(rest)?);
    }
    let (scheme, usual) = match protocols[..] {
        [HTTP] => ("http", 80),
        [HTTPS] | [TLS, HTTP] => ("https", 443),
        _ => return Err(MultiaddrError::NotHttp),
    };
    let mut url = format!("{scheme}://{host}");
    if port != usual {
        write!(url, ":{port}").expect("a String takes everything");
    }
    Ok(url)
}

fn put_uvarint(mut n: u64, bytes: &mut Vec<u8>) {
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

fn get_uvarint(rest: &mut &[u8]) -> Result<u64, MultiaddrError> {
    let mut n = 0;
    for shift in (0..63).step_by(7) {
        let [byte] = array::<1>(rest)?;
        n |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(n);
        }
    }
    Err(MultiaddrError::Malformed)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], MultiaddrError> {
    let (head, tail) = rest.split_at_checked(length).ok_or(MultiaddrError::Malformed)?;
    *rest = tail;
    Ok(head)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], MultiaddrError> {
    Ok(take(rest, N)?.try_into().expect("as many bytes were taken"))
}
