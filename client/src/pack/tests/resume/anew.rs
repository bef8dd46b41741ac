//! What is packed anew, because what is there is of no use any more.

use super::*;

#[test]
fn what_has_changed_since_is_packed_anew() {
    type Change = fn(&Path);
    let changes: [Change; 8] = [
        |root| fs::write(root.join("0001"), "other").unwrap(),
        |root| fs::write(root.join("0500-film"), bytes(3 << 20)).unwrap(),
        |root| {
            // The same size, and the time put back: only the time of its state tells.
            let about = fs::metadata(root.join("0500-film")).unwrap();
            fs::write(root.join("0500-film"), vec![1; 4 << 20]).unwrap();
            let file = fs::File::options().write(true).open(root.join("0500-film")).unwrap();
            file.set_modified(about.modified().unwrap()).unwrap();
        },
        |root| fs::remove_file(root.join("0002")).unwrap(),
        |root| fs::write(root.join("0000-new"), "new").unwrap(),
        |root| fs::rename(root.join("0500-film"), root.join("0500-flim")).unwrap(),
        |root| fs::remove_file(root.join("a-name-of-zz")).unwrap(),
        |root| fs::write(root.join("zz-last"), bytes(2 << 20)).unwrap(),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let each = Try::new();
        let root = folder(&each);
        each.pack("folder", 9).packed.unwrap_err();
        change(&root);
        let last = each.pack("folder", u64::MAX);
        comes_back(&each, &last.packed.unwrap(), &root);
        assert!(last.resumed > 0 || i != 7, "what is new at the end changes nothing before it");
    }
}

#[test]
fn a_changed_file_begins_anew_under_a_new_key() {
    let each = Try::new();
    let path = each.case.path("film");
    fs::write(&path, bytes(6 << 20)).unwrap();
    each.pack("film", 6).packed.unwrap_err();
    let before = each.part();
    fs::write(&path, bytes(7 << 20)).unwrap();
    let last = each.pack("film", u64::MAX);
    assert!(last.resumed == 0 && before.is_none_or(|part| !part.exists()));
    let car = each.whole(&last.packed.unwrap());
    each.case.unpack(&car, "back").unwrap();
    assert!(fs::read(each.case.path("back")).unwrap() == bytes(7 << 20));
}

#[test]
fn other_recipients_another_identity_or_another_file_begin_anew() {
    let mut each = Try::new();
    fs::write(each.case.path("film"), bytes(6 << 20)).unwrap();
    fs::write(each.case.path("film-2"), bytes(6 << 20)).unwrap();
    let friend = Identity::generate();
    each.pack("film", 6).packed.unwrap_err();
    assert_eq!(each.pack("film-2", u64::MAX).resumed, 0);
    assert_eq!(each.left(), [each.case.path("out/whole")], "what another file had begun is gone");
    fs::remove_file(each.case.path("out/whole")).unwrap();

    each.pack("film", 6).packed.unwrap_err();
    each.case.owner = friend;
    let for_friend = each.pack("film", u64::MAX);
    assert_eq!(for_friend.resumed, 0);
    each.whole(&for_friend.packed.unwrap());

    // Who cannot open the journal begins anew; what lies there is only found by who can.
    each.pack("film", 6).packed.unwrap_err();
    each.all = vec![Identity::generate()];
    let last = each.pack("film", u64::MAX);
    assert_eq!(last.resumed, 0);
    last.packed.unwrap();
    // Without an identity there is no journal.
    let alone = Try { all: Vec::new(), ..Try::new() };
    fs::write(alone.case.path("film"), bytes(6 << 20)).unwrap();
    alone.pack("film", 6).packed.unwrap_err();
    assert!(alone.left().is_empty() && !alone.journal().exists());
}

#[test]
fn whatever_became_of_journal_and_car_it_is_packed() {
    let each = Try::new();
    let plain = bytes(8 << 20);
    fs::write(each.case.path("film"), &plain).unwrap();
    type Damage = Box<dyn Fn(&Path, &Path)>;
    let mut damages: Vec<Damage> = Vec::new();
    for keep in [0, 30, 59, 100, 1 << 20, 3 << 20] {
        damages
            .push(Box::new(move |_, part| fs::File::options().write(true).open(part).unwrap().set_len(keep).unwrap()));
    }
    for at in [5, 59, 62, 70, 2_000_000] {
        damages.push(Box::new(move |_, part| {
            let mut car = fs::read(part).unwrap();
            car[at] ^= 0x55;
            // In its place: the journal knows the file.
            use std::io::Write;
            fs::File::options().write(true).open(part).unwrap().write_all(&car).unwrap();
        }));
    }
    for cut in [1, 20, 400, 5_000] {
        damages.push(Box::new(move |journal, _| {
            let bytes = fs::read(journal).unwrap();
            fs::write(journal, &bytes[..bytes.len().saturating_sub(cut)]).unwrap();
        }));
    }
    damages.push(Box::new(|_, part| fs::remove_file(part).unwrap()));
    damages.push(Box::new(|_, part| {
        // Another file under its name is not touched.
        fs::remove_file(part).unwrap();
        fs::write(part, "somebody's").unwrap();
    }));
    for (i, damage) in damages.iter().enumerate() {
        let mut part = None;
        for _ in 0..20 {
            each.pack("film", 7).packed.unwrap_err();
            part = each.part();
            if part.is_some() {
                break;
            }
        }
        let part = part.expect("one of many tries gets as far as a checkpoint");
        damage(&each.journal(), &part);
        let last = each.pack("film", u64::MAX).packed.unwrap();
        if i + 1 == damages.len() {
            assert_eq!(fs::read(&part).unwrap(), b"somebody's");
            fs::remove_file(&part).unwrap();
        }
        if each.part().is_some() {
            // A journal without its head leads to no CAR; what it was of is still there, under a name that tells.
            fs::remove_file(each.part().unwrap()).unwrap();
        }
        let whole = fs::read(each.case.path("out/whole")).unwrap();
        fs::remove_file(each.case.path("out/whole")).unwrap();
        if let Ok(found) = each.case.unpack(&whole, "back") {
            assert_eq!(found.bytes, plain.len() as u64);
            assert!(fs::read(each.case.path("back")).unwrap() == plain, "damage {i}");
            fs::remove_file(each.case.path("back")).unwrap();
        } else {
            // A byte of a CID or inside of a block, which is not read again: what was on the disk for good is taken to be there still, as it
            // is behind a finished pass. Whoever reads it sees it.
            assert!(i == 9 || i == 10, "damage {i}");
        }
        assert_eq!(last.metadata.size, plain.len() as u64);
    }
}
