//! A CAR that providers have, read by its blocks as if it were here: only those that are asked for come, each verified from the root down.
//!
//! Where blocks stand is computed from sizes, since the layout is ours; what is announced is fetched ahead, in ranges, within a bounded
//! window. A CAR of another layout is fetched as a whole, verified against the piece commitment, and read from there.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cid::Cid;
use tempfile::TempPath;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::ahead::Ahead;
use super::fleet::{Fleet, News, Order, offset_in};
use super::partial::Partial;
use super::{FetchError, Source, Watch, fetch};
use crate::car::{self, Blocks, CarFile, MAX_BLOCK, Place, children_of};
use crate::piece::PieceInfo;

/// Bytes that are on their way or wait to be read.
const WINDOW: u64 = 24 << 20;
/// Bytes of one range.
const RANGE: u64 = 2 << 20;
/// Blocks that were read last are kept: what reads a header reads its leaf again.
const RECENT: usize = 4;

/// A block's codec and digest.
pub(super) type Name = (u64, [u8; 32]);

/// Names a block.
///
/// Errors: [`car::Error::Unsupported`] for other hashes than sha2-256.
pub(super) fn name_of(cid: &Cid) -> Result<Name, car::Error> {
    let digest = (cid.hash().code() == 0x12).then(|| cid.hash().digest().try_into().ok()).flatten();
    Ok((cid.codec(), digest.ok_or_else(|| car::Error::Unsupported(format!("the hash of {cid}")))?))
}

/// Blocks of one order that came together.
#[derive(Clone)]
struct Come(Arc<Vec<u8>>, Range<usize>);

/// A CAR that is somewhere else.
pub struct Remote {
    piece: PieceInfo,
    root: Cid,
    sources: Vec<Source>,
    folder: PathBuf,
    watch: Arc<dyn Watch>,
    runtime: Handle,
    partial: Option<Arc<Partial>>,
    /// Orders and their outcomes, once anybody was asked.
    fleet: Option<(UnboundedSender<Order>, UnboundedReceiver<News>)>,
    orders: HashMap<u64, Order>,
    next: u64,
    coming: HashSet<Name>,
    come: HashMap<Name, Come>,
    /// Bytes of the two above.
    window: u64,
    recent: VecDeque<(Name, Come)>,
    /// Nodes of files, the root and its like: small, and needed again.
    nodes: HashMap<Name, (Place, Vec<u8>)>,
    /// Where blocks stand or may stand.
    places: HashMap<Name, Vec<Place>>,
    ahead: Ahead,
    /// The whole CAR, where its layout was another.
    whole: Option<(CarFile<File>, TempPath)>,
    served: Vec<(Source, u64)>,
}

impl Remote {
    /// Reads a CAR from those who may have it. What comes is kept in `folder` if `keep` and no other process keeps the same there, and
    /// whoever asks for it again goes on from there; without, the folder is used for nothing but a whole piece.
    ///
    /// To be called inside a runtime, and used on a thread that may wait: all reading does.
    pub fn new(
        piece: &PieceInfo,
        root: &Cid,
        sources: &[Source],
        folder: &Path,
        keep: bool,
        watch: Arc<dyn Watch>,
    ) -> io::Result<Self> {
        let partial = if keep { Partial::open(folder, root)?.map(Arc::new) } else { None };
        Ok(Self {
            piece: piece.clone(),
            root: *root,
            sources: sources.to_vec(),
            folder: folder.into(),
            watch,
            runtime: Handle::current(),
            partial,
            fleet: None,
            orders: HashMap::new(),
            next: 0,
            coming: HashSet::new(),
            come: HashMap::new(),
            window: 0,
            recent: VecDeque::new(),
            nodes: HashMap::new(),
            places: HashMap::new(),
            ahead: Ahead::default(),
            whole: None,
            served: Vec::new(),
        })
    }

    /// Whether what comes is kept; then no other process keeps the same.
    pub fn keeps(&self) -> bool {
        self.partial.is_some()
    }

    /// Bytes that an earlier run has left here.
    pub fn kept(&self) -> u64 {
        self.partial.as_ref().map_or(0, |partial| partial.kept())
    }

    /// Ends it: what was kept to go on from is not needed any more. Says who served how many bytes, the most first.
    pub fn finish(mut self) -> Vec<(Source, u64)> {
        if let Some(partial) = &self.partial {
            partial.remove();
        }
        if let Some((orders, mut news)) = self.fleet.take() {
            drop(orders);
            while let Some(news) = news.blocking_recv() {
                if let News::Ended(served) = news {
                    self.served = served;
                }
            }
        }
        std::mem::take(&mut self.served)
    }

    /// The root block, of which only the end is known.
    fn find_root(&mut self) -> Result<(), car::Error> {
        let name = name_of(&self.root)?;
        if self.nodes.contains_key(&name) || self.whole.is_some() {
            return Ok(());
        }
        let kept = self.partial.as_ref().and_then(|partial| partial.root(&self.piece, &self.root));
        if let Some((place, block)) = kept {
            return self.learn(self.root, place, block);
        }
        self.call()?;
        while !self.nodes.contains_key(&name) && self.whole.is_none() {
            self.hear()?;
        }
        Ok(())
    }

    /// Asks all sources whether they are there.
    fn call(&mut self) -> Result<(), car::Error> {
        if self.fleet.is_some() {
            return Ok(());
        }
        let ((orders, taken), (told, news)) = (unbounded_channel(), unbounded_channel());
        let fleet = Fleet {
            piece: self.piece.clone(),
            root: self.root,
            sources: self.sources.clone(),
            watch: self.watch.clone(),
            partial: self.partial.clone(),
        };
        self.runtime.spawn(fleet.run(taken, told));
        self.fleet = Some((orders, news));
        Ok(())
    }

    /// Waits for what happens next.
    fn hear(&mut self) -> Result<(), car::Error> {
        let news = self.fleet.as_mut().and_then(|(_, news)| news.blocking_recv());
        match news.ok_or_else(|| io::Error::other("interrupted"))? {
            News::Root(place, block) => {
                if let Some(partial) = &self.partial {
                    // Without it there is nothing to go on from, and the download goes on.
                    let _ = partial.keep_block(&self.root, &place, &block);
                }
                self.learn(self.root, place, block)
            }
            News::Done(number, bytes) => self.arrived(number, bytes),
            News::Elsewhere(number) => self.elsewhere(number),
            News::Strange => self.fetch_whole(),
            News::Failed(error) => Err(io::Error::other(error).into()),
            News::Ended(_) => Ok(()),
        }
    }

    fn arrived(&mut self, number: u64, bytes: Vec<u8>) -> Result<(), car::Error> {
        let Some(order) = self.orders.remove(&number) else { return Ok(()) };
        let bytes = Arc::new(bytes);
        for (cid, place) in &order.blocks {
            let at = offset_in(&order, place);
            let (name, range) = (name_of(cid)?, at..at + place.size as usize);
            self.coming.remove(&name);
            if Ahead::is_node(cid) {
                self.window = self.window.saturating_sub(place.size);
                self.learn(*cid, *place, bytes[range].to_vec())?;
            } else {
                self.come.insert(name, Come(bytes.clone(), range));
            }
        }
        Ok(())
    }

    /// What was looked for is not there: the next place is tried, or there is none.
    fn elsewhere(&mut self, number: u64) -> Result<(), car::Error> {
        let Some(order) = self.orders.remove(&number) else { return Ok(()) };
        tracing::debug!(blocks = order.blocks.len(), at = order.blocks[0].1.at, "another block stands there");
        for (cid, place) in &order.blocks {
            let name = name_of(cid)?;
            self.coming.remove(&name);
            self.window = self.window.saturating_sub(place.size);
            let places = self.places.entry(name).or_default();
            places.retain(|known| known != place || order.blocks.len() > 1);
            if places.is_empty() {
                return self.fetch_whole();
            }
            // One by one: most of them may be where they should be.
            let again = places[0];
            self.order(vec![(*cid, again)])?;
        }
        Ok(())
    }

    /// Notes a node, and where its children stand.
    fn learn(&mut self, cid: Cid, place: Place, block: Vec<u8>) -> Result<(), car::Error> {
        // A directory has its own way of saying where things are.
        if let Ok((_, children)) = children_of(&cid, &place, block.clone()) {
            for (child, _, place) in &children {
                if let Some(place) = place.filter(|place| place.size <= MAX_BLOCK as u64) {
                    self.places.insert(name_of(child)?, vec![place]);
                }
            }
            self.ahead.learn(name_of(&cid)?, children);
        }
        self.nodes.insert(name_of(&cid)?, (place, block));
        Ok(())
    }

    fn order(&mut self, blocks: Vec<(Cid, Place)>) -> Result<(), car::Error> {
        self.call()?;
        for (cid, place) in &blocks {
            self.coming.insert(name_of(cid)?);
            self.window += place.size;
        }
        let order = Order { number: self.next, blocks };
        self.next += 1;
        self.orders.insert(order.number, order.clone());
        let sent = self.fleet.as_ref().map(|(orders, _)| orders.send(order));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(io::Error::other("interrupted").into()),
        }
    }

    /// Orders what was announced, as far as the window goes.
    fn look_ahead(&mut self) -> Result<(), car::Error> {
        if self.whole.is_some() {
            return Ok(());
        }
        let mut batch: Vec<(Cid, Place)> = Vec::new();
        let mut size = 0;
        // Whole ranges only: who asks for a block whenever one was read asks for the smallest of ranges, and hashes them one by one.
        while (size > 0 || self.window + RANGE <= WINDOW)
            && let Some(cid) = self.ahead.next()
        {
            let name = name_of(&cid)?;
            let known = self.coming.contains(&name) || self.come.contains_key(&name) || self.nodes.contains_key(&name);
            let place = self.places.get(&name).and_then(|places| places.first()).copied();
            // What nobody knows the place of is found when it is read.
            let Some(place) = place.filter(|_| !known) else { continue };
            if self.partial.as_ref().is_some_and(|partial| partial.has(&cid, &place)) {
                if Ahead::is_node(&cid)
                    && let Some(block) = self.partial.as_ref().and_then(|partial| partial.block(&cid, &place))
                {
                    self.learn(cid, place, block)?;
                }
                continue;
            }
            let follows = batch.last().is_none_or(|(_, last)| last.range().end == place.at);
            if !batch.is_empty() && (!follows || size + place.size > RANGE) {
                self.order(std::mem::take(&mut batch))?;
                size = 0;
            }
            batch.push((cid, place));
            size += place.size;
            if size >= RANGE {
                self.order(std::mem::take(&mut batch))?;
                size = 0;
            }
        }
        if batch.is_empty() { Ok(()) } else { self.order(batch) }
    }

    /// Gives a block that is at hand.
    fn at_hand(&mut self, name: &Name, cid: &Cid, data: &mut Vec<u8>) -> Result<bool, car::Error> {
        let mut fill = |bytes: &[u8]| {
            data.clear();
            data.extend_from_slice(bytes);
            Ok(true)
        };
        if let Some((_, block)) = self.nodes.get(name) {
            return fill(block);
        }
        if let Some(Come(bytes, range)) = self.recent.iter().find(|(known, _)| known == name).map(|(_, come)| come) {
            return fill(&bytes[range.clone()]);
        }
        if let Some(come) = self.come.remove(name) {
            self.window = self.window.saturating_sub(come.1.len() as u64);
            let filled = fill(&come.0[come.1.clone()]);
            self.remember(*name, come);
            return filled;
        }
        // What is on its way may be on the disk already: read there, it would stay in the window for good when it is told to have come.
        if self.coming.contains(name) {
            return Ok(false);
        }
        let place = self.places.get(name).and_then(|places| places.first()).copied();
        let kept =
            self.partial.as_ref().zip(place).and_then(|(partial, place)| Some((partial.block(cid, &place)?, place)));
        let Some((block, place)) = kept else { return Ok(false) };
        let filled = fill(&block);
        if Ahead::is_node(cid) {
            // Where its children stand is as good to know as if it had just come.
            self.learn(*cid, place, block)?;
        } else {
            let size = block.len();
            self.remember(*name, Come(Arc::new(block), 0..size));
        }
        filled
    }

    fn remember(&mut self, name: Name, come: Come) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((name, come));
    }

    /// A layout of others, or lies: the whole piece tells which, and is read from then on.
    fn fetch_whole(&mut self) -> Result<(), car::Error> {
        if self.whole.is_some() {
            return Ok(());
        }
        tracing::debug!(root = %self.root, "the layout is another: fetching all of it");
        crate::home::create_private_folder(&self.folder).map_err(io::Error::other)?;
        let path = tempfile::Builder::new().prefix("piece-").tempfile_in(&self.folder)?.into_temp_path();
        // What was ordered there is of no use any more.
        self.fleet = None;
        let fetched = self.runtime.block_on(fetch(&self.piece, &self.sources, &path, &self.watch));
        self.served = vec![(fetched.map_err(io::Error::other)?.from, self.piece.payload_size)];
        self.whole = Some((CarFile::open(File::open(&path)?, Some(&self.root))?, path));
        Ok(())
    }
}

impl Blocks for Remote {
    fn root(&self) -> Cid {
        self.root
    }

    fn read(&mut self, cid: &Cid, data: &mut Vec<u8>) -> Result<(), car::Error> {
        let name = name_of(cid)?;
        if *cid == self.root {
            self.find_root()?;
        }
        self.look_ahead()?;
        while self.whole.is_none() {
            if self.at_hand(&name, cid, data)? {
                return Ok(());
            }
            if !self.coming.contains(&name) {
                match self.places.get(&name).and_then(|places| places.first()).copied() {
                    Some(place) => self.order(vec![(*cid, place)])?,
                    None => {
                        self.fetch_whole()?;
                        continue;
                    }
                }
            }
            self.hear()?;
            self.look_ahead()?;
        }
        match &mut self.whole {
            Some((whole, _)) => {
                *data = whole.block(cid)?;
                Ok(())
            }
            None => Err(car::Error::Missing(*cid)),
        }
    }

    fn verifies(&self) -> bool {
        true
    }

    fn size_of(&mut self, cid: &Cid) -> Option<u64> {
        let name = name_of(cid).ok()?;
        let known = self.places.get(&name).and_then(|places| places.first()).map(|place| place.size);
        known.or_else(|| self.whole.as_mut().and_then(|(whole, _)| whole.size_of(cid)))
    }

    fn stands_at(&mut self, cid: &Cid, places: &[Place]) {
        let within = |place: &&Place| place.size <= MAX_BLOCK as u64 && place.range().end <= self.piece.payload_size;
        let places: Vec<Place> = places.iter().filter(within).copied().collect();
        if let Ok(name) = name_of(cid)
            && !places.is_empty()
        {
            self.places.entry(name).or_insert(places);
        }
    }

    fn place_of(&self, cid: &Cid) -> Option<Place> {
        let name = name_of(cid).ok()?;
        self.nodes.get(&name).map(|(place, _)| *place).or_else(|| self.places.get(&name)?.first().copied())
    }

    fn announce(&mut self, file: &Cid, bytes: Range<u64>) {
        if self.whole.is_none() {
            self.ahead.announce(*file, bytes);
        }
    }
}

/// Nothing that was begun is lost, and nothing that is empty stays.
impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(partial) = self.partial.as_ref().filter(|partial| partial.is_empty()) {
            partial.remove();
        }
    }
}

/// The error of a fetch that came through readers.
///
/// Errors: the same error, where it is another.
pub fn fetch_error(error: crate::pack::Error) -> Result<FetchError, crate::pack::Error> {
    match error {
        crate::pack::Error::Io { path, error } => {
            error.downcast::<FetchError>().map_err(|error| crate::pack::Error::Io { path, error })
        }
        other => Err(other),
    }
}
