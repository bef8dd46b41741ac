//! The manifest of a folder: what is in it, and the keys of the payloads.
//!
//! DAG-CBOR `[1, [[path, kind, mode, mtime_ms, size, payload | null, file key | null, link target | null]…]]`.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};

use fvm_ipld_encoding::{from_slice, to_writer};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};
use zeroize::Zeroizing;

use super::Error;
use super::error::corrupt;
use crate::crypt::FileKey;

/// Largest manifest read, in bytes: more than a million entries.
pub(super) const MAX_MANIFEST: u64 = 512 << 20;
/// Most entries: in memory one takes ten times what a hostile manifest can write it in.
pub(super) const MAX_ENTRIES: usize = 4_000_000;
/// Most payloads, so that no directory of the CAR has more than 1,000 of them.
pub(super) const MAX_PAYLOADS: u64 = 1_000_000;

const VERSION: u64 = 1;
const MAX_NAME: usize = 255;
const MAX_TARGET: usize = 4096;

/// Something in a folder.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Path from the folder, names separated by `/`. Bytes: a name need not be UTF-8.
    pub path: Vec<u8>,
    /// Unix permissions, 12 bits.
    pub mode: u32,
    /// Time of the last change, in milliseconds since 1970.
    pub mtime_ms: i64,
    /// What it is.
    pub content: Content,
}

/// What an entry is.
#[derive(Debug, Clone)]
pub enum Content {
    /// A file.
    File {
        /// Bytes.
        size: u64,
        /// Number of the payload that holds them. Identical files may share one.
        payload: u64,
        /// Key of that payload.
        key: FileKey,
    },
    /// A folder.
    Directory,
    /// A symbolic link to this path, whatever it is.
    Symlink(Vec<u8>),
}

type Row = (ByteBuf, u64, u64, i64, u64, Option<u64>, Option<KeyBytes>, Option<ByteBuf>);

/// A key of any length that was read; wiped.
struct KeyBytes(Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for KeyBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ByteBuf::deserialize(deserializer).map(|bytes| KeyBytes(Zeroizing::new(bytes.into_vec())))
    }
}

/// What is said of one that nobody could read.
pub(super) fn too_large() -> Error {
    Error::TooLarge(format!("the manifest of a folder, all its names and links, has at most {MAX_MANIFEST} bytes"))
}

/// What is said of one with more entries than are read.
pub(super) fn too_many() -> Error {
    Error::TooLarge(format!("a folder holds at most {MAX_ENTRIES} files, folders and links"))
}

/// Writes a manifest; the entries must be sorted. What holds the keys is wiped, and does not move while it grows.
pub(super) fn encode(entries: &[Entry]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(entries.iter().map(most_of).sum::<usize>() + HEAD));
    to_writer(&mut *out, &(VERSION, Rows(entries))).expect("numbers and bytes have an encoding");
    out
}

/// Bytes of a row beside its path, at least: a folder's.
pub(super) const LEAST_ROW: usize = 9;
/// Bytes in front of the rows, and those of a row beside its path and target, at most.
const HEAD: usize = 16;
const ROW: usize = 80;

fn most_of(entry: &Entry) -> usize {
    let target = if let Content::Symlink(target) = &entry.content { target.len() } else { 0 };
    entry.path.len() + target + ROW
}

/// Writes each row as it is met: together they would need as much memory again.
struct Rows<'a>(&'a [Entry]);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(row_of))
    }
}

type RowOf<'a> = (&'a Bytes, u64, u64, i64, u64, Option<u64>, Option<&'a Bytes>, Option<&'a Bytes>);

fn row_of(entry: &Entry) -> RowOf<'_> {
    let (kind, size, payload, key, target) = match &entry.content {
        Content::File { size, payload, key } => (0, *size, Some(*payload), Some(Bytes::new(key.expose())), None),
        Content::Directory => (1, 0, None, None, None),
        Content::Symlink(target) => (2, 0, None, None, Some(Bytes::new(target))),
    };
    (Bytes::new(&entry.path), kind, entry.mode.into(), entry.mtime_ms, size, payload, key, target)
}

/// Reads a manifest and checks every rule: what passes can be unpacked without ever leaving the destination.
///
/// Errors: [`Error::Corrupt`], [`Error::Unsupported`] for another version, [`Error::TooLarge`] for more than [`MAX_ENTRIES`].
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Entry>, Error> {
    let bad = |why: &str| corrupt(format!("its manifest is malformed: {why}"));
    let (version, _): (u64, IgnoredAny) = from_slice(bytes).map_err(|_| bad("it is no list of entries"))?;
    if version != VERSION {
        return Err(Error::Unsupported(format!("version {version} of manifests is not supported")));
    }
    let (_, Checked(checked)): (u64, Checked) = from_slice(bytes).map_err(|_| bad("it is no list of entries"))?;
    let entries = checked.map_err(|wrong| match wrong {
        Wrong::TooMany => too_many(),
        Wrong::Entry { path, why } => bad(&format!("{:?}: {why}", String::from_utf8_lossy(&path))),
    })?;
    let mut rest = Same(bytes);
    if to_writer(&mut rest, &(VERSION, Rows(&entries))).is_err() || !rest.0.is_empty() {
        return Err(bad("it is not written in its one form"));
    }
    Ok(entries)
}

/// What is wrong with the rows of a manifest.
enum Wrong {
    TooMany,
    Entry { path: Vec<u8>, why: &'static str },
}

/// Rows that were checked as they were read: together they would need as much memory again.
struct Checked(Result<Vec<Entry>, Wrong>);

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Checked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Checked, A::Error> {
        let mut listing = Listing::default();
        while let Some(row) = rows.next_element::<Row>()? {
            if let Err(wrong) = listing.add(row) {
                while rows.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Checked(Err(wrong)));
            }
        }
        Ok(Checked(Ok(listing.entries)))
    }
}

/// Entries that follow one another, each in a folder that is there.
#[derive(Default)]
struct Listing {
    entries: Vec<Entry>,
    directories: HashSet<Vec<u8>>,
}

impl Listing {
    fn add(&mut self, row: Row) -> Result<(), Wrong> {
        if self.entries.len() == MAX_ENTRIES {
            return Err(Wrong::TooMany);
        }
        let path = row.0.to_vec();
        match self.checked(&path, row) {
            Ok(entry) => {
                if matches!(entry.content, Content::Directory) {
                    self.directories.insert(path);
                }
                self.entries.push(entry);
                Ok(())
            }
            Err(why) => Err(Wrong::Entry { path, why }),
        }
    }

    fn checked(&self, path: &[u8], row: Row) -> Result<Entry, &'static str> {
        check_path(path)?;
        if self.entries.last().is_some_and(|last| *last.path >= *path) {
            return Err("it is not behind the entry before it");
        }
        if let Some(at) = path.iter().rposition(|byte| *byte == b'/')
            && !self.directories.contains(&path[..at])
        {
            return Err("it is not in a folder of the manifest");
        }
        entry_of(row)
    }
}

/// Takes only what is the same as the bytes that are left.
struct Same<'a>(&'a [u8]);

impl Write for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Checks that a path is relative and made of names only.
fn check_path(path: &[u8]) -> Result<(), &'static str> {
    path.split(|byte| *byte == b'/').try_for_each(|name| match name {
        b"" => Err("a name is empty"),
        b"." | b".." => Err("a name is a step, not a name"),
        name if name.contains(&0) => Err("a name holds a zero"),
        name if name.len() > MAX_NAME => Err("a name is longer than 255 bytes"),
        _ => Ok(()),
    })
}

fn entry_of(row: Row) -> Result<Entry, &'static str> {
    let (path, kind, mode, mtime_ms, size, payload, key, target) = row;
    let content = match (kind, size, payload, key, target) {
        (0, size, Some(payload), Some(key), None) => {
            if payload >= MAX_PAYLOADS {
                return Err("the payload is out of range");
            }
            let key = key.0.as_slice().try_into().map_err(|_| "the key is not 16 bytes long")?;
            Content::File { size, payload, key: FileKey::from_bytes(key) }
        }
        (1, 0, None, None, None) => Content::Directory,
        (2, 0, None, None, Some(target)) => {
            if target.is_empty() || target.len() > MAX_TARGET || target.contains(&0) {
                return Err("the link leads to no path");
            }
            Content::Symlink(target.into_vec())
        }
        (0..=2, ..) => return Err("its fields do not fit its kind"),
        _ => return Err("its kind is unknown"),
    };
    let mode = u32::try_from(mode).ok().filter(|mode| *mode <= 0o7777).ok_or("the mode has more than 12 bits")?;
    Ok(Entry { path: path.into_vec(), mode, mtime_ms, content })
}
