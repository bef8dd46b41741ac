//! The `cron` module.
bauta_system_actors::export!(cron::invoke);
