//! Deals of the built-in market.

use super::*;

impl World {
    /// A deal that starts in `wait` epochs, signed by the client; the provider's collateral is 1 FIL.
    pub fn proposal(&self, piece: Cid, wait: i64, duration: i64, price: &TokenAmount) -> SignedDeal {
        let (start, none) = (self.now() + wait, TokenAmount::default());
        let (client, provider) = (self.client, self.miner);
        let end = start + duration;
        let proposal =
            (piece, 2048, false, client, provider, "label".to_owned(), start, end, price.clone(), fil(1), none);
        let signature = self.key.sign_bytes(&to_vec(&proposal).unwrap());
        (proposal, Signature::new_secp256k1(signature.data().to_vec()))
    }

    /// Publishes deals: the ids of those that were accepted, and which they were.
    pub fn publish_all(&mut self, deals: &[SignedDeal]) -> Answer<(Vec<u64>, BitField)> {
        let worker = self.worker;
        self.call(&worker, &MARKET, 2236929350, &(deals,))
    }

    /// Publishes such a deal. Its id.
    pub fn publish(&mut self, piece: Cid, wait: i64, duration: i64, price: &TokenAmount) -> u64 {
        let deal = self.proposal(piece, wait, duration, price);
        self.publish_all(&[deal]).unwrap().0[0]
    }

    pub fn deal_activation(&mut self, deal: u64) -> Answer<(i64, i64)> {
        let client = self.client;
        self.call(&client, &MARKET, 2567238399, &deal)
    }

    pub fn deal_sector(&mut self, deal: u64) -> Answer<u64> {
        let client = self.client;
        self.call(&client, &MARKET, 2611213344, &deal)
    }

    /// Settles a deal: payment, and whether it is complete.
    pub fn settle(&mut self, deal: u64) -> Answer<(TokenAmount, bool)> {
        type Settled = ((u32, Vec<(u32, u32)>), Vec<(TokenAmount, bool)>);
        let client = self.client;
        let ((_, failed), mut settled): Settled = self.call(&client, &MARKET, 1900091594, &bits(&[deal]))?;
        failed.first().map_or_else(|| Ok(settled.remove(0)), |(_, code)| Err(*code))
    }

    /// Balance in escrow, and how much of it is locked.
    pub fn escrow(&mut self, who: Address) -> (TokenAmount, TokenAmount) {
        self.call(&who.clone(), &MARKET, 726108461, &who).unwrap()
    }
}

/// The market's DealProposal, and the client's signature over it.
pub type SignedDeal =
    ((Cid, u64, bool, Address, Address, String, i64, i64, TokenAmount, TokenAmount, TokenAmount), Signature);
