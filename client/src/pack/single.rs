//! Packing one file, or what a reader gives.

use std::fs::File;
use std::io::{Read, Seek, Write};

use cid::Cid;

use super::checkpoints::Note;
use super::error::corrupt;
use super::output::Output;
use super::pipeline::Pipeline;
use super::platform::open_plain;
use super::resume::Rest;
use super::source::Source;
use super::{Error, Options, Packed, Phase, Skipped, Target, media_type};
use crate::car::CarWriter;
use crate::crypt::{ContentKind, FileKey, Metadata, Wrap};

/// Packs a file, or the rest of one.
pub(super) fn pack_file<W: Write + Seek>(
    target: &Target,
    mut pipeline: Pipeline<W>,
    rest: Option<Rest>,
    mut options: Options<'_>,
) -> Result<Packed, Error> {
    let io = |e| Error::io(&target.given, e);
    if let Some(Rest { begun, file, leaves, cutter }) = rest {
        let size = begun.seen.0.first().copied().unwrap_or_default();
        let mut source = Source::going_on(&target.given, file, begun.seen.clone()).map_err(io)?;
        let reader = source.reporting(|done| options.report(Phase::Pack, done, Some(size)));
        let outcome = pipeline.add_rest(reader, &begun, &leaves, cutter);
        let wraps = begun.wraps.iter().map(|wrap| Wrap::from_bytes(wrap.to_vec())).collect::<Result<_, _>>()?;
        let sealed = outcome.map(|()| SealedFile { key: begun.key.0.clone(), wraps });
        let packed = sealed.and_then(|sealed| sealed.end(pipeline, target.name.clone(), source.size()));
        source.check()?;
        return packed;
    }
    let file = open_plain(File::options().read(true), &target.real).map_err(io)?;
    let mut source = Source::of_file(&target.given, file).map_err(io)?;
    let note = pipeline.checkpoints().map(|_| Note { path: Vec::new(), seen: source.seen(), digest: None });
    let packed = pack_source(&mut source, target.name.clone(), pipeline, note, &mut options);
    source.check()?;
    packed
}

/// Packs what a source gives.
pub(super) fn pack_source<R: Read, W: Write + Seek>(
    source: &mut Source<R>,
    name: String,
    mut pipeline: Pipeline<W>,
    note: Option<Note>,
    options: &mut Options<'_>,
) -> Result<Packed, Error> {
    let total = source.expected();
    let sealed = pipeline.add(source.reporting(|done| options.report(Phase::Pack, done, total)), note)?;
    sealed.end(pipeline, name, source.size())
}

/// How to open an age file that went into a CAR.
pub(super) struct SealedFile {
    pub key: FileKey,
    pub wraps: Vec<Wrap>,
}

impl SealedFile {
    /// Ends a CAR of this file only.
    fn end<W: Write + Seek>(self, mut pipeline: Pipeline<W>, name: String, size: u64) -> Result<Packed, Error> {
        let (_, files) = pipeline.drain()?;
        let root = files.first().ok_or_else(|| corrupt("it holds no file"))?.cid;
        let kind = ContentKind::File;
        let metadata = Metadata { media_type: media_type::of(&name).into(), name, size, kind };
        self.packed(pipeline.into_car()?, root, metadata, Vec::new())
    }

    /// Ends the CAR.
    ///
    /// Errors: what the output says.
    pub fn packed<W: Write + Seek>(
        self,
        car: CarWriter<Output<W>>,
        payload_cid: Cid,
        metadata: Metadata,
        skipped: Vec<Skipped>,
    ) -> Result<Packed, Error> {
        let (out, header) = car.finish(&payload_cid)?;
        let tree = out.finish(&header)?;
        let (piece, commitment) = (tree.piece().clone(), self.key.commitment());
        Ok(Packed { payload_cid, piece, tree, file_key: self.key, wraps: self.wraps, commitment, metadata, skipped })
    }
}
