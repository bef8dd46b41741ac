//! The built-in actors of Bauta's default local network: small actors of our own that speak the methods, params,
//! returns, exit codes and policies of built-in actors v18 (`testing-fake-proofs`) wherever Bauta, a storage provider or a
//! user of either touches them. README.md lists what is served and what is not.
//!
//! Natively this crate is the actors' state and rules, for tests and for whoever reads the chain's state
//! ([`MANIFEST`], [`miner`], [`market`]). Compiled to Wasm it is also the actors: `modules/` has one module for each.
// The rules are used by the actors, which exist in Wasm only.
#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]

pub mod abi;
#[cfg(target_arch = "wasm32")]
pub mod actors;
mod blocks;
#[cfg(target_arch = "wasm32")]
pub mod eth;
mod failure;
pub mod market;
pub mod method;
pub mod miner;
pub mod policy;
#[cfg(target_arch = "wasm32")]
pub mod runtime;

pub use failure::Failure;

/// Names of the built-in actors in the order of the bundle's manifest: the first has type id 1.
pub const MANIFEST: [&str; 16] = [
    "system",
    "init",
    "cron",
    "account",
    "storagepower",
    "storageminer",
    "storagemarket",
    "paymentchannel",
    "multisig",
    "reward",
    "verifiedregistry",
    "datacap",
    "placeholder",
    "evm",
    "eam",
    "ethaccount",
];

/// Exports one actor's `invoke` from a Wasm module; an `open` one serves everybody, whatever the method.
#[macro_export]
macro_rules! export {
    (open $handler:path) => {
        $crate::export!(run_open, $handler);
    };
    ($handler:path) => {
        $crate::export!(run, $handler);
    };
    ($run:ident, $handler:path) => {
        /// Called by the VM for every message.
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        extern "C" fn invoke(params: u32) -> u32 {
            use $crate::actors::*;
            $crate::runtime::$run(params, $handler)
        }
    };
}
