//! From the words of a command line, and the environment, to [`Args`].

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, ColorChoice, Command, CommandFactory as _, Error, FromArgMatches as _};

use super::Args;
use super::controller::VARIABLES;

/// What the controller of Argo CD Notifications is called.
const ARGOCD_NOTIFICATIONS: &str = "argocd-notifications";
const CONTROLLER: &str = "controller";

/// Reads a command line. `variable` reads the environment.
///
/// # Errors
/// What clap prints: help among it.
pub(crate) fn parse(mut words: Vec<OsString>, variable: impl Fn(&str) -> Option<String>) -> Result<Args, Error> {
    let called = words.first().and_then(|path| Path::new(path).file_stem().map(OsStr::to_owned));
    let called = variable(crate::setup::PROGRAM).map(Into::into).or(called).unwrap_or_default();
    let is_controller = called == ARGOCD_NOTIFICATIONS;
    if is_controller {
        words.insert(1, CONTROLLER.into());
    } else if words.get(1).is_some_and(|word| word == "admin") && words.get(2).is_some_and(|w| w == "notifications") {
        // The commands of Argo CD's own program (contract 6.1).
        words.drain(1..3);
    }
    if words.get(1).is_some_and(|word| word == "version") {
        words[1] = "--version".into();
    }
    let mut command = command().color(colour(&words));
    if is_controller {
        command = command.mut_subcommand(CONTROLLER, |c| c.override_usage(format!("{ARGOCD_NOTIFICATIONS} [OPTIONS]")));
    }
    let matches = command.try_get_matches_from_mut(&words).map_err(|error| with_suggestion(error, &command))?;
    let Some((CONTROLLER, given)) = matches.subcommand() else { return Args::from_arg_matches(&matches) };
    if !is_controller && let Some(word) = given.get_many::<String>("ignored").into_iter().flatten().next() {
        return Err(command.error(ErrorKind::UnknownArgument, format!("unexpected argument '{word}' found")));
    }
    let at = words.iter().position(|word| word == CONTROLLER).map_or(1, |at| at + 1);
    for (flag, name, value) in stand_ins(&command, given, variable) {
        words.insert(at, format!("--{flag}={value}").into());
        command.try_get_matches_from_mut(&words).map_err(|mut error| {
            if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg).cloned() {
                error.insert(ContextKind::InvalidArg, ContextValue::String(format!("{argument} (from {name})")));
            }
            error
        })?;
    }
    Args::from_arg_matches(&command.try_get_matches_from(words)?)
}

/// All commands, with the variables in their help.
pub(crate) fn command() -> Command {
    Args::command().mut_subcommand(CONTROLLER, |controller| {
        controller.mut_args(|argument| {
            let Some((_, name)) = VARIABLES.iter().find(|(flag, _)| argument.get_id() == *flag) else {
                return argument;
            };
            let about = argument.get_help().map(ToString::to_string).unwrap_or_default();
            argument.help(format!("{about} [env: {name}]"))
        })
    })
}

/// Flags that are not given, with the variable that says something about them and its value.
fn stand_ins(
    command: &Command,
    given: &ArgMatches,
    variable: impl Fn(&str) -> Option<String>,
) -> Vec<(String, &'static str, String)> {
    let controller = command.find_subcommand(CONTROLLER);
    let arguments: Vec<&Arg> = controller.into_iter().flat_map(Command::get_arguments).collect();
    let stand_in = |(id, name): &(&'static str, &'static str)| {
        let argument = arguments.iter().find(|argument| argument.get_id() == *id)?;
        if given.value_source(id) == Some(ValueSource::CommandLine) {
            return None;
        }
        let value = variable(name).filter(|value| !value.is_empty())?;
        // In the environment Argo CD Notifications takes only these two for booleans, and ignores anything else.
        let boolean = argument.get_default_values().first().is_some_and(|default| default == "false");
        let value = if boolean { value.to_ascii_lowercase() } else { value };
        let counts = !boolean || ["true", "false"].contains(&value.as_str());
        Some((argument.get_long()?.to_owned(), *name, value)).filter(|_| counts)
    };
    VARIABLES.iter().filter_map(stand_in).collect()
}

/// The choice of colours, which counts for errors and help as well.
fn colour(words: &[OsString]) -> ColorChoice {
    let word = words.iter().enumerate().find_map(|(at, word)| match word.to_str()? {
        "--color" => words.get(at + 1)?.to_str().map(str::to_owned),
        word => word.strip_prefix("--color=").map(str::to_owned),
    });
    word.and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// Names the nearest command where clap finds none.
fn with_suggestion(mut error: Error, command: &Command) -> Error {
    if error.kind() != ErrorKind::InvalidSubcommand || error.get(ContextKind::SuggestedSubcommand).is_some() {
        return error;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return error };
    let names = command.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name);
    if let Some(name) = echion_runtime::model::nearest(word, names) {
        let name = name.to_owned();
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![name]));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::super::{Annotations, Controller, Election};
    use super::*;

    fn parsed(line: &str, variables: &[(&str, &str)]) -> Result<Args, Error> {
        let words = line.split(' ').map(Into::into).collect();
        parse(words, |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    fn controller(line: &str, variables: &[(&str, &str)]) -> Controller {
        match parsed(line, variables).unwrap_or_else(|error| panic!("{error}")).command {
            crate::commands::Command::Controller(controller) => *controller,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_variable_stands_in_for_a_flag_that_is_not_given() {
        let variables = [
            ("ARGOCD_NOTIFICATIONS_CONTROLLER_LOGLEVEL", "debug"),
            ("ARGOCD_NOTIFICATIONS_CONTROLLER_LOGFORMAT", ""),
            ("ARGOCD_APPLICATION_NAMESPACES", "a, b"),
            ("ARGOCD_NOTIFICATION_CONTROLLER_REPO_SERVER_PLAINTEXT", "TRUE"),
            ("ARGOCD_NOTIFICATION_CONTROLLER_SELF_SERVICE_NOTIFICATION_ENABLED", "1"),
            ("ECHION_ANNOTATIONS", "Read"),
            ("ECHION_LEDGER", "sqlite:/x"),
        ];
        let read = controller("echion controller --ledger memory", &variables);
        assert_eq!(
            (read.loglevel.as_str(), read.logformat.as_str(), read.ledger.as_str()),
            ("debug", "json", "memory")
        );
        assert_eq!(read.application_namespaces, ["a", " b"]);
        assert_eq!((read.annotations, read.leader_election), (Annotations::Read, Election::Auto));
        assert!(read.argocd_repo_server_plaintext, "in any case of letters");
        assert!(!read.self_service_notification_enabled, "`1` is no boolean there");
        let read = controller("echion controller --argocd-repo-server-plaintext=false", &variables);
        assert!(!read.argocd_repo_server_plaintext);
        let error = parsed("echion controller", &[("ECHION_ANNOTATIONS", "x")]).unwrap_err().to_string();
        assert!(error.contains("ECHION_ANNOTATIONS") && error.contains("write, read"), "{error}");
    }

    #[test]
    fn called_as_argo_cd_notifications_it_is_the_controller_and_ignores_further_words() {
        assert_eq!(controller("/app/argocd-notifications trigger get --loglevel warn", &[]).loglevel, "warn");
        assert_eq!(controller("/bin/x", &[("ARGOCD_BINARY_NAME", ARGOCD_NOTIFICATIONS)]).loglevel, "info");
        assert!(parsed("echion controller trigger", &[]).unwrap_err().to_string().contains("'trigger'"));
        let help = parsed("argocd-notifications --help", &[]).unwrap_err().to_string();
        assert!(help.contains("Usage: argocd-notifications [OPTIONS]"), "{help}");
    }

    #[test]
    fn the_commands_of_argo_cd_are_known_by_their_full_names() {
        let read = parsed("argocd admin notifications trigger get", &[]).unwrap();
        assert!(matches!(read.command, crate::commands::Command::Trigger(_)));
    }

    #[test]
    fn a_misspelt_command_has_a_nearest_one() {
        let error = parsed("echion rnu", &[]).unwrap_err().to_string();
        assert!(error.contains("'run'"), "{error}");
        assert_eq!(parsed("echion version", &[]).unwrap_err().kind(), ErrorKind::DisplayVersion);
    }

    #[test]
    fn every_variable_belongs_to_a_flag() {
        let command = command();
        let controller = command.find_subcommand(CONTROLLER).unwrap();
        for (flag, name) in VARIABLES {
            assert!(controller.get_arguments().any(|argument| argument.get_id() == *flag), "{name}");
        }
    }
}
