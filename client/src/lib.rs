//! To be written.

pub mod crypt;
pub mod car;
pub mod deal;
pub mod piece;
pub mod pack;

pub mod address;
pub mod message;
pub mod wallet;
pub mod home;
pub mod network;
pub mod node;

pub mod actor;
pub mod access;
pub mod share;
pub mod keyring;
pub mod store;
pub mod fetch;
pub mod bounty;
pub mod sender;

#[cfg(test)]
mod vectors;
