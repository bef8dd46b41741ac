//! A local Filecoin in one process: the real FVM, signed messages, tipsets, receipts, events, an embedded database, and
//! JSON-RPC in the Lotus dialect.

pub mod bundle;
pub mod chain;
pub mod clock;
mod deadlines;
pub mod duties;
pub mod estimate;
pub mod genesis;
pub mod invariants;
mod ledger;
mod links;
pub mod mempool;
pub mod records;
pub mod state;
pub mod store;
pub mod tipset;
pub mod vm;
