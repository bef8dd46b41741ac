//! The same messages on our own built-in actors and on official ones: exit codes, returns and events must be the same.
//! Needs an official bundle (`BAUTA_BUNDLE`), and without it only says so.

mod deals;
mod sweep;
mod wallets;

use std::collections::BTreeMap;

use bauta_devnet::bundle::Bundle;
use bauta_devnet::vm::Outcome;
use fvm_ipld_encoding::{RawBytes, from_slice};
use fvm_shared::address::Address;
use fvm_shared::econ::TokenAmount;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::world::World;

/// What is told of a world, a line for each message.
pub struct Script {
    pub w: World,
    lines: Vec<String>,
}

impl Script {
    fn on(bundle: Bundle) -> Self {
        Self { w: World::on(bundle), lines: Vec::new() }
    }

    /// Sends a message and notes what came of it.
    pub fn say(&mut self, what: &str, from: &Address, to: &Address, method: u64, params: &impl Serialize) -> Outcome {
        self.pay(what, from, to, method, &TokenAmount::default(), params)
    }

    /// The same, with money.
    pub fn pay(
        &mut self,
        what: &str,
        from: &Address,
        to: &Address,
        method: u64,
        value: &TokenAmount,
        params: &impl Serialize,
    ) -> Outcome {
        let params = RawBytes::serialize(params).unwrap();
        let done = self.w.outcome(from, to, method, value, params);
        if !done.exit.is_success() {
            eprintln!("{what}: {}", done.failure.trim());
        }
        let mut line = format!("{what}: exit {}", done.exit.value());
        if !done.value.is_empty() {
            line += &format!(" return {}", hex::encode(done.value.bytes()));
        }
        for event in &done.events {
            let entries = event.event.entries.iter();
            let entries: Vec<_> = entries.map(|e| format!("{}={}", e.key, hex::encode(&e.value))).collect();
            line += &format!(" event of f0{} [{}]", event.emitter, entries.join(" "));
        }
        self.lines.push(line);
        done
    }

    /// A message without params; only its exit code is noted.
    pub fn blank(&mut self, what: &str, from: &Address, to: &Address, method: u64) {
        let done = self.w.outcome(from, to, method, &TokenAmount::default(), RawBytes::default());
        self.note(what, done.exit.value());
    }

    /// Notes something else that must be alike.
    pub fn note(&mut self, what: &str, is: impl std::fmt::Debug) {
        self.lines.push(format!("{what}: {is:?}"));
    }

    /// What a message returns, where it has to succeed.
    pub fn ask<T: DeserializeOwned>(
        &mut self,
        what: &str,
        from: &Address,
        to: &Address,
        method: u64,
        params: &impl Serialize,
    ) -> T {
        let done = self.say(what, from, to, method, params);
        assert!(done.exit.is_success(), "{what}: exit {}: {}", done.exit.value(), done.failure);
        from_slice(done.value.bytes()).unwrap()
    }
}

/// Tells a story on both, and compares. `known` says which lines differ, and why they may: a reason for each beginning of a
/// line; one that nothing needs fails, too.
pub fn compare(story: fn(&mut Script), known: &[(&str, &str)]) {
    let Bundle::Car(official) = Bundle::from_environment() else {
        eprintln!("skipped: BAUTA_BUNDLE names no official bundle to compare with");
        return;
    };
    let told = |bundle| {
        let mut script = Script::on(bundle);
        story(&mut script);
        script.w.assert_sound();
        script.lines
    };
    let (ours, theirs) = (told(Bundle::Own), told(Bundle::Car(official)));
    assert_eq!(ours.len(), theirs.len(), "the stories are of one length");
    let mut needed: BTreeMap<&str, usize> = known.iter().map(|(start, _)| (*start, 0)).collect();
    let mut different = Vec::new();
    for (ours, theirs) in ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs) {
        match known.iter().find(|(start, _)| ours.starts_with(start)) {
            Some((start, _)) => *needed.get_mut(start).unwrap() += 1,
            None => different.push(format!("ours      {ours}\nofficial  {theirs}")),
        }
    }
    assert!(different.is_empty(), "{} lines differ:\n{}", different.len(), different.join("\n"));
    let idle: Vec<_> = needed.iter().filter(|(_, count)| **count == 0).collect();
    assert!(idle.is_empty(), "these do not differ any more: {idle:?}");
}

#[test]
fn every_method_of_every_actor_answers_strangers_alike() {
    bauta_devnet::on_large_stack(|| compare(sweep::story, sweep::KNOWN));
}

#[test]
fn wallets_of_several_and_payment_channels_are_the_same() {
    bauta_devnet::on_large_stack(|| compare(wallets::story, wallets::KNOWN));
}

#[test]
fn deals_and_sectors_are_the_same_over_their_lives() {
    bauta_devnet::on_large_stack(|| compare(deals::story, deals::KNOWN));
}
