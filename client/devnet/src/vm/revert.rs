//! Why a message has failed, in Lotus's words: a contract gives a reason of its own.
//!
//! Source: lotus `api/api_errors.go`, `NewErrExecutionRevertedFromResult`.

use fvm_ipld_encoding::BytesDe;

use super::Outcome;

/// A message that fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message execution failed (exit=[{exit}]{reason}, vm error=[{failure}])")]
pub struct Revert {
    /// The exit code.
    pub exit: u32,
    /// What the contract says, as it stands in the sentence; nothing for an actor that is none.
    reason: String,
    /// The VM's words.
    failure: String,
    /// What the contract has returned.
    pub data: Vec<u8>,
}

impl Revert {
    /// Reads it out of what came of the message.
    pub fn of(outcome: &Outcome) -> Self {
        let data = outcome.output();
        let reason = match data.as_deref() {
            None => String::new(),
            Some([]) => ", revert reason=[none]".into(),
            Some(data) => format!(", revert reason=[{}]", explain(data)),
        };
        let failure = outcome.failure.trim().to_owned();
        Self { exit: outcome.exit.value(), reason, failure, data: data.unwrap_or_default() }
    }
}

impl Outcome {
    /// What a contract has returned: one CBOR byte string.
    pub fn output(&self) -> Option<Vec<u8>> {
        self.value.deserialize().ok().map(|BytesDe(data)| data)
    }
}

fn hexed(data: &[u8]) -> String {
    format!("0x{}", hex::encode(data))
}

/// Solidity's own reasons in words, anything else as it is.
fn explain(data: &[u8]) -> String {
    let number = |at: usize| -> Option<usize> {
        let word = data.get(at..at.checked_add(32)?)?;
        let (zeros, digits) = word.split_at(24);
        zeros
            .iter()
            .all(|byte| *byte == 0)
            .then(|| u64::from_be_bytes(digits.try_into().expect("eight bytes")))?
            .try_into()
            .ok()
    };
    match data.get(..4) {
        // Error(string)
        Some([0x08, 0xc3, 0x79, 0xa0]) => {
            let text = number(4).and_then(|offset| {
                let at = offset.checked_add(4)?;
                let start = at.checked_add(32)?;
                data.get(start..start.checked_add(number(at)?)?)
            });
            text.map_or_else(|| hexed(data), |text| format!("Error({})", String::from_utf8_lossy(text)))
        }
        // Panic(uint256)
        Some([0x4e, 0x48, 0x7b, 0x71]) => number(4).map_or_else(|| hexed(data), |code| format!("Panic({code:#x})")),
        _ => hexed(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_as_solidity_gives_them() {
        let word = |n: u8| [&[0; 31][..], &[n]].concat();
        let error = [&[0x08, 0xc3, 0x79, 0xa0][..], &word(32), &word(2), b"no", &[0; 30]].concat();
        assert_eq!(explain(&error), "Error(no)");
        assert_eq!(explain(&error[..69]), hexed(&error[..69]), "cut off");
        assert_eq!(explain(&[&[0x4e, 0x48, 0x7b, 0x71][..], &word(0x12)].concat()), "Panic(0x12)");
        assert_eq!(explain(&[0x5c, 0x9a]), "0x5c9a");
        let endless = [&[0x08, 0xc3, 0x79, 0xa0][..], &[0xff; 64]].concat();
        assert_eq!(explain(&endless), hexed(&endless));
    }
}
