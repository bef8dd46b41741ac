//! A CAR that providers have, read by its blocks as if it were here: only those that are asked for come, each verified from the root down.
//!
//! Where blocks stand is computed from sizes, since the layout is ours; what is announced is fetched ahead, in ranges, within a bounded
//! window. A CAR of another layout is fetched as a whole, verified against the piece commitment, and read from there.

mod orders;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cid::Cid;
use tempfile::TempPath;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::ahead::Ahead;
use super::fleet::{News, Order};
use super::partial::Partial;
use super::{FetchError, Source, Watch};
use crate::car::{self, Blocks, CarFile, MAX_BLOCK, Place};
use crate::piece::PieceInfo;

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
