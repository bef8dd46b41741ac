//! Files, their histories and the lists of their owners.

use std::collections::{BTreeMap, BTreeSet};

use bauta_abi::{FileBlock, FileId, Wire};
use fvm_ipld_blockstore::Blockstore;
use fvm_shared::ActorID;

use super::{Findings, blocks};
use crate::state::State;

/// All files that there are.
pub struct Files {
    pub last: FileId,
    pub blocks: BTreeMap<FileId, FileBlock>,
}

pub fn check<S: Blockstore>(state: &State<'_, S>, wrong: &mut Findings) -> Files {
    let (links, broken) = state.root.files.check(state.store);
    wrong.0.extend(broken);
    let mut files = Files { last: state.root.files.len(), blocks: BTreeMap::new() };
    for (index, link) in links {
        let id = index + 1;
        let Some(block) = wrong.read("a file", blocks::get::<FileBlock>(state.store, &link)) else { continue };
        wrong.require(block.check().is_ok(), || format!("file {id} is out of bounds"));
        check_history(state, id, &block, wrong);
        files.blocks.insert(id, block);
    }
    wrong.0.extend(state.root.heads.check(state.store));
    check_lists(state, &files, wrong);
    files
}

/// Each version links to the one before, down to the first.
fn check_history<S: Blockstore>(state: &State<'_, S>, id: FileId, newest: &FileBlock, wrong: &mut Findings) {
    let mut block = newest.clone();
    while let Some(previous) = block.previous {
        let Some(before) = wrong.read("a version", blocks::get::<FileBlock>(state.store, &previous)) else { return };
        let follows = before.version + 1 == block.version
            && before.registered == block.registered
            && before.updated <= block.updated
            && before.place % (1 << 40) == id;
        wrong.require(follows, || format!("file {id}: version {} does not follow {}", block.version, before.version));
        if !follows {
            return;
        }
        block = before;
    }
    wrong.require(block.version == 1, || format!("file {id}: history ends at version {}", block.version));
}

/// Every file is in its owner's list once, and nothing else is in any list.
fn check_lists<S: Blockstore>(state: &State<'_, S>, files: &Files, wrong: &mut Findings) {
    let owners: BTreeSet<ActorID> = files.blocks.values().map(|block| block.owner).collect();
    for owner in owners {
        let mut listed = BTreeSet::new();
        let mut cursor = None;
        while let Some(page) = wrong.read("a list", state.list_files(owner, cursor, 100)) {
            for (id, _) in page.files {
                wrong.require(listed.insert(id), || format!("file {id} is twice in the list of f0{owner}"));
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let owned: BTreeSet<FileId> =
            files.blocks.iter().filter(|(_, b)| b.owner == owner).map(|(id, _)| *id).collect();
        wrong.require(listed == owned, || format!("the list of f0{owner} is {listed:?}, but they own {owned:?}"));
    }
}
