//! Bounties: above all, that the money adds up.

use std::collections::{BTreeMap, BTreeSet};

use bauta_abi::{BountyId, ClaimStatus, MAX_CLAIMS, Terms, Wire};
use fvm_ipld_blockstore::Blockstore;
use fvm_shared::econ::TokenAmount;

use super::Findings;
use crate::state::State;
use crate::state::bounties::BountyBlock;

pub fn check<S: Blockstore>(state: &State<'_, S>, balance: &TokenAmount, wrong: &mut Findings) {
    let Some(bounties) = wrong.read("the bounties", state.bounties()) else { return };
    let (links, broken) = bounties.log.check(state.store);
    wrong.0.extend(broken);
    wrong.require(links.len() as u64 == bounties.log.len(), || "a bounty was removed".into());
    wrong.0.extend(bounties.funders.check(state.store));

    let mut shares: BTreeMap<BountyId, TokenAmount> = BTreeMap::new();
    let scanned = bounties.funders.scan(state.store, (0, 0), &mut |(id, _), share| {
        *shares.entry(id).or_default() += share;
        Ok(share.is_positive())
    });
    wrong.read("the funders", scanned);

    let mut escrowed = TokenAmount::default();
    for id in 1..=bounties.log.len() {
        let Some((bounty, terms)) = wrong.read("a bounty", bounties.get(state.store, id)) else { continue };
        escrowed += &bounty.escrowed;
        check_money(id, &bounty, &terms, shares.remove(&id).unwrap_or_default(), wrong);
        check_claims(id, &bounty, &terms, wrong);
    }
    wrong.require(shares.is_empty(), || format!("shares in no bounty, or empty ones: {:?}", shares.keys()));
    wrong.require(escrowed == bounties.escrowed, || {
        format!("{escrowed} is escrowed, the sum says {}", bounties.escrowed)
    });
    wrong.require(escrowed <= *balance, || format!("{escrowed} is escrowed, the balance is {balance}"));
}

fn check_money(id: BountyId, bounty: &BountyBlock, terms: &Terms, shares: TokenAmount, wrong: &mut Findings) {
    let BountyBlock { funded, paid, refunded, escrowed, .. } = bounty;
    let accounted = escrowed + paid + refunded;
    wrong.require(*funded == accounted, || format!("bounty {id}: {funded} came in, {accounted} is accounted for"));
    let none = TokenAmount::default();
    let signs = [funded, paid, refunded, escrowed].iter().all(|amount| **amount >= none);
    wrong.require(signs, || format!("bounty {id} has a negative amount"));
    let dead = bounty.claims.iter().filter(|claim| claim.status == ClaimStatus::Dead);
    let lost: TokenAmount = dead.map(|claim| &claim.paid).sum();
    wrong.require(*funded <= terms.target() + lost, || format!("bounty {id} has more than it can pay"));
    wrong.require(shares == bounty.shares, || {
        format!("bounty {id}: shares of {shares}, the sum says {}", bounty.shares)
    });
    let owed_to_nobody = bounty.shares.is_zero() && !escrowed.is_zero();
    wrong.require(!owed_to_nobody, || format!("bounty {id} holds money of nobody"));
    let reserved = bounty.reserved(terms);
    wrong.require(reserved <= *escrowed, || format!("bounty {id} has promised {reserved} of {escrowed}"));
}

fn check_claims(id: BountyId, bounty: &BountyBlock, terms: &Terms, wrong: &mut Findings) {
    wrong.require(terms.check().is_ok(), || format!("bounty {id}: its terms are out of bounds"));
    let by_id = terms.providers.iter().all(|provider| provider.id().is_ok());
    wrong.require(by_id, || format!("bounty {id} names a provider by something else than an ID"));
    wrong.require(bounty.claims.len() <= MAX_CLAIMS, || format!("bounty {id} has too many claims"));
    wrong.require(!bounty.cancelled || bounty.claims.is_empty(), || format!("bounty {id} was cancelled with claims"));
    let live = bounty.count(ClaimStatus::Open) + bounty.count(ClaimStatus::Completed);
    wrong.require(live <= terms.replicas, || format!("bounty {id} has too many replicas"));
    let providers: BTreeSet<_> = bounty.claims.iter().map(|claim| claim.provider).collect();
    wrong.require(providers.len() == bounty.claims.len(), || format!("a provider has claimed bounty {id} twice"));
    let paid: TokenAmount = bounty.claims.iter().map(|claim| &claim.paid).sum();
    wrong.require(paid == bounty.paid, || format!("bounty {id} paid {}, its claims got {paid}", bounty.paid));
    for (claim, at) in bounty.claims.iter().zip(0..) {
        let name = format!("claim {at} of bounty {id}");
        let earned =
            terms.earned(claim.covered) + if claim.activated { terms.activation() } else { TokenAmount::default() };
        wrong.require(claim.paid == earned, || format!("{name} got {} and earned {earned}", claim.paid));
        let within = claim.start <= claim.settled_until && claim.settled_until <= claim.end(terms);
        wrong.require(within, || format!("{name} is settled outside of its time"));
        let covered = (0..=claim.settled_until - claim.start).contains(&claim.covered);
        wrong.require(covered, || format!("{name} covers more than its time"));
        let complete = claim.settled_until == claim.end(terms);
        wrong
            .require((claim.status == ClaimStatus::Completed) <= complete, || format!("{name} is completed too early"));
        wrong.require(claim.start <= terms.claim_deadline, || format!("{name} came too late"));
    }
}
