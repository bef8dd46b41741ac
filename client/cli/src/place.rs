//! Where output goes: stdout, or a path that appears only when it is whole, and never over something else unless forced.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::exit::{Exit, Failure};
use crate::progress;

/// A path of the command line that is written to.
#[derive(Debug, Clone)]
pub struct Place {
    path: PathBuf,
    force: bool,
    /// The name of what is made beside it; random without.
    beside: Option<String>,
}

/// What comes to stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// A folder beside a place. It vanishes when this is dropped; nobody else gets into it, and while this process has it nobody sweeps it away.
#[derive(Debug)]
pub struct Beside {
    folder: TempDir,
    _held: Option<File>,
}

impl Beside {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Whether a path is `-`.
pub fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

impl Place {
    /// A place that is free, or may be overwritten; looked at before any work is done.
    pub fn free(path: &Path, force: bool) -> anyhow::Result<Self> {
        if !force && fs::symlink_metadata(path).is_ok() {
            return Err(taken(path));
        }
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") && !path.is_dir() {
            return Err(Failure::usage(format!(
                "{} is no folder: make it first, or leave out the last /",
                path.display()
            )));
        }
        if path.file_name().is_none() {
            return Err(Failure::usage(format!("{} is not a file name", path.display())));
        }
        let folder = folder_of(path);
        if !folder.is_dir() {
            return Err(Failure::because(Exit::Failed, format!("{} is not a folder", folder.display())));
        }
        Ok(Self { path: path.into(), force, beside: None })
    }

    /// Says whether what is made may take the place of what stands there: never a file that of a folder, or the other way round, whatever is
    /// forced. Asked before any work is done.
    pub fn suits(&self, made: Made) -> anyhow::Result<()> {
        let Ok(there) = fs::symlink_metadata(&self.path) else { return Ok(()) };
        let shown = self.path.display();
        match (made, there.is_dir()) {
            (Made::File, true) => {
                Err(Failure::usage(format!("{shown} is a folder, and this is a file: name a file in it")))
            }
            (Made::Folder, false) => {
                Err(Failure::usage(format!("{shown} is a file, and this is a folder: name another place")))
            }
            _ => Ok(()),
        }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes what is made beside it under this name, and first removes what a killed process has left there. The caller sees to it that
    /// nobody else uses the name.
    pub fn beside(self, name: &str) -> Self {
        let left = folder_of(&self.path).join(format!(".bauta-{name}"));
        let gone =
            fs::remove_dir_all(&left).is_ok() || fs::remove_file(&left).is_ok() || fs::symlink_metadata(&left).is_err();
        Self { beside: gone.then(|| name.into()), ..self }
    }

    /// As [`Place::beside`] for whoever cannot see to that: what another process is still making stays, and this one takes another name.
    pub fn beside_unless_held(self, name: &str) -> Self {
        let left = folder_of(&self.path).join(format!(".bauta-{name}"));
        let is_folder = fs::symlink_metadata(&left).is_ok_and(|there| there.is_dir());
        let is_held = is_folder && File::open(&left).is_ok_and(|held| held.try_lock().is_err());
        if is_held { self } else { self.beside(name) }
    }

    /// The folder that it is in.
    pub fn folder_of(&self) -> PathBuf {
        folder_of(&self.path)
    }

    /// A file beside it that vanishes unless [`Place::publish`]ed; `mode` before the umask.
    pub fn file(&self, mode: u32) -> io::Result<NamedTempFile> {
        let permissions = fs::Permissions::from_mode(mode);
        let (prefix, random) = self.name();
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).rand_bytes(random).permissions(permissions).tempfile_in(folder_of(&self.path))
    }

    /// As [`Place::file`], locked, and under a name that the next process for this place finds again: what a killed one has left is removed, what
    /// another one is making stays.
    ///
    /// Nobody removes or moves a file of that name but who has its lock.
    pub fn file_again(&self, mode: u32) -> io::Result<NamedTempFile> {
        let name = self.hashed("pack");
        sweep(&folder_of(&self.path).join(format!(".bauta-{name}")));
        let made = Self { beside: Some(name), ..self.clone() }.file(mode);
        // Somebody else has made it, or thinks that it was left behind: then it is not ours to remove.
        match made {
            Ok(made) => match made.as_file().try_lock() {
                Err(TryLockError::WouldBlock) => drop(made.keep()),
                _ if is_at(made.as_file(), made.path()) => return Ok(made),
                _ => drop(made.keep()),
            },
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
        }
        let made = self.file(mode)?;
        // Where the file system knows no locks there are none.
        let _ = made.as_file().try_lock();
        Ok(made)
    }

    /// A name for what is made here. Not the place's own: that may be as long as a name can be.
    pub fn hashed(&self, what: &str) -> String {
        let mut hash = DefaultHasher::new();
        self.path.file_name().hash(&mut hash);
        format!("{what}-{:016x}", hash.finish())
    }

    /// A folder beside it that vanishes unless what was made inside is [`Place::adopt`]ed, and that nobody else gets into.
    pub fn folder(&self) -> io::Result<Beside> {
        let (prefix, random) = self.name();
        let folder = private_folder(&prefix, random, &folder_of(&self.path))?;
        // Where folders cannot be locked, a process that is still at work may be taken for one that was killed.
        let held = File::open(folder.path()).ok().filter(|held| held.try_lock().is_ok());
        Ok(Beside { folder, _held: held })
    }

    fn name(&self) -> (String, usize) {
        match &self.beside {
            Some(name) => (format!(".bauta-{name}"), 0),
            None => (".bauta-".into(), 6),
        }
    }

    /// Puts a whole file into its place.
    pub fn publish(&self, file: NamedTempFile) -> anyhow::Result<()> {
        file.as_file().sync_all()?;
        progress::publish()?;
        let moved = if self.force { file.persist(&self.path) } else { file.persist_noclobber(&self.path) };
        moved.map_err(|e| self.explain(e.error))?;
        sync(&folder_of(&self.path))?;
        Ok(())
    }

    /// Puts a whole file or folder, made inside of [`Place::folder`], into its place. What stood there goes only when the new one is there.
    pub fn adopt(&self, made: &Path) -> anyhow::Result<()> {
        self.suits(if made.is_dir() { Made::Folder } else { Made::File })?;
        progress::publish()?;
        if self.force && fs::symlink_metadata(&self.path).is_ok() {
            let old = private_folder(".bauta-old-", 6, &folder_of(&self.path))?;
            let aside: OsString = self.path.file_name().unwrap_or_default().into();
            let aside = old.path().join(aside);
            fs::rename(&self.path, &aside)?;
            if let Err(error) = fs::rename(made, &self.path) {
                if fs::rename(&aside, &self.path).is_err() {
                    // What stood here is not lost with the folder that it was put into.
                    let kept = old.keep().join(aside.file_name().unwrap_or_default());
                    let what = format!("{}; what stood there is now {}", self.path.display(), kept.display());
                    return Err(anyhow::Error::new(error).context(what));
                }
                return Err(error.into());
            }
        } else if made.is_file() && self.link(made)? {
            fs::remove_file(made)?;
        } else if fs::symlink_metadata(&self.path).is_ok() {
            return Err(taken(&self.path));
        } else {
            fs::rename(made, &self.path)?;
        }
        sync(&folder_of(&self.path))?;
        Ok(())
    }

    /// Gives a file this name too, which nothing else gets meanwhile. No where this cannot be.
    fn link(&self, made: &Path) -> anyhow::Result<bool> {
        match fs::hard_link(made, &self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(&self.path)),
            Err(_) => Ok(false),
        }
    }

    fn explain(&self, error: io::Error) -> anyhow::Error {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return taken(&self.path);
        }
        anyhow::Error::new(error).context(self.path.display().to_string())
    }
}

fn taken(path: &Path) -> anyhow::Error {
    let shown = path.display();
    Failure::because(Exit::Failed, format!("{shown} exists: -o names another place, --force overwrites it"))
}

fn private_folder(prefix: &str, random: usize, inside: &Path) -> io::Result<TempDir> {
    let private = fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix(prefix).rand_bytes(random).permissions(private).tempdir_in(inside)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.into(),
        _ => PathBuf::from("."),
    }
}

/// Removes a file that nobody holds.
fn sweep(left: &Path) {
    // What cannot be looked at or removed stays, and whatever is no file: a pipe would be waited for.
    if fs::symlink_metadata(left).is_ok_and(|about| about.is_file())
        && let Ok(file) = File::open(left)
        && file.try_lock().is_ok()
        && is_at(&file, left)
    {
        let _ = fs::remove_file(left);
    }
}

/// Whether a file is still the one of that name.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |about: fs::Metadata| (about.dev(), about.ino());
    let found = fs::symlink_metadata(path).map(id).ok();
    found.is_some() && file.metadata().map(id).ok() == found
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A name from elsewhere made into one that is safe in this folder.
pub fn safe_name(name: &str, otherwise: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let cleaned: String = base.chars().filter(|c| !c.is_control()).collect();
    let cleaned = cleaned.trim();
    // A leading dot would hide the file, or be `.` or `..`; a leading dash would be an option.
    let cleaned = cleaned.trim_start_matches(['.', '-']);
    let mut end = cleaned.len().min(200);
    while !cleaned.is_char_boundary(end) {
        end -= 1;
    }
    if cleaned[..end].is_empty() { otherwise.into() } else { cleaned[..end].into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn names_are_made_safe() {
        for (name, safe) in [
            ("photo.jpg", "photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("a\\b\\c.txt", "c.txt"),
            ("..", "file-7"),
            (".bashrc", "bashrc"),
            ("-rf", "rf"),
            ("x\n\u{1b}[31my", "x[31my"),
            ("", "file-7"),
            ("/", "file-7"),
        ] {
            assert_eq!(safe_name(name, "file-7"), safe);
        }
        assert!(safe_name(&"å".repeat(300), "x").len() <= 200);
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let place = Place::free(&path, false).unwrap();
        let mut file = place.file(0o666).unwrap();
        file.write_all(b"new").unwrap();
        fs::write(&path, b"came in between").unwrap();
        assert!(place.publish(file).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"came in between");
        assert!(Place::free(&path, false).is_err());
        let place = Place::free(&path, true).unwrap();
        let mut file = place.file(0o666).unwrap();
        file.write_all(b"forced").unwrap();
        place.publish(file).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"forced");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_never_takes_the_place_of_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::create_dir_all(path.join("deep")).unwrap();
        let place = Place::free(&path, true).unwrap();
        assert!(place.suits(Made::File).is_err() && place.suits(Made::Folder).is_ok());
        let made = place.folder().unwrap();
        fs::write(made.path().join("precious"), b"a file").unwrap();
        assert!(place.adopt(&made.path().join("precious")).is_err());
        assert!(path.join("deep").is_dir());
        let other = folder.path().join("a-file");
        fs::write(&other, b"").unwrap();
        assert!(Place::free(&other, true).unwrap().suits(Made::Folder).is_err());
    }

    #[test]
    fn what_came_in_between_stays() {
        let folder = tempfile::tempdir().unwrap();
        for is_file in [true, false] {
            let path = folder.path().join("out");
            let place = Place::free(&path, false).unwrap();
            let made = place.folder().unwrap();
            let inside = made.path().join("out");
            if is_file {
                fs::write(&inside, b"new").unwrap()
            } else {
                fs::create_dir(&inside).unwrap()
            }
            if is_file {
                fs::write(&path, b"came").unwrap()
            } else {
                fs::create_dir(&path).unwrap()
            }
            let error = place.adopt(&inside).unwrap_err().to_string();
            assert!(error.contains("exists"), "{error}");
            if is_file {
                assert_eq!(fs::read(&path).unwrap(), b"came");
                fs::remove_file(&path).unwrap();
                place.adopt(&inside).unwrap();
                assert_eq!(fs::read(&path).unwrap(), b"new");
                fs::remove_file(&path).unwrap();
            }
        }
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_another_one_makes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = || Place::free(&folder.path().join("out"), false).unwrap().beside_unless_held("job");
        let first = place().folder().unwrap();
        fs::write(first.path().join("half"), b"").unwrap();
        assert!(first.path().ends_with(".bauta-job"));
        // Another one at the same time has a name of its own.
        let second = place().folder().unwrap();
        assert!(first.path().join("half").exists() && !second.path().ends_with(".bauta-job"));
        // Killed: the folder stays, and nobody holds it.
        let Beside { folder: left, _held: held } = first;
        let left = left.keep();
        drop((held, second));
        let third = place().folder().unwrap();
        assert_eq!(third.path(), left);
        assert!(!left.join("half").exists());
    }

    #[test]
    fn a_file_of_a_killed_process_is_removed_and_that_of_another_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::free(&folder.path().join("out"), false).unwrap();
        let mut first = place.file_again(0o666).unwrap();
        first.write_all(b"half").unwrap();
        let second = place.file_again(0o666).unwrap();
        assert_ne!(first.path(), second.path());
        assert_eq!(fs::read(first.path()).unwrap(), b"half");
        // Killed: the file stays, and nobody holds it.
        let (file, left) = first.keep().unwrap();
        drop((file, second));
        let third = place.file_again(0o666).unwrap();
        assert_eq!((third.path(), fs::read(&left).unwrap()), (&*left, Vec::new()));
        place.publish(third).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // What is no file of ours is left alone.
        std::os::unix::fs::symlink("out", &left).unwrap();
        assert_ne!(place.file_again(0o666).unwrap().path(), left);
        assert!(left.is_symlink() && folder.path().join("out").exists());
    }

    #[test]
    fn a_folder_replaces_another_one_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tree");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("old"), b"").unwrap();
        let place = Place::free(&path, true).unwrap();
        let made = place.folder().unwrap();
        fs::create_dir(made.path().join("tree")).unwrap();
        fs::write(made.path().join("tree/new"), b"").unwrap();
        place.adopt(&made.path().join("tree")).unwrap();
        drop(made);
        assert!(path.join("new").exists() && !path.join("old").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
