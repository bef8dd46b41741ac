//! Storage providers: they take deals, keep pieces, seal and prove them, hunt bounties, serve, and misbehave on request.
//!
//! A provider has two halves. On the runtime's threads its HTTP server takes deals and bytes, and its downloads run
//! (`http`, `fetching`). On the chain's thread it does its [`Duties`] with the messages that real providers send
//! (`messages`, `sealing`, `proving`, `hunting`, `market`). Both write what must not be forgotten into one book (`book`).

mod beginning;
mod book;
mod conduct;
mod fetching;
mod funds;
mod http;
mod hunting;
mod intake;
mod listening;
mod market;
mod messages;
mod pieces;
mod proving;
mod sealing;
mod shelf;
mod shop;
mod text;
mod uploads;

#[cfg(test)]
mod tests;

use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use serde::Deserialize as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::clock;
use crate::duties::{Duties, Ledger, LedgerView};
use crate::genesis::first_created_by;
use book::{Book, Stage};
use funds::MINER_FIL;
#[cfg(test)]
pub(crate) use funds::founders;
use hunting::Hunter;
use listening::is_announced;
use messages::{CHANGE_MULTIADDRS, CREATE_MINER, POWER};
use proving::Proofs;
use sealing::{News, news};
use shop::{Outlook, Shop};

/// How often making the miner actor is tried.
const CREATION_ATTEMPTS: u32 = 3;

/// All providers of a devnet.
pub struct Providers {
    all: Vec<Provider>,
    /// Their folders, where the devnet keeps nothing.
    _temporary: Option<TempDir>,
}

struct Provider {
    shop: Arc<Shop>,
    runtime: tokio::runtime::Handle,
    server: http::Server,
    proofs: Proofs,
    hunter: Hunter,
    /// Whether the book was checked against the chain.
    reconciled: bool,
    /// Whether the miner's multiaddr is where we listen.
    announced: bool,
    failed_creations: u32,
}

impl Providers {
    /// Opens the first `count` providers, each in a folder of its own below `folder`, and lets them listen on loopback, new
    /// ones at the `doors` that are open for them. Who was no [`Founder`](crate::genesis::Founder) of the network makes the
    /// miner actor by a message.
    pub fn open(
        folder: &Path,
        count: u64,
        doors: Vec<TcpListener>,
        chain: &clock::Handle,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Self> {
        let mut all = Vec::new();
        let mut doors = doors.into_iter();
        for index in 0..count {
            let (asks, waker) = (chain.clone(), chain.waker());
            let resolve = move |address: Address| -> futures::future::BoxFuture<'static, Result<_>> {
                let asks = asks.clone();
                Box::pin(async move { asks.run(move |chain| chain.state()?.resolve(&address)).await? })
            };
            let asks = chain.clone();
            let facts = move |client: Address| -> futures::future::BoxFuture<'static, Result<_>> {
                let asks = asks.clone();
                Box::pin(async move { asks.run(move |chain| market::facts(chain, client)).await? })
            };
            let (resolve, facts, wake) = (Box::new(resolve), Box::new(facts), Box::new(move || waker.wake()));
            let outlook = Arc::new(Outlook { resolve, facts, wake });
            let folder = folder.join(format!("provider-{index}"));
            let opened = Provider::open(index, &folder, outlook, doors.next(), runtime);
            all.push(opened.with_context(|| format!("provider {index}"))?);
        }
        chain.waker().wake();
        Ok(Self { all, _temporary: None })
    }

    fn find(&mut self, miner: &Value) -> Result<&mut Provider> {
        let text = miner.as_str().context("a miner's address is a text")?;
        let address = bauta_client::address::parse(text)?;
        let is = |provider: &&mut Provider| provider.shop.miner().is_some_and(|id| Address::new_id(id) == address);
        self.all.iter_mut().find(is).with_context(|| format!("{text} is none of this devnet's providers"))
    }
}

impl Provider {
    fn open(
        index: u64,
        folder: &Path,
        outlook: Arc<Outlook>,
        door: Option<TcpListener>,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Self> {
        let (shop, listener) = Shop::open(index, folder, outlook, door)?;
        let server = http::serve(shop.clone(), runtime, listener)?;
        let jobs: Vec<(String, Stage)> =
            shop.lock().jobs.iter().map(|(name, job)| (name.clone(), job.stage.clone())).collect();
        for (name, stage) in jobs {
            match stage {
                Stage::Fetching => fetching::begin(shop.clone(), runtime, name),
                Stage::Assembling { .. } => uploads::assemble(shop.clone(), runtime, name),
                _ => {}
            }
        }
        Ok(Self {
            shop,
            runtime: runtime.clone(),
            server,
            proofs: Proofs::default(),
            hunter: Hunter::default(),
            reconciled: false,
            announced: false,
            failed_creations: 0,
        })
    }

    /// Stops where it stands and starts again from what is written down, as after a kill.
    fn restart(&mut self) -> Result<()> {
        let (index, folder, outlook) = (self.shop.index, self.shop.folder.clone(), self.shop.outlook.clone());
        self.server.stop();
        *self = Self::open(index, &folder, outlook, None, &self.runtime.clone())?;
        Ok(())
    }

    /// After a start: checks the book against the chain, which takes no message and no time.
    fn begin(&mut self, shop: &Shop, book: &mut Book, view: &dyn LedgerView) -> Result<()> {
        if self.reconciled {
            return Ok(());
        }
        let mut dirty = sealing::reconcile(book, view)?;
        // A founder's miner is there before the first tipset. Later ones are a stranger's: that of an imported chain.
        if book.miner.is_none() && book.creation.is_none() && view.epoch() <= 1 {
            book.miner = view.resolve(&first_created_by(&shop.owner.address()))?;
            dirty |= book.miner.is_some();
        }
        if dirty {
            shop.save(book)?;
        }
        self.proofs.suspect_all(book);
        self.announced = match book.miner {
            Some(miner) => is_announced(shop, &Address::new_id(miner), view)?,
            None => false,
        };
        self.reconciled = true;
        Ok(())
    }

    /// Looks for bounties, and says when to act next.
    fn next(&mut self, view: &dyn LedgerView) -> Result<Option<ChainEpoch>> {
        let head = view.epoch();
        self.shop.set_epoch(head);
        let shop = self.shop.clone();
        let mut book = shop.lock();
        self.begin(&shop, &mut book, view)?;
        if self.is_founding(&book) {
            return Ok(Some(head + 1));
        }
        self.hunt(&shop, &mut book, view)?;
        Ok(sealing::next(&book, head).into_iter().chain(self.proofs.next(&book, head)).min())
    }

    /// Until when somebody waits: for a deal to be sealed, a bounty to be earned, the miner to be there.
    fn awaited(&mut self, view: &dyn LedgerView) -> Result<Option<ChainEpoch>> {
        let head = view.epoch();
        self.shop.set_epoch(head);
        let shop = self.shop.clone();
        let mut book = shop.lock();
        self.begin(&shop, &mut book, view)?;
        if self.is_founding(&book) {
            return Ok(Some(head + 1));
        }
        self.hunt(&shop, &mut book, view)?;
        let asked = self.proofs.is_awaited(&book).then_some(head + 1);
        Ok(sealing::next(&book, head).into_iter().chain(asked).min())
    }

    /// Whether the miner actor or its address is still to be made.
    fn is_founding(&self, book: &Book) -> bool {
        if self.failed_creations >= CREATION_ATTEMPTS {
            return false;
        }
        book.miner.is_none() || !self.announced
    }

    fn hunt(&mut self, shop: &Arc<Shop>, book: &mut Book, view: &dyn LedgerView) -> Result<()> {
        let taken = self.hunter.look(shop, book, view)?;
        if !taken.is_empty() {
            shop.save(book)?;
        }
        for name in taken {
            fetching::begin(shop.clone(), &self.runtime, name);
        }
        Ok(())
    }

    fn act(&mut self, ledger: &mut dyn Ledger) -> Result<()> {
        let shop = self.shop.clone();
        let mut book = shop.lock();
        self.begin(&shop, &mut book, ledger.view())?;
        let mut dirty = false;
        if book.miner.is_none() {
            dirty |= self.found(&shop, &mut book, ledger)?;
        }
        if let Some(miner) = book.miner
            && !self.announced
        {
            self.announce(&shop, &Address::new_id(miner), ledger)?;
        }
        // One failing does not keep the other from its duty.
        let sealed = sealing::step(&shop, &mut book, ledger);
        let proven = self.proofs.step(&shop, &mut book, ledger);
        if dirty || *sealed.as_ref().unwrap_or(&true) || *proven.as_ref().unwrap_or(&true) {
            shop.save(&book)?;
        }
        sealed.and(proven).map(drop)
    }

    /// Makes the miner actor.
    fn found(&mut self, shop: &Shop, book: &mut Book, ledger: &mut dyn Ledger) -> Result<bool> {
        if self.failed_creations >= CREATION_ATTEMPTS {
            return Ok(false);
        }
        if let Some(message) = book.creation {
            match news(ledger.view(), &message)? {
                News::Waiting => return Ok(false),
                News::Included(included) if included.receipt.exit_code.is_success() => {
                    let (id, _robust): (Address, Address) = included.receipt.return_data.deserialize()?;
                    book.miner = Some(id.id()?);
                    return Ok(true);
                }
                News::Included(_) | News::Lost => {
                    book.creation = None;
                    self.failed_creations += 1;
                }
            }
        }
        let multiaddr = bauta_client::deal::http_multiaddr(shop.socket);
        let (owner, worker) = (shop.owner.address(), shop.worker.address());
        let params = messages::create_miner(owner, worker, &messages::peer(shop.index), &multiaddr);
        let sent = ledger.submit(&shop.owner, &POWER, CREATE_MINER, &TokenAmount::from_whole(MINER_FIL), params);
        match sent {
            Ok(message) => book.creation = Some(message),
            Err(e) => {
                self.failed_creations += 1;
                return Err(e.context("making the provider's miner actor"));
            }
        }
        Ok(true)
    }

    /// Goes back to an older book; pieces that came since stay on the disk, where they harm nobody.
    fn revert(&mut self, then: Book, view: &dyn LedgerView) -> Result<()> {
        let shop = self.shop.clone();
        let mut book = shop.lock();
        let port = std::mem::replace(&mut *book, then).port;
        book.port = port;
        self.proofs = Proofs::default();
        self.hunter = Hunter::default();
        (self.reconciled, self.failed_creations) = (false, 0);
        self.begin(&shop, &mut book, view)?;
        shop.save(&book)?;
        for (name, job) in &book.jobs {
            match job.stage {
                Stage::Fetching => fetching::begin(shop.clone(), &self.runtime, name.clone()),
                Stage::Assembling { .. } => uploads::assemble(shop.clone(), &self.runtime, name.clone()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Tells the chain where we listen, if it thinks otherwise.
    fn announce(&mut self, shop: &Shop, miner: &Address, ledger: &mut dyn Ledger) -> Result<()> {
        // Once, whatever comes of it: time must not wait for it for ever.
        self.announced = true;
        if is_announced(shop, miner, ledger.view())? {
            return Ok(());
        }
        let here = bauta_client::deal::http_multiaddr(shop.socket);
        let params = messages::change_multiaddrs(&here);
        ledger.submit(&shop.worker, miner, CHANGE_MULTIADDRS, &TokenAmount::default(), params)?;
        Ok(())
    }
}

impl Duties for Providers {
    fn next(&mut self, view: &dyn LedgerView) -> Option<ChainEpoch> {
        self.all.iter_mut().filter_map(|provider| noted(provider.next(view))).min()
    }

    fn awaited(&mut self, view: &dyn LedgerView) -> Option<ChainEpoch> {
        self.all.iter_mut().filter_map(|provider| noted(provider.awaited(view))).min()
    }

    fn act(&mut self, ledger: &mut dyn Ledger) -> Result<()> {
        for provider in &mut self.all {
            // One that panics keeps no other from acting.
            match catch_unwind(AssertUnwindSafe(|| provider.act(ledger))) {
                Ok(Ok(())) => {}
                Ok(Err(e)) => tracing::warn!("provider {}: {e:#}", provider.shop.index),
                Err(_) => tracing::error!("provider {} panicked, which is a defect", provider.shop.index),
            }
        }
        Ok(())
    }

    fn command(&mut self, method: &str, params: &[Value], view: &dyn LedgerView) -> Option<Result<Value>> {
        let order = conduct::Order::of(method)?;
        let (miner, detail) = match params {
            [miner, detail] => (miner, detail),
            [miner] => (miner, &Value::Null),
            _ => return Some(Err(anyhow!("{method} takes a miner and what to do"))),
        };
        Some(self.find(miner).and_then(|provider| provider.obey(order, detail, view)))
    }

    fn arrive(&mut self, view: &dyn LedgerView) -> Result<()> {
        for provider in &mut self.all {
            let shop = provider.shop.clone();
            let mut book = shop.lock();
            provider.begin(&shop, &mut book, view).with_context(|| format!("provider {}", shop.index))?;
        }
        Ok(())
    }

    fn lacking(&self, view: &dyn LedgerView) -> Result<Vec<(Address, TokenAmount)>> {
        let is_new = |book: &Book| book.miner.is_none() && book.creation.is_none();
        let founding = self.all.iter().filter(|provider| is_new(&provider.shop.lock()));
        funds::lacking(founding.map(|provider| &*provider.shop), view)
    }

    fn remember(&self) -> Value {
        self.all.iter().map(|provider| serde_json::to_value(&*provider.shop.lock()).unwrap_or_default()).collect()
    }

    fn revert(&mut self, memory: &Value, view: &dyn LedgerView) -> Result<()> {
        for (index, provider) in self.all.iter_mut().enumerate() {
            let then = memory.get(index).and_then(|book| Book::deserialize(book).ok()).unwrap_or_default();
            provider.revert(then, view).with_context(|| format!("provider {index}"))?;
        }
        Ok(())
    }

    fn info(&self) -> Value {
        self.all.iter().filter_map(|provider| conduct::describe(&provider.shop, &provider.shop.lock())).collect()
    }
}

/// Logs a failure and takes it for "nothing".
fn noted(result: Result<Option<ChainEpoch>>) -> Option<ChainEpoch> {
    result.unwrap_or_else(|e| {
        tracing::warn!("a provider's look at the chain failed: {e:#}");
        None
    })
}
