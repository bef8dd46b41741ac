//! Packing a folder: payloads as they are met, then the manifest, then the directories above them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use super::checkpoints::Note;
use super::manifest::{self, Content, Entry, MAX_ENTRIES, MAX_MANIFEST, MAX_PAYLOADS};
use super::pipeline::Pipeline;
use super::platform::{identity_of, join, name_bytes, open_plain};
use super::resume::{Left, Rest, Restored};
use super::scan::{Found, Kind, scan};
use super::source::Source;
use super::twins::{Digest, Twins, digest_of};
use super::{Error, Options, Packed, Phase, Skipped};
use serde_bytes::ByteArray;

use crate::car::add_directory;
use crate::crypt::{ContentKind, FileKey, Metadata};

/// Payloads in a directory.
pub(super) const GROUP: u64 = 1000;
/// Files up to this size are read before anything of them is written, so that a bad one leaves no trace.
const SMALL: u64 = 1 << 20;

pub(super) fn pack_folder<W: Write + Seek>(
    root: &Path,
    name: String,
    pipeline: Pipeline<W>,
    left: Left,
    mut options: Options<'_>,
) -> Result<Packed, Error> {
    let mut skipped = Vec::new();
    let found = scan(root, &mut options, &mut skipped).map_err(|e| Error::io(root, e))?;
    let total = found.iter().map(Found::size).fold(0, u64::saturating_add);
    // What is surely too large is said before anything is packed.
    if found.iter().map(|found| (found.path.len() + manifest::LEAST_ROW) as u64).sum::<u64>() > MAX_MANIFEST {
        return Err(manifest::too_large());
    }
    if found.len() > MAX_ENTRIES {
        return Err(manifest::too_many());
    }
    let mut payloads = Payloads { twins: Twins::among(&found), ..Payloads::default() };
    let restored = Restored::of(left, root, &mut payloads);
    let mut packing = Packing { root, pipeline, options, payloads, restored, done: 0, total };
    packing.restore()?;
    let mut entries = Vec::with_capacity(found.len());
    for found in found {
        match packing.content(&found) {
            Ok(content) => {
                let (mode, mtime_ms) = (found.mode, found.mtime_ms);
                entries.push(Entry { path: found.path, mode, mtime_ms, content });
            }
            Err(Problem::Skip(reason)) => skipped.push(Skipped { path: place(root, &found), reason }),
            Err(Problem::Fatal(e)) => return Err(e),
        }
    }
    packing.finish(name, &entries, skipped)
}

/// Where something is.
fn place(root: &Path, found: &Found) -> PathBuf {
    join(root, &found.path).expect("the path was made of names of this system")
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
    root: &'a Path,
    pipeline: Pipeline<W>,
    options: Options<'o>,
    payloads: Payloads,
    restored: Restored,
    done: u64,
    total: u64,
}

/// A payload and its key.
pub(super) type Payload = (u64, FileKey);

/// The payloads so far.
#[derive(Default)]
pub(super) struct Payloads {
    count: u64,
    /// Sizes and payloads of files that have several names, by device and number.
    by_file: HashMap<(u64, u64), (u64, Payload)>,
    /// Files that may have the same content as another.
    twins: Twins,
    by_content: HashMap<Digest, Payload>,
}

impl Payloads {
    /// Remembers what may be met again: the same file under another name, the same content in another file.
    pub fn learn(&mut self, identity: Option<(u64, u64, bool)>, size: u64, digest: Option<Digest>, payload: &Payload) {
        if let Some((device, number, true)) = identity {
            self.by_file.insert((device, number), (size, payload.clone()));
        }
        if let Some(digest) = digest {
            self.by_content.insert(digest, payload.clone());
        }
    }
}

impl<W: Write + Seek> Packing<'_, '_, W> {
    /// Takes back what an earlier run has packed, and ends the file that it was at.
    fn restore(&mut self) -> Result<(), Error> {
        for link in std::mem::take(&mut self.restored.links) {
            self.pipeline.restore(link);
            self.count_payload()?;
        }
        let Some(rest) = self.restored.rest.take() else { return Ok(()) };
        let Rest { begun, file, leaves, cutter } = rest;
        let path = begun.path.to_vec();
        let Some(at) = join(self.root, &path) else { return Ok(()) };
        let (identity, size) = (file.metadata().as_ref().ok().and_then(identity_of), begun.seen.0[0]);
        let mut source = Source::going_on(&at, file, begun.seen.clone()).map_err(|e| Error::io(&at, e))?;
        let (total, options) = (self.total, &mut self.options);
        let reader = source.reporting(|read| options.report(Phase::Pack, read, Some(total)));
        let outcome = self.pipeline.add_rest(reader, &begun, &leaves, cutter);
        if source.check().is_err() {
            // It is met again, and told of then.
            if outcome.is_ok() {
                self.pipeline.forget();
            }
            return Ok(());
        }
        outcome?;
        let payload = (self.payloads.count, begun.key.0.clone());
        self.count_payload()?;
        self.payloads.learn(identity, size, begun.digest.map(ByteArray::into_array), &payload);
        self.restored.files.insert(path, (size, payload));
        Ok(())
    }

    /// Counts a payload that was added.
    fn count_payload(&mut self) -> Result<(), Error> {
        self.payloads.count += 1;
        if self.payloads.count.is_multiple_of(GROUP) {
            self.pipeline.close_directory(payload_name)?;
        }
        Ok(())
    }

    fn content(&mut self, found: &Found) -> Result<Content, Problem> {
        match found.kind {
            Kind::Directory => Ok(Content::Directory),
            Kind::Symlink => {
                let target = fs::read_link(place(self.root, found)).map_err(skip)?;
                let target = name_bytes(target.as_os_str()).ok_or_else(|| skip("its target is no UTF-8"))?;
                Ok(Content::Symlink(target))
            }
            Kind::Other => Err(skip("it is neither a file, a folder nor a link")),
            Kind::File(size) => {
                let outcome = self.file(found);
                self.done += size;
                let (size, (payload, key)) = outcome?;
                Ok(Content::File { size, payload, key })
            }
        }
    }

    /// Gives size and payload of a file, a new one or that of the same file or an identical one.
    fn file(&mut self, found: &Found) -> Result<(u64, Payload), Problem> {
        if let Some(restored) = self.restored.files.remove(&found.path) {
            return Ok(restored);
        }
        let names = found.identity.filter(|id| id.2).map(|id| (id.0, id.1));
        // It is as large as it was then, whatever it is by now.
        if let Some(packed) = names.and_then(|id| self.payloads.by_file.get(&id)) {
            return Ok(packed.clone());
        }
        let at = place(self.root, found);
        let file = open_plain(File::options().read(true), &at).map_err(skip)?;
        if !found.is(&file).map_err(skip)? {
            return Err(skip("it was replaced while the folder was read"));
        }
        let mut source = Source::of_file(&at, file).map_err(skip)?;
        let (size, payload) = self.source(&found.path, &mut source)?;
        self.payloads.learn(found.identity, size, None, &payload);
        Ok((size, payload))
    }

    fn source(&mut self, path: &[u8], source: &mut Source<File>) -> Result<(u64, Payload), Problem> {
        let size = source.expected().unwrap_or_default();
        let may_be_twin = self.payloads.twins.may_be(size);
        let small = if size <= SMALL { Some(source.read_all().map_err(skip)?) } else { None };
        let digest = match &small {
            Some(bytes) => may_be_twin.then(|| digest_of(bytes)),
            None if may_be_twin => Some(source.digest().map_err(skip)?),
            None => None,
        };
        if let Some(payload) = digest.and_then(|digest| self.payloads.by_content.get(&digest)) {
            self.options.report(Phase::Pack, self.done + size, Some(self.total));
            return Ok((size, payload.clone()));
        }
        if self.payloads.count == MAX_PAYLOADS {
            return Err(Error::TooLarge(format!("a folder holds at most {MAX_PAYLOADS} files")).into());
        }
        let note = self.pipeline.checkpoints().map(|_| Note { path: path.into(), seen: source.seen(), digest });
        let key = self.seal(source, small, note)?;
        let payload = (self.payloads.count, key);
        self.count_payload()?;
        self.payloads.learn(None, size, digest, &payload);
        Ok((size, payload))
    }

    fn seal(
        &mut self,
        source: &mut Source<File>,
        small: Option<Vec<u8>>,
        note: Option<Note>,
    ) -> Result<FileKey, Problem> {
        let (done, total) = (self.done, self.total);
        if let Some(bytes) = small {
            self.options.report(Phase::Pack, done + bytes.len() as u64, Some(total));
            return Ok(self.pipeline.add_bytes(bytes, note)?);
        }
        let options = &mut self.options;
        let reader = source.reporting(|read| options.report(Phase::Pack, done + read, Some(total)));
        let sealed = self.pipeline.add(reader, note);
        if let Err(e) = source.check() {
            if sealed.is_ok() {
                self.pipeline.forget();
            }
            return Err(skip(e));
        }
        Ok(sealed?.key)
    }

    fn finish(mut self, name: String, entries: &[Entry], skipped: Vec<Skipped>) -> Result<Packed, Error> {
        if !self.payloads.count.is_multiple_of(GROUP) {
            self.pipeline.close_directory(payload_name)?;
        }
        let (groups, _) = self.pipeline.drain()?;
        let mut root = Vec::new();
        if !groups.is_empty() {
            let groups = groups.into_iter().enumerate().map(|(group, link)| (group_name(group as u64), link)).collect();
            root.push(("data".into(), add_directory(groups, self.pipeline.car())?));
        }
        let manifest = manifest::encode(entries);
        if manifest.len() as u64 > MAX_MANIFEST {
            return Err(manifest::too_large());
        }
        let sealed = self.pipeline.add(&manifest[..], None)?;
        let (_, mut files) = self.pipeline.drain()?;
        root.push(("manifest.age".into(), files.pop().expect("it was just added")));
        let root = add_directory(root, self.pipeline.car())?;
        let sizes = entries.iter().map(|entry| if let Content::File { size, .. } = entry.content { size } else { 0 });
        let size = sizes.fold(0, u64::saturating_add);
        let metadata = Metadata { name, media_type: "inode/directory".into(), size, kind: ContentKind::Folder };
        sealed.packed(self.pipeline.into_car()?, root.cid, metadata, skipped)
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
