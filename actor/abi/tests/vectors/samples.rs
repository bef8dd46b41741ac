//! Good and bad values of every type of the wire, in the order of its modules.

#[path = "values.rs"]
mod values;

use bauta_abi::*;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;

use crate::Subject;
pub use values::*;

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
