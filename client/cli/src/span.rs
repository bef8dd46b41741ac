//! Time as people write it: a number of epochs (30 seconds each), or `90s`, `30m`, `12h`, `180d`, `2w`.

use std::str::FromStr;

use bauta_abi::{EPOCH_NEVER, EPOCHS_IN_DAY};
use fvm_shared::clock::ChainEpoch;

const SECONDS_IN_EPOCH: i64 = 30;
const LONGEST: ChainEpoch = i64::MAX / 4;
const UNITS: [(&str, i64); 5] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)];

/// A length of time in epochs, more than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub ChainEpoch);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: i64 = number.parse().map_err(|_| "a duration is a number of epochs, or 12h, 180d".to_string())?;
        let epochs = if unit.is_empty() {
            number
        } else {
            let found = UNITS.iter().find(|(name, _)| *name == unit.trim());
            let seconds = found.ok_or_else(|| format!("`{}` is no unit of time: s, m, h, d, w", unit.trim()))?.1;
            let seconds = number.checked_mul(seconds).ok_or("too long")?;
            // Never shorter than what was asked for.
            seconds.div_euclid(SECONDS_IN_EPOCH) + i64::from(seconds.rem_euclid(SECONDS_IN_EPOCH) != 0)
        };
        match epochs {
            ..1 => Err("a duration is at least one epoch".into()),
            1..=LONGEST => Ok(Self(epochs)),
            _ => Err("this is longer than any chain will last".into()),
        }
    }
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// This epoch.
    At(ChainEpoch),
    /// So many epochs from now.
    In(ChainEpoch),
}

impl When {
    /// The epoch meant.
    pub fn epoch(self, now: ChainEpoch) -> ChainEpoch {
        match self {
            Self::At(epoch) => epoch,
            Self::In(epochs) => now.saturating_add(epochs),
        }
    }

    /// What was said, whenever: a time from now is negative.
    pub fn said(self) -> ChainEpoch {
        match self {
            Self::At(epoch) => epoch,
            Self::In(epochs) => -epochs,
        }
    }

    /// Reads `12345` as an epoch and `30d` as a time from now.
    pub fn epoch_or_span(text: &str) -> Result<Self, String> {
        let is_number = text.trim().bytes().all(|c| c.is_ascii_digit());
        text.parse::<Span>().map(|span| if is_number { Self::At(span.0) } else { Self::In(span.0) })
    }

    /// Reads `2880` and `30d` as a time from now, and `@12345` as an epoch.
    pub fn span_or_at(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            Some(epoch) => epoch.parse::<Span>().and_then(|at| {
                if epoch.bytes().all(|c| c.is_ascii_digit()) {
                    Ok(Self::At(at.0))
                } else {
                    Err("@ is followed by an epoch".into())
                }
            }),
            None => text.parse::<Span>().map(|span| Self::In(span.0)),
        }
    }
}

/// Prints a length of time both ways: `518400 epochs (180d)`.
pub fn epochs(count: ChainEpoch) -> String {
    format!("{count} epochs ({})", human(count))
}

/// Prints a point in time both ways: `epoch 9000 (in 3d 2h)`.
pub fn at(epoch: ChainEpoch, now: ChainEpoch) -> String {
    if epoch == EPOCH_NEVER {
        return "never".into();
    }
    let distance = human(epoch.saturating_sub(now).saturating_abs());
    match epoch.cmp(&now) {
        std::cmp::Ordering::Greater => format!("epoch {epoch} (in {distance})"),
        std::cmp::Ordering::Equal => format!("epoch {epoch} (now)"),
        std::cmp::Ordering::Less => format!("epoch {epoch} ({distance} ago)"),
    }
}

fn human(epochs: ChainEpoch) -> String {
    let (days, rest) = (epochs / EPOCHS_IN_DAY, epochs % EPOCHS_IN_DAY);
    let (hours, minutes, seconds) = (rest / 120, rest % 120 / 2, rest % 2 * SECONDS_IN_EPOCH);
    let parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")];
    let shown: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if shown.is_empty() { "0s".into() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_spans() {
        for (text, want) in [
            ("1", 1),
            ("518400", 518_400),
            ("180d", 518_400),
            ("12h", 1_440),
            ("1m", 2),
            ("31s", 2),
            ("30s", 1),
            ("1s", 1),
            ("2w", 40_320),
        ] {
            assert_eq!(text.parse::<Span>(), Ok(Span(want)), "{text}");
        }
        for text in ["", "0", "0d", "-1", "1.5d", "d", "1y", "9223372036854775807", "99999999999999999d", "1d2h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn reads_points() {
        assert_eq!(When::epoch_or_span("9000"), Ok(When::At(9000)));
        assert_eq!(When::epoch_or_span("1d"), Ok(When::In(2880)));
        assert_eq!(When::span_or_at("9000"), Ok(When::In(9000)));
        assert_eq!(When::span_or_at("@9000"), Ok(When::At(9000)));
        assert!(When::span_or_at("@1d").is_err());
        assert_eq!(When::In(5).epoch(10), 15);
    }

    #[test]
    fn prints_both_ways() {
        assert_eq!(epochs(518_400), "518400 epochs (180d)");
        assert_eq!(epochs(2_880 + 121), "3001 epochs (1d 1h 30s)");
        assert_eq!(at(20, 10), "epoch 20 (in 5m)");
        assert_eq!(at(10, 20), "epoch 10 (5m ago)");
        assert_eq!(at(EPOCH_NEVER, 20), "never");
    }
}
