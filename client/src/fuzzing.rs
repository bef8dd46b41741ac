//! Doors for the fuzz targets to what has no other. Compiled with `--cfg fuzzing` only.

/// Reads a manifest, and checks of what is taken what the unpacker relies on.
pub fn manifest(bytes: &[u8]) {
    crate::pack::fuzz_manifest(bytes);
}

/// Reads the journal of a pack: as it lies on the disk, and each line behind its cipher.
pub fn pack_journal(bytes: &[u8]) {
    crate::pack::fuzz_journal(bytes);
}

/// Reads the journal of a put; what is taken is written and read again.
pub fn put_journal(bytes: &[u8]) {
    crate::store::fuzz_journal(bytes);
}
