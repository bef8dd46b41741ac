//! What is at a path, in 32 bytes: names, kinds, sizes, times and a hash of every byte. The same again is the same job.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

const BUFFER: usize = 256 << 10;

/// Hashes what is at a path, but for what is excluded inside of it. A symbolic link is its target's text, never what it leads to; only the path itself is followed.
///
/// `read` is told of the bytes as they go by and may stop it with an error.
pub fn identify(path: &Path, exclude: &[PathBuf], read: &mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let about = fs::metadata(path)?;
    entry(path, Path::new(""), &about, exclude, &mut hash, read)?;
    Ok(hash.finalize().into())
}

fn entry(
    path: &Path,
    inner: &Path,
    about: &fs::Metadata,
    exclude: &[PathBuf],
    hash: &mut Sha256,
    read: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<()> {
    let kind = about.file_type();
    text(hash, inner.as_os_str().as_encoded_bytes());
    hash.update(mode(about).to_le_bytes());
    if kind.is_dir() {
        let mut children =
            fs::read_dir(path)?.map(|child| child.map(|c| c.file_name())).collect::<io::Result<Vec<_>>>()?;
        children.retain(|name| !exclude.contains(&path.join(name)));
        children.sort();
        hash.update((children.len() as u64).to_le_bytes());
        for name in children {
            let child = path.join(&name);
            entry(&child, &inner.join(&name), &fs::symlink_metadata(&child)?, exclude, hash, read)?;
        }
        return Ok(());
    }
    let modified = about.modified()?;
    let (before, distance) = match modified.duration_since(UNIX_EPOCH) {
        Ok(since) => (0u8, since),
        Err(earlier) => (1, earlier.duration()),
    };
    hash.update([before]);
    hash.update(distance.as_nanos().to_le_bytes());
    if kind.is_symlink() {
        text(hash, fs::read_link(path)?.as_os_str().as_encoded_bytes());
    } else if kind.is_file() {
        hash.update(about.len().to_le_bytes());
        hash.update(bytes_of(path, read)?);
    }
    Ok(())
}

#[cfg(unix)]
fn mode(about: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(about)
}

#[cfg(not(unix))]
fn mode(about: &fs::Metadata) -> u32 {
    u32::from(about.permissions().readonly())
}

fn text(hash: &mut Sha256, text: &[u8]) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

fn bytes_of(path: &Path, read: &mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<[u8; 32]> {
    let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; BUFFER]);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(hash.finalize().into());
        }
        read(n as u64)?;
        hash.update(&buffer[..n]);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn id(path: &Path) -> [u8; 32] {
        identify(path, &[], &mut |_| Ok(())).unwrap()
    }

    fn touch(path: &Path, seconds: u64) {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .unwrap();
    }

    #[test]
    fn every_change_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, file) = (folder.path().join("tree"), folder.path().join("tree/file"));
        fs::create_dir(&tree).unwrap();
        fs::write(&file, b"one").unwrap();
        touch(&file, 1_000);
        let first = id(&tree);
        assert_eq!(first, id(&tree), "the same is the same");

        touch(&file, 1_001);
        let later = id(&tree);
        fs::write(&file, b"two").unwrap();
        touch(&file, 1_001);
        let other_bytes = id(&tree);
        std::os::unix::fs::symlink("file", tree.join("link")).unwrap();
        let with_link = id(&tree);
        fs::rename(&file, tree.join("elif")).unwrap();
        let all = [first, later, other_bytes, with_link, id(&tree)];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b), "{i}");
        }
    }

    #[test]
    fn a_link_that_leads_nowhere_is_its_text() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", folder.path().join("link")).unwrap();
        id(folder.path());
        assert!(
            identify(&folder.path().join("link"), &[], &mut |_| Ok(())).is_err(),
            "the path itself has to be there"
        );
    }

    #[test]
    fn whoever_counts_can_stop_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), b"bytes").unwrap();
        assert!(identify(folder.path(), &[], &mut |_| Err(io::Error::other("enough"))).is_err());
    }
}
