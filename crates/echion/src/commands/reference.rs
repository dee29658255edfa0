//! `echion __reference`: the tables of the docs that follow from what commands, variables and metrics declare, for `cargo xtask codegen`.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Arg, Command};
use echion_console::Metrics;
use serde_json::json;

use crate::{args, print, setup};

/// Blocks of pages by page and name.
pub(super) fn run() -> ExitCode {
    let command = args::command();
    let controller = command.find_subcommand("controller").cloned().unwrap_or_default();
    let (cluster, own): (Vec<&Arg>, Vec<&Arg>) = visible(&controller).partition(|argument| of_cluster(argument));
    print::json(&json!({
        "docs/controller.md": {
            "flags": arguments(&own, args::VARIABLES),
            "cluster": arguments(&cluster, &[]),
            "variables": variables(),
            "metrics": metrics(),
        },
        "docs/cli.md": { "commands": commands(&command) },
    }));
    ExitCode::SUCCESS
}

/// The arguments of a command that its page shows: those that every command has are explained once.
fn visible(command: &Command) -> impl Iterator<Item = &Arg> {
    let shown = |argument: &&Arg| !argument.is_hide_set() && !argument.is_global_set();
    let shown = move |argument: &&Arg| shown(argument) && !["help", "version"].contains(&argument.get_id().as_str());
    command.get_arguments().filter(shown)
}

fn of_cluster(argument: &Arg) -> bool {
    argument.get_help_heading() == Some(args::KUBERNETES)
}

/// A table of arguments: what is written, the variable where some have one, the default, what it means.
fn arguments(arguments: &[&Arg], variables: &[(&str, &str)]) -> String {
    let variable = |argument: &Arg| variables.iter().find(|(id, _)| argument.get_id() == *id).map(|(_, name)| name);
    let with_variables = !variables.is_empty();
    let mut table = if with_variables {
        "| flag | variable | default | meaning |\n|---|---|---|---|\n".to_owned()
    } else {
        "| argument | default | meaning |\n|---|---|---|\n".to_owned()
    };
    for argument in arguments {
        let default: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = Some(default.join(",")).filter(|d| !d.is_empty()).map(|d| format!("`{d}`")).unwrap_or_default();
        let variable = variable(argument);
        let about = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let about = variable.map_or(about.as_str(), |name| about.trim_end_matches(&format!(" [env: {name}]")));
        let values: Vec<_> = argument
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set() && !["true", "false"].contains(&value.get_name()))
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        let values = if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) };
        let _ = write!(table, "| {} |", written(argument));
        if with_variables {
            let _ = write!(table, " {} |", variable.map(|name| format!("`{name}`")).unwrap_or_default());
        }
        let _ = writeln!(table, " {default} | {}{values} |", cell(about));
    }
    table
}

fn written(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(<[_]>::first).map(|name| format!(" {name}")).unwrap_or_default();
    let value = if argument.get_action().takes_values() { value } else { String::new() };
    match (argument.get_long(), argument.get_short()) {
        (Some(long), short) => {
            let short = short.map(|short| format!(", `-{short}`")).unwrap_or_default();
            format!("`--{long}`{short}")
        }
        (None, _) => format!("`{}`", value.trim()),
    }
}

/// Variables that stand for no flag.
fn variables() -> String {
    let mut table = "| variable | meaning |\n|---|---|\n".to_owned();
    for (names, about) in setup::VARIABLES {
        let names: Vec<String> = names.split(", ").map(|name| format!("`{name}`")).collect();
        let _ = writeln!(table, "| {} | {} |", names.join(", "), cell(about));
    }
    table
}

fn metrics() -> String {
    let mut table = "| metric | kind | labels | what |\n|---|---|---|---|\n".to_owned();
    for metric in Metrics::ALL {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ =
            writeln!(table, "| `{}` | {} | {} | {} |", metric.name, metric.kind, labels.join(", "), cell(metric.help));
    }
    table
}

/// Every command with its arguments and examples.
fn commands(root: &Command) -> String {
    let mut page = String::new();
    for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
        section(&mut page, command, "echion");
    }
    page
}

fn section(page: &mut String, command: &Command, above: &str) {
    let name = format!("{above} {}", command.get_name());
    let children: Vec<&Command> = command.get_subcommands().filter(|command| command.get_name() != "help").collect();
    for child in &children {
        section(page, child, &name);
    }
    if !children.is_empty() {
        return;
    }
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, "## `{name}`\n\n{}.\n\n", about.trim_end_matches('.'));
    let list: Vec<&Arg> = visible(command).collect();
    if command.get_name() == "controller" {
        page.push_str("Its flags are in [the guide of the controller](controller.md#flags).\n\n");
    } else if !list.is_empty() {
        let _ = writeln!(page, "{}", arguments(&list, &[]));
    }
    if let Some(examples) = command.get_after_help() {
        let examples = examples.to_string();
        let lines = examples.lines().filter_map(|line| line.strip_prefix("  ")).map(|line| format!("    {line}\n"));
        let lines: String = lines.collect();
        if !lines.is_empty() {
            let _ = writeln!(page, "{lines}");
        }
    }
}

fn cell(text: &str) -> String {
    let text = text.trim().trim_end_matches('.').replace('|', "\\|");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
