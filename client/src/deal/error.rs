//! What goes wrong between a client and a provider.

use std::time::Duration;

use thiserror::Error;

use super::sink::Mismatch;

/// The codes with which a provider refuses; on the wire they are HTTP status codes.
///
/// Source: Curio `market/mk20/types.go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DealCode {
    /// 400: malformed, or contradicts itself or the chain.
    BadProposal,
    /// 401: no signature, a wrong one, or another client's deal.
    Unauthorized,
    /// 404: no such deal, piece or upload.
    NotFound,
    /// 409: it has the bytes already.
    AlreadyUploaded,
    /// 422: this source of bytes is not supported.
    UnsupportedSource,
    /// 423: this product is not supported.
    UnsupportedProduct,
    /// 424: this product is switched off.
    ProductNotEnabled,
    /// 425: a product's fields do not fit each other.
    ProductInvalid,
    /// 426: a market contract rejected the deal.
    RejectedByMarket,
    /// 429: too much to do.
    Overloaded,
    /// 430: the data source is malformed.
    MalformedSource,
    /// 440: the market is switched off.
    MarketNotEnabled,
    /// 441: shorter than the provider takes.
    DurationTooShort,
    /// 500: its own fault.
    Internal,
    /// 503: it is being mended.
    Maintenance,
    /// Any other status.
    Other(u16),
}

const CODES: [(DealCode, u16); 15] = [
    (DealCode::BadProposal, 400),
    (DealCode::Unauthorized, 401),
    (DealCode::NotFound, 404),
    (DealCode::AlreadyUploaded, 409),
    (DealCode::UnsupportedSource, 422),
    (DealCode::UnsupportedProduct, 423),
    (DealCode::ProductNotEnabled, 424),
    (DealCode::ProductInvalid, 425),
    (DealCode::RejectedByMarket, 426),
    (DealCode::Overloaded, 429),
    (DealCode::MalformedSource, 430),
    (DealCode::MarketNotEnabled, 440),
    (DealCode::DurationTooShort, 441),
    (DealCode::Internal, 500),
    (DealCode::Maintenance, 503),
];

impl From<u16> for DealCode {
    fn from(status: u16) -> Self {
        CODES.iter().find(|(_, number)| *number == status).map_or(Self::Other(status), |(code, _)| *code)
    }
}

impl From<DealCode> for u16 {
    fn from(code: DealCode) -> Self {
        match code {
            DealCode::Other(status) => status,
            known => CODES.iter().find(|(code, _)| *code == known).map_or(500, |(_, number)| *number),
        }
    }
}

/// What goes wrong between a client and a provider. Each sentence names the provider.
#[derive(Debug, Error)]
pub enum DealError {
    /// No connection, or it broke, or nothing came for too long.
    #[error("{provider} was not reached: {why}")]
    Unreachable {
        /// Who.
        provider: String,
        /// What the network said.
        why: String,
    },
    /// It answered no.
    #[error("{provider} refused ({}): {reason}", u16::from(*code))]
    Refused {
        /// Who.
        provider: String,
        /// Its code.
        code: DealCode,
        /// Its words.
        reason: String,
    },
    /// Its answer does not make sense.
    #[error("{provider} gave an answer that is not understood: {why}")]
    Malformed {
        /// Who.
        provider: String,
        /// What is wrong with it.
        why: String,
    },
    /// It took the deal and could not keep it.
    #[error("{provider} took the deal and failed: {why}")]
    Failed {
        /// Who.
        provider: String,
        /// Its words.
        why: String,
    },
    /// The deal was not sealed in time; it may still be.
    #[error("{provider} has not sealed the piece within {} seconds", patience.as_secs())]
    TooSlow {
        /// Who.
        provider: String,
        /// How long we asked.
        patience: Duration,
    },
    /// What it sends comes so slowly that it never ends.
    #[error("{provider} sends less than {least} bytes a second")]
    Drips {
        /// Who.
        provider: String,
        /// What has to come, in bytes a second.
        least: u64,
    },
    /// It fetches what it stores.
    #[error("{provider} takes no uploads for such deals: it fetches pieces from a URL")]
    NoUpload {
        /// Who.
        provider: String,
    },
    /// What it serves is not the piece.
    #[error("{provider} served other bytes: {mismatch}")]
    WrongBytes {
        /// Who.
        provider: String,
        /// What was expected and what came.
        mismatch: Box<Mismatch>,
    },
    /// A part of what it serves is not the piece's.
    #[error("{provider} served other bytes: {what}")]
    Forged {
        /// Who.
        provider: String,
        /// Which part.
        what: String,
    },
    /// It serves pieces, but no parts of them.
    #[error("{provider} serves no parts of a piece")]
    NoRanges {
        /// Who.
        provider: String,
    },
    /// Our own disk.
    #[error(transparent)]
    Disk(#[from] std::io::Error),
}

impl DealError {
    /// Whether asking again later may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TooSlow { .. } => true,
            Self::Refused { code, .. } => {
                matches!(code, DealCode::Overloaded | DealCode::Maintenance | DealCode::Internal)
            }
            _ => false,
        }
    }
}
