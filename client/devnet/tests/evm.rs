//! Contracts on the VM: the same deployments and calls give the same return values, exit codes, events, nonces, addresses and storage
//! roots as `test-vectors/evm/scene.json` says, whatever the bundle: written on our own actors with `UPDATE_VECTORS=1`, checked on the
//! official ones with `BAUTA_BUNDLE=FILE.car`.

#[path = "evm/cases.rs"]
mod cases;
#[path = "evm/emitters.rs"]
mod emitters;
#[path = "evm/precompiles.rs"]
mod precompiles;
#[path = "evm/refusals.rs"]
mod refusals;
#[path = "evm/scene.rs"]
mod scene;
#[path = "evm/schema.rs"]
mod schema;
#[path = "evm/tools.rs"]
mod tools;

use std::path::Path;

use bauta_devnet::on_large_stack;
use serde_json::Value;

#[test]
fn contracts_do_the_same_on_every_bundle() {
    let steps = on_large_stack(|| {
        let mut scene = scene::Scene::new();
        cases::run(&mut scene);
        scene.finish()
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors/evm/scene.json");
    if std::env::var_os("UPDATE_VECTORS").is_some_and(|value| value == "1") {
        let lines: Vec<_> = steps.iter().map(|step| format!("  {step}")).collect();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
        return;
    }
    let known: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let different: Vec<_> = known.iter().zip(&steps).filter(|(known, step)| known != step).collect();
    for (known, step) in &different {
        println!("known {known}\n found {step}");
    }
    assert!(different.is_empty(), "{} steps differ", different.len());
    assert_eq!(known.len(), steps.len());
}
