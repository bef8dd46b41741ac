//! Words of Solidity's ABI, read from bytes that are taken to go on with zeros.

/// A number does not fit its type.
#[derive(Debug)]
pub(super) struct Overflow;

/// Reads on from a position.
pub(super) struct Reader<'a> {
    all: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// From the beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { all: bytes, rest: bytes }
    }

    /// Goes to an offset.
    pub fn seek(&mut self, offset: usize) {
        self.rest = self.all.get(offset..).unwrap_or_default();
    }

    /// The next bytes as they are.
    pub fn fixed<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (here, rest) = self.rest.split_at(N.min(self.rest.len()));
        bytes[..here.len()].copy_from_slice(here);
        self.rest = rest;
        bytes
    }

    /// The next bytes as they are.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let (here, rest) = self.rest.split_at(length.min(self.rest.len()));
        let mut bytes = here.to_vec();
        bytes.resize(length, 0);
        self.rest = rest;
        bytes
    }

    /// The next word, if it is a `u64`.
    pub fn u64(&mut self) -> Result<u64, Overflow> {
        let zeros = self.fixed::<24>();
        let number = u64::from_be_bytes(self.fixed());
        if zeros == [0; 24] { Ok(number) } else { Err(Overflow) }
    }

    /// The next word, if it is a `u32`.
    pub fn u32(&mut self) -> Result<u32, Overflow> {
        u32::try_from(self.u64()?).map_err(|_| Overflow)
    }
}
