//! The network's numbers: those of built-in actors v18 built with `testing-fake-proofs`, unless said otherwise.
//!
//! Source: builtin-actors, `runtime/src/runtime/policy.rs` and the policies of the single actors.

use fvm_shared::clock::ChainEpoch;
use fvm_shared::sector::{RegisteredPoStProof, RegisteredSealProof};

/// Epochs in a day, at 30 seconds an epoch.
pub const DAY: ChainEpoch = 2880;
/// Epochs in which every sector is proven once.
pub const PROVING_PERIOD: ChainEpoch = DAY;
/// Epochs in which one deadline takes proofs.
pub const CHALLENGE_WINDOW: ChainEpoch = 60;
/// Deadlines in a proving period.
pub const DEADLINES: u64 = 48;
/// Epochs before a deadline opens at which its challenge is drawn.
pub const CHALLENGE_LOOKBACK: ChainEpoch = 20;
/// Epochs before a deadline opens from which on faults and recoveries of it are declared too late.
pub const DECLARATION_CUTOFF: ChainEpoch = CHALLENGE_LOOKBACK + 50;
/// Epochs a sector may stay faulty before it is terminated.
pub const FAULT_MAX_AGE: ChainEpoch = 42 * PROVING_PERIOD;
/// Epochs from a pre-commit to its interactive challenge: the first epoch for the proof is one later. 150 on public
/// networks.
pub const PRE_COMMIT_CHALLENGE_DELAY: ChainEpoch = 10;
/// Epochs a pre-commit may wait for its proof.
pub const MAX_PROVE_COMMIT_DURATION: ChainEpoch = 30 * DAY + PRE_COMMIT_CHALLENGE_DELAY;
/// Epochs after which an overdue pre-commit loses its deposit.
pub const PRE_COMMIT_CLEAN_UP_DELAY: ChainEpoch = 8 * 120;
/// Oldest seal randomness of a pre-commit.
pub const MAX_SEAL_LOOKBACK: ChainEpoch = DAY + FINALITY;
/// Epochs after which the chain is taken for settled.
pub const FINALITY: ChainEpoch = 900;
/// Shortest and longest life of a sector, in epochs.
pub const SECTOR_LIFE: (ChainEpoch, ChainEpoch) = (180 * DAY, 1278 * DAY);
/// Longest life a seal proof allows, in epochs.
pub const SEAL_MAX_LIFE: ChainEpoch = 5 * 365 * DAY;
/// Largest sector number.
pub const MAX_SECTOR_NUMBER: u64 = i64::MAX as u64;
/// Most partitions and most sectors one message may address.
pub const ADDRESSED_MAX: (u64, u64) = (3000, 25_000);
/// Most partitions one proof message may prove.
pub const POSTED_PARTITIONS_MAX: u64 = 3;
/// Most partitions of one deadline.
pub const PARTITIONS_MAX: u64 = 3000;
/// Most control addresses of a miner.
pub const CONTROL_ADDRESSES_MAX: usize = 10;
/// Longest peer id, in bytes.
pub const PEER_ID_MAX: usize = 128;
/// Longest sum of all multiaddresses, in bytes.
pub const MULTIADDRS_MAX: usize = 1024;

/// Smallest power with which a miner counts, in bytes.
pub const MIN_CONSENSUS_POWER: i64 = 2 << 10;
/// Miners above the minimum from which on smaller ones stop counting.
pub const MIN_CONSENSUS_MINERS: i64 = 4;
/// Power for which a new miner deposits pledge (FIP-0077), in bytes.
pub const CREATE_MINER_POWER: i64 = MIN_CONSENSUS_POWER / 10;

/// Shortest and longest deal, in epochs.
pub const DEAL_DURATION: (ChainEpoch, ChainEpoch) = (180 * DAY, 1278 * DAY);
/// Epochs between two looks at the same deal by cron.
pub const DEAL_UPDATES_INTERVAL: ChainEpoch = 30 * DAY;
/// Longest label of a deal, in bytes.
pub const LABEL_MAX: usize = 256;

/// Whether miners may prove with this proof type: window PoSt V1.1 of any sector size.
pub fn is_valid_post(proof: RegisteredPoStProof) -> bool {
    use RegisteredPoStProof::*;
    matches!(
        proof,
        StackedDRGWindow2KiBV1P1
            | StackedDRGWindow8MiBV1P1
            | StackedDRGWindow512MiBV1P1
            | StackedDRGWindow32GiBV1P1
            | StackedDRGWindow64GiBV1P1
    )
}

/// Whether sectors may be sealed with this proof type: V1.1 of any sector size, synthetic or not.
pub fn is_valid_seal(proof: RegisteredSealProof) -> bool {
    use RegisteredSealProof::*;
    matches!(
        proof,
        StackedDRG2KiBV1P1
            | StackedDRG8MiBV1P1
            | StackedDRG512MiBV1P1
            | StackedDRG32GiBV1P1
            | StackedDRG64GiBV1P1
            | StackedDRG2KiBV1P1_Feat_SyntheticPoRep
            | StackedDRG8MiBV1P1_Feat_SyntheticPoRep
            | StackedDRG512MiBV1P1_Feat_SyntheticPoRep
            | StackedDRG32GiBV1P1_Feat_SyntheticPoRep
            | StackedDRG64GiBV1P1_Feat_SyntheticPoRep
    )
}
