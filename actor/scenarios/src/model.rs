//! Random messages against a plain model in memory. After each one: the state is sound, the model agrees, and the money adds up.

use std::collections::BTreeMap;

use crate::samples::{self, *};
use crate::{Body, New, Result};
use bauta_abi::*;
use fvm_shared::econ::TokenAmount;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

const PEOPLE: usize = 4;
const MINERS: usize = 5;

#[derive(Debug, Clone)]
enum Step {
    Register { who: usize, files: u8 },
    Update { who: usize, file: u64, version: u64 },
    Transfer { who: usize, file: u64, to: usize },
    Remove { who: usize, file: u64 },
    Grant { who: usize, file: u64, to: usize, rights: u8, lasts: i64 },
    Revoke { who: usize, file: u64, from: usize },
    Create { who: usize, seed: u8, value: u128, replicas: u64, bps: u64 },
    Fund { who: usize, bounty: u64, value: u128 },
    Notify { miner: usize, bounty: u64, seed: u8, lasts: i64 },
    Settle { bounty: u64, claim: u64 },
    Status { miner: usize, status: u8 },
    Cancel { who: usize, bounty: u64 },
    Refund { who: usize, bounty: u64 },
    Wait { epochs: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (who, file, bounty) = (|| 0..PEOPLE, || 0u64..12, || 0u64..5);
    prop_oneof![
        3 => (who(), 1..4u8).prop_map(|(who, files)| Step::Register { who, files }),
        2 => (who(), file(), 1..4u64).prop_map(|(who, file, version)| Step::Update { who, file, version }),
        2 => (who(), file(), who()).prop_map(|(who, file, to)| Step::Transfer { who, file, to }),
        1 => (who(), file()).prop_map(|(who, file)| Step::Remove { who, file }),
        3 => (who(), file(), who(), 1..8u8, 0..300i64)
            .prop_map(|(who, file, to, rights, lasts)| Step::Grant { who, file, to, rights, lasts }),
        2 => (who(), file(), who()).prop_map(|(who, file, from)| Step::Revoke { who, file, from }),
        2 => (who(), 0..3u8, 0..2_500u128, 1..4u64, 0..10_001u64)
            .prop_map(|(who, seed, value, replicas, bps)| Step::Create { who, seed, value, replicas, bps }),
        2 => (who(), bounty(), 0..1_500u128).prop_map(|(who, bounty, value)| Step::Fund { who, bounty, value }),
        5 => (0..MINERS, bounty(), 0..3u8, 900..4_000i64)
            .prop_map(|(miner, bounty, seed, lasts)| Step::Notify { miner, bounty, seed, lasts }),
        5 => (bounty(), 0..4u64).prop_map(|(bounty, claim)| Step::Settle { bounty, claim }),
        2 => (0..MINERS, 0..3u8).prop_map(|(miner, status)| Step::Status { miner, status }),
        1 => (who(), bounty()).prop_map(|(who, bounty)| Step::Cancel { who, bounty }),
        3 => (who(), bounty()).prop_map(|(who, bounty)| Step::Refund { who, bounty }),
        2 => (0..250i64).prop_map(|epochs| Step::Wait { epochs }),
    ]
}

/// A file as the model knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    owner: u64,
    version: u64,
    /// Grantee to rights, expiration, version, giver.
    grants: BTreeMap<u64, (u8, i64, u64, u64)>,
}

/// A bounty's money as the model knows it: what came and went by messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Purse {
    funded: u128,
    paid: u128,
    refunded: u128,
}

#[derive(Default)]
struct Model {
    registered: u64,
    files: BTreeMap<u64, File>,
    /// Newest first.
    lists: BTreeMap<u64, Vec<u64>>,
    purses: BTreeMap<u64, Purse>,
}

struct World {
    chain: Box<dyn Body>,
    people: Vec<u64>,
    miners: Vec<u64>,
    model: Model,
}

impl World {
    fn new(new: New<'_>) -> Self {
        let mut chain = new();
        let people = (0..PEOPLE).map(|_| chain.create_account()).collect();
        let miners: Vec<_> = (0..MINERS).map(|_| chain.create_miner()).collect();
        miners.iter().for_each(|miner| seal(&mut chain, *miner, 7, 9_000));
        Self { chain, people, miners, model: Model::default() }
    }

    fn may(&self, who: u64, file: u64, right: u8) -> bool {
        self.model.files.get(&file).is_some_and(|file| {
            let granted = file.grants.get(&who);
            file.owner == who || granted.is_some_and(|grant| grant.0 & right != 0 && self.chain.epoch() < grant.1)
        })
    }

    /// Sends one message, and requires that it succeeds exactly where the model says so.
    fn run(&mut self, step: Step) {
        match step {
            Step::Register { who, files } => self.register(self.people[who], files),
            Step::Update { who, file, version } => self.update(self.people[who], file, version),
            Step::Transfer { who, file, to } => self.transfer(self.people[who], file, self.people[to]),
            Step::Remove { who, file } => self.remove(self.people[who], file),
            Step::Grant { who, file, to, rights, lasts } => {
                self.grant(self.people[who], file, self.people[to], rights, self.chain.epoch() + lasts);
            }
            Step::Revoke { who, file, from } => self.revoke(self.people[who], file, self.people[from]),
            Step::Create { who, seed, value, replicas, bps } => {
                let claim_deadline = self.chain.epoch() + 300;
                let terms = Terms { replicas, activation_bps: bps, claim_deadline, ..terms(seed) };
                let fits = value <= 1_000 * u128::from(replicas);
                let created = create(&mut self.chain, self.people[who], terms, value);
                assert_eq!(created.is_ok(), fits, "{created:?}");
                if let Ok(id) = created {
                    self.model.purses.insert(id, Purse { funded: value, ..Purse::default() });
                }
            }
            Step::Fund { who, bounty, value } => {
                let params = FundBountyParams { id: bounty };
                if send(&mut self.chain, self.people[who], Method::FundBounty, &params, value).is_ok() {
                    self.model.purses.get_mut(&bounty).expect("a known bounty").funded += value;
                }
            }
            Step::Notify { miner, bounty, seed, lasts } => {
                let expiration = self.chain.epoch() + lasts;
                let changes = vec![change(7, expiration, piece(seed), bounty)];
                notify(&mut self.chain, self.miners[miner], changes).expect("a miner is never refused");
            }
            Step::Settle { bounty, claim } => {
                if let Ok(amounts) = settle(&mut self.chain, bounty, &[claim]) {
                    self.model.purses.get_mut(&bounty).expect("a known bounty").paid += u128::from(amounts[0]);
                }
            }
            Step::Status { miner, status } => {
                place(&mut self.chain, self.miners[miner], 7, status, 9_000);
            }
            Step::Cancel { who, bounty } => {
                let _ = send(
                    &mut self.chain,
                    self.people[who],
                    Method::CancelBounty,
                    &CancelBountyParams { id: bounty },
                    0,
                );
            }
            Step::Refund { who, bounty } => {
                let params = RefundBountyParams { id: bounty };
                let refunded: Result<RefundBountyReturn> =
                    call(&mut self.chain, self.people[who], Method::RefundBounty, &params, 0);
                if let Ok(RefundBountyReturn { amount }) = refunded {
                    let amount = u128::try_from(amount.atto()).expect("small");
                    self.model.purses.get_mut(&bounty).expect("a known bounty").refunded += amount;
                }
            }
            Step::Wait { epochs } => self.chain.wait(epochs),
        }
    }

    fn register(&mut self, who: u64, files: u8) {
        let params = RegisterFileParams { files: (0..files).map(file).collect() };
        let RegisterFileReturn { ids } =
            call(&mut self.chain, who, Method::RegisterFile, &params, 0).expect("anybody may");
        for id in ids {
            self.model.registered += 1;
            assert_eq!(id, self.model.registered);
            self.model.files.insert(id, File { owner: who, version: 1, grants: BTreeMap::new() });
            self.model.lists.entry(who).or_default().insert(0, id);
        }
    }

    fn update(&mut self, who: u64, id: u64, expected_version: u64) {
        let may = self.may(who, id, 2) && self.model.files[&id].version == expected_version;
        let params = UpdateFileParams { id, expected_version, file: file(5) };
        let updated = call::<_, UpdateFileReturn>(&mut self.chain, who, Method::UpdateFile, &params, 0);
        assert_eq!(updated.is_ok(), may, "{updated:?}");
        if may {
            self.model.files.get_mut(&id).expect("known").version += 1;
        }
    }

    fn owns(&self, who: u64, id: u64) -> bool {
        self.model.files.get(&id).is_some_and(|file| file.owner == who)
    }

    fn transfer(&mut self, who: u64, id: u64, to: u64) {
        let may = self.owns(who, id) && who != to;
        let params = TransferFileParams { id, to: samples::id(to), wrap: vec![1] };
        let transferred = send(&mut self.chain, who, Method::TransferFile, &params, 0);
        assert_eq!(transferred.is_ok(), may, "{transferred:?}");
        if may {
            let file = self.model.files.get_mut(&id).expect("known");
            file.owner = to;
            file.grants.remove(&to);
            self.model.lists.get_mut(&who).expect("known").retain(|listed| *listed != id);
            self.model.lists.entry(to).or_default().insert(0, id);
        }
    }

    fn remove(&mut self, who: u64, id: u64) {
        let may = self.owns(who, id);
        let removed = send(&mut self.chain, who, Method::RemoveFile, &RemoveFileParams { id }, 0);
        assert_eq!(removed.is_ok(), may, "{removed:?}");
        if may {
            self.model.files.remove(&id);
            self.model.lists.get_mut(&who).expect("known").retain(|listed| *listed != id);
        }
    }

    fn grant(&mut self, who: u64, id: u64, to: u64, rights: u8, expiration: i64) {
        let now = self.chain.epoch();
        let may = self.may(who, id, 4) && expiration > now && {
            let file = &self.model.files[&id];
            let within = file.owner == who || {
                let held = &file.grants[&who];
                let free = file.grants.get(&to).is_none_or(|before| before.3 == who || now >= before.1);
                held.0 & rights == rights && expiration <= held.1 && free
            };
            to != file.owner && within
        };
        let spec = grant_spec(to, Rights::from_bits(rights).expect("1 to 7"), expiration);
        let granted = samples::grant(&mut self.chain, who, id, spec);
        assert_eq!(granted.is_ok(), may, "{granted:?}");
        if may {
            let file = self.model.files.get_mut(&id).expect("known");
            file.grants.insert(to, (rights, expiration, file.version, who));
        }
    }

    fn revoke(&mut self, who: u64, id: u64, from: u64) {
        let may = self.model.files.get(&id).is_some_and(|file| {
            file.grants.get(&from).is_some_and(|grant| file.owner == who || grant.3 == who || from == who)
        });
        let params = RevokeAccessParams { id, addresses: vec![samples::id(from)] };
        let revoked = send(&mut self.chain, who, Method::RevokeAccess, &params, 0);
        assert_eq!(revoked.is_ok(), may, "{revoked:?}");
        if may {
            self.model.files.get_mut(&id).expect("known").grants.remove(&from);
        }
    }

    /// Compares everything that can be read.
    fn agree(&mut self) {
        for id in 0..=self.model.registered + 1 {
            let found = get_file(&mut self.chain, id).map(|record| (record.owner, record.version));
            assert_eq!(found, self.model.files.get(&id).map(|file| (file.owner, file.version)), "file {id}");
            for who in self.people.clone() {
                let found = get_grant(&mut self.chain, id, who);
                let found = found.map(|grant| (grant.rights.bits(), grant.expiration, grant.version));
                let known = self.model.files.get(&id).and_then(|file| file.grants.get(&who));
                assert_eq!(found, known.map(|grant| (grant.0, grant.1, grant.2)), "file {id} for f0{who}");
            }
        }
        for who in self.people.clone() {
            let params = ListFilesParams { owner: samples::id(who), cursor: None, limit: 100 };
            let listed: ListFilesReturn = call(&mut self.chain, 1, Method::ListFiles, &params, 0).expect("listed");
            let listed: Vec<_> = listed.files.into_iter().map(|(id, _)| id).collect();
            assert_eq!(listed, self.model.lists.get(&who).cloned().unwrap_or_default(), "the list of f0{who}");
        }
        self.money_adds_up();
    }

    fn money_adds_up(&mut self) {
        let mut held = TokenAmount::default();
        for (id, purse) in self.model.purses.clone() {
            let record = get_bounty(&mut self.chain, id);
            assert_eq!(record.funded, TokenAmount::from_atto(purse.funded), "bounty {id}");
            assert_eq!(record.paid, TokenAmount::from_atto(purse.paid), "bounty {id}");
            assert_eq!(record.refunded, TokenAmount::from_atto(purse.refunded), "bounty {id}");
            assert_eq!(record.funded, &record.escrowed + &record.paid + &record.refunded, "bounty {id}");
            held += record.escrowed;
        }
        assert_eq!(held, self.chain.own_balance());
    }
}

pub fn random_messages_do_what_the_model_does(new: New<'_>) {
    let chain = new();
    let (cases, most) = if chain.stride() == 1 { (40, 120) } else { (12, 80) };
    let config = Config { cases, rng_seed: RngSeed::Fixed(3), failure_persistence: None, ..Config::default() };
    let ran = TestRunner::new(config).run(&prop::collection::vec(step(), 1..most), |steps| {
        run(new, steps);
        Ok(())
    });
    ran.expect("the body does what the model does");
}

fn run(new: New<'_>, steps: Vec<Step>) {
    let mut world = World::new(new);
    for step in steps {
        world.run(step);
        world.money_adds_up();
    }
    world.agree();
    // Whatever happened: once the time is over and the claims are dead, the money goes back, all of it.
    world.chain.wait(10_000);
    for miner in world.miners.clone() {
        place(&mut world.chain, miner, 7, 0, 9_000);
    }
    for bounty in world.model.purses.keys().copied().collect::<Vec<_>>() {
        for claim in 0..MINERS as u64 {
            world.run(Step::Settle { bounty, claim });
        }
        (0..PEOPLE).for_each(|who| world.run(Step::Refund { who, bounty }));
    }
    world.agree();
    assert!(world.chain.own_balance().is_zero());
}
