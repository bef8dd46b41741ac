//! Folders and files, there and back; and what must not come back.

mod folders;
mod hostile;
mod pipeline;
mod resume;
mod vectors;

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use super::*;
use crate::car::CarWriter;
use crate::crypt::{self, ContentKind};
use crate::vectors::lcg;

pub(super) struct Case {
    pub dir: tempfile::TempDir,
    pub owner: Identity,
}

impl Case {
    pub fn new() -> Self {
        Case { dir: tempfile::tempdir().unwrap(), owner: Identity::generate() }
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    pub fn pack(&self, name: &str) -> Result<(Packed, Vec<u8>), Error> {
        let mut car = Cursor::new(Vec::new());
        let packed = pack(&self.path(name), &[self.owner.recipient()], &mut car, Options::default())?;
        Ok((packed, car.into_inner()))
    }

    /// A file with this content, packed.
    pub fn sealed(&self, plain: &[u8]) -> (Packed, Vec<u8>) {
        let mut car = Cursor::new(Vec::new());
        let packed = pack_reader(plain, "file", &[self.owner.recipient()], &mut car, Options::default()).unwrap();
        (packed, car.into_inner())
    }

    pub fn unpack(&self, car: &[u8], to: &str) -> Result<Unpacked, Error> {
        unpack(Cursor::new(car), None, Key::Identity(&self.owner), &self.path(to), Options::default())
    }

    /// Names in the case's folder: nothing half-written may be among them.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

pub(super) fn bytes(size: usize) -> Vec<u8> {
    lcg(size as u32).take(size).collect()
}

#[test]
fn a_file_comes_back_and_the_piece_is_its_car() {
    for size in [0, 1, 70_000, (1 << 20) - 200, 1 << 20, 3 << 20] {
        let case = Case::new();
        fs::write(case.path("photo.JPG"), bytes(size)).unwrap();
        let (packed, car) = case.pack("photo.JPG").unwrap();
        assert_eq!(packed.piece, crate::piece::CommP::of(&car).unwrap());
        assert_eq!(packed.piece.payload_size, car.len() as u64);
        assert_eq!(
            packed.metadata,
            Metadata {
                name: "photo.JPG".into(),
                media_type: "image/jpeg".into(),
                size: size as u64,
                kind: ContentKind::File,
            }
        );
        assert_eq!(crypt::unwrap(&packed.wraps[0], &case.owner).unwrap().expose(), packed.file_key.expose());
        let unpacked = case.unpack(&car, "back").unwrap();
        assert_eq!(unpacked, Unpacked { kind: ContentKind::File, entries: 1, bytes: size as u64 });
        assert_eq!(fs::read(case.path("back")).unwrap(), bytes(size));
        assert!(matches!(case.unpack(&car, "back"), Err(Error::Exists(_))));
        let key = Key::File(&packed.file_key);
        let again = Options { overwrite: true, ..Options::default() };
        unpack(Cursor::new(&car), Some(&packed.payload_cid), key, &case.path("back"), again).unwrap();
        assert_eq!(case.names(), ["back", "photo.JPG"]);

        // The one file of the CAR is an age file of its own, and it can be streamed.
        let stream = crate::car::FileStream::new(&car[..], &packed.payload_cid).unwrap();
        let mut plain = Vec::new();
        crypt::open(stream, &case.owner).unwrap().read_to_end(&mut plain).unwrap();
        assert!(plain == bytes(size));
    }
}

#[test]
fn standard_input_can_be_packed() {
    let case = Case::new();
    let mut car = Cursor::new(b"in front".to_vec());
    car.set_position(8);
    let all = [case.owner.recipient(), Identity::generate().recipient()];
    let packed = pack_reader(&b"from a pipe"[..], "notes.txt", &all, &mut car, Options::default()).unwrap();
    assert_eq!((packed.wraps.len(), &*packed.metadata.media_type, packed.metadata.size), (2, "text/plain", 11));
    let car = &car.get_ref()[8..];
    assert_eq!(crate::piece::CommP::of(car).unwrap(), packed.piece);
    case.unpack(car, "notes").unwrap();
    assert_eq!(fs::read(case.path("notes")).unwrap(), b"from a pipe");
}

#[test]
fn a_range_of_a_file_is_read_without_the_rest() {
    use std::io::{Seek, SeekFrom};
    let case = Case::new();
    let plain = bytes(5 << 20);
    fs::write(case.path("film"), &plain).unwrap();
    let (packed, mut car) = case.pack("film").unwrap();
    // The second leaf is broken: what does not touch it can be read.
    let at = 59 + 39 + (1 << 20) + 39 + 500;
    car[at] ^= 1;
    let mut package = Package::open(Cursor::new(&car), None, Key::File(&packed.file_key)).unwrap();
    let mut opened = package.open_file().unwrap();
    let mut found = vec![0; 1000];
    opened.seek(SeekFrom::Start(3 << 20)).unwrap();
    opened.read_exact(&mut found).unwrap();
    assert!(found == plain[3 << 20..][..1000]);
    opened.seek(SeekFrom::Start((1 << 20) + 1000)).map(|_| ()).unwrap_err();
    opened.seek(SeekFrom::Start(7)).unwrap();
    opened.read_exact(&mut found).unwrap();
    assert!(found == plain[7..][..1000]);
}

#[test]
fn the_wrong_key_opens_nothing() {
    let case = Case::new();
    fs::write(case.path("file"), "secret").unwrap();
    fs::create_dir(case.path("folder")).unwrap();
    for name in ["file", "folder"] {
        let (packed, car) = case.pack(name).unwrap();
        let open = |key: Key<'_>| unpack(Cursor::new(&car), None, key, &case.path("back"), Options::default());
        assert!(matches!(open(Key::Identity(&Identity::generate())), Err(Error::NoAccess(_))));
        assert!(matches!(open(Key::File(&FileKey::generate())), Err(Error::NoAccess(_))));
        let other = Cid::try_from("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy").unwrap();
        let wrong = unpack(
            Cursor::new(&car),
            Some(&other),
            Key::File(&packed.file_key),
            &case.path("back"),
            Options::default(),
        );
        assert!(matches!(wrong, Err(Error::Corrupt { .. })));
    }
    assert_eq!(case.names(), ["file", "folder"]);
}

#[test]
fn progress_ends_at_the_total() {
    let case = Case::new();
    fs::write(case.path("film"), bytes(5 << 20)).unwrap();
    let mut seen = Vec::new();
    let mut car = Cursor::new(Vec::new());
    let mut tell = |progress| seen.push(progress);
    let options = Options { progress: Some(&mut tell), ..Options::default() };
    pack(&case.path("film"), &[case.owner.recipient()], &mut car, options).unwrap();
    let mut tell = |progress| seen.push(progress);
    let options = Options { progress: Some(&mut tell), ..Options::default() };
    unpack(car, None, Key::Identity(&case.owner), &case.path("back"), options).unwrap();
    for phase in [Phase::Pack, Phase::Unpack] {
        let of: Vec<_> = seen.iter().filter(|progress| progress.phase == phase).collect();
        assert!(of.len() >= 5 && of.is_sorted_by_key(|progress| progress.done));
        assert_eq!((of[of.len() - 1].done, of[0].total), (5 << 20, Some(5 << 20)));
    }
}

#[test]
fn an_output_file_appears_whole_or_not_at_all() {
    let case = Case::new();
    fs::create_dir(case.path("folder")).unwrap();
    fs::write(case.path("folder/a"), "a").unwrap();
    let to =
        |out: &str| pack_to_file(&case.path("folder"), &[case.owner.recipient()], Path::new(out), Options::default());
    // Inside the folder that is packed: it does not pack itself.
    let inside = case.path("folder/out.car");
    let packed = to(inside.to_str().unwrap()).unwrap();
    assert!(packed.skipped.is_empty());
    let package = Package::open(fs::File::open(&inside).unwrap(), None, Key::Identity(&case.owner)).unwrap();
    assert_eq!(package.entries().iter().map(|entry| &entry.path[..]).collect::<Vec<_>>(), [b"a"]);
    assert!(matches!(to(inside.to_str().unwrap()), Err(Error::Exists(_))));
    let missing = pack_to_file(&case.path("none"), &[], &case.path("none.car"), Options::default());
    assert!(matches!(missing, Err(Error::Io { path, .. }) if path.ends_with("none")));
    let nobody = pack_to_file(&case.path("folder"), &[], &case.path("none.car"), Options::default());
    assert!(nobody.is_err());
    assert_eq!(case.names(), ["folder"]);
}
