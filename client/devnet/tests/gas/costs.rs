//! The tables in FIL, for people: `test-vectors/gas/README.md` follows from the other files there.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

/// Base fees in attoFIL per gas.
const BASE_FEES: [u64; 3] = [100, 100_000, 1_000_000_000];
const METHODS: [&str; 24] = [
    "PublishKey",
    "GetKey",
    "RegisterFile",
    "RegisterFile, 64 files",
    "UpdateFile",
    "TransferFile",
    "RemoveFile",
    "GetFile",
    "ListFiles",
    "GrantAccess",
    "RevokeAccess",
    "GetGrant",
    "ListGrants",
    "ListShared",
    "CreateBounty",
    "FundBounty",
    "SectorContentChanged",
    "ClaimBounty",
    "SettleBounty",
    "CancelBounty",
    "RefundBounty",
    "GetBounty",
    "ListBounties",
    "ListBountyClaims",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors/gas")
}

fn table(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join(file)).unwrap_or_else(|_| "[]".into());
    serde_json::from_str(&text).expect("a JSON array")
}

fn gas(table: &[Value], name: &str, entries: u64, what: &str) -> Option<u64> {
    let row = table.iter().find(|row| row["name"] == name && row["entries"] == entries)?;
    row["expect"][what].as_u64()
}

/// Millions of gas.
fn millions(gas: Option<u64>) -> String {
    gas.map_or("-".into(), |gas| format!("{:.1}", gas as f64 / 1e6))
}

/// FIL with three digits that count.
fn fil(gas: Option<u64>, base_fee: u64) -> String {
    let Some(gas) = gas else { return "-".into() };
    let fil = gas as f64 * base_fee as f64 / 1e18;
    let digits = (2 - fil.log10().floor() as i32).max(0) as usize;
    format!("{fil:.digits$}")
}

/// States of the tables: how many entries of each kind.
const STATES: [u64; 3] = [0, 1_000, 100_000];

/// A table with a row for each method and a column for each body and state.
fn by_method(cell: impl Fn(Option<u64>) -> String) -> String {
    let mut text =
        String::from("| | Wasm 0 | 1,000 | 100,000 | contract 0 | 1,000 | 100,000 |\n|---|---|---|---|---|---|---|\n");
    let bodies = [table("actor.json"), table("contract.json")];
    for name in METHODS {
        let cells: Vec<_> =
            bodies.iter().flat_map(|table| STATES.map(|entries| cell(gas(table, name, entries, "gas")))).collect();
        writeln!(text, "| {name} | {} |", cells.join(" | ")).expect("to memory");
    }
    text
}

fn text() -> String {
    let mut text = String::from(
        "# Gas\n\nWhat a message costs on states with 0, 1,000 and 100,000 entries of each kind. Views are free when they are asked by a node\n\
         (`StateCall`, `eth_call`); their gas is what another actor pays. `actor.json` and `growth.json`: the Wasm, on our own system actors\n\
         (`actor-official.json`: on official ones). `contract.json` and `contract-growth.json`: the contract, on official built-in actors with fake proofs.\n\
         Written by `client/devnet/tests/gas`.\n\n\
         Among 1,000 and 100,000 files the contract's RegisterFile is the eighth of a row, which moves the seven before it: see the means below.\n\n\
         ## Millions of gas\n\n",
    );
    text += &by_method(millions);
    let (wasm, contract) = (table("growth.json"), table("contract-growth.json"));
    text += "\n## Mean (highest) over 250 messages, in millions of gas\n\n\
             | | Wasm 1,000 | 10,000 | 100,000 | contract 1,000 | 10,000 | 100,000 |\n|---|---|---|---|---|---|---|\n";
    for name in ["RegisterFile, one owner", "RegisterFile, many owners", "GetFile, one owner", "GetFile, many owners"] {
        let of = |table: &[Value]| {
            [1_000, 10_000, 100_000]
                .map(|entries| {
                    let at = |what| millions(gas(table, name, entries, what));
                    format!("{} ({})", at("mean"), at("max"))
                })
                .join(" | ")
        };
        writeln!(text, "| {name} | {} | {} |", of(&wasm), of(&contract)).expect("to memory");
    }
    let fees = ["100 attoFIL: the devnet's, and quiet days'", "100,000 attoFIL: busy days'", "1 nanoFIL"];
    for (base_fee, name) in BASE_FEES.into_iter().zip(fees) {
        write!(text, "\n## FIL at a base fee of {name}\n\n").expect("to memory");
        text += &by_method(|gas| fil(gas, base_fee));
    }
    text
}

#[test]
fn the_costs_follow_from_the_tables() {
    let path = folder().join("README.md");
    if std::env::var_os("UPDATE_VECTORS").is_some_and(|value| value == "1") {
        std::fs::write(&path, text()).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("the table is there");
    assert_eq!(committed, text(), "test-vectors/gas/README.md (UPDATE_VECTORS=1 writes it)");
}
