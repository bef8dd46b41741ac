//! The actors: one `invoke` each, called by the module of the same name.

pub mod account;
pub mod cron;
pub mod datacap;
pub mod eam;
pub mod ethaccount;
pub mod evm;
pub mod init;
pub mod miner;
pub mod multisig;
pub mod others;
pub mod paymentchannel;
pub mod power;
pub mod reward;
pub mod storagemarket;
pub mod system;
pub mod verifiedregistry;
