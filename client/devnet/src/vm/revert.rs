//! Why a message has failed, in Lotus's words: a contract gives a reason of its own.
//!
//! Source: lotus `api/api_errors.go` (`NewErrExecutionRevertedFromResult`), `chain/types/ethtypes/eth_types.go` (`ParseEthRevert`),
//! `chain/actors/aerrors/error.go`; go-state-types `exitcode/names.go`.

use fvm_ipld_encoding::BytesDe;
use fvm_shared::error::ExitCode;

use super::Outcome;

/// A message that fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message execution failed (exit=[{}]{reason}, vm error=[{failure}])", named(*.exit))]
pub struct Revert {
    /// The exit code.
    pub exit: ExitCode,
    /// What the contract says, as it stands in the sentence; nothing for an actor that is none.
    reason: String,
    /// [`Outcome::error`].
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
        Self { exit: outcome.exit, reason, failure: outcome.error(), data: data.unwrap_or_default() }
    }
}

/// An exit code as Lotus writes it: `ErrForbidden(18)`, and a bare number where no name is agreed upon.
pub fn named(exit: ExitCode) -> String {
    let name = match exit.value() {
        0 => "Ok",
        1 => "SysErrSenderInvalid",
        2 => "SysErrSenderStateInvalid",
        3 => "SysErrReserved1",
        4 => "SysErrIllegalInstruction",
        5 => "SysErrInvalidReceiver",
        6 => "SysErrInsufficientFunds",
        7 => "SysErrOutOfGas",
        8 => "SysErrReserved2",
        9 => "SysErrIllegalExitCode",
        10 => "SysFatal",
        11 => "SysErrMissingReturn",
        12 => "SysErrReserved3",
        13 => "SysErrReserved4",
        14 => "SysErrReserved5",
        15 => "SysErrReserved6",
        16 => "ErrIllegalArgument",
        17 => "ErrNotFound",
        18 => "ErrForbidden",
        19 => "ErrInsufficientFunds",
        20 => "ErrIllegalState",
        21 => "ErrSerialization",
        22 => "ErrUnhandledMessage",
        23 => "ErrUnspecified",
        24 => "ErrAssertionFailed",
        25 => "ErrReadOnly",
        26 => "ErrNotPayable",
        other => return other.to_string(),
    };
    format!("{name}({})", exit.value())
}

impl Outcome {
    /// Why it failed, as Lotus tells it in all answers: the VM's words, with the line break that they end in, and the exit code. Empty if
    /// it did not.
    pub fn error(&self) -> String {
        if self.exit.is_success() {
            return String::new();
        }
        let words = if self.failure.is_empty() { "unknown error" } else { &self.failure };
        format!("{words} (RetCode={})", self.exit.value())
    }

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
    // Shorter ones hold no argument.
    if data.len() < 4 + 32 {
        return hexed(data);
    }
    let number = |at: usize| -> Option<u64> {
        let word = data.get(at..at.checked_add(32)?)?;
        let (zeros, digits) = word.split_at(24);
        zeros.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(digits.try_into().expect("eight bytes")))
    };
    match &data[..4] {
        // Error(string)
        [0x08, 0xc3, 0x79, 0xa0] => {
            let at = |at: usize| number(at).and_then(|n| usize::try_from(n).ok());
            let text = at(4).and_then(|offset| {
                let length = offset.checked_add(4)?;
                let start = length.checked_add(32)?;
                data.get(start..start.checked_add(at(length)?)?)
            });
            text.map_or_else(|| hexed(data), |text| format!("Error({})", String::from_utf8_lossy(text)))
        }
        // Panic(uint256)
        [0x4e, 0x48, 0x7b, 0x71] => match number(4) {
            Some(0x00) => "Panic()".into(),
            Some(0x01) => "Assert()".into(),
            Some(0x11) => "ArithmeticOverflow()".into(),
            Some(0x12) => "DivideByZero()".into(),
            Some(0x21) => "InvalidEnumVariant()".into(),
            Some(0x22) => "InvalidStorageArray()".into(),
            Some(0x31) => "PopEmptyArray()".into(),
            Some(0x32) => "ArrayIndexOutOfBounds()".into(),
            Some(0x41) => "OutOfMemory()".into(),
            Some(0x51) => "CalledUninitializedFunction()".into(),
            Some(code) => format!("Panic({code:#x})"),
            None => format!("Panic({:#x})", num_bigint::BigUint::from_bytes_be(&data[4..4 + 32])),
        },
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
        let panic = |word: &[u8]| explain(&[&[0x4e, 0x48, 0x7b, 0x71][..], word].concat());
        assert_eq!((panic(&word(0x12)), panic(&word(0x13))), ("DivideByZero()".into(), "Panic(0x13)".into()));
        assert_eq!(panic(&[0xff; 32]), format!("Panic(0x{})", "ff".repeat(32)));
        assert_eq!(panic(&word(0x12)[..31]), format!("0x4e487b71{}", "00".repeat(31)), "cut off");
        assert_eq!(explain(&[0x5c, 0x9a]), "0x5c9a");
        let endless = [&[0x08, 0xc3, 0x79, 0xa0][..], &[0xff; 64]].concat();
        assert_eq!(explain(&endless), hexed(&endless));
    }

    #[test]
    fn exit_codes_have_the_names_of_go_state_types() {
        let shown = [0, 7, 10, 18, 26, 27, 33, 1000].map(|exit| named(ExitCode::new(exit)));
        assert_eq!(
            shown,
            ["Ok(0)", "SysErrOutOfGas(7)", "SysFatal(10)", "ErrForbidden(18)", "ErrNotPayable(26)", "27", "33", "1000"]
        );
    }
}
