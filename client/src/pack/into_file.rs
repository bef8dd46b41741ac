//! Packing into a file beside its place, with a journal, so that it can be continued.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use tempfile::NamedTempFile;

use super::checkpoints::Checkpoints;
use super::disk::Disk;
use super::folder::pack_folder;
use super::journal::{Head, Journal};
use super::output::Watched;
use super::pipeline::Pipeline;
use super::platform::{identity_of, join};
use super::resume::{Left, Plan, Resume};
use super::single::pack_file;
use super::{Error, Options, Packed, Phase, Target};
use crate::crypt::Recipient;

/// As [`pack`](super::pack) into a file that `make` makes beside its place, or that an interrupted pass for the same has left: the same call
/// goes on from its last checkpoint.
///
/// Gives the file, all of it on the disk. It vanishes when it is dropped: put it into its place, then call [`Resume::forget`].
///
/// Errors: as [`pack`](super::pack). After one that may pass ([`Error::may_pass`]) file and journal stay, if there is a checkpoint; else
/// both are removed. [`Error::Busy`] where another process is at it: then nothing is touched.
pub fn pack_into_file(
    path: &Path,
    recipients: &[Recipient],
    make: impl FnOnce() -> io::Result<NamedTempFile>,
    resume: &Resume<'_>,
    mut options: Options<'_>,
) -> Result<(Packed, NamedTempFile), Error> {
    let target = Target::look(path)?;
    let earlier = resume.find(&target.real, recipients)?.and_then(|mut earlier| {
        let inside = |path: &[u8]| if path.is_empty() { Some(target.real.clone()) } else { join(&target.real, path) };
        let plan = earlier.plan(inside)?;
        let journal = earlier.cut(&plan, resume)?;
        Some((earlier.part, Some(plan), Some(journal)))
    });
    let (mut part, plan, journal) = match earlier {
        Some(earlier) => earlier,
        None => {
            let part = make()?;
            // Where the file system knows no locks there are none: nobody goes on with a CAR that grows under his hands, but two may begin it.
            let _ = part.as_file().try_lock();
            let journal = begin(resume, &target, recipients, &part);
            (part, None, journal)
        }
    };
    if let Some(plan) = &plan {
        options.report(Phase::Resume, plan.comm_p.written(), None);
    }
    options.exclude.push(part.path().to_path_buf());
    match fill(&target, recipients, &mut part, plan, journal, resume, options) {
        Ok(packed) => Ok((packed, part)),
        Err((error, true)) if error.may_pass() => {
            part.disable_cleanup(true);
            Err(error)
        }
        Err((error, _)) => {
            // A journal that cannot be removed is overwritten by the next pass into the same place.
            let _ = resume.forget();
            Err(error)
        }
    }
}

/// Begins a journal, by which a CAR that a kill leaves behind is found again.
fn begin(resume: &Resume<'_>, target: &Target, recipients: &[Recipient], part: &NamedTempFile) -> Option<Journal> {
    let (device, number, _) = identity_of(&part.as_file().metadata().ok()?)?;
    let at = fs::canonicalize(part.path()).ok()?;
    resume.begin(&Head::new(&target.real, recipients, &at, (device, number)), None)
}

/// Packs; an error comes with whether there is a checkpoint to go on from.
fn fill(
    target: &Target,
    recipients: &[Recipient],
    part: &mut NamedTempFile,
    plan: Option<Plan>,
    journal: Option<Journal>,
    resume: &Resume<'_>,
    options: Options<'_>,
) -> Result<Packed, (Error, bool)> {
    let went_on = plan.is_some();
    let failed = |e: io::Error| (Error::from(e), went_on);
    let checkpoints = match journal {
        Some(journal) => {
            let file = part.as_file().try_clone().map_err(failed)?;
            let comm_p = plan.as_ref().map(|plan| &plan.comm_p);
            Some(Checkpoints::new(file, journal, resume.every, comm_p).map_err(failed)?)
        }
        None => None,
    };
    let any = checkpoints.as_ref().map(Checkpoints::any);
    let mut disk = Disk::new(part.as_file_mut()).map_err(failed)?;
    let stop = options.stop;
    let outcome = pass(target, recipients, &mut disk, plan, checkpoints, options);
    let settled = disk.finish();
    drop(disk);
    let may_go_on = went_on || any.is_some_and(|any| any.load(Ordering::Relaxed));
    let packed = outcome.map_err(|e| (e, may_go_on))?;
    let settled = settled.and_then(|()| part.as_file().sync_all());
    // The disk may take long, and somebody may have lost patience meanwhile.
    settled.and_then(|()| stop.map_or(Ok(()), |stop| stop())).map_err(|e| (Error::from(e), may_go_on))?;
    Ok(packed)
}

fn pass(
    target: &Target,
    recipients: &[Recipient],
    out: &mut Disk<'_>,
    plan: Option<Plan>,
    checkpoints: Option<Checkpoints>,
    options: Options<'_>,
) -> Result<Packed, Error> {
    let out = Watched::new(out, options.stop);
    let (mut pipeline, left) = match plan {
        None => (Pipeline::new(out, recipients)?, Left::default()),
        Some(Plan { blocks, comm_p, left }) => {
            let kept = blocks.iter().map(|block| &block.cid);
            (Pipeline::resume(out, recipients, comm_p, kept)?, left)
        }
    };
    if let Some(checkpoints) = checkpoints {
        pipeline.note(checkpoints);
    }
    if target.about.is_dir() {
        pack_folder(&target.real, target.name.clone(), pipeline, left, options)
    } else {
        pack_file(target, pipeline, left.begun, options)
    }
}
