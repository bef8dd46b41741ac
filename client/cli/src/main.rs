//! `bauta`: private files on Filecoin, on the command line.
//!
//! The flows live in `bauta_client`; this crate reads arguments, calls them, and prints. Order of the rooms: arguments to plain values (`args`),
//! the place they apply to (`context`), one file per noun, and what comes out (`output`, `exit`).

mod amount;
mod archive;
mod args;
mod bounty;
mod chain;
mod completions;
mod context;
mod deploy;
mod devnet;
mod exit;
mod files;
mod get;
mod grants;
mod init;
mod key;
mod local;
mod market;
mod mend;
mod open;
mod output;
mod pack;
mod place;
mod progress;
mod put;
mod rehearsal;
mod resume;
mod run;
mod secrets;
mod serve;
mod signals;
mod span;
mod status;
mod unattended;
mod verify;
mod wallet;
mod watch;

fn main() -> std::process::ExitCode {
    run::main()
}
