//! Looking through a folder.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::platform::{identity_of, mode_of, name_bytes};
use super::{Options, Phase, Skipped};

/// Something in a folder, as it was when it was looked at. Links are not followed. Only what is needed: there may be many.
pub(super) struct Found {
    pub path: Vec<u8>,
    pub kind: Kind,
    pub mode: u32,
    pub mtime_ms: i64,
    /// Device and number, and whether it has several names.
    pub identity: Option<(u64, u64, bool)>,
}

/// What it is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A file of so many bytes.
    File(u64),
    Directory,
    Symlink,
    Other,
}

impl Found {
    fn new(path: Vec<u8>, about: &Metadata) -> Self {
        let kind = match about.file_type() {
            kind if kind.is_file() => Kind::File(about.len()),
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_symlink() => Kind::Symlink,
            _ => Kind::Other,
        };
        Found { path, kind, mode: mode_of(about), mtime_ms: mtime_ms(about), identity: identity_of(about) }
    }

    /// Bytes of a file.
    pub fn size(&self) -> u64 {
        if let Kind::File(size) = self.kind { size } else { 0 }
    }

    /// Says whether an open file is the one that was looked at.
    ///
    /// Errors: the system's.
    pub fn is(&self, file: &File) -> io::Result<bool> {
        let now = file.metadata()?;
        let id = |identity: Option<(u64, u64, bool)>| identity.map(|id| (id.0, id.1));
        Ok(now.is_file() && id(identity_of(&now)) == id(self.identity))
    }
}

/// Lists everything below a folder, sorted by path, and what could not be looked at.
pub(super) fn scan(root: &Path, options: &mut Options<'_>, skipped: &mut Vec<Skipped>) -> io::Result<Vec<Found>> {
    let exclude: Vec<_> = options.exclude.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let mut found = Vec::new();
    let mut folders = vec![(Vec::new(), root.to_path_buf())];
    while let Some((prefix, folder)) = folders.pop() {
        let listing = match fs::read_dir(&folder) {
            // The folder that was asked for must be there.
            Err(e) if folder == root => return Err(e),
            Err(e) => {
                skipped.push(Skipped { path: folder, reason: format!("its content cannot be listed: {e}") });
                continue;
            }
            Ok(listing) => listing,
        };
        for entry in listing {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => {
                    skipped
                        .push(Skipped { path: folder.clone(), reason: format!("its content cannot be listed: {e}") });
                    break;
                }
            };
            let at = entry.path();
            if exclude.contains(&at) {
                continue;
            }
            let Some(name) = name_bytes(&entry.file_name()) else {
                skipped.push(Skipped { path: at, reason: "its name is no UTF-8".into() });
                continue;
            };
            let about = match entry.metadata() {
                Ok(about) => about,
                Err(e) => {
                    skipped.push(Skipped { path: at, reason: e.to_string() });
                    continue;
                }
            };
            let mut path = prefix.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
            if about.is_dir() {
                folders.push((path.clone(), at));
            }
            path.shrink_to_fit();
            found.push(Found::new(path, &about));
        }
        options.report(Phase::Scan, found.len() as u64, None);
    }
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Time of the last change in milliseconds since 1970, rounded down.
pub(super) fn mtime_ms(about: &Metadata) -> i64 {
    about.modified().map(millis).unwrap_or_default()
}

fn millis(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos().div_ceil(1_000_000)).map_or(i64::MIN, |ms| -ms),
    }
}
