//! Any bytes as each parameter and return of the actor: what is taken has one form, and is within its bounds.
#![no_main]

use bauta_abi::*;
use libfuzzer_sys::fuzz_target;

fn check<T: Wire>(bytes: &[u8]) {
    if let Ok(value) = decode::<T>(bytes) {
        assert_eq!(encode(&value).unwrap(), bytes);
    }
}

macro_rules! check_each {
    ($bytes:ident: $($kind:ty),* $(,)?) => { $(check::<$kind>($bytes);)* };
}

fuzz_target!(|bytes: &[u8]| {
    check_each!(bytes: PublishKeyParams, GetKeyParams, Key, GetKeyReturn);
    check_each!(bytes: FileSpec, RegisterFileParams, RegisterFileReturn, UpdateFileParams, UpdateFileReturn, TransferFileParams,
        RemoveFileParams, GetFileParams, FileRecord, GetFileReturn, ListFilesParams, ListFilesReturn, FileBlock);
    check_each!(bytes: GrantSpec, GrantAccessParams, RevokeAccessParams, GetGrantParams, Grant, GetGrantReturn, ListGrantsParams,
        ListGrantsReturn, ListSharedParams, ListSharedReturn);
    check_each!(bytes: Terms, CreateBountyParams, CreateBountyReturn, ClaimBountyParams, ClaimBountyReturn, SettleBountyParams, SettleBountyReturn,
        RefundBountyReturn, BountyRecord, GetBountyReturn, ListBountiesParams, ListBountiesReturn, ListBountyClaimsParams,
        ListBountyClaimsReturn, SectorContentChangedParams, SectorContentChangedReturn);
});
