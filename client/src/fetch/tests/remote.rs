//! Reading from providers: what comes is right, only what is needed comes, and who does wrong is named.

use std::io::{Cursor, Write};
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use super::server::{Conduct, Provider, dead, serve};
use super::*;
use crate::car::{CarWriter, Profile, add_file};
use crate::crypt::Identity;
use crate::pack::{self, Key, Options, Package, Packed};
use crate::vectors::lcg;

/// What a fetch has met.
#[derive(Default)]
struct Met(Mutex<Vec<(Source, bool)>>);

impl Watch for Met {
    fn dropped(&self, source: &Source, why: &DealError) {
        self.0.lock().unwrap().push((source.clone(), serves_something_else(why)));
    }
}

impl Met {
    fn has(&self, source: &Source, lied: bool) -> bool {
        self.0.lock().unwrap().contains(&(source.clone(), lied))
    }
}

struct Case {
    folder: tempfile::TempDir,
    plain: Vec<u8>,
    packed: Packed,
    car: Vec<u8>,
    met: Arc<Met>,
}

impl Case {
    fn file(size: usize) -> Self {
        let plain: Vec<u8> = lcg(size as u32).take(size).collect();
        let mut car = Cursor::new(Vec::new());
        let owner = [Identity::generate().recipient()];
        let packed = pack::pack_reader(&plain[..], "file", &owner, &mut car, Options::default()).unwrap();
        Self::of(packed, car.into_inner(), plain)
    }

    fn of(packed: Packed, car: Vec<u8>, plain: Vec<u8>) -> Self {
        Case { folder: tempfile::tempdir().unwrap(), plain, packed, car, met: Arc::default() }
    }

    /// Packs a folder with these files.
    fn folder(files: &[(String, Vec<u8>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let mut car = Cursor::new(Vec::new());
        let owner = [Identity::generate().recipient()];
        let packed = pack::pack(folder.path(), &owner, &mut car, Options::default()).unwrap();
        Self::of(packed, car.into_inner(), Vec::new())
    }

    fn remote(&self, sources: &[Source], keep: bool) -> Remote {
        let (piece, root) = (&self.packed.piece, &self.packed.payload_cid);
        Remote::new(piece, root, sources, self.folder.path(), keep, self.met.clone()).unwrap()
    }

    /// Reads a part of the file, as `get` does.
    async fn read(
        &self,
        sources: &[Source],
        keep: bool,
        path: Option<&'static [u8]>,
        range: Option<Range<u64>>,
    ) -> Result<(Vec<u8>, Vec<(Source, u64)>), pack::Error> {
        let (remote, key) = (self.remote(sources, keep), self.packed.file_key.clone());
        let reading = move || {
            let mut package = Package::of(remote, Key::File(&key))?;
            let mut out = Vec::new();
            package.copy(path, range, &mut out, Options::default())?;
            Ok((out, package.into_blocks().finish()))
        };
        tokio::task::spawn_blocking(reading).await.unwrap()
    }

    async fn fails(&self, sources: &[Source]) -> FetchError {
        let error = self.read(sources, true, None, None).await.map(|(bytes, _)| bytes.len()).unwrap_err();
        let error = fetch_error(error).unwrap_or_else(|other| panic!("{other}"));
        // What was verified may stay, to go on from.
        let left = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        left.for_each(|path| assert_eq!(path.extension().unwrap(), "car", "nothing else is left behind"));
        error
    }
}

fn sources(providers: &[&Provider]) -> Vec<Source> {
    providers.iter().map(|provider| provider.source.clone()).collect()
}

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_is_right_and_comes_once() {
    for size in [0, 1, 70_000, MIB - 200, MIB, 9 * MIB + 12_345] {
        let case = Case::file(size);
        let provider = serve(&case.car, Conduct::Honest).await;
        let (bytes, served) = case.read(&sources(&[&provider]), true, None, None).await.unwrap();
        assert!(bytes == case.plain, "{size} bytes");
        assert_eq!(served.len(), 1);
        assert!(provider.served() <= case.car.len() as u64 + Peer::tail(&case.packed.piece).end.min(66 << 10));
        assert_eq!(std::fs::read_dir(case.folder.path()).unwrap().count(), 0, "what was kept is gone");
    }
}

/// Ranges stay as large as they may be to the end, whether what comes is kept or not: what is on its way is never read from the disk.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_for_in_large_ranges() {
    let case = Case::file(96 * MIB);
    for keep in [true, false] {
        let provider = serve(&case.car, Conduct::Honest).await;
        let (bytes, _) = case.read(&sources(&[&provider]), keep, None, None).await.unwrap();
        assert!(bytes == case.plain);
        // Two leaves a range, and the root, the header, and an end or two.
        assert!(provider.asked() <= 48 + 6, "{} requests for 96 leaves", provider.asked());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_costs_its_blocks() {
    let case = Case::file(20 * MIB);
    for range in
        [0..1, 5_000_000..5_000_100, 65_535..65_537, 4 * MIB as u64 - 5..6 * MIB as u64, 20 * MIB as u64 - 1..u64::MAX]
    {
        let provider = serve(&case.car, Conduct::Honest).await;
        let (bytes, _) = case.read(&sources(&[&provider]), false, None, Some(range.clone())).await.unwrap();
        let wanted = range.start as usize..range.end.min(20 * MIB as u64) as usize;
        assert!(bytes == case.plain[wanted.clone()], "{range:?}");
        // The tail with the root, the leaf with the header, and the leaves that the range is in.
        let leaves = (wanted.len() / MIB + 3) as u64;
        assert!(provider.served() < leaves * (MIB as u64 + 40) + (66 << 10), "{range:?}: {}", provider.served());
    }
    let provider = serve(&case.car, Conduct::Honest).await;
    let beyond = case.read(&sources(&[&provider]), false, None, Some(20 * MIB as u64..u64::MAX)).await;
    assert!(matches!(beyond, Err(pack::Error::BeyondEnd { .. })), "{beyond:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_costs_the_way_to_it() {
    // More than one group, one large file, twins.
    let mut files: Vec<_> = (0..1100).map(|i| (format!("{i:04}"), vec![i as u8; 5000 + i])).collect();
    files.push(("0500-large".into(), lcg(5).take(3 * MIB).collect()));
    files.push(("1099-twin".into(), vec![26; 5000 + 1050]));
    let case = Case::folder(&files);
    for path in ["0000", "0500", "0500-large", "1099", "1099-twin"] {
        let provider = serve(&case.car, Conduct::Honest).await;
        let content = &files.iter().find(|(name, _)| name == path).unwrap().1;
        let (bytes, _) = case.read(&sources(&[&provider]), false, Some(path.as_bytes()), None).await.unwrap();
        assert!(bytes == *content, "{path}");
        let others = provider.served() - content.len() as u64;
        assert!(others < 400_000, "{path}: {others} bytes beside it, of {}", case.car.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_folder_comes_in_ranges() {
    let mut files: Vec<_> = (0..1100).map(|i| (format!("{i:04}"), lcg(i).take(2000 + i as usize).collect())).collect();
    files.push(("0300-large".into(), lcg(9).take(5 * MIB + 7).collect()));
    let case = Case::folder(&files);
    let provider = serve(&case.car, Conduct::Honest).await;
    let (remote, key) = (case.remote(&sources(&[&provider]), true), case.packed.file_key.clone());
    let out = case.folder.path().join("out");
    let to = out.clone();
    let unpacking = move || {
        let mut package = Package::of(remote, Key::File(&key)).unwrap();
        package.unpack(&to, Options::default()).unwrap();
        package.into_blocks().finish();
    };
    tokio::task::spawn_blocking(unpacking).await.unwrap();
    for (name, bytes) in &files {
        assert!(std::fs::read(out.join(name)).unwrap() == *bytes, "{name}");
    }
    assert!(provider.served() < case.car.len() as u64 + (300 << 10), "{} of {}", provider.served(), case.car.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_stalls_or_is_dead_is_named_and_not_waited_for() {
    let case = Case::file(24 * MIB);
    // Slow enough for others to be asked, too.
    let honest = serve(&case.car, Conduct::Slow(Duration::from_millis(100))).await;
    for bad in [
        Conduct::Lies(1000),
        Conduct::LiesLater,
        Conduct::NoRanges,
        Conduct::OtherRange,
        Conduct::Short,
        Conduct::Endless,
    ] {
        let liar = serve(&case.car, bad).await;
        let (bytes, served) = case.read(&sources(&[&liar, &honest]), true, None, None).await.unwrap();
        assert!(bytes == case.plain, "{bad:?}");
        assert!(
            case.met.has(&liar.source, bad != Conduct::NoRanges),
            "{bad:?} is named: {:?}",
            case.met.0.lock().unwrap()
        );
        assert!(served.iter().any(|(source, _)| *source == honest.source));
    }
    let (stalled, later) =
        (serve(&case.car, Conduct::Stalls).await, serve(&case.car, Conduct::StallsAfter(3 << 20)).await);
    let (liar, (dead, _held)) = (serve(&case.car, Conduct::Lies(7777)).await, dead());
    let all = [sources(&[&stalled, &liar, &later, &honest]), vec![dead.clone()]].concat();
    let (bytes, _) = case.read(&all, true, None, None).await.unwrap();
    assert!(bytes == case.plain);
    assert!(case.met.has(&liar.source, true) && case.met.has(&dead, false) && case.met.has(&stalled.source, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_or_breaks_off_is_replaced() {
    let case = Case::file(24 * MIB);
    // Slow enough for others to be asked, too.
    let honest = serve(&case.car, Conduct::Slow(Duration::from_millis(100))).await;
    for bad in [Conduct::DiesAfter(5 << 20), Conduct::Truncates, Conduct::Slow(Duration::from_millis(400))] {
        let other = serve(&case.car, bad).await;
        let (bytes, _) = case.read(&sources(&[&other, &honest]), true, None, None).await.unwrap();
        assert!(bytes == case.plain, "{bad:?}");
        assert!(other.asked() > 0, "{bad:?}");
        if let Conduct::DiesAfter(limit) = bad {
            let served = other.served();
            assert!((limit..case.car.len() as u64).contains(&served), "it died on the way: {served}");
        }
    }
    let on = serve(&[], Conduct::SendsOn(honest.address)).await;
    assert!(case.read(&sources(&[&on]), true, None, None).await.unwrap().0 == case.plain, "sent on to an honest one");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_honest_one_it_is_said_why() {
    let case = Case::file(3 * MIB);
    for (bad, lied) in [
        (Conduct::Lies(1000), true),
        (Conduct::LiesLater, true),
        (Conduct::Lost, false),
        (Conduct::Circles, false),
        (Conduct::OtherRange, true),
        (Conduct::Short, true),
    ] {
        let provider = serve(&case.car, bad).await;
        let error = case.fails(&sources(&[&provider])).await;
        assert_eq!(matches!(error, FetchError::Corrupt(_)), lied, "{bad:?}: {error}");
        assert!(error.to_string().contains(&provider.address.to_string()), "{bad:?}: {error}");
    }
    let (dead, _held) = dead();
    assert!(matches!(case.fails(std::slice::from_ref(&dead)).await, FetchError::Unavailable(_)));
    // In the order that they were named in, though a dead one fails first.
    let lost = serve(&case.car, Conduct::Lost).await;
    let named = [lost.source.clone(), dead];
    let FetchError::Unavailable(why) = case.fails(&named).await else { panic!("nobody lies") };
    assert!(why.iter().map(|(source, _)| source).eq(&named), "{why:?}");
    assert!(matches!(case.fails(&[]).await, FetchError::NoSource));
    // Nobody has parts, and one has all of it.
    let whole = serve(&case.car, Conduct::NoRanges).await;
    assert!(case.read(&sources(&[&whole]), true, None, None).await.unwrap().0 == case.plain);
}

/// Stops everything after so many bytes, as a full disk would.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_broken_off_is_gone_on_with() {
    let case = Case::file(12 * MIB);
    let provider = serve(&case.car, Conduct::Honest).await;
    let (remote, key) = (case.remote(&sources(&[&provider]), true), case.packed.file_key.clone());
    let stopped = tokio::task::spawn_blocking(move || {
        let mut package = Package::of(remote, Key::File(&key)).unwrap();
        package.copy(None, None, &mut Full(5 * MIB), Options::default())
    });
    let error = stopped.await.unwrap().unwrap_err();
    assert!(matches!(&error, pack::Error::Output(e) if e.kind() == std::io::ErrorKind::StorageFull), "{error}");
    // Whoever was fetching for it ends a moment later.
    while !case.remote(&[], true).keeps() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let kept = case.remote(&[], true).kept();
    assert!(kept >= 5 * MIB as u64, "{kept}");

    // Whatever has happened to it meanwhile, only what is right is taken: a bit, a hole, an end.
    let path = case.folder.path().join(format!("{}.car", case.packed.payload_cid));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[2_000_000] ^= 1;
    bytes[3_000_000..3_500_000].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    let before = provider.served();
    let (bytes, _) = case.read(&sources(&[&provider]), true, None, None).await.unwrap();
    assert!(bytes == case.plain);
    let again = provider.served() - before;
    assert!(again < 10 * MIB as u64, "{again} bytes came again");
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_all_there_needs_nobody() {
    let case = Case::file(5 * MIB);
    let path = case.folder.path().join(format!("{}.car", case.packed.payload_cid));
    std::fs::write(&path, &case.car).unwrap();
    let (bytes, served) = case.read(&[], true, None, None).await.unwrap();
    assert!(bytes == case.plain && served.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_layout_is_fetched_whole() {
    let case = Case::file(3 * MIB);
    // The same age file, cut otherwise.
    let mut age = Vec::new();
    let mut car = crate::car::CarFile::open(Cursor::new(&case.car), None).unwrap();
    std::io::Read::read_to_end(&mut crate::car::Blocks::file(&mut car, &case.packed.payload_cid).unwrap(), &mut age)
        .unwrap();
    let mut writer = CarWriter::new(Vec::new()).unwrap();
    let link = add_file(&age[..], &Profile { chunk_size: 100_000, max_links: 7 }, &mut writer).unwrap();
    let (mut other, header) = writer.finish(&link.cid).unwrap();
    other[..header.len()].copy_from_slice(&header);
    let root_first = parents_first(&other);
    for car in [other, root_first] {
        let piece = crate::piece::CommP::of(&car).unwrap();
        let (key, root, plain) = (case.packed.file_key.clone(), link.cid, case.plain.clone());
        let provider = serve(&car, Conduct::Honest).await;
        let folder = case.folder.path().to_path_buf();
        let remote = Remote::new(&piece, &root, &sources(&[&provider]), &folder, true, case.met.clone()).unwrap();
        let reading = move || {
            let mut package = Package::of(remote, Key::File(&key)).unwrap();
            let mut out = Vec::new();
            package.copy(None, Some(1_000_000..2_000_000), &mut out, Options::default()).unwrap();
            assert!(out == plain[1_000_000..2_000_000]);
            package.into_blocks().finish()
        };
        let served = tokio::task::spawn_blocking(reading).await.unwrap();
        assert_eq!(served[0].0, provider.source);
    }
}

/// The same blocks, the last one first.
fn parents_first(car: &[u8]) -> Vec<u8> {
    let mut reader = crate::car::CarReader::new(car).unwrap();
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        blocks.push(block);
    }
    let mut writer = CarWriter::new(Vec::new()).unwrap();
    blocks.iter().rev().for_each(|block| writer.put(&block.cid, &block.data).unwrap());
    let (mut bytes, header) = writer.finish(&blocks.last().unwrap().cid).unwrap();
    bytes[..header.len()].copy_from_slice(&header);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_a_folder_is_found_a_way_around() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..5 {
        std::fs::write(folder.path().join(format!("{i}")), vec![i; 10_000]).unwrap();
    }
    let large = folder.path().join("2-changes");
    std::fs::write(&large, lcg(3).take(4 * MIB).collect::<Vec<_>>()).unwrap();
    let mut car = Cursor::new(Vec::new());
    let owner = [Identity::generate().recipient()];
    // It changes while it is read: what was read of it stays in the CAR.
    let mut change = |progress: pack::Progress| {
        if progress.done > 2 * MIB as u64 {
            std::fs::OpenOptions::new().write(true).open(&large).unwrap().set_len(100).unwrap();
        }
    };
    let options = Options { progress: Some(&mut change), ..Options::default() };
    let packed = pack::pack(folder.path(), &owner, &mut car, options).unwrap();
    assert_eq!(packed.skipped.len(), 1);
    let case = Case::of(packed, car.into_inner(), Vec::new());
    let provider = serve(&case.car, Conduct::Honest).await;
    for i in 0..5u8 {
        let path: &'static [u8] = [b"0", b"1", b"2", b"3", b"4"][i as usize];
        let (bytes, _) = case.read(&sources(&[&provider]), false, Some(path), None).await.unwrap();
        assert!(bytes == vec![i; 10_000], "{i}");
    }
    assert!(provider.served() < case.car.len() as u64, "{} of {}: not all of it", provider.served(), case.car.len());
}
