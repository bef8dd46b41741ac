use super::*;
use crate::care::{KeptDeal, Order};
use crate::deal::DealId;
use crate::node::SectorLife;
use crate::piece::CommP;
use crate::store::DealEntry;

#[test]
fn windows_hold_each_epoch_once_and_none_is_too_wide() {
    assert_eq!(windows(vec![100], 5000), [(0, 2879), (2880, 5000)]);
    for (since, now) in [
        (vec![0], 0),
        (vec![100, 100, 3_000, 100_000], 200_000),
        (vec![100_000, 128_000], 128_100),
        (vec![200, 100], 90),
        (vec![7, 500_000], 1_000_000),
    ] {
        let parts = windows(since.clone(), now);
        let mut before = -1;
        for (first, last) in parts.iter().copied() {
            assert!(before < first && first <= last && last - first < WINDOW && last <= now, "{since:?}: {parts:?}");
            before = last;
        }
        let is_in = |epoch| parts.iter().any(|(first, last)| (*first..=*last).contains(&epoch));
        for since in since.iter().filter(|since| **since <= now) {
            for epoch in [since - WINDOW, *since, since + WINDOW, since + SEALED_WITHIN] {
                assert!(epoch < 0 || epoch > now || is_in(epoch), "{since}: {epoch} is not in {parts:?}");
            }
        }
    }
}

const NOW: ChainEpoch = 1_000_000;

/// A proven copy that serves, and ends then.
fn copy(provider: u64, expiration: ChainEpoch) -> Copy {
    let life = Some(SectorLife { activation: 1, expiration });
    let sectors = vec![SectorView { number: 1, state: SectorState::Active, life }];
    Copy {
        sectors,
        url: Some("http://h".into()),
        served: Served::Right { verified: 1 },
        ..Copy::of(Address::new_id(provider))
    }
}

fn survey(copies: Vec<Copy>, wanted: usize) -> Survey {
    let kept = Kept { copies: Some(wanted), ..Kept::default() };
    Survey { piece: CommP::of(b"a piece").unwrap(), now: NOW, copies, here: None, kept, indexed: true }
}

fn source(provider: u64) -> Source {
    Source::Provider { miner: Address::new_id(provider), url: "http://h".into() }
}

#[test]
fn what_is_replaced_already_is_not_prolonged_again() {
    let (soon, late, before) = (NOW + 5, NOW + 500, NOW + 100);
    let order = |copies, wanted, named: &[Source]| {
        let order = Order::renewal(&survey(copies, wanted), before, &[source(1), source(2), source(3)], named);
        (order.want, order.candidates)
    };
    // The one that ends is asked first, then whoever has none.
    assert_eq!(order(vec![copy(1, soon)], 1, &[]), (1, vec![source(1), source(2), source(3)]));
    assert_eq!(order(vec![copy(1, soon), copy(2, late)], 2, &[]), (1, vec![source(1), source(3)]));
    // Another one took its place in an earlier round.
    assert_eq!(order(vec![copy(1, soon), copy(2, late)], 1, &[]).0, 0);
    assert_eq!(order(vec![copy(1, soon), copy(2, late)], 2, &[source(2), source(3)]), (1, vec![source(3)]));
    assert_eq!(order(vec![copy(1, soon), copy(2, soon), copy(3, late)], 2, &[]).0, 1);
}

#[test]
fn who_refuses_every_time_does_not_fill_the_book() {
    let mut kept = Kept::default();
    let deal = |provider, state| {
        let (provider, url) = (Address::new_id(provider), "http://h".to_owned());
        KeptDeal::new(DealEntry { provider, url, id: DealId::generate(), state }, 100, 518_400)
    };
    kept.note(deal(1, DealProgress::Sealed));
    kept.note(KeptDeal { sector: Some(7), ..deal(1, DealProgress::Failed("dead".into())) });
    kept.note(deal(2, DealProgress::Failed("no".into())));
    for _ in 0..100 {
        let begun = deal(1, DealProgress::Begun);
        kept.note(begun.clone());
        kept.note(KeptDeal {
            deal: DealEntry { state: DealProgress::Failed("no".into()), ..begun.deal.clone() },
            ..begun
        });
    }
    let of_first = kept.deals.iter().filter(|kept| kept.deal.provider == Address::new_id(1)).count();
    assert_eq!((of_first, kept.deals.len()), (3, 4), "what had a sector, or is of others, stays");
}
