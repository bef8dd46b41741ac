//! Passphrases: from a file, from a command, or asked for; never echoed, never asked for under `--json`.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::args::Global;
use crate::exit::{Exit, Failure};

/// Longest passphrase file or output.
const MAX_PASSPHRASE: u64 = 64 << 10;

/// Where a passphrase comes from.
#[derive(Debug, Clone)]
pub enum Passphrase {
    /// First line of this file.
    File(std::path::PathBuf),
    /// First line that this command prints.
    Command(String),
    /// Asked for on the terminal.
    Ask,
    /// Nowhere: nobody can be asked.
    Nowhere,
}

impl Passphrase {
    /// Decides by the flags.
    pub fn source(global: &Global) -> Self {
        if let Some(file) = &global.password_file {
            Self::File(file.clone())
        } else if let Some(command) = &global.password_command {
            Self::Command(command.clone())
        } else if !global.json && std::io::stdin().is_terminal() {
            Self::Ask
        } else {
            Self::Nowhere
        }
    }

    /// The passphrase of something that is encrypted already.
    pub fn get(&self, of: &str) -> anyhow::Result<Zeroizing<String>> {
        match self {
            Self::File(file) => line_of(file),
            Self::Command(command) => run(command),
            Self::Ask => Ok(Zeroizing::new(rpassword::prompt_password(format!("Passphrase of {of}: "))?)),
            Self::Nowhere => Err(Failure::because(
                Exit::NoAccess,
                format!("{of} is encrypted: give its passphrase by --password-file or --password-command"),
            )),
        }
    }

    /// A passphrase for something new: typed twice where it is typed.
    pub fn choose(&self, of: &str) -> anyhow::Result<Zeroizing<String>> {
        let chosen = match self {
            Self::Nowhere => {
                return Err(Failure::usage(format!("a passphrase for {of}: --password-file or --password-command")));
            }
            other => other.get(of)?,
        };
        if chosen.is_empty() {
            return Err(Failure::usage("the passphrase is empty"));
        }
        if matches!(self, Self::Ask) {
            let again = Zeroizing::new(rpassword::prompt_password("The same again: ")?);
            if *again != *chosen {
                return Err(Failure::usage("the two passphrases are not the same"));
            }
        }
        Ok(chosen)
    }
}

/// The first line of a file.
pub fn line_of(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let open = std::fs::File::open(file);
    first_line(open.map_err(|e| Failure::usage(format!("{}: {e}", file.display())))?)
}

fn run(command: &str) -> anyhow::Result<Zeroizing<String>> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| Failure::usage(format!("--password-command: {e}")))?;
    let out = child.stdout.take().expect("stdout is piped two lines above");
    let line = first_line(out);
    let status = child.wait()?;
    if !status.success() {
        return Err(Failure::usage(format!("--password-command ended with {status}")));
    }
    line
}

fn first_line(from: impl Read) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    from.take(MAX_PASSPHRASE).read_to_string(&mut text)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_string()))
}
