//! The header of an age file: stanzas of wrapped keys, and a code that authenticates them under the file key.

use std::io::Read;

use age_core::format::{Stanza, read::age_stanza};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use hkdf::HkdfExtract;
use sha2::Sha256;

use super::{Error, FileKey};

const VERSION_LINE: &[u8] = b"age-encryption.org/v1\n";
const ARMOR_LINE: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const MAC_START: &[u8] = b"---";
/// Largest header read and written: some 2,500 recipients.
const MAX_HEADER: usize = 256 << 10;
const TOO_LARGE: Error = Error::TooLarge { what: "the header of an age file", limit: MAX_HEADER };

/// Bytes of the nonce between header and body.
pub(super) const NONCE: usize = 16;

/// A header that was parsed but not authenticated.
pub(super) struct Header {
    pub stanzas: Vec<Stanza>,
    /// What the code covers: everything up to and with `---`.
    covered: Vec<u8>,
    mac: [u8; 32],
    /// The nonce of the body.
    pub nonce: [u8; NONCE],
}

impl Header {
    /// Reads a header and the nonce behind it, and not a byte more.
    ///
    /// Errors: [`Error::Malformed`]; [`Error::Unsupported`] for an armored file, another version or a passphrase; [`Error::TooLarge`] above
    /// 256 KiB; [`Error::Truncated`]; [`Error::Io`].
    pub fn read(mut input: impl Read) -> Result<Header, Error> {
        let mut text = Vec::with_capacity(512);
        let mut start = 0;
        // The last line is the only one that begins with `---`: others begin with `->` or hold base64.
        while !text[start..].starts_with(MAC_START) {
            start = text.len();
            read_line(&mut input, &mut text)?;
            if start == 0 && text != VERSION_LINE {
                return Err(wrong_version(&text));
            }
        }
        let mut nonce = [0; NONCE];
        input.read_exact(&mut nonce)?;

        let mac = text[start..].strip_prefix(b"--- ").and_then(|mac| mac.strip_suffix(b"\n"));
        let mac = mac.and_then(|mac| BASE64_STANDARD_NO_PAD.decode(mac).ok()?.try_into().ok());
        let mac = mac.ok_or(Error::Malformed("the authentication code of the age header is malformed"))?;
        let stanzas = parse_stanzas(&text[VERSION_LINE.len()..start])?;
        if stanzas.iter().any(|stanza| stanza.tag == "scrypt") {
            return Err(match stanzas.len() {
                1 => Error::Unsupported("an age file under a passphrase".into()),
                _ => Error::Malformed("an age header mixes a passphrase with other keys"),
            });
        }
        text.truncate(start + MAC_START.len());
        Ok(Header { stanzas, covered: text, mac, nonce })
    }

    /// Authenticates the header.
    ///
    /// Errors: [`Error::HeaderChanged`].
    pub fn check(&self, key: &FileKey) -> Result<(), Error> {
        let mac = mac(key, &self.covered);
        // Without a branch that depends on where they differ.
        let differ = mac.iter().zip(&self.mac).fold(0, |differ, (a, b)| differ | (a ^ b));
        if differ == 0 { Ok(()) } else { Err(Error::HeaderChanged) }
    }
}

/// Writes a header over the texts of stanzas.
///
/// Errors: [`Error::TooLarge`] for one that would not be read again.
pub(super) fn write_header<'a>(key: &FileKey, stanzas: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Error> {
    let mut text = VERSION_LINE.to_vec();
    stanzas.into_iter().for_each(|stanza| text.extend_from_slice(stanza));
    text.extend_from_slice(MAC_START);
    let mac = BASE64_STANDARD_NO_PAD.encode(mac(key, &text));
    text.push(b' ');
    text.extend_from_slice(mac.as_bytes());
    text.push(b'\n');
    if text.len() > MAX_HEADER { Err(TOO_LARGE) } else { Ok(text) }
}

/// Reads the texts of one or more stanzas, strictly as the specification has them.
pub(super) fn parse_stanzas(mut text: &[u8]) -> Result<Vec<Stanza>, Error> {
    let mut stanzas = Vec::new();
    while !text.is_empty() || stanzas.is_empty() {
        let Ok((rest, stanza)) = age_stanza(text) else {
            return Err(Error::Malformed("a stanza of an age header is malformed"));
        };
        stanzas.push(stanza.into());
        text = rest;
    }
    Ok(stanzas)
}

/// Writes a stanza: its arguments, then base64 in lines of 64, the last of them shorter, if need be empty.
pub(super) fn write_stanza(stanza: &Stanza, text: &mut Vec<u8>) {
    text.extend_from_slice(b"-> ");
    text.extend_from_slice(stanza.tag.as_bytes());
    for arg in &stanza.args {
        text.push(b' ');
        text.extend_from_slice(arg.as_bytes());
    }
    text.push(b'\n');
    let body = BASE64_STANDARD_NO_PAD.encode(&stanza.body);
    let lines = body.as_bytes().chunks_exact(64);
    let last = lines.remainder();
    for line in lines.chain([last]) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
}

/// HMAC-SHA256 under the header key; HKDF's extract step is just that.
fn mac(key: &FileKey, covered: &[u8]) -> [u8; 32] {
    let mut hmac = HkdfExtract::<Sha256>::new(Some(&*key.derive(&[], b"header")));
    hmac.input_ikm(covered);
    hmac.finalize().0.into()
}

/// Appends a line with its end, byte by byte: what follows the header must stay in the reader.
fn read_line(input: &mut impl Read, text: &mut Vec<u8>) -> Result<(), Error> {
    let mut byte = [0];
    loop {
        input.read_exact(&mut byte)?;
        text.push(byte[0]);
        // Not worth reading on: an absurd header (of empty lines, too), or no age file at all.
        if text.len() > MAX_HEADER {
            return Err(TOO_LARGE);
        }
        if byte == *b"\n" {
            return Ok(());
        }
        if text.len() == VERSION_LINE.len() && !text.starts_with(&VERSION_LINE[..19]) {
            return Err(wrong_version(text));
        }
    }
}

fn wrong_version(line: &[u8]) -> Error {
    if line.starts_with(&ARMOR_LINE[..line.len().min(20)]) {
        Error::Unsupported("an armored age file".into())
    } else if let Some(version) = line.strip_prefix(&VERSION_LINE[..19]) {
        let version: String = String::from_utf8_lossy(version).chars().take(32).collect();
        Error::Unsupported(format!("version \"{}\" of age files", version.trim_end().escape_debug()))
    } else {
        Error::Malformed("this is no age file")
    }
}
