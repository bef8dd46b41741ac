//! Claims through dispatch: by a miner's notification, and by a market deal.

use crate::samples::*;
use crate::{Body, New, Result};
use bauta_abi::*;
use bauta_actor::ext;
use bauta_actor::runtime::Answer;
use bauta_actor::runtime::fake::Deal;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::{CBOR, IPLD_RAW};
use fvm_shared::error::ExitCode;
use fvm_shared::piece::PaddedPieceSize;

struct Scene {
    chain: Box<dyn Body>,
    alice: u64,
    miner: u64,
    bounty: BountyId,
}

fn scene(new: New<'_>) -> Scene {
    let mut chain = new();
    let (alice, miner) = (chain.create_account(), chain.create_miner());
    let bounty = create(&mut chain, alice, terms(1), 2_000).expect("created");
    chain.set_epoch(200);
    Scene { chain, alice, miner, bounty }
}

impl Scene {
    /// Notifies, and requires that nothing comes of it.
    fn ignored(&mut self, sectors: Vec<SectorChanges>) {
        let root = self.chain.state();
        notify(&mut self.chain, self.miner, sectors).expect("a miner is never refused");
        assert_eq!(self.chain.state(), root, "nothing was recorded");
    }

    fn claim(&mut self, deal_id: u64) -> Result<ClaimId> {
        let params = ClaimBountyParams { id: self.bounty, deal_id };
        let claimed = call(&mut self.chain, self.alice, Method::ClaimBounty, &params, 0);
        claimed.map(|ClaimBountyReturn { claim }| claim)
    }

    fn deal(&self) -> Deal {
        let size = PaddedPieceSize(2_048);
        let (start, duration, provider) = (160, 200_000, self.miner);
        Deal { piece: piece(1), size, provider, start, duration, activated: 150, terminated: -1, sector: Some(7) }
    }

    /// Claims by a deal, and requires that nothing comes of it.
    fn refused(&mut self, deal: Deal, expected: Exit) {
        self.chain.set_deal(1, deal);
        let root = self.chain.state();
        assert_eq!(exit(self.claim(1)), expected);
        assert_eq!(self.chain.state(), root);
    }
}

pub fn a_notification_is_a_claim(new: New<'_>) {
    let Scene { mut chain, miner, bounty, .. } = scene(new);
    notify(&mut chain, miner, vec![change(7, 1_200, piece(1), bounty)]).unwrap();
    let claim = claims(&mut chain, bounty).remove(0);
    assert_eq!((claim.provider, claim.sector, claim.deal, claim.start), (miner, 7, None, 200));
    assert_eq!((claim.settled_until, claim.covered, claim.activated), (200, 0, false));
    assert_eq!((claim.sector_expiration, claim.status), (1_200, ClaimStatus::Open));
    let event = Event::BountyClaimed { id: bounty, claim: 0, provider: miner, sector: 7, deal: None };
    assert_eq!(chain.events().last(), Some(&event));
}

pub fn only_miners_notify(new: New<'_>) {
    let Scene { mut chain, alice, bounty, .. } = scene(new);
    let multisig = chain.create_multisig();
    for who in [alice, multisig, 1, ext::MARKET] {
        let root = chain.state();
        assert_eq!(exit(notify(&mut chain, who, vec![change(7, 5_000, piece(1), bounty)])), Exit::Forbidden);
        assert_eq!(chain.state(), root);
    }
}

pub fn notifications_that_do_not_fit_are_passed_over(new: New<'_>) {
    let mut scene = scene(new);
    let bounty = scene.bounty;
    scene.ignored(vec![]);
    scene.ignored(vec![SectorChanges { sector: 1, minimum_commitment_epoch: 9, added: vec![] }]);
    scene.ignored(vec![change(7, 5_000, piece(2), bounty)]);
    scene.ignored(vec![change(7, 5_000, payload(1), bounty)]);
    scene.ignored(vec![change(7, 1_199, piece(1), bounty)]);
    scene.ignored(vec![change(7, i64::MIN, piece(1), bounty)]);
    scene.ignored(vec![change(7, 5_000, piece(1), 0)]);
    scene.ignored(vec![change(7, 5_000, piece(1), bounty + 1)]);
    scene.ignored(vec![change(7, 5_000, piece(1), u64::MAX)]);
    let mut wrong_size = change(7, 5_000, piece(1), bounty);
    wrong_size.added[0].size = PaddedPieceSize(4_096);
    scene.ignored(vec![wrong_size]);
    for garbage in [&[][..], &[0xff], &[0x01, 0x01], &[0x20], &[0x81, 0x01], b"bounty one", &[0x18], &[0; 1_000]] {
        let mut change = change(7, 5_000, piece(1), bounty);
        change.added[0].payload = garbage.to_vec().into();
        scene.ignored(vec![change]);
    }
    scene.chain.set_epoch(501);
    scene.ignored(vec![change(7, 5_000, piece(1), bounty)]);
}

pub fn undecodable_notifications_get_an_empty_answer(new: New<'_>) {
    let Scene { mut chain, miner, .. } = scene(new);
    let number = Method::SectorContentChanged.number();
    for params in [None, Some(vec![]), Some(vec![0xff]), Some(vec![0x81, 0x01]), Some(vec![0x80, 0x80])] {
        let root = chain.state();
        assert_eq!(chain.message(miner, number, params, 0), Ok(Some(vec![0x80])));
        assert_eq!(chain.state(), root);
    }
}

pub fn a_provider_claims_a_bounty_once(new: New<'_>) {
    let mut scene = scene(new);
    let bounty = scene.bounty;
    let twice = vec![change(7, 5_000, piece(1), bounty), change(7, 5_000, piece(1), bounty)];
    notify(&mut scene.chain, scene.miner, twice).unwrap();
    assert_eq!(claims(&mut scene.chain, bounty).len(), 1);
    scene.ignored(vec![change(7, 5_000, piece(1), bounty)]);
    scene.ignored(vec![change(8, 5_000, piece(1), bounty)]);
}

pub fn replicas_and_money_limit_claims(new: New<'_>) {
    let Scene { mut chain, alice, .. } = scene(new);
    let miners: Vec<_> = (0..4).map(|_| chain.create_miner()).collect();
    let full = create(&mut chain, alice, terms(1), 2_000).unwrap();
    let half = create(&mut chain, alice, terms(1), 1_999).unwrap();
    for miner in &miners {
        let sectors = vec![change(7, 5_000, piece(1), full), change(8, 5_000, piece(1), half)];
        notify(&mut chain, *miner, sectors).unwrap();
    }
    assert_eq!(claims(&mut chain, full).len(), 2);
    assert_eq!(claims(&mut chain, half).len(), 1);
}

pub fn only_listed_providers_claim(new: New<'_>) {
    let Scene { mut chain, alice, miner, .. } = scene(new);
    let listed = chain.create_miner();
    let bounty = create(&mut chain, alice, Terms { providers: vec![id(listed)], ..terms(1) }, 2_000).unwrap();
    notify(&mut chain, miner, vec![change(7, 5_000, piece(1), bounty)]).unwrap();
    assert_eq!(claims(&mut chain, bounty), []);
    notify(&mut chain, listed, vec![change(7, 5_000, piece(1), bounty)]).unwrap();
    assert_eq!(claims(&mut chain, bounty).len(), 1);
}

pub fn a_bounty_records_so_many_claims_and_no_more(new: New<'_>) {
    let Scene { mut chain, alice, .. } = scene(new);
    let bounty = create(&mut chain, alice, Terms { replicas: 16, ..terms(1) }, 16_000).unwrap();
    for n in 0..MAX_CLAIMS + 1 {
        let miner = chain.create_miner();
        seal(&mut chain, miner, 7, 5_000);
        notify(&mut chain, miner, vec![change(7, 5_000, piece(1), bounty)]).unwrap();
        place(&mut chain, miner, 7, 0, 5_000);
        if n < MAX_CLAIMS {
            settle(&mut chain, bounty, &[n as u64]).unwrap();
        }
    }
    assert_eq!(claims(&mut chain, bounty).len(), MAX_CLAIMS);
}

pub fn thousands_of_pieces_are_answered_and_few_are_looked_at(new: New<'_>) {
    let mut scene = scene(new);
    let (bounty, other) = (scene.bounty, 77);
    let piece_change = |bounty| change(7, 5_000, piece(1), bounty).added.remove(0);
    let crowd = |first: usize| {
        let mut added: Vec<_> = (0..5_000).map(|_| piece_change(other)).collect();
        added[first] = piece_change(bounty);
        vec![SectorChanges { sector: 7, minimum_commitment_epoch: 5_000, added }]
    };
    scene.ignored(crowd(MAX_NOTIFIED_PIECES));
    scene.ignored(crowd(4_999));
    notify(&mut scene.chain, scene.miner, crowd(MAX_NOTIFIED_PIECES - 1)).unwrap();
    assert_eq!(claims(&mut scene.chain, bounty).len(), 1);
}

pub fn a_deal_is_a_claim(new: New<'_>) {
    let mut scene = scene(new);
    let deal = scene.deal();
    scene.chain.set_deal(33, deal);
    seal(&mut scene.chain, scene.miner, 7, 1_200);
    assert_eq!(scene.claim(33), Ok(0));
    let claim = claims(&mut scene.chain, scene.bounty).remove(0);
    assert_eq!((claim.provider, claim.sector, claim.deal, claim.start), (scene.miner, 7, Some(33), 200));
    assert_eq!(exit(scene.claim(33)), Exit::DealDoesNotFit, "once");
    let event = Event::BountyClaimed { id: scene.bounty, claim: 0, provider: scene.miner, sector: 7, deal: Some(33) };
    assert_eq!(scene.chain.events().last(), Some(&event));
}

pub fn deals_that_do_not_fit_are_refused(new: New<'_>) {
    let mut scene = scene(new);
    let good = scene.deal();
    seal(&mut scene.chain, scene.miner, 7, 1_199);
    scene.refused(good.clone(), Exit::DealDoesNotFit);
    seal(&mut scene.chain, scene.miner, 7, 5_000);
    scene.refused(Deal { piece: piece(2), ..good.clone() }, Exit::DealDoesNotFit);
    scene.refused(Deal { size: PaddedPieceSize(4_096), ..good.clone() }, Exit::DealDoesNotFit);
    scene.refused(Deal { activated: -1, ..good.clone() }, Exit::DealDoesNotFit);
    scene.refused(Deal { terminated: 190, ..good.clone() }, Exit::DealDoesNotFit);
    scene.refused(Deal { sector: None, ..good.clone() }, Exit::DealDoesNotFit);
    scene.refused(Deal { sector: Some(8), ..good.clone() }, Exit::DealDoesNotFit);
    let account = scene.alice;
    scene.refused(Deal { provider: account, ..good.clone() }, Exit::DealDoesNotFit);
    assert_eq!(exit(scene.claim(2)), Exit::NotFound);
    scene.chain.set_epoch(501);
    scene.refused(good.clone(), Exit::BountyClosed);
    scene.bounty = 9;
    scene.refused(good, Exit::NotFound);
}

/// The market calls a deal active that is over until somebody settles it; its sector may hold another piece by then.
pub fn a_deal_that_is_over_or_soon_over_is_no_claim(new: New<'_>) {
    let mut scene = scene(new);
    let good = scene.deal();
    seal(&mut scene.chain, scene.miner, 7, 5_000);
    let lasting = |duration| Deal { start: 150, duration, ..good.clone() };
    for duration in [i64::MIN, -1, 0, 49, 50, 51, 50 + MIN_DEAL_LEFT] {
        scene.refused(lasting(duration), Exit::DealDoesNotFit);
    }
    scene.refused(Deal { start: i64::MIN, duration: i64::MIN, ..good.clone() }, Exit::DealDoesNotFit);
    scene.chain.set_deal(1, lasting(51 + MIN_DEAL_LEFT));
    assert_eq!(scene.claim(1), Ok(0));
}

/// Answers that no built-in actor gives, and calls that the chain does not deliver.
fn hostile() -> Vec<Option<Answer>> {
    let ok =
        |codec, data: &[u8]| Some(Answer { exit: ExitCode::OK, data: Some(IpldBlock { codec, data: data.into() }) });
    vec![
        None,
        Some(Answer { exit: ExitCode::OK, data: None }),
        Some(Answer { exit: ExitCode::SYS_OUT_OF_GAS, data: None }),
        Some(Answer { exit: ExitCode::new(32), data: None }),
        ok(CBOR, &[]),
        ok(CBOR, &[0xff]),
        ok(CBOR, &[0xf6]),
        ok(CBOR, &[0x80]),
        ok(CBOR, &[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ok(CBOR, &[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ok(CBOR, &[0x61, 0x78]),
        ok(IPLD_RAW, &[0x01]),
    ]
}

pub fn a_hostile_market_gets_nothing(new: New<'_>) {
    for method in ext::DEAL_QUESTIONS {
        for answer in hostile() {
            let mut scene = scene(new);
            seal(&mut scene.chain, scene.miner, 7, 5_000);
            scene.chain.forge(ext::MARKET, method, answer);
            let deal = scene.deal();
            scene.refused(deal, Exit::DealDoesNotFit);
        }
    }
}

pub fn a_hostile_miner_gets_nothing(new: New<'_>) {
    for method in [ext::VALIDATE_SECTOR_STATUS, ext::GET_NOMINAL_SECTOR_EXPIRATION] {
        for answer in hostile() {
            let mut scene = scene(new);
            let (miner, bounty) = (scene.miner, scene.bounty);
            seal(&mut scene.chain, miner, 7, 5_000);
            notify(&mut scene.chain, miner, vec![change(7, 5_000, piece(1), bounty)]).unwrap();
            scene.chain.forge(miner, method, answer);
            scene.chain.set_epoch(900);
            let root = scene.chain.state();
            assert_eq!(exit(settle(&mut scene.chain, bounty, &[0])), Exit::StaleLocation);
            assert_eq!(scene.chain.state(), root);
        }
    }
    for answer in hostile() {
        let mut scene = scene(new);
        scene.chain.forge(scene.miner, ext::GET_NOMINAL_SECTOR_EXPIRATION, answer);
        let deal = scene.deal();
        scene.refused(deal, Exit::DealDoesNotFit);
    }
}
