//! Any bytes as the manifest of a folder: what is taken leads nowhere outside of it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| bauta_client::fuzzing::manifest(bytes));
