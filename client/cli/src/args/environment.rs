//! Flags from the environment: every `--some-flag` is also `BAUTA_SOME_FLAG`, written once here and not at each flag.

use std::ffi::OsString;

use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches, Id};

use super::Cli;

/// Reads the command line.
///
/// Errors: as clap reports them; help and version are among them.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = match command.try_get_matches_from_mut(arguments) {
        Err(error) if error.kind() == ErrorKind::ArgumentConflict => {
            // A flag beats the environment also where the two exclude each other.
            command = without_rivals(arguments).ok_or(error)?;
            command.try_get_matches_from_mut(arguments)?
        }
        other => other?,
    };
    let mut cli = Cli::from_arg_matches(&matches)?;
    // A network and a URL exclude each other where they are said in the same breath; a flag beats the environment.
    match (source(&matches, "network"), source(&matches, "rpc_url")) {
        (Some(ValueSource::CommandLine), Some(ValueSource::EnvVariable)) => cli.global.rpc_url = None,
        (Some(ValueSource::EnvVariable), Some(ValueSource::CommandLine)) => cli.global.network = None,
        (Some(_), Some(_)) => {
            let message = "--network and --rpc-url cannot be used together: a URL names its network by itself";
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        _ => {}
    }
    let from_here = source(&matches, "home") == Some(ValueSource::EnvVariable);
    if from_here && cli.global.home.as_ref().is_some_and(|home| home.is_relative()) {
        let message = "BAUTA_HOME is a relative path, and would be another folder in each place: give it from / on";
        return Err(command.error(ErrorKind::InvalidValue, message));
    }
    Ok(cli)
}

/// The command line without the variables that contradict flags of it; none where the flags contradict each other.
fn without_rivals(arguments: &[OsString]) -> Option<Command> {
    // Something that is required may come from a variable.
    let flags = Cli::command().ignore_errors(true).try_get_matches_from(arguments).ok()?;
    Some(with_variables_beside(Cli::command(), &flags))
}

fn with_variables_beside(command: Command, flags: &ArgMatches) -> Command {
    let said = |arg: &Arg| {
        let id = arg.get_id().as_str();
        flags.try_contains_id(id).is_ok_and(|there| there) && flags.value_source(id) == Some(ValueSource::CommandLine)
    };
    let is_rival = |arg: &Arg| {
        let mut others = command.get_arguments().filter(|other| said(other));
        others.any(|other| excludes(&command, arg, other) || excludes(&command, other, arg))
    };
    let rivals: Vec<Id> = command.get_arguments().filter(|arg| is_rival(arg)).map(|arg| arg.get_id().clone()).collect();
    let command = command.mut_args(|arg| if rivals.contains(arg.get_id()) { arg } else { with_variable(arg) });
    match flags.subcommand() {
        Some((name, flags)) => command.mut_subcommand(name, |command| with_variables_beside(command, flags)),
        None => command,
    }
}

fn excludes(command: &Command, one: &Arg, other: &Arg) -> bool {
    command.get_arg_conflicts_with(one).iter().any(|rival| rival.get_id() == other.get_id())
}

/// The whole command line, with its variables.
pub fn command() -> Command {
    with_variables(Cli::command())
}

/// Whether the caller wants JSON; answers for command lines that do not parse, too.
pub fn wants_json(arguments: &[OsString]) -> bool {
    let flagged = arguments.iter().skip(1).take_while(|a| *a != "--").any(|a| a == "--json");
    flagged || std::env::var("BAUTA_JSON").is_ok_and(|value| is_truthy(&value))
}

fn is_truthy(value: &str) -> bool {
    !matches!(value.to_ascii_lowercase().as_str(), "" | "0" | "n" | "no" | "f" | "false" | "off")
}

fn with_variables(command: Command) -> Command {
    let command = command.mut_args(with_variable);
    command.mut_subcommands(with_variables)
}

fn with_variable(arg: Arg) -> Arg {
    let Some(long) = arg.get_long().filter(|long| !matches!(*long, "help" | "version")) else { return arg };
    // Clap wants names that live as long as the program: there are a few dozen, made once.
    let name: &'static str =
        Box::leak(format!("BAUTA_{}", long.to_ascii_uppercase().replace('-', "_")).into_boxed_str());
    let arg = match arg.get_action() {
        ArgAction::SetTrue => arg.value_parser(FalseyValueParser::new()),
        _ => arg,
    };
    // One that is empty says nothing: that is how a script takes one back.
    if std::env::var_os(name).is_some_and(|value| value.is_empty()) {
        return arg;
    }
    arg.env(name).hide_env(true)
}

/// Where a global flag's value came from; the innermost subcommand knows.
fn source(matches: &ArgMatches, id: &str) -> Option<ValueSource> {
    matches.value_source(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_flag_has_its_variable() {
        fn walk(command: &Command) {
            for arg in
                command.get_arguments().filter(|a| a.get_long().is_some_and(|l| !matches!(l, "help" | "version")))
            {
                let name = format!("BAUTA_{}", arg.get_long().unwrap().to_uppercase().replace('-', "_"));
                assert_eq!(arg.get_env().unwrap().to_str(), Some(name.as_str()));
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&command());
    }

    #[test]
    fn no_command_reuses_the_name_of_a_global_flag() {
        fn walk(command: &Command, globals: &[String]) {
            for arg in command.get_arguments().filter(|arg| !arg.is_global_set()) {
                assert!(!globals.contains(&arg.get_id().to_string()), "{}: {}", command.get_name(), arg.get_id());
            }
            command.get_subcommands().for_each(|sub| walk(sub, globals));
        }
        let command = command();
        let globals: Vec<String> =
            command.get_arguments().filter(|arg| arg.is_global_set()).map(|arg| arg.get_id().to_string()).collect();
        assert!(globals.contains(&"address".to_string()));
        walk(&command, &globals);
    }

    #[test]
    fn a_network_and_a_url_exclude_each_other() {
        assert!(parse(&args("bauta ls --network local --rpc-url http://x")).is_err());
        assert!(parse(&args("bauta --network local ls --rpc-url http://x")).is_err());
        assert!(parse(&args("bauta ls --rpc-url http://x")).is_ok());
    }

    #[test]
    fn json_is_seen_before_parsing() {
        assert!(wants_json(&args("bauta nonsense --json")));
        assert!(!wants_json(&args("bauta pack -- --json")));
    }
}
