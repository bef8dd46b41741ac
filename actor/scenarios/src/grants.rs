//! Grants through dispatch: grant, revoke, get, list.

use crate::samples::*;
use crate::{Body, New, Result};
use bauta_abi::*;

fn revoke(chain: &mut dyn Body, who: u64, file: FileId, grantees: &[u64]) -> Result<()> {
    let addresses = grantees.iter().map(|grantee| id(*grantee)).collect();
    send(chain, who, Method::RevokeAccess, &RevokeAccessParams { id: file, addresses }, 0)
}

fn list_grants(chain: &mut dyn Body, file: FileId, limit: u64) -> Vec<u64> {
    let (mut all, mut cursor) = (vec![], None);
    loop {
        let params = ListGrantsParams { id: file, cursor, limit };
        let found: ListGrantsReturn = call(chain, 1, Method::ListGrants, &params, 0).expect("listed");
        all.extend(found.grants.iter().map(|(grantee, _)| *grantee));
        cursor = found.cursor;
        if cursor.is_none() {
            // In which order they come is the body's own business.
            all.sort_unstable();
            return all;
        }
    }
}

fn list_shared(chain: &mut dyn Body, who: u64, limit: u64) -> Vec<(FileId, GrantState)> {
    let (mut all, mut cursor) = (vec![], None);
    loop {
        let params = ListSharedParams { address: id(who), cursor, limit };
        let found: ListSharedReturn = call(chain, 1, Method::ListShared, &params, 0).expect("listed");
        all.extend(found.grants.iter().map(|(id, grant)| (*id, grant.state)));
        cursor = found.cursor;
        if cursor.is_none() {
            all.sort_by_key(|(id, _)| *id);
            return all;
        }
    }
}

fn update(chain: &mut dyn Body, who: u64, id: FileId, expected_version: u64) -> Result<UpdateFileReturn> {
    call(chain, who, Method::UpdateFile, &UpdateFileParams { id, expected_version, file: file(9) }, 0)
}

pub fn a_grant_opens_ages_and_closes(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_account());
    let file = register(&mut chain, alice, 1);
    assert_eq!(get_grant(&mut chain, file, bob), None);
    grant(&mut chain, alice, file, grant_spec(bob, Rights::READ, 200)).unwrap();
    let expected =
        Grant { wrap: vec![7; 98], rights: Rights::READ, expiration: 200, version: 1, state: GrantState::Active };
    assert_eq!(get_grant(&mut chain, file, bob), Some(expected.clone()));

    update(&mut chain, alice, file, 1).unwrap();
    assert_eq!(get_grant(&mut chain, file, bob), Some(Grant { state: GrantState::Stale, ..expected.clone() }));
    chain.set_epoch(199);
    assert_eq!(get_grant(&mut chain, file, bob).unwrap().state, GrantState::Stale);
    chain.set_epoch(200);
    assert_eq!(get_grant(&mut chain, file, bob).unwrap().state, GrantState::Expired);

    let renewed = grant_spec(bob, Rights::ALL, EPOCH_NEVER);
    grant(&mut chain, alice, file, renewed).unwrap();
    let grant = get_grant(&mut chain, file, bob).unwrap();
    assert_eq!((grant.version, grant.state, grant.rights), (2, GrantState::Active, Rights::ALL));
    revoke(&mut chain, alice, file, &[bob]).unwrap();
    assert_eq!(get_grant(&mut chain, file, bob), None);
    assert_eq!(exit(revoke(&mut chain, alice, file, &[bob])), Exit::NotFound);
    assert_eq!(chain.events().last(), Some(&Event::AccessRevoked { id: file, grantee: bob, by: alice }));
}

pub fn rights_are_kept_apart(new: New<'_>) {
    let mut chain = new();
    let [alice, reader, writer, sharer, eve] = std::array::from_fn(|_| chain.create_account());
    let file = register(&mut chain, alice, 1);
    for (who, rights) in [(reader, Rights::READ), (writer, Rights::WRITE), (sharer, Rights::SHARE)] {
        grant(&mut chain, alice, file, grant_spec(who, rights, 200)).unwrap();
    }
    for who in [reader, sharer, eve] {
        assert_eq!(exit(update(&mut chain, who, file, 1)), Exit::Forbidden);
    }
    update(&mut chain, writer, file, 1).unwrap();
    update(&mut chain, writer, file, 2).expect("a stale grant still gives the right");
    assert_eq!(get_file(&mut chain, file).unwrap().owner, alice);
    for who in [reader, writer, eve] {
        assert_eq!(exit(grant(&mut chain, who, file, grant_spec(eve, Rights::READ, 150))), Exit::Forbidden);
    }
    chain.set_epoch(200);
    assert_eq!(exit(update(&mut chain, writer, file, 3)), Exit::Forbidden, "expired");
    assert_eq!(exit(grant(&mut chain, sharer, file, grant_spec(eve, Rights::SHARE, 201))), Exit::Forbidden, "expired");
}

pub fn sharers_give_no_more_than_they_hold(new: New<'_>) {
    let mut chain = new();
    let [alice, sharer, friend, other] = std::array::from_fn(|_| chain.create_account());
    let file = register(&mut chain, alice, 1);
    let share_and_read = Rights::SHARE.union(Rights::READ);
    grant(&mut chain, alice, file, grant_spec(sharer, share_and_read, 300)).unwrap();
    grant(&mut chain, alice, file, grant_spec(other, Rights::READ, 250)).unwrap();

    let forbidden =
        |chain: &mut dyn Body, spec: GrantSpec| assert_eq!(exit(grant(chain, sharer, file, spec)), Exit::Forbidden);
    forbidden(&mut chain, grant_spec(friend, Rights::WRITE, 300));
    forbidden(&mut chain, grant_spec(friend, Rights::ALL, 300));
    forbidden(&mut chain, grant_spec(friend, Rights::READ, 301));
    forbidden(&mut chain, grant_spec(friend, Rights::READ, EPOCH_NEVER));
    forbidden(&mut chain, grant_spec(other, Rights::READ, 200));
    forbidden(&mut chain, grant_spec(sharer, Rights::READ, 300));

    grant(&mut chain, sharer, file, grant_spec(friend, share_and_read, 300)).unwrap();
    grant(&mut chain, sharer, file, grant_spec(friend, Rights::READ, 250)).expect("their own may be replaced");
    assert_eq!(exit(revoke(&mut chain, sharer, file, &[other])), Exit::Forbidden);
    assert_eq!(exit(revoke(&mut chain, friend, file, &[sharer])), Exit::Forbidden);
    revoke(&mut chain, sharer, file, &[friend]).unwrap();
    chain.set_epoch(260);
    grant(&mut chain, sharer, file, grant_spec(other, Rights::READ, 300)).expect("what has expired is free");
    revoke(&mut chain, other, file, &[other]).expect("anybody may give up their own");
    revoke(&mut chain, alice, file, &[sharer]).unwrap();
    assert_eq!(list_grants(&mut chain, file, 100), Vec::<u64>::new());
}

pub fn many_grants_are_listed_in_pages(new: New<'_>) {
    let mut chain = new();
    let alice = chain.create_account();
    let people: Vec<_> = (0..70).map(|_| chain.create_account()).collect();
    let (one, two) = (register(&mut chain, alice, 1), register(&mut chain, alice, 2));
    for file in [one, two] {
        for group in people.chunks(32) {
            let grants = group.iter().map(|who| grant_spec(*who, Rights::READ, EPOCH_NEVER)).collect();
            send(&mut chain, alice, Method::GrantAccess, &GrantAccessParams { id: file, grants }, 0).unwrap();
        }
    }
    assert_eq!(list_grants(&mut chain, one, 7), people);
    assert_eq!(list_grants(&mut chain, two, 100), people);
    for group in people.chunks(20) {
        revoke(&mut chain, alice, one, group).unwrap();
    }
    assert_eq!(list_grants(&mut chain, one, 7), Vec::<u64>::new());
    for who in &people {
        assert_eq!(list_shared(&mut chain, *who, 1), [(two, GrantState::Active)]);
    }
    assert_eq!(list_grants(&mut chain, 77, 100), Vec::<u64>::new());
}

pub fn what_is_shared_with_somebody_is_listed_in_pages(new: New<'_>) {
    let mut chain = new();
    let (alice, bob, carol) = (chain.create_account(), chain.create_account(), chain.create_account());
    let files: Vec<_> = (0..140).map(|seed| register(&mut chain, alice, seed)).collect();
    for file in &files {
        grant(&mut chain, alice, *file, grant_spec(bob, Rights::READ, EPOCH_NEVER)).unwrap();
    }
    let active = |ids: &[FileId]| ids.iter().map(|id| (*id, GrantState::Active)).collect::<Vec<_>>();
    assert_eq!(list_shared(&mut chain, bob, 3), active(&files));
    assert_eq!(list_shared(&mut chain, carol, 3), []);

    for file in &files[5..] {
        send(&mut chain, alice, Method::RemoveFile, &RemoveFileParams { id: *file }, 0).unwrap();
    }
    assert_eq!(list_shared(&mut chain, bob, 3), active(&files[..5]));
    assert_eq!(get_grant(&mut chain, files[7], bob), None);
    assert_eq!(list_grants(&mut chain, files[7], 9), Vec::<u64>::new());
    assert_eq!(exit(revoke(&mut chain, bob, files[7], &[bob])), Exit::NotFound);
}

pub fn a_new_owner_needs_no_grant(new: New<'_>) {
    let mut chain = new();
    let (alice, bob, carol) = (chain.create_account(), chain.create_account(), chain.create_account());
    let file = register(&mut chain, alice, 1);
    grant(&mut chain, alice, file, grant_spec(bob, Rights::READ, 200)).unwrap();
    grant(&mut chain, alice, file, grant_spec(carol, Rights::READ, 200)).unwrap();
    let params = TransferFileParams { id: file, to: id(bob), wrap: vec![1] };
    send(&mut chain, alice, Method::TransferFile, &params, 0).unwrap();
    assert_eq!(list_grants(&mut chain, file, 9), [carol]);
    assert_eq!(list_shared(&mut chain, bob, 9), []);
    assert_eq!(exit(grant(&mut chain, bob, file, grant_spec(bob, Rights::READ, 200))), Exit::IllegalArgument);
    assert_eq!(exit(grant(&mut chain, alice, file, grant_spec(alice, Rights::READ, 200))), Exit::Forbidden);
    revoke(&mut chain, alice, file, &[carol]).expect("who gave a grant may take it back");
}

pub fn grants_out_of_bounds_are_refused(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_account());
    let file = register(&mut chain, alice, 1);
    let good = || grant_spec(bob, Rights::READ, 200);
    let mut refused = |grants: Vec<GrantSpec>, expected: Exit| {
        let params = GrantAccessParams { id: file, grants };
        assert_eq!(exit(send(&mut chain, alice, Method::GrantAccess, &params, 0)), expected);
    };
    refused(vec![], Exit::IllegalArgument);
    refused((0..33).map(|n| grant_spec(bob + n, Rights::READ, 200)).collect(), Exit::IllegalArgument);
    refused(vec![GrantSpec { wrap: vec![], ..good() }], Exit::IllegalArgument);
    refused(vec![GrantSpec { wrap: vec![0; 2_049], ..good() }], Exit::IllegalArgument);
    refused(vec![GrantSpec { expiration: 0, ..good() }], Exit::IllegalArgument);
    refused(vec![GrantSpec { expiration: 100, ..good() }], Exit::IllegalArgument);
    refused(vec![good(), good()], Exit::IllegalArgument);
    refused(vec![good(), grant_spec(123_456, Rights::READ, 200)], Exit::NotFound);
    let nobody = chain.robust(5);
    let params = GrantAccessParams { id: file, grants: vec![GrantSpec { address: nobody, ..good() }] };
    assert_eq!(exit(send(&mut chain, alice, Method::GrantAccess, &params, 0)), Exit::NotFound);
    assert_eq!(exit(grant(&mut chain, alice, 7, good())), Exit::NotFound);
    assert_eq!(exit(revoke(&mut chain, alice, file, &[])), Exit::IllegalArgument);
    assert_eq!(exit(revoke(&mut chain, alice, file, &[bob; 33])), Exit::IllegalArgument);
    grant(&mut chain, alice, file, good()).unwrap();
    assert_eq!(exit(revoke(&mut chain, alice, file, &[bob, bob])), Exit::NotFound);
    assert_eq!(list_grants(&mut chain, file, 9), [bob]);
}

pub fn long_wraps_stay_whole(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_account());
    let long =
        FileSpec { metadata: (0..1_024u32).map(|n| n as u8).collect(), owner_wrap: vec![0xab; 2_048], ..file(1) };
    let params = RegisterFileParams { files: vec![file(1), long.clone(), file(2)] };
    call::<_, RegisterFileReturn>(&mut chain, alice, Method::RegisterFile, &params, 0).unwrap();
    assert_eq!(get_file(&mut chain, 2).unwrap().file, long);
    for len in [1, 31, 32, 33, 448, 449, 1_500, 2_048, 1] {
        let wrap: Vec<u8> = (0..len).map(|n| n as u8 ^ 0x5a).collect();
        let spec = GrantSpec { wrap: wrap.clone(), ..grant_spec(bob, Rights::READ, 200) };
        grant(&mut chain, alice, 2, spec).unwrap();
        assert_eq!(get_grant(&mut chain, 2, bob).unwrap().wrap, wrap);
        let params =
            UpdateFileParams { id: 2, expected_version: get_file(&mut chain, 2).unwrap().version, file: file(4) };
        call::<_, UpdateFileReturn>(&mut chain, alice, Method::UpdateFile, &params, 0).unwrap();
        let again = FileSpec { metadata: vec![len as u8; len.min(1_024)], owner_wrap: wrap, ..file(5) };
        let params = UpdateFileParams { file: again.clone(), expected_version: params.expected_version + 1, ..params };
        call::<_, UpdateFileReturn>(&mut chain, alice, Method::UpdateFile, &params, 0).unwrap();
        assert_eq!(get_file(&mut chain, 2).unwrap().file, again);
    }
    assert_eq!(get_file(&mut chain, 1).unwrap().file, file(1));
    assert_eq!(get_file(&mut chain, 3).unwrap().file, file(2));
    // A new owner's wrap may be longer than the old one.
    let params = TransferFileParams { id: 2, to: id(bob), wrap: vec![0xcd; 2_048] };
    send(&mut chain, alice, Method::TransferFile, &params, 0).unwrap();
    let record = get_file(&mut chain, 2).unwrap();
    assert_eq!((record.file.owner_wrap, record.file.metadata), (vec![0xcd; 2_048], vec![1]));
}
