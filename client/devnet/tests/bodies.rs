//! The actor's scenarios on the FVM: its Wasm and the contract side by side, message by message the same.
//!
//! The FVM, the accounts and the EVM are real ones (`BAUTA_BUNDLE` names an official bundle, otherwise our own); miners, power and the
//! market are puppets, which answer as the scenario says and as no real one would. Real ones meet both bodies in the gas tables, in
//! `contract.rs`, and in `scripts/demo`.

#[path = "bodies/attacks.rs"]
mod attacks;
#[path = "bodies/chain.rs"]
mod chain;
#[path = "bodies/ground.rs"]
mod ground;
#[path = "bodies/lens.rs"]
mod lens;

use bauta_scenarios::{Body, New, Twins};
use chain::Chain;

fn on_the_fvm(scenario: fn(New<'_>)) {
    ground::run(move |ground| {
        scenario(&|| {
            let wasm = Chain::new(ground, ground.wasm);
            match ground.contract {
                Some(contract) => Box::new(Twins::new(wasm, Chain::new(ground, contract))) as Box<dyn Body>,
                None => Box::new(wasm),
            }
        });
    });
}

bauta_scenarios::scenarios!(crate::on_the_fvm);
