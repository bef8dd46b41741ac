//! Passphrases: from a file, from a command, or asked for; never echoed, never asked for under `--json`.

use std::io::{IsTerminal, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use bauta_client::home::FileError;
use zeroize::Zeroizing;

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::place::is_dash;

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

/// The first line of a file that nobody else may read. (Pipes, such as `<(…)`, belong to who made them.)
pub fn line_of(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let wrong = |e: std::io::Error| Failure::usage(format!("{}: {e}", file.display()));
    if is_dash(file) {
        return Err(Failure::usage("a passphrase is not read from stdin: give a file, or --password-command"));
    }
    let open = std::fs::File::open(file).map_err(wrong)?;
    let about = open.metadata().map_err(wrong)?;
    let mode = about.permissions().mode() & 0o777;
    if about.is_file() && mode & 0o077 != 0 {
        return Err(FileError::TooOpen { path: file.into(), mode }.into());
    }
    first_line(open)
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
    // Large enough from the start: what grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_PASSPHRASE as usize + 1));
    from.take(MAX_PASSPHRASE).read_to_string(&mut text)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_string()))
}

/// How an age identity and the hex of a Lotus key file (`{"Type`) begin.
const IDENTITY: &str = "AGE-SECRET-KEY-";
const LOTUS_KEY: &str = "7b2254797065";
/// So many characters of a key are too many, and no other text begins with them.
const TELLING: usize = 24;

/// Words of a seed phrase, at least.
const PHRASE: usize = 12;

/// A message without the secret keys that somebody has given in the place of something else, and with the advice not to.
pub fn without_secrets(message: &str) -> String {
    let owned = |text: std::ffi::OsString| Zeroizing::new(text.to_string_lossy().into_owned());
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BAUTA_"));
    hide(message, std::env::args_os().chain(ours.map(|(_, value)| value)).map(owned))
}

fn hide(message: &str, given: impl Iterator<Item = Zeroizing<String>>) -> String {
    let mut out = message.to_string();
    for text in given {
        // A phrase is one argument, and as a whole only: its words are everybody's.
        if is_phrase(&text) {
            out = out.replace(text.trim(), "(a secret phrase)");
        }
        // A whole identity file may be one argument, and a value may hang on its flag.
        for secret in text.split(|c: char| c.is_whitespace() || c == '=').filter(|word| is_secret(word)) {
            // Libraries may have shortened what they repeat, or changed its case: as much of it as stands there goes.
            while let Some(at) = secret.get(..TELLING).and_then(|start| find(&out, start)) {
                let pairs = out[at..].bytes().zip(secret.bytes());
                let same = pairs.take_while(|(one, other)| one.eq_ignore_ascii_case(other)).count();
                out.replace_range(at..at + same, "(a secret key)");
            }
        }
    }
    let hint = if out == message {
        ""
    } else {
        " (a secret key does not belong on a command line, where others see it: pass the file that holds it)"
    };
    out + hint
}

/// Where a text of ASCII stands, in whatever case.
fn find(text: &str, wanted: &str) -> Option<usize> {
    text.as_bytes().windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Whether a text may be a seed phrase: words of letters, as many as the shortest has.
fn is_phrase(text: &str) -> bool {
    let is_word = |word: &str| (3..=8).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    text.split_whitespace().count() >= PHRASE && text.split_whitespace().all(is_word)
}

/// Whether a word is a key: an age identity, the text of a Lotus key file, or 32 bytes in hex. (A hash in hex looks the same, and no command
/// takes one.)
fn is_secret(word: &str) -> bool {
    let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
    let is_hex = word.is_ascii() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_identity = word.get(..IDENTITY.len()).is_some_and(|start| start.eq_ignore_ascii_case(IDENTITY));
    word.is_ascii() && (is_identity || is_hex && (hex.len() == 64 || find(hex, LOTUS_KEY) == Some(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passphrase");
        std::fs::write(&file, "open sesame\nmore").unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(line_of(&file).ok().as_deref().map(String::as_str), good.then_some("open sesame"), "{mode:o}");
        }
        assert!(line_of(Path::new("-")).is_err());
    }

    #[test]
    fn keys_are_not_repeated() {
        let identity = format!("{IDENTITY}1{}", "Q".repeat(58));
        let lotus = format!("{LOTUS_KEY}{}", "ab".repeat(60));
        let hex = "0f".repeat(32);
        for secret in [identity, lotus, format!("0x{hex}"), hex] {
            for (argument, message) in [
                (secret.clone(), format!("`{secret}` is no address")),
                (format!("--recipient={secret}"), format!("--recipient {secret}: no recipient")),
                (secret.clone(), format!("{secret}: {}… is no address", &secret[..50])),
            ] {
                let said = hide(&message, ["bauta".to_string(), argument].map(Zeroizing::new).into_iter());
                assert!(!said.contains(&secret[..TELLING]) && said.contains("pass the file"), "{said}");
            }
        }
        let file = format!("# public key: age1x\n{IDENTITY}1{}\n", "q".repeat(58));
        let said = hide(&format!("--recipient {}: no", file.replace('\n', " ")), [Zeroizing::new(file)].into_iter());
        assert!(!said.contains(IDENTITY), "{said}");
        let upper = format!("{LOTUS_KEY}{}", "AB".repeat(60));
        let said = hide(&format!("{}: no", upper.to_lowercase()), [Zeroizing::new(upper.to_uppercase())].into_iter());
        assert!(!said.contains(LOTUS_KEY), "{said}");
        let phrase = ["abandon"; 11].join(" ") + " about";
        let said = hide(&format!("{phrase}: there is no such file"), [Zeroizing::new(phrase)].into_iter());
        assert!(!said.contains("abandon") && said.contains("there is no such file"), "{said}");
        let harmless = format!("{} is no address", "ab".repeat(32));
        let arguments = ["bauta", "send", "t01000", "ü"].map(|argument| Zeroizing::new(argument.to_string()));
        assert_eq!(hide(&harmless, arguments.into_iter()), harmless);
    }
}
