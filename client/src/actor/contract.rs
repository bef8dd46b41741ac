//! The actor as an EVM contract: the bytecode that is deployed, and how a call of it is wrapped for those who can only send
//! InvokeEVM.
//!
//! Source and build: `actor/evm`; the bytecode is committed, so that deploying needs no compiler.

use std::sync::LazyLock;

static INIT: LazyLock<Vec<u8>> = LazyLock::new(|| bytecode(include_str!("../../../actor/evm/build/Bauta.hex")));
static RUNTIME: LazyLock<Vec<u8>> =
    LazyLock::new(|| bytecode(include_str!("../../../actor/evm/build/Bauta.runtime.hex")));

fn bytecode(hex: &str) -> Vec<u8> {
    hex::decode(hex.trim()).expect("the committed bytecode is hex")
}

/// What the EAM is given to make the contract.
pub fn init_code() -> &'static [u8] {
    &INIT
}

/// What the contract's code is then.
pub fn runtime_code() -> &'static [u8] {
    &RUNTIME
}

/// The contract's Solidity interface, as ethers and others read it.
pub const INTERFACE: &str = include_str!("../../../actor/evm/build/Bauta.abi.json");

/// Selector of `invoke(uint64,bytes)`.
const INVOKE: [u8; 4] = [0xfb, 0xc4, 0x31, 0xd4];
/// Selector of `Rejected(uint32)`, which a call by [`invocation`] reverts with.
const REJECTED: [u8; 4] = [0x5c, 0x9a, 0xd6, 0x76];

/// What a call that reverts exits with.
pub const REVERTED: u32 = 33;

const WORD: usize = 32;

fn word(number: u64) -> [u8; WORD] {
    let mut word = [0; WORD];
    word[WORD - 8..].copy_from_slice(&number.to_be_bytes());
    word
}

fn number(word: &[u8]) -> Option<u64> {
    let (high, low) = word.split_at_checked(WORD - 8)?;
    high.iter().all(|byte| *byte == 0).then_some(u64::from_be_bytes(low.try_into().ok()?))
}

/// The calldata of `invoke(method, params)`.
pub fn invocation(method: u64, params: &[u8]) -> Vec<u8> {
    let mut data = INVOKE.to_vec();
    for head in [method, 2 * WORD as u64, params.len() as u64] {
        data.extend(word(head));
    }
    data.extend(params);
    data.resize(4 + 3 * WORD + params.len().next_multiple_of(WORD), 0);
    data
}

/// The method's own return out of what `invoke` returned; `None` if it is none.
pub fn returned(output: &[u8]) -> Option<&[u8]> {
    let (offset, rest) = output.split_at_checked(WORD)?;
    let (length, rest) = rest.split_at_checked(WORD)?;
    let length = usize::try_from(number(length)?).ok()?;
    (number(offset)? == WORD as u64).then(|| rest.get(..length)).flatten()
}

/// The exit code out of the data that a call has reverted with; `None` for any other revert.
pub fn rejection(revert: &[u8]) -> Option<u32> {
    let code = revert.strip_prefix(&REJECTED)?;
    (code.len() == WORD).then(|| number(code)).flatten().and_then(|code| code.try_into().ok())
}

/// The exit code out of a node's sentence that quotes what a call has reverted with, in hex.
pub fn rejection_in(sentence: &str) -> Option<u32> {
    let start = sentence.find(&hex::encode(REJECTED))?;
    let end = start + 2 * (REJECTED.len() + WORD);
    rejection(&hex::decode(sentence.get(start..end)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_wrapped_and_its_answer_unwrapped() {
        let data = invocation(7, &[1; 33]);
        assert_eq!(data.len(), 4 + 3 * 32 + 64);
        assert_eq!((data[4 + 31], data[4 + 63], data[4 + 95]), (7, 64, 33));
        assert_eq!((&data[100..133], &data[133..]), (&[1; 33][..], &[0; 31][..]));
        let output = [&word(32)[..], &word(3), &[9; 3], &[0; 29]].concat();
        assert_eq!(returned(&output), Some(&[9; 3][..]));
        assert_eq!(returned(&[&word(32)[..], &word(0)].concat()), Some(&[][..]));
        for bad in [&output[..63], &[&word(32)[..], &word(4), &[9; 3]].concat(), &[0xff; 96], &[]] {
            assert_eq!(returned(bad), None);
        }
    }

    #[test]
    fn a_revert_names_its_exit_code() {
        assert_eq!(rejection(&[&REJECTED[..], &word(48)].concat()), Some(48));
        assert_eq!(rejection(&[&REJECTED[..], &[0xff; 32]].concat()), None);
        assert_eq!(rejection(&[&[0x4e, 0x48, 0x7b, 0x71][..], &word(17)].concat()), None, "a panic of Solidity's");
        assert_eq!(rejection(&REJECTED), None);
        let quoted = format!("revert reason: [0x5c9ad676{:064x}], vm error", 17);
        assert_eq!(rejection_in(&quoted), Some(17));
        assert_eq!(rejection_in("revert reason: [0x5c9ad67600], vm error"), None);
        assert_eq!(rejection_in("out of gas"), None);
    }

    #[test]
    fn the_committed_bytecode_fits_the_chain() {
        assert!(runtime_code().len() <= 24 << 10, "{} bytes", runtime_code().len());
        assert!(init_code().windows(runtime_code().len()).any(|part| part == runtime_code()));
        assert!(INTERFACE.contains("handle_filecoin_method"));
    }
}
