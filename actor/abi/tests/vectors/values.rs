//! Good and bad values of the parts that types are made of.

use bauta_abi::*;
use cid::Cid;
use cid::multihash::Multihash;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;

/// Root of a CAR: dag-pb, sha2-256.
pub fn payload(seed: u8) -> Cid {
    cid_of(0x70, 0x12, &[seed; 32])
}

/// Piece commitment.
pub fn piece(seed: u8) -> Cid {
    cid_of(0xf101, 0x1012, &[seed; 32])
}

pub fn cid_of(codec: u64, hash: u64, digest: &[u8]) -> Cid {
    Cid::new_v1(codec, Multihash::wrap(hash, digest).expect("a digest"))
}

pub fn state_block() -> Cid {
    cid_of(0x71, 0xb220, &[9; 32])
}

pub fn id(id: u64) -> Address {
    Address::new_id(id)
}

pub fn atto(amount: i64) -> TokenAmount {
    TokenAmount::from_atto(amount)
}

pub fn file() -> FileSpec {
    FileSpec {
        payload_cid: payload(1),
        piece_cid: piece(2),
        padded_size: PaddedPieceSize(128),
        payload_size: 127,
        key_commitment: [3; 32],
        metadata: vec![4; 5],
        owner_wrap: vec![6],
    }
}

pub fn largest_file() -> FileSpec {
    FileSpec {
        payload_cid: cid_of(0x55, 0x12, &[7; 32]),
        padded_size: PaddedPieceSize(MAX_PADDED_SIZE),
        payload_size: MAX_PADDED_SIZE / 128 * 127,
        metadata: vec![0; MAX_METADATA],
        owner_wrap: vec![0; MAX_WRAP],
        ..file()
    }
}

pub fn bad_files() -> Vec<(&'static str, FileSpec)> {
    let version_0 = Cid::new_v0(Multihash::wrap(0x12, &[1; 32]).expect("a digest")).expect("sha2-256");
    vec![
        ("a payload of version 0", FileSpec { payload_cid: version_0, ..file() }),
        ("a payload of another codec", FileSpec { payload_cid: cid_of(0x71, 0x12, &[1; 32]), ..file() }),
        ("a payload of another hash", FileSpec { payload_cid: cid_of(0x70, 0xb220, &[1; 32]), ..file() }),
        ("a payload with a short digest", FileSpec { payload_cid: cid_of(0x70, 0x12, &[1; 20]), ..file() }),
        ("a payload inline", FileSpec { payload_cid: cid_of(0x55, 0, b"inline"), ..file() }),
        ("a sealed commitment as piece", FileSpec { piece_cid: cid_of(0xf102, 0xb401, &[1; 32]), ..file() }),
        ("a piece of version 2", FileSpec { piece_cid: cid_of(0x55, 0x1011, &[1; 34]), ..file() }),
        ("a piece with a short digest", FileSpec { piece_cid: cid_of(0xf101, 0x1012, &[1; 31]), ..file() }),
        ("no size", FileSpec { padded_size: PaddedPieceSize(0), ..file() }),
        ("a size of 64", FileSpec { padded_size: PaddedPieceSize(64), ..file() }),
        ("a size that is no power of two", FileSpec { padded_size: PaddedPieceSize(384), ..file() }),
        ("a size of 128 GiB", FileSpec { padded_size: PaddedPieceSize(128 << 30), ..file() }),
        ("the largest size there is", FileSpec { padded_size: PaddedPieceSize(u64::MAX), ..file() }),
        ("no payload", FileSpec { payload_size: 0, ..file() }),
        ("a payload larger than its piece", FileSpec { payload_size: 128, ..file() }),
        ("metadata too long", FileSpec { metadata: vec![0; MAX_METADATA + 1], ..file() }),
        ("no wrap", FileSpec { owner_wrap: vec![], ..file() }),
        ("a wrap too long", FileSpec { owner_wrap: vec![0; MAX_WRAP + 1], ..file() }),
    ]
}

pub fn record() -> FileRecord {
    FileRecord { owner: 1_001, version: 2, file: file(), registered: 10, updated: 20, previous: Some(state_block()) }
}

pub fn first_record() -> FileRecord {
    FileRecord { version: 1, updated: 10, previous: None, ..record() }
}

pub fn bad_record() -> FileRecord {
    FileRecord { file: FileSpec { owner_wrap: vec![], ..file() }, ..record() }
}

pub fn grant_spec() -> GrantSpec {
    GrantSpec { address: id(1_002), wrap: vec![1, 2, 3], rights: Rights::READ, expiration: EPOCH_NEVER }
}

pub fn bad_grant_specs() -> Vec<(&'static str, GrantSpec)> {
    vec![
        ("no wrap", GrantSpec { wrap: vec![], ..grant_spec() }),
        ("a wrap too long", GrantSpec { wrap: vec![0; MAX_WRAP + 1], ..grant_spec() }),
        ("it never was", GrantSpec { expiration: 0, ..grant_spec() }),
        ("it ended before the chain began", GrantSpec { expiration: i64::MIN, ..grant_spec() }),
    ]
}

pub fn grant() -> Grant {
    Grant { wrap: vec![1, 2], rights: Rights::ALL, expiration: 500, version: 1, state: GrantState::Stale }
}

pub fn bad_grant() -> Grant {
    Grant { wrap: vec![], ..grant() }
}

pub fn terms() -> Terms {
    Terms {
        piece_cid: piece(2),
        padded_size: PaddedPieceSize(2_048),
        file_id: None,
        reward_per_replica: atto(1_000_000),
        activation_bps: 1_000,
        replicas: 2,
        min_duration: 518_400,
        claim_deadline: 2_880,
        providers: vec![],
        source: String::new(),
        note: String::new(),
    }
}

pub fn largest_terms() -> Terms {
    Terms {
        file_id: Some(u64::MAX),
        reward_per_replica: TokenAmount::from_whole(MAX_FIL),
        activation_bps: BASIS_POINTS,
        replicas: MAX_REPLICAS,
        min_duration: MAX_DURATION,
        claim_deadline: i64::MAX,
        providers: (0..MAX_PROVIDERS as u64).map(|n| id(2_000 + n)).collect(),
        source: "s".repeat(MAX_SOURCE),
        note: "é".repeat(MAX_NOTE / 2),
        ..terms()
    }
}

pub fn bad_terms() -> Vec<(&'static str, Terms)> {
    let most = TokenAmount::from_whole(MAX_FIL);
    vec![
        ("a payload as piece", Terms { piece_cid: payload(1), ..terms() }),
        ("a size of 2,047", Terms { padded_size: PaddedPieceSize(2_047), ..terms() }),
        ("no reward", Terms { reward_per_replica: atto(0), ..terms() }),
        ("a negative reward", Terms { reward_per_replica: atto(-1), ..terms() }),
        ("more than all FIL", Terms { reward_per_replica: most + atto(1), ..terms() }),
        ("more than the whole at activation", Terms { activation_bps: BASIS_POINTS + 1, ..terms() }),
        ("no replica", Terms { replicas: 0, ..terms() }),
        ("17 replicas", Terms { replicas: MAX_REPLICAS + 1, ..terms() }),
        ("no duration", Terms { min_duration: 0, ..terms() }),
        ("a negative duration", Terms { min_duration: -1, ..terms() }),
        ("longer than a sector lives", Terms { min_duration: MAX_DURATION + 1, ..terms() }),
        ("a deadline before the chain began", Terms { claim_deadline: 0, ..terms() }),
        ("17 providers", Terms { providers: vec![id(1); MAX_PROVIDERS + 1], ..terms() }),
        ("a source too long", Terms { source: "s".repeat(MAX_SOURCE + 1), ..terms() }),
        ("a note too long in bytes", Terms { note: "é".repeat(MAX_NOTE / 2 + 1), ..terms() }),
    ]
}

pub fn bounty() -> BountyRecord {
    BountyRecord {
        terms: terms(),
        creator: 1_001,
        created: 10,
        cancelled: false,
        funded: atto(2_000_000),
        paid: atto(500_000),
        refunded: atto(0),
        escrowed: atto(1_500_000),
        reserved: atto(1_400_000),
        claims: 2,
        ended: false,
    }
}

pub fn bad_bounty() -> BountyRecord {
    BountyRecord { terms: Terms { replicas: 0, ..terms() }, ..bounty() }
}

pub fn claim() -> BountyClaim {
    BountyClaim {
        provider: 2_001,
        sector: 9,
        deal: Some(33),
        start: 100,
        settled_until: 200,
        covered: 90,
        activated: true,
        paid: atto(100_000),
        sector_expiration: 600_000,
        status: ClaimStatus::Open,
    }
}

pub fn changes() -> Vec<SectorChanges> {
    let known = PieceChange { data: piece(2), size: PaddedPieceSize(2_048), payload: notification_payload(7).into() };
    let garbage = PieceChange { data: payload(1), size: PaddedPieceSize(3), payload: vec![0xff; 40].into() };
    vec![
        SectorChanges { sector: 9, minimum_commitment_epoch: 1_000, added: vec![known, garbage] },
        SectorChanges { sector: 10, minimum_commitment_epoch: -1, added: vec![] },
    ]
}
