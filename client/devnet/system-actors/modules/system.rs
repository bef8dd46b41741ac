//! The `system` module.
bauta_system_actors::export!(system::invoke);
