//! Values that the tests share, and calls that check the state after every message.

use bauta_abi::*;
use bauta_actor::runtime::fake::Sector;
use cid::Cid;
use cid::multihash::Multihash;
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;

use crate::{Body, Result};

/// Sends a message; requires that the state is sound afterwards, and that nothing has changed if it was refused or only reads.
pub fn message(
    chain: &mut dyn Body,
    from: ActorID,
    method: Method,
    params: Option<Vec<u8>>,
    attofil: u128,
) -> Result<Option<Vec<u8>>> {
    let before = (chain.state(), chain.events().len(), chain.own_balance());
    let answer = chain.message(from, method.number(), params, attofil);
    if answer.is_err() || method.is_view() {
        let after = (chain.state(), chain.events().len(), chain.own_balance());
        assert_eq!(after, before, "{method:?} must change nothing");
    } else {
        assert_eq!(chain.check(), Vec::<String>::new(), "after {method:?}");
    }
    answer
}

/// Sends a message and requires that the state is sound afterwards, whatever came of it.
pub fn send<P: Wire>(chain: &mut dyn Body, from: ActorID, method: Method, params: &P, attofil: u128) -> Result<()> {
    let params = fvm_ipld_encoding::to_vec(params).expect("params encode");
    let answer = message(chain, from, method, Some(params), attofil);
    answer.map(|reply| assert_eq!(reply, None, "{method:?} returns nothing"))
}

/// The same for a method with a return value.
pub fn call<P: Wire, T: Wire>(
    chain: &mut dyn Body,
    from: ActorID,
    method: Method,
    params: &P,
    attofil: u128,
) -> Result<T> {
    let params = fvm_ipld_encoding::to_vec(params).expect("params encode");
    let answer = message(chain, from, method, Some(params), attofil);
    answer.map(|reply| decode(&reply.expect("a return value")).expect("a return value of its type"))
}

/// The exit of something refused.
pub fn exit<T: std::fmt::Debug>(answer: Result<T>) -> Exit {
    match answer {
        Err(exit) => exit,
        Ok(value) => panic!("not refused: {value:?}"),
    }
}

/// A payload CID.
pub fn payload(seed: u8) -> Cid {
    Cid::new_v1(0x70, Multihash::wrap(0x12, &[seed; 32]).expect("32 bytes"))
}

/// A piece commitment.
pub fn piece(seed: u8) -> Cid {
    Cid::new_v1(0xf101, Multihash::wrap(0x1012, &[seed & 0x3f; 32]).expect("32 bytes"))
}

/// A file of about 330 bytes of state.
pub fn file(seed: u8) -> FileSpec {
    FileSpec {
        payload_cid: payload(seed),
        piece_cid: piece(seed),
        padded_size: PaddedPieceSize(2_048),
        payload_size: 1_500,
        key_commitment: [seed; 32],
        metadata: vec![seed; 104],
        owner_wrap: vec![seed; 98],
    }
}

/// Terms: 1,000 attoFIL for each of two replicas, a tenth at activation, over 1,000 epochs, claims up to epoch 500.
pub fn terms(seed: u8) -> Terms {
    Terms {
        piece_cid: piece(seed),
        padded_size: PaddedPieceSize(2_048),
        file_id: Some(1),
        reward_per_replica: TokenAmount::from_atto(1_000),
        activation_bps: 1_000,
        replicas: 2,
        min_duration: 1_000,
        claim_deadline: 500,
        providers: vec![],
        source: "https://example.org/piece".into(),
        note: "keep it".into(),
    }
}

/// An ID address.
pub fn id(id: ActorID) -> Address {
    Address::new_id(id)
}

/// Registers one file.
pub fn register(chain: &mut dyn Body, owner: ActorID, seed: u8) -> FileId {
    let params = RegisterFileParams { files: vec![file(seed)] };
    let RegisterFileReturn { ids } = call(chain, owner, Method::RegisterFile, &params, 0).expect("registered");
    ids[0]
}

/// Reads one file.
pub fn get_file(chain: &mut dyn Body, id: FileId) -> Option<FileRecord> {
    call::<_, GetFileReturn>(chain, 1, Method::GetFile, &GetFileParams { id }, 0).expect("read")
}

/// One grant.
pub fn grant_spec(grantee: ActorID, rights: Rights, expiration: i64) -> GrantSpec {
    GrantSpec { address: id(grantee), wrap: vec![7; 98], rights, expiration }
}

/// Grants to one address.
pub fn grant(chain: &mut dyn Body, from: ActorID, file: FileId, spec: GrantSpec) -> Result<()> {
    send(chain, from, Method::GrantAccess, &GrantAccessParams { id: file, grants: vec![spec] }, 0)
}

/// Reads one grant.
pub fn get_grant(chain: &mut dyn Body, file: FileId, grantee: ActorID) -> Option<Grant> {
    let params = GetGrantParams { id: file, address: id(grantee) };
    call::<_, GetGrantReturn>(chain, 1, Method::GetGrant, &params, 0).expect("read")
}

/// Creates a bounty.
pub fn create(chain: &mut dyn Body, from: ActorID, terms: Terms, attofil: u128) -> Result<BountyId> {
    let created = call(chain, from, Method::CreateBounty, &CreateBountyParams { terms }, attofil);
    created.map(|CreateBountyReturn { id }| id)
}

/// Reads a bounty.
pub fn get_bounty(chain: &mut dyn Body, id: BountyId) -> BountyRecord {
    let found: GetBountyReturn = call(chain, 1, Method::GetBounty, &GetBountyParams { id }, 0).expect("read");
    found.expect("there is one")
}

/// Reads the claims of a bounty.
pub fn claims(chain: &mut dyn Body, id: BountyId) -> Vec<BountyClaim> {
    let params = ListBountyClaimsParams { id, cursor: None, limit: 100 };
    let found: ListBountyClaimsReturn = call(chain, 1, Method::ListBountyClaims, &params, 0).expect("read");
    found.claims.into_iter().map(|(_, claim)| claim).collect()
}

/// What a miner says of one sector with one piece.
pub fn change(sector: u64, expiration: i64, piece: Cid, bounty: BountyId) -> SectorChanges {
    let payload = notification_payload(bounty).into();
    let added = vec![PieceChange { data: piece, size: PaddedPieceSize(2_048), payload }];
    SectorChanges { sector, minimum_commitment_epoch: expiration, added }
}

/// A miner's notification; requires that everything is answered `true`.
pub fn notify(chain: &mut dyn Body, miner: ActorID, sectors: Vec<SectorChanges>) -> Result<()> {
    let shape: Vec<usize> = sectors.iter().map(|sector| sector.added.len()).collect();
    let params = SectorContentChangedParams { sectors };
    let answer: SectorContentChangedReturn = call(chain, miner, Method::SectorContentChanged, &params, 0)?;
    assert_eq!(answer.sectors.iter().map(Vec::len).collect::<Vec<_>>(), shape, "the shape of the question");
    assert!(answer.sectors.iter().flatten().all(|accepted| *accepted), "nothing is vetoed");
    Ok(())
}

/// Settles claims, each with the location that the fake miners use.
pub fn settle(chain: &mut dyn Body, bounty: BountyId, claims: &[ClaimId]) -> Result<Vec<u64>> {
    let claims = claims.iter().map(|claim| Settlement { claim: *claim, aux: LOCATION.to_vec() }).collect();
    let params = SettleBountyParams { id: bounty, claims };
    let settled: SettleBountyReturn = call(chain, 1, Method::SettleBounty, &params, 0)?;
    Ok(settled.amounts.iter().map(|amount| u64::try_from(amount.atto()).expect("small")).collect())
}

/// CBOR of `[0, 0]`.
pub const LOCATION: [u8; 3] = [0x82, 0, 0];

/// Puts a sector into a miner, active.
pub fn seal(chain: &mut dyn Body, miner: ActorID, sector: u64, expiration: i64) {
    place(chain, miner, sector, 1, expiration);
}

/// Puts a sector into a miner: FIP-0112's status 0 dead, 1 active, 2 faulty.
pub fn place(chain: &mut dyn Body, miner: ActorID, sector: u64, status: u8, expiration: i64) {
    chain.set_sector(miner, sector, Sector { status, location: LOCATION.to_vec(), expiration });
}
