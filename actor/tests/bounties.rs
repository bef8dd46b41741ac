//! Bounties through dispatch: create, fund, claim, settle, cancel, refund, list.

mod samples;

use bauta_abi::*;
use bauta_actor::runtime::fake::Chain;
use samples::*;

#[test]
fn a_bounty_from_offer_to_refund() {
    let mut chain = Chain::new();
    let (alice, bob) = (chain.create_account(), chain.create_account());
    let (honest, faulty) = (chain.create_miner(), chain.create_miner());

    let bounty = create(&mut chain, alice, terms(1), 1_500).unwrap();
    send(&mut chain, bob, Method::FundBounty, &FundBountyParams { id: bounty }, 500).unwrap();
    assert_eq!(get_bounty(&mut chain, bounty).escrowed, chain.own_balance());

    chain.epoch = 200;
    for miner in [honest, faulty] {
        seal(&mut chain, miner, 7, 5_000);
        notify(&mut chain, miner, vec![change(7, 5_000, piece(1), bounty)]).unwrap();
    }
    assert_eq!(claims(&mut chain, bounty).len(), 2);
    assert_eq!(get_bounty(&mut chain, bounty).reserved, get_bounty(&mut chain, bounty).escrowed);

    chain.epoch = 700;
    assert_eq!(settle(&mut chain, bounty, &[0, 1]), Ok(vec![100 + 450, 100 + 450]));
    chain.sectors.get_mut(&(faulty, 7)).unwrap().status = 2;
    chain.epoch = 1_200;
    assert_eq!(settle(&mut chain, bounty, &[1, 0]), Ok(vec![0, 450]));
    let record = get_bounty(&mut chain, bounty);
    assert!(record.ended);
    assert_eq!(record.escrowed.atto(), &450.into());

    let refund = |chain: &mut Chain, who| {
        call::<_, RefundBountyReturn>(chain, who, Method::RefundBounty, &RefundBountyParams { id: bounty }, 0)
    };
    let before = chain.balance(alice);
    assert_eq!(refund(&mut chain, alice).unwrap().amount.atto(), &337.into());
    assert_eq!((chain.balance(alice) - before).atto(), &337.into());
    assert_eq!(refund(&mut chain, bob).unwrap().amount.atto(), &113.into());
    assert_eq!(exit(refund(&mut chain, bob)), Exit::NothingToRefund);
    assert!(chain.own_balance().is_zero());
}
