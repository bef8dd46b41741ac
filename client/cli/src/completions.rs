//! `bauta completions`.

use std::fmt;

use serde::Serialize;

use crate::args::{self, Completions};
use crate::output::Output;

#[derive(Serialize)]
struct Script {
    shell: String,
    script: String,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.script)
    }
}

/// Prints the script that makes a shell complete our commands.
pub fn run(args: &Completions) -> Output {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "bauta", &mut script);
    Output::new(&Script { shell: args.shell.to_string(), script: String::from_utf8_lossy(&script).into_owned() })
}
