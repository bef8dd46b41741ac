//! What is measured, stage by stage: ours and the peers' beside each other. Every function does the work once.

pub mod comm_p;
pub mod encrypt;
pub mod pipeline;
pub mod programs;
pub mod unixfs;
