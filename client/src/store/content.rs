//! What is at a path, in 32 bytes: of a folder names, kinds, modes, sizes, times and a hash of every byte; of a file its bytes. The same again is the
//! same job.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

const BUFFER: usize = 256 << 10;

/// Hashes what is at a path, but for what is excluded inside of it. A symbolic link is its target's text, never what it leads to; only the path itself is followed.
/// What cannot be read inside of a folder counts as that: it will be left out, and be looked for again by whoever can read it later.
///
/// `read` is told of the bytes as they go by and may stop it with an error.
///
/// Errors: of the path itself, and of `read`.
pub fn identify(path: &Path, exclude: &[PathBuf], read: &mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<[u8; 32]> {
    let about = fs::metadata(path)?;
    if about.is_dir() {
        fs::read_dir(path)?;
    } else if about.is_file() {
        File::open(path)?;
    } else {
        // Opening a pipe would wait for somebody to write into it.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is neither a file nor a folder"));
    }
    let mut content = Content { exclude, hash: Sha256::new(), read };
    content.entry(path, Path::new(""), &about)?;
    Ok(content.hash.finalize().into())
}

struct Content<'a> {
    exclude: &'a [PathBuf],
    hash: Sha256,
    read: &'a mut dyn FnMut(u64) -> io::Result<()>,
}

impl Content<'_> {
    fn entry(&mut self, path: &Path, inner: &Path, about: &fs::Metadata) -> io::Result<()> {
        let kind = about.file_type();
        self.text(inner.as_os_str().as_encoded_bytes());
        if kind.is_file() && inner.as_os_str().is_empty() {
            // Of one file only the content goes into the package: touched, it is the same.
            self.hash.update(about.len().to_le_bytes());
            let digest = self.bytes_of(path)??;
            self.hash.update(digest);
            return Ok(());
        }
        self.hash.update(mode(about).to_le_bytes());
        if kind.is_dir() {
            return self.folder(path, inner);
        }
        let (before, distance) = match about.modified()?.duration_since(UNIX_EPOCH) {
            Ok(since) => (0u8, since),
            Err(earlier) => (1, earlier.duration()),
        };
        self.hash.update([before]);
        self.hash.update(distance.as_nanos().to_le_bytes());
        if kind.is_symlink() {
            match fs::read_link(path) {
                Ok(target) => self.text(target.as_os_str().as_encoded_bytes()),
                Err(why) => self.unreadable(&why),
            }
        } else if kind.is_file() {
            self.hash.update(about.len().to_le_bytes());
            match self.bytes_of(path)? {
                Ok(digest) => self.hash.update(digest),
                Err(why) => self.unreadable(&why),
            }
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path, inner: &Path) -> io::Result<()> {
        let listing =
            fs::read_dir(path).and_then(|all| all.map(|child| Ok(child?.file_name())).collect::<io::Result<Vec<_>>>());
        let mut children = match listing {
            Ok(children) => children,
            Err(why) => {
                self.unreadable(&why);
                return Ok(());
            }
        };
        children.retain(|name| !self.exclude.contains(&path.join(name)));
        children.sort();
        self.hash.update((children.len() as u64).to_le_bytes());
        for name in children {
            let (child, inner) = (path.join(&name), inner.join(&name));
            match fs::symlink_metadata(&child) {
                Ok(about) => self.entry(&child, &inner, &about)?,
                Err(why) => {
                    self.text(inner.as_os_str().as_encoded_bytes());
                    self.unreadable(&why);
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.hash.update((text.len() as u64).to_le_bytes());
        self.hash.update(text);
    }

    /// No length of a text, and no number of children, is as large.
    fn unreadable(&mut self, why: &io::Error) {
        self.hash.update(u64::MAX.to_le_bytes());
        self.text(why.kind().to_string().as_bytes());
    }

    /// The outer error is that of whoever counts.
    fn bytes_of(&mut self, path: &Path) -> io::Result<io::Result<[u8; 32]>> {
        let (mut file, mut hash, mut buffer) = match File::open(path) {
            Ok(file) => (file, Sha256::new(), vec![0; BUFFER]),
            Err(why) => return Ok(Err(why)),
        };
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Ok(hash.finalize().into())),
                Ok(n) => {
                    (self.read)(n as u64)?;
                    hash.update(&buffer[..n]);
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Ok(Err(why)),
            }
        }
    }
}

#[cfg(unix)]
fn mode(about: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(about)
}

#[cfg(not(unix))]
fn mode(about: &fs::Metadata) -> u32 {
    u32::from(about.permissions().readonly())
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
    fn what_cannot_be_read_counts_as_that() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("closed");
        fs::write(&file, b"bytes").unwrap();
        let open = id(folder.path());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        let closed = id(folder.path());
        assert_ne!(open, closed, "its mode is another, and it cannot be read");
        assert_eq!(closed, id(folder.path()));
    }

    #[test]
    fn whoever_counts_can_stop_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), b"bytes").unwrap();
        assert!(identify(folder.path(), &[], &mut |_| Err(io::Error::other("enough"))).is_err());
    }
}
