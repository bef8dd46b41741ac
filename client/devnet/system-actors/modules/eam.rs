//! The `eam` module.
bauta_system_actors::export!(open eam::invoke);
