//! RLP as far as transactions need it: byte strings, and one list of them that may hold an empty list.
//!
//! Source: Ethereum yellow paper, appendix B. Only the canonical form is read.

use super::eth::EthError;

/// An element of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// Bytes; numbers are big-endian without leading zeros.
    Bytes(&'a [u8]),
    /// A list: its encoded elements.
    List(&'a [u8]),
}

impl<'a> Item<'a> {
    /// Its bytes, if it is no list.
    ///
    /// Errors: Rlp: it is a list.
    pub fn bytes(&self) -> Result<&'a [u8], EthError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::List(_) => Err(EthError::Rlp("a list where bytes belong")),
        }
    }

    /// Its number, if it fits.
    ///
    /// Errors: Rlp: it is a list, begins with a zero, or is above 64 bits.
    pub fn u64(&self) -> Result<u64, EthError> {
        let bytes = self.number()?;
        let mut padded = [0; 8];
        let start = padded.len().checked_sub(bytes.len()).ok_or(EthError::Rlp("a number is above 64 bits"))?;
        padded[start..].copy_from_slice(bytes);
        Ok(u64::from_be_bytes(padded))
    }

    /// Its number as 32 bytes, big-endian.
    ///
    /// Errors: Rlp: it is a list, begins with a zero, or is above 256 bits.
    pub fn word(&self) -> Result<[u8; 32], EthError> {
        let bytes = self.number()?;
        let mut word = [0; 32];
        let start = word.len().checked_sub(bytes.len()).ok_or(EthError::Rlp("a number is above 256 bits"))?;
        word[start..].copy_from_slice(bytes);
        Ok(word)
    }

    fn number(&self) -> Result<&'a [u8], EthError> {
        match self.bytes()? {
            [0, ..] => Err(EthError::Rlp("a number has leading zeros")),
            bytes => Ok(bytes),
        }
    }
}

/// Reads a list that is all there is.
pub(super) fn list(data: &[u8]) -> Result<Vec<Item<'_>>, EthError> {
    match split(data)? {
        (Item::List(mut rest), []) => {
            let mut items = vec![];
            while !rest.is_empty() {
                let (item, after) = split(rest)?;
                items.push(item);
                rest = after;
            }
            Ok(items)
        }
        (Item::List(_), _) => Err(EthError::Rlp("bytes after the list")),
        (Item::Bytes(_), _) => Err(EthError::Rlp("not a list")),
    }
}

fn split(data: &[u8]) -> Result<(Item<'_>, &[u8]), EthError> {
    let (&first, rest) = data.split_first().ok_or(EthError::Rlp("it ends too early"))?;
    let (base, is_list) = match first {
        0..0x80 => return Ok((Item::Bytes(&data[..1]), rest)),
        0x80..0xc0 => (0x80, false),
        0xc0.. => (0xc0, true),
    };
    let (length, rest) = match usize::from(first - base) {
        short @ 0..56 => (short, rest),
        long => {
            let (digits, rest) = rest.split_at_checked(long - 55).ok_or(EthError::Rlp("it ends too early"))?;
            let length = digits.iter().try_fold(0usize, |sum, d| sum.checked_mul(256)?.checked_add(usize::from(*d)));
            let length = length.filter(|l| *l >= 56 && digits[0] != 0);
            (length.ok_or(EthError::Rlp("a length is not canonical"))?, rest)
        }
    };
    let (body, rest) = rest.split_at_checked(length).ok_or(EthError::Rlp("it ends too early"))?;
    match body {
        [0..0x80] if !is_list => Err(EthError::Rlp("a single byte is not canonical")),
        _ if is_list => Ok((Item::List(body), rest)),
        _ => Ok((Item::Bytes(body), rest)),
    }
}

/// Writes a list, element by element.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        match bytes {
            [0..0x80] => self.0.push(bytes[0]),
            _ => {
                head(&mut self.0, 0x80, bytes.len());
                self.0.extend_from_slice(bytes);
            }
        }
        self
    }

    /// Adds a number: big-endian, of any length.
    pub fn number(&mut self, big_endian: &[u8]) -> &mut Self {
        let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
        self.bytes(&big_endian[zeros..])
    }

    /// Adds an empty list.
    pub fn empty_list(&mut self) -> &mut Self {
        self.0.push(0xc0);
        self
    }

    /// The list.
    pub fn list(&self) -> Vec<u8> {
        let mut list = Vec::with_capacity(self.0.len() + 9);
        head(&mut list, 0xc0, self.0.len());
        list.extend_from_slice(&self.0);
        list
    }
}

fn head(out: &mut Vec<u8>, base: u8, length: usize) {
    match u8::try_from(length) {
        Ok(short @ 0..56) => out.push(base + short),
        _ => {
            let bytes = length.to_be_bytes();
            let digits = &bytes[length.leading_zeros() as usize / 8..];
            out.push(base + 55 + u8::try_from(digits.len()).expect("a length has at most eight bytes"));
            out.extend_from_slice(digits);
        }
    }
}
