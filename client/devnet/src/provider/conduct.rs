//! The `Devnet.*` methods that providers answer, and what they tell about themselves.

use anyhow::{Context, Result, ensure};
use bauta_client::address::Prefix;
use bauta_client::node::ProviderSettings;
use fvm_shared::address::Address;
use serde_json::{Value, json};

use super::book::{Book, Kind, SectorState, Stage, piece_name};
use super::shop::Shop;
use super::{Provider, fetching, hunting, proving};
use crate::duties::LedgerView;

/// What a provider can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `Devnet.Provider [miner, settings?]`: behave so; gives its description.
    Behave,
    /// `Devnet.TakeBounty [miner, bounty | {Id, Actor}]`: earn it whether it fits or not.
    TakeBounty,
    /// `Devnet.Terminate [miner, sector]`: end a sector early.
    Terminate,
    /// `Devnet.Restart [miner]`: stop where it stands, and start again.
    Restart,
}

impl Order {
    /// Finds the order of a method.
    pub fn of(method: &str) -> Option<Self> {
        match method {
            "Devnet.Provider" => Some(Self::Behave),
            "Devnet.TakeBounty" => Some(Self::TakeBounty),
            "Devnet.Terminate" => Some(Self::Terminate),
            "Devnet.Restart" => Some(Self::Restart),
            _ => None,
        }
    }
}

impl Provider {
    /// Carries out an order.
    pub fn obey(&mut self, order: Order, detail: &Value, view: &dyn LedgerView) -> Result<Value> {
        if order == Order::Restart {
            self.restart()?;
        }
        let shop = self.shop.clone();
        let mut book = shop.lock();
        match order {
            Order::Restart => {}
            Order::Behave => {
                if !detail.is_null() {
                    let settings: ProviderSettings =
                        serde_json::from_value(detail.clone()).context("the provider's settings")?;
                    self.behave(&mut book, &settings);
                }
                let numbers: Vec<u64> = book.sectors.keys().copied().collect();
                let miner = Address::new_id(book.miner.context("the provider is not on the chain yet")?);
                for number in numbers {
                    let before = book.sectors.get(&number).map(|sector| sector.state);
                    proving::refresh(&mut book, view, &miner, number)?;
                    // The miner calls a sector faulty until its next proof; that it was declared is ours to know.
                    if let (Some(SectorState::Recovering), Some(sector)) = (before, book.sectors.get_mut(&number))
                        && sector.state == SectorState::Faulty
                    {
                        sector.state = SectorState::Recovering;
                    }
                }
            }
            Order::TakeBounty => {
                // A number, or `{"Id", "Actor"}` where the bounty is another actor's than the installed one: a contract's.
                let id = detail.get("Id").unwrap_or(detail).as_u64().context("a bounty's id is a number")?;
                let actor = match detail.get("Actor").and_then(|actor| actor.as_str()) {
                    Some(text) => view.resolve(&bauta_client::address::parse(text)?)?,
                    None => self.hunter.actor(view)?,
                };
                let actor = actor.context("there is no such actor with bounties")?;
                let name = hunting::take_by_order(&mut book, view, actor, id)?;
                shop.save(&book)?;
                fetching::begin(shop.clone(), &self.runtime, name.clone());
                return Ok(json!({"Job": name}));
            }
            Order::Terminate => {
                let number = detail.as_u64().context("a sector's number is a number")?;
                let sector = book.sectors.get(&number).with_context(|| format!("there is no sector {number}"))?;
                ensure!(sector.state != SectorState::Dead, "sector {number} has ended already");
                book.to_terminate.insert(number);
                (shop.outlook.wake)();
            }
        }
        shop.save(&book)?;
        describe(&shop, &book).context("the provider is not on the chain yet")
    }

    fn behave(&mut self, book: &mut Book, settings: &ProviderSettings) {
        let conduct = &mut book.conduct;
        let resumes = settings.proving == Some(true) && !conduct.proving;
        conduct.proving = settings.proving.unwrap_or(conduct.proving);
        conduct.serving = settings.serving.unwrap_or(conduct.serving);
        conduct.hunting = settings.hunting.unwrap_or(conduct.hunting);
        conduct.telling = settings.telling.unwrap_or(conduct.telling);
        conduct.taking = settings.taking.unwrap_or(conduct.taking);
        if resumes {
            self.proofs.suspect_all(book);
        }
    }
}

/// What `Devnet.Info` says about a provider; `None` until its miner actor is there.
pub fn describe(shop: &Shop, book: &Book) -> Option<Value> {
    let show = |address: &Address| Prefix::Testnet.show(address);
    let sectors: Vec<Value> = book
        .sectors
        .iter()
        .map(|(number, sector)| {
            json!({
                "Number": number,
                "PieceCid": sector.piece_cid.to_string(),
                "State": sector.state,
                "Expiration": sector.expiration,
                "Deadline": sector.deadline,
                "Partition": sector.partition,
            })
        })
        .collect();
    let jobs: Vec<Value> = book
        .jobs
        .iter()
        .map(|(name, job)| {
            let (sector, error) = match &job.stage {
                Stage::PreCommitting { sector, .. }
                | Stage::PreCommitted { sector, .. }
                | Stage::Proving { sector, .. }
                | Stage::Sealed { sector, .. } => (Some(sector), None),
                Stage::Failed { why } => (None, Some(why)),
                _ => (None, None),
            };
            let deal = match &job.kind {
                Kind::Market { published: Some((deal, _)), .. } => Some(deal),
                _ => None,
            };
            json!({"Name": name, "State": job.stage.state(), "Sector": sector, "Deal": deal, "Error": error})
        })
        .collect();
    let pieces: Vec<String> = shop.pieces.list().iter().map(piece_name).collect();
    Some(json!({
        "Miner": show(&Address::new_id(book.miner?)),
        "Owner": show(&shop.owner.address()),
        "Worker": show(&shop.worker.address()),
        "Url": shop.url(),
        "Proving": book.conduct.proving,
        "Serving": book.conduct.serving,
        "Hunting": book.conduct.hunting,
        "Telling": book.conduct.telling,
        "Taking": book.conduct.taking,
        "Pieces": pieces,
        "Sectors": sectors,
        "Jobs": jobs,
    }))
}
