//! The `datacap` module.
bauta_system_actors::export!(datacap::invoke);
