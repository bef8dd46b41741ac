//! The `reward` module.
bauta_system_actors::export!(reward::invoke);
