//! `bauta pack` into a file goes on where an earlier run was stopped: the journal is kept at home, one for each place that is written to.

use std::path::{Path, PathBuf};

use bauta_client::crypt::{Identity, Recipient};
use bauta_client::pack::{self, Options, Packed, Resume};

use crate::context::Context;
use crate::output::Notes;
use crate::place::Place;
use crate::progress::interrupted;

/// The journal of a pack into a place.
pub struct Journal {
    path: PathBuf,
    identities: Vec<Identity>,
}

impl Journal {
    /// The one for this place. It is sealed to the user's own identity; who has none, or has it under a passphrase that nothing else asks for, packs
    /// without.
    pub fn of(context: &Context, place: &Place) -> anyhow::Result<Self> {
        let folder = place.folder_of().canonicalize()?;
        let at = folder.join(place.path().file_name().unwrap_or_default());
        let ring = context.keyring();
        let open = ring.exists() && !ring.is_locked()?;
        let identities = if open { context.identities()? } else { Vec::new() };
        Ok(Self { path: context.home().pack_journal(&at), identities })
    }

    /// Packs, or goes on with it.
    pub fn pack(
        &self,
        path: &Path,
        recipients: &[Recipient],
        place: &Place,
        options: Options<'_>,
        notes: Notes,
    ) -> anyhow::Result<Packed> {
        let resume = Resume { journal: &self.path, identities: &self.identities, every: Resume::EVERY };
        match pack::pack_into_file(path, recipients, || place.file_again(0o666), &resume, options) {
            Ok((packed, file)) => {
                let published = place.publish(file);
                // Without its CAR there is nothing to go on with.
                let forgotten = resume.forget();
                published?;
                forgotten?;
                Ok(packed)
            }
            Err(error) => {
                if interrupted().is_err() && self.path.exists() {
                    notes.say("interrupted: the same command goes on from here");
                }
                Err(error.into())
            }
        }
    }
}
