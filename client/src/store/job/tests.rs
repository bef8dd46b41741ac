use super::*;

fn name(source: &str, owner: u64, chain: &str, update: Option<FileId>, content: u8) -> String {
    let (source, owner) = (Path::new(source), Address::new_id(owner));
    Identity { source, owner: &owner, chain, update, content: &[content; 32] }.name()
}

#[test]
fn a_job_is_named_after_all_that_tells_it_apart() {
    let names = [
        name("/a", 1, "local", None, 0),
        name("/b", 1, "local", None, 0),
        name("/a", 2, "local", None, 0),
        name("/a", 1, "mainnet", None, 0),
        name("/a", 1, "local", Some(1), 0),
        name("/a", 1, "local", None, 1),
    ];
    for (i, a) in names.iter().enumerate() {
        assert!(names[..i].iter().all(|b| a != b), "{i}");
    }
    assert_eq!(names[0], name("/a", 1, "local", None, 0));
}

#[test]
fn a_job_comes_back_as_it_was_and_half_a_journal_is_not_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::at(&folder.path().join("outbox"));
    assert_eq!(outbox.load("x").unwrap(), None);
    let mut job = Job::new(Path::new("/some/where"));
    let deal =
        |state| DealEntry { provider: Address::new_id(1000), url: "http://h".into(), id: DealId::generate(), state };
    job.deals = vec![deal(DealProgress::Begun), deal(DealProgress::Failed("no".into())), deal(DealProgress::Sealed)];
    job.skipped = vec![Skipped { path: "/some/where/else".into(), reason: "closed".into() }];
    job.registered = Some(Registered { file: 7, version: 1, message: None, gas_used: Some(5), epoch: Some(9) });
    let key = crate::wallet::Key::generate(crate::wallet::KeyKind::Secp256k1);
    let to = Address::new_id(1);
    let draft = crate::message::draft(key.address(), to, Default::default(), 0, Default::default());
    job.pending = Some(Slip { signed: key.sign(draft).unwrap(), since: 3, kept: true });
    outbox.save("x", &job).unwrap();
    assert_eq!(outbox.load("x").unwrap(), Some(job));

    let path = outbox.journal("x");
    let text = std::fs::read(&path).unwrap();
    replace_private(&path, &text[..text.len() / 2]).unwrap();
    assert!(matches!(outbox.load("x"), Err(FileError::Damaged(_))));
    outbox.forget("x").unwrap();
    assert!(!path.exists());
}

/// A folder may hold thousands of sockets, each of which is named.
#[test]
fn a_job_that_left_much_out_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::at(folder.path());
    let mut job = Job::new(Path::new("/some/where"));
    let left = |n| Skipped { path: format!("/{n}/{}", "x".repeat(200)).into(), reason: "it is a socket".into() };
    job.skipped = (0..10_000).map(left).collect();
    outbox.save("x", &job).unwrap();
    assert!(std::fs::metadata(outbox.journal("x")).unwrap().len() > 2 << 20);
    assert_eq!(outbox.load("x").unwrap(), Some(job));
}

#[test]
fn places_are_noted_once() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::at(folder.path());
    let piece = crate::piece::CommP::of(b"a piece").unwrap().piece_cid;
    let place = Place::Here("/a.car".into());
    outbox.note_piece(&piece, &place).unwrap();
    outbox.note_piece(&piece, &place).unwrap();
    assert_eq!(outbox.places(&piece).unwrap(), std::slice::from_ref(&place));
    // One that nobody understands may name the only copy: it is not written over.
    replace_private(&outbox.pieces(&piece), b"[{").unwrap();
    assert!(matches!(outbox.places(&piece), Err(FileError::Damaged(_))));
    assert!(matches!(outbox.note_piece(&piece, &place), Err(FileError::Damaged(_))));
}
