//! The state and the rules of the built-in market.

pub mod deal;
pub mod state;

pub use deal::{ClientDeal, DealState, Label, Proposal};
pub use state::{PublishedDeal, State};
