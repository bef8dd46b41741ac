//! What is measured on: bytes that no compressor or deduplicator can shorten, the same in every run.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

const MIB: usize = 1 << 20;

/// Fills with noise of a fixed seed.
pub fn noise(bytes: &mut [u8]) {
    let mut x = 0x2545_f491_4f6c_dd1du64;
    for word in bytes.as_chunks_mut::<8>().0 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        *word = x.to_le_bytes();
    }
}

/// Writes a file of so many bytes, unless it is there.
pub fn file(path: &Path, bytes: u64) -> io::Result<()> {
    if path.metadata().is_ok_and(|found| found.len() == bytes) {
        return Ok(());
    }
    let mut buffer = vec![0; MIB];
    noise(&mut buffer);
    let mut file = File::create(path)?;
    let mut left = bytes;
    while left > 0 {
        let size = usize::try_from(left).map_or(MIB, |left| left.min(MIB));
        buffer[..8].copy_from_slice(&left.to_le_bytes());
        file.write_all(&buffer[..size])?;
        left -= size as u64;
    }
    file.sync_all()
}

/// Writes files of 200 to 8,000 bytes, a thousand to a folder. Gives their size.
pub fn folder(path: &Path, files: u64) -> io::Result<u64> {
    let mut buffer = vec![0; 8192];
    noise(&mut buffer);
    let mut bytes = 0;
    for i in 0..files {
        let folder = path.join(format!("folder {}", i / 1000));
        if i % 1000 == 0 {
            fs::create_dir_all(&folder)?;
        }
        let size = 200 + i * 7919 % 7800;
        buffer[..8].copy_from_slice(&i.to_le_bytes());
        fs::write(
            folder.join(format!("file number {i}.txt")),
            &buffer[..usize::try_from(size).expect("some thousands")],
        )?;
        bytes += size;
    }
    Ok(bytes)
}

/// Moves a folder out of the way, to be removed with everything at the end: for minutes after thousands of files were removed, ext4 takes many times
/// as long to make new ones, because it passes over the numbers that they had.
pub fn put_aside(folder: &Path) -> io::Result<()> {
    let aside = tempfile::Builder::new().prefix("aside-").tempdir_in(folder.parent().unwrap_or(Path::new(".")))?.keep();
    fs::rename(folder, aside.join("folder"))
}
