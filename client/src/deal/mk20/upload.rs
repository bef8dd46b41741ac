//! Uploads in chunks.
//!
//! A file is cut into chunks of one size, numbered from 1; the last one is what is left. They may come in any order and at the same time.
//!
//! Source: Curio `market/mk20/{mk20_upload,mk20_utils,utils}.go`, `deps/config/types.go`.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::null_is_default;

/// Smallest size of a chunk that providers take by default, in bytes.
pub const MIN_CHUNK: u64 = 16 << 20;
/// Largest size of a chunk that providers take by default, in bytes.
pub const MAX_CHUNK: u64 = 256 << 20;
/// Most bytes that a provider takes in one request.
pub const MAX_REQUEST: u64 = 1 << 30;

/// Posted to `/market/mk20/uploads/{id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartUpload {
    /// Bytes of the file.
    #[serde(default)]
    pub raw_size: u64,
    /// Bytes of a chunk: a power of two.
    #[serde(default)]
    pub chunk_size: i64,
}

/// What `/market/mk20/uploads/{id}` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadStatus {
    /// How many there are.
    pub total_chunks: u64,
    /// How many are there already.
    pub uploaded: u64,
    /// How many are not.
    pub missing: u64,
    /// Those that are there; Go writes none of them as `null`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub uploaded_chunks: Vec<u64>,
    /// Those that are not.
    #[serde(default, deserialize_with = "null_is_default")]
    pub missing_chunks: Vec<u64>,
}

/// How many chunks of `chunk` bytes a file of `size` bytes has.
pub fn chunk_count(size: u64, chunk: u64) -> u64 {
    size.div_ceil(chunk.max(1))
}

/// The bytes of a chunk, counted from 1; empty if there is no such chunk.
pub fn chunk_of(size: u64, chunk: u64, number: u64) -> Range<u64> {
    let start = number.saturating_sub(1).saturating_mul(chunk).min(size);
    let end = if number == 0 { start } else { start.saturating_add(chunk).min(size) };
    start..end
}

impl StartUpload {
    /// Cuts a file into chunks.
    pub fn new(raw_size: u64, chunk_size: u64) -> Self {
        Self { raw_size, chunk_size: i64::try_from(chunk_size).unwrap_or(i64::MAX) }
    }
}

impl UploadStatus {
    /// Finds the size of a chunk that goes with so many of them: only one power of two does, unless the file is one chunk. `None` where the
    /// numbers are not those of this file.
    pub fn chunk_size(&self, size: u64) -> Option<u64> {
        (0..u64::BITS - 1).map(|bit| 1 << bit).find(|chunk| chunk_count(size, *chunk) == self.total_chunks)
    }
}
