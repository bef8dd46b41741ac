//! What must hold after every tipset.

use anyhow::Result;
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_shared::econ::TokenAmount;

use crate::chain::Chain;

/// Looks at the state of an installed actor: block store, root, balance; names every violation.
pub type Check = fn(&dyn Fn(&Cid) -> Option<Vec<u8>>, &Cid, &TokenAmount) -> Vec<String>;

/// Lists what is broken on the chain; empty if nothing is.
pub(crate) fn violations(chain: &Chain) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let state = chain.state()?;
    let mut total = TokenAmount::default();
    state.each(|id, actor| {
        total += &actor.balance;
        if actor.balance.is_negative() {
            found.push(format!("t0{id} owns {}", actor.balance));
        }
        if !chain.store().has(&actor.state)? {
            found.push(format!("the state of t0{id} is missing"));
        }
        Ok(())
    })?;
    let supply = &chain.network().supply;
    if total != *supply {
        found.push(format!("all balances together are {total}, but {supply} were there at genesis"));
    }
    if let Some(check) = chain.check {
        for (id, code) in &chain.network().installed {
            let address = fvm_shared::address::Address::new_id(*id);
            let Some(actor) = state.actor(&address)? else {
                found.push(format!("the installed actor t0{id} is gone"));
                continue;
            };
            if actor.code != *code {
                found.push(format!("the code of t0{id} is not what was installed"));
            }
            let get = |cid: &Cid| chain.store().get(cid).ok().flatten();
            found.extend(check(&get, &actor.state, &actor.balance).into_iter().map(|v| format!("t0{id}: {v}")));
        }
    }
    Ok(found)
}
