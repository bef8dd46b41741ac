//! What comes out: the result on stdout, everything else on stderr.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use crate::exit::{Exit, exit_of, sentence};
use crate::secrets::without_secrets;

/// The version of the JSON documents.
const SCHEMA: u64 = 1;

/// What a command has to say when it is over.
#[derive(Debug)]
pub struct Output {
    /// JSON.
    data: String,
    text: String,
    trouble: Option<(Exit, String)>,
}

impl Output {
    /// A result that prints itself.
    pub fn new<T: Serialize + Display>(result: &T) -> Self {
        let data = serde_json::to_string(result).expect("results are made of texts, numbers and lists");
        Self { data, text: result.to_string(), trouble: None }
    }

    /// A result whose bytes have gone to stdout already.
    pub fn streamed() -> Self {
        Self { data: "null".into(), text: String::new(), trouble: None }
    }

    /// Says that the result is not the whole of what was asked for.
    pub fn but(mut self, exit: Exit, message: impl Into<String>) -> Self {
        self.trouble = Some((exit, message.into()));
        self
    }

    /// Prints, and says how the command ended.
    pub fn print(self, json: bool) -> Exit {
        if self.text.is_empty() && self.data == "null" && self.trouble.is_none() {
            return Exit::Done;
        }
        let exit = self.trouble.as_ref().map_or(Exit::Done, |(exit, _)| *exit);
        if json {
            return match self.trouble {
                None => document(&succeeded(&self.data), exit),
                Some((exit, message)) => document(&failed(exit, &without_secrets(&message), Some(&self.data)), exit),
            };
        }
        let printed = line(&self.text);
        if let Some((_, message)) = self.trouble {
            complain(&message);
        }
        printed.map_or_else(|error| broken_stdout(error, exit), |()| exit)
    }
}

/// Prints an error where it belongs.
pub fn error(json: bool, exit: Exit, message: &str) -> Exit {
    if json {
        return document(&failed(exit, &without_secrets(message), None), exit);
    }
    complain(message);
    exit
}

/// Prints text that is a result, such as help.
pub fn text(json: bool, name: &str, text: &str) -> Exit {
    if json {
        return document(&succeeded(&json!({name: text.trim_end()}).to_string()), Exit::Done);
    }
    line(text).map_or_else(|error| broken_stdout(error, Exit::Done), |()| Exit::Done)
}

/// Prints a result before the command is over: a server tells where it listens.
pub fn announce(output: Output, json: bool) -> Exit {
    output.print(json)
}

fn succeeded(data: &str) -> String {
    format!(r#"{{"schema":{SCHEMA},"ok":true,"data":{data}}}"#)
}

/// A command that did a part of its work tells of that part, too.
fn failed(exit: Exit, message: &str, data: Option<&str>) -> String {
    let (code, message) = (exit.code(), Value::from(message));
    let data = data.map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
    format!(r#"{{"schema":{SCHEMA},"ok":false,"error":{{"code":{code},"message":{message}}}{data}}}"#)
}

fn document(document: &str, exit: Exit) -> Exit {
    line(document).map_or_else(|error| broken_stdout(error, exit), |()| exit)
}

fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if !text.is_empty() {
        out.write_all(text.trim_end_matches('\n').as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// A reader that has gone away (`bauta ls | head`) is no failure of ours; a full disk is. Neither hides what went wrong before.
fn broken_stdout(error: io::Error, exit: Exit) -> Exit {
    let error = stdout_error(error);
    if is_reader_gone(&error) {
        return exit;
    }
    complain(&sentence(&error));
    if exit == Exit::Done { exit_of(&error) } else { exit }
}

/// Whoever read stdout has what they wanted.
#[derive(Debug)]
struct ReaderGone;

impl Display for ReaderGone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody reads stdout any more")
    }
}

impl std::error::Error for ReaderGone {}

/// What is wrong with stdout, for a command that writes to it on its way.
pub fn stdout_error(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => ReaderGone.into(),
        _ => anyhow::Error::new(error).context("stdout"),
    }
}

/// Whether a command ended because nobody reads its stdout any more: that is as good an end as any.
pub fn is_reader_gone(error: &anyhow::Error) -> bool {
    error.is::<ReaderGone>()
}

fn complain(message: &str) {
    // Where stderr is closed there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "bauta: {}", clean_lines(&without_secrets(message)));
}

/// Lines of `name  value`, the values under each other.
#[derive(Debug, Default)]
pub struct Rows(Vec<(String, String)>);

impl Rows {
    /// Adds a row.
    pub fn row(mut self, name: &str, value: impl Display) -> Self {
        self.0.push((name.into(), value.to_string()));
        self
    }

    /// Adds a row where there is a value.
    pub fn maybe(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.row(name, value),
            None => self,
        }
    }

    /// Adds a row for each value, the name at the first one only.
    pub fn each<T: Display>(mut self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        for (i, value) in values.into_iter().enumerate() {
            self.0.push((if i == 0 { name.into() } else { String::new() }, value.to_string()));
        }
        self
    }
}

impl Display for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &self.0 {
            writeln!(f, "{name:width$}  {value}")?;
        }
        Ok(())
    }
}

/// A table: columns as wide as they must be, headings in lower case.
#[derive(Debug)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// A table with headings.
    pub fn new(headings: &[&str]) -> Self {
        Self(vec![headings.iter().map(|h| h.to_string()).collect()])
    }

    /// Adds a line.
    pub fn add(&mut self, cells: Vec<String>) {
        self.0.push(cells);
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.0[0].len();
        let width = |column: usize| self.0.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.0 {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// Makes text from elsewhere (names, notes) harmless for a terminal.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The same for text of several lines: nodes and providers have their say in it.
pub fn clean_lines(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// What is said on stderr beside the result.
#[derive(Debug, Clone, Copy)]
pub struct Notes {
    quiet: bool,
}

impl Notes {
    /// Says something unless the caller wants quiet.
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Says one line.
    pub fn say(&self, text: impl Display) {
        if !self.quiet {
            // Where stderr is closed there is nobody left to tell.
            let text = clean_lines(&text.to_string());
            let _ = crate::progress::aside(|| writeln!(io::stderr().lock(), "{text}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_json_whatever_they_say() {
        let bad = failed(Exit::Corrupt, "a \"quoted\"\nline \u{1b}", Some(r#"{"a":1}"#));
        let value: Value = serde_json::from_str(&bad).unwrap();
        assert_eq!(value["error"]["code"], 7);
        assert_eq!(value["data"]["a"], 1);
        assert!(!bad.contains('\n'));
        let good: Value = serde_json::from_str(&succeeded("null")).unwrap();
        assert_eq!((&good["ok"], &good["schema"]), (&Value::from(true), &Value::from(1)));
    }

    #[test]
    fn a_reader_that_has_gone_away_makes_no_success_of_a_failure() {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!([Exit::Done, Exit::NotFound].map(|exit| broken_stdout(gone(), exit)), [Exit::Done, Exit::NotFound]);
        assert_eq!([Exit::Done, Exit::Partly].map(|exit| broken_stdout(full(), exit)), [Exit::NoRoom, Exit::Partly]);
    }

    #[test]
    fn columns_line_up_and_control_characters_are_gone() {
        let mut table = Table::new(&["a", "bcd"]);
        table.add(vec!["long".into(), "x".into()]);
        assert_eq!(table.to_string(), "a     bcd\nlong  x\n");
        assert_eq!(Rows::default().row("a", 1).row("bcd", 2).to_string(), "a    1\nbcd  2\n");
        assert_eq!(clean("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
