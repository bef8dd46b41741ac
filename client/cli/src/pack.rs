//! `bauta pack`, `bauta commp`, `bauta unpack`: what needs no network.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bauta_client::car::{Blocks, CarFile};
use bauta_client::crypt::{ContentKind, Identity, Recipient};
use bauta_client::keyring::Keyring;
use bauta_client::pack::{self as packing, Key, Options, Package, Packed};
use bauta_client::piece::{CommP, PieceInfo, piece_cid_v2};
use serde::Serialize;

use crate::args::{Commp, Pack, Unpack};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Rows, clean, is_reader_gone, stdout_error};
use crate::place::{Made, Place, is_dash};
use crate::progress::{Counted, Phase, Show, interrupted};
use crate::resume::Journal;
use crate::unattended;

/// What a piece is, in every result that has one.
#[derive(Debug, Clone, Serialize)]
pub struct Piece {
    /// CommP as the chain writes it.
    pub piece_cid: String,
    /// The same with its size (FRC-0069).
    pub piece_cid_v2: String,
    /// Size of the tree.
    pub padded_size: u64,
    /// Bytes before padding.
    pub payload_size: u64,
}

impl From<&PieceInfo> for Piece {
    fn from(piece: &PieceInfo) -> Self {
        Self {
            piece_cid: piece.piece_cid.to_string(),
            piece_cid_v2: piece_cid_v2(piece).to_string(),
            padded_size: piece.padded_size.0,
            payload_size: piece.payload_size,
        }
    }
}

impl Piece {
    /// The rows of a piece.
    pub fn rows(&self, rows: Rows) -> Rows {
        rows.row("piece_cid", &self.piece_cid)
            .row("piece_cid_v2", &self.piece_cid_v2)
            .row("padded_size", self.padded_size)
            .row("payload_size", self.payload_size)
    }
}

#[derive(Serialize)]
struct PackedCar {
    payload_cid: String,
    #[serde(flatten)]
    piece: Piece,
    size: u64,
    skipped: Vec<String>,
}

impl fmt::Display for PackedCar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.piece.rows(Rows::default().row("payload_cid", &self.payload_cid)).row("size", self.size).fmt(f)
    }
}

/// Tells of everything that was left out.
pub fn skipped(context: &Context, skipped: &[packing::Skipped]) -> Vec<String> {
    let lines: Vec<String> =
        skipped.iter().map(|s| format!("{}: {}", clean(&s.path.display().to_string()), clean(&s.reason))).collect();
    for line in &lines {
        context.notes().say(format_args!("left out: {line}"));
    }
    lines
}

/// Encrypts into a CAR.
pub async fn pack(context: &mut Context, args: Pack) -> anyhow::Result<Output> {
    let to_stdout = is_dash(&args.out);
    if to_stdout && context.json() {
        return Err(Failure::usage("--json and -o - exclude each other: stdout holds one of them"));
    }
    let recipients = recipients(context, &args.recipient)?;
    let place = if to_stdout { None } else { Some(Place::free(&args.out, args.force)?) };
    if let Some(place) = &place {
        place.suits(Made::File)?;
        let same = |path: &Path| path.canonicalize().ok();
        if same(&args.out).is_some_and(|out| Some(out) == same(&args.path)) {
            return Err(Failure::usage(format!("{} is what is packed: name another place", args.out.display())));
        }
    }
    // What is read from a pipe or written to one cannot be gone on with.
    let (journal, made) = match place {
        Some(place) if is_dash(&args.path) => (None, Some((place.file_again(0o666)?, place))),
        Some(place) => (Some((Journal::of(context, &place)?, place)), None),
        None => (None, None),
    };
    let (goes_on, out) = (journal.is_some(), made.as_ref().map(|(file, _)| file.as_file().try_clone()).transpose()?);
    let (phase, notes) = (Phase::begin(context.progress(), "packing", None), context.notes());
    let work = move || -> anyhow::Result<Packed> {
        let mut tell = |progress: packing::Progress| match progress.phase {
            packing::Phase::Resume => notes.say(format_args!(
                "going on where an earlier pack stopped: {} of the CAR are there",
                indicatif::HumanBytes(progress.done)
            )),
            packing::Phase::Pack => phase.reach(progress.done, progress.total),
            _ => {}
        };
        let exclude = vec![args.out.clone()];
        let options = Options { exclude, progress: Some(&mut tell), stop: Some(&interrupted), ..Options::default() };
        let packed = match (journal, out) {
            (Some((journal, place)), _) => journal.pack(&args.path, &recipients, &place, options, notes)?,
            (None, Some(mut file)) => {
                let packed = pack_any(&args.path, &recipients, &mut file, options)?;
                file.sync_all()?;
                packed
            }
            (None, None) => {
                // Without a name: whatever happens, nothing is left of it.
                let mut file = tempfile::tempfile()?;
                let packed = pack_any(&args.path, &recipients, &mut file, options)?;
                copy_to_stdout(&mut file)?;
                packed
            }
        };
        phase.end();
        Ok(packed)
    };
    let packed = if goes_on { tokio::task::spawn_blocking(work).await?? } else { unattended::run(work).await? };
    if let Some((file, place)) = made {
        place.publish(file)?;
    }
    let skipped = skipped(context, &packed.skipped);
    let left_out = skipped.len();
    let output = if to_stdout {
        Output::streamed()
    } else {
        Output::new(&PackedCar {
            payload_cid: packed.payload_cid.to_string(),
            piece: Piece::from(&packed.piece),
            size: packed.metadata.size,
            skipped,
        })
    };
    Ok(if left_out == 0 { output } else { output.but(Exit::Partly, format!("{left_out} entries were left out")) })
}

fn pack_any(
    path: &Path,
    recipients: &[Recipient],
    out: &mut File,
    options: Options<'_>,
) -> Result<Packed, packing::Error> {
    if is_dash(path) {
        return packing::pack_reader(io::stdin().lock(), "stdin", recipients, out, options);
    }
    packing::pack(path, recipients, out, options)
}

fn recipients(context: &Context, named: &[String]) -> anyhow::Result<Vec<Recipient>> {
    if named.is_empty() {
        return Ok(vec![context.identities()?[0].recipient()]);
    }
    let parse = |text: &String| text.parse().map_err(|e| Failure::usage(format!("--recipient {}: {e}", clean(text))));
    named.iter().map(parse).collect()
}

fn copy_to_stdout(file: &mut File) -> anyhow::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    let mut out = io::stdout().lock();
    let copied = io::copy(file, &mut out).and_then(|_| out.flush()).map_err(stdout_error);
    // Whoever read it has what they wanted; what was left out is still to be told.
    copied.or_else(|error| if is_reader_gone(&error) { Ok(()) } else { Err(error) })
}

#[derive(Serialize)]
struct Commitment {
    #[serde(flatten)]
    piece: Piece,
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.piece.rows(Rows::default()).fmt(f)
    }
}

/// Computes the piece commitment of any bytes.
pub async fn commp(show: Show, args: Commp) -> anyhow::Result<Output> {
    let work = move || -> anyhow::Result<PieceInfo> {
        if is_dash(&args.file) {
            return commp_of(io::stdin().lock(), Phase::begin(show, "hashing", None));
        }
        let failed = |e: io::Error| anyhow::Error::new(e).context(args.file.display().to_string());
        let file = File::open(&args.file).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if about.is_dir() {
            return Err(Failure::because(
                Exit::Failed,
                format!("{} is a folder: `bauta pack` makes a piece of it", args.file.display()),
            ));
        }
        commp_of(file, Phase::begin(show, "hashing", Some(about.len())))
    };
    Ok(Output::new(&Commitment { piece: Piece::from(&unattended::run(work).await?) }))
}

fn commp_of(reader: impl Read, phase: Phase) -> anyhow::Result<PieceInfo> {
    let mut reader = Counted::new(reader, phase.clone());
    let (mut comm_p, mut buffer) = (CommP::new(), vec![0; 1 << 20]);
    loop {
        let n = reader.read(&mut buffer)?;
        if n == 0 {
            phase.end();
            return Ok(comm_p.finish());
        }
        comm_p.update(&buffer[..n])?;
    }
}

#[derive(Serialize)]
struct UnpackedTo {
    path: String,
    kind: &'static str,
    entries: u64,
    size: u64,
}

impl fmt::Display for UnpackedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = Rows::default().row("path", clean(&self.path)).row("kind", self.kind).row("size", self.size);
        if self.kind == "folder" { rows.row("entries", self.entries).fmt(f) } else { rows.fmt(f) }
    }
}

/// What is to be taken out of a package.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// A path inside a folder.
    pub path: Option<String>,
    /// Bytes of a file, half-open.
    pub range: Option<(u64, u64)>,
}

/// The result of an unpacking, for printing.
pub fn unpacked_to(out: &Path, unpacked: &packing::Unpacked) -> Output {
    Output::new(&UnpackedTo {
        path: out.display().to_string(),
        kind: if unpacked.kind == ContentKind::Folder { "folder" } else { "file" },
        entries: unpacked.entries,
        size: unpacked.bytes,
    })
}

/// Verifies and decrypts.
pub async fn unpack(context: &mut Context, args: Unpack) -> anyhow::Result<Output> {
    let path = args.car.clone();
    let car = unattended::run(move || open_car(&path)).await?;
    let identities = match &args.identity {
        Some(file) => context.identities_in(&Keyring::at(file))?,
        None => context.identities()?,
    };
    let target = Target::of(context, &args.out, args.force)?.remembered();
    let phase = Phase::begin(context.progress(), "unpacking", None);
    let work = move || -> anyhow::Result<packing::Unpacked> {
        let mut package = open_with(car, &identities, &phase)?;
        let unpacked = target.take(&mut package, &Part::default())?;
        phase.end();
        Ok(unpacked)
    };
    let named = |error: anyhow::Error| {
        let is_of_the_car =
            matches!(error.downcast_ref(), Some(packing::Error::Corrupt { .. } | packing::Error::Io { .. }));
        if is_of_the_car && !is_dash(&args.car) { error.context(args.car.display().to_string()) } else { error }
    };
    let unpacked = tokio::task::spawn_blocking(work).await?.map_err(named)?;
    Ok(if is_dash(&args.out) { Output::streamed() } else { unpacked_to(&args.out, &unpacked) })
}

/// A CAR can be read only where one can go back in it; stdin is copied first.
fn open_car(path: &Path) -> anyhow::Result<File> {
    if !is_dash(path) {
        let failed = |e: io::Error| anyhow::Error::new(e).context(path.display().to_string());
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(Failure::usage(format!("{} is a folder, not a CAR", path.display())));
        }
        return Ok(file);
    }
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut io::stdin().lock(), &mut copy)?;
    copy.seek(SeekFrom::Start(0))?;
    Ok(copy)
}

fn open_with(car: File, identities: &[Identity], phase: &Phase) -> anyhow::Result<Package<CarFile<Counted<File>>>> {
    let mut refused = None;
    for identity in identities {
        let mut again = car.try_clone()?;
        again.seek(SeekFrom::Start(0))?;
        match Package::open(Counted::new(again, phase.clone()), None, Key::Identity(identity)) {
            Err(error @ packing::Error::NoAccess(_)) => refused = Some(error),
            other => return Ok(other?),
        }
    }
    Err(refused.map_or_else(|| Failure::not_found("the identity file holds no identity"), Into::into))
}

/// Where plaintext goes.
#[derive(Debug, Clone)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A path.
    Place(Place),
}

impl Target {
    /// Reads the path of `-o`.
    pub fn of(context: &Context, out: &Path, force: bool) -> anyhow::Result<Self> {
        if !is_dash(out) {
            return Ok(Self::Place(Place::free(out, force)?));
        }
        if context.json() {
            return Err(Failure::usage("--json and -o - exclude each other: stdout holds one of them"));
        }
        Ok(Self::Stdout)
    }

    /// Says that nobody else makes this at the same time, and what it is called meanwhile.
    pub fn alone(self, name: &str) -> Self {
        match self {
            Self::Place(place) => Self::Place(place.beside(name)),
            Self::Stdout => Self::Stdout,
        }
    }

    /// Gives what is made meanwhile a name that the same command finds again, so that nothing of a killed one stays.
    pub fn remembered(self) -> Self {
        match self {
            Self::Place(place) => {
                let name = place.hashed("unpack");
                Self::Place(place.beside_unless_held(&name))
            }
            Self::Stdout => Self::Stdout,
        }
    }

    /// Takes a part, or all, out of a package.
    pub fn take<B: Blocks>(&self, package: &mut Package<B>, part: &Part) -> anyhow::Result<packing::Unpacked> {
        let whole = part.path.is_none() && part.range.is_none();
        match self {
            Self::Place(place) if whole => {
                place.suits(if package.kind() == ContentKind::Folder { Made::Folder } else { Made::File })?;
                let made = place.folder()?;
                let inside: PathBuf = made.path().join(place.path().file_name().unwrap_or_default());
                let unpacked = package.unpack(&inside, Options::default())?;
                place.adopt(&inside)?;
                Ok(unpacked)
            }
            Self::Place(place) => {
                place.suits(Made::File)?;
                let mut file = place.file(0o666)?;
                let bytes = take_part(package, part, file.as_file_mut())?;
                place.publish(file)?;
                Ok(single(bytes))
            }
            Self::Stdout => {
                let mut out = io::stdout().lock();
                let bytes = take_part(package, part, &mut out)?;
                out.flush().map_err(stdout_error)?;
                Ok(single(bytes))
            }
        }
    }
}

fn single(bytes: u64) -> packing::Unpacked {
    packing::Unpacked { kind: ContentKind::File, entries: 1, bytes }
}

fn take_part<B: Blocks>(package: &mut Package<B>, part: &Part, out: &mut impl Write) -> anyhow::Result<u64> {
    let path = part.path.as_ref().map(|path| path.as_bytes());
    if path.is_none() && package.kind() == ContentKind::Folder {
        return Err(Failure::usage("this is a folder: name one of its files with --path, or unpack it to a path"));
    }
    let range = part.range.map(|(from, to)| from..to);
    package.copy(path, range, out, Options::default()).map_err(|e| match e {
        packing::Error::BeyondEnd { .. } => Failure::usage(e.to_string()),
        packing::Error::Output(e) => stdout_error(e),
        e => e.into(),
    })
}
