//! Good and bad values of every type of the wire, in the order of its modules.

use bauta_abi::*;
use cid::Cid;
use cid::multihash::Multihash;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use fvm_shared::piece::PaddedPieceSize;

use crate::Subject;

/// Root of a CAR: dag-pb, sha2-256.
pub fn payload(seed: u8) -> Cid {
    cid_of(0x70, 0x12, &[seed; 32])
}

/// Piece commitment.
pub fn piece(seed: u8) -> Cid {
    cid_of(0xf101, 0x1012, &[seed; 32])
}

fn cid_of(codec: u64, hash: u64, digest: &[u8]) -> Cid {
    Cid::new_v1(codec, Multihash::wrap(hash, digest).expect("a digest"))
}

fn state_block() -> Cid {
    cid_of(0x71, 0xb220, &[9; 32])
}

fn id(id: u64) -> Address {
    Address::new_id(id)
}

fn atto(amount: i64) -> TokenAmount {
    TokenAmount::from_atto(amount)
}

fn file() -> FileSpec {
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

fn largest_file() -> FileSpec {
    FileSpec {
        payload_cid: cid_of(0x55, 0x12, &[7; 32]),
        padded_size: PaddedPieceSize(MAX_PADDED_SIZE),
        payload_size: MAX_PADDED_SIZE / 128 * 127,
        metadata: vec![0; MAX_METADATA],
        owner_wrap: vec![0; MAX_WRAP],
        ..file()
    }
}

fn bad_files() -> Vec<(&'static str, FileSpec)> {
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

fn record() -> FileRecord {
    FileRecord { owner: 1_001, version: 2, file: file(), registered: 10, updated: 20, previous: Some(state_block()) }
}

fn first_record() -> FileRecord {
    FileRecord { version: 1, updated: 10, previous: None, ..record() }
}

fn bad_record() -> FileRecord {
    FileRecord { file: FileSpec { owner_wrap: vec![], ..file() }, ..record() }
}

fn grant_spec() -> GrantSpec {
    GrantSpec { address: id(1_002), wrap: vec![1, 2, 3], rights: Rights::READ, expiration: EPOCH_NEVER }
}

fn bad_grant_specs() -> Vec<(&'static str, GrantSpec)> {
    vec![
        ("no wrap", GrantSpec { wrap: vec![], ..grant_spec() }),
        ("a wrap too long", GrantSpec { wrap: vec![0; MAX_WRAP + 1], ..grant_spec() }),
        ("it never was", GrantSpec { expiration: 0, ..grant_spec() }),
        ("it ended before the chain began", GrantSpec { expiration: i64::MIN, ..grant_spec() }),
    ]
}

fn grant() -> Grant {
    Grant { wrap: vec![1, 2], rights: Rights::ALL, expiration: 500, version: 1, state: GrantState::Stale }
}

fn bad_grant() -> Grant {
    Grant { wrap: vec![], ..grant() }
}

fn terms() -> Terms {
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

fn largest_terms() -> Terms {
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

fn bad_terms() -> Vec<(&'static str, Terms)> {
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

fn bounty() -> BountyRecord {
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

fn bad_bounty() -> BountyRecord {
    BountyRecord { terms: Terms { replicas: 0, ..terms() }, ..bounty() }
}

fn claim() -> BountyClaim {
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

fn changes() -> Vec<SectorChanges> {
    let known = PieceChange { data: piece(2), size: PaddedPieceSize(2_048), payload: notification_payload(7).into() };
    let garbage = PieceChange { data: payload(1), size: PaddedPieceSize(3), payload: vec![0xff; 40].into() };
    vec![
        SectorChanges { sector: 9, minimum_commitment_epoch: 1_000, added: vec![known, garbage] },
        SectorChanges { sector: 10, minimum_commitment_epoch: -1, added: vec![] },
    ]
}

macro_rules! subject {
    ($name:ident: $good:expr) => {
        Subject::new::<$name>(stringify!($name), $good, vec![])
    };
    ($name:ident: $good:expr, bad $bad:expr) => {
        Subject::new::<$name>(stringify!($name), $good, $bad)
    };
}

/// Wraps every bad part into a whole.
fn each<T, U>(bad: Vec<(&'static str, T)>, whole: impl Fn(T) -> U) -> Vec<(&'static str, U)> {
    bad.into_iter().map(|(what, part)| (what, whole(part))).collect()
}

fn limits<T>(whole: impl Fn(u64) -> T) -> Vec<(&'static str, T)> {
    vec![("a page of none", whole(0)), ("a page of 101", whole(MAX_LIST + 1))]
}

pub fn subjects() -> Vec<Subject> {
    let mut all = keys();
    all.extend(files());
    all.extend(grants());
    all.extend(bounties());
    all.extend(claims());
    all
}

fn keys() -> Vec<Subject> {
    let longest = || format!("age1{}", "q".repeat(MAX_RECIPIENT - 4));
    let bad = || {
        vec![
            ("no recipient", String::new()),
            ("nothing after age1", "age1".to_owned()),
            ("capitals", "AGE1QQQ".to_owned()),
            ("a space", "age1 qqq".to_owned()),
            ("an identity", "age-secret-key-1qqq".to_owned()),
            ("too long", format!("{}q", longest())),
        ]
    };
    let key = |recipient: String| Key { recipient, version: 1, epoch: 10 };
    vec![
        subject!(PublishKeyParams: vec![
            PublishKeyParams { recipient: "age1qqq".into() },
            PublishKeyParams { recipient: longest() },
        ], bad each(bad(), |recipient| PublishKeyParams { recipient })),
        subject!(GetKeyParams: vec![
            GetKeyParams { address: id(1_001) },
            GetKeyParams { address: Address::new_actor(b"robust") },
            GetKeyParams { address: Address::new_delegated(10, &[7; 20]).expect("20 bytes") },
        ]),
        subject!(Key: vec![key("age1qqq".into())], bad each(bad(), key)),
        subject!(GetKeyReturn: vec![Some(key("age1qqq".into())), None], bad each(bad(), |r| Some(key(r)))),
    ]
}

fn files() -> Vec<Subject> {
    let block = |record| FileBlock::new(record, 7, Some(5));
    vec![
        subject!(FileSpec: vec![file(), largest_file()], bad bad_files()),
        subject!(RegisterFileParams: vec![
            RegisterFileParams { files: vec![file()] },
            RegisterFileParams { files: vec![file(); MAX_FILES_PER_CALL] },
        ], bad {
            let mut bad = each(bad_files(), |spec| RegisterFileParams { files: vec![file(), spec] });
            bad.push(("no file", RegisterFileParams { files: vec![] }));
            bad.push(("65 files", RegisterFileParams { files: vec![file(); MAX_FILES_PER_CALL + 1] }));
            bad
        }),
        subject!(RegisterFileReturn: vec![RegisterFileReturn { ids: vec![1, 2, u64::MAX] }]),
        subject!(UpdateFileParams: vec![UpdateFileParams { id: 7, expected_version: 1, file: file() }],
            bad each(bad_files(), |file| UpdateFileParams { id: 7, expected_version: 1, file })),
        subject!(UpdateFileReturn: vec![UpdateFileReturn { version: 2 }]),
        subject!(TransferFileParams: vec![TransferFileParams { id: 7, to: id(1_002), wrap: vec![1] }], bad vec![
            ("no wrap", TransferFileParams { id: 7, to: id(1_002), wrap: vec![] }),
            ("a wrap too long", TransferFileParams { id: 7, to: id(1_002), wrap: vec![0; MAX_WRAP + 1] }),
        ]),
        subject!(RemoveFileParams: vec![RemoveFileParams { id: 7 }]),
        subject!(GetFileParams: vec![GetFileParams { id: 7 }, GetFileParams { id: u64::MAX }]),
        subject!(FileRecord: vec![record(), first_record()], bad vec![("a bad file", bad_record())]),
        subject!(GetFileReturn: vec![Some(record()), None], bad vec![("a bad file", Some(bad_record()))]),
        subject!(ListFilesParams: vec![
            ListFilesParams { owner: id(1_001), cursor: None, limit: 1 },
            ListFilesParams { owner: id(1_001), cursor: Some(5), limit: MAX_LIST },
        ], bad limits(|limit| ListFilesParams { owner: id(1_001), cursor: None, limit })),
        subject!(ListFilesReturn: vec![
            ListFilesReturn { files: vec![(7, record()), (5, first_record())], cursor: Some(3) },
            ListFilesReturn { files: vec![], cursor: None },
        ], bad vec![("a bad file", ListFilesReturn { files: vec![(7, bad_record())], cursor: None })]),
        subject!(FileBlock: vec![block(record()), FileBlock::new(first_record(), 1, None)], bad vec![
            ("a bad file", block(bad_record())),
            ("version 0", FileBlock { version: 0, ..block(record()) }),
            ("a payload CID that is none", FileBlock { payload_cid: vec![1, 2, 3], ..block(record()) }),
            ("a piece CID that is none", FileBlock { piece_cid: vec![], ..block(record()) }),
        ]),
    ]
}

fn grants() -> Vec<Subject> {
    let page = |grant: Grant| ListGrantsReturn { grants: vec![(1_002, grant)], cursor: Some(1_003) };
    let shared = |grant: Grant| ListSharedReturn { grants: vec![(7, grant)], cursor: None };
    vec![
        subject!(GrantSpec: vec![grant_spec()], bad bad_grant_specs()),
        subject!(GrantAccessParams: vec![
            GrantAccessParams { id: 7, grants: vec![grant_spec()] },
            GrantAccessParams { id: 7, grants: vec![grant_spec(); MAX_GRANTS_PER_CALL] },
        ], bad {
            let mut bad = each(bad_grant_specs(), |spec| GrantAccessParams { id: 7, grants: vec![grant_spec(), spec] });
            bad.push(("no grant", GrantAccessParams { id: 7, grants: vec![] }));
            bad.push(("33 grants", GrantAccessParams { id: 7, grants: vec![grant_spec(); MAX_GRANTS_PER_CALL + 1] }));
            bad
        }),
        subject!(RevokeAccessParams: vec![RevokeAccessParams { id: 7, addresses: vec![id(1_002), id(1_003)] }], bad vec![
            ("nobody", RevokeAccessParams { id: 7, addresses: vec![] }),
            ("33 addresses", RevokeAccessParams { id: 7, addresses: vec![id(1); MAX_REVOKES_PER_CALL + 1] }),
        ]),
        subject!(GetGrantParams: vec![GetGrantParams { id: 7, address: id(1_002) }]),
        subject!(Grant: vec![
            grant(),
            Grant { state: GrantState::Active, rights: Rights::WRITE, ..grant() },
            Grant { state: GrantState::Expired, rights: Rights::SHARE, ..grant() },
        ], bad vec![("no wrap", bad_grant())]),
        subject!(GetGrantReturn: vec![Some(grant()), None], bad vec![("no wrap", Some(bad_grant()))]),
        subject!(ListGrantsParams: vec![ListGrantsParams { id: 7, cursor: Some(1_002), limit: 100 }],
            bad limits(|limit| ListGrantsParams { id: 7, cursor: None, limit })),
        subject!(ListGrantsReturn: vec![page(grant())], bad vec![("no wrap", page(bad_grant()))]),
        subject!(ListSharedParams: vec![ListSharedParams { address: id(1_002), cursor: Some(7), limit: 100 }],
            bad limits(|limit| ListSharedParams { address: id(1_002), cursor: None, limit })),
        subject!(ListSharedReturn: vec![shared(grant())], bad vec![("no wrap", shared(bad_grant()))]),
    ]
}

fn bounties() -> Vec<Subject> {
    vec![
        subject!(Terms: vec![terms(), largest_terms()], bad bad_terms()),
        subject!(CreateBountyParams: vec![CreateBountyParams { terms: terms() }],
            bad each(bad_terms(), |terms| CreateBountyParams { terms })),
        subject!(CreateBountyReturn: vec![CreateBountyReturn { id: 3 }]),
        subject!(FundBountyParams: vec![FundBountyParams { id: 3 }]),
        subject!(CancelBountyParams: vec![CancelBountyParams { id: 3 }]),
        subject!(RefundBountyParams: vec![RefundBountyParams { id: 3 }]),
        subject!(RefundBountyReturn: vec![
            RefundBountyReturn { amount: atto(0) },
            RefundBountyReturn { amount: TokenAmount::from_whole(MAX_FIL) },
        ]),
        subject!(GetBountyParams: vec![GetBountyParams { id: 3 }]),
        subject!(BountyRecord: vec![bounty()], bad vec![("bad terms", bad_bounty())]),
        subject!(GetBountyReturn: vec![Some(bounty()), None], bad vec![("bad terms", Some(bad_bounty()))]),
        subject!(ListBountiesParams: vec![ListBountiesParams { cursor: None, limit: 1 }],
            bad limits(|limit| ListBountiesParams { cursor: None, limit })),
        subject!(ListBountiesReturn: vec![ListBountiesReturn { bounties: vec![(3, bounty())], cursor: Some(4) }],
            bad vec![("bad terms", ListBountiesReturn { bounties: vec![(3, bad_bounty())], cursor: None })]),
    ]
}

fn claims() -> Vec<Subject> {
    let settlement = |claim| Settlement { claim, aux: vec![0x82, 0, 0] };
    let settle = |claims| SettleBountyParams { id: 3, claims };
    vec![
        subject!(SectorContentChangedParams: vec![
            SectorContentChangedParams { sectors: changes() },
            SectorContentChangedParams { sectors: vec![] },
        ]),
        subject!(SectorContentChangedReturn: vec![
            SectorContentChangedReturn { sectors: vec![vec![true, false], vec![]] },
            SectorContentChangedReturn { sectors: vec![] },
        ]),
        subject!(ClaimBountyParams: vec![ClaimBountyParams { id: 3, deal_id: 33 }]),
        subject!(ClaimBountyReturn: vec![ClaimBountyReturn { claim: 0 }]),
        subject!(SettleBountyParams: vec![
            settle(vec![settlement(0), settlement(1)]),
            settle(vec![Settlement { claim: 0, aux: vec![0; MAX_LOCATION] }]),
        ], bad vec![
            ("no claim", settle(vec![])),
            ("33 claims", settle((0..=MAX_SETTLEMENTS_PER_CALL as u64).map(settlement).collect())),
            ("a claim twice", settle(vec![settlement(0), settlement(1), settlement(0)])),
            ("a location too long", settle(vec![Settlement { claim: 0, aux: vec![0; MAX_LOCATION + 1] }])),
        ]),
        subject!(SettleBountyReturn: vec![SettleBountyReturn { amounts: vec![atto(0), atto(550)] }]),
        subject!(ListBountyClaimsParams: vec![ListBountyClaimsParams { id: 3, cursor: Some(1), limit: 100 }],
            bad limits(|limit| ListBountyClaimsParams { id: 3, cursor: None, limit })),
        subject!(ListBountyClaimsReturn: vec![
            ListBountyClaimsReturn {
                claims: vec![
                    (0, claim()),
                    (1, BountyClaim { deal: None, status: ClaimStatus::Completed, ..claim() }),
                    (2, BountyClaim { status: ClaimStatus::Dead, activated: false, ..claim() }),
                ],
                cursor: None,
            },
        ]),
    ]
}
