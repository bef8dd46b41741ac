//! Storage over its whole life, on whichever built-in actors there are (`BAUTA_BUNDLE`, otherwise our own): what becomes
//! of sectors and deals that are kept, forgotten, extended, and what each mistake is answered with.

mod differential;
#[allow(dead_code, reason = "the other tests use what this one does not")]
mod world;

use bauta_devnet::on_large_stack;
use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::{BytesDe, BytesSer, to_vec};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use world::{ACTIVE, DAY, DEAD, FAULTY, MARKET, POWER, World, fil};

const LIFE: i64 = 210 * DAY + 100;

#[test]
fn a_sector_that_is_proven_until_its_end_dies_on_time_and_its_deal_pays_out() {
    on_large_stack(|| {
        let mut w = World::new();
        let piece = world::piece(1);
        let deal = w.publish(piece, 100, 181 * DAY, &TokenAmount::from_atto(7));
        assert_eq!(w.deal_activation(deal), Ok((-1, -1)));
        assert_eq!(w.deal_sector(deal), Err(33));
        let expiration = w.now() + LIFE;
        w.seal(1, piece, expiration, &[(MARKET, to_vec(&deal).unwrap())], true).unwrap();
        assert_eq!(w.deal_activation(deal), Ok((w.now(), -1)));
        assert_eq!((w.deal_sector(deal), w.status(1)), (Ok(1), ACTIVE));
        assert_eq!(w.power(), (0, 0));
        let (client, provider) = (w.escrow(w.client), w.escrow(w.miner));

        for day in 0..220 {
            if w.status(1) != ACTIVE {
                break;
            }
            w.prove(1).unwrap();
            assert_eq!(w.power().0 > 0, w.status(1) == ACTIVE, "day {day}");
        }
        assert_eq!((w.status(1), w.power(), w.initial_pledge()), (DEAD, (0, 0), TokenAmount::default()));
        assert!(w.now() >= expiration && w.now() < expiration + DAY, "{} {expiration}", w.now());
        assert_eq!(w.expiration(1), Ok(expiration));

        let price = TokenAmount::from_atto(7) * (181 * DAY);
        assert_eq!(w.settle(deal), Ok((price.clone(), true)));
        assert_eq!((w.settle(deal), w.deal_activation(deal)), (Err(32), Err(32)));
        assert_eq!(w.escrow(w.client), (client.0 - &price, client.1 - &price));
        assert_eq!(w.escrow(w.miner).0, provider.0 + price);
        w.assert_sound();
    });
}

#[test]
fn a_sector_that_is_forgotten_is_faulty_and_after_42_days_it_is_gone() {
    on_large_stack(|| {
        let mut w = World::new();
        let piece = world::piece(2);
        let before = w.escrow(w.client);
        let deal = w.publish(piece, 100, 181 * DAY, &TokenAmount::default());
        w.seal(1, piece, w.now() + LIFE, &[(MARKET, to_vec(&deal).unwrap())], true).unwrap();
        w.prove(1).unwrap();
        assert_eq!(w.power(), (2048, 2048));
        w.leap(w.now() + DAY);
        assert_eq!((w.status(1), w.power()), (FAULTY, (0, 0)));
        assert_eq!(w.deal_sector(deal), Ok(1));
        let balance = w.balance(&w.miner);
        w.leap(w.now() + 41 * DAY);
        assert_eq!(w.status(1), FAULTY);
        w.leap(w.now() + 2 * DAY);
        assert_eq!((w.status(1), w.power(), w.initial_pledge()), (DEAD, (0, 0), TokenAmount::default()));
        assert_eq!((w.deal_sector(deal), w.deal_activation(deal)), (Err(32), Err(32)));
        assert_eq!(w.escrow(w.client), before);
        assert!(w.balance(&w.miner) < balance, "faults and termination cost nothing");
        assert!(w.claim_is_there());
        w.assert_sound();
    });
}

#[test]
fn declared_faults_lose_power_at_once_and_recovery_brings_it_back() {
    on_large_stack(|| {
        let mut w = World::new();
        w.seal(1, world::piece(3), w.now() + LIFE, &[], true).unwrap();
        w.prove(1).unwrap();
        w.declare(world::DECLARE_FAULTS, 1).unwrap();
        assert_eq!((w.status(1), w.power()), (FAULTY, (0, 0)));
        w.declare(world::DECLARE_FAULTS_RECOVERED, 1).unwrap();
        assert_eq!(w.status(1), FAULTY);
        assert_eq!(w.prove_with(1, b"not the proof"), Err(16));
        w.prove(1).unwrap();
        assert_eq!((w.status(1), w.power()), (ACTIVE, (2048, 2048)));
        // A day later it is extended, then ended early.
        let longer = w.expiration(1).unwrap() + 100 * DAY;
        assert_eq!(w.extend(1, longer - 200 * DAY), Err(16));
        w.extend(1, longer).unwrap();
        assert_eq!(w.expiration(1), Ok(longer));
        w.declare(world::TERMINATE_SECTORS, 1).unwrap();
        assert_eq!((w.status(1), w.power(), w.initial_pledge()), (DEAD, (0, 0), TokenAmount::default()));
        assert_eq!(w.declare(world::TERMINATE_SECTORS, 1), Err(16));
        assert_eq!(w.expiration(1), Ok(longer));
        w.assert_sound();
    });
}

#[test]
fn a_sector_is_extended_in_its_last_epoch_by_a_day_and_not_by_nothing() {
    on_large_stack(|| {
        let mut w = World::new();
        w.seal(1, world::piece(3), w.now() + LIFE, &[], true).unwrap();
        let last = w.expiration(1).unwrap();
        while w.now() + DAY < last {
            w.prove(1).unwrap();
        }
        w.leap(last);
        assert_eq!(w.extend(1, last), Err(24));
        w.extend(1, last + DAY).unwrap();
        w.extend(1, last + 2 * DAY).unwrap();
        assert_eq!((w.expiration(1), w.status(1)), (Ok(last + 2 * DAY), ACTIVE));
        w.assert_sound();
    });
}

#[test]
fn a_deal_that_is_not_activated_in_time_is_over() {
    on_large_stack(|| {
        let mut w = World::new();
        let before = w.escrow(w.client);
        let piece = world::piece(4);
        let deal = w.publish(piece, 20, 181 * DAY, &TokenAmount::from_atto(9));
        assert_eq!(w.settle(deal), Ok((TokenAmount::default(), false)));
        let told = [(MARKET, to_vec(&deal).unwrap())];
        w.pre_commit(1, piece, w.now() + LIFE).unwrap();
        w.pre_commit(2, world::piece(5), w.now() + LIFE).unwrap();
        w.leap(w.now() + 11);
        // Another piece than agreed, then the right one, too late: the market rejects both.
        assert_eq!(w.prove_commit(2, world::piece(5), &told, true), Err(1004));
        w.prove_commit(2, world::piece(5), &told, false).unwrap();
        w.leap(w.now() + 10);
        assert_eq!(w.prove_commit(1, piece, &told, true), Err(1004));
        w.prove_commit(1, piece, &told, false).unwrap();
        assert_eq!(w.deal_activation(deal), Ok((-1, -1)));
        assert_eq!(w.settle(deal), Err(32));
        assert_eq!((w.deal_activation(deal), w.deal_sector(deal)), (Err(32), Err(32)));
        assert_eq!(w.deal_activation(deal + 1), Err(17));
        assert_eq!(w.escrow(w.client), before);
        w.assert_sound();
    });
}

#[test]
fn a_pre_commit_that_is_never_proven_loses_its_deposit() {
    on_large_stack(|| {
        let mut w = World::new();
        w.pre_commit(1, world::piece(6), w.now() + LIFE).unwrap();
        assert_eq!(w.pre_commit(1, world::piece(6), w.now() + LIFE), Err(16));
        let (burnt, deposit) = (w.balance(&world::BURNT), w.deposits());
        assert!(deposit.is_positive());
        w.leap(w.now() + 29 * DAY);
        assert_eq!(w.deposits(), deposit);
        w.leap(w.now() + 3 * DAY);
        assert_eq!(w.deposits(), TokenAmount::default());
        assert!(w.balance(&world::BURNT) >= burnt + deposit);
        assert_eq!(w.prove_commit(1, world::piece(6), &[], true), Err(17));
        w.assert_sound();
    });
}

#[test]
fn sector_status_is_only_confirmed_where_the_sector_is() {
    on_large_stack(|| {
        let mut w = World::new();
        w.seal(1, world::piece(7), w.now() + LIFE, &[], true).unwrap();
        let (status, location) = w.locate(1);
        assert_eq!(status, ACTIVE);
        let at = |deadline: i64, partition: i64| to_vec(&(deadline, partition)).unwrap();
        for (sector, status, location, expected) in [
            (1, ACTIVE, location.clone(), Ok(true)),
            (1, FAULTY, location.clone(), Ok(false)),
            (1, DEAD, location.clone(), Ok(false)),
            (1, 3, location.clone(), Err(21)),
            (2, ACTIVE, location.clone(), Err(17)),
            (1, ACTIVE, at(47, 0), Err(17)),
            (1, ACTIVE, at(48, 0), Err(16)),
            (1, ACTIVE, at(-2, 0), Err(16)),
            (1, ACTIVE, at(0, -1), Err(16)),
            (1, ACTIVE, vec![0xff], Err(16)),
            (1, DEAD, at(-1, -1), Err(17)),
            (2, DEAD, at(-1, -1), Ok(true)),
            (2, ACTIVE, at(-1, -1), Ok(false)),
        ] {
            assert_eq!(w.validate(sector, status, &location), expected, "{sector} {status} {location:?}");
        }
        assert_eq!(w.locate(2), (DEAD, at(-1, -1)));
        assert_eq!(w.expiration(2), Err(17));
    });
}

#[test]
fn whoever_is_notified_decides_only_if_the_provider_wants_it() {
    on_large_stack(|| {
        let mut w = World::new();
        let piece = world::piece(8);
        w.pre_commit(1, piece, w.now() + LIFE).unwrap();
        assert_eq!(w.prove_commit(1, piece, &[], true), Err(18));
        w.leap(w.now() + 11);
        let nobody = Address::new_id(9999);
        for (to, payload, code) in
            [(nobody, vec![], 1001), (POWER, vec![], 1002), (w.owner, vec![], 1003), (MARKET, vec![0xff], 1004)]
        {
            assert_eq!(w.prove_commit(1, piece, &[(to, payload)], true), Err(code));
        }
        assert_eq!(w.prove_commit(1, world::piece(9), &[], true), Err(16));
        w.prove_commit(1, piece, &[(nobody, vec![])], false).unwrap();
        assert_eq!(w.status(1), ACTIVE);
    });
}

#[test]
fn an_account_knows_its_own_signature() {
    on_large_stack(|| {
        let mut w = World::new();
        let (client, worker) = (w.client, w.worker);
        for key in [w.key.clone(), world::worker_key()] {
            let signature = key.sign_bytes(b"message").data().to_vec();
            let mut check = |to: &Address, signature: &[u8], text: &[u8]| -> world::Answer<bool> {
                w.call(&client, to, 2643134072, &(BytesSer(signature), BytesSer(text)))
            };
            assert_eq!(check(&key.address(), &signature, b"message"), Ok(true));
            assert_eq!(check(&key.address(), &signature, b"massage"), Err(16));
            assert_eq!(check(&key.address(), &signature[1..], b"message"), Err(16));
            let other = if key.address() == client { worker } else { client };
            assert_eq!(check(&other, &signature, b"message"), Err(16));
        }
        assert_eq!(w.read(&worker, 2), Ok(worker));
        w.tell(&client, &worker, 1 << 30, &()).unwrap();
        assert_eq!(w.tell(&client, &worker, 77, &()), Err(22));
    });
}

#[test]
fn deals_that_nobody_agreed_to_or_cannot_pay_for_are_dropped() {
    on_large_stack(|| {
        let mut w = World::new();
        let (piece, price) = (world::piece(1), TokenAmount::from_atto(7));
        let good = w.proposal(piece, 100, 181 * DAY, &price);
        let mut forged = good.clone();
        forged.1.bytes[3] ^= 1;
        let short = w.proposal(piece, 100, 179 * DAY, &price);
        let dear = w.proposal(piece, 100, 181 * DAY, &fil(1));
        for bad in [&forged, &short, &dear] {
            assert_eq!(w.publish_all(std::slice::from_ref(bad)).err(), Some(16));
        }
        let (ids, valid) = w.publish_all(&[forged, good.clone(), good.clone(), short]).unwrap();
        assert_eq!((ids.len(), valid.iter().collect::<Vec<_>>()), (1, vec![1]));
        assert_eq!(w.publish_all(std::slice::from_ref(&good)).err(), Some(16), "published twice");
        let client = w.client;
        assert_eq!(w.tell(&client, &MARKET, 2236929350, &(vec![good],)), Err(18));
    });
}

#[test]
fn a_miner_answers_who_it_is_and_obeys_only_its_own() {
    on_large_stack(|| {
        let mut w = World::new();
        let (owner, worker, miner, client) = (w.owner, w.worker, w.miner, w.client);
        let id = |w: &World, a| Address::new_id(w.resolve(&a));
        assert_eq!(w.read(&miner, 3275365574), Ok((id(&w, owner), None::<Address>)));
        assert_eq!(w.call(&client, &miner, 348244887, &worker), Ok(true));
        assert_eq!(w.call(&client, &miner, 348244887, &client), Ok(false));
        assert_eq!(w.read(&miner, 3858292296), Ok(2048u64));
        assert_eq!(w.read(&miner, 2812875329), Ok((BytesDe(b"peer".to_vec()),)));

        let addresses = (vec![BytesSer(b"\x04\x7f\x00\x00\x01")],);
        assert_eq!(w.tell(&client, &miner, 1063480576, &addresses), Err(18));
        w.tell(&worker, &miner, 18, &addresses).unwrap();
        assert_eq!(w.read(&miner, 1332909407), Ok((vec![BytesDe(b"\x04\x7f\x00\x00\x01".to_vec())],)));
        assert_eq!(w.tell(&worker, &miner, 18, &(vec![BytesSer(b"")],)), Err(16));

        let available: TokenAmount = w.read(&miner, 4026106874).unwrap();
        assert_eq!(w.call::<_, TokenAmount>(&worker, &miner, 2280458852, &(fil(1),)), Err(18));
        assert_eq!(w.call(&owner, &miner, 2280458852, &(fil(1),)), Ok(fil(1)));
        assert_eq!(w.read(&miner, 4026106874), Ok(available - fil(1)));

        assert_eq!(w.tell(&owner, &miner, 77, &()), Err(22));
        assert_eq!(w.tell(&owner, &miner, 1 << 30, &()), Err(22));
        assert_eq!(w.call::<_, (BytesDe, BytesDe)>(&client, &POWER, 36284446, &w.resolve(&client)), Err(17));
        assert_eq!(w.tell(&client, &POWER, 3, &(BytesSer(b""), BytesSer(b""))), Err(18));
        assert_eq!(w.tell(&client, &MARKET, 7, &(1, BitField::new())), Err(18));
    });
}
