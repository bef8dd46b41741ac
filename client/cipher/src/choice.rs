//! Which library the machine does fastest, asked for when the answer is worth its price.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::{Cipher, Library, TAG};

/// Names a library, and so decides; one that is unknown or that the machine does not have is passed over.
const VARIABLE: &str = "BAUTA_CIPHER";

/// Shorter texts are the linked library's: the others take longer to begin.
pub(crate) const LONG: usize = 64 << 10;
/// Bytes of long texts after which another library can win back the time that it takes to open it.
const WORTH_ASKING: u64 = 32 << 20;

static CHOSEN: OnceLock<Library> = OnceLock::new();

/// The one for a text of so many bytes: the linked one until it is worth asking for a faster one.
pub(crate) fn for_text(size: usize) -> Library {
    static BEHIND: AtomicU64 = AtomicU64::new(0);
    if let Some(named) = named() {
        return named;
    }
    if size < LONG || (CHOSEN.get().is_none() && BEHIND.fetch_add(size as u64, Relaxed) < WORTH_ASKING) {
        return Library::AwsLc;
    }
    chosen()
}

/// The one for much text. Decided once.
pub(crate) fn chosen() -> Library {
    *CHOSEN.get_or_init(|| named().unwrap_or_else(fastest))
}

/// What the environment names, if the machine has it.
fn named() -> Option<Library> {
    static NAMED: OnceLock<Option<Library>> = OnceLock::new();
    *NAMED.get_or_init(|| {
        let name: Option<Library> = std::env::var(VARIABLE).ok().and_then(|name| name.parse().ok());
        name.filter(|library| library.is_available())
    })
}

/// The system's, if it gives the same as the linked one in at most nine tenths of its time. Pure Rust never wins beside that.
fn fastest() -> Library {
    let run = |library| Cipher::with(library, &[0x5a; 32]).ok().map(|cipher| time(&cipher));
    match (run(Library::AwsLc), run(Library::OpenSsl)) {
        (Some((linked, expected)), Some((system, found))) if found == expected && system * 10 <= linked * 9 => {
            Library::OpenSsl
        }
        _ => Library::AwsLc,
    }
}

/// The shortest of five times for a chunk, some twenty microseconds each, and what came out.
fn time(cipher: &Cipher) -> (Duration, (Vec<u8>, [u8; TAG])) {
    let mut text = vec![0x5a; LONG];
    let mut tag = [0; TAG];
    let times = (0..5u8).map(|i| {
        let start = Instant::now();
        tag = cipher.seal(&[i; 12], &mut text);
        start.elapsed()
    });
    (times.min().expect("five times"), (text, tag))
}
