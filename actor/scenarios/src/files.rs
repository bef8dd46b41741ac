//! Files through dispatch: register, update, transfer, remove, get, list.

use crate::samples::*;
use crate::{Body, New, Result};
use bauta_abi::*;

pub fn update(chain: &mut dyn Body, who: u64, id: FileId, expected_version: u64, seed: u8) -> Result<UpdateFileReturn> {
    let params = UpdateFileParams { id, expected_version, file: file(seed) };
    call(chain, who, Method::UpdateFile, &params, 0)
}

fn transfer(chain: &mut dyn Body, who: u64, file: FileId, to: u64) -> Result<()> {
    send(chain, who, Method::TransferFile, &TransferFileParams { id: file, to: id(to), wrap: vec![9; 50] }, 0)
}

fn remove(chain: &mut dyn Body, who: u64, id: FileId) -> Result<()> {
    send(chain, who, Method::RemoveFile, &RemoveFileParams { id }, 0)
}

fn page(chain: &mut dyn Body, owner: u64, cursor: Option<u64>, limit: u64) -> (Vec<FileId>, Option<u64>) {
    let params = ListFilesParams { owner: id(owner), cursor, limit };
    let found: ListFilesReturn = call(chain, 1, Method::ListFiles, &params, 0).expect("listed");
    (found.files.into_iter().map(|(id, _)| id).collect(), found.cursor)
}

fn list(chain: &mut dyn Body, owner: u64) -> Vec<FileId> {
    let (mut all, mut cursor) = (vec![], None);
    loop {
        let (ids, next) = page(chain, owner, cursor, 3);
        all.extend(ids);
        cursor = next;
        if cursor.is_none() {
            return all;
        }
    }
}

pub fn numbers_count_up_over_all_owners(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_multisig());
    let params = RegisterFileParams { files: (0..64).map(file).collect() };
    let RegisterFileReturn { ids } = call(&mut chain, alice, Method::RegisterFile, &params, 0).unwrap();
    assert_eq!(ids, (1..=64).collect::<Vec<_>>());
    assert_eq!(register(&mut chain, bob, 1), 65);
    assert_eq!(register(&mut chain, alice, 2), 66);

    let expected = FileRecord { owner: bob, version: 1, file: file(1), registered: 100, updated: 100, previous: None };
    assert_eq!(get_file(&mut chain, 65), Some(expected));
    assert_eq!(get_file(&mut chain, 0), None);
    assert_eq!(get_file(&mut chain, 67), None);
    assert_eq!(get_file(&mut chain, u64::MAX), None);
    assert_eq!(list(&mut chain, alice), [66].into_iter().chain((1..=64).rev()).collect::<Vec<_>>());
    let content = (payload(1), piece(1));
    let event = Event::FileRegistered { id: 65, owner: bob, payload_cid: content.0, piece_cid: content.1 };
    assert_eq!(chain.events()[64], event);
}

pub fn versions_count_up(new: New<'_>) {
    let mut chain = new();
    let alice = chain.create_account();
    let id = register(&mut chain, alice, 1);
    chain.set_epoch(150);
    assert_eq!(update(&mut chain, alice, id, 1, 2), Ok(UpdateFileReturn { version: 2 }));
    chain.set_epoch(160);
    assert_eq!(update(&mut chain, alice, id, 2, 3), Ok(UpdateFileReturn { version: 3 }));
    assert_eq!(exit(update(&mut chain, alice, id, 2, 4)), Exit::VersionConflict);

    let record = get_file(&mut chain, id).unwrap();
    assert_eq!((record.registered, record.updated, record.version), (100, 160, 3));
    assert_eq!(record.file, file(3));
    let content = (payload(3), piece(3));
    let event = Event::FileUpdated { id, owner: alice, version: 3, payload_cid: content.0, piece_cid: content.1 };
    assert_eq!(chain.events().last(), Some(&event));
}

pub fn a_file_changes_hands_and_lists(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_account());
    for seed in 0..5 {
        register(&mut chain, alice, seed);
    }
    register(&mut chain, bob, 9);
    transfer(&mut chain, alice, 3, bob).unwrap();
    assert_eq!((list(&mut chain, alice), list(&mut chain, bob)), (vec![5, 4, 2, 1], vec![3, 6]));
    let record = get_file(&mut chain, 3).unwrap();
    assert_eq!((record.owner, record.version, record.file.owner_wrap), (bob, 1, vec![9; 50]));

    transfer(&mut chain, bob, 3, alice).unwrap();
    assert_eq!((list(&mut chain, alice), list(&mut chain, bob)), (vec![3, 5, 4, 2, 1], vec![6]));
    assert_eq!(chain.events().last(), Some(&Event::FileTransferred { id: 3, from: bob, to: alice }));

    remove(&mut chain, alice, 3).unwrap();
    remove(&mut chain, alice, 1).unwrap();
    assert_eq!(get_file(&mut chain, 3), None);
    assert_eq!(list(&mut chain, alice), [5, 4, 2]);
    assert_eq!(exit(remove(&mut chain, alice, 3)), Exit::NotFound);
    assert_eq!(register(&mut chain, alice, 8), 7);
    assert_eq!(list(&mut chain, alice), [7, 5, 4, 2]);
    for id in [7, 5, 4, 2] {
        remove(&mut chain, alice, id).unwrap();
    }
    assert_eq!(list(&mut chain, alice), Vec::<FileId>::new());
}

pub fn a_listing_goes_on_where_the_next_file_has_left(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_account());
    for seed in 0..6 {
        register(&mut chain, alice, seed);
    }
    let (ids, cursor) = page(&mut chain, alice, None, 2);
    assert_eq!(ids, [6, 5]);
    remove(&mut chain, alice, 4).unwrap();
    transfer(&mut chain, alice, 3, bob).unwrap();
    assert_eq!(page(&mut chain, alice, cursor, 9), (vec![2, 1], None));

    let (_, cursor) = page(&mut chain, alice, None, 1);
    (1..=2).chain(5..=5).for_each(|id| remove(&mut chain, alice, id).unwrap());
    assert_eq!(page(&mut chain, alice, cursor, 9), (vec![], None));
}

pub fn a_long_row_of_gaps_is_left_in_bounded_steps(new: New<'_>) {
    let mut chain = new();
    let alice = chain.create_account();
    let params = RegisterFileParams { files: (0..60).map(file).collect() };
    for _ in 0..4 {
        call::<_, RegisterFileReturn>(&mut chain, alice, Method::RegisterFile, &params, 0).unwrap();
    }
    let newest = register(&mut chain, alice, 1);
    (2..newest).for_each(|id| remove(&mut chain, alice, id).unwrap());
    let (ids, cursor) = page(&mut chain, alice, None, 5);
    assert_eq!(ids, [newest]);
    assert!(cursor.is_some(), "not all gaps in one call");
    assert_eq!(list(&mut chain, alice), [newest, 1]);
}

pub fn foreign_cursors_list_nothing_foreign(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_account());
    let id = register(&mut chain, alice, 1);
    register(&mut chain, alice, 2);
    for cursor in [id, 0, 99, 1 << 40, u64::MAX] {
        assert_eq!(page(&mut chain, bob, Some(cursor), 9), (vec![], None));
    }
}

pub fn only_the_owner_disposes(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_account());
    let file = register(&mut chain, alice, 1);
    assert_eq!(exit(update(&mut chain, bob, file, 1, 2)), Exit::Forbidden);
    assert_eq!(exit(transfer(&mut chain, bob, file, bob)), Exit::Forbidden);
    assert_eq!(exit(remove(&mut chain, bob, file)), Exit::Forbidden);
    assert_eq!(exit(update(&mut chain, alice, 9, 1, 2)), Exit::NotFound);
    assert_eq!(exit(transfer(&mut chain, alice, 9, bob)), Exit::NotFound);
    assert_eq!(exit(transfer(&mut chain, alice, file, alice)), Exit::IllegalArgument);
    assert_eq!(exit(transfer(&mut chain, alice, file, 123_456)), Exit::NotFound);
}

pub fn specs_out_of_bounds_are_refused(new: New<'_>) {
    let mut chain = new();
    let alice = chain.create_account();
    let mut refused = |files: Vec<FileSpec>, what: &str| {
        let params = RegisterFileParams { files };
        let answer = call::<_, RegisterFileReturn>(&mut chain, alice, Method::RegisterFile, &params, 0);
        assert_eq!(exit(answer), Exit::IllegalArgument, "{what}");
    };
    refused(vec![], "none");
    refused((0..65).map(file).collect(), "65");
    refused(vec![FileSpec { payload_cid: piece(1), ..file(1) }], "a piece as payload");
    refused(vec![FileSpec { piece_cid: payload(1), ..file(1) }], "a payload as piece");
    refused(vec![FileSpec { padded_size: fvm_shared::piece::PaddedPieceSize(2_000), ..file(1) }], "no power of two");
    refused(vec![FileSpec { padded_size: fvm_shared::piece::PaddedPieceSize(1 << 37), ..file(1) }], "128 GiB");
    refused(vec![FileSpec { payload_size: 0, ..file(1) }], "no payload");
    refused(vec![FileSpec { payload_size: 2_033, ..file(1) }], "more than fits");
    refused(vec![FileSpec { metadata: vec![0; 1_025], ..file(1) }], "long metadata");
    refused(vec![FileSpec { owner_wrap: vec![0; 2_049], ..file(1) }], "a long wrap");
    refused(vec![file(1), FileSpec { owner_wrap: vec![], ..file(1) }], "no wrap");
}
