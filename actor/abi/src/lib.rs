//! The wire of the Bauta actor, and nothing else: what a caller sends, what comes back, what is emitted, what the exit codes mean.
//!
//! Methods are FRC-0042 numbers over DAG-CBOR tuples. The forms are such that a Solidity contract can serve them, too: fixed
//! tuples, integers, byte strings, texts and bounded lists; no maps, no floats. Both bodies of the actor, the client and the
//! devnet use this crate; it has no runtime and does no I/O.
//!
//! ```
//! use bauta_abi::{GetFileParams, Method, decode, encode};
//!
//! assert_eq!(Method::GetFile.number(), frc42_macros::method_hash!("GetFile"));
//! let params = encode(&GetFileParams { id: 7 }).unwrap();
//! assert_eq!(params, [0x81, 0x07]);
//! assert_eq!(decode::<GetFileParams>(&params).unwrap().id, 7);
//! ```

mod bounds;
mod epoch;
mod events;
mod exit;
mod method;
mod wire;

mod bounties;
mod files;
mod grants;
mod keys;

pub use bounds::*;
pub use epoch::*;
pub use events::*;
pub use exit::*;
pub use method::*;
pub use wire::*;

pub use bounties::*;
pub use files::*;
pub use grants::*;
pub use keys::*;
