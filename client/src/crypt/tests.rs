//! Our age files and those of stock age, good and bad.

mod interop;
mod vectors;

use std::io::{Cursor, Read, Seek, SeekFrom};

use super::stream::{BodyKey, CHUNK, SEALED_CHUNK, TAG};
use super::*;
use crate::vectors::lcg;

pub(super) fn sealed(plain: &[u8], recipients: &[Recipient]) -> Vec<u8> {
    let mut file = Vec::new();
    seal(plain, recipients).unwrap().read_to_end(&mut file).unwrap();
    file
}

pub(super) fn read(mut opened: Opened<impl Read>) -> Result<Vec<u8>, Error> {
    let mut plain = Vec::new();
    opened.read_to_end(&mut plain)?;
    Ok(plain)
}

pub(super) fn bytes(size: usize) -> Vec<u8> {
    lcg(size as u32).take(size).collect()
}

/// A file of three and a bit chunks, where its body begins, and who reads it.
fn long_file() -> (Vec<u8>, usize, Identity) {
    let identity = Identity::generate();
    let plain = bytes(3 * CHUNK + 100);
    let file = sealed(&plain, &[identity.recipient()]);
    let body = file.len() - (3 * SEALED_CHUNK + 100 + TAG);
    (file, body, identity)
}

fn fails(file: &[u8], identity: &Identity) -> Error {
    open(file, identity).and_then(read).expect_err("a broken file is refused")
}

#[test]
fn a_body_that_changed_names_its_chunk() {
    let (mut file, body, identity) = long_file();
    for (at, chunk) in [(0, 0), (CHUNK, 0), (SEALED_CHUNK, 1), (2 * SEALED_CHUNK + 5, 2), (3 * SEALED_CHUNK + 115, 3)] {
        file[body + at] ^= 1;
        assert!(matches!(fails(&file, &identity), Error::Chunk(n) if n == chunk), "byte {at}");
        file[body + at] ^= 1;
    }
    // Two chunks changed places.
    let (one, two) = file[body..].split_at_mut(SEALED_CHUNK);
    one.swap_with_slice(&mut two[..SEALED_CHUNK]);
    assert!(matches!(fails(&file, &identity), Error::Chunk(0)));
}

#[test]
fn a_body_that_was_cut_is_no_file() {
    let (file, body, identity) = long_file();
    for keep in [0, 1, 15, SEALED_CHUNK, 2 * SEALED_CHUNK, 3 * SEALED_CHUNK, 3 * SEALED_CHUNK + 15] {
        assert!(matches!(fails(&file[..body + keep], &identity), Error::Truncated), "{keep} bytes of body");
    }
    // In the middle of a chunk a cut and a change look the same.
    for (keep, chunk) in [(16, 0), (SEALED_CHUNK - 1, 0), (SEALED_CHUNK + 17, 1), (3 * SEALED_CHUNK + 115, 3)] {
        assert!(
            matches!(fails(&file[..body + keep], &identity), Error::Chunk(n) if n == chunk),
            "{keep} bytes of body"
        );
    }
    for keep in 0..body {
        let Err(e) = open(&file[..keep], &identity) else { panic!("{keep} bytes of header were taken") };
        assert!(matches!(e, Error::Truncated), "{keep} bytes of header: {e}");
    }
}

#[test]
fn data_behind_the_end_is_refused() {
    let identity = Identity::generate();
    let mut whole = sealed(&bytes(2 * CHUNK), &[identity.recipient()]);
    whole.push(0);
    assert!(matches!(fails(&whole, &identity), Error::TrailingData));
    let (mut file, _, identity) = long_file();
    file.push(0);
    assert!(matches!(fails(&file, &identity), Error::Chunk(3)));
    file.extend(vec![0; 2 * SEALED_CHUNK]);
    assert!(matches!(fails(&file, &identity), Error::Chunk(3)));
}

#[test]
fn an_empty_last_chunk_is_refused() {
    let key = FileKey::generate();
    let file = sealed(&[], &[Identity::generate().recipient()]);
    let header = header::Header::read(&file[..]).unwrap();
    let body = BodyKey::new(&key, &header.nonce);
    let mut first = bytes(CHUNK);
    let tag = body.seal(0, false, &mut first);
    first.extend(tag);
    first.extend(body.seal(1, true, &mut []));
    let text = header::write_header(&key, [&b"-> test\n\n"[..]]).unwrap();
    let file = [&text[..], &header.nonce, &first].concat();
    let e = open_with_key(&file[..], &key).and_then(read).expect_err("an empty last chunk is refused");
    assert!(matches!(e, Error::Malformed("the age file ends with an empty chunk")), "{e}");
}

#[test]
fn after_an_error_comes_no_end() {
    let (mut file, body, identity) = long_file();
    file[body] ^= 1;
    let mut opened = open(&file[..], &identity).unwrap();
    let mut out = [0; 10];
    assert!(opened.read(&mut out).is_err());
    assert!(opened.read(&mut out).is_err());
}

/// A reader that fails once and then goes on has lost what was read ahead: no age file may come of it that looks whole.
#[test]
fn after_a_failed_read_nothing_more_is_sealed() {
    struct FailsOnce(usize);
    impl Read for FailsOnce {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            match self.0 {
                3 => Err(std::io::ErrorKind::TimedOut.into()),
                n if n > 9 => Ok(0),
                _ => Ok(out.len()),
            }
        }
    }
    let mut sealed = seal(FailsOnce(0), &[Identity::generate().recipient()]).unwrap();
    let mut out = Vec::new();
    assert!(sealed.read_to_end(&mut out).is_err());
    assert!(sealed.read(&mut [0; 10]).is_err());
}

#[test]
fn the_wrong_key_is_told_from_a_changed_header() {
    let (file, body, identity) = long_file();
    assert!(matches!(fails(&file, &Identity::generate()), Error::NoMatch));
    assert!(matches!(open_with_key(&file[..], &FileKey::generate()), Err(Error::WrongKey)));

    // A second stanza slipped in.
    let text = String::from_utf8(file[..body - 16].to_vec()).unwrap();
    let changed = [text.replace("---", "-> other\n\n---").as_bytes(), &file[body - 16..]].concat();
    assert!(matches!(fails(&changed, &identity), Error::HeaderChanged));

    // A header of one file before the body of another.
    let (other, other_body, _) = long_file();
    let swapped = [&file[..body], &other[other_body..]].concat();
    assert!(matches!(fails(&swapped, &identity), Error::Chunk(0)));
}

#[test]
fn a_new_header_over_the_same_body_is_a_valid_file() {
    let (owner, friend) = (Identity::generate(), Identity::generate());
    let plain = bytes(CHUNK + 1);
    let file = sealed(&plain, &[owner.recipient()]);
    let key = open(&file[..], &owner).unwrap().file_key().clone();
    let mut again = Vec::new();
    reheader(&file[..], &key, &[friend.recipient()]).unwrap().read_to_end(&mut again).unwrap();
    assert_eq!(read(open(&again[..], &friend).unwrap()).unwrap(), plain);
    assert!(matches!(fails(&again, &owner), Error::NoMatch));
    let body = SEALED_CHUNK + TAG + 1;
    assert_eq!(file[file.len() - body..], again[again.len() - body..]);
    assert!(matches!(reheader(&file[..], &FileKey::generate(), &[friend.recipient()]), Err(Error::WrongKey)));
    assert!(matches!(reheader(&file[..], &key, &[]), Err(Error::Malformed(_))));
    assert!(matches!(seal(&b""[..], &[]), Err(Error::Malformed(_))));
}

#[test]
fn any_range_can_be_read() {
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 100] {
        let identity = Identity::generate();
        let plain = bytes(size);
        // The age file may stand behind something else.
        let file = [&b"before"[..], &sealed(&plain, &[identity.recipient()])].concat();
        let mut input = Cursor::new(&file[..]);
        input.set_position(6);
        let mut opened = open(input, &identity).unwrap();
        let mut first = [0; 3];
        let n = opened.read(&mut first).unwrap();
        assert_eq!(first[..n], plain[..n]);
        assert_eq!(opened.size().unwrap(), size as u64);
        assert_eq!(opened.stream_position().unwrap(), n as u64);
        for from in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, size / 2, size].into_iter().filter(|at| *at <= size)
        {
            assert_eq!(opened.seek(SeekFrom::Start(from as u64)).unwrap(), from as u64);
            let mut rest = Vec::new();
            opened.read_to_end(&mut rest).unwrap();
            assert!(rest == plain[from..], "{size} bytes from {from}");
            assert_eq!(opened.seek(SeekFrom::End(from as i64 - size as i64)).unwrap(), from as u64);
            rest.clear();
            opened.by_ref().take(10).read_to_end(&mut rest).unwrap();
            assert!(rest == plain[from..size.min(from + 10)], "{size} bytes from {from}, 10 of them");
        }
        assert_eq!(opened.seek(SeekFrom::Start(u64::MAX)).unwrap(), size as u64);
        assert!(opened.seek(SeekFrom::Current(-1 - size as i64)).is_err());
    }
}

#[test]
fn a_cut_file_is_noticed_before_any_range_is_read() {
    let (file, body, identity) = long_file();
    let cut = &file[..body + 2 * SEALED_CHUNK];
    let mut opened = open(Cursor::new(cut), &identity).unwrap();
    let e = Error::from(opened.seek(SeekFrom::Start(5)).expect_err("the size does not authenticate"));
    assert!(matches!(e, Error::Truncated), "{e}");
}

#[test]
fn wraps_carry_the_key_and_nothing_else_opens_them() {
    let identity = Identity::generate();
    let key = FileKey::generate();
    let wrap = wrap(&key, &identity.recipient()).unwrap();
    assert_eq!(unwrap(&wrap, &identity).unwrap().expose(), key.expose());
    assert!(matches!(unwrap(&wrap, &Identity::generate()), Err(Error::NoMatch)));
    assert!(key.commitment().check(&unwrap(&wrap, &identity).unwrap()).is_ok());
    assert!(matches!(key.commitment().check(&FileKey::generate()), Err(Error::WrongKey)));
    // The wraps of a file are the stanzas of its header.
    let sealed = seal(&b""[..], &[identity.recipient(), Identity::generate().recipient()]).unwrap();
    assert_eq!(sealed.wraps().len(), 2);
    assert_eq!(unwrap(&sealed.wraps()[0], &identity).unwrap().expose(), sealed.file_key().expose());
    let long = b"-> x\nAAAA\n".repeat(205);
    assert!(matches!(Wrap::from_bytes(long), Err(Error::TooLarge { limit: 2048, .. })));
}

#[test]
fn a_header_has_an_end_whatever_its_lines_are() {
    for line in ["\n", "-> X25519 \n", "AAAA\n"] {
        let endless = Read::chain(&b"age-encryption.org/v1\n"[..], Lines(line.as_bytes(), 0));
        assert!(matches!(open(endless, &Identity::generate()), Err(Error::TooLarge { .. })), "{line:?}");
    }
}

/// The same line for ever.
struct Lines(&'static [u8], usize);

impl Read for Lines {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        for byte in &mut *bytes {
            *byte = self.0[self.1];
            self.1 = (self.1 + 1) % self.0.len();
        }
        Ok(bytes.len())
    }
}

#[test]
fn secrets_are_not_printed() {
    let identity = Identity::generate();
    let secret = identity.to_file().lines().last().unwrap().to_string();
    assert!(!format!("{identity:?}").contains(&secret[16..]));
    let key = FileKey::from_bytes([0x42; 16]);
    assert_eq!(format!("{key:?}"), "FileKey(secret)");
    let e = Identity::parse_file(&secret[..40]).unwrap_err();
    assert!(!e.to_string().contains(&secret[16..30]), "{e}");
    let again = Identity::parse_file(&identity.to_file()).unwrap();
    assert_eq!(again[0].recipient(), identity.recipient());
}

#[test]
fn metadata_fits_and_hides_its_size() {
    let key = FileKey::generate();
    let metadata = |name: &str, media_type: &str, size| Metadata {
        name: name.into(),
        media_type: media_type.into(),
        size,
        kind: ContentKind::File,
    };
    for size in [0, 1, 23, 24, 255, 256, 0x1000, u64::from(u32::MAX), 1 << 32, 1 << 56, u64::MAX] {
        for kind in [ContentKind::File, ContentKind::Folder] {
            let metadata = Metadata { kind, ..metadata("photo.jpg", "image/jpeg", size) };
            let sealed = metadata.seal(&key);
            assert_eq!(sealed.len(), 24 + 64 + 16);
            assert_eq!(Metadata::open(&sealed, &key).unwrap(), metadata);
            assert_ne!(metadata.seal(&key), sealed, "nonces differ");
        }
    }
    let longest = metadata(&"ø".repeat(400), &"x".repeat(255), u64::MAX);
    let sealed = longest.seal(&key);
    assert!(sealed.len() <= MAX_METADATA);
    assert_eq!(Metadata::open(&sealed, &key).unwrap().name, "ø".repeat(256));
    let odd = metadata(&format!("{}ø", "a".repeat(511)), &"x".repeat(256), 0).seal(&key);
    let odd = Metadata::open(&odd, &key).unwrap();
    assert_eq!((odd.name.len(), odd.media_type.len()), (511, 0));

    let mut changed = sealed.clone();
    changed[30] ^= 1;
    assert!(matches!(Metadata::open(&changed, &key), Err(Error::WrongKey)));
    assert!(matches!(Metadata::open(&sealed, &FileKey::generate()), Err(Error::WrongKey)));
    assert!(matches!(Metadata::open(&sealed[1..], &key), Err(Error::Malformed(_))));
    assert!(matches!(Metadata::open(&[], &key), Err(Error::Malformed(_))));
    assert!(matches!(Metadata::open(&[0; 1025], &key), Err(Error::TooLarge { .. })));
}
