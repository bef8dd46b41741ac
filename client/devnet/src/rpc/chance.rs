//! Randomness, as actors are given it.
//!
//! There is no drand here: an epoch's beacon entry is made so that its hash is the randomness that the VM hands out.
//! Source: lotus `chain/rand/rand.go` (`DrawRandomnessFromDigest`), `node/impl/full/state.go`.

use bauta_client::node::json::BytesJson;
use fvm_shared::clock::ChainEpoch;
use serde_json::json;

use super::args::answer;
use super::chain::find;
use super::{Answer, Args, Method, RpcError};
use crate::chain::Chain;
use crate::vm::{Source, blake2b, randomness, seed};

pub(super) const METHODS: &[Method] = &[
    Method::read("Filecoin.StateGetRandomnessFromTickets", 4, drawn_from_tickets),
    Method::read("Filecoin.StateGetRandomnessFromBeacon", 4, drawn_from_beacon),
    Method::read("Filecoin.StateGetRandomnessDigestFromTickets", 2, from_tickets),
    Method::read("Filecoin.StateGetRandomnessDigestFromBeacon", 2, from_beacon),
    Method::read("Filecoin.StateGetBeaconEntry", 1, entry),
];

/// Nobody learns the randomness of an epoch that is still to come.
fn known(epoch: ChainEpoch, head: ChainEpoch) -> Result<ChainEpoch, RpcError> {
    if epoch > head {
        return Err(RpcError::application(format!("cannot draw randomness from the future: {epoch} > {head}")));
    }
    Ok(epoch)
}

fn digest(chain: &Chain, args: &Args, source: Source, epoch: usize, key: usize) -> Result<[u8; 32], RpcError> {
    let head = find(chain, &args.key(key)?)?.height;
    Ok(randomness(source, known(args.get(epoch)?, head)?))
}

fn drawn(chain: &Chain, args: &Args, source: Source) -> Answer {
    let (tag, epoch): (i64, ChainEpoch) = (args.get(0)?, args.get(1)?);
    let BytesJson(entropy) = args.get(2)?;
    let base = digest(chain, args, source, 1, 3)?;
    let bytes = [&tag.to_be_bytes(), base.as_slice(), &epoch.to_be_bytes(), &entropy].concat();
    answer(BytesJson(blake2b(&bytes).to_vec()))
}

fn drawn_from_tickets(chain: &mut Chain, args: &Args) -> Answer {
    drawn(chain, args, Source::Chain)
}

fn drawn_from_beacon(chain: &mut Chain, args: &Args) -> Answer {
    drawn(chain, args, Source::Beacon)
}

fn from_tickets(chain: &mut Chain, args: &Args) -> Answer {
    answer(BytesJson(digest(chain, args, Source::Chain, 0, 1)?.to_vec()))
}

fn from_beacon(chain: &mut Chain, args: &Args) -> Answer {
    answer(BytesJson(digest(chain, args, Source::Beacon, 0, 1)?.to_vec()))
}

fn entry(chain: &mut Chain, args: &Args) -> Answer {
    let epoch = known(args.get(0)?, chain.epoch())?;
    let round = u64::try_from(epoch).map_err(|_| args.refuse(0, "no epoch is negative"))?;
    answer(json!({ "Round": round, "Data": BytesJson(seed(Source::Beacon, epoch)) }))
}
