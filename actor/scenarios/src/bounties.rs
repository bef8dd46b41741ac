//! Bounties through dispatch: create, fund, settle, cancel, refund, list.

use crate::samples::*;
use crate::{Body, New, Result};
use bauta_abi::*;
use bauta_actor::runtime::fake::Sector;
use fvm_shared::econ::TokenAmount;

pub fn fund(chain: &mut dyn Body, who: u64, id: BountyId, attofil: u128) -> Result<()> {
    send(chain, who, Method::FundBounty, &FundBountyParams { id }, attofil)
}

pub fn cancel(chain: &mut dyn Body, who: u64, id: BountyId) -> Result<()> {
    send(chain, who, Method::CancelBounty, &CancelBountyParams { id }, 0)
}

pub fn refund(chain: &mut dyn Body, who: u64, id: BountyId) -> Result<u64> {
    let refunded = call(chain, who, Method::RefundBounty, &RefundBountyParams { id }, 0);
    refunded.map(|RefundBountyReturn { amount }| u64::try_from(amount.atto()).expect("small"))
}

pub fn claimed_by(chain: &mut dyn Body, miner: u64, bounty: BountyId) {
    seal(chain, miner, 7, 5_000);
    notify(chain, miner, vec![change(7, 5_000, piece(1), bounty)]).expect("notified");
}

fn set_status(chain: &mut dyn Body, miner: u64, status: u8) {
    place(chain, miner, 7, status, 5_000);
}

pub fn a_bounty_from_offer_to_refund(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_account());
    let (honest, faulty) = (chain.create_miner(), chain.create_miner());
    let bounty = create(&mut chain, alice, terms(1), 1_500).unwrap();
    fund(&mut chain, bob, bounty, 500).unwrap();
    assert_eq!(get_bounty(&mut chain, bounty).escrowed, chain.own_balance());

    chain.set_epoch(200);
    claimed_by(&mut chain, honest, bounty);
    claimed_by(&mut chain, faulty, bounty);
    let record = get_bounty(&mut chain, bounty);
    assert_eq!((record.claims, record.reserved == record.escrowed, record.ended), (2, true, false));
    assert_eq!(exit(refund(&mut chain, alice, bounty)), Exit::BountyNotEnded);

    chain.set_epoch(700);
    assert_eq!(settle(&mut chain, bounty, &[0, 1]), Ok(vec![100 + 450, 100 + 450]));
    set_status(&mut chain, faulty, 2);
    chain.set_epoch(1_300);
    assert_eq!(settle(&mut chain, bounty, &[1, 0]), Ok(vec![0, 450]));
    assert_eq!(exit(settle(&mut chain, bounty, &[0])), Exit::ClaimClosed);
    assert_eq!(chain.balance(honest) - chain.balance(faulty), TokenAmount::from_atto(450));
    let statuses: Vec<_> = claims(&mut chain, bounty).iter().map(|c| (c.status, c.covered, c.settled_until)).collect();
    assert_eq!(statuses, [(ClaimStatus::Completed, 1_000, 1_200), (ClaimStatus::Completed, 500, 1_200)]);

    let record = get_bounty(&mut chain, bounty);
    assert!(record.ended && record.escrowed == TokenAmount::from_atto(450) && record.reserved.is_zero());
    assert_eq!(refund(&mut chain, alice, bounty), Ok(337));
    assert_eq!(refund(&mut chain, bob, bounty), Ok(113), "the last one gets the rest");
    assert_eq!(exit(refund(&mut chain, bob, bounty)), Exit::NothingToRefund);
    let record = get_bounty(&mut chain, bounty);
    assert_eq!((record.funded.atto(), record.escrowed.is_zero()), (&2_000.into(), true));
    assert!(chain.own_balance().is_zero());
    let last = Event::BountyRefunded { id: bounty, funder: bob, amount: TokenAmount::from_atto(113) };
    assert_eq!(chain.events().last(), Some(&last));
}

pub fn rounding_neither_makes_nor_loses(new: New<'_>) {
    let mut chain = new();
    let (alice, miner) = (chain.create_account(), chain.create_miner());
    let odd = Terms {
        reward_per_replica: TokenAmount::from_atto(1_003),
        activation_bps: 333,
        replicas: 1,
        min_duration: 977,
        ..terms(1)
    };
    let bounty = create(&mut chain, alice, odd, 1_003).unwrap();
    claimed_by(&mut chain, miner, bounty);
    let mut paid = 0;
    for step in [0, 1, 1, 3, 100, 331, 500, 900] {
        chain.wait(step);
        paid += settle(&mut chain, bounty, &[0]).unwrap()[0];
    }
    assert_eq!(paid, 1_003);
    assert!(get_bounty(&mut chain, bounty).escrowed.is_zero());
    assert_eq!(refund(&mut chain, alice, bounty), Ok(0));
}

pub fn settling_twice_in_an_epoch_pays_once(new: New<'_>) {
    let mut chain = new();
    let (alice, miner) = (chain.create_account(), chain.create_miner());
    let bounty = create(&mut chain, alice, terms(1), 2_000).unwrap();
    claimed_by(&mut chain, miner, bounty);
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![100]), "the activation alone");
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![0]));
    chain.wait(10);
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![9]));
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![0]));
}

pub fn faulty_time_is_lost_and_dead_sectors_close(new: New<'_>) {
    let mut chain = new();
    let (alice, miner, next) = (chain.create_account(), chain.create_miner(), chain.create_miner());
    let bounty = create(&mut chain, alice, Terms { replicas: 1, ..terms(1) }, 1_000).unwrap();
    claimed_by(&mut chain, miner, bounty);
    set_status(&mut chain, miner, 2);
    chain.set_epoch(200);
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![0]));
    assert_eq!(get_bounty(&mut chain, bounty).reserved, TokenAmount::from_atto(100 + 810));
    set_status(&mut chain, miner, 1);
    chain.set_epoch(300);
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![100 + 90]));
    set_status(&mut chain, miner, 0);
    chain.set_epoch(400);
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![0]));
    assert_eq!(claims(&mut chain, bounty)[0].status, ClaimStatus::Dead);
    assert_eq!(exit(settle(&mut chain, bounty, &[0])), Exit::ClaimClosed);

    claimed_by(&mut chain, next, bounty);
    assert_eq!(claims(&mut chain, bounty).len(), 1, "what is left pays for no whole replica");
    chain.set_epoch(501);
    assert!(get_bounty(&mut chain, bounty).ended);
    assert_eq!(refund(&mut chain, alice, bounty), Ok(810));
}

/// What a dead claim has earned is missing for the next one; it can be put in again, and not an atto more.
pub fn what_a_dead_claim_got_can_be_put_in_again(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_account());
    let (miner, next) = (chain.create_miner(), chain.create_miner());
    let bounty = create(&mut chain, alice, Terms { replicas: 1, ..terms(1) }, 1_000).unwrap();
    claimed_by(&mut chain, miner, bounty);
    assert_eq!(exit(fund(&mut chain, bob, bounty, 1)), Exit::Overfunded);
    chain.set_epoch(200);
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![100 + 90]));
    assert_eq!(exit(fund(&mut chain, bob, bounty, 1)), Exit::Overfunded, "its claim may still earn the rest");
    set_status(&mut chain, miner, 0);
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![0]));

    assert_eq!(exit(fund(&mut chain, bob, bounty, 191)), Exit::Overfunded);
    fund(&mut chain, bob, bounty, 189).unwrap();
    claimed_by(&mut chain, next, bounty);
    assert_eq!(claims(&mut chain, bounty).len(), 1, "an atto is missing");
    assert_eq!(exit(fund(&mut chain, alice, bounty, 2)), Exit::Overfunded);
    fund(&mut chain, alice, bounty, 1).unwrap();
    claimed_by(&mut chain, next, bounty);
    assert_eq!(claims(&mut chain, bounty).len(), 2);
    assert_eq!(exit(fund(&mut chain, bob, bounty, 1)), Exit::Overfunded);
    chain.set_epoch(1_200);
    assert_eq!(settle(&mut chain, bounty, &[1]), Ok(vec![1_000]));
    let record = get_bounty(&mut chain, bounty);
    assert!(record.ended && record.escrowed.is_zero());
    assert_eq!((record.funded, record.paid), (TokenAmount::from_atto(1_190), TokenAmount::from_atto(1_190)));
    assert_eq!((refund(&mut chain, bob, bounty), refund(&mut chain, alice, bounty)), (Ok(0), Ok(0)));
}

/// Lost time is money for another replica, but only where one is left to be kept.
pub fn what_is_lost_makes_room_for_no_more_than_is_left(new: New<'_>) {
    let mut chain = new();
    let (alice, miner) = (chain.create_account(), chain.create_miner());
    let bounty = create(&mut chain, alice, terms(1), 1_000).unwrap();
    claimed_by(&mut chain, miner, bounty);
    set_status(&mut chain, miner, 2);
    chain.set_epoch(300);
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![0]));
    // 180 are lost, and one replica is left.
    assert_eq!(get_bounty(&mut chain, bounty).reserved, TokenAmount::from_atto(820));
    assert_eq!(exit(fund(&mut chain, alice, bounty, 821)), Exit::Overfunded);
    fund(&mut chain, alice, bounty, 820).unwrap();
    assert_eq!(exit(fund(&mut chain, alice, bounty, 1)), Exit::Overfunded);
}

pub fn a_sector_that_expires_early_earns_to_its_expiration(new: New<'_>) {
    let mut chain = new();
    let (alice, miner) = (chain.create_account(), chain.create_miner());
    let bounty = create(&mut chain, alice, terms(1), 2_000).unwrap();
    claimed_by(&mut chain, miner, bounty);
    place(&mut chain, miner, 7, 1, 600);
    chain.set_epoch(1_100);
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![100 + 450]));
    assert_eq!(claims(&mut chain, bounty)[0].status, ClaimStatus::Open);
    place(&mut chain, miner, 7, 1, 300);
    assert_eq!(settle(&mut chain, bounty, &[0]), Ok(vec![0]), "time does not run back");
    assert_eq!(chain.own_balance(), TokenAmount::from_atto(2_000 - 550));
}

pub fn locations_are_looked_up_again_when_stale(new: New<'_>) {
    let mut chain = new();
    let (alice, miner) = (chain.create_account(), chain.create_miner());
    let bounty = create(&mut chain, alice, terms(1), 2_000).unwrap();
    claimed_by(&mut chain, miner, bounty);
    let moved = Sector { status: 1, location: vec![0x82, 0, 1], expiration: 5_000 };
    chain.set_sector(miner, 7, moved);
    assert_eq!(exit(settle(&mut chain, bounty, &[0])), Exit::StaleLocation);
    assert_eq!(exit(settle(&mut chain, bounty, &[1])), Exit::NotFound);
    assert_eq!(exit(settle(&mut chain, 9, &[0])), Exit::NotFound);
    assert_eq!(exit(settle(&mut chain, bounty, &[])), Exit::IllegalArgument);
    assert_eq!(exit(settle(&mut chain, bounty, &[0, 0])), Exit::IllegalArgument);
    assert_eq!(exit(settle(&mut chain, bounty, &(0..33).collect::<Vec<_>>())), Exit::IllegalArgument);
    let long = SettleBountyParams { id: bounty, claims: vec![Settlement { claim: 0, aux: vec![0; 65] }] };
    let answer = call::<_, SettleBountyReturn>(&mut chain, alice, Method::SettleBounty, &long, 0);
    assert_eq!(exit(answer), Exit::IllegalArgument);
}

pub fn money_goes_in_up_to_the_target(new: New<'_>) {
    let mut chain = new();
    let (alice, bob) = (chain.create_account(), chain.create_account());
    assert_eq!(exit(create(&mut chain, alice, terms(1), 2_001)), Exit::Overfunded);
    let bounty = create(&mut chain, alice, terms(1), 0).unwrap();
    assert_eq!(exit(fund(&mut chain, bob, bounty, 0)), Exit::WrongValue);
    fund(&mut chain, bob, bounty, 1_999).unwrap();
    assert_eq!(exit(fund(&mut chain, alice, bounty, 2)), Exit::Overfunded);
    fund(&mut chain, bob, bounty, 1).unwrap();
    assert_eq!(exit(fund(&mut chain, bob, bounty, 1)), Exit::Overfunded);
    assert_eq!(exit(fund(&mut chain, bob, 2, 1)), Exit::NotFound);
    chain.set_epoch(501);
    assert_eq!(exit(fund(&mut chain, bob, bounty, 1)), Exit::BountyClosed);
    assert_eq!(exit(refund(&mut chain, alice, bounty)), Exit::NothingToRefund);
    assert_eq!(refund(&mut chain, bob, bounty), Ok(2_000));
}

pub fn cancelling_ends_what_nobody_has_claimed(new: New<'_>) {
    let mut chain = new();
    let (alice, bob, miner) = (chain.create_account(), chain.create_account(), chain.create_miner());
    let bounty = create(&mut chain, alice, terms(1), 2_000).unwrap();
    assert_eq!(exit(cancel(&mut chain, bob, bounty)), Exit::Forbidden);
    assert_eq!(exit(cancel(&mut chain, bob, 7)), Exit::NotFound);
    cancel(&mut chain, alice, bounty).unwrap();
    assert_eq!(exit(cancel(&mut chain, alice, bounty)), Exit::BountyClosed);
    assert_eq!(exit(fund(&mut chain, bob, bounty, 1)), Exit::BountyClosed);
    claimed_by(&mut chain, miner, bounty);
    assert_eq!(claims(&mut chain, bounty), []);
    assert_eq!(refund(&mut chain, alice, bounty), Ok(2_000));

    let claimed = create(&mut chain, alice, terms(1), 2_000).unwrap();
    claimed_by(&mut chain, miner, claimed);
    assert_eq!(exit(cancel(&mut chain, alice, claimed)), Exit::BountyHasClaims);
}

pub fn terms_out_of_bounds_are_refused(new: New<'_>) {
    let mut chain = new();
    let alice = chain.create_account();
    let mut refused = |terms: Terms| {
        assert_eq!(exit(create(&mut chain, alice, terms, 0)), Exit::IllegalArgument);
    };
    refused(Terms { piece_cid: payload(1), ..terms(1) });
    refused(Terms { padded_size: fvm_shared::piece::PaddedPieceSize(64), ..terms(1) });
    refused(Terms { reward_per_replica: TokenAmount::default(), ..terms(1) });
    refused(Terms { reward_per_replica: TokenAmount::from_atto(-1), ..terms(1) });
    refused(Terms { reward_per_replica: TokenAmount::from_whole(MAX_FIL + 1), ..terms(1) });
    refused(Terms { activation_bps: 10_001, ..terms(1) });
    refused(Terms { replicas: 0, ..terms(1) });
    refused(Terms { replicas: 17, ..terms(1) });
    refused(Terms { min_duration: 0, ..terms(1) });
    refused(Terms { min_duration: MAX_DURATION + 1, ..terms(1) });
    refused(Terms { claim_deadline: 99, ..terms(1) });
    refused(Terms { claim_deadline: 100 + MAX_CLAIM_WINDOW + 1, ..terms(1) });
    refused(Terms { claim_deadline: i64::MIN, ..terms(1) });
    refused(Terms { claim_deadline: i64::MAX, ..terms(1) });
    refused(Terms { providers: vec![id(1); 17], ..terms(1) });
    refused(Terms { source: "x".repeat(257), ..terms(1) });
    refused(Terms { note: "x".repeat(257), ..terms(1) });
    let nobody = chain.robust(1);
    let unknown = Terms { providers: vec![nobody], ..terms(1) };
    assert_eq!(exit(create(&mut chain, alice, unknown, 0)), Exit::NotFound);
    let edge = Terms { claim_deadline: 100, min_duration: MAX_DURATION, ..terms(1) };
    create(&mut chain, alice, edge, 0).expect("the current epoch is within the deadline");
}

pub fn providers_are_kept_by_id_and_once(new: New<'_>) {
    let mut chain = new();
    let (alice, one, two) = (chain.create_account(), chain.create_miner(), chain.create_miner());
    let providers = vec![chain.robust(two), id(one), id(two)];
    let bounty = create(&mut chain, alice, Terms { providers, ..terms(1) }, 0).unwrap();
    assert_eq!(get_bounty(&mut chain, bounty).terms.providers, [id(one), id(two)]);
}

pub fn bounties_are_listed_in_pages(new: New<'_>) {
    let mut chain = new();
    let alice = chain.create_account();
    for seed in 0..20 {
        create(&mut chain, alice, terms(seed), seed.into()).unwrap();
    }
    let mut page = |cursor, limit| {
        let params = ListBountiesParams { cursor, limit };
        let found: ListBountiesReturn = call(&mut chain, alice, Method::ListBounties, &params, 0).unwrap();
        (found.bounties.iter().map(|(id, _)| *id).collect::<Vec<_>>(), found.cursor)
    };
    assert_eq!(page(None, 7), ((1..=7).collect(), Some(8)));
    assert_eq!(page(Some(15), 6), ((15..=20).collect(), None));
    assert_eq!(page(Some(20), 100), (vec![20], None));
    assert_eq!(page(Some(0), 1), (vec![1], Some(2)));
    assert_eq!(page(Some(21), 1), (vec![], None));
    assert_eq!(page(Some(u64::MAX), 100), (vec![], None));
    let missing: GetBountyReturn = call(&mut chain, 1, Method::GetBounty, &GetBountyParams { id: 21 }, 0).unwrap();
    assert_eq!(missing, None);
    let unknown = ListBountyClaimsParams { id: 21, cursor: None, limit: 1 };
    let answer = call::<_, ListBountyClaimsReturn>(&mut chain, 1, Method::ListBountyClaims, &unknown, 0);
    assert_eq!(exit(answer), Exit::NotFound);
}

pub fn the_largest_amounts_add_up(new: New<'_>) {
    let mut chain = new();
    let (alice, bob, miner) = (chain.create_account(), chain.create_account(), chain.create_miner());
    let most = TokenAmount::from_whole(MAX_FIL);
    let greedy = Terms { reward_per_replica: most.clone(), replicas: 16, min_duration: MAX_DURATION, ..terms(1) };
    let bounty = create(&mut chain, alice, greedy.clone(), 1).unwrap();
    let record = get_bounty(&mut chain, bounty);
    assert_eq!((record.terms.reward_per_replica, record.terms.replicas), (most, 16));
    assert_eq!(record.funded, TokenAmount::from_atto(1));
    cancel(&mut chain, alice, bounty).unwrap();
    assert_eq!(refund(&mut chain, alice, bounty), Ok(1));

    // As much as an account has, in one replica over the longest time.
    let reward = TokenAmount::from_whole(900_000);
    let atto = u128::try_from(reward.atto()).unwrap();
    let large = Terms { reward_per_replica: reward.clone(), replicas: 1, activation_bps: 9_999, ..greedy };
    let bounty = create(&mut chain, bob, large, atto).unwrap();
    let end = 100 + MAX_DURATION;
    place(&mut chain, miner, 7, 1, i64::MAX);
    notify(&mut chain, miner, vec![change(7, i64::MAX, piece(1), bounty)]).unwrap();
    assert_eq!(claims(&mut chain, bounty)[0].sector_expiration, i64::MAX);
    let before = chain.balance(miner);
    for epoch in [101, 1_000_000, end - 1, end + 1_000] {
        chain.set_epoch(epoch);
        let claims = vec![Settlement { claim: 0, aux: LOCATION.to_vec() }];
        let params = SettleBountyParams { id: bounty, claims };
        call::<_, SettleBountyReturn>(&mut chain, alice, Method::SettleBounty, &params, 0).unwrap();
    }
    assert_eq!(chain.balance(miner) - before, reward);
    assert_eq!(get_bounty(&mut chain, bounty).paid, reward);
    assert!(chain.own_balance().is_zero());
}
