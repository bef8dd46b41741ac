//! What is remembered of a piece between two looks at it: how many copies are wished for, and the deals that were made for it.
//!
//! One file a piece, below the network's journals and for one chain only. It holds no secret, and nothing in it is needed to get a file back: where
//! it is lost, providers are found by the chain, and only the wish has to be said again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::sector::SectorNumber;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::address::{self, Prefix};
use crate::home::{FileError, Home, MAX_PRIVATE, read_note, replace_private};
use crate::network::Network;
use crate::store::{DealEntry, DealProgress};

/// The version of the form on disk; another one is not read.
const FORM: u64 = 1;

/// What is remembered of one piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// How many copies are wished for; unknown where nobody said so on this machine.
    pub copies: Option<usize>,
    /// The deals that were made for it, oldest first; those that are over, too.
    pub deals: Vec<KeptDeal>,
    /// Since when a provider has not answered, in Unix seconds.
    pub silent: BTreeMap<Address, u64>,
}

/// A deal, and what the chain said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptDeal {
    /// Who, where, under which name, and how it stands.
    pub deal: DealEntry,
    /// An epoch before it was proposed.
    pub since: ChainEpoch,
    /// Epochs of storage.
    pub duration: ChainEpoch,
    /// Its sector, once the miner has proven one.
    pub sector: Option<SectorNumber>,
}

impl KeptDeal {
    /// A deal whose sector is not known.
    pub fn new(deal: DealEntry, since: ChainEpoch, duration: ChainEpoch) -> Self {
        Self { deal, since, duration, sector: None }
    }

    /// The epoch up to which the provider has promised it at least: it runs from its seal on, which comes later than the proposal.
    pub fn end(&self) -> ChainEpoch {
        self.since.saturating_add(self.duration)
    }
}

impl Kept {
    /// The deals whose providers have the bytes, as far as we know.
    pub fn standing(&self) -> impl Iterator<Item = &DealEntry> {
        self.deals.iter().map(|kept| &kept.deal).filter(|deal| deal.has_bytes())
    }

    /// The deals that were begun and have no end.
    pub fn begun(&self) -> impl Iterator<Item = &KeptDeal> {
        self.deals.iter().filter(|kept| kept.deal.state == DealProgress::Begun)
    }

    /// Writes a deal in, or how it stands now. What is over stays over, until its provider is asked anew: whoever refuses every time must not fill
    /// the book.
    pub fn note(&mut self, kept: KeptDeal) {
        if !self.stands(&kept.deal) {
            self.deals.retain(|other| {
                let refused = other.deal.is_over() && other.sector.is_none();
                !(refused && other.deal.provider == kept.deal.provider)
            });
            self.deals.push(kept);
        }
    }

    /// Writes down how a deal stands; tells whether it is one of these.
    pub fn stands(&mut self, deal: &DealEntry) -> bool {
        let known = self.deals.iter_mut().find(|other| other.deal.id == deal.id);
        match known {
            Some(known) if known.deal.is_over() => true,
            Some(known) => {
                known.deal = deal.clone();
                true
            }
            None => false,
        }
    }
}

/// The remembered pieces of one chain.
#[derive(Clone, Debug)]
pub struct Book {
    folder: PathBuf,
}

impl Book {
    /// The book of a chain; `chain` tells chains of the same network apart.
    pub fn of(home: &Home, network: &Network, chain: &str) -> Self {
        let tag = hex::encode(&Sha256::digest(chain.as_bytes())[..6]);
        Self { folder: home.journals(network.name()).join("kept").join(tag) }
    }

    /// Reads what is remembered; nothing where nothing is.
    ///
    /// Errors: Damaged: without the deals that are in it they would be made once more.
    pub fn load(&self, piece_cid: &Cid) -> Result<Kept, FileError> {
        Ok(read_note(&self.file(piece_cid), MAX_PRIVATE, Kept::from_json)?.unwrap_or_default())
    }

    /// Writes it, whole or not at all.
    pub fn save(&self, piece_cid: &Cid, kept: &Kept) -> Result<(), FileError> {
        replace_private(&self.file(piece_cid), kept.to_json().as_bytes())
    }

    fn file(&self, piece_cid: &Cid) -> PathBuf {
        self.folder.join(format!("{piece_cid}.json"))
    }
}

/// The form on disk.
#[derive(Serialize, Deserialize)]
struct Form {
    form: u64,
    copies: Option<usize>,
    deals: Vec<DealForm>,
    silent: BTreeMap<String, u64>,
}

#[derive(Serialize, Deserialize)]
struct DealForm {
    provider: String,
    url: String,
    id: String,
    state: DealProgress,
    since: ChainEpoch,
    duration: ChainEpoch,
    sector: Option<SectorNumber>,
}

impl Kept {
    fn to_json(&self) -> String {
        let show = |address: &Address| Prefix::Mainnet.show(address);
        let deal = |kept: &KeptDeal| DealForm {
            provider: show(&kept.deal.provider),
            url: kept.deal.url.clone(),
            id: kept.deal.id.to_string(),
            state: kept.deal.state.clone(),
            since: kept.since,
            duration: kept.duration,
            sector: kept.sector,
        };
        let silent = self.silent.iter().map(|(who, since)| (show(who), *since)).collect();
        let form = Form { form: FORM, copies: self.copies, deals: self.deals.iter().map(deal).collect(), silent };
        serde_json::to_string_pretty(&form).expect("texts and numbers have a JSON form")
    }

    fn from_json(text: &[u8]) -> Option<Self> {
        let form: Form = serde_json::from_slice(text).ok().filter(|form: &Form| form.form == FORM)?;
        let deal = |form: DealForm| {
            let provider = address::parse(&form.provider).ok()?;
            let deal = DealEntry { provider, url: form.url, id: form.id.parse().ok()?, state: form.state };
            Some(KeptDeal { deal, since: form.since, duration: form.duration, sector: form.sector })
        };
        let deals = form.deals.into_iter().map(deal).collect::<Option<_>>()?;
        let silent = form.silent.into_iter().map(|(who, since)| Some((address::parse(&who).ok()?, since)));
        Some(Self { copies: form.copies, deals, silent: silent.collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deal::DealId;

    fn deal(provider: u64, state: DealProgress) -> KeptDeal {
        let provider = Address::new_id(provider);
        KeptDeal::new(DealEntry { provider, url: "http://h".into(), id: DealId::generate(), state }, 100, 518_400)
    }

    #[test]
    fn it_comes_back_as_it_was_and_half_of_it_is_not_taken_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let book = Book::of(&home, &Network::Local, "local a");
        let piece = crate::piece::CommP::of(b"a piece").unwrap().piece_cid;
        assert_eq!(book.load(&piece).unwrap(), Kept::default());

        let mut kept = Kept { copies: Some(2), ..Kept::default() };
        kept.note(deal(1000, DealProgress::Sealed));
        kept.note(KeptDeal { sector: Some(7), ..deal(1001, DealProgress::Failed("it is gone".into())) });
        kept.silent.insert(Address::new_id(1000), 1_700_000_000);
        book.save(&piece, &kept).unwrap();
        assert_eq!(book.load(&piece).unwrap(), kept);
        assert_eq!(Book::of(&home, &Network::Local, "local b").load(&piece).unwrap(), Kept::default(), "another chain");

        let text = std::fs::read(book.file(&piece)).unwrap();
        replace_private(&book.file(&piece), &text[..text.len() / 2]).unwrap();
        assert!(matches!(book.load(&piece), Err(FileError::Damaged(_))));
    }

    #[test]
    fn what_is_over_stays_over() {
        let mut kept = Kept::default();
        let (good, over) = (deal(1000, DealProgress::Begun), deal(1001, DealProgress::Failed("lost".into())));
        kept.note(good.clone());
        kept.note(over.clone());
        for mut again in [good, over] {
            again.deal.state = DealProgress::Sealed;
            kept.note(again);
        }
        let standing: Vec<_> = kept.standing().map(|deal| deal.provider).collect();
        assert_eq!((kept.deals.len(), standing), (2, vec![Address::new_id(1000)]));
        assert_eq!(kept.deals[0].end(), 518_500);
    }
}
