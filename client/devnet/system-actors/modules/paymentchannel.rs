//! The `paymentchannel` module.
bauta_system_actors::export!(paymentchannel::invoke);
