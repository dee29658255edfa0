//! Sequences of versions of a resource, and what is to be done about each.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

mod ambient;
mod configuration;
mod docs;
mod legacy;
mod planning;
mod random;

use std::collections::BTreeMap;
use std::sync::Arc;

use echion_engine::variables::{AppDetail, CommitMetadata, EvaluationContext, Repository};
use echion_engine::{Conditions, Config, Documents, Inputs, Namespaces, Plan, Sources, evaluate};
use echion_model::{Environment, Resource, State};
use echion_value::Value;

/// 2024-11-03T12:00:00Z
const NOW: i64 = 1_730_635_200_000;

struct Nothing;

impl Repository for Nothing {
    fn commit_metadata(&self, _: &Value, _: &str) -> Result<CommitMetadata, String> {
        Err("no repository".to_owned())
    }

    fn app_details(&self, _: &Value) -> Result<AppDetail, String> {
        Err("no repository".to_owned())
    }
}

fn config(data: &[(&str, &str)]) -> Config {
    let config_map = data.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    load(&Sources { config_map, ..Sources::default() }, None)
}

fn load(sources: &Sources, previous: Option<&Config>) -> Config {
    let environment = Environment { conditions: Some(Arc::new(Conditions)), ..Environment::default() };
    Config::load(sources, &echion_services::configurable(), &environment, previous)
}

fn seed() -> Config {
    let text = include_str!("../../../echion/demo/argocd-notifications-cm.yaml");
    let mut sources = Sources::default();
    Documents::parse(text).unwrap().config_map("argocd-notifications-cm", &mut sources).unwrap();
    load(&sources, None)
}

fn app(text: &str) -> Resource {
    let node = echion_model::yaml::parse(text).unwrap();
    Resource::from_object(node.to_value(), "argocd").unwrap()
}

/// An Application with this status.
fn with_status(status: &str) -> Resource {
    app(&format!("kind: Application\nmetadata: {{name: demo, namespace: argocd}}\nspec: {{}}\nstatus: {status}\n"))
}

/// A ledger of one resource.
#[derive(Default)]
struct Memory(Option<State>);

impl Memory {
    /// Looks, and remembers what the plan says.
    fn evaluate(&mut self, config: &Config, resource: &Resource) -> Plan {
        self.evaluate_with(config, resource, None)
    }

    fn evaluate_with(&mut self, config: &Config, resource: &Resource, project: Option<&Value>) -> Plan {
        let context = EvaluationContext::at_millis(NOW, Arc::new(Nothing));
        let plan = evaluate(
            config,
            Inputs {
                resource,
                project,
                state: self.0.as_ref(),
                foreign: false,
                namespaces: &Namespaces::all(),
                context: &context,
            },
        );
        if !plan.change.is_empty() {
            let state = self.0.get_or_insert_default();
            for key in &plan.change.clear {
                state.remove(key);
            }
            state.extend(plan.change.set.clone());
        }
        plan
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().flatten().map(|(key, _)| key.as_str()).collect()
    }
}

/// Triggers and destinations of what is to be delivered.
fn sent(plan: &Plan) -> Vec<String> {
    plan.intents.iter().map(|intent| format!("{} {}", intent.trigger, intent.destination)).collect()
}

fn sources(data: &[(&str, &str)]) -> Sources {
    let config_map: BTreeMap<String, String> = data.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Sources { config_map, ..Sources::default() }
}
