//! What messages to the actor cost: the built Wasm on the real FVM, with fees as on the chain.
//!
//! `test-vectors/gas/actor.json` has the gas of each method on states with 0, 1,000 and 100,000 entries of each kind, `growth.json` that of
//! registering and reading over many messages: at 10,000 files no more than 12 and 4 million in the mean, and from there to a million at
//! most half as much again. A message that costs more than the table fails the test; `UPDATE_VECTORS=1` writes the
//! tables anew. States are filled by the actor's own rules without messages, then given to the actor. `BAUTA_GAS_LARGE=1` adds the
//! largest ones, which take minutes.

#[path = "gas/contract.rs"]
mod contract;
#[path = "gas/costs.rs"]
mod costs;
#[path = "gas/fill.rs"]
mod fill;
#[path = "gas/methods.rs"]
mod methods;
#[path = "gas/table.rs"]
mod table;
#[allow(dead_code, reason = "the other tests use what this one does not")]
mod world;

use std::collections::BTreeMap;

use bauta_devnet::on_large_stack;
use methods::Body;
use table::{Table, is_large};

#[test]
fn methods_cost_no_more_than_the_table_says() {
    on_large_stack(|| {
        let scene = methods::Scene::new(Body::Wasm);
        // What the actor asks of miners costs a little more on official ones.
        let mut table = Table::open(if is_official() { "actor-official.json" } else { "actor.json" });
        for entries in [0, 1_000, 100_000] {
            if entries <= 1_000 || is_large() {
                table.compare(scene.measure(entries));
            }
        }
        table.close();
    });
}

/// The contract's table is that of the official actors, which Calibration and mainnet run.
fn has_official_actors() -> bool {
    if !is_official() {
        eprintln!("skipped: the contract's gas is measured on official built-in actors (BAUTA_BUNDLE=FILE.car)");
    }
    is_official()
}

fn is_official() -> bool {
    bauta_devnet::bundle::Bundle::from_environment() != bauta_devnet::bundle::Bundle::Own
}

#[test]
fn the_contract_costs_no_more_than_its_table_says() {
    if !has_official_actors() {
        return;
    }
    on_large_stack(|| {
        let scene = methods::Scene::new(Body::Contract);
        let mut table = Table::open("contract.json");
        for entries in [0, 1_000, 100_000] {
            if entries <= 1_000 || is_large() {
                table.compare(scene.measure(entries));
            }
        }
        table.close();
    });
}

/// A registration among 100,000 files costs no more than 1.1 times what it costs among 1,000.
#[test]
fn the_contract_hardly_grows() {
    if !has_official_actors() {
        return;
    }
    on_large_stack(|| {
        let scene = methods::Scene::new(Body::Contract);
        let mut table = Table::open("contract-growth.json");
        for owners in [fill::Owners::One, fill::Owners::Many] {
            let mut at_a_thousand = None;
            for entries in [1_000, 10_000, 100_000] {
                if entries > 10_000 && !is_large() {
                    continue;
                }
                let rows = scene.measure_growth(entries, owners);
                let mean = rows[0].gas["mean"];
                let most = *at_a_thousand.get_or_insert(mean);
                assert!(mean <= most + most / 10, "{} at {entries}: {mean} gas, {most} at 1,000", rows[0].name);
                table.compare(rows);
            }
        }
        table.close();
    });
}

#[test]
fn registering_and_reading_hardly_grow() {
    on_large_stack(|| {
        let scene = methods::Scene::new(Body::Wasm);
        let mut table = Table::open("growth.json");
        let mut at_ten_thousand = BTreeMap::new();
        for entries in [1_000, 10_000, 100_000, 1_000_000] {
            for owners in [fill::Owners::One, fill::Owners::Many] {
                if entries > 10_000 && !is_large() {
                    continue;
                }
                let rows = scene.measure_growth(entries, owners);
                for row in &rows {
                    let most = match at_ten_thousand.get(&row.name) {
                        Some(mean) => mean / 2 * 3,
                        None if row.name.starts_with("RegisterFile") => 12_000_000,
                        None => 4_000_000,
                    };
                    let mean = row.gas["mean"];
                    assert!(mean <= most, "{} at {entries}: {mean} gas, {most} were promised", row.name);
                    if entries == 10_000 {
                        at_ten_thousand.insert(row.name.clone(), mean);
                    }
                }
                table.compare(rows);
            }
        }
        table.close();
    });
}
