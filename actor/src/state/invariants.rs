//! Lists every violation found in a state. For tests and for local networks: it reads everything.

mod bounties;
mod files;
mod sharing;

use bauta_abi::Wire;
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_shared::econ::TokenAmount;

use super::keys::Keys;
use super::{State, blocks};

/// Checks the state at `root` of an actor that has `balance`; nothing wrong, nothing listed.
pub fn check_state_invariants<S: Blockstore>(store: &S, root: &Cid, balance: &TokenAmount) -> Vec<String> {
    let state = match State::load(store, root) {
        Ok(state) => state,
        Err(e) => return vec![format!("the root cannot be read: {e}")],
    };
    let mut wrong = Findings::default();
    let files = files::check(&state, &mut wrong);
    check_keys(&state, &mut wrong);
    sharing::check(&state, &files, &mut wrong);
    bounties::check(&state, balance, &mut wrong);
    wrong.0
}

/// What was found.
#[derive(Debug, Default)]
struct Findings(Vec<String>);

impl Findings {
    fn require(&mut self, ok: bool, what: impl FnOnce() -> String) {
        if !ok {
            self.0.push(what());
        }
    }

    /// Takes what could be read, and lists what could not.
    fn read<T>(&mut self, what: &str, read: crate::error::Result<T>) -> Option<T> {
        read.map_err(|e| self.0.push(format!("{what}: {e}"))).ok()
    }
}

fn check_keys<S: Blockstore>(state: &State<'_, S>, wrong: &mut Findings) {
    let Some(keys) = wrong.read("the keys", blocks::get::<Keys>(state.store, &state.root.keys)) else { return };
    wrong.0.extend(keys.check(state.store));
    let mut links = vec![];
    let scanned = keys.scan(state.store, 0, &mut |owner, link| {
        links.push((owner, *link));
        Ok(true)
    });
    wrong.read("the keys", scanned);
    for (owner, link) in links {
        let Some(key) = wrong.read("a key", blocks::get::<bauta_abi::Key>(state.store, &link)) else { continue };
        wrong.require(key.version > 0 && key.check().is_ok(), || format!("the key of f0{owner} is out of bounds"));
    }
}
