//! Amounts of FIL as people write them: `1.5`, `1.5FIL`, `100 nanoFIL`, `7 attoFIL`.

use std::str::FromStr;

use fvm_shared::bigint::BigInt;
use fvm_shared::econ::TokenAmount;

/// An amount given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount(pub TokenAmount);

/// Names of units and the decimals that one of them has; FIL itself is what a bare number means.
const UNITS: [(&str, usize); 7] =
    [("attofil", 0), ("femtofil", 3), ("picofil", 6), ("nanofil", 9), ("microfil", 12), ("millifil", 15), ("fil", 18)];
/// No amount exceeds all FIL that there will ever be.
const MAX_FIL: i64 = 2_000_000_000;

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = (&text[..split], text[split..].trim().to_ascii_lowercase());
        let decimals = if unit.is_empty() {
            18
        } else {
            let found = UNITS.iter().find(|(name, _)| *name == unit);
            if found.is_none() && (unit.starts_with(',') || unit.starts_with('e')) {
                return Err("an amount is written with a point, and in full: 1.5, 0.000001".into());
            }
            found.ok_or_else(|| format!("`{unit}` is no unit of FIL: FIL, milliFIL, microFIL, nanoFIL, attoFIL"))?.1
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || (number.contains('.') && part.is_empty()) || part.contains('.') {
            return Err("an amount is a number with an optional unit: 1.5, 1.5FIL, 100nanoFIL".into());
        }
        if part.len() > decimals {
            return Err("smaller than one attoFIL cannot be paid".into());
        }
        let digits = format!("{whole}{part:0<decimals$}");
        let atto = BigInt::from_str(&digits).map_err(|_| "not a number".to_string())?;
        let amount = TokenAmount::from_atto(atto);
        if amount > TokenAmount::from_whole(MAX_FIL) {
            return Err("there will never be so much FIL".into());
        }
        Ok(Self(amount))
    }
}

/// Prints an amount exactly, in FIL, without useless zeros.
pub fn fil(amount: &TokenAmount) -> String {
    let atto = amount.atto().to_string();
    let (sign, digits) = atto.strip_prefix('-').map_or(("", atto.as_str()), |rest| ("-", rest));
    let padded = format!("{digits:0>19}");
    let (whole, part) = padded.split_at(padded.len() - 18);
    let part = part.trim_end_matches('0');
    if part.is_empty() { format!("{sign}{whole} FIL") } else { format!("{sign}{whole}.{part} FIL") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atto(text: &str) -> Result<String, String> {
        text.parse::<Amount>().map(|a| a.0.atto().to_string())
    }

    #[test]
    fn reads_what_people_write() {
        for (text, want) in [
            ("1.5", "1500000000000000000"),
            ("1.5FIL", "1500000000000000000"),
            ("1.5 fil", "1500000000000000000"),
            ("100 nanoFIL", "100000000000"),
            ("0.5 nanoFIL", "500000000"),
            ("7attoFIL", "7"),
            ("0", "0"),
            ("2000000000", "2000000000000000000000000000"),
            ("0.000000000000000001", "1"),
        ] {
            assert_eq!(atto(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "-1",
            "+1",
            "1.",
            ".5",
            "1.2.3",
            "1e18",
            "1 doge",
            "0.5attoFIL",
            "0.0000000000000000001",
            "2000000001",
            "1,5",
            "NaN",
            "٣",
        ] {
            assert!(atto(text).is_err(), "{text}");
        }
    }

    #[test]
    fn prints_exactly() {
        for (text, want) in [
            ("0", "0 FIL"),
            ("1.50", "1.5 FIL"),
            ("7attoFIL", "0.000000000000000007 FIL"),
            ("20", "20 FIL"),
            ("12.000000000000000001", "12.000000000000000001 FIL"),
        ] {
            assert_eq!(fil(&text.parse::<Amount>().unwrap().0), want);
        }
        assert_eq!(fil(&TokenAmount::from_atto(-1500000000000000000i64)), "-1.5 FIL");
    }
}
