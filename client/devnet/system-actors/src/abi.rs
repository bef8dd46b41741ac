//! Params and returns that more than one actor speaks.

use cid::Cid;
use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::tuple::*;
use fvm_ipld_encoding::{BytesDe, RawBytes, strict_bytes};
use fvm_shared::address::Address;
use fvm_shared::bigint::{BigInt, bigint_ser};
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::piece::PaddedPieceSize;
use fvm_shared::sector::{RegisteredPoStProof, SectorNumber, StoragePower};

/// Init: Exec.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct ExecParams {
    /// Code of the new actor.
    pub code: Cid,
    /// Params of its constructor.
    pub constructor_params: RawBytes,
}

/// Init: Exec4.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct Exec4Params {
    /// Code of the new actor.
    pub code: Cid,
    /// Params of its constructor.
    pub constructor_params: RawBytes,
    /// Its f4 address below the caller's namespace.
    pub subaddress: RawBytes,
}

/// What creating an actor returns: Exec, Exec4, CreateMiner.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct Created {
    /// Id address.
    pub id: Address,
    /// Address that survives reorganisations (f2).
    pub robust: Address,
}

/// Power: CreateMiner.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct CreateMinerParams {
    /// Owner of the miner.
    pub owner: Address,
    /// Account that signs for it: a BLS account.
    pub worker: Address,
    /// Proof type, and with it the sector size.
    pub post_proof: RegisteredPoStProof,
    /// libp2p peer id.
    #[serde(with = "strict_bytes")]
    pub peer: Vec<u8>,
    /// Where it can be reached, as binary multiaddresses.
    pub multiaddrs: Vec<BytesDe>,
}

/// Miner: constructor.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct MinerConstructorParams {
    /// Owner of the miner.
    pub owner: Address,
    /// Account that signs for it: a BLS account.
    pub worker: Address,
    /// More accounts that may.
    pub control: Vec<Address>,
    /// Proof type, and with it the sector size.
    pub post_proof: RegisteredPoStProof,
    /// libp2p peer id.
    #[serde(with = "strict_bytes")]
    pub peer: Vec<u8>,
    /// Where it can be reached, as binary multiaddresses.
    pub multiaddrs: Vec<BytesDe>,
}

/// Power: UpdateClaimedPower, and what MinerPower returns. Bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Power {
    /// Raw bytes.
    #[serde(with = "bigint_ser")]
    pub raw: StoragePower,
    /// Quality-adjusted bytes.
    #[serde(with = "bigint_ser")]
    pub quality_adjusted: StoragePower,
}

/// Power: EnrollCronEvent.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct EnrollCronEventParams {
    /// When to call back.
    pub epoch: ChainEpoch,
    /// What to say then.
    pub payload: RawBytes,
}

/// Position and velocity of a filtered estimate, both Q.128.
#[derive(Debug, Clone, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct Estimate {
    /// Value.
    #[serde(with = "bigint_ser")]
    pub position: BigInt,
    /// Change per epoch.
    #[serde(with = "bigint_ser")]
    pub velocity: BigInt,
}

impl Estimate {
    /// An estimate that stands still.
    pub fn of(value: &BigInt) -> Self {
        Self { position: value << 128, velocity: BigInt::from(0) }
    }
}

/// Power: CurrentTotalPower.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct TotalPower {
    /// Raw bytes.
    #[serde(with = "bigint_ser")]
    pub raw: StoragePower,
    /// Quality-adjusted bytes.
    #[serde(with = "bigint_ser")]
    pub quality_adjusted: StoragePower,
    /// Pledge of all miners.
    pub pledge: TokenAmount,
    /// Quality-adjusted bytes, filtered.
    pub smoothed: Estimate,
    /// FIP-0081: always 0 here.
    pub ramp_start_epoch: i64,
    /// FIP-0081: always 0 here.
    pub ramp_duration_epochs: u64,
}

/// Reward: ThisEpochReward.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct EpochReward {
    /// attoFIL.
    pub smoothed: Estimate,
    /// Bytes.
    #[serde(with = "bigint_ser")]
    pub baseline: StoragePower,
}

/// Miner: OnDeferredCronEvent.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct DeferredCronEventParams {
    /// What the miner wanted to be told.
    #[serde(with = "strict_bytes")]
    pub payload: Vec<u8>,
    /// Reward estimate.
    pub reward: Estimate,
    /// Power estimate.
    pub power: Estimate,
}

/// Reward to miner: ApplyRewards.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct ApplyRewardParams {
    /// What came with the message.
    pub reward: TokenAmount,
    /// What to burn of it.
    pub penalty: TokenAmount,
}

/// Miner: ControlAddresses.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct ControlAddresses {
    /// Owner.
    pub owner: Address,
    /// Worker.
    pub worker: Address,
    /// Control addresses.
    pub control: Vec<Address>,
}

/// Miner to whom it may concern: what one sector now holds (SectorContentChanged).
#[derive(Debug, Clone, Serialize_tuple, Deserialize_tuple)]
pub struct SectorChanges {
    /// Sector number.
    pub sector: SectorNumber,
    /// Epoch until which the miner has committed to it.
    pub minimum_commitment_epoch: ChainEpoch,
    /// Pieces.
    pub added: Vec<PieceChange>,
}

/// One piece of a [`SectorChanges`].
#[derive(Debug, Clone, Serialize_tuple, Deserialize_tuple)]
pub struct PieceChange {
    /// Piece CID.
    pub data: Cid,
    /// Padded size.
    pub size: PaddedPieceSize,
    /// The provider's word to the receiver.
    pub payload: RawBytes,
}

/// Miner to market: OnMinerSectorsTerminate.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct SectorsTerminateParams {
    /// When.
    pub epoch: ChainEpoch,
    /// Sector numbers.
    pub sectors: BitField,
}

/// Result of a batch: how many worked, and which did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize_tuple, Deserialize_tuple)]
pub struct BatchReturn {
    /// Number of successes.
    pub successes: u32,
    /// Index and exit code of each failure.
    pub failures: Vec<(u32, ExitCode)>,
}

impl BatchReturn {
    /// Records the result of the next element.
    pub fn push(&mut self, code: ExitCode) {
        if code.is_success() {
            self.successes += 1;
        } else {
            self.failures.push((self.successes + self.failures.len() as u32, code));
        }
    }
}

/// Account: AuthenticateMessage.
#[derive(Serialize_tuple, Deserialize_tuple)]
pub struct AuthenticateMessageParams {
    /// Signature without its type byte.
    #[serde(with = "strict_bytes")]
    pub signature: Vec<u8>,
    /// What was signed.
    #[serde(with = "strict_bytes")]
    pub message: Vec<u8>,
}
