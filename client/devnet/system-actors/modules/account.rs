//! The `account` module.
bauta_system_actors::export!(account::invoke);
