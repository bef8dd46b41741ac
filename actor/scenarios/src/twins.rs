//! Two bodies that must do the same.

use bauta_abi::*;
use bauta_actor::runtime::Answer;
use bauta_actor::runtime::fake::{Deal, Sector};
use cid::Cid;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use std::collections::BTreeMap;

use crate::{Body, Kind};

/// Sends every message to both, and requires the same return, exit code, events and balances.
///
/// What may differ: where the next page of grants begins, in which order they are listed (the ABI promises none), and whether a
/// file's record links to the version before (a body that keeps no blocks has none).
pub struct Twins<A, B> {
    one: A,
    other: B,
    people: Vec<ActorID>,
    /// Where pages go on: what the first body said to what the other one did.
    cursors: BTreeMap<(u64, u64), u64>,
}

impl<A: Body, B: Body> Twins<A, B> {
    /// Two bodies on which nothing has happened yet.
    pub fn new(one: A, other: B) -> Self {
        Self { one, other, people: vec![], cursors: BTreeMap::new() }
    }

    fn compare(&self, method: u64) {
        assert_eq!(self.one.own_balance(), self.other.own_balance(), "what the bodies have after {method}");
        let (one, other) = (self.one.balances(&self.people), self.other.balances(&self.people));
        assert_eq!(one, other, "what {:?} have after {method}", self.people);
    }

    /// The params of a listing of grants with the other body's cursor in the place of the first one's.
    fn translated(&self, method: Option<Method>, params: &[u8]) -> Option<Vec<u8>> {
        let known = |cursor: Option<u64>| match cursor {
            Some(cursor) => self.cursors.get(&(method?.number(), cursor)).copied(),
            None => None,
        };
        match method? {
            Method::ListGrants => {
                let mut page: ListGrantsParams = decode(params).ok()?;
                page.cursor = Some(known(page.cursor)?);
                encode(&page).ok()
            }
            Method::ListShared => {
                let mut page: ListSharedParams = decode(params).ok()?;
                page.cursor = Some(known(page.cursor)?);
                encode(&page).ok()
            }
            _ => None,
        }
    }

    /// Requires the same of two returns; listings of grants can be compared where one page is all there is.
    fn same(&mut self, method: Option<Method>, whole: bool, one: &[u8], other: &[u8]) {
        match method {
            Some(Method::GetFile) => {
                let strip = |bytes: &[u8]| {
                    let record: GetFileReturn = decode(bytes).expect("a record");
                    record.map(|record| FileRecord { previous: None, ..record })
                };
                assert_eq!(strip(one), strip(other));
            }
            Some(Method::ListFiles) => {
                let strip = |bytes: &[u8]| {
                    let mut page: ListFilesReturn = decode(bytes).expect("a page");
                    page.files.iter_mut().for_each(|(_, record)| record.previous = None);
                    page
                };
                assert_eq!(strip(one), strip(other));
            }
            Some(Method::ListGrants) => {
                let (mut one, mut other): (ListGrantsReturn, ListGrantsReturn) =
                    (decode(one).expect("a page"), decode(other).expect("a page"));
                self.follow(Method::ListGrants, one.cursor, other.cursor);
                if whole && one.cursor.is_none() && other.cursor.is_none() {
                    one.grants.sort_by_key(|(who, _)| *who);
                    other.grants.sort_by_key(|(who, _)| *who);
                    assert_eq!(one.grants, other.grants);
                }
            }
            Some(Method::ListShared) => {
                let (mut one, mut other): (ListSharedReturn, ListSharedReturn) =
                    (decode(one).expect("a page"), decode(other).expect("a page"));
                self.follow(Method::ListShared, one.cursor, other.cursor);
                if whole && one.cursor.is_none() && other.cursor.is_none() {
                    one.grants.sort_by_key(|(id, _)| *id);
                    other.grants.sort_by_key(|(id, _)| *id);
                    assert_eq!(one.grants, other.grants);
                }
            }
            _ => assert_eq!(one, other, "{method:?}"),
        }
    }

    fn follow(&mut self, method: Method, one: Option<u64>, other: Option<u64>) {
        if let (Some(one), Some(other)) = (one, other) {
            self.cursors.insert((method.number(), one), other);
        }
    }
}

impl<A: Body, B: Body> Body for Twins<A, B> {
    fn epoch(&self) -> ChainEpoch {
        self.one.epoch()
    }

    fn set_epoch(&mut self, epoch: ChainEpoch) {
        self.one.set_epoch(epoch);
        self.other.set_epoch(epoch);
    }

    fn create(&mut self, kind: Kind) -> ActorID {
        let id = self.one.create(kind);
        assert_eq!(self.other.create(kind), id, "both chains give the same IDs");
        self.people.push(id);
        id
    }

    fn robust(&self, id: ActorID) -> Address {
        self.one.robust(id)
    }

    fn balance(&self, id: ActorID) -> TokenAmount {
        self.one.balance(id)
    }

    fn own_balance(&self) -> TokenAmount {
        self.one.own_balance()
    }

    fn message(
        &mut self,
        from: ActorID,
        method: u64,
        params: Option<Vec<u8>>,
        attofil: u128,
    ) -> Result<Option<Vec<u8>>, Exit> {
        let known = Method::from_number(method);
        let translated = params.as_ref().and_then(|params| self.translated(known, params));
        let whole = translated.is_none();
        let (before, seen) = (self.one.events().len(), self.other.events().len());
        let one = self.one.message(from, method, params.clone(), attofil);
        let other = self.other.message(from, method, translated.or(params), attofil);
        match (&one, &other) {
            (Ok(Some(one)), Ok(Some(other))) => self.same(known, whole, one, other),
            _ => assert_eq!(one, other, "{known:?}"),
        }
        assert_eq!(self.one.events()[before..], self.other.events()[seen..], "events of {known:?}");
        self.compare(method);
        one
    }

    fn events(&self) -> Vec<Event> {
        self.one.events()
    }

    fn stride(&self) -> usize {
        self.one.stride().max(self.other.stride())
    }

    fn state(&self) -> Cid {
        self.one.state()
    }

    fn check(&self) -> Vec<String> {
        self.one.check().into_iter().chain(self.other.check()).collect()
    }

    fn set_sector(&mut self, miner: ActorID, number: u64, sector: Sector) {
        self.one.set_sector(miner, number, sector.clone());
        self.other.set_sector(miner, number, sector);
    }

    fn set_deal(&mut self, id: u64, deal: Deal) {
        self.one.set_deal(id, deal.clone());
        self.other.set_deal(id, deal);
    }

    fn forge(&mut self, actor: ActorID, method: u64, answer: Option<Answer>) {
        self.one.forge(actor, method, answer.clone());
        self.other.forge(actor, method, answer);
    }
}
