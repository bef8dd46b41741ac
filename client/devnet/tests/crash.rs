//! A process that is killed loses nothing that it had said was done, and goes on as if it had not been killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bauta_client::address::Prefix;
use bauta_client::message::{self, SignedMessage};
use bauta_client::network::Endpoint;
use bauta_client::node::json::TipsetKey;
use bauta_client::node::{HttpNode, HttpSettings, Node};
use bauta_devnet::bundle::Bundle;
use bauta_devnet::chain::{Chain, Keep};
use bauta_devnet::genesis::{ACCOUNT_FIL, Genesis, account_key};
use bauta_devnet::{Config, on_large_stack, spawn};
use cid::Cid;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::econ::TokenAmount;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The victim is this same test binary with this variable set.
const FOLDER: &str = "BAUTA_TEST_CRASH_FOLDER";
const KILLS: u64 = 8;
const MESSAGES: u64 = 60;

fn genesis() -> Genesis {
    Genesis { bundle: Bundle::from_environment(), accounts: 2, ..Genesis::default() }
}

fn open(folder: &Path) -> Chain {
    Chain::open(folder, &genesis()).unwrap()
}

fn pay(chain: &mut Chain) {
    let to = account_key(1).address();
    chain.send(&account_key(0), &to, 0, &TokenAmount::from_whole(1), RawBytes::default()).unwrap();
}

fn victim(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test]).env(FOLDER, folder);
    command
}

#[test]
fn killed_without_a_goodbye() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        on_large_stack(|| {
            let mut chain = open(Path::new(&folder));
            pay(&mut chain);
            pay(&mut chain);
            std::fs::write(Path::new(&folder).join("head"), chain.head().block.to_string()).unwrap();
            std::process::abort();
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let died = victim("killed_without_a_goodbye", folder.path()).output().unwrap();
    assert!(!died.status.success());
    let said = std::fs::read_to_string(folder.path().join("head")).unwrap();
    on_large_stack(|| {
        let mut chain = open(folder.path());
        assert_eq!(chain.head().block.to_string(), said);
        assert_eq!(chain.epoch(), 2);
        let paid = chain.actor(&account_key(1).address()).unwrap().unwrap().balance;
        assert_eq!(paid, TokenAmount::from_whole(ACCOUNT_FIL + 2));
        pay(&mut chain);
        assert_eq!(chain.violations().unwrap(), Vec::<String>::new());
    });
}

/// A devnet in a process of its own.
struct Victim {
    child: Child,
    node: HttpNode,
}

const KILLED: &str = "killed_at_any_moment_it_goes_on_as_if_nothing_had_happened";

impl Victim {
    async fn start(folder: &Path) -> Self {
        let url = folder.join("url");
        let _ = std::fs::remove_file(&url);
        let child = victim(KILLED, folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        let url = loop {
            match std::fs::read_to_string(&url) {
                Ok(url) => break url,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "the devnet does not start");
        };
        let endpoint = Endpoint::from_url(&url).unwrap();
        Self { child, node: HttpNode::new(endpoint, Prefix::Testnet, HttpSettings::default()).unwrap() }
    }
}

/// The other process: serves until it is killed.
fn serve(folder: PathBuf) -> ! {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let state = Some(folder.join("state"));
        let listen = Some(([127, 0, 0, 1], 0).into());
        // Old states are looked for and taken out all the time.
        let keep = Keep { states: 4, garbage: 20, ..Keep::default() };
        let config = Config { state, listen, genesis: genesis(), actor: None, keep, ..Config::default() };
        let devnet = spawn(config).await.unwrap();
        std::fs::write(folder.join("url.new"), devnet.rpc_url().unwrap()).unwrap();
        std::fs::rename(folder.join("url.new"), folder.join("url")).unwrap();
        std::future::pending::<()>().await;
    });
    unreachable!("it is killed")
}

/// The same messages in every run: nothing depends on when they are sent.
fn payment(nonce: u64) -> SignedMessage {
    let key = account_key(0);
    let amount = TokenAmount::from_atto(1_000 + nonce);
    let mut draft = message::draft(key.address(), account_key(1).address(), amount, 0, RawBytes::default());
    draft.sequence = nonce;
    draft.gas_limit = 5_000_000;
    draft.gas_fee_cap = TokenAmount::from_atto(200_000);
    draft.gas_premium = TokenAmount::from_atto(100_000);
    key.sign(draft).unwrap()
}

async fn head(node: &dyn Node) -> (i64, Cid, Cid) {
    let head = node.chain_head().await.unwrap();
    (head.height, head.cids.0[0], head.blocks[0].parent_state_root)
}

#[test]
fn killed_at_any_moment_it_goes_on_as_if_nothing_had_happened() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        serve(folder.into());
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let killed = runtime.block_on(be_cruel(folder.path()));
    let undisturbed = runtime.block_on(async {
        let devnet = spawn(Config { genesis: genesis(), actor: None, ..Config::default() }).await.unwrap();
        let node = devnet.node();
        for nonce in 0..MESSAGES {
            node.mpool_push(&payment(nonce)).await.unwrap();
        }
        let end = head(&*node).await;
        devnet.shutdown().await;
        end
    });
    assert_eq!(killed, undisturbed, "the same blocks, whether it was killed or not");
}

/// Sends all messages to a devnet that is killed again and again. Gives the head in the end.
async fn be_cruel(folder: &Path) -> (i64, Cid, Cid) {
    let mut rng = StdRng::seed_from_u64(0xdead);
    let (mut acknowledged, mut cut_short) = (0, 0);
    // Each start compiles the actors anew: more of them than by default takes a while.
    let kills = std::env::var("BAUTA_TEST_KILLS").map_or(KILLS, |n| n.parse().unwrap());
    for round in 0..=kills {
        let Victim { mut child, node } = Victim::start(folder).await;
        let node: &dyn Node = &node;
        for nonce in 0..acknowledged {
            let cid = payment(nonce).cid();
            let found = node
                .search_msg(&TipsetKey::HEAD, &cid, -1)
                .await
                .unwrap()
                .unwrap_or_else(|| panic!("message {nonce} is lost"));
            assert!(found.receipt.exit_code == 0 && found.height == 2 * (nonce as i64) + 2);
        }
        assert_eq!(node.devnet_check_invariants().await.unwrap(), Vec::<String>::new());
        // A message whose answer was lost may be there all the same: then it is never sent again.
        if acknowledged < MESSAGES && node.nonce(&account_key(0).address()).await.unwrap() > acknowledged {
            acknowledged += 1;
        }
        if round == kills {
            for nonce in acknowledged..MESSAGES {
                node.mpool_push(&payment(nonce)).await.unwrap();
            }
            let end = head(node).await;
            child.kill().unwrap();
            child.wait().unwrap();
            if cut_short == 0 {
                eprintln!("not tested: this machine was too busy for a kill to come at an inconvenient moment");
            }
            return end;
        }
        // Messages take some milliseconds each: the kill comes somewhere in one of them.
        let (calm, delay) = (rng.gen_range(0..4), Duration::from_micros(rng.gen_range(0..20_000)));
        for _ in 0..calm {
            if acknowledged < MESSAGES {
                node.mpool_push(&payment(acknowledged)).await.unwrap();
                acknowledged += 1;
            }
        }
        let killer = std::thread::spawn(move || {
            std::thread::sleep(delay);
            child.kill().unwrap();
            child.wait().unwrap();
        });
        while acknowledged < MESSAGES && node.mpool_push(&payment(acknowledged)).await.is_ok() {
            acknowledged += 1;
        }
        cut_short += u64::from(acknowledged < MESSAGES);
        killer.join().unwrap();
    }
    unreachable!("the last round returns")
}
