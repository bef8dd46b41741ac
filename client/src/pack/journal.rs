//! The journal of a pack into a file: what whoever continues it has to know. It is an age file to the owner's own identity, so nobody else learns a
//! key from it, and every line of it is authenticated:
//!
//! ```text
//! age header, nonce | length (u32), sealed head | length, sealed checkpoint | length, sealed checkpoint | ...
//! ```
//!
//! Each sealed part is DAG-CBOR under the chunk cipher of age, by its number. A line that was not written to its end, or belongs to another journal, ends it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use cid::Cid;
use fvm_ipld_encoding::{from_slice, to_vec};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteArray, ByteBuf, Bytes};
use zeroize::Zeroizing;

use super::twins::Digest;
use crate::car::Link;
use crate::crypt::{self, BodyKey, Envelope, FileKey, Identity, Recipient, TAG};
use crate::home::{FileError, create_private_folder};

/// The version of the form; another one is not read.
const FORM: u64 = 1;
/// Longest line read: more than a checkpoint of the smallest files needs.
const MAX_LINE: u64 = 128 << 20;
/// Most files in a checkpoint that speaks of all there is, so that its line is read again: a path has 4,096 bytes at most.
const FILES_A_LINE: usize = 20_000;

/// What a file was when it was looked at. The same again means the same content, as far as a file system can tell: its size, times of content
/// and state to the nanosecond, device and number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen(pub Vec<u64>);

/// A file key in the sealed parts.
#[derive(Debug, Clone)]
pub(super) struct Secret(pub FileKey);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes::new(self.0.expose()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Secret(FileKey::from_bytes(ByteArray::deserialize(deserializer)?.into_array())))
    }
}

/// What is packed, for whom, and into what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    form: u64,
    /// The file or folder, without links.
    pub source: ByteBuf,
    pub recipients: Vec<String>,
    /// The CAR in the making: its path, and what it was when it was made.
    pub part: ByteBuf,
    pub part_id: (u64, u64),
}

impl Head {
    pub fn new(source: &Path, recipients: &[Recipient], part: &Path, part_id: (u64, u64)) -> Self {
        let bytes = |path: &Path| ByteBuf::from(path.as_os_str().as_encoded_bytes());
        let recipients = recipients.iter().map(Recipient::to_string).collect();
        Head { form: FORM, source: bytes(source), recipients, part: bytes(part), part_id }
    }

    /// Says whether both pack the same for the same.
    pub fn is_for(&self, source: &Path, recipients: &[Recipient]) -> bool {
        let same = recipients.iter().map(Recipient::to_string).eq(self.recipients.iter().cloned());
        same && self.source == source.as_os_str().as_encoded_bytes()
    }
}

/// A file that is in the CAR to its last block.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Finished {
    /// Path inside the folder.
    pub path: ByteBuf,
    pub seen: Seen,
    pub key: Secret,
    /// Root, bytes and tree of the age file.
    pub root: (ByteBuf, u64, u64),
    /// Where the CAR stood behind it.
    pub end: u64,
    /// Of its content, where that was looked at.
    pub digest: Option<ByteArray<32>>,
}

impl Finished {
    pub fn link(&self) -> Option<Link> {
        let (cid, size, tree_size) = &self.root;
        Some(Link { cid: Cid::try_from(&cid[..]).ok()?, size: *size, tree_size: *tree_size })
    }

    pub fn digest(&self) -> Option<Digest> {
        self.digest.map(ByteArray::into_array)
    }
}

/// A file of which blocks are in the CAR.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Begun {
    /// Path inside the folder; empty where the file is all there is.
    pub path: ByteBuf,
    pub seen: Seen,
    pub key: Secret,
    /// The age header and the nonce of the body.
    pub header: ByteBuf,
    pub wraps: Vec<ByteBuf>,
    /// Where its first block begins in the CAR.
    pub start: u64,
    pub digest: Option<ByteArray<32>>,
}

/// What is on the disk for good.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Bytes of the CAR.
    pub size: u64,
    /// The commitment to most of them: see [`crate::piece::Saved`].
    pub comm_p: ByteBuf,
    /// Nodes of its tree that were kept since the checkpoint before, 32 bytes each.
    pub nodes: ByteBuf,
    /// What was finished since the checkpoint before.
    pub finished: Vec<Finished>,
    /// What stands across the end.
    pub begun: Option<Begun>,
}

/// A journal that is written.
pub(super) struct Journal {
    file: File,
    body: BodyKey,
    index: u64,
}

impl Journal {
    /// Begins one over whatever is at the path, 0600. With a state, it is on the disk when this returns, in as many lines as it needs; without,
    /// nothing would be lost.
    ///
    /// Errors: the system's.
    pub fn create(path: &Path, owner: &Recipient, head: &Head, state: Option<&Checkpoint>) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        create_private_folder(folder).map_err(|e| match e {
            FileError::Io { source, .. } => source,
            e => io::Error::other(e),
        })?;
        let key = FileKey::generate();
        let Envelope { header, body, .. } = Envelope::new(&key, std::slice::from_ref(owner))?;
        // Always of one name, so that a kill leaves nothing that the next pass does not overwrite.
        let beside = path.with_extension("new");
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(&header)?;
        let mut journal = Journal { file, body, index: 0 };
        journal.line(head)?;
        if let Some(state) = state {
            let (first, rest) = state.finished.split_at(state.finished.len().min(FILES_A_LINE));
            let mut part = Checkpoint { finished: first.to_vec(), begun: None, ..state.clone() };
            for next in rest.chunks(FILES_A_LINE) {
                journal.line(&part)?;
                part = Checkpoint { finished: next.to_vec(), nodes: ByteBuf::new(), ..part };
            }
            journal.line(&Checkpoint { begun: state.begun.clone(), ..part })?;
            journal.file.sync_all()?;
        }
        fs::rename(&beside, path)?;
        if state.is_some() {
            #[cfg(unix)]
            File::open(folder)?.sync_all()?;
        }
        Ok(journal)
    }

    /// Adds a checkpoint; it is on the disk when this returns.
    ///
    /// Errors: the system's.
    pub fn append(&mut self, checkpoint: &Checkpoint) -> io::Result<()> {
        self.line(checkpoint)?;
        self.file.sync_data()
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = Zeroizing::new(to_vec(line).map_err(io::Error::other)?);
        let tag = self.body.seal(self.index, false, &mut bytes);
        self.index += 1;
        let length = u32::try_from(bytes.len() + TAG).map_err(io::Error::other)?;
        self.file.write_all(&[&length.to_le_bytes()[..], &bytes, &tag].concat())
    }
}

/// Reads a journal as far as it is whole. `None` where there is none, or none that one of these identities opens.
pub(super) fn read(path: &Path, identities: &[Identity]) -> Option<(Head, Vec<Checkpoint>)> {
    let bytes = fs::read(path).ok()?;
    let (mut rest, body) =
        identities.iter().find_map(|identity| Some(crypt::open(&bytes[..], identity).ok()?.into_parts()))?;
    parse(&mut rest, &body)
}

/// Reads the lines behind the header.
pub(super) fn parse(input: &mut impl Read, body: &BodyKey) -> Option<(Head, Vec<Checkpoint>)> {
    let head: Head = from_slice(&line(input, body, 0)?).ok().filter(|head: &Head| head.form == FORM)?;
    let rest = (1..).map_while(|index| from_slice(&line(input, body, index)?).ok());
    Some((head, rest.collect()))
}

fn line(input: &mut impl Read, body: &BodyKey, index: u64) -> Option<Zeroizing<Vec<u8>>> {
    let mut length = [0; 4];
    input.read_exact(&mut length).ok()?;
    let length = u64::from(u32::from_le_bytes(length));
    if length > MAX_LINE {
        return None;
    }
    let mut sealed = Vec::new();
    input.take(length).read_to_end(&mut sealed).ok()?;
    let mut plain = Zeroizing::new(vec![0; sealed.len().checked_sub(TAG)?]);
    (sealed.len() as u64 == length).then_some(())?;
    body.open(index, false, &sealed, &mut plain).ok()?;
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let all = [Identity::generate().recipient()];
        Head::new(Path::new("/a"), &all, Path::new("/b/.part"), (1, 2))
    }

    fn checkpoint(size: u64) -> Checkpoint {
        let finished = Finished {
            path: ByteBuf::from(*b"a/b"),
            seen: Seen(vec![1, 2, 3]),
            key: Secret(FileKey::from_bytes([0xab; 16])),
            root: (ByteBuf::from([1]), 2, 3),
            end: size,
            digest: Some(ByteArray::new([7; 32])),
        };
        Checkpoint { size, finished: vec![finished], ..Checkpoint::default() }
    }

    #[test]
    fn what_was_written_is_read_up_to_where_it_was_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private/journal");
        let (owner, head) = (Identity::generate(), head());
        let mut journal = Journal::create(&path, &owner.recipient(), &head, None).unwrap();
        let mut ends = vec![fs::metadata(&path).unwrap().len()];
        for size in [1, 2, 3] {
            journal.append(&checkpoint(size)).unwrap();
            ends.push(fs::metadata(&path).unwrap().len());
        }
        let whole = fs::read(&path).unwrap();
        for keep in 0..=whole.len() {
            fs::write(&path, &whole[..keep]).unwrap();
            let found = read(&path, &[Identity::generate(), owner.clone()]);
            let lines = ends.iter().filter(|end| **end <= keep as u64).count();
            assert_eq!(
                found.as_ref().map(|(_, checkpoints)| checkpoints.len() + 1).unwrap_or(0),
                lines,
                "{keep} bytes"
            );
            if let Some((found, checkpoints)) = found {
                assert_eq!(found, head);
                assert!(checkpoints.iter().map(|checkpoint| checkpoint.size).eq(1..lines as u64));
            }
        }
        // A changed byte ends it, too; and so does a line in another's place.
        for at in (0..whole.len()).step_by(7) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            let lines =
                read(&path, std::slice::from_ref(&owner)).map(|(_, checkpoints)| checkpoints.len() + 1).unwrap_or(0);
            assert!(lines < 4, "byte {at}");
        }
        let [_, first, second, _] = ends[..] else { panic!() };
        let swapped = [&whole[..ends[0] as usize], &whole[first as usize..second as usize]].concat();
        fs::write(&path, swapped).unwrap();
        assert_eq!(read(&path, &[owner]).unwrap().1.len(), 0);
    }

    #[test]
    fn a_state_of_many_files_takes_several_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let owner = Identity::generate();
        let one = checkpoint(9).finished.remove(0);
        let many = |n: usize| (0..n).map(|n| Finished { end: n as u64, ..one.clone() }).collect::<Vec<_>>();
        for (count, lines) in [(1, 1), (FILES_A_LINE, 1), (FILES_A_LINE + 1, 2), (2 * FILES_A_LINE + 5, 3)] {
            let begun = Begun {
                path: ByteBuf::new(),
                seen: Seen(vec![1]),
                key: one.key.clone(),
                header: ByteBuf::new(),
                wraps: Vec::new(),
                start: 3,
                digest: None,
            };
            let nodes = ByteBuf::from([7; 32]);
            let state = Checkpoint { size: 9, nodes, finished: many(count), begun: Some(begun), ..Default::default() };
            Journal::create(&path, &owner.recipient(), &head(), Some(&state)).unwrap();
            let (_, read) = read(&path, std::slice::from_ref(&owner)).unwrap();
            assert_eq!(read.len(), lines);
            assert!(read.iter().flat_map(|line| &line.finished).map(|file| file.end).eq(0..count as u64));
            assert_eq!(read.iter().map(|line| line.nodes.len()).sum::<usize>(), 32);
            assert!(read.iter().all(|line| line.size == 9));
            // What stands across the end is told of where the end is.
            let begun: Vec<bool> = read.iter().map(|line| line.begun.is_some()).collect();
            assert_eq!(begun, [vec![false; lines - 1], vec![true]].concat());
        }
    }

    #[test]
    fn nobody_else_reads_a_key_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::create(&path, &Identity::generate().recipient(), &head(), None).unwrap();
        journal.append(&checkpoint(1)).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(8).any(|window| window == [0xab; 8]));
        assert!(read(&path, &[Identity::generate()]).is_none());
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
    }
}
