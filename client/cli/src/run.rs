//! From the process's arguments to its exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{self, Cli, Command};
use crate::context::Context;
use crate::exit::{Exit, exit_of, sentence};
use crate::output::{self, Output};
use crate::progress::Show;
use crate::secrets::without_secrets;
use crate::signals::Ends;
use crate::{
    bounty, completions, deploy, devnet, files, get, grants, init, key, market, mend, pack, put, rehearsal, serve,
    status, verify, wallet, watch,
};

/// How long work that runs in the background may take to clean up after Ctrl-C.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// SIGXFSZ: the same number on all Linux and BSD systems but MIPS.
const BEYOND_LIMIT: i32 = 25;

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let exit = match args::parse(&arguments) {
        Ok(cli) => start(cli),
        Err(error) => misread(&error, args::wants_json(&arguments)),
    };
    ExitCode::from(exit.code())
}

/// What clap says: help and version are results, the rest are errors.
fn misread(error: &clap::Error, json: bool) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp => output::text(json, "help", &error.to_string()),
        ErrorKind::DisplayVersion => output::text(json, "version", &error.to_string()),
        // With the marks of a terminal where there is one, unless something of it is not to be shown.
        _ if !json && without_secrets(&error.to_string()) == error.to_string() => {
            // Where stderr is closed there is nobody left to tell.
            let _ = error.print();
            Exit::Usage
        }
        _ => {
            let text = error.render().to_string();
            let message = text.split("\n\n").next().unwrap_or(&text).trim_start_matches("error: ").trim();
            output::error(json, Exit::Usage, message)
        }
    }
}

fn start(cli: Cli) -> Exit {
    let json = cli.global.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::error(json, Exit::Failed, &format!("no threads: {error}")),
    };
    let result = runtime.block_on(interruptible(cli));
    // Threads that write a file see the interruption at their next read, and remove what they have begun.
    runtime.shutdown_timeout(LAST_WORDS);
    match result {
        Ok(output) => output.print(json),
        Err(error) if output::is_reader_gone(&error) => Exit::Done,
        Err(error) => output::error(json, exit_of(&error), &sentence(&error)),
    }
}

async fn interruptible(cli: Cli) -> anyhow::Result<Output> {
    // Beyond a limit on the size of files a write fails, as on a full disk, and does not kill us.
    let _beyond_limit = signal(SignalKind::from_raw(BEYOND_LIMIT))?;
    // A server is interrupted as a matter of course, and ends by itself.
    let serves = match &cli.command {
        Command::Devnet(args) => args.command.is_none() && args.run.export.is_none(),
        Command::Watch(args) => !args.once,
        Command::Serve(_) => true,
        _ => false,
    };
    // From here on Ctrl-C is ours, whatever the command does first; so are, but for a server, the other ways to ask a program to end.
    let mut ends = if serves { Ends::interrupts()? } else { Ends::all()? };
    if cli.global.dry_run {
        rehearsal::allows(&cli.command)?;
    }
    // What needs no home works without one, or with one that is broken.
    let command = match cli.command {
        Command::Completions(args) => return Ok(completions::run(&args)),
        Command::Commp(args) => {
            let show = Show::decide(cli.global.progress, cli.global.quiet);
            return tokio::select! {
                result = pack::commp(show, args) => result,
                () = ends.next() => Err(crate::progress::interrupt()),
            };
        }
        other => other,
    };
    let mut context = Context::new(cli.global)?;
    let result = {
        let work = dispatch(&mut context, command);
        tokio::pin!(work);
        tokio::select! {
            result = &mut work => result,
            () = ends.next(), if !serves => {
                let interrupted = crate::progress::interrupt();
                if crate::progress::is_published() {
                    // What stands is a success, if all else is one: what follows is short, and not waited for by whoever asks once more.
                    tokio::select! {
                        result = &mut work => result.map_err(|_| interrupted),
                        () = ends.next() => Err(interrupted),
                        () = tokio::time::sleep(LAST_WORDS) => Err(interrupted),
                    }
                } else {
                    Err(interrupted)
                }
            }
        }
    };
    // A chain in process is closed whatever happened, so that its folder is whole.
    let rehearsed = context.rehearsed();
    let closed = context.close().await;
    let output = result?;
    closed?;
    Ok(rehearsed.map_or(output, |rehearsed| Output::new(&rehearsal::Report::new(rehearsed))))
}

async fn dispatch(context: &mut Context, command: Command) -> anyhow::Result<Output> {
    match command {
        Command::Pack(args) => pack::pack(context, args).await,
        Command::Unpack(args) => pack::unpack(context, args).await,
        Command::Init(args) => init::init(context, args).await,
        Command::Key(command) => key::run(context, command).await,
        Command::Wallet(command) => wallet::run(context, command).await,
        Command::Put(args) => put::put(context, args).await,
        Command::Get(args) => get::get(context, args).await,
        Command::Ls(args) => files::ls(context, args).await,
        Command::Info(args) => files::info(context, args).await,
        Command::Verify(args) => verify::verify(context, args).await,
        Command::Status(args) => status::status(context, args).await,
        Command::Renew(args) => mend::renew(context, args).await,
        Command::Repair(args) => mend::repair(context, args).await,
        Command::Watch(args) => watch::watch(context, args).await,
        Command::Rm(args) => files::rm(context, args).await,
        Command::Transfer(args) => grants::transfer(context, args).await,
        Command::Grant(args) => grants::grant(context, args).await,
        Command::Revoke(args) => grants::revoke(context, args).await,
        Command::Grants(args) => grants::list(context, args).await,
        Command::Bounty(command) => bounty::run(context, command).await,
        Command::Market(command) => market::run(context, command).await,
        Command::Serve(args) => serve::serve(context, args).await,
        Command::Deploy(args) => deploy::deploy(context, args).await,
        Command::Devnet(args) => devnet::run(context, args).await,
        Command::Mine(args) => devnet::mine(context, args).await,
        Command::Commp(_) | Command::Completions(_) => unreachable!("these two need no context"),
    }
}
