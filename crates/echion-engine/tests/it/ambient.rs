//! What conditions and templates get of the ambient around them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use echion_engine::variables::EvaluationContext;
use echion_engine::{Action, Inputs, Namespaces, Plan, Preview, evaluate};
use echion_model::Ambient;

use crate::{NOW, Nothing, config, with_status};

/// A ambient in which a second passes at each reading of the clock.
#[derive(Debug, Default)]
struct Slow(AtomicU64);

impl Ambient for Slow {
    fn random(&self, bytes: &mut [u8]) -> Result<(), String> {
        bytes.fill(7);
        Ok(())
    }

    fn resolve(&self, name: &str) -> Result<String, String> {
        Ok(format!("address of {name}"))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn context() -> EvaluationContext {
    EvaluationContext::at_millis(NOW, Arc::new(Nothing)).with_ambient(Arc::new(Slow::default()))
}

fn plan(context: &EvaluationContext, when: &str, message: &str) -> Plan {
    let config = config(&[
        ("trigger.on-x", &format!("- when: {when}\n  send: [t]\n")),
        ("template.t", &format!("message: '{message}'\n")),
        ("service.webhook.hook", "url: http://127.0.0.1:1/\n"),
        ("subscriptions", "- recipients: [hook]\n  triggers: [on-x]\n"),
    ]);
    let resource = with_status("{}");
    evaluate(
        &config,
        Inputs {
            resource: &resource,
            project: None,
            state: None,
            foreign: false,
            namespaces: &Namespaces::all(),
            context,
        },
    )
}

fn message(context: &EvaluationContext, template: &str) -> Result<String, String> {
    let plan = plan(context, "'true'", template);
    match plan.steps.first().map(|step| &step.action) {
        Some(Action::Failed(reason)) => Err(reason.clone()),
        _ => Ok(plan.intents.first().map(|i| i.notification.message.clone()).unwrap_or_default()),
    }
}

#[test]
fn randomness_and_host_names_come_from_the_world() {
    assert_eq!(message(&context(), "{{randNumeric 3}} {{getHostByName \"a\"}}").unwrap(), "111 address of a");
    let without = EvaluationContext::at_millis(NOW, Arc::new(Nothing));
    assert!(message(&without, "{{uuidv4}}").unwrap_err().contains("no source of randomness here"));
}

#[test]
fn host_names_are_not_looked_up_for_self_service() {
    let error = message(&context().for_self_service(), "{{getHostByName \"a\"}}").unwrap_err();
    assert!(error.contains("host names cannot be looked up here"), "{error}");
}

#[test]
fn a_text_or_condition_that_takes_too_long_is_stopped() {
    let error = message(&context(), "{{range until 1000000}}{{end}}").unwrap_err();
    assert!(error.contains("the template takes too long"), "{error}");
    let preview = Preview::new(config(&[]), None, context());
    assert!(preview.template("{{range until 1000000}}{{end}}").unwrap_err().contains("the template takes too long"));
    assert!(preview.expression("all(1..900000, all(1..900000, true))").is_err());
    let plan = plan(&context(), "'all(1..100000, # > 0)'", "");
    let action = plan.steps.first().map(|step| &step.action);
    assert!(matches!(action, Some(Action::Unknown(error)) if error.contains("time")), "{action:?}");
}
