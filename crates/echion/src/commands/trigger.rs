//! `echion trigger get` and `echion trigger run` (contract 6.1).

use std::process::ExitCode;

use echion_runtime::engine::{Condition, cases};
use serde_json::{Map, Value, json};

use super::jsonl;
use super::template::unknown;
use crate::args::{Format, GetFormat, Trigger};
use crate::print::{Style, paint};
use crate::{Outcome, print, setup};

pub(super) fn run(args: Trigger) -> Outcome {
    match args {
        Trigger::Get { name, sources, output } => {
            let config = setup::config(&setup::given_sources(&sources)?, None);
            print::diagnostics(setup::config_name(&sources), &config.diagnostics);
            if let Some(name) = &name
                && !config.triggers.contains_key(name)
            {
                print::failure(&unknown("trigger", name, config.triggers.keys()));
                return Ok(ExitCode::from(1));
            }
            let wanted = |n: &String| name.as_ref().is_none_or(|w| w == n);
            let triggers: Vec<_> = config.triggers.iter().filter(|(n, _)| wanted(n)).collect();
            match output {
                GetFormat::Name => triggers.iter().for_each(|(name, _)| print::out(name)),
                GetFormat::Wide => {
                    let mut rows = vec![["NAME", "TEMPLATE", "CONDITION"].map(str::to_owned).to_vec()];
                    for (name, trigger) in triggers {
                        for (index, condition) in trigger.conditions.iter().enumerate() {
                            let name = if index == 0 { name.as_str() } else { "" };
                            rows.push(vec![name.to_owned(), condition.send.join(", "), condition.when.clone()]);
                        }
                    }
                    print::table(&rows);
                }
                GetFormat::Json | GetFormat::Yaml => {
                    let object: Map<String, Value> = triggers
                        .iter()
                        .map(|(name, trigger)| ((*name).clone(), trigger.conditions.iter().map(describe).collect()))
                        .collect();
                    super::template::dump(&Value::Object(object), output)?;
                }
            }
            Ok(if config.errors() > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
        }
        Trigger::Run { jsonl: true, .. } => jsonl::run(cases::trigger::answer),
        Trigger::Run { name, resource, sources, output, .. } => {
            let (name, path) = (name.unwrap_or_default(), resource.unwrap_or_default());
            let config = setup::config(&setup::given_sources(&sources)?, None);
            let resource = setup::resource(&path)?;
            let Some(trigger) = config.triggers.get(&name) else {
                print::diagnostics(setup::config_name(&sources), &config.diagnostics);
                return Err(unknown("trigger", &name, config.triggers.keys()));
            };
            let context = setup::context();
            let variables = context.trigger_variables(&config, &resource, None);
            let mut failed = false;
            let mut rows = vec![["CONDITION", "RESULT"].map(str::to_owned).to_vec()];
            let mut list = Vec::new();
            for (index, condition) in trigger.conditions.iter().enumerate() {
                let evaluation = context.evaluate(condition, &variables);
                for (field, result) in
                    [("when", evaluation.when.as_ref().err()), ("oncePer", evaluation.once_per.as_ref().err())]
                {
                    let Some(error) = result else { continue };
                    failed = true;
                    let place = format!("{name}, condition {}: cannot evaluate `{field}`", index + 1);
                    print::note(&format!("{}: {place}\n{error}", paint(Style::Error, "error")));
                }
                rows.push(vec![condition.when.clone(), evaluation.triggered().to_string()]);
                list.push(json!({
                    "key": condition.key,
                    "when": condition.when,
                    "triggered": evaluation.triggered(),
                    "oncePer": evaluation.once_per.unwrap_or_default(),
                }));
            }
            match output.output {
                Format::Table => print::table(&rows),
                format => print::value(&json!(list), format),
            }
            Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
        }
    }
}

fn describe(condition: &Condition) -> Value {
    let mut object = Map::new();
    for (key, text) in
        [("description", &condition.description), ("oncePer", &condition.once_per), ("when", &condition.when)]
    {
        if !text.is_empty() {
            object.insert(key.to_owned(), json!(text));
        }
    }
    object.insert("send".to_owned(), json!(condition.send));
    Value::Object(object)
}
