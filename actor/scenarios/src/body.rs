//! What a scenario needs of a body.

use bauta_abi::{Event, Exit};
use bauta_actor::runtime::Answer;
use bauta_actor::runtime::fake::{Deal, Sector};
use cid::Cid;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;

/// Makes fresh bodies, at epoch 100, with nobody there yet.
pub type New<'n> = &'n dyn Fn() -> Box<dyn Body>;

/// What kind of actor is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Account,
    Multisig,
    Miner,
}

/// The actor, and the chain around it as far as it looks.
pub trait Body {
    /// Now.
    fn epoch(&self) -> ChainEpoch;

    /// Moves on to an epoch; nothing else happens on the way.
    fn set_epoch(&mut self, epoch: ChainEpoch);

    /// Makes an actor with 1,000,000 FIL.
    fn create(&mut self, kind: Kind) -> ActorID;

    /// Another address of an actor that was made; one that nobody has for any other number.
    fn robust(&self, id: ActorID) -> Address;

    /// What an actor has.
    fn balance(&self, id: ActorID) -> TokenAmount;

    /// What each of these actors has.
    fn balances(&self, ids: &[ActorID]) -> Vec<TokenAmount> {
        ids.iter().map(|id| self.balance(*id)).collect()
    }

    /// What the body has.
    fn own_balance(&self) -> TokenAmount;

    /// Sends the body a message with CBOR; when it succeeds, its effects stay.
    fn message(
        &mut self,
        from: ActorID,
        method: u64,
        params: Option<Vec<u8>>,
        attofil: u128,
    ) -> Result<Option<Vec<u8>>, Exit>;

    /// Everything that was emitted by messages that succeeded.
    fn events(&self) -> Vec<Event>;

    /// Names the body's state: the same where nothing has changed.
    fn state(&self) -> Cid;

    /// Lists what is wrong with the state.
    fn check(&self) -> Vec<String>;

    /// Puts a sector into a miner.
    fn set_sector(&mut self, miner: ActorID, number: u64, sector: Sector);

    /// Puts a deal into the market.
    fn set_deal(&mut self, id: u64, deal: Deal);

    /// Replaces an actor's answers to a method; none is a call that does not come back with one.
    fn forge(&mut self, actor: ActorID, method: u64, answer: Option<Answer>);

    /// How many of a long row of like messages are left out: 1 for none.
    fn stride(&self) -> usize {
        1
    }

    fn wait(&mut self, epochs: ChainEpoch) {
        self.set_epoch(self.epoch() + epochs);
    }

    fn create_account(&mut self) -> ActorID {
        self.create(Kind::Account)
    }

    fn create_multisig(&mut self) -> ActorID {
        self.create(Kind::Multisig)
    }

    fn create_miner(&mut self) -> ActorID {
        self.create(Kind::Miner)
    }
}

impl<B: Body + ?Sized> Body for Box<B> {
    fn epoch(&self) -> ChainEpoch {
        (**self).epoch()
    }

    fn set_epoch(&mut self, epoch: ChainEpoch) {
        (**self).set_epoch(epoch);
    }

    fn create(&mut self, kind: Kind) -> ActorID {
        (**self).create(kind)
    }

    fn robust(&self, id: ActorID) -> Address {
        (**self).robust(id)
    }

    fn balance(&self, id: ActorID) -> TokenAmount {
        (**self).balance(id)
    }

    fn balances(&self, ids: &[ActorID]) -> Vec<TokenAmount> {
        (**self).balances(ids)
    }

    fn own_balance(&self) -> TokenAmount {
        (**self).own_balance()
    }

    fn message(
        &mut self,
        from: ActorID,
        method: u64,
        params: Option<Vec<u8>>,
        attofil: u128,
    ) -> Result<Option<Vec<u8>>, Exit> {
        (**self).message(from, method, params, attofil)
    }

    fn events(&self) -> Vec<Event> {
        (**self).events()
    }

    fn state(&self) -> Cid {
        (**self).state()
    }

    fn check(&self) -> Vec<String> {
        (**self).check()
    }

    fn set_sector(&mut self, miner: ActorID, number: u64, sector: Sector) {
        (**self).set_sector(miner, number, sector);
    }

    fn set_deal(&mut self, id: u64, deal: Deal) {
        (**self).set_deal(id, deal);
    }

    fn stride(&self) -> usize {
        (**self).stride()
    }

    fn forge(&mut self, actor: ActorID, method: u64, answer: Option<Answer>) {
        (**self).forge(actor, method, answer);
    }
}
