//! The `placeholder` module.
bauta_system_actors::export!(others::placeholder);
