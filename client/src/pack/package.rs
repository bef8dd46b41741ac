//! A package that was opened: what is in it, and any part of it.

use std::io::{Read, Seek, Write};
use std::ops::Range;

use cid::Cid;

use super::error::corrupt;
use super::folder::{GROUP, group_name, payload_name};
use super::manifest::{self, Content, Entry, MAX_MANIFEST};
use super::opening::WRONG_SIZE;
use super::shelves::Shelves;
use super::unpacker::Unpacker;
use super::{Error, Key, Options, Phase};
use crate::car::{self, Blocks, CarFile, Extent, FileReader, Place};
use crate::crypt::{self, BodyKey, CHUNK, ContentKind, FileKey, Opened, SEALED_CHUNK};

/// Blocks whose key is known. Blocks and chunks are verified as they are read.
pub struct Package<B> {
    pub(super) car: B,
    key: FileKey,
    /// The manifest of a folder.
    pub(super) entries: Option<Vec<Entry>>,
    /// The directory of groups, and those looked into last.
    data: Option<Vec<car::Entry>>,
    groups: Vec<(u64, Vec<car::Entry>)>,
    /// Where payloads stand, for blocks that are far away.
    shelves: Option<Shelves>,
}

/// Groups that are kept at hand: the one that is read, those that are announced, and some that hold twins of what comes.
const GROUPS: usize = 16;

/// An age file whose header was read, and authenticated.
pub(super) struct Unread<'a, B> {
    pub car: &'a mut B,
    pub root: Cid,
    pub body: BodyKey,
    /// Bytes of header and body.
    pub header: u64,
    pub sealed: u64,
    /// Bytes of plaintext, if nothing was changed.
    pub size: u64,
}

impl<R: Read + Seek> Package<CarFile<R>> {
    /// Indexes a CAR, which the input begins with, and decrypts what tells its content: the header of a file, the manifest of
    /// a folder.
    ///
    /// Errors: [`Error::NoAccess`] with the wrong key; [`Error::Corrupt`], also when the root is another than the one given;
    /// [`Error::Unsupported`] for content that is no package; [`Error::TooLarge`]; [`Error::Io`].
    pub fn open(car: R, root: Option<&Cid>, key: Key<'_>) -> Result<Self, Error> {
        Package::of(CarFile::open(car, root)?, key)
    }
}

impl<B: Blocks> Package<B> {
    /// As [`open`](Package::open), from wherever its blocks are.
    ///
    /// Errors: as [`open`](Package::open); the root is not compared.
    pub fn of(mut car: B, key: Key<'_>) -> Result<Self, Error> {
        let root = car.root();
        let Some(listing) = car.directory(&root)? else {
            let key = open_age(&mut car, &root, key)?.file_key().clone();
            return Ok(Package { car, key, entries: None, data: None, groups: Vec::new(), shelves: None });
        };
        let find = |name| listing.iter().find(|entry| entry.name == name);
        let Some(&car::Entry { cid, tree_size, .. }) = find("manifest.age") else {
            return Err(Error::Unsupported("this folder was not packed by Bauta: no manifest.age".into()));
        };
        // It is the last but the root.
        let extent = car.place_of(&root).and_then(|place| Some((place.at, Extent::of_blocks(tree_size)?)));
        if let Some(place) = extent.and_then(|(end, extent)| Place::ending_at(end, extent.root)) {
            car.stands_at(&cid, &[place]);
            car.announce(&cid, 0..MAX_MANIFEST);
        }
        let mut opened = open_age(&mut car, &cid, key)?;
        let key = opened.file_key().clone();
        let mut bytes = zeroize::Zeroizing::new(Vec::new());
        opened.by_ref().take(MAX_MANIFEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(manifest::too_large());
        }
        let plain = bytes.len() as u64;
        let tags = plain.div_ceil(CHUNK as u64).max(1) * crypt::TAG as u64;
        let header = opened.into_parts().0.size().checked_sub(plain + tags);
        let entries = manifest::decode(&bytes)?;
        drop(bytes);
        let begin = extent.and_then(|(end, extent)| end.checked_sub(extent.span));
        let shelves = header.zip(begin).and_then(|(header, begin)| Shelves::of(&entries, header, begin, &root));
        let data = match find("data") {
            None => None,
            Some(entry) => {
                if let Some(shelves) = &shelves {
                    car.stands_at(&entry.cid, &[shelves.data]);
                }
                Some(car.directory(&entry.cid)?.ok_or_else(|| corrupt("data is no directory"))?)
            }
        };
        Ok(Package { car, key, entries: Some(entries), data, groups: Vec::new(), shelves })
    }

    /// Says whether it is a file or a folder.
    pub fn kind(&self) -> ContentKind {
        if self.entries.is_some() { ContentKind::Folder } else { ContentKind::File }
    }

    /// Gives the root of the CAR.
    pub fn root(&self) -> Cid {
        self.car.root()
    }

    /// Gives the file key: of the file, or of the manifest.
    pub fn file_key(&self) -> &FileKey {
        &self.key
    }

    /// Gives the blocks back.
    pub fn into_blocks(self) -> B {
        self.car
    }

    /// Lists a folder, sorted by path. Nothing for a file.
    pub fn entries(&self) -> &[Entry] {
        self.entries.as_deref().unwrap_or_default()
    }

    /// Opens the one file for reading and seeking.
    ///
    /// Errors: [`Error::Unsupported`] for a folder; [`Error::Corrupt`].
    pub fn open_file(&mut self) -> Result<Opened<FileReader<'_, B>>, Error> {
        let root = self.only_file()?;
        open_age(&mut self.car, &root, Key::File(&self.key))
    }

    /// Opens a file of a folder for reading and seeking; nothing but its own blocks is read.
    ///
    /// Errors: [`Error::NotFound`]; [`Error::Unsupported`] for a folder or link; [`Error::Corrupt`] with its path.
    pub fn open_path(&mut self, path: &[u8]) -> Result<Opened<FileReader<'_, B>>, Error> {
        let (size, payload, key) = self.file_at(path)?;
        self.open_payload(size, payload, &key).map_err(|e| e.inside(path))
    }

    /// Writes bytes of a file to an output, in order, as they are decrypted: of the file at a path of a folder, or of the only one. Not a
    /// block is read that none of them is in. The range is cut off at the end of the file. Gives the bytes written.
    ///
    /// Errors: [`Error::BeyondEnd`] where the range begins at the end or behind it; those of [`open_path`](Package::open_path) and
    /// [`open_file`](Package::open_file); [`Error::Output`] when writing failed. What was written before an error is right.
    pub fn copy(
        &mut self,
        path: Option<&[u8]>,
        range: Option<Range<u64>>,
        out: &mut dyn Write,
        mut options: Options<'_>,
    ) -> Result<u64, Error> {
        let (cid, key, expected) = match path {
            None => (self.only_file()?, self.key.clone(), None),
            Some(path) => {
                let (size, payload, key) = self.file_at(path)?;
                (self.payload_cid(payload).map_err(|e| e.inside(path))?, key, Some(size))
            }
        };
        let inside = |e: Error| if let Some(path) = path { e.inside(path) } else { e };
        if range.is_none() {
            self.car.announce(&cid, 0..u64::MAX);
        }
        let unread = self.open_unread(&cid, &key).map_err(inside)?;
        let size = unread.size;
        if expected.is_some_and(|expected| expected != size) {
            return Err(inside(corrupt(WRONG_SIZE)));
        }
        let wanted = match range {
            None => 0..size,
            Some(range) if range.start >= size => return Err(Error::BeyondEnd { size, from: range.start }),
            Some(range) => {
                let range = range.start..range.end.clamp(range.start, size);
                let sealed = unread.sealed_range(&range);
                unread.car.announce(&cid, sealed);
                range
            }
        };
        let (total, mut done) = (wanted.end - wanted.start, 0);
        let mut failed = None;
        let copied = Unpacker::new().large(unread, wanted, &mut |plain| {
            if let Err(error) = out.write_all(plain) {
                failed = Some(error);
                return Err(Error::Unsupported("writing failed".into()));
            }
            done += plain.len() as u64;
            options.report(Phase::Unpack, done, Some(total));
            Ok(())
        });
        match failed {
            Some(error) => Err(Error::Output(error)),
            None => copied.map(|()| done).map_err(inside),
        }
    }

    fn only_file(&self) -> Result<Cid, Error> {
        match &self.entries {
            Some(_) => Err(Error::Unsupported("this is a folder: name one of its files".into())),
            None => Ok(self.car.root()),
        }
    }

    /// Size, payload and key of a file of a folder.
    fn file_at(&self, path: &[u8]) -> Result<(u64, u64, FileKey), Error> {
        let name = || String::from_utf8_lossy(path).into_owned();
        let found = self.entries().binary_search_by(|entry| entry.path[..].cmp(path));
        let entry = &self.entries()[found.map_err(|_| Error::NotFound(name()))?];
        match &entry.content {
            Content::File { size, payload, key } => Ok((*size, *payload, key.clone())),
            Content::Directory => {
                let inside = [path, b"/"].concat();
                let within = self.entries().iter().filter(|entry| entry.path.starts_with(&inside));
                let some: Vec<_> = within.take(3).map(|entry| String::from_utf8_lossy(&entry.path)).collect();
                let some = if some.is_empty() { String::new() } else { format!(", with {}", some.join(", ")) };
                Err(Error::Unsupported(format!("{} is a folder{some}", name())))
            }
            Content::Symlink(_) => Err(Error::Unsupported(format!("{} is a link", name()))),
        }
    }

    /// Opens a payload, which must have the size that the manifest names.
    fn open_payload(&mut self, size: u64, payload: u64, key: &FileKey) -> Result<Opened<FileReader<'_, B>>, Error> {
        let cid = self.payload_cid(payload)?;
        let mut opened = open_age(&mut self.car, &cid, Key::File(key))?;
        if opened.size()? != size {
            return Err(corrupt(WRONG_SIZE));
        }
        Ok(opened)
    }

    /// Opens an age file, of which nothing but its header is read.
    pub(super) fn open_unread(&mut self, cid: &Cid, key: &FileKey) -> Result<Unread<'_, B>, Error> {
        let (mut reader, body) = open_age(&mut self.car, cid, Key::File(key))?.into_parts();
        let header = reader.stream_position()?;
        let sealed = reader.size() - header;
        let (size, _) = crypt::plain_size(sealed)?;
        let (car, root) = reader.into_car();
        Ok(Unread { car, root, body, header, sealed, size })
    }

    /// Announces that a payload will be read.
    pub(super) fn announce(&mut self, payload: u64) -> Result<(), Error> {
        if self.shelves.is_some() {
            let cid = self.payload_cid(payload)?;
            self.car.announce(&cid, 0..u64::MAX);
        }
        Ok(())
    }

    /// Finds a payload, and says where it may stand.
    pub(super) fn payload_cid(&mut self, payload: u64) -> Result<Cid, Error> {
        let group = payload / GROUP;
        let at = match self.groups.iter().position(|(known, _)| *known == group) {
            Some(at) => at,
            None => {
                let listing = self.list_group(group)?;
                if self.groups.len() == GROUPS {
                    self.groups.remove(0);
                }
                self.groups.push((group, listing));
                self.groups.len() - 1
            }
        };
        let (listing, name) = (&self.groups[at].1, payload_name(payload));
        // Directories are sorted, or they are not listed.
        let found = listing.binary_search_by(|entry| entry.name.cmp(&name));
        let cid = found.map(|at| listing[at].cid).map_err(|_| corrupt(format!("payload {payload} is missing")))?;
        if let Some(shelves) = &self.shelves {
            self.car.stands_at(&cid, &shelves.payload(payload));
        }
        Ok(cid)
    }

    fn list_group(&mut self, group: u64) -> Result<Vec<car::Entry>, Error> {
        let name = group_name(group);
        let groups = self.data.as_deref().ok_or_else(|| corrupt("data is missing"))?;
        let found = groups.binary_search_by(|entry| entry.name.cmp(&name));
        let cid = found.map(|at| groups[at].cid).map_err(|_| corrupt(format!("data/{name} is missing")))?;
        if let Some(shelves) = &self.shelves {
            self.car.stands_at(&cid, &shelves.group(group));
        }
        self.car.directory(&cid)?.ok_or_else(|| corrupt(format!("data/{name} is no directory")))
    }
}

impl<B> Unread<'_, B> {
    /// The chunks that hold a range of plaintext: the number of the first, and the bytes of the file that they are.
    pub fn chunks(&self, range: &Range<u64>) -> (u64, Range<u64>) {
        let (chunk, sealed) = (CHUNK as u64, SEALED_CHUNK as u64);
        let first = range.start / chunk;
        // The last chunk shows that the file ends there, even if what is left of it holds nothing.
        let end = if range.end >= self.size { u64::MAX / sealed } else { range.end.div_ceil(chunk).max(first + 1) };
        let at = |index: u64| self.header + (index * sealed).min(self.sealed);
        (first, at(first)..at(end))
    }

    /// The bytes of the file that a range of plaintext is in.
    pub fn sealed_range(&self, range: &Range<u64>) -> Range<u64> {
        self.chunks(range).1
    }
}

fn open_age<'a, B: Blocks>(car: &'a mut B, cid: &Cid, key: Key<'_>) -> Result<Opened<FileReader<'a, B>>, Error> {
    let file = car.file(cid)?;
    Ok(match key {
        Key::Identity(identity) => crypt::open(file, identity)?,
        Key::File(key) => crypt::open_with_key(file, key)?,
    })
}
