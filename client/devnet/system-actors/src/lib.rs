//! The built-in actors of Bauta's default local network.

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

/// Exports one actor's `invoke` from a Wasm module.
#[macro_export]
macro_rules! export {
    ($actor:ident) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        extern "C" fn invoke(_params: u32) -> u32 {
            0
        }
    };
}
