//! Those with duties: they act when they said, by messages like everybody's, and time runs when they await it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Result, bail};
use bauta_client::node::NodeError;
use bauta_devnet::bundle::Bundle;
use bauta_devnet::chain::Chain;
use bauta_devnet::duties::{Duties, Ledger, LedgerView};
use bauta_devnet::genesis::{ACCOUNT_FIL, Genesis, account_key};
use bauta_devnet::{Config, on_large_stack, spawn};
use cid::Cid;
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

/// Pays one FIL twice every `every` epochs, and notes when it was called and what came of its messages.
struct Payer {
    to: Address,
    every: ChainEpoch,
    awaited: Arc<AtomicI64>,
    seen: Arc<Mutex<Vec<ChainEpoch>>>,
    sent: Vec<Cid>,
}

impl Payer {
    fn new(every: ChainEpoch) -> (Self, Arc<Mutex<Vec<ChainEpoch>>>, Arc<AtomicI64>) {
        let (seen, awaited) = (Arc::default(), Arc::new(AtomicI64::new(-1)));
        let to = account_key(1).address();
        let payer = Self { to, every, awaited: Arc::clone(&awaited), seen: Arc::clone(&seen), sent: vec![] };
        (payer, seen, awaited)
    }
}

impl Duties for Payer {
    fn next(&mut self, view: &dyn LedgerView) -> Option<ChainEpoch> {
        Some((view.epoch() / self.every + 1) * self.every)
    }

    fn awaited(&mut self, view: &dyn LedgerView) -> Option<ChainEpoch> {
        Some(self.awaited.load(Ordering::Relaxed)).filter(|epoch| *epoch > view.epoch())
    }

    fn act(&mut self, ledger: &mut dyn Ledger) -> Result<()> {
        self.seen.lock().unwrap().push(ledger.epoch());
        for sent in self.sent.drain(..) {
            let included = ledger.receipt(&sent)?.expect("what was submitted is in the tipset of its epoch");
            assert!(included.receipt.exit_code.is_success());
            assert!(!ledger.is_pending(&sent));
        }
        if ledger.epoch() % self.every == 0 {
            let before = ledger.actor(&self.to)?.expect("on chain").balance;
            for _ in 0..2 {
                let one = TokenAmount::from_whole(1);
                let cid = ledger.submit(&account_key(0), &self.to, 0, &one, RawBytes::default())?;
                assert!(ledger.is_pending(&cid));
                self.sent.push(cid);
            }
            assert_eq!(ledger.view().actor(&self.to)?.expect("on chain").balance, before, "nothing has run yet");
            bail!("a complaint, which must not stop the chain");
        }
        Ok(())
    }

    fn command(&mut self, method: &str, params: &[Value], view: &dyn LedgerView) -> Option<Result<Value>> {
        match method {
            "Devnet.Echo" => Some(Ok(json!([params, view.epoch()]))),
            "Devnet.Fail" => Some(Err(anyhow::anyhow!("no"))),
            _ => None,
        }
    }
}

fn genesis() -> Genesis {
    Genesis { bundle: Bundle::from_environment(), accounts: 2, ..Genesis::default() }
}

#[test]
fn they_act_in_their_epochs_and_in_no_null_round() {
    on_large_stack(|| {
        let mut chain = Chain::in_memory(&genesis()).unwrap();
        let (payer, seen, _) = Payer::new(100);
        chain.set_duties(Box::new(payer));
        chain.mine(250).unwrap();
        assert_eq!(*seen.lock().unwrap(), vec![100, 200, 250]);
        let to = chain.actor(&account_key(1).address()).unwrap().unwrap();
        assert_eq!(to.balance, TokenAmount::from_whole(ACCOUNT_FIL + 4));
        assert_eq!(chain.violations().unwrap(), Vec::<String>::new());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn time_runs_by_itself_while_somebody_awaits_it() {
    let (payer, seen, awaited) = Payer::new(1000);
    let config = Config {
        genesis: genesis(),
        actor: None,
        inhabit: Some(Box::new(move |_| Ok(Box::new(payer) as Box<dyn Duties>))),
        ..Config::default()
    };
    let devnet = spawn(config).await.unwrap();
    let node = devnet.node();
    assert_eq!(node.chain_head().await.unwrap().height, 0);
    awaited.store(11, Ordering::Relaxed);
    devnet.handle().waker().wake();
    assert_eq!(node.chain_head().await.unwrap().height, 11);
    assert_eq!(*seen.lock().unwrap(), vec![11]);
    assert_eq!(node.request("Devnet.Echo", json!([1])).await.unwrap(), json!([[1], 11]));
    let failed = node.request("Devnet.Fail", json!([])).await.unwrap_err();
    assert_eq!(failed, NodeError::Refused { code: 1, message: "no".into() });
    assert!(node.request("Devnet.Unknown", json!([])).await.unwrap_err().is_unknown_method());
}

/// Panics whenever it must act or is asked to.
struct Clumsy {
    awaited: Arc<AtomicI64>,
}

impl Duties for Clumsy {
    fn next(&mut self, _view: &dyn LedgerView) -> Option<ChainEpoch> {
        None
    }

    fn awaited(&mut self, view: &dyn LedgerView) -> Option<ChainEpoch> {
        Some(self.awaited.load(Ordering::Relaxed)).filter(|epoch| *epoch > view.epoch())
    }

    fn act(&mut self, ledger: &mut dyn Ledger) -> Result<()> {
        assert!(self.awaited.load(Ordering::Relaxed) < ledger.epoch(), "I dropped it");
        Ok(())
    }

    fn command(&mut self, method: &str, _params: &[Value], view: &dyn LedgerView) -> Option<Result<Value>> {
        assert_ne!(method, "Devnet.Drop", "I dropped it");
        Some(Ok(json!(view.epoch())))
    }
}

/// Whether somebody asked for it or time passed: a panic is told or logged, and the chain and those with duties go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_neither_the_chain_nor_their_life_on_it() {
    let awaited = Arc::new(AtomicI64::new(-1));
    let clumsy = Clumsy { awaited: awaited.clone() };
    let config = Config {
        genesis: genesis(),
        actor: None,
        inhabit: Some(Box::new(move |_| Ok(Box::new(clumsy) as Box<dyn Duties>))),
        ..Config::default()
    };
    let devnet = spawn(config).await.unwrap();
    let node = devnet.node();
    assert!(node.request("Devnet.Drop", json!([])).await.unwrap_err().to_string().contains("failed inside"));
    assert_eq!(node.request("Devnet.Epoch", json!([])).await.unwrap(), json!(0));
    awaited.store(7, Ordering::Relaxed);
    devnet.handle().waker().wake();
    assert_eq!(node.chain_head().await.unwrap().height, 7, "time goes on without them");
    awaited.store(-1, Ordering::Relaxed);
    devnet.handle().run_and_settle(|chain| chain.mine(3)).await.unwrap().0.unwrap();
    assert_eq!(node.request("Devnet.Epoch", json!([])).await.unwrap(), json!(10));
}
