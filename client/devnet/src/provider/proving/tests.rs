use super::*;
use bauta_client::piece::piece_cid;

fn sector(deadline: u64, partition: u64, state: SectorState) -> Sector {
    Sector { piece_cid: piece_cid(&[1; 32]), expiration: 1 << 40, deadline, partition, state }
}

#[test]
fn windows_open_once_a_period() {
    // The proving period starts at epoch 100 (mod 2880).
    assert_eq!(window(100, 0, 100), Window::Open(100));
    assert_eq!(window(100, 0, 159), Window::Open(100));
    assert_eq!(window(100, 0, 160), Window::Closed(2980));
    assert_eq!(window(100, 0, 99), Window::Closed(100));
    assert_eq!(window(100, 47, 99), Window::Open(40));
    assert_eq!(window(100, 47, 39), Window::Closed(40));
    assert_eq!(window(100, 3, 100_000), Window::Closed(100 + 180 + 35 * 2880));
    for at in 0..6000 {
        let open = (0..48).filter(|deadline| matches!(window(100, *deadline, at), Window::Open(_))).count();
        assert_eq!(open, 1, "at {at}");
    }
}

#[test]
fn recoveries_are_declared_while_the_deadline_may_change() {
    assert_eq!(mutable_from(100, 0, 29), 29, "71 epochs before it opens");
    assert_eq!(mutable_from(100, 0, 30), 160, "70 are too late");
    assert_eq!(mutable_from(100, 0, 99), 160);
    assert_eq!(mutable_from(100, 0, 100), 160);
    assert_eq!(mutable_from(100, 0, 159), 160);
    assert_eq!(mutable_from(100, 0, 160), 160);
}

#[test]
fn a_proof_is_due_once_in_each_window() {
    let mut book = Book::default();
    book.sectors.insert(1, sector(0, 0, SectorState::Active));
    book.sectors.insert(2, sector(5, 0, SectorState::Dead));
    let mut proofs = Proofs::default();
    assert_eq!(proofs.next(&book, 10), Some(11), "the period is to be asked for");
    proofs.phase = Some(100);
    assert_eq!(proofs.next(&book, 10), Some(100));
    assert_eq!(proofs.next(&book, 99), Some(100));
    assert_eq!(proofs.next(&book, 130), Some(131), "late is better than never");
    proofs.proven.insert(0, 100);
    assert_eq!(proofs.next(&book, 130), Some(2980));
    assert_eq!(proofs.next(&book, 2978), Some(2980));
    assert_eq!(proofs.next(&book, 2979), Some(2980));
    proofs.suspects.insert(0);
    assert_eq!(proofs.next(&book, 130), Some(160));
    book.conduct.proving = false;
    assert_eq!(proofs.next(&book, 130), None);
    assert!(!proofs.is_awaited(&book));
    book.to_terminate.insert(1);
    assert_eq!(proofs.next(&book, 130), Some(131));
    assert!(proofs.is_awaited(&book));
}

#[test]
fn good_sectors_stand_in_for_others_of_their_partition() {
    let mut book = Book::default();
    for (number, (deadline, partition, state)) in [
        (0, 0, SectorState::Dead),
        (0, 0, SectorState::Faulty),
        (0, 0, SectorState::Recovering),
        (0, 0, SectorState::Active),
        (0, 1, SectorState::Faulty),
        (0, 2, SectorState::Active),
        (1, 0, SectorState::Active),
    ]
    .into_iter()
    .enumerate()
    {
        book.sectors.insert(number as u64, sector(deadline, partition, state));
    }
    assert_eq!(provable(&book, 0), [(0, vec![2, 2, 2, 3]), (2, vec![5])]);
    assert_eq!(provable(&book, 1), [(0, vec![6])]);
    assert_eq!(provable(&book, 2), []);
    assert_eq!(deadlines(&book), BTreeSet::from([0, 1]));
}
