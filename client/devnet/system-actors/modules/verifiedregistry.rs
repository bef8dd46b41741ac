//! The `verifiedregistry` module.
bauta_system_actors::export!(verifiedregistry::invoke);
