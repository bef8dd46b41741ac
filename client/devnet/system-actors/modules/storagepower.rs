//! The `storagepower` module.
bauta_system_actors::export!(power::invoke);
