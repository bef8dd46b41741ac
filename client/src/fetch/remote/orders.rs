//! What is asked of providers, ahead of the reader and within the window, and what becomes of it.

use std::fs::File;
use std::io;
use std::sync::Arc;

use cid::Cid;
use tokio::sync::mpsc::unbounded_channel;

use super::super::ahead::Ahead;
use super::super::fetch;
use super::super::fleet::{Fleet, News, Order, offset_in};
use super::{Come, Remote, name_of};
use crate::car::{self, CarFile, MAX_BLOCK, Place, children_of};

/// Bytes that are on their way or wait to be read.
const WINDOW: u64 = 24 << 20;
/// Bytes of one range.
const RANGE: u64 = 2 << 20;

impl Remote {
    /// Asks all sources whether they are there.
    pub(super) fn call(&mut self) -> Result<(), car::Error> {
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
    pub(super) fn hear(&mut self) -> Result<(), car::Error> {
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
    pub(super) fn learn(&mut self, cid: Cid, place: Place, block: Vec<u8>) -> Result<(), car::Error> {
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

    pub(super) fn order(&mut self, blocks: Vec<(Cid, Place)>) -> Result<(), car::Error> {
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
    pub(super) fn look_ahead(&mut self) -> Result<(), car::Error> {
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

    /// A layout of others, or lies: the whole piece tells which, and is read from then on.
    pub(super) fn fetch_whole(&mut self) -> Result<(), car::Error> {
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
