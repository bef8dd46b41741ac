//! Time and space as states grow, and as time goes on.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bauta_devnet::chain::Keep;
use bauta_devnet::genesis::account_key;
use bauta_devnet::{Config, spawn};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde_json::{Value, json};

use super::{chain_with_actor, fill, genesis, many, ms, register, registration};

/// Files in the largest state, and how far one measurement is from the next.
const SIZES: [u64; 4] = [0, 10_000, 100_000, 1_000_000];

/// A tipset's cost as the number of files grows: empty, with one registration; and a collection of old states.
pub fn growth() -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let (mut chain, actor) = chain_with_actor(Some(folder.path()))?;
    let key = account_key(0);
    let me = chain.state()?.resolve(&key.address())?.context("funded")?;
    let mut rows = Vec::new();
    let mut made = 0;
    let mut root = fill::empty(chain.store());
    for size in SIZES.map(|size| if size == 0 { 0 } else { many(size) }) {
        while made < size {
            let step = (size - made).min(20_000);
            let ground = fill::Ground { store: chain.store(), keep: chain.head().state, me };
            root = fill::register(&ground, root, made, step, fill::Owners::Many);
            made += step;
            chain.store().prune(&[root, chain.head().state]);
        }
        chain.replace_state(actor.id()?, root)?;
        let times = |chain: &mut bauta_devnet::chain::Chain, register: bool| -> Result<Vec<f64>> {
            let mut took = Vec::new();
            for n in 0..many(200) {
                if register {
                    let nonce = chain.next_nonce(&key.address())?.context("funded")?;
                    chain.push(registration(&key, &actor, nonce, u64::MAX - size - n)?)?;
                }
                let begun = Instant::now();
                chain.mine_one()?;
                took.push(ms(begun.elapsed()));
            }
            took.sort_by(f64::total_cmp);
            Ok(took)
        };
        let (empty, busy) = (times(&mut chain, false)?, times(&mut chain, true)?);
        let (begun, mut slowest) = (Instant::now(), Duration::ZERO);
        chain.begin_to_forget()?;
        let began = begun.elapsed();
        while chain.store().is_collecting() {
            let begun = Instant::now();
            chain.mine_one()?;
            slowest = slowest.max(begun.elapsed());
        }
        let beside = begun.elapsed();
        let begun = Instant::now();
        let collected = chain.forget()?.states;
        let collecting = begun.elapsed();
        root = chain.actor(&actor)?.context("the actor")?.state;
        rows.push(json!({
            "files": size,
            "empty_p50_ms": empty[empty.len() / 2],
            "one_message_p50_ms": busy[busy.len() / 2],
            "one_message_p99_ms": busy[busy.len() * 99 / 100],
            "collection_beside": { "took_ms": ms(beside), "beginning_ms": ms(began), "slowest_tipset_ms": ms(slowest) },
            "collection_at_once_ms": ms(collecting),
            "live_blocks": collected.live,
        }));
    }
    Ok(json!(rows))
}

fn database(folder: &Path) -> Result<u64> {
    Ok(std::fs::metadata(folder.join("chain.redb"))?.len())
}

/// Bytes of the database for each message, before and after old states are forgotten.
pub fn bytes() -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let (mut chain, actor) = chain_with_actor(Some(folder.path()))?;
    let before = database(folder.path())?;
    let count = many(10_000);
    let (mut sent, one_in_a_tipset) = (0, many(1_000));
    while sent < one_in_a_tipset {
        register(&mut chain, &actor, 1, 1)?;
        sent += 1;
    }
    let alone = database(folder.path())? - before;
    register(&mut chain, &actor, 1, count)?;
    let together = database(folder.path())? - before - alone;
    chain.set_keep(Keep { states: 10, ..Keep::default() });
    let collected = chain.forget()?;
    drop(chain);
    Ok(json!({
        "message_bytes": registration(&account_key(0), &actor, 1, 1)?.to_bytes().len(),
        "one_a_tipset": alone / one_in_a_tipset,
        "hundred_a_tipset": together / count,
        "state_blocks_gone": collected.states.gone,
        "state_blocks_live": collected.states.live,
        "file_bytes": database(folder.path())?,
    }))
}

/// A week of one-second tipsets, one in thirty with a message, with what is kept by default: how large the database is as it goes on, what of it
/// is in use, and what a tipset takes.
pub fn week() -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let (mut chain, actor) = chain_with_actor(Some(folder.path()))?;
    let key = account_key(0);
    // A process that is asked once a second waits for the disk each time; here for a hundred together.
    chain.be_synced_by_others();
    let days = 7;
    let (mut rows, mut slowest, mut messages) = (Vec::new(), Duration::ZERO, 0u64);
    for half_day in 1..=2 * days {
        let begun = Instant::now();
        let count = many(43_200);
        for tipset in 0..count {
            let begun = Instant::now();
            if tipset % 30 == 0 {
                let nonce = chain.next_nonce(&key.address())?.context("funded")?;
                chain.push(registration(&key, &actor, nonce, nonce)?)?;
                messages += 1;
            }
            chain.mine_one()?;
            if tipset % 100 == 0 {
                chain.store().sync()?;
            }
            slowest = slowest.max(begun.elapsed());
        }
        let took = begun.elapsed();
        let usage = chain.store().usage()?;
        rows.push(json!({
            "days": f64::from(half_day) / 2.0,
            "messages": messages,
            "file_bytes": database(folder.path())?,
            "used_bytes": usage.used,
            "page_bytes": usage.pages,
            "tipset_ms": ms(took) / count as f64,
            "slowest_ms": ms(std::mem::take(&mut slowest)),
        }));
        eprintln!("{}", rows.last().context("just made")?);
    }
    Ok(json!(rows))
}

/// The same for less time, with a message in each tenth tipset.
pub fn busy() -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let (mut chain, actor) = chain_with_actor(Some(folder.path()))?;
    let keep = Keep { states: many(2_880), empty: many(10_000), ..Keep::default() };
    chain.set_keep(keep);
    let count = many(40_000);
    let mut sizes = Vec::new();
    let begun = Instant::now();
    for tipset in 1..=count {
        if tipset % 10 == 0 {
            let key = account_key(0);
            let nonce = chain.next_nonce(&key.address())?.context("funded")?;
            chain.push(registration(&key, &actor, nonce, tipset)?)?;
        }
        chain.mine_one()?;
        if tipset % (count / 8) == 0 {
            sizes.push(json!({ "tipsets": tipset, "file_bytes": database(folder.path())? }));
        }
    }
    let took = begun.elapsed();
    let forgotten = chain.forget()?;
    Ok(json!({
        "keep_states": keep.states,
        "keep_empty": keep.empty,
        "busy": "one in ten, with one message",
        "sizes": sizes,
        "tipset_ms": ms(took) / count as f64,
        "live_state_blocks": forgotten.states.live,
    }))
}

/// What goes through all actors, with 100,000 accounts: how long each keeps the chain.
pub async fn crowd() -> Result<Value> {
    let mut genesis = genesis();
    let accounts = many(100_000);
    genesis.funded = (0..accounts)
        .map(|n| {
            let mut key = [4; 65];
            key[..8].copy_from_slice(&n.to_be_bytes());
            Ok((Address::new_secp256k1(&key)?, TokenAmount::from_atto(1)))
        })
        .collect::<Result<_>>()?;
    let begun = Instant::now();
    let devnet = spawn(Config { genesis, ..Config::default() }).await?;
    let started = begun.elapsed();
    let node = devnet.node();
    let early = json!(node.chain_head().await?.cids);
    node.devnet_mine(2).await?;
    let mut found = serde_json::Map::new();
    found.insert("accounts".into(), json!(accounts));
    found.insert("start_ms".into(), json!(ms(started)));
    for (name, params) in [
        ("Devnet.CheckInvariants", json!([])),
        ("Filecoin.StateVMCirculatingSupplyInternal", json!([null])),
        ("Filecoin.StateListMiners", json!([early])),
        ("Filecoin.StateListActors", json!([null])),
        ("Filecoin.ChainHead", json!([])),
    ] {
        let mut took = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            let _ = node.request(name, params.clone()).await;
            took.push(ms(begun.elapsed()));
        }
        took.sort_by(f64::total_cmp);
        found.insert(name.into(), json!({ "p50_ms": took[2], "max_ms": took[4] }));
    }
    devnet.shutdown().await;
    Ok(Value::Object(found))
}
