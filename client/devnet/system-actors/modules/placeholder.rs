//! The `placeholder` module.
bauta_system_actors::export!(open others::placeholder);
