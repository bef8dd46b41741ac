//! The `storagemarket` module.
bauta_system_actors::export!(storagemarket::invoke);
