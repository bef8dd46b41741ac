//! The `ethaccount` module.
bauta_system_actors::export!(others::ethaccount);
