//! To be written.

pub mod piece;

#[cfg(test)]
mod vectors;
