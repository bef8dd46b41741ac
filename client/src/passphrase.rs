//! A text under a passphrase: the file that `age -p` makes.
//!
//! The cost of a guess is a constant here. age's library measures the machine instead, once more for each file that it opens, and refuses
//! what would take sixteen times the second that it aims at: a pause of a busy machine just then makes the right passphrase a wrong one,
//! or a new file easy to guess.

use std::io::{Read, Write};

pub use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, EncryptError, Encryptor, scrypt};
use zeroize::Zeroizing;

/// The cost of a guess, `2^18`: that of `age -p`; about a second and 256 MiB.
const WORK_FACTOR: u8 = 18;
/// The highest that is opened: that of `age`; 4 GiB.
const MAX_WORK_FACTOR: u8 = 22;

/// Why a file stays closed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Closed {
    /// The passphrase is not the one, or the file is damaged.
    #[error("the passphrase is not the one")]
    Wrong,
    /// A guess costs `2^` so much.
    #[error("a guess costs 2^{0}, more than the 2^{MAX_WORK_FACTOR} that are opened")]
    TooCostly(u8),
}

/// Puts a text under a passphrase; `work_factor` replaces the usual cost.
pub(crate) fn lock(text: &[u8], passphrase: &SecretString, work_factor: Option<u8>) -> Result<Vec<u8>, EncryptError> {
    let mut recipient = scrypt::Recipient::new(passphrase.clone());
    recipient.set_work_factor(work_factor.unwrap_or(WORK_FACTOR));
    let mut locked = vec![];
    let mut writer = Encryptor::with_recipients(std::iter::once(&recipient as _))?.wrap_output(&mut locked)?;
    writer.write_all(text)?;
    writer.finish()?;
    Ok(locked)
}

/// Opens what [`lock`] made, or `age -p`.
pub(crate) fn unlock(locked: &[u8], passphrase: &SecretString) -> Result<Zeroizing<Vec<u8>>, Closed> {
    let mut identity = scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    let closed = |error: DecryptError| match error {
        DecryptError::ExcessiveWork { required, .. } => Closed::TooCostly(required),
        _ => Closed::Wrong,
    };
    let decryptor = Decryptor::new(locked).map_err(closed)?;
    let mut reader = decryptor.decrypt(std::iter::once(&identity as _)).map_err(closed)?;
    // As long as it gets: nothing of it is left behind where it grew out of.
    let mut text = Zeroizing::new(Vec::with_capacity(locked.len()));
    reader.read_to_end(&mut text).map_err(|_| Closed::Wrong)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_a_constant_and_what_costs_too_much_is_no_wrong_passphrase() {
        let passphrase = SecretString::from("open sesame".to_string());
        let locked = lock(b"text", &passphrase, None).unwrap();
        let header = String::from_utf8_lossy(&locked);
        let stanza = header.lines().nth(1).unwrap().to_string();
        assert!(stanza.starts_with("-> scrypt ") && stanza.ends_with(" 18"), "{stanza}");
        assert_eq!(*unlock(&locked, &passphrase).unwrap(), b"text");
        assert_eq!(unlock(&locked, &SecretString::from("open barley".to_string())), Err(Closed::Wrong));
        assert_eq!(unlock(&locked[..locked.len() - 1], &passphrase), Err(Closed::Wrong));
        assert_eq!(unlock(b"hunter2", &passphrase), Err(Closed::Wrong));

        let costly = header.find(" 18\n").unwrap();
        let mut changed = locked.clone();
        changed[costly + 1..costly + 3].copy_from_slice(b"23");
        assert_eq!(unlock(&changed, &passphrase), Err(Closed::TooCostly(23)));
    }
}
