//! `echion template get` and `echion template notify` (contract 6.1).

use std::process::ExitCode;

use echion_runtime::model::{DeliveryId, Message, NoMemory, Notification, yaml};
use serde_json::{Map, Value};

use crate::args::{GetFormat, Template};
use crate::{Failure, Outcome, print, setup};

pub(super) async fn run(args: Template) -> Outcome {
    match args {
        Template::Get { name, sources, output } => {
            let read = setup::sources(&sources)?;
            let config = setup::config(&read, None);
            print::diagnostics(setup::config_name(&sources), &config.diagnostics);
            let templates: Map<String, Value> = config
                .templates
                .keys()
                .filter(|n| name.as_ref().is_none_or(|w| w == *n))
                .map(|n| (n.clone(), source(&read, n)))
                .collect();
            match output {
                GetFormat::Name => templates.keys().for_each(|name| print::out(name)),
                GetFormat::Wide => {
                    let mut rows = vec![["NAME", "PREVIEW"].map(str::to_owned).to_vec()];
                    rows.extend(templates.iter().map(|(name, template)| vec![name.clone(), first_line(template)]));
                    print::table(&rows);
                }
                GetFormat::Json | GetFormat::Yaml => dump(&Value::Object(templates), output)?,
            }
            Ok(if config.errors() > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
        }
        Template::Notify { name, resource, sources, recipient } => notify(&name, &resource, &sources, &recipient).await,
    }
}

async fn notify(
    name: &str,
    resource: &std::path::Path,
    sources: &crate::args::Sources,
    recipients: &[String],
) -> Outcome {
    let config = setup::config(&setup::sources(sources)?, None);
    let resource = setup::resource(resource)?;
    let Some(template) = config.templates.get(name) else {
        print::diagnostics(setup::config_name(sources), &config.diagnostics);
        let names: Vec<&str> = config.templates.keys().map(String::as_str).collect();
        return Err(Failure::new(format!("no template `{name}` is configured"))
            .hint(format!("the templates are {}", names.join(", "))));
    };
    let context = setup::context();
    for recipient in recipients {
        let (service, address) = recipient.split_once(':').unwrap_or((recipient, ""));
        let address = address.split(':').next().unwrap_or_default();
        let variables = context.template_variables(&config, &resource, None, service);
        let variables = echion_runtime::value::Value::Map(context.with_recipient(&variables, address));
        let context = context.render_context(&variables);
        let failed = |error: String| Failure::new(format!("template `{name}`: {error}"));
        if service == echion_services::CONSOLE.name {
            let shown = template.render_for_console(&context).map_err(|e| failed(e.to_string()))?;
            dump(&shown, GetFormat::Yaml)?;
            // What is shown would go to these.
            for (service, entry) in &config.services {
                let mut notification = Notification::default();
                template
                    .render_into(&mut notification, entry.kind, service, &context)
                    .map_err(|e| failed(e.to_string()))?;
                let diagnostics = template.diagnostics(name, &notification, (service, entry), &context);
                print::diagnostics(setup::config_name(sources), &diagnostics);
            }
            continue;
        }
        let Some(entry) = config.services.get(service) else {
            print::diagnostics(setup::config_name(sources), &config.diagnostics);
            let names: Vec<&str> = config.services.keys().map(String::as_str).collect();
            return Err(Failure::new(format!("no service `{service}` is configured"))
                .hint(format!("the services are console, {}", names.join(", "))));
        };
        let mut notification = Notification::default();
        template.render_into(&mut notification, entry.kind, service, &context).map_err(|e| failed(e.to_string()))?;
        let diagnostics = template.diagnostics(name, &notification, (service, entry), &context);
        print::diagnostics(setup::config_name(sources), &diagnostics);
        let id = DeliveryId(format!("notify-{}", setup::now()));
        let message =
            Message { notification: &notification, recipient: address, id: &id, now: setup::now(), memory: &NoMemory };
        match entry.service.send(message).await {
            Ok(receipt) => {
                print::note(&format!("{} {recipient}: {}", print::paint(print::GOOD, "sent"), receipt.answer))
            }
            Err(error) => {
                print::failure(&Failure::new(format!("{recipient}: {}", error.reason)).hint(error.hint));
                return Ok(ExitCode::from(1));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A template as it is written.
fn source(sources: &echion_runtime::engine::Sources, name: &str) -> Value {
    let text = sources.config_map.get(&format!("template.{name}")).map(String::as_str).unwrap_or_default();
    let value = yaml::parse(text).map(|node| node.to_value()).unwrap_or_default();
    let json = echion_runtime::value::json::marshal_plain(&value).unwrap_or_default();
    serde_json::from_slice(&json).unwrap_or_default()
}

/// The message, or the template as JSON, in at most a hundred bytes.
fn first_line(template: &Value) -> String {
    let message = template.get("message").and_then(Value::as_str).filter(|m| !m.is_empty());
    let text = message.map_or_else(|| template.to_string(), str::to_owned);
    let line = text.lines().next().unwrap_or_default();
    if line.len() <= 100 {
        return line.to_owned();
    }
    let end = (0..=99).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", &line[..end])
}

/// JSON or YAML on standard output.
pub(super) fn dump(value: &Value, format: GetFormat) -> Result<(), Failure> {
    let failed = |error: String| Failure::new(format!("cannot print the result: {error}"));
    let text = match format {
        GetFormat::Yaml => crate::yaml::to_string(value),
        _ => serde_json::to_string_pretty(value).map_err(|e| failed(e.to_string()))?,
    };
    print::out(text.strip_suffix('\n').unwrap_or(&text));
    Ok(())
}
