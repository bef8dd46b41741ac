//! The messages that are measured.

use std::collections::BTreeMap;
use std::rc::Rc;

use bauta_abi::*;
use bauta_client::actor::contract;
use bauta_client::message;
use bauta_client::message::eth::{ADDRESS_MANAGER, CREATE_EXTERNAL};
use bauta_client::wallet::Key;
use bauta_devnet::bundle::BAUTA_ACTOR;
use bauta_devnet::genesis::account_key;
use bauta_devnet::store::Store;
use bauta_devnet::vm::{BLOCK_GAS, Outcome, Rules, Vm};
use cid::Cid;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_ipld_encoding::{BytesDe, BytesSer, RawBytes, to_vec};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;
use fvm_shared::state::ActorState;
use fvm_shared::{ActorID, IPLD_RAW};
use multihash_codetable::Code;

use crate::contract::Filling;
use crate::fill::{self, Owners};
use crate::table::Row;
use crate::world::{self, MARKET, World};

/// Where the Wasm is, as the devnet installs it.
const ACTOR: ActorID = 64;

/// Which body is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Wasm,
    Contract,
}
/// A sector of the provider, with the piece of all bounties.
const SECTOR: u64 = 1;
/// Epochs between a claim and its settlement.
const LATER: i64 = 1_000;
/// Messages of which the growth table gives the mean and the rest.
const SAMPLES: u64 = 250;

/// A chain with a provider that has sealed two sectors, one of them for a deal, and the actor's code.
pub struct Scene {
    store: Rc<Store>,
    rules: Rules,
    root: Cid,
    now: i64,
    /// Where the body is, and its entry in the state tree.
    actor: ActorID,
    entry: ActorState,
    body: Body,
    key: Key,
    me: ActorID,
    friend: Address,
    miner: Address,
    location: Vec<u8>,
    deal: u64,
}

/// The sender's messages, one after the other, on one state.
struct Run<'s> {
    scene: &'s Scene,
    vm: Vm,
    nonce: u64,
    entries: u64,
    rows: Vec<Row>,
}

impl Scene {
    pub fn new(body: Body) -> Self {
        let mut w = World::new();
        let life = 215 * world::DAY;
        w.seal(SECTOR, world::piece(1), w.now() + life, &[], false).expect("sealed");
        let deal = w.publish(world::piece(1), 100, 181 * world::DAY, &TokenAmount::default());
        let activation = [(MARKET, to_vec(&deal).expect("CBOR"))];
        w.seal(SECTOR + 1, world::piece(1), w.now() + life, &activation, true).expect("sealed");
        let (_, location) = w.locate(SECTOR);
        let (key, friend, miner) = (account_key(0), account_key(1).address(), w.miner);
        let me = w.resolve(&key.address());
        let (store, rules, root, now) = w.into_parts();
        let mut vm = Vm::open(&store, &rules, root, now).expect("opens");
        let miner = Address::new_id(vm.resolve(&miner).expect("readable").expect("there"));
        let (actor, entry) = match body {
            Body::Wasm => {
                let code = Block::new(IPLD_RAW, BAUTA_ACTOR).cid(Code::Blake2b256);
                store.put_keyed(&code, BAUTA_ACTOR).expect("put");
                rules.preload(&store, &[code]).expect("the FVM takes the actor");
                let balance = TokenAmount::default();
                (ACTOR, ActorState { code, state: code, sequence: 0, balance, delegated_address: None })
            }
            Body::Contract => {
                let params = RawBytes::serialize(BytesSer(contract::init_code())).expect("CBOR");
                let none = TokenAmount::default();
                let done =
                    vm.implicit(&key.address(), &ADDRESS_MANAGER, CREATE_EXTERNAL, &none, params).and_then(Outcome::ok);
                let (id, _, _): (ActorID, Option<Address>, BytesDe) =
                    done.expect("deployed").decode().expect("an address");
                (id, vm.actor(&Address::new_id(id)).expect("readable").expect("deployed"))
            }
        };
        let root = vm.flush().expect("flushes");
        Self { store, rules, root, now, actor, entry, body, key, me, friend, miner, location, deal }
    }

    fn terms(&self) -> Terms {
        Terms {
            piece_cid: world::piece(1),
            padded_size: PaddedPieceSize(2_048),
            file_id: Some(1),
            reward_per_replica: TokenAmount::from_nano(1_000),
            activation_bps: 1_000,
            replicas: 2,
            min_duration: 180 * world::DAY,
            claim_deadline: self.now + 10 * LATER,
            providers: vec![],
            source: "http://127.0.0.1:12345/piece/bafkzcib".into(),
            note: String::new(),
        }
    }

    fn ground(&self) -> fill::Ground<'_> {
        fill::Ground { store: &self.store, keep: self.root, me: self.me }
    }

    /// Opens the VM with the actor on a state that was filled before.
    fn run(&self, state: Cid, entries: u64, balance: TokenAmount) -> Run<'_> {
        let mut vm = Vm::open(&self.store, &self.rules, self.root, self.now).expect("opens");
        vm.place(self.actor, ActorState { state, balance, ..self.entry.clone() });
        let nonce = vm.actor(&self.key.address()).expect("readable").expect("funded").sequence;
        Run { scene: self, vm, nonce, entries, rows: vec![] }
    }

    /// Measures each method once on a state with so many keys, files, grants and bounties.
    pub fn measure(&self, entries: u64) -> Vec<Row> {
        let terms = self.terms();
        let escrow = terms.target() * entries;
        let state = match self.body {
            Body::Wasm => fill::everything(&self.ground(), entries, &terms, self.now),
            Body::Contract => {
                Filling::new(&self.store, self.now).everything(self.me, entries, &terms).state(&self.entry.state)
            }
        };
        let mut run = self.run(state, entries, escrow);
        run.keys();
        run.files();
        run.grants();
        run.bounties();
        run.rows
    }

    /// Measures registering and reading over many messages.
    pub fn measure_growth(&self, entries: u64, owners: Owners) -> Vec<Row> {
        if self.body == Body::Contract {
            return self.measure_contract_growth(entries, owners);
        }
        let ground = self.ground();
        let mut state = fill::register(&ground, fill::empty(&self.store), 0, entries, owners);
        let mut register = vec![];
        for n in entries..entries + SAMPLES {
            let mut run = self.run(state, entries, TokenAmount::default());
            let params = RegisterFileParams { files: vec![fill::file(n)] };
            register.push(run.send(Method::RegisterFile, &params, 0).gas);
            // The next one comes from somebody else, as the others did.
            state = fill::register(&ground, state, n, 1, owners);
        }
        let mut run = self.run(state, entries, TokenAmount::default());
        let every = (entries / SAMPLES).max(1);
        let ids = (1..=entries).step_by(every as usize);
        let read = ids.map(|id| run.send(Method::GetFile, &GetFileParams { id }, 0).gas).collect();
        vec![row(growth("RegisterFile", owners), entries, register), row(growth("GetFile", owners), entries, read)]
    }

    /// The same for the contract; all messages come from one account, whoever owns the files that are there.
    fn measure_contract_growth(&self, entries: u64, owners: Owners) -> Vec<Row> {
        let state = Filling::new(&self.store, 1).register(self.me, entries, owners).state(&self.entry.state);
        let mut run = self.run(state, entries, TokenAmount::default());
        let every = (entries / SAMPLES).max(1);
        let ids = (1..=entries).step_by(every as usize);
        let read = ids.map(|id| run.send(Method::GetFile, &GetFileParams { id }, 0).gas).collect();
        let files = (entries..entries + SAMPLES).map(|n| RegisterFileParams { files: vec![fill::file(n)] });
        let register = files.map(|params| run.send(Method::RegisterFile, &params, 0).gas).collect();
        vec![row(growth("RegisterFile", owners), entries, register), row(growth("GetFile", owners), entries, read)]
    }
}

fn growth(what: &str, owners: Owners) -> String {
    match owners {
        Owners::One => format!("{what}, one owner"),
        Owners::Many => format!("{what}, many owners"),
    }
}

fn row(name: String, entries: u64, mut gas: Vec<u64>) -> Row {
    gas.sort_unstable();
    let at = |percent: usize| gas[(gas.len() - 1) * percent / 100];
    let mean = gas.iter().sum::<u64>() / gas.len() as u64;
    Row { name, entries, gas: BTreeMap::from([("mean", mean), ("median", at(50)), ("p90", at(90)), ("max", at(100))]) }
}

impl Run<'_> {
    /// Sends a message that must succeed.
    fn send(&mut self, method: Method, params: &impl Wire, nano: i64) -> Outcome {
        let to = Address::new_id(self.scene.actor);
        let params = RawBytes::new(encode(params).expect("in bounds"));
        let value = TokenAmount::from_nano(nano);
        let mut draft = message::draft(self.scene.key.address(), to, value, method.number(), params);
        draft.sequence = self.nonce;
        draft.gas_limit = BLOCK_GAS;
        draft.gas_fee_cap = TokenAmount::from_atto(1_000);
        self.nonce += 1;
        let signed = self.scene.key.sign(draft).expect("signed");
        let done = self.vm.explicit(signed.message.clone(), signed.on_chain_len()).expect("runs");
        assert!(done.exit.is_success(), "{method:?} with {} entries: {}", self.entries, done.failure);
        done
    }

    fn measured(&mut self, method: Method, params: &impl Wire, nano: i64) -> Outcome {
        let done = self.send(method, params, nano);
        self.note(method.name(), done.gas);
        done
    }

    fn note(&mut self, name: &str, gas: u64) {
        self.rows.push(Row { name: name.into(), entries: self.entries, gas: BTreeMap::from([("gas", gas)]) });
    }

    /// An old entry of the sender's, if there are any.
    fn mine(&self, nth: u64) -> Option<u64> {
        let middle = self.entries / fill::EACH / 2;
        (self.entries > 0).then_some((middle + nth) * fill::EACH + 1)
    }

    fn keys(&mut self) {
        self.measured(Method::PublishKey, &PublishKeyParams { recipient: format!("age1{:058}", 1) }, 0);
        self.measured(Method::GetKey, &GetKeyParams { address: self.scene.key.address() }, 0);
    }

    fn files(&mut self) {
        let files = |count: u64| RegisterFileParams { files: (0..count).map(|n| fill::file(1 << 32 | n)).collect() };
        let newest: RegisterFileReturn = self.measured(Method::RegisterFile, &files(1), 0).decode().expect("ids");
        let many = self.send(Method::RegisterFile, &files(64), 0).gas;
        self.note("RegisterFile, 64 files", many);
        let id = self.mine(0).unwrap_or(newest.ids[0]);
        self.measured(Method::UpdateFile, &UpdateFileParams { id, expected_version: 1, file: fill::file(1 << 33) }, 0);
        let (to, wrap) = (self.scene.friend, vec![4; 98]);
        self.measured(Method::TransferFile, &TransferFileParams { id, to, wrap }, 0);
        let id = self.mine(1).unwrap_or(newest.ids[0] + 1);
        self.measured(Method::RemoveFile, &RemoveFileParams { id }, 0);
        self.measured(Method::GetFile, &GetFileParams { id: self.mine(2).unwrap_or(newest.ids[0]) }, 0);
        let page = ListFilesParams { owner: self.scene.key.address(), cursor: None, limit: 10 };
        self.measured(Method::ListFiles, &page, 0);
    }

    fn grants(&mut self) {
        let (id, address) = (self.mine(3).unwrap_or(3), self.scene.friend);
        let spec = GrantSpec { address, wrap: vec![5; 98], rights: Rights::READ, expiration: EPOCH_NEVER };
        self.measured(Method::GrantAccess, &GrantAccessParams { id, grants: vec![spec] }, 0);
        self.measured(Method::GetGrant, &GetGrantParams { id, address }, 0);
        self.measured(Method::ListGrants, &ListGrantsParams { id, cursor: None, limit: 10 }, 0);
        self.measured(Method::ListShared, &ListSharedParams { address, cursor: None, limit: 10 }, 0);
        self.measured(Method::RevokeAccess, &RevokeAccessParams { id, addresses: vec![address] }, 0);
    }

    fn bounties(&mut self) {
        let terms = self.scene.terms();
        let done = self.measured(Method::CreateBounty, &CreateBountyParams { terms: terms.clone() }, 0);
        let CreateBountyReturn { id: newest } = done.decode().expect("an id");
        self.measured(Method::FundBounty, &FundBountyParams { id: newest }, 2_000);
        let claimed = self.mine(4).unwrap_or(newest);
        self.notify(claimed);
        // The provider has claimed; the deal claims another bounty.
        let other: CreateBountyReturn =
            self.send(Method::CreateBounty, &CreateBountyParams { terms }, 2_000).decode().expect("an id");
        let by_deal = self.mine(5).unwrap_or(other.id);
        self.measured(Method::ClaimBounty, &ClaimBountyParams { id: by_deal, deal_id: self.scene.deal }, 0);
        self.settle(claimed);
        let unclaimed = if self.entries == 0 { self.unclaimed() } else { self.mine(6).expect("there are entries") };
        self.measured(Method::CancelBounty, &CancelBountyParams { id: unclaimed }, 0);
        self.measured(Method::RefundBounty, &RefundBountyParams { id: unclaimed }, 0);
        self.measured(Method::GetBounty, &GetBountyParams { id: claimed }, 0);
        self.measured(Method::ListBounties, &ListBountiesParams { cursor: None, limit: 10 }, 0);
        self.measured(Method::ListBountyClaims, &ListBountyClaimsParams { id: claimed, cursor: None, limit: 10 }, 0);
    }

    fn unclaimed(&mut self) -> BountyId {
        let params = CreateBountyParams { terms: self.scene.terms() };
        let CreateBountyReturn { id } = self.send(Method::CreateBounty, &params, 2_000).decode().expect("an id");
        id
    }

    /// What the notification adds to the provider's own message.
    fn notify(&mut self, bounty: BountyId) {
        let payload = notification_payload(bounty).into();
        let piece = PieceChange { data: world::piece(1), size: PaddedPieceSize(2_048), payload };
        let minimum_commitment_epoch = self.scene.now + 200 * world::DAY;
        let sectors = vec![SectorChanges { sector: SECTOR, minimum_commitment_epoch, added: vec![piece] }];
        let params = RawBytes::new(encode(&SectorContentChangedParams { sectors }).expect("in bounds"));
        let (to, none) = (Address::new_id(self.scene.actor), TokenAmount::default());
        let number = Method::SectorContentChanged.number();
        let done = self.vm.implicit(&self.scene.miner, &to, number, &none, params).expect("runs");
        assert!(done.exit.is_success() && done.events.len() == 1, "a claim was recorded: {}", done.failure);
        self.note(Method::SectorContentChanged.name(), done.gas);
    }

    /// Time passes, and the provider is paid.
    fn settle(&mut self, bounty: BountyId) {
        let scene = self.scene;
        let root = {
            let open = Vm::open(&scene.store, &scene.rules, scene.root, scene.now).expect("opens");
            std::mem::replace(&mut self.vm, open).flush().expect("flushes")
        };
        self.vm = Vm::open(&scene.store, &scene.rules, root, scene.now + LATER).expect("opens");
        let claims = vec![Settlement { claim: 0, aux: scene.location.clone() }];
        let done = self.measured(Method::SettleBounty, &SettleBountyParams { id: bounty, claims }, 0);
        let SettleBountyReturn { amounts } = done.decode().expect("amounts");
        assert!(amounts[0].is_positive());
    }
}
