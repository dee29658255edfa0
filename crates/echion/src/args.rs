//! Arguments and their help.

mod controller;
mod parse;

use std::path::PathBuf;

pub(crate) use controller::{Annotations, Cluster, Controller, EgressMode, Election, KUBERNETES, VARIABLES};
pub(crate) use parse::{command, parse};

use crate::commands::Command;
use clap::{Args as ClapArgs, ColorChoice, Parser, Subcommand, ValueEnum};

/// GitOps notifications that are never lost.
///
/// Echion watches Argo CD Applications, decides with triggers when something is worth a notification, words it with templates, and
/// delivers it to whoever subscribed. It reads the configuration of Argo CD Notifications unchanged.
#[derive(Parser, Debug)]
#[command(name = "echion", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Start with `echion demo`: it needs no configuration and sends nothing out of this machine.")]
pub(crate) struct Args {
    /// When to use colours; NO_COLOR is respected.
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: ColorChoice,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Output {
    /// How to print: a table for people, JSON or YAML for machines.
    #[arg(short, long, default_value = "table", value_name = "FORMAT")]
    pub(crate) output: Format,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    #[value(alias = "wide")]
    Table,
    Json,
    Yaml,
}

/// The formats of the `get` commands of Argo CD Notifications.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GetFormat {
    #[value(alias = "table")]
    Wide,
    Json,
    Yaml,
    Name,
}

/// Where the configuration is.
#[derive(ClapArgs, Debug, Clone)]
pub(crate) struct Sources {
    /// File with the ConfigMap argocd-notifications-cm; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) config_map: Option<String>,
    /// File with the Secret argocd-notifications-secret; `:empty` for none.
    #[arg(long, value_name = "FILE|:empty", default_value = ":empty")]
    pub(crate) secret: String,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Folder with Application and AppProject manifests (YAML, JSON).
    #[arg(long, value_name = "DIR")]
    pub(crate) resources: PathBuf,
    /// Evaluate only resources of the ConfigMap's namespace and of those that match: globs, or regular expressions between slashes,
    /// separated by commas. Default: every namespace of the folder.
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub(crate) application_namespaces: Vec<String>,
    /// Where to remember: `sqlite:FILE`, or `memory`. Default: `sqlite:DIR/.echion.sqlite` in the folder of the resources.
    #[arg(long, value_name = "LEDGER")]
    pub(crate) ledger: Option<String>,
    /// Evaluate every resource once, deliver, print a summary, and end; exit with 1 when anything failed, is parked or still waits.
    #[arg(long)]
    pub(crate) once: bool,
    /// How long `--once` waits for deliveries that must be tried again.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    pub(crate) drain: i64,
    /// Print what would be done, and neither record nor send anything.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Demo {
    /// End by itself when everything was shown.
    #[arg(long)]
    pub(crate) exit: bool,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Sandbox {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8181)]
    pub(crate) port: u16,
    /// Port of the mail server on 127.0.0.1; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) smtp_port: u16,
    /// Signing secret that the DingTalk robot checks.
    #[arg(long, value_name = "SECRET")]
    pub(crate) dingtalk_secret: Option<String>,
    /// Keyword that the DingTalk robot wants; may be given several times.
    #[arg(long, value_name = "WORD")]
    pub(crate) dingtalk_keyword: Vec<String>,
    /// Address or network that the DingTalk robot accepts; may be given several times.
    #[arg(long, value_name = "IP")]
    pub(crate) dingtalk_ip: Vec<String>,
    /// The only access token that the DingTalk robot knows; without it every token is a robot of its own.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) dingtalk_token: Option<String>,
    /// Messages that a DingTalk robot takes in a minute; one more makes it deaf for ten minutes.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) messages_per_minute: u32,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Trigger {
    /// List triggers.
    #[command(after_help = "Example:\n  echion trigger get --config-map cm.yaml")]
    Get {
        /// Only this one.
        name: Option<String>,
        #[command(flatten)]
        sources: Sources,
        /// How to print.
        #[arg(short, long, default_value = "wide")]
        output: GetFormat,
    },
    /// Ask a trigger about an Application.
    #[command(after_help = "Example:\n  echion trigger run on-sync-failed app.yaml --config-map cm.yaml")]
    Run {
        /// The trigger.
        #[arg(required_unless_present = "jsonl")]
        name: Option<String>,
        /// File with the Application.
        #[arg(required_unless_present = "jsonl")]
        resource: Option<PathBuf>,
        #[command(flatten)]
        sources: Sources,
        /// Read cases from standard input, one JSON object a line, and answer each with one line.
        #[arg(long, conflicts_with_all = ["name", "resource"])]
        jsonl: bool,
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum Template {
    /// List templates.
    #[command(after_help = "Example:\n  echion template get app-sync-failed -o yaml --config-map cm.yaml")]
    Get {
        /// Only this one.
        name: Option<String>,
        #[command(flatten)]
        sources: Sources,
        /// How to print.
        #[arg(short, long, default_value = "wide")]
        output: GetFormat,
    },
    /// Send a template to one or more recipients.
    #[command(after_help = "Examples:\n  echion template notify app-sync-failed app.yaml --config-map cm.yaml\n  \
        echion template notify app-sync-failed app.yaml --config-map cm.yaml --recipient dingtalk")]
    Notify {
        /// The template.
        name: String,
        /// File with the Application.
        resource: PathBuf,
        #[command(flatten)]
        sources: Sources,
        /// Whom to send to, as SERVICE:RECIPIENT; may be given several times.
        #[arg(long, value_name = "SERVICE[:RECIPIENT]", default_value = "console:stdout")]
        recipient: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Expr {
    /// The expression.
    #[arg(required_unless_present = "jsonl", allow_hyphen_values = true)]
    pub(crate) expr: Option<String>,
    /// File with the Application that `app` is.
    #[arg(long, value_name = "FILE")]
    pub(crate) resource: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Read cases from standard input, one JSON object a line, and answer each with one line.
    #[arg(long, conflicts_with = "expr")]
    pub(crate) jsonl: bool,
    /// Show what each part of the expression came to, too.
    #[arg(long, conflicts_with = "jsonl")]
    pub(crate) trace: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct Render {
    /// The template text.
    #[arg(required_unless_present = "jsonl", allow_hyphen_values = true)]
    pub(crate) template: Option<String>,
    /// File with the Application that `.app` is.
    #[arg(long, value_name = "FILE")]
    pub(crate) resource: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Read cases from standard input, one JSON object a line, and answer each with one line.
    #[arg(long, conflicts_with = "template")]
    pub(crate) jsonl: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Which ledger.
#[derive(ClapArgs, Debug)]
pub(crate) struct LedgerArg {
    /// The ledger, as `sqlite:FILE`.
    #[arg(long, value_name = "LEDGER")]
    pub(crate) ledger: Option<String>,
    /// The folder of the resources, whose ledger is `DIR/.echion.sqlite`. Default: this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "ledger")]
    pub(crate) resources: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Deliveries {
    /// List deliveries, newest first.
    #[command(after_help = "Examples:\n  echion deliveries list --resources ./apps\n  \
        echion deliveries list --ledger sqlite:apps/.echion.sqlite --status parked --service dingtalk")]
    List {
        #[command(flatten)]
        ledger: LedgerArg,
        /// Only those with this status.
        #[arg(long)]
        status: Option<StatusArg>,
        /// Only those to this service.
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// Only those of this trigger.
        #[arg(long, value_name = "NAME")]
        trigger: Option<String>,
        /// Only those about this resource, as NAME or NAMESPACE/NAME.
        #[arg(long, value_name = "NAME")]
        resource: Option<String>,
        /// At most so many; 0 for all.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        output: Output,
    },
    /// Show one delivery: its message, its attempts and what the vendor answered.
    #[command(after_help = "Example:\n  echion deliveries show 0199c3a1 --resources ./apps")]
    Show {
        /// Its id, or how it begins.
        id: String,
        #[command(flatten)]
        ledger: LedgerArg,
        #[command(flatten)]
        output: Output,
    },
    /// Make parked deliveries due again.
    #[command(after_help = "Examples:\n  \
        echion deliveries redeliver 0199c3a1 0199c3b2 --resources ./apps\n  \
        echion deliveries redeliver --parked --service dingtalk --ledger sqlite:apps/.echion.sqlite")]
    Redeliver {
        /// Ids, or how they begin.
        #[arg(required_unless_present = "parked", conflicts_with = "parked")]
        ids: Vec<String>,
        /// All that are parked.
        #[arg(long)]
        parked: bool,
        /// Only those to this service.
        #[arg(long, value_name = "NAME", requires = "parked")]
        service: Option<String>,
        #[command(flatten)]
        ledger: LedgerArg,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum StatusArg {
    Pending,
    Delivered,
    Parked,
}

fn duration(text: &str) -> Result<i64, String> {
    let expected = |_| match text.parse::<f64>() {
        Ok(_) => format!("a duration has a unit: write `{text}s`"),
        Err(_) => "expected a duration such as 15s or 2m".to_owned(),
    };
    let nanos = echion_runtime::value::time::parse_duration(text).map_err(expected)?;
    if nanos < 0 { Err("expected a duration of zero or more".to_owned()) } else { Ok(nanos / 1_000_000) }
}
