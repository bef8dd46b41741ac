//! What a devnet is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::bundle::BAUTA_ACTOR;
use crate::chain::Keep;
use crate::clock::Handle;
use crate::duties::Duties;
use crate::genesis::Genesis;
use crate::invariants::Check;

/// Makes those who have a life on the chain; called on the chain's thread, after the chain has been opened.
pub type Inhabit = Box<dyn FnOnce(&Handle) -> anyhow::Result<Box<dyn Duties>> + Send>;

/// How a devnet is to run. The default: in memory, in process only, on demand, with the Bauta actor.
pub struct Config {
    /// The folder that keeps the chain; in memory if there is none.
    pub state: Option<PathBuf>,
    /// Where to serve JSON-RPC over HTTP, port 0 for any; in process only if absent.
    pub listen: Option<SocketAddr>,
    /// What every request must carry as `Authorization: Bearer …`; without one, only loopback addresses are served.
    pub token: Option<String>,
    /// A tipset so often; on demand if absent.
    pub block_time: Option<Duration>,
    /// How the network begins; a state folder that holds a chain keeps its own beginning.
    pub genesis: Genesis,
    /// The Wasm of the actor that is installed in a new network.
    pub actor: Option<Vec<u8>>,
    /// Who has duties.
    pub inhabit: Option<Inhabit>,
    /// Looks at installed actors' states.
    pub check: Option<Check>,
    /// How much of the past is kept.
    pub keep: Keep,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state: None,
            listen: None,
            token: None,
            block_time: None,
            genesis: Genesis::default(),
            actor: Some(BAUTA_ACTOR.to_vec()),
            inhabit: None,
            check: None,
            keep: Keep::default(),
        }
    }
}
