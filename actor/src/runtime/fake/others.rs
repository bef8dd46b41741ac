//! The market and the miners, as far as we ask them.

use cid::Cid;
use fvm_ipld_encoding::ipld_block::IpldBlock;
use fvm_ipld_encoding::{BytesDe, from_slice};
use fvm_shared::ActorID;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::error::ExitCode;
use fvm_shared::piece::PaddedPieceSize;
use serde::Serialize;

use super::{Answer, Chain};
use crate::ext;

/// A sector of a miner.
#[derive(Debug, Clone)]
pub struct Sector {
    /// FIP-0112: 0 dead, 1 active, 2 faulty.
    pub status: u8,
    /// Where it is.
    pub location: Vec<u8>,
    /// When it expires.
    pub expiration: ChainEpoch,
}

/// A deal of the market.
#[derive(Debug, Clone)]
pub struct Deal {
    /// What is stored.
    pub piece: Cid,
    /// Padded.
    pub size: PaddedPieceSize,
    /// By whom.
    pub provider: ActorID,
    /// From when it is paid for.
    pub start: ChainEpoch,
    /// For how long.
    pub duration: ChainEpoch,
    /// When it was activated, -1 for not yet.
    pub activated: ChainEpoch,
    /// When it was terminated, -1 for never.
    pub terminated: ChainEpoch,
    /// Where; none if it is not activated.
    pub sector: Option<u64>,
}

const NOT_FOUND: ExitCode = ExitCode::USR_NOT_FOUND;
/// The market's EX_DEAL_NOT_ACTIVATED.
const NOT_ACTIVATED: ExitCode = ExitCode::new(33);

impl Chain {
    /// Answers as the built-in actors do (builtin-actors v18).
    pub(super) fn answer(&self, to: ActorID, method: u64, params: &IpldBlock) -> Answer {
        let answered = if to == ext::MARKET {
            self.market(method, &params.data)
        } else if self.actors.get(&to).is_some_and(|actor| actor.kind == Some(ext::MINER_TYPE)) {
            self.miner(to, method, &params.data)
        } else {
            Err(ExitCode::SYS_INVALID_RECEIVER)
        };
        match answered {
            Ok(data) => Answer { exit: ExitCode::OK, data: Some(data) },
            Err(exit) => Answer { exit, data: None },
        }
    }

    fn market(&self, method: u64, params: &[u8]) -> Result<IpldBlock, ExitCode> {
        let id: u64 = from_slice(params).map_err(|_| ExitCode::USR_SERIALIZATION)?;
        let deal = self.deals.get(&id).ok_or(NOT_FOUND)?;
        match method {
            ext::GET_DEAL_DATA_COMMITMENT => cbor(&(deal.piece, deal.size)),
            ext::GET_DEAL_PROVIDER => cbor(&deal.provider),
            ext::GET_DEAL_TERM => cbor(&(deal.start, deal.duration)),
            ext::GET_DEAL_ACTIVATION => cbor(&(deal.activated, deal.terminated)),
            ext::GET_DEAL_SECTOR => cbor(&deal.sector.ok_or(NOT_ACTIVATED)?),
            _ => Err(ExitCode::USR_UNHANDLED_MESSAGE),
        }
    }

    fn miner(&self, miner: ActorID, method: u64, params: &[u8]) -> Result<IpldBlock, ExitCode> {
        match method {
            ext::VALIDATE_SECTOR_STATUS => {
                let (number, status, aux): (u64, u8, BytesDe) =
                    from_slice(params).map_err(|_| ExitCode::USR_SERIALIZATION)?;
                let sector = self.sectors.get(&(miner, number)).ok_or(NOT_FOUND)?;
                if sector.location != aux.0 {
                    return Err(NOT_FOUND);
                }
                cbor(&(sector.status == status))
            }
            ext::GET_NOMINAL_SECTOR_EXPIRATION => {
                let number: u64 = from_slice(params).map_err(|_| ExitCode::USR_SERIALIZATION)?;
                cbor(&self.sectors.get(&(miner, number)).ok_or(NOT_FOUND)?.expiration)
            }
            _ => Err(ExitCode::USR_UNHANDLED_MESSAGE),
        }
    }
}

fn cbor(value: &impl Serialize) -> Result<IpldBlock, ExitCode> {
    IpldBlock::serialize_cbor(value).ok().flatten().ok_or(ExitCode::USR_SERIALIZATION)
}
