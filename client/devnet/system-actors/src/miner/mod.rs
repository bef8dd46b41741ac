//! The state and the rules of a miner; [`State`] has the fields of the official one, in its order.

pub mod clock;
pub mod deadline;
pub mod money;
pub mod partition;
pub mod state;

pub use state::{Info, PreCommit, PreCommitInfo, SectorInfo, State};
