//! What the fuzz targets check of the inside.

use std::collections::HashSet;

use fvm_ipld_encoding::from_slice;

use super::journal::{self, Checkpoint, Head};
use super::manifest::{self, Content};
use crate::crypt::{BodyKey, FileKey, TAG};
use crate::piece::Saved;

pub(crate) fn fuzz_manifest(bytes: &[u8]) {
    let Ok(entries) = manifest::decode(bytes) else { return };
    assert_eq!(manifest::encode(&entries).as_slice(), bytes);
    assert!(entries.is_sorted_by(|one, next| one.path < next.path));
    let folders: HashSet<_> = entries
        .iter()
        .filter(|entry| matches!(entry.content, Content::Directory))
        .map(|entry| &entry.path[..])
        .collect();
    for entry in &entries {
        for name in entry.path.split(|byte| *byte == b'/') {
            assert!(!name.is_empty() && name.len() <= 255 && name != b"." && name != b".." && !name.contains(&0));
        }
        if let Some(at) = entry.path.iter().rposition(|byte| *byte == b'/') {
            assert!(folders.contains(&entry.path[..at]));
        }
        assert!(entry.mode <= 0o7777);
    }
}

pub(crate) fn fuzz_journal(bytes: &[u8]) {
    let body = || BodyKey::new(&FileKey::from_bytes([1; 16]), &[2; 16]);
    assert!(journal::parse(&mut &bytes[..], &body()).is_none(), "nobody has sealed this");
    let _ = from_slice::<Head>(bytes);
    if let Ok(checkpoint) = from_slice::<Checkpoint>(bytes) {
        for file in &checkpoint.finished {
            let _ = (file.link(), file.digest());
        }
        let _ = Saved::from_bytes(&checkpoint.comm_p);
    }
    // The input as sealed lines, each as long as its first byte says.
    let (mut lines, mut rest, mut index) = (Vec::new(), bytes, 0);
    while let Some((length, more)) = rest.split_first() {
        let (line, more) = more.split_at(more.len().min(usize::from(*length) * 4));
        let mut line = line.to_vec();
        let tag = body().seal(index, false, &mut line);
        lines.extend_from_slice(&((line.len() + TAG) as u32).to_le_bytes());
        lines.extend_from_slice(&line);
        lines.extend_from_slice(&tag);
        (rest, index) = (more, index + 1);
    }
    let _ = journal::parse(&mut &lines[..], &body());
}
