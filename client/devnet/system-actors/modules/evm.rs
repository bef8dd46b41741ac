//! The `evm` module.
bauta_system_actors::export!(others::evm);
