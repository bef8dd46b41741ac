//! The filter of 2,048 bits by which clients see that a block has nothing for them.

use bauta_client::address::{EthAddress, keccak256};

use super::forms::Hash;

/// Addresses and topics of logs.
pub(super) struct Bloom([u8; 256]);

impl Bloom {
    /// Of nothing.
    pub fn new() -> Self {
        Self([0; 256])
    }

    /// Adds a log.
    pub fn add(&mut self, address: &EthAddress, topics: &[Hash]) {
        self.set(&address.0);
        topics.iter().for_each(|topic| self.set(&topic.0));
    }

    fn set(&mut self, data: &[u8]) {
        let hash = keccak256(data);
        for pair in hash[..6].chunks(2) {
            let bit = usize::from(u16::from_be_bytes([pair[0], pair[1]])) % 2048;
            self.0[255 - bit / 8] |= 1 << (bit % 8);
        }
    }

    /// The bits.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
