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
mod tests;
