//! The `init` module.
bauta_system_actors::export!(init::invoke);
