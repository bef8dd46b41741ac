//! Packing a folder: payloads as they are met, then the manifest, then the directories above them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::Path;

use super::manifest::{self, Content, Entry, MAX_PAYLOADS};
use super::output::Output;
use super::platform::{identity_of, is_same, mode_of, name_bytes};
use super::scan::{Found, mtime_ms, scan};
use super::source::Source;
use super::{Error, Options, Packed, Phase, SealedFile, Skipped, seal_into};
use crate::car::{CarWriter, Link, add_directory};
use crate::crypt::{ContentKind, FileKey, Metadata, Recipient};

/// Payloads in a directory.
pub(super) const GROUP: u64 = 1000;
/// Files up to this size are read before anything of them is written, so that a bad one leaves no trace.
const SMALL: u64 = 1 << 20;

pub(super) fn pack_folder<W: Write + Seek>(
    root: &Path,
    name: String,
    recipients: &[Recipient],
    out: W,
    mut options: Options<'_>,
) -> Result<Packed, Error> {
    let mut skipped = Vec::new();
    let found = scan(root, &mut options, &mut skipped).map_err(|e| Error::io(root, e))?;
    let total = found.iter().filter(|f| f.about.is_file()).map(|f| f.about.len()).sum();
    let car = CarWriter::new(Output::new(out)?)?;
    let mut packing = Packing { car, recipients, options, payloads: Payloads::default(), done: 0, total };
    let mut entries = Vec::with_capacity(found.len());
    for found in found {
        match packing.content(&found) {
            Ok(content) => {
                let (mode, mtime_ms) = (mode_of(&found.about), mtime_ms(&found.about));
                entries.push(Entry { path: found.path, mode, mtime_ms, content });
            }
            Err(Problem::Skip(reason)) => skipped.push(Skipped { path: found.at, reason }),
            Err(Problem::Fatal(e)) => return Err(e),
        }
    }
    packing.finish(name, &entries, skipped)
}

/// Why an entry has no content.
enum Problem {
    /// It is left out.
    Skip(String),
    /// Packing fails.
    Fatal(Error),
}

impl<E: Into<Error>> From<E> for Problem {
    fn from(e: E) -> Self {
        Problem::Fatal(e.into())
    }
}

fn skip(reason: impl ToString) -> Problem {
    Problem::Skip(reason.to_string())
}

struct Packing<'a, 'o, W: Write> {
    car: CarWriter<Output<W>>,
    recipients: &'a [Recipient],
    options: Options<'o>,
    payloads: Payloads,
    done: u64,
    total: u64,
}

/// The payloads so far.
#[derive(Default)]
struct Payloads {
    count: u64,
    /// Of the group at hand, and the groups before it.
    group: Vec<(String, Link)>,
    groups: Vec<(String, Link)>,
    /// Those of files that have several names.
    by_file: HashMap<(u64, u64), (u64, FileKey)>,
}

impl<W: Write + Seek> Packing<'_, '_, W> {
    fn content(&mut self, found: &Found) -> Result<Content, Problem> {
        let about = &found.about;
        if about.is_dir() {
            return Ok(Content::Directory);
        }
        if about.is_symlink() {
            let target = fs::read_link(&found.at).map_err(skip)?;
            let target = name_bytes(target.as_os_str()).ok_or_else(|| skip("its target is no UTF-8"))?;
            return Ok(Content::Symlink(target));
        }
        if !about.is_file() {
            return Err(skip("it is neither a file, a folder nor a link"));
        }
        let names = identity_of(about).filter(|id| id.2).map(|id| (id.0, id.1));
        if let Some((payload, key)) = names.and_then(|id| self.payloads.by_file.get(&id)) {
            self.done += about.len();
            return Ok(Content::File { size: about.len(), payload: *payload, key: key.clone() });
        }
        let file = File::open(&found.at).map_err(skip)?;
        if !is_same(&file, about).map_err(skip)? {
            return Err(skip("it was replaced while the folder was read"));
        }
        let mut source = Source::of_file(&found.at, file).map_err(skip)?;
        let sealed = self.seal(&mut source);
        self.done += about.len();
        let sealed = sealed?;
        let (size, payload) = (source.size(), self.payloads.count);
        self.add_payload(sealed.link)?;
        if let Some(id) = names {
            self.payloads.by_file.insert(id, (payload, sealed.key.clone()));
        }
        Ok(Content::File { size, payload, key: sealed.key })
    }

    fn seal(&mut self, source: &mut Source<File>) -> Result<SealedFile, Problem> {
        let (done, total) = (self.done, self.total);
        if source.expected().is_some_and(|size| size <= SMALL) {
            let bytes = source.read_all().map_err(skip)?;
            self.options.report(Phase::Pack, done + bytes.len() as u64, Some(total));
            return Ok(seal_into(&bytes[..], self.recipients, &mut self.car)?);
        }
        let options = &mut self.options;
        let reader = source.reporting(|read| options.report(Phase::Pack, done + read, Some(total)));
        let sealed = seal_into(reader, self.recipients, &mut self.car);
        source.check().map_err(skip)?;
        Ok(sealed?)
    }

    fn add_payload(&mut self, link: Link) -> Result<(), Error> {
        let payloads = &mut self.payloads;
        if payloads.count == MAX_PAYLOADS {
            return Err(Error::TooLarge(format!("a folder holds at most {MAX_PAYLOADS} files")));
        }
        payloads.group.push((payload_name(payloads.count), link));
        payloads.count += 1;
        if payloads.count.is_multiple_of(GROUP) { self.close_group() } else { Ok(()) }
    }

    fn close_group(&mut self) -> Result<(), Error> {
        let group = std::mem::take(&mut self.payloads.group);
        if !group.is_empty() {
            let name = group_name(self.payloads.groups.len() as u64);
            let link = add_directory(group, &mut self.car)?;
            self.payloads.groups.push((name, link));
        }
        Ok(())
    }

    fn finish(mut self, name: String, entries: &[Entry], skipped: Vec<Skipped>) -> Result<Packed, Error> {
        self.close_group()?;
        let mut root = Vec::new();
        if !self.payloads.groups.is_empty() {
            root.push(("data".into(), add_directory(std::mem::take(&mut self.payloads.groups), &mut self.car)?));
        }
        let manifest = zeroize::Zeroizing::new(manifest::encode(entries));
        let mut sealed = seal_into(&manifest[..], self.recipients, &mut self.car)?;
        root.push(("manifest.age".into(), sealed.link));
        sealed.link = add_directory(root, &mut self.car)?;
        let size =
            entries.iter().map(|entry| if let Content::File { size, .. } = entry.content { size } else { 0 }).sum();
        let metadata = Metadata { name, media_type: "inode/directory".into(), size, kind: ContentKind::Folder };
        sealed.packed(self.car, metadata, skipped)
    }
}

/// Name of the directory of a group.
pub(super) fn group_name(group: u64) -> String {
    group.to_string()
}

/// Name of a payload in its directory.
pub(super) fn payload_name(payload: u64) -> String {
    format!("{:03}.age", payload % GROUP)
}
