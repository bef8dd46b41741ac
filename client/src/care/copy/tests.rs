use super::*;
use crate::care::Kept;
use crate::deal::DealId;
use crate::piece::CommP;
use crate::store::DealEntry;

const NOW: ChainEpoch = 1_000_000;

fn survey(indexed: bool) -> Survey {
    let piece = CommP::of(b"a piece").unwrap();
    Survey { piece, now: NOW, copies: vec![], here: None, kept: Kept::default(), indexed }
}

fn deal(state: DealProgress, since: ChainEpoch, sector: Option<SectorNumber>) -> KeptDeal {
    let deal = DealEntry { provider: Address::new_id(1000), url: "http://h".into(), id: DealId::generate(), state };
    KeptDeal { sector, ..KeptDeal::new(deal, since, 518_400) }
}

fn sector(number: SectorNumber, state: SectorState, expiration: ChainEpoch) -> SectorView {
    SectorView { number, state, life: Some(SectorLife { activation: 1, expiration }) }
}

fn untold(number: SectorNumber) -> SectorView {
    SectorView { number, state: SectorState::Unknown("no such method".into()), life: None }
}

fn copy(served: Served, deals: Vec<KeptDeal>, sectors: Vec<SectorView>) -> Copy {
    Copy { served, deals, sectors, ..Copy::of(Address::new_id(1000)) }
}

#[test]
fn the_chain_and_the_bytes_decide_together() {
    use DealProgress::{Begun, Failed, Sealed, Stored};
    use SectorState::{Active, Dead, Faulty, Unknown};
    let right = || Served::Right { verified: 1 };
    let (lost, forged, silent) =
        (|| Served::Lost("no".into()), || Served::Forged("no".into()), || Served::Silent("no".into()));
    let unknown = || Unknown("no such method".into());
    for (served, deals, sectors, indexed, health) in [
        (right(), vec![], vec![sector(1, Active, NOW + 1)], true, Health::Good),
        (lost(), vec![], vec![sector(1, Active, NOW + 1)], true, Health::Lost),
        (forged(), vec![], vec![sector(1, Active, NOW + 1)], true, Health::Forged),
        (silent(), vec![], vec![sector(1, Active, NOW + 1)], true, Health::Silent),
        (right(), vec![], vec![sector(1, Faulty, NOW + 1)], true, Health::Faulty),
        (silent(), vec![], vec![sector(1, Faulty, NOW + 1)], true, Health::Faulty),
        (right(), vec![], vec![sector(1, Dead, NOW + 1)], true, Health::Dead),
        (right(), vec![], vec![sector(1, Dead, NOW + 1), sector(2, Active, NOW + 1)], true, Health::Good),
        (right(), vec![], vec![sector(1, unknown(), NOW + 1)], true, Health::Good),
        (right(), vec![], vec![sector(1, unknown(), NOW)], true, Health::Dead),
        // Neither miner nor node says: it is not over, and the provider's word has to do.
        (right(), vec![], vec![untold(1)], true, Health::Unproven),
        (right(), vec![deal(Sealed, 1, Some(1))], vec![untold(1)], true, Health::Good),
        (right(), vec![deal(Stored, 1, Some(1))], vec![untold(1)], true, Health::Unproven),
        (lost(), vec![deal(Sealed, 1, Some(1))], vec![untold(1)], true, Health::Lost),
        (right(), vec![], vec![], true, Health::Unproven),
        // A seal takes its time; a word alone is believed for a day.
        (right(), vec![deal(Stored, NOW - SEALING, None)], vec![], true, Health::Sealing),
        (right(), vec![deal(Stored, NOW - SEALING - 1, None)], vec![], true, Health::Unproven),
        (lost(), vec![deal(Stored, NOW, None)], vec![], true, Health::Lost),
        (right(), vec![deal(Sealed, NOW - WORD, None)], vec![], true, Health::Sealing),
        (right(), vec![deal(Sealed, NOW - WORD - 1, None)], vec![], true, Health::Unproven),
        (right(), vec![deal(Sealed, NOW - WORD - 1, None)], vec![], false, Health::Good),
        (right(), vec![deal(Begun, NOW, None)], vec![], true, Health::Unproven),
        (right(), vec![deal(Failed("no".into()), NOW, None)], vec![], false, Health::Unproven),
        // The next sector is on its way while the last one has ended.
        (right(), vec![deal(Stored, NOW, None)], vec![sector(1, Dead, NOW)], true, Health::Sealing),
    ] {
        let copy = copy(served, deals, sectors);
        assert_eq!(copy.health(&survey(indexed)), health, "{copy:?}");
    }
}

#[test]
fn a_copy_ends_with_the_last_of_what_holds_it() {
    use DealProgress::{Failed, Sealed, Stored};
    use SectorState::{Active, Dead};
    let right = || Served::Right { verified: 1 };
    let ends = |deals, sectors| copy(right(), deals, sectors).ends(&survey(true));
    assert_eq!(ends(vec![], vec![]), None);
    assert_eq!(ends(vec![], vec![sector(1, Active, NOW + 9)]), Some(NOW + 9));
    assert_eq!(ends(vec![], vec![sector(1, Dead, NOW + 9)]), None);
    // What was promised is less than what the sector may live.
    let early = deal(Sealed, NOW - 518_400 + 5, Some(1));
    assert_eq!(ends(vec![early.clone()], vec![sector(1, Active, NOW + 9)]), Some(NOW + 5));
    // The sector dies before what was promised.
    assert_eq!(ends(vec![deal(Sealed, NOW, Some(1))], vec![sector(1, Active, NOW + 9)]), Some(NOW + 9));
    // A renewal that is being sealed counts, and not for ever.
    let renewal = deal(Stored, NOW - SEALING, None);
    assert_eq!(ends(vec![early.clone(), renewal], vec![sector(1, Active, NOW + 9)]), Some(NOW + 518_400 - SEALING));
    let never = deal(Stored, NOW - SEALING - 1, None);
    assert_eq!(ends(vec![early.clone(), never], vec![sector(1, Active, NOW + 9)]), Some(NOW + 5));
    // A word is believed for a day, and where nobody else can say.
    let word = deal(Sealed, NOW - WORD - 1, None);
    assert_eq!(ends(vec![early.clone(), word.clone()], vec![sector(1, Active, NOW + 9)]), Some(NOW + 5));
    let unindexed = copy(right(), vec![early, word], vec![sector(1, Active, NOW + 9)]).ends(&survey(false));
    assert_eq!(unindexed, Some(NOW + 518_400 - WORD - 1));
    assert_eq!(ends(vec![deal(Sealed, NOW, Some(1))], vec![untold(1)]), Some(NOW + 518_400));
    assert_eq!(ends(vec![deal(Failed("no".into()), NOW, None)], vec![]), None);
}
