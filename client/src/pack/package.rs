//! A package that was opened: what is in it, and any part of it.

use std::io::{Read, Seek};

use cid::Cid;

use super::error::corrupt;
use super::folder::{GROUP, group_name, payload_name};
use super::manifest::{self, Content, Entry, MAX_MANIFEST};
use super::{Error, Key};
use crate::car::{self, CarFile, FileReader};
use crate::crypt::{self, BodyKey, ContentKind, FileKey, Opened};

/// A CAR whose key is known. Blocks and chunks are verified as they are read.
pub struct Package<R> {
    pub(super) car: CarFile<R>,
    key: FileKey,
    /// The manifest of a folder.
    pub(super) entries: Option<Vec<Entry>>,
    /// The directory of payloads looked into last.
    group: Option<(u64, Vec<car::Entry>)>,
}

/// An age file whose header was read, and authenticated.
pub(super) struct Unread<'a, R> {
    pub car: &'a mut CarFile<R>,
    pub root: Cid,
    pub body: BodyKey,
    /// Bytes of header and body.
    pub header: u64,
    pub sealed: u64,
    /// Bytes of plaintext, if nothing was changed.
    pub size: u64,
}

impl<R: Read + Seek> Package<R> {
    /// Indexes a CAR, which the input begins with, and decrypts what tells its content: the header of a file, the manifest of
    /// a folder.
    ///
    /// Errors: [`Error::NoAccess`] with the wrong key; [`Error::Corrupt`], also when the root is another than the one given;
    /// [`Error::Unsupported`] for content that is no package.
    pub fn open(car: R, root: Option<&Cid>, key: Key<'_>) -> Result<Self, Error> {
        let mut car = CarFile::open(car, root)?;
        let root = car.root();
        let Some(listing) = car.directory(&root)? else {
            let key = open_age(&mut car, &root, key)?.file_key().clone();
            return Ok(Package { car, key, entries: None, group: None });
        };
        let cid = listing.iter().find(|entry| entry.name == "manifest.age").map(|entry| entry.cid);
        let cid =
            cid.ok_or_else(|| Error::Unsupported("this folder was not packed by Bauta: no manifest.age".into()))?;
        let opened = open_age(&mut car, &cid, key)?;
        let key = opened.file_key().clone();
        let mut bytes = zeroize::Zeroizing::new(Vec::new());
        opened.take(MAX_MANIFEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(Error::TooLarge(format!("a manifest has at most {MAX_MANIFEST} bytes")));
        }
        let entries = Some(manifest::decode(&bytes)?);
        Ok(Package { car, key, entries, group: None })
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

    /// Lists a folder, sorted by path. Nothing for a file.
    pub fn entries(&self) -> &[Entry] {
        self.entries.as_deref().unwrap_or_default()
    }

    /// Opens the one file for reading and seeking.
    ///
    /// Errors: [`Error::Unsupported`] for a folder; [`Error::Corrupt`].
    pub fn open_file(&mut self) -> Result<Opened<FileReader<'_, R>>, Error> {
        if self.entries.is_some() {
            return Err(Error::Unsupported("this is a folder: name one of its files".into()));
        }
        let root = self.car.root();
        open_age(&mut self.car, &root, Key::File(&self.key))
    }

    /// Opens a file of a folder for reading and seeking; nothing but its own blocks is read.
    ///
    /// Errors: [`Error::NotFound`]; [`Error::Unsupported`] for a folder or link; [`Error::Corrupt`] with its path.
    pub fn open_path(&mut self, path: &[u8]) -> Result<Opened<FileReader<'_, R>>, Error> {
        let name = || String::from_utf8_lossy(path).into_owned();
        let found = self.entries().binary_search_by(|entry| entry.path[..].cmp(path));
        let entry = &self.entries()[found.map_err(|_| Error::NotFound(name()))?];
        let (size, payload, key) = match &entry.content {
            Content::File { size, payload, key } => (*size, *payload, key.clone()),
            Content::Directory => return Err(Error::Unsupported(format!("{} is a folder", name()))),
            Content::Symlink(_) => return Err(Error::Unsupported(format!("{} is a link", name()))),
        };
        self.open_payload(size, payload, &key).map_err(|e| e.inside(path))
    }

    /// Opens a payload, which must have the size that the manifest names.
    fn open_payload(&mut self, size: u64, payload: u64, key: &FileKey) -> Result<Opened<FileReader<'_, R>>, Error> {
        let cid = self.payload_cid(payload)?;
        let mut opened = open_age(&mut self.car, &cid, Key::File(key))?;
        if opened.size()? != size {
            return Err(corrupt("its size is not the one in the manifest"));
        }
        Ok(opened)
    }

    /// Opens an age file, of which nothing but its header is read.
    pub(super) fn open_unread(&mut self, cid: &Cid, key: &FileKey) -> Result<Unread<'_, R>, Error> {
        let (mut reader, body) = open_age(&mut self.car, cid, Key::File(key))?.into_parts();
        let header = reader.stream_position()?;
        let sealed = reader.size() - header;
        let (size, _) = crypt::plain_size(sealed)?;
        let (car, root) = reader.into_car();
        Ok(Unread { car, root, body, header, sealed, size })
    }

    pub(super) fn payload_cid(&mut self, payload: u64) -> Result<Cid, Error> {
        let group = payload / GROUP;
        if self.group.as_ref().is_none_or(|(known, _)| *known != group) {
            let root = self.car.root();
            let directory = self.car.resolve(&root, &format!("data/{}", group_name(group))).map_err(missing)?;
            let listing = self.car.directory(&directory)?.ok_or_else(|| corrupt("data is no directory"))?;
            self.group = Some((group, listing));
        }
        let listing = self.group.as_ref().map(|(_, listing)| &listing[..]).unwrap_or_default();
        let name = payload_name(payload);
        // Directories are sorted, or they are not listed.
        let found = listing.binary_search_by(|entry| entry.name.cmp(&name));
        found.map(|at| listing[at].cid).map_err(|_| corrupt(format!("payload {payload} is missing")))
    }
}

/// What the manifest names must be there.
fn missing(e: car::Error) -> Error {
    match e {
        car::Error::NotFound(path) => corrupt(format!("{path} is missing")),
        e => e.into(),
    }
}

fn open_age<'a, R: Read + Seek>(
    car: &'a mut CarFile<R>,
    cid: &Cid,
    key: Key<'_>,
) -> Result<Opened<FileReader<'a, R>>, Error> {
    let file = car.file(cid)?;
    Ok(match key {
        Key::Identity(identity) => crypt::open(file, identity)?,
        Key::File(key) => crypt::open_with_key(file, key)?,
    })
}
