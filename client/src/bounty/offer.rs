//! The deal with which a provider earns a bounty: the piece, where to fetch it, how long, and whom the miner has to tell.

use bauta_abi::{BountyId, Terms, notification_payload};
use cid::Cid;
use fvm_shared::address::Address;
use fvm_shared::clock::ChainEpoch;
use reqwest::Url;

use super::BountyError;
use crate::actor::Actor;
use crate::address::Prefix;
use crate::deal::mk20::Deal;
use crate::deal::{DealId, MAX_DURATION, MIN_DURATION, Origin, Proposal, Timeouts};
use crate::piece::{PieceInfo, padded_size_of, parse_piece_cid_v2};

/// Epochs beyond the bounty's own: a claim needs a sector that lives as long as the bounty *from the claim on*, and sealing takes its time.
const MARGIN: ChainEpoch = 2 * 2880;

/// What is proposed to a provider so that it earns a bounty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The bounty.
    pub bounty: BountyId,
    /// What it stores.
    pub proposal: Proposal,
}

impl Offer {
    /// Says what to propose.
    ///
    /// Errors: TooLong: no deal is that long.
    pub fn new(
        actor: &Address,
        bounty: BountyId,
        terms: &Terms,
        piece: PieceInfo,
        source: String,
    ) -> Result<Self, BountyError> {
        if terms.min_duration > MAX_DURATION {
            return Err(BountyError::TooLong(bounty));
        }
        let duration = terms.min_duration.saturating_add(MARGIN).clamp(MIN_DURATION, MAX_DURATION);
        let notify = Some((*actor, notification_payload(bounty)));
        Ok(Self { bounty, proposal: Proposal { piece, origin: Origin::Http(source), duration, notify } })
    }

    /// The form that a provider's market takes; `client` signs the request.
    pub fn deal(&self, id: DealId, client: &Address, provider: Address, letter: Prefix) -> Deal {
        Deal::of(id, client, provider, &self.proposal, letter)
    }
}

/// The piece of a bounty with the size of its payload, which the terms do not hold: out of the file that the bounty names, the source's URL, or
/// what the source says. A provider checks it against the commitment.
///
/// Errors: UnknownSize.
pub async fn piece_of(actor: &Actor, id: BountyId, terms: &Terms, source: &str) -> Result<PieceInfo, BountyError> {
    if let Some(file) = terms.file_id
        && let Some(record) = actor.file(file).await?
    {
        let piece = crate::fetch::piece_of(&record.file);
        if is_of(&piece, terms) {
            return Ok(piece);
        }
    }
    if let Some(piece) = named_in(source).filter(|piece| is_of(piece, terms)) {
        return Ok(piece);
    }
    let said = length_of(source).await.and_then(|length| with_size(terms, length));
    said.ok_or(BountyError::UnknownSize(id))
}

/// The piece of a bounty, if its payload has this size.
pub fn with_size(terms: &Terms, payload_size: u64) -> Option<PieceInfo> {
    let piece = PieceInfo { piece_cid: terms.piece_cid, padded_size: terms.padded_size, payload_size };
    (padded_size_of(payload_size) == Ok(terms.padded_size)).then_some(piece)
}

fn is_of(piece: &PieceInfo, terms: &Terms) -> bool {
    piece.piece_cid == terms.piece_cid && piece.padded_size == terms.padded_size
}

/// The v2 piece CID at the end of a URL's path.
fn named_in(source: &str) -> Option<PieceInfo> {
    let url = Url::parse(source).ok()?;
    let last = url.path_segments()?.next_back()?.to_string();
    parse_piece_cid_v2(&Cid::try_from(last).ok()?).ok()
}

/// How many bytes a source says it has.
async fn length_of(source: &str) -> Option<u64> {
    let url = Url::parse(source).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let answer = Timeouts::default().client().ok()?.head(url).send().await.ok()?.error_for_status().ok()?;
    answer.headers().get(reqwest::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::piece::{CommP, piece_cid_v2};
    use fvm_shared::econ::TokenAmount;

    fn terms(piece: &PieceInfo, min_duration: ChainEpoch) -> Terms {
        Terms {
            piece_cid: piece.piece_cid,
            padded_size: piece.padded_size,
            file_id: None,
            reward_per_replica: TokenAmount::from_whole(1),
            activation_bps: 0,
            replicas: 1,
            min_duration,
            claim_deadline: 100,
            providers: vec![],
            source: String::new(),
            note: String::new(),
        }
    }

    #[test]
    fn a_source_names_its_piece_or_not() {
        let piece = CommP::of(&[7; 1000]).unwrap();
        let v2 = piece_cid_v2(&piece);
        assert_eq!(named_in(&format!("http://sp.example:80/piece/{v2}")), Some(piece.clone()));
        for source in [String::new(), "http://h/".into(), format!("http://h/piece/{}", piece.piece_cid), v2.to_string()]
        {
            assert_eq!(named_in(&source), None, "{source}");
        }
        let terms = terms(&piece, 1);
        assert_eq!(with_size(&terms, 1000), Some(piece.clone()));
        assert_eq!(with_size(&terms, 10), None, "another padded size");
        assert!(is_of(&piece, &terms) && !is_of(&CommP::of(&[8; 1000]).unwrap(), &terms));
    }

    #[test]
    fn a_deal_lasts_as_long_as_the_bounty_and_providers_take() {
        let piece = CommP::of(&[7; 1000]).unwrap();
        let of = |min_duration| {
            let terms = terms(&piece, min_duration);
            Offer::new(&Address::new_id(64), 3, &terms, piece.clone(), "http://h/".into())
        };
        assert_eq!(of(1).unwrap().proposal.duration, MIN_DURATION);
        assert_eq!(of(MIN_DURATION).unwrap().proposal.duration, MIN_DURATION + MARGIN);
        assert_eq!(of(MAX_DURATION).unwrap().proposal.duration, MAX_DURATION);
        assert!(matches!(of(MAX_DURATION + 1), Err(BountyError::TooLong(3))));
        assert_eq!(of(1).unwrap().proposal.notify, Some((Address::new_id(64), vec![3])));
    }
}
