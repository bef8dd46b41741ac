//! The `storageminer` module.
bauta_system_actors::export!(miner::invoke);
