//! To be written.

pub mod piece;

pub mod address;
pub mod message;
pub mod wallet;
pub mod network;
pub mod node;

#[cfg(test)]
mod vectors;
