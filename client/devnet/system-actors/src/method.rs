//! Method numbers. Small ones are internal (built-in callers only), large ones follow FRC-0042.

use fvm_shared::MethodNum;

/// Smallest number that actors other than built-in ones may call.
pub const FIRST_EXPORTED: MethodNum = 1 << 24;
/// Called once, when an actor is created.
pub const CONSTRUCTOR: MethodNum = fvm_shared::METHOD_CONSTRUCTOR;

/// The account actor.
pub mod account {
    #![allow(missing_docs)]
    pub const PUBKEY_ADDRESS: u64 = 2;
    pub const AUTHENTICATE_MESSAGE: u64 = 2643134072;
}
/// The init actor.
pub mod init {
    #![allow(missing_docs)]
    pub const EXEC: u64 = 2;
    pub const EXEC4: u64 = 3;
}
/// The cron actor.
pub mod cron {
    #![allow(missing_docs)]
    pub const EPOCH_TICK: u64 = 2;
}
/// The reward actor.
pub mod reward {
    #![allow(missing_docs)]
    pub const AWARD_BLOCK_REWARD: u64 = 2;
    pub const THIS_EPOCH_REWARD: u64 = 3;
    pub const UPDATE_NETWORK_KPI: u64 = 4;
}
/// The power actor.
pub mod power {
    #![allow(missing_docs)]
    pub const CREATE_MINER: u64 = 2;
    pub const UPDATE_CLAIMED_POWER: u64 = 3;
    pub const ENROLL_CRON_EVENT: u64 = 4;
    pub const ON_EPOCH_TICK_END: u64 = 5;
    pub const UPDATE_PLEDGE_TOTAL: u64 = 6;
    pub const CURRENT_TOTAL_POWER: u64 = 9;
    pub const CREATE_MINER_EXPORTED: u64 = 1173380165;
    pub const NETWORK_RAW_POWER: u64 = 931722534;
    pub const MINER_RAW_POWER: u64 = 3753401894;
    pub const MINER_POWER: u64 = 36284446;
    pub const MINER_COUNT: u64 = 1987646258;
    pub const MINER_CONSENSUS_COUNT: u64 = 196739875;
}
/// The miner actor.
pub mod miner {
    #![allow(missing_docs)]
    pub const CONTROL_ADDRESSES: u64 = 2;
    pub const CHANGE_WORKER_ADDRESS: u64 = 3;
    pub const CHANGE_PEER_ID: u64 = 4;
    pub const SUBMIT_WINDOWED_POST: u64 = 5;
    pub const TERMINATE_SECTORS: u64 = 9;
    pub const DECLARE_FAULTS: u64 = 10;
    pub const DECLARE_FAULTS_RECOVERED: u64 = 11;
    pub const ON_DEFERRED_CRON_EVENT: u64 = 12;
    pub const CHECK_SECTOR_PROVEN: u64 = 13;
    pub const APPLY_REWARDS: u64 = 14;
    pub const WITHDRAW_BALANCE: u64 = 16;
    pub const CHANGE_OWNER_ADDRESS: u64 = 23;
    pub const CHANGE_OWNER_ADDRESS_EXPORTED: u64 = 1010589339;
    pub const CHANGE_MULTIADDRS: u64 = 18;
    pub const CONFIRM_CHANGE_WORKER_ADDRESS: u64 = 21;
    pub const REPAY_DEBT: u64 = 22;
    pub const PRE_COMMIT_SECTOR_BATCH2: u64 = 28;
    pub const GET_BENEFICIARY: u64 = 31;
    pub const EXTEND_SECTOR_EXPIRATION2: u64 = 32;
    pub const PROVE_COMMIT_SECTORS3: u64 = 34;
    pub const CHANGE_WORKER_ADDRESS_EXPORTED: u64 = 3302309124;
    pub const CHANGE_PEER_ID_EXPORTED: u64 = 1236548004;
    pub const WITHDRAW_BALANCE_EXPORTED: u64 = 2280458852;
    pub const CHANGE_MULTIADDRS_EXPORTED: u64 = 1063480576;
    pub const CONFIRM_CHANGE_WORKER_ADDRESS_EXPORTED: u64 = 2354970453;
    pub const REPAY_DEBT_EXPORTED: u64 = 3665352697;
    pub const GET_OWNER: u64 = 3275365574;
    pub const IS_CONTROLLING_ADDRESS: u64 = 348244887;
    pub const GET_SECTOR_SIZE: u64 = 3858292296;
    pub const GET_AVAILABLE_BALANCE: u64 = 4026106874;
    pub const GET_VESTING_FUNDS: u64 = 1726876304;
    pub const GET_PEER_ID: u64 = 2812875329;
    pub const GET_MULTIADDRS: u64 = 1332909407;
    pub const GET_BENEFICIARY_EXPORTED: u64 = 4158972569;
    pub const MAX_TERMINATION_FEE: u64 = 4127382196;
    pub const INITIAL_PLEDGE: u64 = 3180523767;
    pub const GENERATE_SECTOR_LOCATION: u64 = 1321604665;
    pub const VALIDATE_SECTOR_STATUS: u64 = 3092458564;
    pub const GET_NOMINAL_SECTOR_EXPIRATION: u64 = 3010055991;
    /// Sent by miners, served by whoever wants to know what a sector holds (FIP-0076, FIP-0109).
    pub const SECTOR_CONTENT_CHANGED: u64 = 2034386435;
}
/// The market actor.
pub mod market {
    #![allow(missing_docs)]
    pub const ADD_BALANCE: u64 = 2;
    pub const WITHDRAW_BALANCE: u64 = 3;
    pub const PUBLISH_STORAGE_DEALS: u64 = 4;
    pub const ON_MINER_SECTORS_TERMINATE: u64 = 7;
    pub const CRON_TICK: u64 = 9;
    pub const ADD_BALANCE_EXPORTED: u64 = 822473126;
    pub const WITHDRAW_BALANCE_EXPORTED: u64 = 2280458852;
    pub const PUBLISH_STORAGE_DEALS_EXPORTED: u64 = 2236929350;
    pub const GET_BALANCE: u64 = 726108461;
    pub const GET_DEAL_DATA_COMMITMENT: u64 = 1157985802;
    pub const GET_DEAL_CLIENT: u64 = 128053329;
    pub const GET_DEAL_PROVIDER: u64 = 935081690;
    pub const GET_DEAL_LABEL: u64 = 46363526;
    pub const GET_DEAL_TERM: u64 = 163777312;
    pub const GET_DEAL_TOTAL_PRICE: u64 = 4287162428;
    pub const GET_DEAL_CLIENT_COLLATERAL: u64 = 200567895;
    pub const GET_DEAL_PROVIDER_COLLATERAL: u64 = 2986712137;
    pub const GET_DEAL_VERIFIED: u64 = 2627389465;
    pub const GET_DEAL_ACTIVATION: u64 = 2567238399;
    pub const GET_DEAL_SECTOR: u64 = 2611213344;
    pub const SETTLE_DEAL_PAYMENTS: u64 = 1900091594;
    /// Sent by the market to a client that is not an account.
    pub const MARKET_NOTIFY_DEAL: u64 = 4186741094;
}
/// The Ethereum address manager.
pub mod eam {
    #![allow(missing_docs)]
    pub const CREATE: u64 = 2;
    pub const CREATE2: u64 = 3;
    pub const CREATE_EXTERNAL: u64 = 4;
}
/// Contracts.
pub mod evm {
    #![allow(missing_docs)]
    pub const RESURRECT: u64 = 2;
    pub const GET_BYTECODE: u64 = 3;
    pub const GET_BYTECODE_HASH: u64 = 4;
    pub const GET_STORAGE_AT: u64 = 5;
    pub const INVOKE_CONTRACT_DELEGATE: u64 = 6;
    /// FRC-0042 `InvokeEVM`.
    pub const INVOKE_CONTRACT: u64 = 3844450837;
}
/// Multisig wallets.
pub mod multisig {
    #![allow(missing_docs)]
    pub const PROPOSE: u64 = 2;
    pub const APPROVE: u64 = 3;
    pub const CANCEL: u64 = 4;
    pub const ADD_SIGNER: u64 = 5;
    pub const REMOVE_SIGNER: u64 = 6;
    pub const SWAP_SIGNER: u64 = 7;
    pub const CHANGE_NUM_APPROVALS_THRESHOLD: u64 = 8;
    pub const LOCK_BALANCE: u64 = 9;
    pub const UNIVERSAL_RECEIVER_HOOK: u64 = 3726118371;
}
/// Payment channels.
pub mod paymentchannel {
    #![allow(missing_docs)]
    pub const UPDATE_CHANNEL_STATE: u64 = 2;
    pub const SETTLE: u64 = 3;
    pub const COLLECT: u64 = 4;
}
/// Datacap.
pub mod datacap {
    #![allow(missing_docs)]
    pub const NAME: u64 = 48890204;
    pub const SYMBOL: u64 = 2061153854;
    pub const GRANULARITY: u64 = 3936767397;
    pub const TOTAL_SUPPLY: u64 = 114981429;
    pub const BALANCE: u64 = 3261979605;
    pub const ALLOWANCE: u64 = 4205072950;
}
/// The verified registry.
pub mod verifreg {
    #![allow(missing_docs)]
    pub const GET_CLAIMS: u64 = 10;
    pub const GET_CLAIMS_EXPORTED: u64 = 2199871187;
    /// AddVerifier, RemoveVerifier, AddVerifiedClient, RemoveVerifiedClientDataCap, RemoveExpiredAllocations,
    /// ClaimAllocations, ExtendClaimTerms, RemoveExpiredClaims, and the exported ones of them; Receive.
    pub const FROZEN: [u64; 13] =
        [2, 3, 4, 7, 8, 9, 11, 12, 3916220144, 2421068268, 1752273514, 2873373899, 3726118371];
}
