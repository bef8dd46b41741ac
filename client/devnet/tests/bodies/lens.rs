//! The lens (`actor/evm/lens`) beside the wire, where it takes a miner to have something to show: claims.

use bauta_abi::*;
use bauta_client::address::keccak256;
use bauta_client::message::eth::{self, INVOKE_CONTRACT};
use bauta_scenarios::Body;
use bauta_scenarios::samples::*;
use fvm_ipld_encoding::BytesDe;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;

use crate::chain::Chain;
use crate::ground;

const LENS: &str = include_str!("../../../../actor/evm/build/BautaView.hex");

/// Words of the answer of `claims(registry, bounty, cursor, limit)`.
fn lens_claims(
    chain: &mut Chain,
    lens: ActorID,
    registry: ActorID,
    id: BountyId,
    cursor: u64,
    limit: u64,
) -> Vec<u128> {
    let mut data = keccak256(b"claims(address,uint64,uint64,uint64)")[..4].to_vec();
    let mut masked = [0; 32];
    masked[12] = 0xff;
    masked[24..].copy_from_slice(&registry.to_be_bytes());
    data.extend(masked);
    for number in [id, cursor, limit] {
        data.extend([0; 24]);
        data.extend(number.to_be_bytes());
    }
    let asks = Address::new_id(chain.create_account());
    let done = chain.with(|vm| {
        let value = TokenAmount::default();
        vm.implicit(&asks, &Address::new_id(lens), INVOKE_CONTRACT, &value, eth::params(&data)).expect("runs")
    });
    assert!(done.exit.is_success(), "{}: {}", done.exit, done.failure);
    let BytesDe(output) = done.decode().expect("bytes");
    let word = |word: &[u8]| {
        assert_eq!(word[..16], [0; 16], "no number here is that large");
        u128::from_be_bytes(word[16..].try_into().expect("16 bytes"))
    };
    output.chunks_exact(32).map(word).collect()
}

/// A claim as the lens lays it out.
fn words(id: ClaimId, claim: &BountyClaim) -> Vec<u128> {
    let paid = claim.paid.atto().try_into().expect("not negative");
    let epochs = [claim.start, claim.settled_until, claim.covered].map(|epoch| epoch as u128);
    let head = [id.into(), claim.provider.into(), claim.sector.into()].into_iter();
    let deal = [claim.deal.is_some().into(), claim.deal.unwrap_or(0).into()];
    let tail = [claim.activated.into(), paid, claim.sector_expiration as u128, claim.status as u128];
    head.chain(deal).chain(epochs).chain(tail).collect()
}

#[test]
fn the_lens_shows_claims_as_the_wire_does() {
    ground::run(|ground| {
        let Some(contract) = ground.contract else { return eprintln!("skipped: this bundle has no EVM") };
        let mut chain = Chain::new(ground, contract);
        let code = hex::decode(LENS.trim()).expect("hex");
        let lens = chain.with(|vm| ground::deploy_code(vm, &code)).expect("deployed");
        let alice = chain.create_account();
        let bounty = create(&mut chain, alice, Terms { replicas: 3, ..terms(1) }, 3_000).expect("created");
        chain.set_epoch(200);
        assert_eq!(lens_claims(&mut chain, lens, contract, bounty, 0, 10), [64, 0, 0], "none yet");

        // One by a notification, one by a deal, and then both a little later.
        let (first, second) = (chain.create_miner(), chain.create_miner());
        notify(&mut chain, first, vec![change(7, 1_200, piece(1), bounty)]).expect("a miner is never refused");
        let deal = bauta_actor::runtime::fake::Deal {
            piece: piece(1),
            size: PaddedPieceSize(2_048),
            provider: second,
            start: 0,
            duration: 10_000_000,
            activated: 150,
            terminated: -1,
            sector: Some(9),
        };
        chain.set_deal(1, deal);
        place(&mut chain, second, 9, 1, 5_000);
        let params = ClaimBountyParams { id: bounty, deal_id: 1 };
        call::<_, ClaimBountyReturn>(&mut chain, alice, Method::ClaimBounty, &params, 0).expect("claimed");
        let page = ListBountyClaimsParams { id: bounty, cursor: None, limit: 10 };
        let all: ListBountyClaimsReturn = call(&mut chain, 1, Method::ListBountyClaims, &page, 0).expect("read");
        let all = all.claims;
        assert!(all.len() == 2 && all.iter().any(|(_, claim)| claim.deal == Some(1)), "{all:?}");
        let shown = lens_claims(&mut chain, lens, contract, bounty, 0, 10);
        let wire: Vec<u128> = all.iter().flat_map(|(id, claim)| words(*id, claim)).collect();
        assert_eq!(shown, [&[64, 0, 2][..], &wire].concat());
        // In pages.
        let page = lens_claims(&mut chain, lens, contract, bounty, 0, 1);
        assert_eq!((page[2], &page[3..]), (1, &wire[..12]));
        let next = u64::try_from(page[1]).expect("a cursor");
        let page = lens_claims(&mut chain, lens, contract, bounty, next, 1);
        assert_eq!((page[1], page[2], &page[3..]), (0, 1, &wire[12..]));
    });
}
