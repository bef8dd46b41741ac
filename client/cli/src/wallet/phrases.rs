//! Keys from a phrase of words.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use bauta_client::home::create_private;
use bauta_client::keyring::SecretString;
use bauta_client::wallet::{KeyPath, Phrase};
use serde::Serialize;
use zeroize::Zeroizing;

use super::prefix;
use crate::args::{Derivation, Kind, WalletNew};
use crate::context::Context;
use crate::exit::Failure;
use crate::key::choose_passphrase;
use crate::output::{Output, Table};
use crate::secrets;

#[derive(Serialize)]
struct Derived {
    address: String,
    kind: &'static str,
    path: String,
    new: bool,
}

#[derive(Serialize)]
struct Derivations {
    keys: Vec<Derived>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phrase_file: Option<PathBuf>,
}

impl fmt::Display for Derivations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["address", "path", ""]);
        for key in &self.keys {
            let mark = if key.new { "" } else { "was there already" };
            table.add(vec![key.address.clone(), key.path.clone(), mark.into()]);
        }
        table.fmt(f)?;
        match &self.phrase_file {
            Some(file) => write!(f, "\nphrase in {}", file.display()),
            None => Ok(()),
        }
    }
}

/// Makes a phrase and its first keys. The phrase is safe before a key is.
pub(super) fn new(context: &mut Context, args: WalletNew) -> anyhow::Result<Output> {
    if args.kind != Kind::Secp256k1 {
        return Err(Failure::usage("a phrase gives secp256k1 keys only: leave out --kind or --mnemonic"));
    }
    let phrase = Phrase::generate(args.words).map_err(|e| Failure::usage(e.to_string()))?;
    let paths = paths(&args.derivation)?;
    // What can fail does so before the phrase is anywhere.
    let own = own_passphrase(&args.derivation)?;
    let passphrase = choose_passphrase(context, args.encrypt)?;
    let words = phrase.expose_words();
    match &args.phrase_out {
        Some(file) => create_private(file, Zeroizing::new(format!("{}\n", *words)).as_bytes())?,
        None if !context.json() && std::io::stderr().is_terminal() => show(&words)?,
        None => return Err(Failure::usage("nobody would see the phrase here: write it to a file, --phrase-out FILE")),
    }
    add(context, &phrase, &own, paths, passphrase.as_ref(), args.phrase_out)
}

fn show(words: &str) -> anyhow::Result<()> {
    let mut terminal = std::io::stderr().lock();
    writeln!(
        terminal,
        "Write these words down, in this order, where nobody else finds them. Whoever has them has the keys;"
    )?;
    writeln!(terminal, "without them a lost key stays lost. They are not shown again.\n")?;
    for (index, word) in words.split(' ').enumerate() {
        let end = if index % 6 == 5 { "\n" } else { "" };
        write!(terminal, "{:>3} {word:<9}{end}", index + 1)?;
    }
    writeln!(terminal)?;
    Ok(())
}

/// Adds keys of a phrase that somebody has.
pub(super) fn import(
    context: &mut Context,
    text: &str,
    derivation: &Derivation,
    encrypt: bool,
) -> anyhow::Result<Output> {
    let (phrase, own, paths) = (Phrase::parse(text)?, own_passphrase(derivation)?, paths(derivation)?);
    add(context, &phrase, &own, paths, choose_passphrase(context, encrypt)?.as_ref(), None)
}

/// The passphrase that belongs to the phrase itself (BIP-39); empty without one.
fn own_passphrase(derivation: &Derivation) -> anyhow::Result<Zeroizing<String>> {
    match &derivation.phrase_password_file {
        Some(file) => secrets::line_of(file),
        None => Ok(Zeroizing::new(String::new())),
    }
}

fn paths(derivation: &Derivation) -> anyhow::Result<Vec<KeyPath>> {
    if let Some(path) = &derivation.path {
        return Ok(vec![path.clone()]);
    }
    let first = derivation.index.unwrap_or(0);
    let paths = (0..derivation.count).map(|n| KeyPath::filecoin(first.saturating_add(n)));
    paths.collect::<Result<_, _>>().map_err(|_| Failure::usage("indices end below 2147483648"))
}

fn add(
    context: &Context,
    phrase: &Phrase,
    own: &str,
    paths: Vec<KeyPath>,
    passphrase: Option<&SecretString>,
    phrase_file: Option<PathBuf>,
) -> anyhow::Result<Output> {
    // All are derived before the first is kept.
    let keys = paths.iter().map(|path| phrase.key(path, own)).collect::<Result<Vec<_>, _>>()?;
    let (keystore, network) = (context.keystore(), prefix(context));
    let mut added = Vec::new();
    for (key, path) in keys.iter().zip(paths) {
        let new = keystore.add(key, passphrase)?;
        let (address, kind) = (network.show(&key.address()), key.kind().name());
        added.push(Derived { address, kind, path: path.to_string(), new });
    }
    Ok(Output::new(&Derivations { keys: added, phrase_file }))
}
