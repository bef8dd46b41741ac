//! What a provider's software sends to its miner actor, to the power actor and to the market: numbers, params, proofs.
//!
//! The proofs are those that actors built with `testing-fake-proofs` take. Nothing else is peculiar to a devnet.
//!
//! Source: builtin-actors `actors/{miner,power,market}/src/types.rs`; the fake proofs: `runtime/src/runtime/fvm.rs`.

use anyhow::{Result, ensure};
pub use bauta_system_actors::method::market::{
    ADD_BALANCE_EXPORTED as ADD_BALANCE, GET_BALANCE, PUBLISH_STORAGE_DEALS_EXPORTED as PUBLISH_STORAGE_DEALS,
};
pub use bauta_system_actors::method::miner::{
    CHANGE_MULTIADDRS_EXPORTED as CHANGE_MULTIADDRS, DECLARE_FAULTS_RECOVERED, GENERATE_SECTOR_LOCATION,
    GET_MULTIADDRS, PRE_COMMIT_SECTOR_BATCH2, PROVE_COMMIT_SECTORS3, SUBMIT_WINDOWED_POST, TERMINATE_SECTORS,
};
pub use bauta_system_actors::method::power::CREATE_MINER_EXPORTED as CREATE_MINER;
use cid::Cid;
use fvm_ipld_bitfield::BitField;
use fvm_ipld_encoding::{BytesDe, BytesSer, RawBytes, to_vec};
use fvm_shared::ActorID;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::deal::DealID;
use fvm_shared::piece::PaddedPieceSize;
use fvm_shared::randomness::RANDOMNESS_LENGTH;
use fvm_shared::sector::{PoStProof, RegisteredPoStProof, RegisteredSealProof, SectorInfo, SectorNumber};
use multihash_codetable::{Code, MultihashDigest};
use serde::Serialize;

use crate::vm::{Source, blake2b, randomness};

pub const POWER: Address = Address::new_id(4);
pub const MARKET: Address = Address::new_id(5);

/// Sector size and the proof types that go with it.
pub const SECTOR_SIZE: PaddedPieceSize = PaddedPieceSize(32 << 30);
const SEAL: RegisteredSealProof = RegisteredSealProof::StackedDRG32GiBV1P1;
pub const POST: RegisteredPoStProof = RegisteredPoStProof::StackedDRGWindow32GiBV1P1;

pub const PROVING_PERIOD: ChainEpoch = 2880;
pub const CHALLENGE_WINDOW: ChainEpoch = 60;
pub const CHALLENGE_LOOKBACK: ChainEpoch = 20;
/// Epochs before a deadline opens from which on recoveries of it are declared too late.
pub const DECLARATION_CUTOFF: ChainEpoch = 70;
/// Epochs from a pre-commit to the first epoch that takes its proof. 151 on public networks.
pub const SEALING_DELAY: ChainEpoch = 11;
/// Deadlines that one message may prove partitions of.
pub const PARTITIONS_PER_POST: usize = 3;

/// Domain separation tags of chain randomness.
const TAG_WINDOWED_POST: i64 = 4;
const TAG_POST_CHAIN_COMMIT: i64 = 9;

/// A sector that is to be sealed with one piece.
#[derive(Clone, Debug)]
pub struct NewSector {
    pub number: SectorNumber,
    pub piece: Cid,
    pub size: PaddedPieceSize,
    pub expiration: ChainEpoch,
    pub notify: Option<(Address, Vec<u8>)>,
}

/// Where a sector is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    pub deadline: u64,
    pub partition: u64,
}

/// What the miner says of a sector (FIP-0112).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Dead,
    Active(Location),
    Faulty(Location),
}

fn params(value: impl Serialize) -> RawBytes {
    RawBytes::serialize(value).expect("params hold only what CBOR can write")
}

/// The peer id of the provider `index`.
pub fn peer(index: u64) -> String {
    format!("bauta devnet provider {index}")
}

pub fn create_miner(owner: Address, worker: Address, peer: &str, multiaddr: &[u8]) -> RawBytes {
    params((owner, worker, POST, BytesSer(peer.as_bytes()), vec![BytesSer(multiaddr)]))
}

pub fn change_multiaddrs(multiaddr: &[u8]) -> RawBytes {
    params((vec![BytesSer(multiaddr)],))
}

pub fn pre_commit(miner: ActorID, sectors: &[NewSector], now: ChainEpoch) -> Result<RawBytes> {
    let mut infos = Vec::with_capacity(sectors.len());
    for sector in sectors {
        let comm_d = bauta_client::piece::comm_d(&[(sector.piece, sector.size)], SECTOR_SIZE)?;
        // Deals are activated by notification, so none are named here.
        let deals = Vec::<DealID>::new();
        infos.push((
            SEAL,
            sector.number,
            sealed_cid(miner, sector.number),
            now - 1,
            deals,
            sector.expiration,
            Some(comm_d),
        ));
    }
    Ok(params((infos,)))
}

/// `require_notification_success` is set, as it is by default in Curio.
pub fn prove_commit(sectors: &[NewSector]) -> RawBytes {
    type Manifest<'a> = (Cid, PaddedPieceSize, Option<(ActorID, u64)>, Vec<(Address, BytesSer<'a>)>);
    let activations: Vec<(SectorNumber, Vec<Manifest<'_>>)> = sectors
        .iter()
        .map(|sector| {
            let notify = sector.notify.iter().map(|(to, payload)| (*to, BytesSer(payload))).collect();
            (sector.number, vec![(sector.piece, sector.size, None, notify)])
        })
        .collect();
    let proofs: Vec<BytesSer<'_>> = sectors.iter().map(|_| BytesSer(b"fake seal proof")).collect();
    params((activations, proofs, BytesSer(&[]), None::<i64>, true, true))
}

/// Proves partitions of one deadline that opened at `open`. `sectors` are those of all the partitions in order; where one
/// cannot be proven, a good one of its partition stands in for it.
pub fn window_post(
    miner: ActorID,
    deadline: u64,
    partitions: &[u64],
    sectors: &[SectorNumber],
    open: ChainEpoch,
    now: ChainEpoch,
) -> Result<RawBytes> {
    ensure!((open..open + CHALLENGE_WINDOW).contains(&now), "deadline {deadline} is not open at {now}");
    let proof_bytes = fake_post(miner, open - CHALLENGE_LOOKBACK, sectors);
    let commit = now - 1;
    let commit_randomness = draw(&randomness(Source::Chain, commit), TAG_POST_CHAIN_COMMIT, commit, &[]);
    let partitions: Vec<_> = partitions.iter().map(|index| (*index, BitField::new())).collect();
    let proofs = vec![PoStProof { post_proof: POST, proof_bytes }];
    Ok(params((deadline, partitions, proofs, commit, BytesSer(&commit_randomness))))
}

/// `TerminateSectors` and `DeclareFaultsRecovered` take the same form.
pub fn declare(sectors: &[(SectorNumber, Location)]) -> Result<RawBytes> {
    let mut places: Vec<(u64, u64, Vec<SectorNumber>)> = Vec::new();
    for (number, at) in sectors {
        match places.iter_mut().find(|(d, p, _)| (*d, *p) == (at.deadline, at.partition)) {
            Some(place) => place.2.push(*number),
            None => places.push((at.deadline, at.partition, vec![*number])),
        }
    }
    let mut declarations = Vec::with_capacity(places.len());
    for (deadline, partition, numbers) in places {
        declarations.push((deadline, partition, BitField::try_from_bits(numbers)?));
    }
    Ok(params((declarations,)))
}

pub fn locate(sector: SectorNumber) -> RawBytes {
    params((sector,))
}

/// Reads `GenerateSectorLocation`'s return.
pub fn standing(value: &RawBytes) -> Result<Standing> {
    let (status, aux): (u8, BytesDe) = value.deserialize()?;
    let (deadline, partition): (i64, i64) = fvm_ipld_encoding::from_slice(&aux.0)?;
    let at = || -> Result<Location> {
        Ok(Location { deadline: u64::try_from(deadline)?, partition: u64::try_from(partition)? })
    };
    Ok(match status {
        1 => Standing::Active(at()?),
        2 => Standing::Faulty(at()?),
        _ => Standing::Dead,
    })
}

/// An invented replica commitment, another one for each sector.
fn sealed_cid(miner: ActorID, sector: SectorNumber) -> Cid {
    let mut root = blake2b(format!("replica {miner}/{sector}").as_bytes());
    root[31] &= 0x3f;
    fvm_shared::commcid::replica_commitment_v1_to_cid(&root).expect("32 bytes with two clear bits")
}

/// sha256 of the challenge's randomness and the CBOR of every sector's `[proof, number, sealed CID]`.
fn fake_post(miner: ActorID, challenge: ChainEpoch, sectors: &[SectorNumber]) -> Vec<u8> {
    let entropy = to_vec(&Address::new_id(miner)).expect("an address has a CBOR form");
    let mut seed = draw(&randomness(Source::Beacon, challenge), TAG_WINDOWED_POST, challenge, &entropy);
    // It is read as a field element.
    seed[31] &= 0x3f;
    let mut input = seed.to_vec();
    for number in sectors {
        let info = SectorInfo { proof: SEAL, sector_number: *number, sealed_cid: sealed_cid(miner, *number) };
        input.extend(to_vec(&info).expect("sector infos have a CBOR form"));
    }
    Code::Sha2_256.digest(&input).digest().to_vec()
}

/// Randomness as actors draw it: blake2b(tag ‖ base ‖ epoch ‖ entropy).
fn draw(base: &[u8; RANDOMNESS_LENGTH], tag: i64, epoch: ChainEpoch, entropy: &[u8]) -> [u8; RANDOMNESS_LENGTH] {
    blake2b(&[&tag.to_be_bytes()[..], base, &epoch.to_be_bytes(), entropy].concat())
}
