//! Telling others what a sector holds (FIP-0076, FIP-0109).

use std::collections::BTreeMap;

use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use fvm_shared::econ::TokenAmount;
use fvm_shared::error::ExitCode;
use fvm_shared::sector::SectorNumber;
use fvm_shared::sys::SendFlags;

use super::commit::PieceManifest;
use crate::abi::{PieceChange, SectorChanges};
use crate::failure::{Failure, Result, failure};
use crate::method::miner::SECTOR_CONTENT_CHANGED;
use crate::runtime::{block, try_send};

const SEND_FAILED: u32 = 1001;
const RECEIVER_ABORTED: u32 = 1002;
const RESPONSE_INVALID: u32 = 1003;
const REJECTED: u32 = 1004;

/// Sends one message to each receiver named in the pieces of these sectors (number, expiration, pieces), in order of
/// receivers' addresses. With `strict`, whatever a receiver does but accept every piece fails the message.
///
/// Errors, if strict: 1001: not sent; 1002: aborted; 1003: no or a misshapen answer; 1004: a piece was rejected.
pub fn notify(sectors: &[(SectorNumber, ChainEpoch, &[PieceManifest])], strict: bool) -> Result<()> {
    let mut by_receiver: BTreeMap<Address, BTreeMap<SectorNumber, SectorChanges>> = BTreeMap::new();
    for (sector, expiration, pieces) in sectors {
        for piece in *pieces {
            for (receiver, payload) in &piece.notify {
                by_receiver
                    .entry(*receiver)
                    .or_default()
                    .entry(*sector)
                    .or_insert_with(|| SectorChanges {
                        sector: *sector,
                        minimum_commitment_epoch: *expiration,
                        added: vec![],
                    })
                    .added
                    .push(PieceChange { data: piece.cid, size: piece.size, payload: payload.clone() });
            }
        }
    }
    for (receiver, changes) in by_receiver {
        let changes: Vec<SectorChanges> = changes.into_values().collect();
        let told = tell(&receiver, &changes);
        if strict {
            told?;
        }
    }
    Ok(())
}

fn tell(receiver: &Address, changes: &Vec<SectorChanges>) -> Result<()> {
    let fail = |code, why| -> Failure { failure(ExitCode::new(code), why) };
    let sent =
        try_send(receiver, SECTOR_CONTENT_CHANGED, block(changes)?, TokenAmount::default(), SendFlags::default());
    let response = sent.map_err(|_| fail(SEND_FAILED, "notification not sent"))?;
    if !response.exit_code.is_success() {
        return Err(fail(RECEIVER_ABORTED, "notified actor aborted"));
    }
    let invalid = || fail(RESPONSE_INVALID, "notified actor answered with nonsense");
    let accepted: Vec<Vec<bool>> = response.return_data.ok_or_else(invalid)?.deserialize().map_err(|_| invalid())?;
    if accepted.len() != changes.len() {
        return Err(invalid());
    }
    for (change, accepted) in changes.iter().zip(&accepted) {
        if change.added.len() != accepted.len() {
            return Err(invalid());
        }
        if accepted.contains(&false) {
            return Err(fail(REJECTED, "notified actor rejected a piece"));
        }
    }
    Ok(())
}
