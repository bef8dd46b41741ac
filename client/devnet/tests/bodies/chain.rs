//! A body on the FVM.

use std::collections::BTreeMap;
use std::rc::Rc;

use bauta_abi::*;
use bauta_actor::ext;
use bauta_actor::runtime::Answer;
use bauta_actor::runtime::fake::{Deal, Sector};
use bauta_actor::state::check_state_invariants;
use bauta_devnet::vm::{Outcome, SYSTEM, Vm};
use bauta_scenarios::{Body, Kind};
use cid::Cid;
use fvm_ipld_encoding::{BytesSer, CBOR, CborStore, RawBytes, to_vec};
use fvm_shared::ActorID;
use fvm_shared::METHOD_SEND;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::state::ActorState;
use multihash_codetable::Code;
use serde::Serialize;

use crate::ground::Ground;

const POWER: ActorID = 4;
/// The power actor's MinerRawPower.
const MINER_RAW_POWER: u64 = 3_753_401_894;
/// The market's EX_DEAL_NOT_ACTIVATED.
const NOT_ACTIVATED: u32 = 33;

/// A row of a puppet's table: method, params (any if none), exit code, codec, answer.
type Row = (u64, Option<Vec<u8>>, u32, u64, Vec<u8>);

/// A body, and the world around it as it was told.
pub struct Chain {
    ground: Rc<Ground>,
    body: ActorID,
    root: Cid,
    epoch: ChainEpoch,
    people: BTreeMap<ActorID, (Kind, Address)>,
    sectors: BTreeMap<(ActorID, u64), Sector>,
    deals: BTreeMap<u64, Deal>,
    forged: BTreeMap<(ActorID, u64), Option<Answer>>,
    events: Vec<Event>,
}

impl Chain {
    pub fn new(ground: &Rc<Ground>, body: ActorID) -> Self {
        let mut chain = Self {
            ground: ground.clone(),
            body,
            root: ground.root,
            epoch: 100,
            people: BTreeMap::new(),
            sectors: BTreeMap::new(),
            deals: BTreeMap::new(),
            forged: BTreeMap::new(),
            events: vec![],
        };
        chain.tell(ext::MARKET);
        chain
    }

    fn is_contract(&self) -> bool {
        self.ground.contract == Some(self.body)
    }

    fn open(&self) -> Vm {
        Vm::open(&self.ground.store, &self.ground.rules, self.root, self.epoch).expect("opens")
    }

    /// Does something to the chain itself.
    pub fn with<T>(&mut self, change: impl FnOnce(&mut Vm) -> T) -> T {
        let mut vm = self.open();
        let done = change(&mut vm);
        self.root = vm.flush().expect("flushes");
        done
    }

    /// An actor's entry.
    pub fn of(&self, id: ActorID) -> ActorState {
        self.open().actor(&Address::new_id(id)).expect("readable").expect("there")
    }

    /// A message to the body, and all that came of it.
    pub fn call(&mut self, from: &Address, method: u64, value: &TokenAmount, params: RawBytes) -> Outcome {
        let to = Address::new_id(self.body);
        self.with(|vm| vm.implicit(from, &to, method, value, params).expect("runs"))
    }

    fn send(&self, vm: &mut Vm, from: ActorID, method: u64, params: Vec<u8>, attofil: u128) -> Outcome {
        let (from, to) = (Address::new_id(from), Address::new_id(self.body));
        let value = TokenAmount::from_atto(attofil);
        vm.implicit(&from, &to, method, &value, RawBytes::new(params)).expect("runs")
    }

    /// Gives a puppet its table.
    fn tell(&mut self, id: ActorID) {
        let rows: Vec<_> = match id {
            POWER => self.power(),
            ext::MARKET => self.market(),
            _ => self.miner(id),
        };
        let rows: Vec<_> = self.forgeries(id).into_iter().chain(rows).collect();
        let rows: Vec<_> = rows
            .iter()
            .map(|(method, params, exit, codec, answer)| {
                (method, params.as_deref().map(BytesSer), exit, codec, BytesSer(answer))
            })
            .collect();
        let state = self.ground.store.put_cbor(&rows, Code::Blake2b256).expect("put");
        let actor = self.of(id);
        self.with(|vm| vm.place(id, ActorState { state, ..actor }));
    }

    fn forgeries(&self, id: ActorID) -> Vec<Row> {
        let of = self.forged.iter().filter(|((actor, _), _)| *actor == id);
        of.map(|((_, method), answer)| match answer {
            // A call that the chain does not deliver: the nearest that a puppet can do.
            None => (*method, None, ExitCode::USR_ASSERTION_FAILED.value(), 0, vec![]),
            Some(Answer { exit, data }) => {
                let (codec, data) = data.as_ref().map_or((0, vec![]), |block| (block.codec, block.data.clone()));
                // Codes of the system are the chain's own to give.
                let exit = if exit.is_system_error() { ExitCode::USR_UNSPECIFIED } else { *exit };
                (*method, None, exit.value(), codec, data)
            }
        })
        .collect()
    }

    fn power(&self) -> Vec<Row> {
        let miners = self.people.iter().filter(|(_, (kind, _))| *kind == Kind::Miner);
        let rows = miners.map(|(id, _)| said(MINER_RAW_POWER, id, &(TokenAmount::default(), false)));
        rows.chain([refused(MINER_RAW_POWER, ExitCode::USR_NOT_FOUND.value())]).collect()
    }

    fn market(&self) -> Vec<Row> {
        let mut rows = vec![];
        for (id, deal) in &self.deals {
            rows.push(said(ext::GET_DEAL_DATA_COMMITMENT, id, &(deal.piece, deal.size)));
            rows.push(said(ext::GET_DEAL_PROVIDER, id, &deal.provider));
            rows.push(said(ext::GET_DEAL_TERM, id, &(deal.start, deal.duration)));
            rows.push(said(ext::GET_DEAL_ACTIVATION, id, &(deal.activated, deal.terminated)));
            rows.push(match deal.sector {
                Some(sector) => said(ext::GET_DEAL_SECTOR, id, &sector),
                None => (ext::GET_DEAL_SECTOR, Some(to_vec(id).expect("CBOR")), NOT_ACTIVATED, 0, vec![]),
            });
        }
        for method in ext::DEAL_QUESTIONS {
            rows.push(refused(method, ExitCode::USR_NOT_FOUND.value()));
        }
        rows
    }

    fn miner(&self, miner: ActorID) -> Vec<Row> {
        let mut rows = vec![];
        for ((_, number), sector) in self.sectors.iter().filter(|((whose, _), _)| *whose == miner) {
            for status in 0..3u8 {
                let question = (number, status, BytesSer(&sector.location));
                rows.push(said(ext::VALIDATE_SECTOR_STATUS, &question, &(status == sector.status)));
            }
            rows.push(said(ext::GET_NOMINAL_SECTOR_EXPIRATION, number, &sector.expiration));
        }
        for method in [ext::VALIDATE_SECTOR_STATUS, ext::GET_NOMINAL_SECTOR_EXPIRATION] {
            rows.push(refused(method, ExitCode::USR_NOT_FOUND.value()));
        }
        rows
    }

    /// The contract's own books, as its views show them.
    fn books(&self) -> Vec<String> {
        let (mut wrong, mut held) = (vec![], TokenAmount::default());
        let mut cursor = None;
        loop {
            let params = encode(&ListBountiesParams { cursor, limit: MAX_LIST }).expect("in bounds");
            let done = self.send(&mut self.open(), 1, Method::ListBounties.number(), params, 0);
            let page: ListBountiesReturn = decode(done.value.bytes()).expect("a page");
            for (id, bounty) in page.bounties {
                if bounty.funded != &bounty.escrowed + &bounty.paid + &bounty.refunded {
                    wrong.push(format!("bounty {id} does not add up: {bounty:?}"));
                }
                if bounty.reserved > bounty.escrowed {
                    wrong.push(format!("bounty {id} reserves more than it has: {bounty:?}"));
                }
                held += bounty.escrowed;
            }
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        if held != self.own_balance() {
            wrong.push(format!("{held} in escrow, {} there", self.own_balance()));
        }
        wrong
    }
}

fn said(method: u64, question: &impl Serialize, answer: &impl Serialize) -> Row {
    (method, Some(to_vec(question).expect("CBOR")), 0, CBOR, to_vec(answer).expect("CBOR"))
}

fn refused(method: u64, exit: u32) -> Row {
    (method, None, exit, 0, vec![])
}

fn key(seed: u64) -> Address {
    let mut key = [7; 65];
    key[..8].copy_from_slice(&seed.to_be_bytes());
    Address::new_secp256k1(&key).expect("a key's length")
}

impl Body for Chain {
    fn epoch(&self) -> ChainEpoch {
        self.epoch
    }

    fn set_epoch(&mut self, epoch: ChainEpoch) {
        self.epoch = epoch;
    }

    fn create(&mut self, kind: Kind) -> ActorID {
        let address = key(self.people.len() as u64);
        let money = TokenAmount::from_whole(1_000_000);
        let (miner, multisig) = (self.ground.miner, self.ground.multisig);
        let id = self.with(|vm| {
            let paid = vm.implicit(&SYSTEM, &address, METHOD_SEND, &money, RawBytes::default());
            paid.and_then(Outcome::ok).expect("paid");
            let id = vm.resolve(&address).expect("readable").expect("made");
            let actor = vm.actor(&address).expect("readable").expect("made");
            // An account in all but its code: its address leads to whatever stands there.
            match kind {
                Kind::Account => {}
                Kind::Multisig => vm.place(id, ActorState { code: multisig, ..actor }),
                Kind::Miner => vm.place(id, ActorState { code: miner, ..actor }),
            }
            id
        });
        self.people.insert(id, (kind, address));
        if kind == Kind::Miner {
            self.tell(POWER);
            self.tell(id);
        }
        id
    }

    fn robust(&self, id: ActorID) -> Address {
        self.people.get(&id).map_or_else(|| key(id + 1_000_000), |(_, address)| *address)
    }

    fn balance(&self, id: ActorID) -> TokenAmount {
        self.of(id).balance
    }

    fn balances(&self, ids: &[ActorID]) -> Vec<TokenAmount> {
        let vm = self.open();
        ids.iter().map(|id| vm.actor(&Address::new_id(*id)).expect("readable").expect("there").balance).collect()
    }

    fn own_balance(&self) -> TokenAmount {
        self.of(self.body).balance
    }

    fn message(
        &mut self,
        from: ActorID,
        method: u64,
        params: Option<Vec<u8>>,
        attofil: u128,
    ) -> Result<Option<Vec<u8>>, Exit> {
        let mut vm = self.open();
        let done = self.send(&mut vm, from, method, params.unwrap_or_default(), attofil);
        self.root = vm.flush().expect("flushes");
        if !done.exit.is_success() {
            let known = Exit::from_code(done.exit);
            return Err(known.unwrap_or_else(|| panic!("exit {} is none of ours: {}", done.exit, done.failure)));
        }
        for event in &done.events {
            self.events.push(Event::from_entries(&event.event.entries).expect("an event of ours"));
        }
        Ok(Some(done.value.to_vec()).filter(|value| !value.is_empty()))
    }

    fn events(&self) -> Vec<Event> {
        self.events.clone()
    }

    fn state(&self) -> Cid {
        self.of(self.body).state
    }

    fn check(&self) -> Vec<String> {
        if self.is_contract() {
            return self.books();
        }
        let actor = self.of(self.body);
        check_state_invariants(&*self.ground.store, &actor.state, &actor.balance)
    }

    fn stride(&self) -> usize {
        23
    }

    fn set_sector(&mut self, miner: ActorID, number: u64, sector: Sector) {
        self.sectors.insert((miner, number), sector);
        self.tell(miner);
    }

    fn set_deal(&mut self, id: u64, deal: Deal) {
        self.deals.insert(id, deal);
        self.tell(ext::MARKET);
    }

    fn forge(&mut self, actor: ActorID, method: u64, answer: Option<Answer>) {
        self.forged.insert((actor, method), answer);
        self.tell(actor);
    }
}
