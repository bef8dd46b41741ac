//! What the devnet costs in time and space: one JSON document.
//!
//!     cargo run --release -p bauta_devnet --example measure -- [PART…]
//!
//! Parts: start, rate, latency, half-year, growth, bytes, busy, crowd; all of them without any. And week, only when named.
//! `BAUTA_BUNDLE` names an official bundle. Figures are of this machine as it is now: run it on a quiet one.
//! `MEASURE_SMALL=1` takes small numbers, to see that it works.

#[path = "../tests/gas/fill.rs"]
#[allow(dead_code, reason = "the gas tables use the rest")]
mod fill;
#[path = "../tests/providers/shop.rs"]
#[allow(dead_code, reason = "the tests of providers use the rest")]
mod shop;
#[path = "measure/states.rs"]
mod states;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bauta_abi::{Method, RegisterFileParams, encode};
use bauta_client::message::{self, SignedMessage};
use bauta_client::wallet::Key;
use bauta_devnet::bundle::{BAUTA_ACTOR, Bundle};
use bauta_devnet::chain::Chain;
use bauta_devnet::genesis::{Genesis, account_key};
use bauta_devnet::{Config, on_large_stack, spawn};
use fvm_ipld_encoding::RawBytes;
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

/// Set for the process that only starts a devnet in a folder.
const STARTS: &str = "MEASURE_START_FOLDER";

fn main() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    if let Some(folder) = std::env::var_os(STARTS) {
        println!("{}", runtime.block_on(start_once(Path::new(&folder)))?);
        return Ok(());
    }
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let wants = |part: &str| asked.is_empty() || asked.iter().any(|a| a == part);
    let mut found = serde_json::Map::new();
    let mut part = |name: &str, measure: &dyn Fn() -> Result<Value>| -> Result<()> {
        if wants(name) {
            eprintln!("{name}…");
            found.insert(name.into(), measure().with_context(|| name.to_owned())?);
        }
        Ok(())
    };
    part("start", &start)?;
    part("rate", &|| on_large_stack(rate))?;
    part("latency", &|| runtime.block_on(latency()))?;
    part("half-year", &|| runtime.block_on(half_year()))?;
    part("growth", &|| on_large_stack(states::growth))?;
    part("bytes", &|| on_large_stack(states::bytes))?;
    part("busy", &|| on_large_stack(states::busy))?;
    part("crowd", &|| runtime.block_on(states::crowd()))?;
    if !asked.is_empty() {
        part("week", &|| on_large_stack(states::week))?;
    }
    println!("{}", Value::Object(found));
    Ok(())
}

fn genesis() -> Genesis {
    Genesis { bundle: Bundle::from_environment(), ..Genesis::default() }
}

/// A number, or a small one.
fn many(n: u64) -> u64 {
    if std::env::var_os("MEASURE_SMALL").is_some() { n / 50 + 1 } else { n }
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

// --- start -----------------------------------------------------------------------------------------------------------

/// New and old states, each in a process of its own, because compiled actors are kept by the process.
fn start() -> Result<Value> {
    let mut rounds = Vec::new();
    for _ in 0..3 {
        let folder = tempfile::tempdir()?;
        let mut round = Vec::new();
        for _ in 0..2 {
            let mut command = std::process::Command::new(std::env::current_exe()?);
            let output = command.env(STARTS, folder.path()).stderr(std::process::Stdio::inherit()).output()?;
            ensure!(output.status.success(), "a start failed");
            round.push(serde_json::from_slice::<Value>(&output.stdout)?);
        }
        rounds.push(json!({ "new_state": round[0], "old_state": round[1] }));
    }
    Ok(json!({ "runs": rounds }))
}

async fn start_once(folder: &Path) -> Result<Value> {
    let begun = Instant::now();
    let config = Config {
        state: Some(folder.to_owned()),
        listen: Some(([127, 0, 0, 1], 0).into()),
        genesis: genesis(),
        ..Config::default()
    };
    let devnet = spawn(config.with_providers(2)).await?;
    let spawned = begun.elapsed();
    let head = r#"{"jsonrpc":"2.0","id":1,"method":"Filecoin.ChainHead","params":[]}"#;
    let url = devnet.rpc_url().context("it listens")?.to_owned();
    reqwest::Client::new().post(&url).body(head).send().await?.error_for_status()?;
    let answered = begun.elapsed();
    while devnet.info().await?.providers.iter().filter(|p| p.url.is_some()).count() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ready = begun.elapsed();
    devnet.node().devnet_mine(1).await?;
    let mined = begun.elapsed();
    devnet.shutdown().await;
    Ok(json!({
        "spawned_ms": ms(spawned),
        "first_answer_ms": ms(answered),
        "providers_ready_ms": ms(ready),
        "first_tipset_ms": ms(mined),
    }))
}

// --- messages --------------------------------------------------------------------------------------------------------

/// A chain with the actor on it.
fn chain_with_actor(folder: Option<&Path>) -> Result<(Chain, Address)> {
    let mut chain = match folder {
        Some(folder) => Chain::open(folder, &genesis())?,
        None => Chain::in_memory(&genesis())?,
    };
    let actor = chain.install(BAUTA_ACTOR)?.address;
    // Compiled before anything is measured.
    let key = account_key(9);
    let params = RawBytes::new(encode(&RegisterFileParams { files: vec![fill::file(u64::MAX)] })?);
    let done = chain.send(&key, &actor, Method::RegisterFile.number(), &TokenAmount::default(), params)?;
    ensure!(done.receipt.exit_code.is_success(), "registering a file fails: {:?}", done.receipt);
    Ok((chain, actor))
}

/// A file's registration, signed.
fn registration(key: &Key, actor: &Address, nonce: u64, file: u64) -> Result<SignedMessage> {
    let params = RawBytes::new(encode(&RegisterFileParams { files: vec![fill::file(file)] })?);
    let mut draft =
        message::draft(key.address(), *actor, TokenAmount::default(), Method::RegisterFile.number(), params);
    draft.sequence = nonce;
    draft.gas_limit = 60_000_000;
    draft.gas_fee_cap = TokenAmount::from_atto(2_000);
    draft.gas_premium = TokenAmount::from_atto(1_000);
    Ok(key.sign(draft)?)
}

/// Registers `count` files from so many senders, as many in a tipset as a block takes. Seconds of admission, of execution.
fn register(chain: &mut Chain, actor: &Address, senders: u64, count: u64) -> Result<(f64, f64)> {
    let keys: Vec<Key> = (0..senders).map(account_key).collect();
    let mut signed = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        let first = chain.next_nonce(&key.address())?.context("funded")?;
        for n in 0..count / senders {
            signed.push((n, registration(key, actor, first + n, ((at as u64) << 32) | (first + n))?));
        }
    }
    // Everybody's first, everybody's second, and so on.
    signed.sort_by_key(|(n, _)| *n);
    let (mut admitting, mut running) = (Duration::ZERO, Duration::ZERO);
    for batch in signed.chunks(100) {
        let begun = Instant::now();
        for (_, message) in batch {
            chain.push(message.clone())?;
        }
        admitting += begun.elapsed();
        let begun = Instant::now();
        while chain.has_runnable()? {
            chain.mine_one()?;
        }
        running += begun.elapsed();
    }
    Ok((admitting.as_secs_f64(), running.as_secs_f64()))
}

/// Messages of our actor a second, on one core: admission (signature and rules), and execution with the tipsets' commits.
fn rate() -> Result<Value> {
    let mut found = serde_json::Map::new();
    for (name, senders) in [("one_sender", 1), ("many_senders", 8)] {
        let (mut chain, actor) = chain_with_actor(None)?;
        let count = many(4_000);
        let (admitting, running) = register(&mut chain, &actor, senders, count)?;
        let per_second = |seconds: f64| (count as f64 / seconds).round();
        found.insert(
            name.into(),
            json!({
                "messages": count,
                "admitted_per_second": per_second(admitting),
                "executed_per_second": per_second(running),
                "both_per_second": per_second(admitting + running),
            }),
        );
    }
    Ok(Value::Object(found))
}

/// From a push over HTTP until the receipt is there, on demand, with the chain on disk.
async fn latency() -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let config = Config {
        state: Some(folder.path().to_owned()),
        listen: Some(([127, 0, 0, 1], 0).into()),
        genesis: genesis(),
        ..Config::default()
    };
    let devnet = spawn(config).await?;
    let actor = devnet.info().await?.actor.context("installed")?;
    let endpoint = bauta_client::network::Endpoint::from_url(devnet.rpc_url().context("it listens")?)?;
    let prefix = bauta_client::address::Prefix::Testnet;
    let node = bauta_client::node::HttpNode::new(endpoint, prefix, Default::default())?;
    let node: &dyn bauta_client::node::Node = &node;
    let key = account_key(0);
    let mut took = Vec::new();
    for n in 0..many(500) + 5 {
        let signed = registration(&key, &actor, n, n)?;
        let begun = Instant::now();
        let cid = node.mpool_push(&signed).await?;
        let found = node.search_msg(&bauta_client::node::json::TipsetKey::HEAD, &cid, -1).await?;
        ensure!(found.context("executed")?.receipt.exit_code == 0, "message {n} failed");
        // The first ones compile.
        if n >= 5 {
            took.push(ms(begun.elapsed()));
        }
    }
    devnet.shutdown().await;
    took.sort_by(f64::total_cmp);
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
    Ok(json!({ "pushes": took.len(), "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1.0) }))
}

/// 180 days with a sector that is proven every day.
async fn half_year() -> Result<Value> {
    let devnet = shop::devnet(None, 1).await;
    let shop = shop::Shop::of(&devnet, 0, &account_key(0)).await;
    shop.store(&shop::bytes(1, 100_000), None).await;
    let begun = Instant::now();
    devnet.node().devnet_mine(shop::HALF_A_YEAR).await?;
    let took = begun.elapsed();
    let sectors = shop.sectors(&devnet).await;
    ensure!(sectors == [(1, shop::SECTOR_ACTIVE.to_owned())], "{sectors:?}");
    devnet.shutdown().await;
    Ok(json!({ "epochs": shop::HALF_A_YEAR, "seconds": took.as_secs_f64() }))
}
