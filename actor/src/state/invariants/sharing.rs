//! Grants, and the index of what is shared with whom.

use std::collections::BTreeSet;

use bauta_abi::Wire;
use fvm_ipld_blockstore::Blockstore;

use super::files::Files;
use super::{Findings, blocks};
use crate::state::State;
use crate::state::grants::GrantBlock;

pub fn check<S: Blockstore>(state: &State<'_, S>, files: &Files, wrong: &mut Findings) {
    let Some(sharing) = wrong.read("the grants", state.sharing()) else { return };
    wrong.0.extend(sharing.grants.check(state.store));
    wrong.0.extend(sharing.shared.check(state.store));
    wrong.0.extend(sharing.departed.check(state.store));

    let (mut grants, mut shared) = (vec![], BTreeSet::new());
    let scanned = sharing.grants.scan(state.store, (0, 0), &mut |key, link| {
        grants.push((key, *link));
        Ok(true)
    });
    wrong.read("the grants", scanned);
    let scanned = sharing.shared.scan(state.store, (0, 0), &mut |(grantee, id), _| {
        shared.insert((id, grantee));
        Ok(true)
    });
    wrong.read("the index of grants", scanned);

    let keys: BTreeSet<_> = grants.iter().map(|(key, _)| *key).collect();
    wrong.require(keys == shared, || "grants and their index differ".into());
    for ((id, grantee), link) in grants {
        let name = format!("the grant of file {id} to f0{grantee}");
        let Some(grant) = wrong.read(&name, blocks::get::<GrantBlock>(state.store, &link)) else { continue };
        wrong.require((1..=files.last).contains(&id), || format!("{name} is of no file"));
        let Some(file) = files.blocks.get(&id) else { continue };
        wrong.require(file.owner != grantee, || format!("{name} is the owner's"));
        let in_order = (1..=file.version).contains(&grant.version);
        wrong.require(in_order, || format!("{name} is for version {} of {}", grant.version, file.version));
        let held = state.grant(id, grantee, 0).ok().flatten();
        wrong.require(held.is_some_and(|held| held.check().is_ok()), || format!("{name} is out of bounds"));
    }
}
