//! The `evm` module.
bauta_system_actors::export!(open evm::invoke);
