//! Every command: one file each, a variant of [`Command`], and a line in `run`.

mod completion;
mod controller;
mod deliveries;
mod demo;
mod expr;
mod jsonl;
mod reference;
mod render;
mod run;
mod sandbox;
mod services;
mod template;
mod trigger;

use clap::Subcommand;

use crate::Outcome;
use crate::args::{Args, Controller, Deliveries, Demo, Expr, Output, Render, Run, Sandbox, Template, Trigger};

/// What is to be done.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Watch a folder of Applications and deliver notifications.
    #[command(after_help = "Examples:\n  \
        echion run --config-map argocd-notifications-cm.yaml --resources ./apps\n  \
        echion run --config-map cm.yaml --secret secret.yaml --resources ./apps --once\n  \
        echion run --config-map cm.yaml --resources ./apps --once --dry-run -o json")]
    Run(Run),
    /// Watch the Applications of a cluster and deliver notifications: the drop-in for Argo CD Notifications.
    #[command(after_help = "Examples:\n  \
        echion controller -n argocd\n  \
        echion controller -n argocd --application-namespaces 'team-*' --self-service-notification-enabled\n  \
        echion controller -n argocd --resource argoproj.io/v1alpha1/rollouts:rollout\n\n\
        Called as `argocd-notifications` the program is this command.")]
    Controller(Box<Controller>),
    /// Show the whole way on this machine: sample Applications, a local DingTalk robot, real messages.
    #[command(
        after_help = "Examples:\n  echion demo          # stays until Ctrl-C\n  echion demo --exit   # ends by itself"
    )]
    Demo(Demo),
    /// Run local stand-ins of vendors to try a configuration against.
    #[command(after_help = "Examples:\n  echion sandbox\n  \
        echion sandbox --port 8181 --dingtalk-secret SEC... --dingtalk-keyword alert\n\n\
        Then use http://127.0.0.1:8181/robot/send?access_token=any as the robot's address.\n\
        GET / shows what came in, GET /messages as JSON; POST /faults scripts failures: see docs/sandbox.md.")]
    Sandbox(Sandbox),
    /// List triggers, or ask one about an Application.
    #[command(subcommand)]
    #[command(after_help = "Examples:\n  echion trigger get --config-map cm.yaml\n  \
        echion trigger run on-sync-failed app.yaml --config-map cm.yaml")]
    Trigger(Trigger),
    /// List templates, or send one.
    #[command(subcommand)]
    #[command(after_help = "Examples:\n  echion template get --config-map cm.yaml\n  \
        echion template notify app-sync-failed app.yaml --config-map cm.yaml --recipient dingtalk")]
    Template(Template),
    /// Evaluate an expression as `when` and `oncePer` do.
    #[command(after_help = "Examples:\n  \
        echion expr \"app.status.health.status == 'Degraded'\" --resource app.yaml\n  \
        echion expr '1 * time.Minute'\n  \
        echion expr --trace \"app.status.sync.status == 'Synced'\" --resource app.yaml\n  \
        echion expr --jsonl < cases.jsonl")]
    Expr(Expr),
    /// Render a template text.
    #[command(after_help = "Examples:\n  \
        echion render '{{.app.metadata.name}} is {{.app.status.health.status}}' --resource app.yaml\n  \
        echion render --jsonl < cases.jsonl")]
    Render(Render),
    /// List recorded deliveries, show one, or make parked ones due again.
    #[command(subcommand)]
    #[command(after_help = "Examples:\n  echion deliveries list --resources ./apps --status parked\n  \
        echion deliveries show 0199c3a1 --resources ./apps\n  \
        echion deliveries redeliver --parked --service dingtalk --resources ./apps\n\n\
        Without `--ledger` and `--resources` the ledger is `.echion.sqlite` in this folder.")]
    Deliveries(Deliveries),
    /// List the service types, or explain one: its options and the fields of its section.
    #[command(after_help = "Examples:\n  echion services\n  echion services webhook\n  echion services -o json")]
    Services {
        /// Only this one, with everything about it.
        name: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  echion completion bash > /etc/bash_completion.d/echion")]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the tables of the docs that are written from the code.
    #[command(name = "__reference", hide = true)]
    Reference,
}

/// Does what the arguments say.
pub(crate) async fn run(args: Args) -> Outcome {
    match args.command {
        Command::Run(args) => run::run(args).await,
        Command::Controller(args) => controller::run(*args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Trigger(args) => trigger::run(args),
        Command::Template(args) => template::run(args).await,
        Command::Expr(args) => expr::run(args),
        Command::Render(args) => render::run(args),
        Command::Deliveries(args) => deliveries::run(args).await,
        Command::Services { name, output } => services::run(name.as_deref(), &output),
        Command::Completion { shell } => Ok(completion::run(shell)),
        Command::Reference => Ok(reference::run()),
    }
}
