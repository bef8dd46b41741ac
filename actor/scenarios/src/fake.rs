//! The rules themselves, on the chain in memory.

use bauta_abi::{Event, Exit};
use bauta_actor::runtime::Answer;
use bauta_actor::runtime::fake::{Chain, Deal, Sector};
use cid::Cid;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;

use crate::{Body, Kind};

impl Body for Chain {
    fn epoch(&self) -> ChainEpoch {
        self.epoch
    }

    fn set_epoch(&mut self, epoch: ChainEpoch) {
        self.epoch = epoch;
    }

    fn create(&mut self, kind: Kind) -> ActorID {
        match kind {
            Kind::Account => Chain::create_account(self),
            Kind::Multisig => Chain::create_multisig(self),
            Kind::Miner => Chain::create_miner(self),
        }
    }

    fn robust(&self, id: ActorID) -> Address {
        Chain::robust(self, id)
    }

    fn balance(&self, id: ActorID) -> TokenAmount {
        Chain::balance(self, id)
    }

    fn own_balance(&self) -> TokenAmount {
        Chain::own_balance(self)
    }

    fn message(
        &mut self,
        from: ActorID,
        method: u64,
        params: Option<Vec<u8>>,
        attofil: u128,
    ) -> Result<Option<Vec<u8>>, Exit> {
        let supply = self.supply();
        let answer = Chain::message(self, from, method, params, attofil);
        assert_eq!(self.supply(), supply, "method {method} neither makes nor loses money");
        answer.map_err(|e| e.exit())
    }

    fn events(&self) -> Vec<Event> {
        self.events.clone()
    }

    fn state(&self) -> Cid {
        self.state_root()
    }

    fn check(&self) -> Vec<String> {
        Chain::check(self)
    }

    fn set_sector(&mut self, miner: ActorID, number: u64, sector: Sector) {
        self.sectors.insert((miner, number), sector);
    }

    fn set_deal(&mut self, id: u64, deal: Deal) {
        self.deals.insert(id, deal);
    }

    fn forge(&mut self, actor: ActorID, method: u64, answer: Option<Answer>) {
        self.forged.insert((actor, method), answer);
    }
}
