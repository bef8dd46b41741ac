//! The blocks in the CARs that a provider has, each found by its CID.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, Mutex};

use bauta_client::car::{Blocks as _, CarFile};
use bauta_client::piece::PieceInfo;
use cid::Cid;

use super::book::piece_name;
use super::shop::Shop;

/// Multihash code of CIDs that hold their block themselves.
const IDENTITY: u64 = 0;

/// An archive, or nothing where a piece is none.
type Archive = Option<Arc<Mutex<CarFile<File>>>>;

/// The archives that were opened so far, by the piece's name.
#[derive(Default)]
pub struct Shelf(Mutex<BTreeMap<String, Archive>>);

impl Shelf {
    /// Reads a block, if it is here. Waits for the disk.
    pub fn block(&self, shop: &Shop, cid: &Cid) -> Option<Vec<u8>> {
        if cid.hash().code() == IDENTITY {
            return Some(cid.hash().digest().to_vec());
        }
        shop.pieces.list().iter().filter(|piece| is_indexed(shop, piece)).find_map(|piece| {
            let archive = self.archive(shop, piece)?;
            archive.lock().expect("nobody panics with it").block(cid).ok()
        })
    }

    fn archive(&self, shop: &Shop, piece: &PieceInfo) -> Archive {
        let name = piece_name(piece);
        if let Some(known) = self.0.lock().expect("nobody panics with it").get(&name) {
            return known.clone();
        }
        // Not under the lock: reading the heads of all blocks takes a while. Two who come at once both do it.
        let file = File::open(shop.pieces.path(piece)).ok()?;
        let archive = CarFile::open(file, None).ok().map(|car| Arc::new(Mutex::new(car)));
        self.0.lock().expect("nobody panics with it").insert(name, archive.clone());
        archive
    }
}

/// Whether somebody wants the blocks of a piece to be found.
fn is_indexed(shop: &Shop, piece: &PieceInfo) -> bool {
    shop.lock().jobs.values().any(|job| job.indexed && job.wanted.is(piece))
}
