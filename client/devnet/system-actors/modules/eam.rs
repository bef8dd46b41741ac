//! The `eam` module.
bauta_system_actors::export!(others::eam);
