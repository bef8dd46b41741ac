//! Where the payloads of a folder stand in its CAR: the manifest says how large they are, and they are written in their order.

use cid::Cid;

use super::folder::{GROUP, group_name, payload_name};
use super::manifest::{Content, Entry};
use crate::car::{Extent, HEADER, Link, Place, directory_block, frame_size};
use crate::crypt::{CHUNK, TAG};

/// The order of a folder's CAR: a thousand payloads, their directory, the next thousand.
pub(super) struct Shelves {
    /// Bytes of each payload as an age file.
    sealed: Vec<u64>,
    /// Where each payload's blocks end, and each directory's.
    ends: Vec<u64>,
    groups: Vec<Place>,
    /// The directory of groups.
    pub data: Place,
    /// How far all that is behind a gap stands behind its place: what was dropped while packing is still in the CAR.
    shift: Option<u64>,
}

impl Shelves {
    /// Computes them. `header` is the size of the header of each age file, `end` where the manifest begins. `None` where the manifest
    /// does not name each payload.
    pub fn of(entries: &[Entry], header: u64, end: u64, any: &Cid) -> Option<Shelves> {
        let mut sizes: Vec<Option<u64>> = Vec::new();
        for entry in entries {
            if let Content::File { size, payload, .. } = entry.content {
                let index = payload as usize;
                if index >= sizes.len() {
                    sizes.resize(index + 1, None);
                }
                sizes[index] = Some(size);
            }
        }
        let sealed = |size: u64| {
            let tags = size.div_ceil(CHUNK as u64).max(1).checked_mul(TAG as u64)?;
            size.checked_add(tags)?.checked_add(header).filter(|sealed| *sealed <= crate::car::MAX_FILE)
        };
        let sealed = sizes.into_iter().map(|size| sealed(size?)).collect::<Option<Vec<_>>>()?;
        let (mut at, mut ends, mut groups) = (HEADER as u64, Vec::with_capacity(sealed.len()), Vec::new());
        let mut listed = Vec::new();
        for (group, payloads) in sealed.chunks(GROUP as usize).enumerate() {
            let mut links = Vec::with_capacity(payloads.len());
            for (i, size) in payloads.iter().enumerate() {
                let extent = Extent::of_file(*size);
                at = at.checked_add(extent.span)?;
                ends.push(at);
                let link = Link { cid: *any, size: *size, tree_size: extent.tree };
                links.push((payload_name(group as u64 * GROUP + i as u64), link));
            }
            let (link, block) = directory_block(links);
            let size = block.len() as u64;
            listed.push((group_name(group as u64), Link { cid: *any, ..link }));
            groups.push(Place { at, size });
            at = at.checked_add(frame_size(size) + size)?;
        }
        let data = Place::ending_at(end, directory_block(listed).1.len() as u64)?;
        let shift = data.at.checked_sub(at).filter(|shift| *shift > 0);
        Some(Shelves { sealed, ends, groups, data, shift })
    }

    /// Where the directory of a group may stand.
    pub fn group(&self, group: u64) -> Vec<Place> {
        self.moved(self.groups.get(group as usize).copied())
    }

    /// Where the root block of a payload may stand.
    pub fn payload(&self, payload: u64) -> Vec<Place> {
        let index = payload as usize;
        let known = self.ends.get(index).zip(self.sealed.get(index));
        self.moved(known.and_then(|(end, sealed)| Place::ending_at(*end, Extent::of_file(*sealed).root)))
    }

    fn moved(&self, place: Option<Place>) -> Vec<Place> {
        let moved = place.zip(self.shift).map(|(place, shift)| Place { at: place.at + shift, ..place });
        place.into_iter().chain(moved).collect()
    }
}
