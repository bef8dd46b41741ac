//! The Bauta actor: files that belong to people, grants that open them to others, bounties that keep them stored.
//!
//! It has no owner, no admin and no upgrade. The wire is [`bauta_abi`]; roles, state shape and decisions are in `DESIGN.md`. A plain
//! library over a small [`runtime::Runtime`]: compiled for `wasm32` it exports `invoke` and runs on the FVM, anywhere else it runs over
//! [`runtime::fake`] in tests.
//!
//! ```
//! use bauta_abi::{GetFileParams, GetFileReturn, Method, decode, encode};
//! use bauta_actor::runtime::fake::Chain;
//!
//! let mut chain = Chain::new();
//! let alice = chain.create_account();
//! let params = encode(&GetFileParams { id: 1 }).unwrap();
//! let answer = chain.message(alice, Method::GetFile.number(), Some(params), 0).unwrap().unwrap();
//! assert_eq!(decode::<GetFileReturn>(&answer), Ok(None));
//! ```

pub mod dispatch;
pub mod error;
pub mod ext;
pub mod runtime;
pub mod state;

mod bounties;
mod events;
mod files;
mod grants;
mod keys;

/// The entry point: the FVM calls it for every message but plain sends.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the FVM finds the entry point by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn invoke(params: u32) -> u32 {
    runtime::fvm::invoke(params)
}
