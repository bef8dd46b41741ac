//! The `ethaccount` module.
bauta_system_actors::export!(ethaccount::invoke);
