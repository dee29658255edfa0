//! Triggers: named lists of conditions (contract 3.1 to 3.3).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use echion_expr::Program;
use echion_model::Diagnostic;
use echion_model::yaml::Node;
use echion_value::{Map, Value, format};
use serde::Deserialize;
use sha1::{Digest as _, Sha1};

/// How many former keys of a condition are known.
const FORMER: usize = 16;

/// A named list of conditions.
#[derive(Debug)]
pub struct Trigger {
    /// In the order of the list.
    pub conditions: Vec<Condition>,
    /// Keys that conditions had before the trigger was edited, by the key they have now.
    former: BTreeMap<String, Vec<String>>,
}

/// When to notify, how often, and with which templates.
#[derive(Debug)]
pub struct Condition {
    /// Its place and the hash of its `when`, as state keys have it: `[0].qyWrLKXYec9qR5FVB0ylUEJLjFg`.
    pub key: String,
    /// The text of `when`.
    pub when: String,
    /// The text of `oncePer`; empty when there is none.
    pub once_per: String,
    /// Names of templates.
    pub send: Vec<String>,
    /// What the author says about it.
    pub description: String,
    when_program: Program,
    once_per_program: Option<Program>,
}

/// What a condition said about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Whether `when` is true. An error is not "false": nothing is known then.
    pub when: Result<bool, String>,
    /// The value of `oncePer` as it goes into the state key; empty without one, and whenever `when` is not true.
    pub once_per: Result<String, String>,
}

impl Evaluation {
    /// Whether the condition fired.
    #[must_use]
    pub fn triggered(&self) -> bool {
        self.when == Ok(true)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Source {
    when: String,
    send: Vec<String>,
    #[serde(rename = "oncePer")]
    once_per: String,
    description: String,
}

/// Why a trigger cannot be used: it does not fit, or an expression does not compile.
#[derive(Debug)]
pub enum TriggerError {
    /// The YAML is not a list of conditions.
    Shape(Diagnostic),
    /// An expression does not compile.
    Expression(Diagnostic),
}

impl TriggerError {
    /// The diagnostic in it.
    #[must_use]
    pub fn into_diagnostic(self) -> Diagnostic {
        match self {
            TriggerError::Shape(diagnostic) | TriggerError::Expression(diagnostic) => diagnostic,
        }
    }
}

impl Trigger {
    /// Takes over from the version before an edit: a condition in the place of one that is gone, or asks the same in another
    /// place, is that condition. Whoever was notified of it is not notified again.
    pub(crate) fn follow(&mut self, previous: &Trigger) {
        let has = |trigger: &Trigger, key: &str| trigger.conditions.iter().any(|condition| condition.key == key);
        for condition in &self.conditions {
            let mut keys: Vec<String> = previous.former(&condition.key).map(str::to_owned).collect();
            if !has(previous, &condition.key) {
                let same = |old: &&Condition| {
                    let (new, old) = (condition.key.split_once('.'), old.key.split_once('.'));
                    new.zip(old).is_some_and(|(new, old)| new.0 == old.0 || new.1 == old.1)
                };
                for old in previous.conditions.iter().filter(|old| !has(self, &old.key)).filter(same) {
                    keys.push(old.key.clone());
                    keys.extend(previous.former(&old.key).map(str::to_owned));
                }
            }
            keys.truncate(FORMER);
            if !keys.is_empty() {
                self.former.insert(condition.key.clone(), keys);
            }
        }
    }

    /// Keys that a condition had before the trigger was edited.
    pub(crate) fn former(&self, key: &str) -> impl Iterator<Item = &str> {
        self.former.get(key).into_iter().flatten().map(String::as_str)
    }

    /// Reads a trigger from the value of its key. Diagnostics that come with the trigger are warnings.
    ///
    /// # Errors
    /// The first thing that keeps the trigger from working, with its place.
    pub fn parse(key: &str, node: &Node) -> Result<(Self, Vec<Diagnostic>), TriggerError> {
        let shape = |diagnostic| TriggerError::Shape(diagnostic);
        let decoded = node.decode::<Vec<Source>>().map_err(|error| {
            let diagnostic = Diagnostic::error(format!("{key}{}", error.key), error.at, error.message.clone());
            let mapping = matches!(node.kind, echion_model::yaml::Kind::Map(_));
            shape(if mapping {
                diagnostic.hint("put `- ` before the first key: a trigger is a list of conditions")
            } else {
                diagnostic
            })
        })?;
        let unknown = decoded.unknown.into_iter().map(|(name, at)| {
            Diagnostic::error(key, at, format!("a condition has no field `{name}`"))
                .warning()
                .hint("the fields are `when`, `send`, `oncePer` and `description`")
        });
        let shadowed = decoded.shadowed.into_iter().map(|(name, at)| {
            Diagnostic::error(key, at, format!("`{name}` is not used: the field is written again in other letters"))
                .warning()
                .hint("remove one of the two")
        });
        let warnings = unknown.chain(shadowed).collect();
        let mut conditions = Vec::with_capacity(decoded.value.len());
        for (index, source) in decoded.value.into_iter().enumerate() {
            conditions.push(Condition::compile(key, index, source).map_err(TriggerError::Expression)?);
        }
        Ok((Self { conditions, former: BTreeMap::new() }, warnings))
    }
}

impl Condition {
    fn compile(key: &str, index: usize, source: Source) -> Result<Self, Diagnostic> {
        let program = |field: &str, text: &str| {
            echion_expr::compile(text).map_err(|error| {
                let at = (error.line() as u32, error.column() as u32);
                Diagnostic::error(format!("{key}[{index}].{field}"), at, error.message()).in_text(text)
            })
        };
        let when_program = program("when", if source.when.is_empty() { "false" } else { &source.when })?;
        let once_per_program = match source.once_per.as_str() {
            "" => None,
            text => Some(program("oncePer", text)?),
        };
        Ok(Self {
            key: format!("[{index}].{}", URL_SAFE_NO_PAD.encode(Sha1::digest(source.when.as_bytes()))),
            when: source.when,
            once_per: source.once_per,
            send: source.send,
            description: source.description,
            when_program,
            once_per_program,
        })
    }

    /// Whether its answer can change although the resource does not.
    #[must_use]
    pub fn reads_clock(&self) -> bool {
        let helper = |path: &Vec<String>| path[0] == "time" && path.get(1).is_none_or(|member| member == "Now");
        self.reads().any(|reads| reads.clock || reads.everything || reads.paths.iter().any(helper))
    }

    /// What its expressions may read.
    pub fn reads(&self) -> impl Iterator<Item = &echion_expr::Reads> {
        [Some(&self.when_program), self.once_per_program.as_ref()].into_iter().flatten().map(Program::reads)
    }

    /// Asks the condition about a resource.
    #[must_use]
    pub fn evaluate(&self, variables: &Map, context: &echion_expr::Context<'_>) -> Evaluation {
        let when = match self.when_program.eval(variables, context) {
            Ok(value) => Ok(matches!(value, Value::Bool(true))),
            Err(error) => Err(error.to_string()),
        };
        let once_per = match (&when, &self.once_per_program) {
            (Ok(true), Some(program)) => program
                .eval(variables, context)
                .map(|value| format::display(&value).to_string())
                .map_err(|error| error.to_string()),
            _ => Ok(String::new()),
        };
        Evaluation { when, once_per }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contract section 10, "Condition hashes".
    #[test]
    fn condition_keys_are_those_of_the_contract() {
        let key = |when: &str| format!("[0].{}", URL_SAFE_NO_PAD.encode(Sha1::digest(when.as_bytes())));
        for (when, hash) in [
            ("true", "X_5TO4MPCKAyY0ipFgr6_IraRNs"),
            ("", "2jmj7l5rSw0yVb_vlWAYkK_YBwk"),
            ("app.metadata.deletionTimestamp != nil", "BmlU8P6R19BGtNv5gj8udVypmxQ"),
            ("app.status.sync.status == 'Unknown'", "6SzWb05EK-0v90hwjyytTbN7S6A"),
            ("app.status.health.status == 'Degraded'", "zoG5zUjYGjimkwCGgIQGjx1hO5s"),
            ("app.status.operationState.phase in ['Succeeded']", "zxM90Et6k4Elb1-fHdjtDJq0xR0"),
        ] {
            assert_eq!(key(when), format!("[0].{hash}"), "{when}");
            let node = echion_model::yaml::parse(&serde_json::json!([{ "when": when }]).to_string()).unwrap();
            let (trigger, _) = Trigger::parse("trigger.t", &node).unwrap();
            assert_eq!(trigger.conditions[0].key, key(when));
        }
    }
}
