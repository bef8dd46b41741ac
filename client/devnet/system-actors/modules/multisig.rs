//! The `multisig` module.
bauta_system_actors::export!(multisig::invoke);
