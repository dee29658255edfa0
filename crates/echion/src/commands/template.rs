//! `echion template get` and `echion template notify` (contract 6.1).

use std::process::ExitCode;

use echion_runtime::model::{DeliveryId, Message, NoMemory, Notification, nearest, yaml};
use serde_json::{Map, Value, json};

use crate::args::{Format, GetFormat, Template};
use crate::print::Style;
use crate::{Failure, Outcome, print, setup};

pub(super) async fn run(args: Template) -> Outcome {
    match args {
        Template::Get { name, sources, output } => {
            let read = setup::given_sources(&sources)?;
            let config = setup::config(&read, None);
            print::diagnostics(setup::config_name(&sources), &config.diagnostics);
            if let Some(name) = &name
                && !config.templates.contains_key(name)
            {
                print::failure(&unknown("template", name, config.templates.keys()));
                return Ok(ExitCode::from(1));
            }
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
        Template::Notify { name, resource, sources, recipient, output } => {
            notify(&name, &resource, &sources, &recipient, output.output).await
        }
    }
}

async fn notify(
    name: &str,
    resource: &std::path::Path,
    sources: &crate::args::Sources,
    recipients: &[String],
    format: Format,
) -> Outcome {
    let config = setup::config(&setup::given_sources(sources)?, None);
    let resource = setup::resource(resource)?;
    let Some(template) = config.templates.get(name) else {
        print::diagnostics(setup::config_name(sources), &config.diagnostics);
        return Err(unknown("template", name, config.templates.keys()));
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
            print::value(&shown, if format == Format::Table { Format::Yaml } else { format });
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
            let console = echion_services::CONSOLE.name.to_owned();
            return Err(unknown("service", service, std::iter::once(&console).chain(config.services.keys())));
        };
        let mut notification = Notification::default();
        template.render_into(&mut notification, entry.kind, service, &context).map_err(|e| failed(e.to_string()))?;
        let diagnostics = template.diagnostics(name, &notification, (service, entry), &context);
        print::diagnostics(setup::config_name(sources), &diagnostics);
        let id = DeliveryId(format!("notify-{}", setup::now()));
        let message =
            Message { notification: &notification, recipient: address, id: &id, now: setup::now(), memory: &NoMemory };
        match entry.service.send(message).await {
            Ok(receipt) if format == Format::Table => {
                print::event(Style::Good, "sent", &format!("{recipient}: {}", receipt.answer));
            }
            Ok(receipt) => print::value(&json!({ "recipient": recipient, "answer": receipt.answer }), format),
            Err(error) => {
                print::failure(&Failure::new(format!("{recipient}: {}", error.reason)).hint(error.hint));
                return Ok(ExitCode::from(1));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A name that is not configured, with the one that is meant, or all there are.
pub(super) fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a String>) -> Failure {
    let names: Vec<&str> = names.map(String::as_str).collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("the configuration has no {what}"),
        None => format!("the {what}s are {}", names.join(", ")),
    };
    Failure::new(format!("no {what} `{name}` is configured")).hint(hint)
}

/// A template as it is written; a message that is a number or boolean is the text that it becomes.
fn source(sources: &echion_runtime::engine::Sources, name: &str) -> Value {
    let text = sources.config_map.get(&format!("template.{name}")).map(String::as_str).unwrap_or_default();
    let node = yaml::parse(text).ok();
    let value = node.as_ref().map(yaml::Node::to_value).unwrap_or_default();
    let json = echion_runtime::value::json::marshal_plain(&value).unwrap_or_default();
    let mut template: Value = serde_json::from_slice(&json).unwrap_or_default();
    let message = node.as_ref().and_then(|node| node.get("message")).and_then(|node| node.decode::<String>().ok());
    if let (Some(shown), Some(message)) = (template.get_mut("message"), message) {
        *shown = message.value.into();
    }
    template
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
    if format == GetFormat::Yaml {
        print::value(value, Format::Yaml);
        return Ok(());
    }
    let text = serde_json::to_string_pretty(value);
    print::pretty(&text.map_err(|error| Failure::new(format!("cannot print the result: {error}")))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_a_number_is_shown_as_the_text_that_it_becomes() {
        let mut sources = echion_runtime::engine::Sources::default();
        for (text, shown) in [("1e3", "1000"), ("yes", "true"), ("0x10", "16"), ("a", "a")] {
            sources.config_map.insert("template.a".to_owned(), format!("message: {text}\n"));
            assert_eq!(source(&sources, "a")["message"], shown, "{text}");
        }
    }
}
