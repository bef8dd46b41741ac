//! The `storageminer` module.
bauta_system_actors::export!(storageminer);
