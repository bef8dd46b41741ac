use fvm_ipld_blockstore::MemoryBlockstore;
use fvm_shared::commcid::{FIL_COMMITMENT_UNSEALED, SHA2_256_TRUNC254_PADDED};
use fvm_shared::piece::PaddedPieceSize;

use super::super::deal::Label;
use super::*;

const CLIENT: ActorID = 100;
const PROVIDER: ActorID = 101;
const PRICE: i64 = 3 * 518_400;

fn atto(n: i64) -> TokenAmount {
    TokenAmount::from_atto(n)
}

fn proposal() -> Proposal {
    let digest = cid::multihash::Multihash::wrap(SHA2_256_TRUNC254_PADDED, &[1; 32]).unwrap();
    Proposal {
        piece_cid: Cid::new_v1(FIL_COMMITMENT_UNSEALED, digest),
        piece_size: PaddedPieceSize(2048),
        verified: false,
        client: Address::new_id(CLIENT),
        provider: Address::new_id(PROVIDER),
        label: Label::Text(String::new()),
        start: 1000,
        end: 1000 + 518_400,
        price: atto(3),
        provider_collateral: atto(5),
        client_collateral: atto(7),
    }
}

/// A market with one published deal, number 0.
fn market(store: &MemoryBlockstore) -> State {
    let mut state = State::new(store).unwrap();
    state.deposit(store, CLIENT, &atto(PRICE + 10)).unwrap();
    state.deposit(store, PROVIDER, &atto(10)).unwrap();
    assert_eq!(state.publish(store, proposal(), &Cid::default()).unwrap(), 0);
    state
}

fn balances(store: &MemoryBlockstore, state: &State) -> [(i64, i64); 2] {
    let plain = |t: TokenAmount| i64::try_from(t.atto()).unwrap();
    [CLIENT, PROVIDER].map(|who| {
        let (balance, locked) = state.balance(store, who).unwrap();
        (plain(balance), plain(locked))
    })
}

fn code(state: &State, store: &MemoryBlockstore, deal: u64) -> Option<u32> {
    state.deal(store, deal).err().map(|f| f.code.value())
}

#[test]
fn a_deal_that_runs_to_its_end_pays_its_price() {
    let store = &MemoryBlockstore::default();
    let mut state = market(store);
    assert_eq!(balances(store, &state), [(PRICE + 10, PRICE + 7), (10, 5)]);
    assert!(state.is_pending(store, &Cid::default()).unwrap());
    assert_eq!((code(&state, store, 0), code(&state, store, 1)), (None, Some(17)));
    state.activate(store, 0, PROVIDER, 9, 900).unwrap();
    let mut settle = |now| state.settle(store, 0, |_| Ok(Cid::default()), now).unwrap();
    assert_eq!(settle(999).payment, atto(0));
    assert_eq!(settle(1010), Settled { payment: atto(30), completed: false, missed: None });
    assert_eq!(settle(1010).payment, atto(0));
    assert_eq!(settle(600_000), Settled { payment: atto(PRICE - 30), completed: true, missed: None });
    assert_eq!(balances(store, &state), [(10, 0), (10 + PRICE, 0)]);
    assert!(!state.is_pending(store, &Cid::default()).unwrap());
    assert_eq!(code(&state, store, 0), Some(32));
    assert!(state.take_sector_deals(store, PROVIDER, 9).unwrap().is_empty());
}

#[test]
fn a_deal_not_activated_in_time_costs_the_provider_its_collateral() {
    let store = &MemoryBlockstore::default();
    let mut state = market(store);
    let settled = state.settle(store, 0, |_| Ok(Cid::default()), 1000).unwrap();
    assert_eq!(settled.missed, Some(atto(5)));
    assert_eq!(balances(store, &state), [(PRICE + 10, 0), (5, 0)]);
    assert_eq!(code(&state, store, 0), Some(32));
}

#[test]
fn termination_pays_until_now_and_returns_the_rest() {
    let store = &MemoryBlockstore::default();
    for (now, paid) in [(950, 0), (2000, 3000)] {
        let mut state = market(store);
        state.activate(store, 0, PROVIDER, 9, 900).unwrap();
        assert_eq!(state.take_sector_deals(store, PROVIDER, 9).unwrap(), [0]);
        let PublishedDeal::Active(p, s) = state.deal(store, 0).unwrap() else { panic!("not active") };
        assert_eq!(state.terminate(store, 0, (&p, &s), &Cid::default(), now).unwrap(), atto(5));
        assert_eq!(balances(store, &state), [(PRICE + 10 - paid, 0), (5 + paid, 0)]);
        assert_eq!(code(&state, store, 0), Some(32));
    }
}

#[test]
fn only_free_money_can_be_locked_or_withdrawn() {
    let store = &MemoryBlockstore::default();
    let mut state = market(store);
    assert_eq!(state.publish(store, proposal(), &Cid::default()).unwrap_err().code.value(), 19);
    let mut state = market(store);
    assert_eq!(state.withdraw(store, CLIENT, &atto(100)).unwrap(), atto(3));
    assert_eq!(state.withdraw(store, CLIENT, &atto(100)).unwrap(), atto(0));
    assert_eq!(state.withdraw(store, 555, &atto(100)).unwrap(), atto(0));
}

#[test]
fn cron_finds_deals_once_after_their_start() {
    let store = &MemoryBlockstore::default();
    let mut state = market(store);
    assert!(state.take_scheduled(store, 1000).unwrap().is_empty());
    assert_eq!(state.take_scheduled(store, 1000 + DEAL_UPDATES_INTERVAL).unwrap(), [0]);
    assert!(state.take_scheduled(store, 1_000_000).unwrap().is_empty());
}
