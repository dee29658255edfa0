//! One file per command.

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

use crate::Outcome;
use crate::args::{Args, Command};

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
