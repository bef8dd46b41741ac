//! One provider, one client, and the VM epoch by epoch; messages cost nothing here.

mod deals;

use std::rc::Rc;

use bauta_client::wallet::{Key, KeyKind};
use bauta_devnet::bundle::Bundle;
use bauta_devnet::chain::Chain;
use bauta_devnet::genesis::{Genesis, account_key};
use bauta_devnet::state::State;
use bauta_devnet::store::Store;
use bauta_devnet::vm::{self, Rules, Source, Vm};
use cid::Cid;
use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::{BytesDe, BytesSer, RawBytes, from_slice, to_vec};
use fvm_shared::METHOD_SEND;
use fvm_shared::address::Address;
use fvm_shared::bigint::bigint_ser::BigIntDe;
use fvm_shared::crypto::signature::Signature;
use fvm_shared::econ::TokenAmount;
use fvm_shared::sector::{PoStProof, RegisteredPoStProof, RegisteredSealProof, SectorInfo};
use multihash_codetable::{Code, MultihashDigest};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub const DAY: i64 = 2880;
pub const DEAD: u8 = 0;
pub const ACTIVE: u8 = 1;
pub const FAULTY: u8 = 2;
pub const POWER: Address = Address::new_id(4);
pub const MARKET: Address = Address::new_id(5);
pub const BURNT: Address = Address::new_id(99);
pub const TERMINATE_SECTORS: u64 = 9;
pub const DECLARE_FAULTS: u64 = 10;
pub const DECLARE_FAULTS_RECOVERED: u64 = 11;

const SYSTEM: Address = Address::new_id(0);
const WINDOW: i64 = 60;
const SEAL: RegisteredSealProof = RegisteredSealProof::StackedDRG2KiBV1P1;
const POST: RegisteredPoStProof = RegisteredPoStProof::StackedDRGWindow2KiBV1P1;

/// What a message came to: its return value, or its exit code.
pub type Answer<T> = Result<T, u32>;

pub struct World {
    store: Rc<Store>,
    rules: Rules,
    vm: Option<Vm>,
    pub key: Key,
    pub client: Address,
    pub owner: Address,
    pub worker: Address,
    pub miner: Address,
}

pub fn fil(n: i64) -> TokenAmount {
    TokenAmount::from_whole(n)
}

/// A piece that fills a 2 KiB sector, so that its CID is the sector's unsealed CID, too.
pub fn piece(seed: u8) -> Cid {
    fvm_shared::commcid::data_commitment_v1_to_cid(&[seed; 32]).unwrap()
}

pub fn worker_key() -> Key {
    Key::from_seed(KeyKind::Bls, b"worker")
}

pub fn sealed(sector: u64) -> Cid {
    let mut root = vm::blake2b(&sector.to_be_bytes());
    root[31] &= 0x3f;
    fvm_shared::commcid::replica_commitment_v1_to_cid(&root).unwrap()
}

impl World {
    /// A miner with 2 KiB sectors and money, a client with money in escrow.
    pub fn new() -> Self {
        Self::on(Bundle::from_environment())
    }

    /// The same on certain built-in actors.
    pub fn on(bundle: Bundle) -> Self {
        let genesis = Genesis { bundle, accounts: 2, ..Genesis::default() };
        let chain = Chain::in_memory(&genesis).unwrap();
        let rules = Rules::new(genesis.version, genesis.chain_id, genesis.time, fil(500_000_000)).unwrap();
        let (store, root) = (chain.store().clone(), chain.head().state);
        let vm = Some(Vm::open(&store, &rules, root, 1).unwrap());
        let key = account_key(0);
        let worker = worker_key().address();
        let (client, owner) = (key.address(), account_key(1).address());
        let mut world = Self { store, rules, vm, key, client, owner, worker, miner: SYSTEM };
        world.send(&SYSTEM, &worker, METHOD_SEND, &fil(1), RawBytes::default()).unwrap();
        let params = RawBytes::serialize((owner, worker, POST, BytesSer(b"peer"), Vec::<BytesDe>::new())).unwrap();
        assert_eq!(world.send(&owner, &POWER, 1173380165, &TokenAmount::default(), params.clone()).err(), Some(19));
        let made = world.send(&owner, &POWER, 1173380165, &fil(10_000), params).unwrap();
        (world.miner, _) = from_slice::<(Address, Address)>(&made).unwrap();
        for holder in [client, world.miner] {
            world.send(&client, &MARKET, 822473126, &fil(100), RawBytes::serialize(holder).unwrap()).unwrap();
        }
        world
    }

    fn vm(&self) -> &Vm {
        self.vm.as_ref().unwrap()
    }

    // --- messages ---

    fn send(
        &mut self,
        from: &Address,
        to: &Address,
        method: u64,
        value: &TokenAmount,
        params: RawBytes,
    ) -> Answer<Vec<u8>> {
        let done = self.vm.as_mut().unwrap().implicit(from, to, method, value, params).unwrap();
        if !done.exit.is_success() {
            eprintln!("{}", done.failure);
        }
        if done.exit.is_success() { Ok(done.value.to_vec()) } else { Err(done.exit.value()) }
    }

    /// A message, and all that came of it.
    pub fn outcome(
        &mut self,
        from: &Address,
        to: &Address,
        method: u64,
        value: &TokenAmount,
        params: RawBytes,
    ) -> vm::Outcome {
        self.vm.as_mut().unwrap().implicit(from, to, method, value, params).unwrap()
    }

    /// The code of a built-in actor, by its type.
    pub fn code(&self, kind: u32) -> Cid {
        *self.vm().manifest().code_by_id(kind).unwrap()
    }

    /// A message for its effect.
    pub fn tell(&mut self, from: &Address, to: &Address, method: u64, params: &impl Serialize) -> Answer<()> {
        let params = RawBytes::serialize(params).unwrap();
        self.send(from, to, method, &TokenAmount::default(), params).map(|_| ())
    }

    /// A message for its answer.
    pub fn call<P: Serialize, T: DeserializeOwned>(
        &mut self,
        from: &Address,
        to: &Address,
        method: u64,
        params: &P,
    ) -> Answer<T> {
        let params = RawBytes::serialize(params).unwrap();
        Ok(from_slice(&self.send(from, to, method, &TokenAmount::default(), params)?).unwrap())
    }

    /// A message without params, for its answer.
    pub fn read<T: DeserializeOwned>(&mut self, to: &Address, method: u64) -> Answer<T> {
        let client = self.client;
        Ok(from_slice(&self.send(&client, to, method, &TokenAmount::default(), RawBytes::default())?).unwrap())
    }

    // --- time ---

    pub fn now(&self) -> i64 {
        self.vm().epoch()
    }

    fn open(&mut self, epoch: i64) {
        let root = self.vm.take().unwrap().flush().unwrap();
        self.vm = Some(Vm::open(&self.store, &self.rules, root, epoch).unwrap());
    }

    /// Moves to an epoch; cron ticks where a deadline ends.
    pub fn leap(&mut self, to: i64) {
        let start = self.period_start();
        loop {
            let tick = self.now() + (start - 1 - self.now()).rem_euclid(WINDOW);
            if tick >= to {
                return self.open(to);
            }
            if tick > self.now() {
                self.open(tick);
            }
            self.vm.as_mut().unwrap().cron().unwrap();
            self.open(tick + 1);
        }
    }

    // --- sectors ---

    fn miner_state(&self) -> MinerState {
        self.vm().state(&self.miner).unwrap()
    }

    fn period_start(&self) -> i64 {
        self.miner_state().10
    }

    pub fn deposits(&self) -> TokenAmount {
        self.miner_state().1
    }

    pub fn initial_pledge(&mut self) -> TokenAmount {
        let miner = self.miner;
        self.read(&miner, 3180523767).unwrap()
    }

    pub fn pre_commit(&mut self, sector: u64, piece: Cid, expiration: i64) -> Answer<()> {
        let info = (SEAL, sector, sealed(sector), self.now() - 1, Vec::<u64>::new(), expiration, Some(piece));
        let (worker, miner) = (self.worker, self.miner);
        self.tell(&worker, &miner, 28, &(vec![info],))
    }

    pub fn prove_commit(&mut self, sector: u64, piece: Cid, notify: &[(Address, Vec<u8>)], strict: bool) -> Answer<()> {
        let notify: Vec<_> = notify.iter().map(|(to, payload)| (to, BytesSer(payload))).collect();
        let pieces = vec![(piece, 2048u64, None::<(u64, u64)>, notify)];
        let proofs = vec![BytesSer(b"fake seal proof")];
        let params = (vec![(sector, pieces)], proofs, BytesSer(b""), None::<i64>, true, strict);
        let (worker, miner) = (self.worker, self.miner);
        self.tell(&worker, &miner, 34, &params)
    }

    /// Pre-commits a sector and proves it as soon as it can be.
    pub fn seal(
        &mut self,
        sector: u64,
        piece: Cid,
        expiration: i64,
        notify: &[(Address, Vec<u8>)],
        strict: bool,
    ) -> Answer<()> {
        self.pre_commit(sector, piece, expiration)?;
        self.leap(self.now() + 11);
        self.prove_commit(sector, piece, notify, strict)
    }

    /// Status, and where it is: CBOR.
    pub fn locate(&mut self, sector: u64) -> (u8, Vec<u8>) {
        let (client, miner) = (self.client, self.miner);
        let (status, at): (u8, BytesDe) = self.call(&client, &miner, 1321604665, &(sector,)).unwrap();
        (status, at.0)
    }

    /// Status, as the miner says and confirms.
    pub fn status(&mut self, sector: u64) -> u8 {
        let (status, at) = self.locate(sector);
        assert_eq!(self.validate(sector, status, &at), Ok(true));
        status
    }

    pub fn validate(&mut self, sector: u64, status: u8, at: &[u8]) -> Answer<bool> {
        let (client, miner) = (self.client, self.miner);
        self.call(&client, &miner, 3092458564, &(sector, status, BytesSer(at)))
    }

    pub fn expiration(&mut self, sector: u64) -> Answer<i64> {
        let (client, miner) = (self.client, self.miner);
        self.call(&client, &miner, 3010055991, &sector)
    }

    pub fn place(&mut self, sector: u64) -> (i64, i64) {
        from_slice(&self.locate(sector).1).unwrap()
    }

    /// Declares a sector faulty, recovered or terminated.
    pub fn declare(&mut self, method: u64, sector: u64) -> Answer<()> {
        let (deadline, partition) = self.place(sector);
        let (worker, miner) = (self.worker, self.miner);
        self.tell(&worker, &miner, method, &(vec![(deadline, partition, bits(&[sector]))],))
    }

    pub fn extend(&mut self, sector: u64, expiration: i64) -> Answer<()> {
        let (deadline, partition) = self.place(sector);
        let (worker, miner) = (self.worker, self.miner);
        let extension = (deadline, partition, bits(&[sector]), Vec::<()>::new(), expiration);
        self.tell(&worker, &miner, 32, &(vec![extension],))
    }

    /// Proves the only sector of its partition in the next window, and lets the window close.
    pub fn prove(&mut self, sector: u64) -> Answer<()> {
        let open = self.go_to_window(sector);
        let challenge = open - 20;
        let base = vm::randomness(Source::Beacon, challenge);
        let mut input = draw(&base, 4, challenge, &to_vec(&self.miner).unwrap()).to_vec();
        input[31] &= 0x3f;
        let info = SectorInfo { proof: SEAL, sector_number: sector, sealed_cid: sealed(sector) };
        input.extend(to_vec(&info).unwrap());
        self.prove_with(sector, Code::Sha2_256.digest(&input).digest())?;
        self.leap(open + WINDOW);
        Ok(())
    }

    fn go_to_window(&mut self, sector: u64) -> i64 {
        let phase = self.period_start() + self.place(sector).0 * WINDOW;
        let into = (self.now() - phase).rem_euclid(DAY);
        let open = if into < WINDOW - 1 { self.now() - into } else { self.now() + DAY - into };
        self.leap(self.now().max(open + 1));
        open
    }

    /// Sends a proof in the next window.
    pub fn prove_with(&mut self, sector: u64, proof: &[u8]) -> Answer<()> {
        self.go_to_window(sector);
        let (deadline, partition) = self.place(sector);
        let epoch = self.now() - 1;
        let rand = draw(&vm::randomness(Source::Chain, epoch), 9, epoch, &[]);
        let proof = PoStProof { post_proof: POST, proof_bytes: proof.to_vec() };
        let params = (deadline, vec![(partition, BitField::new())], vec![proof], epoch, BytesSer(&rand));
        let (worker, miner) = (self.worker, self.miner);
        self.tell(&worker, &miner, 5, &params)
    }

    /// Raw and quality-adjusted power.
    pub fn power(&mut self) -> (u64, u64) {
        let (client, id) = (self.client, self.miner.id().unwrap());
        let (raw, adjusted): (BigIntDe, BigIntDe) = self.call(&client, &POWER, 36284446, &id).unwrap();
        (raw.0.try_into().unwrap(), adjusted.0.try_into().unwrap())
    }

    pub fn claim_is_there(&mut self) -> bool {
        let (client, id) = (self.client, self.miner.id().unwrap());
        self.call::<_, (BytesDe, BytesDe)>(&client, &POWER, 36284446, &id).is_ok()
    }

    // --- state ---

    /// Ends the world: what it stands on, for whoever goes on by other means.
    #[allow(dead_code, reason = "for the gas tables alone")]
    pub fn into_parts(mut self) -> (Rc<Store>, Rules, Cid, i64) {
        let now = self.now();
        let root = self.vm.take().unwrap().flush().unwrap();
        (self.store, self.rules, root, now)
    }

    pub fn resolve(&self, address: &Address) -> u64 {
        self.vm().resolve(address).unwrap().unwrap()
    }

    pub fn balance(&self, address: &Address) -> TokenAmount {
        self.vm().actor(address).unwrap().unwrap().balance
    }

    /// No attoFIL was made or lost.
    pub fn assert_sound(&mut self) {
        let root = self.vm.take().unwrap().flush().unwrap();
        assert_eq!(State::at(&self.store, &root).unwrap().total_balance().unwrap(), fil(2_000_000_000));
    }
}

/// A miner's root state: deposits are the second field, the proving period's start the eleventh.
type MinerState = (
    Cid,
    TokenAmount,
    TokenAmount,
    Option<((i64, TokenAmount), Cid)>,
    TokenAmount,
    TokenAmount,
    Cid,
    Cid,
    Cid,
    Cid,
    i64,
    u64,
    Cid,
    BitField,
    bool,
);

pub fn bits(numbers: &[u64]) -> BitField {
    BitField::try_from_bits(numbers.iter().copied()).unwrap()
}

fn draw(base: &[u8; 32], tag: i64, epoch: i64, entropy: &[u8]) -> [u8; 32] {
    vm::blake2b(&[&tag.to_be_bytes()[..], base, &epoch.to_be_bytes(), entropy].concat())
}
