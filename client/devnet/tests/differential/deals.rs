//! Deals and sectors over their lives: what they answer, return and tell by events.

use fvm_ipld_encoding::{BytesSer, to_vec};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;

use super::Script;
use super::sweep::number;
use crate::world::{self, DAY, MARKET, POWER, fil};

/// Amounts follow another economy (`system-actors/README.md`).
pub const KNOWN: &[(&str, &str)] = &[];

const READS: &[&str] = &[
    "GetDealDataCommitment",
    "GetDealClient",
    "GetDealProvider",
    "GetDealLabel",
    "GetDealTerm",
    "GetDealTotalPrice",
    "GetDealClientCollateral",
    "GetDealProviderCollateral",
    "GetDealVerified",
    "GetDealActivation",
    "GetDealSector",
];

fn read_deal(s: &mut Script, when: &str, deal: u64) {
    let client = s.w.client;
    for name in READS {
        s.say(&format!("{when}: {name}"), &client, &MARKET, number(name), &deal);
    }
    for name in ["client", "miner"] {
        let who = if name == "client" { s.w.client } else { s.w.miner };
        s.say(&format!("{when}: GetBalance of the {name}"), &client, &MARKET, number("GetBalance"), &who);
    }
}

fn read_sector(s: &mut Script, when: &str, sector: u64) {
    let (client, miner) = (s.w.client, s.w.miner);
    s.say(&format!("{when}: GenerateSectorLocation"), &client, &miner, number("GenerateSectorLocation"), &(sector,));
    let (status, at) = s.w.locate(sector);
    for asked in [status, 0, 1, 2] {
        let params = (sector, asked, BytesSer(&at));
        s.say(
            &format!("{when}: ValidateSectorStatus {asked}"),
            &client,
            &miner,
            number("ValidateSectorStatus"),
            &params,
        );
    }
    let expiration = number("GetNominalSectorExpiration");
    s.say(&format!("{when}: GetNominalSectorExpiration"), &client, &miner, expiration, &sector);
    s.say(&format!("{when}: MinerPower"), &client, &POWER, number("MinerPower"), &miner.id().unwrap());
    s.say(&format!("{when}: MinerRawPower"), &client, &POWER, number("MinerRawPower"), &miner.id().unwrap());
}

pub fn story(s: &mut Script) {
    let (client, worker, miner) = (s.w.client, s.w.worker, s.w.miner);
    money(s);
    let piece = world::piece(1);
    let deal = s.w.proposal(piece, 100, 181 * DAY, &TokenAmount::from_atto(7));
    let (ids, _): (Vec<u64>, fvm_ipld_bitfield::BitField) =
        s.ask("publish", &worker, &MARKET, number("PublishStorageDeals"), &(vec![deal.clone()],));
    let deal_id = ids[0];
    read_deal(s, "published", deal_id);
    s.say("publish again", &worker, &MARKET, number("PublishStorageDeals"), &(vec![deal],));
    read_deal(s, "no deal", deal_id + 1);

    let expiration = s.w.now() + 210 * DAY + 100;
    let sector = |n: u64| (5i64, n, world::sealed(n), Vec::<u64>::new(), expiration, Some(piece));
    let pre_commit = |s: &mut Script, what: &str, n: u64, expiration: i64| {
        let (proof, n, sealed, deals, _, piece) = sector(n);
        let info = (proof, n, sealed, s.w.now() - 1, deals, expiration, piece);
        s.say(what, &worker, &miner, 28, &(vec![info],));
    };
    let too_short = s.w.now() + 180 * DAY;
    pre_commit(s, "pre-commit for too short", 1, too_short);
    pre_commit(s, "pre-commit", 1, expiration);
    pre_commit(s, "pre-commit again", 1, expiration);
    let notify = [(MARKET, to_vec(&deal_id).unwrap())];
    let outcome = s.w.prove_commit(1, piece, &notify, true);
    s.note("prove-commit at once", outcome);
    let then = s.w.now() + 11;
    s.w.leap(then);
    let told: Vec<_> = notify.iter().map(|(to, payload)| (to, BytesSer(payload))).collect();
    let pieces = vec![(piece, 2048u64, None::<(u64, u64)>, told)];
    let params = (vec![(1u64, pieces)], vec![BytesSer(b"fake")], BytesSer(b""), None::<i64>, true, true);
    s.say("prove-commit", &worker, &miner, 34, &params);
    s.say("prove-commit again", &worker, &miner, 34, &params);
    read_deal(s, "activated", deal_id);
    read_sector(s, "sealed", 1);
    let outcome = s.w.prove(1);
    s.note("window proof", outcome);
    read_sector(s, "proven", 1);
    let outcome = s.w.declare(world::DECLARE_FAULTS, 1);
    s.note("declared faulty", outcome);
    read_sector(s, "faulty", 1);
    let outcome = s.w.declare(world::DECLARE_FAULTS_RECOVERED, 1);
    s.note("declared recovered", outcome);
    let outcome = s.w.prove_with(1, b"not the proof");
    s.note("a wrong proof", outcome);
    let outcome = s.w.prove(1);
    s.note("proven again", outcome);
    read_sector(s, "recovered", 1);
    s.say("settle", &client, &MARKET, number("SettleDealPayments"), &world::bits(&[deal_id, 99]));
    read_deal(s, "paid", deal_id);
    let (deadline, partition) = s.w.place(1);
    s.say("terminate", &worker, &miner, 9, &(vec![(deadline, partition, world::bits(&[1]))],));
    read_sector(s, "terminated", 1);
    read_deal(s, "terminated", deal_id);
    s.say("settle what is terminated", &client, &MARKET, number("SettleDealPayments"), &world::bits(&[deal_id]));
}

/// Escrow comes and goes.
fn money(s: &mut Script) {
    let (client, owner, worker, miner) = (s.w.client, s.w.owner, s.w.worker, s.w.miner);
    let (add, withdraw, get) = (number("AddBalance"), number("WithdrawBalance"), number("GetBalance"));
    s.say("add nothing", &client, &MARKET, add, &client);
    s.pay("add for a miner", &client, &MARKET, add, &fil(3), &miner);
    s.pay("add for nobody", &client, &MARKET, add, &fil(3), &Address::new_id(99_999));
    s.say("balance of nobody", &client, &MARKET, get, &Address::new_id(99_999));
    s.say("withdraw another's", &owner, &MARKET, withdraw, &(client, fil(1)));
    s.say("withdraw a debt", &client, &MARKET, withdraw, &(client, fil(-1)));
    s.say("withdraw some", &client, &MARKET, withdraw, &(client, fil(1)));
    s.say("withdraw from the miner's", &worker, &MARKET, withdraw, &(miner, fil(1)));
    s.say("withdraw more than there is", &owner, &MARKET, withdraw, &(miner, fil(2)));
    s.say("balance", &client, &MARKET, get, &miner);
}
