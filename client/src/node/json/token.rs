//! Amounts: attoFIL as decimal text.

/// An amount; may be negative (a miner's available balance), and is `"0"` when zero.
#[allow(clippy::module_inception)] // the form is called what it is a form of
pub mod token {
    use fvm_shared::bigint::BigInt;
    use fvm_shared::econ::TokenAmount;
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// 2 billion FIL in attoFIL have 28 digits, and 128 bytes is the chain's own limit for an integer (309 digits).
    const MAX_DIGITS: usize = 310;

    /// Writes decimal text.
    pub fn serialize<S: Serializer>(amount: &TokenAmount, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(amount.atto())
    }

    /// Reads decimal text; Go's unset amount `""` is zero.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TokenAmount, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        if text.is_empty() {
            return Ok(TokenAmount::from_atto(0));
        }
        if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(de::Error::custom(format!("`{text:.40}` is not an amount in attoFIL")));
        }
        let atto: BigInt = text.parse().map_err(de::Error::custom)?;
        Ok(TokenAmount::from_atto(atto))
    }
}
