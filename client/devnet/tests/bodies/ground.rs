//! The chain that every scenario begins with: both bodies installed, puppets in the place of miners, power and the market.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex};

use bauta_client::actor::contract;
use bauta_client::message::eth::{ADDRESS_MANAGER, CREATE_EXTERNAL};
use bauta_devnet::bundle::{BAUTA_ACTOR, Bundle};
use bauta_devnet::chain::Chain;
use bauta_devnet::genesis::Genesis;
use bauta_devnet::on_large_stack;
use bauta_devnet::store::Store;
use bauta_devnet::vm::{Rules, SYSTEM, Vm};
use cid::Cid;
use fvm_ipld_blockstore::{Block, Blockstore};
use fvm_ipld_encoding::{BytesSer, CborStore, RawBytes};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::state::ActorState;
use fvm_shared::{ActorID, EMPTY_ARR_CID, IPLD_RAW, METHOD_SEND};
use multihash_codetable::Code;

static PUPPET: &[u8] = include_bytes!(concat!(env!("BAUTA_WASM"), "/test/puppet.wasm"));

const WASM: ActorID = 64;

/// See the module.
pub struct Ground {
    pub store: Rc<Store>,
    pub rules: Rules,
    pub root: Cid,
    /// Where the Wasm is.
    pub wasm: ActorID,
    /// Where the contract is; nowhere if the bundle has no EVM.
    pub contract: Option<ActorID>,
    /// The code of miners here.
    pub miner: Cid,
    pub multisig: Cid,
}

type Job = Box<dyn FnOnce(&Rc<Ground>) + Send>;

/// Threads with a ground each, which all tests share: making one takes a second.
static JOBS: LazyLock<Sender<Job>> = LazyLock::new(|| {
    let (jobs, queue) = channel::<Job>();
    let queue: &'static Mutex<Receiver<Job>> = Box::leak(Box::new(Mutex::new(queue)));
    for _ in 0..2 {
        std::thread::spawn(move || {
            on_large_stack(move || {
                let ground = Rc::new(Ground::new());
                loop {
                    let job = queue.lock().expect("a job takes its panic with it").recv();
                    let Ok(job) = job else { return };
                    job(&ground);
                }
            });
        });
    }
    jobs
});

/// Runs something on a ground.
pub fn run(job: impl FnOnce(&Rc<Ground>) + Send + 'static) {
    let (done, end) = channel();
    let job: Job = Box::new(move |ground| {
        let _ = done.send(catch_unwind(AssertUnwindSafe(|| job(ground))));
    });
    JOBS.send(job).expect("the threads live as long as the tests");
    if let Err(panic) = end.recv().expect("every job ends") {
        resume_unwind(panic);
    }
}

/// The same code under another CID: with a custom section that holds a name.
fn named(wasm: &[u8], name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("a short name");
    [wasm, &[0, length + 1, length], name.as_bytes()].concat()
}

impl Ground {
    fn new() -> Self {
        let genesis = Genesis { bundle: Bundle::from_environment(), accounts: 0, ..Genesis::default() };
        let chain = Chain::in_memory(&genesis).expect("a chain");
        let supply = TokenAmount::from_whole(500_000_000);
        let rules = Rules::new(genesis.version, genesis.chain_id, genesis.time, supply).expect("rules");
        let (store, root) = (chain.store().clone(), chain.head().state);

        let mut vm = Vm::open(&store, &rules, root, 1).expect("opens");
        let wasm = code(&store, BAUTA_ACTOR);
        rules.preload(&store, &[wasm]).expect("the FVM takes the actor");
        place(&mut vm, WASM, wasm, EMPTY_ARR_CID);
        let none = TokenAmount::default;
        let constructed = vm.implicit(&SYSTEM, &Address::new_id(WASM), 1, &none(), RawBytes::default());
        constructed.and_then(|done| done.ok()).expect("constructed");
        let contract = deploy(&mut vm);

        let (manifest, puppets) = puppets(&store, &vm);
        rules.preload(&store, &puppets).expect("the FVM takes the puppet");
        let multisig = *vm.manifest().code_by_id(9).expect("a multisig");
        let nothing = store.put_cbor(&Vec::<()>::new(), Code::Blake2b256).expect("put");
        for (id, code) in [(4, puppets[1]), (5, puppets[2])] {
            place(&mut vm, id, code, nothing);
        }
        let system = vm.actor(&SYSTEM).expect("readable").expect("there");
        let state = store.put_cbor(&(manifest,), Code::Blake2b256).expect("put");
        vm.place(0, ActorState { state, ..system });
        let root = vm.flush().expect("flushes");
        Self { store, rules, root, wasm: WASM, contract, miner: puppets[0], multisig }
    }
}

fn code(store: &Rc<Store>, wasm: &[u8]) -> Cid {
    store.put(Code::Blake2b256, &Block::new(IPLD_RAW, wasm)).expect("put")
}

fn place(vm: &mut Vm, id: ActorID, code: Cid, state: Cid) {
    let balance = TokenAmount::default();
    vm.place(id, ActorState { code, state, sequence: 0, balance, delegated_address: None });
}

fn deploy(vm: &mut Vm) -> Option<ActorID> {
    deploy_code(vm, contract::init_code())
        .inspect_err(|why| eprintln!("the contract is not tested: this bundle has no EVM ({why})"))
        .ok()
}

/// Makes a contract.
pub fn deploy_code(vm: &mut Vm, init_code: &[u8]) -> Result<ActorID, String> {
    // The address is made of the sender and the message's nonce, which is always 0 here: each code has a sender of its own.
    let deployer = Address::new_secp256k1(&[init_code.len() as u8; 65]).expect("a key's length");
    let money = TokenAmount::from_whole(1);
    vm.implicit(&SYSTEM, &deployer, METHOD_SEND, &money, RawBytes::default()).and_then(|done| done.ok()).expect("paid");
    let params = RawBytes::serialize(BytesSer(init_code)).expect("CBOR");
    let done =
        vm.implicit(&deployer, &ADDRESS_MANAGER, CREATE_EXTERNAL, &TokenAmount::default(), params).expect("runs");
    if !done.exit.is_success() {
        return Err(format!("exit {}: {}", done.exit, done.failure.trim()));
    }
    // [actor ID, robust address, Ethereum address]
    let (id, _, _): (ActorID, Option<Address>, fvm_ipld_encoding::BytesDe) = done.decode().expect("an address");
    Ok(id)
}

/// A manifest in which miners, power and market are puppets; their codes.
fn puppets(store: &Rc<Store>, vm: &Vm) -> (Cid, [Cid; 3]) {
    let (manifest,): (Cid,) = vm.state(&SYSTEM).expect("the system actor's state");
    let mut names: Vec<(String, Cid)> = store.get_cbor(&manifest).expect("readable").expect("there");
    let puppets = ["storageminer", "storagepower", "storagemarket"].map(|name| {
        let puppet = code(store, &named(PUPPET, name));
        names.iter_mut().find(|entry| entry.0 == name).expect("in the manifest").1 = puppet;
        puppet
    });
    (store.put_cbor(&names, Code::Blake2b256).expect("put"), puppets)
}
