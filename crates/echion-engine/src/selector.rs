//! Kubernetes label selectors: equality, sets and existence.

use std::fmt;

use echion_value::Value;

/// A parsed selector. The empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
}

/// A selector that cannot be read: what was expected, and at which character, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorError {
    /// What was expected.
    pub message: String,
    /// Column in characters.
    pub column: u32,
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Selector {
    /// Reads a selector such as `team=a,env in (prod,stage),!frozen`.
    ///
    /// # Errors
    /// What was expected, and where.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut reader = Reader { text, at: 0 };
        let mut requirements = Vec::new();
        reader.skip_space();
        while !reader.rest().is_empty() {
            requirements.push(reader.requirement()?);
            reader.skip_space();
            if reader.rest().is_empty() {
                break;
            }
            if !reader.take(",") {
                return Err(reader.error("expected `,` between requirements"));
            }
            reader.skip_space();
            if reader.rest().is_empty() {
                return Err(reader.error("expected a label after `,`"));
            }
        }
        Ok(Self(requirements))
    }

    /// Whether these labels (`metadata.labels` of an object) satisfy it.
    #[must_use]
    pub fn matches(&self, labels: Option<&Value>) -> bool {
        let labels = labels.and_then(Value::as_map);
        self.0.iter().all(|requirement| {
            let value = labels.and_then(|map| map.get(&requirement.key)).and_then(|v| v.as_str().map(str::to_owned));
            match (&requirement.operator, value) {
                (Operator::In(values), Some(value)) => values.contains(&value),
                (Operator::NotIn(values), value) => value.is_none_or(|value| !values.contains(&value)),
                (Operator::Exists, value) => value.is_some(),
                (Operator::Absent, value) => value.is_none(),
                (Operator::Greater(bound), Some(value)) => value.parse::<i64>().is_ok_and(|n| n > *bound),
                (Operator::Less(bound), Some(value)) => value.parse::<i64>().is_ok_and(|n| n < *bound),
                (_, None) => false,
            }
        })
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn error(&self, message: impl Into<String>) -> SelectorError {
        let column = self.text.get(..self.at).unwrap_or_default().chars().count() + 1;
        SelectorError { message: message.into(), column: u32::try_from(column).unwrap_or(u32::MAX) }
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || ",()=!<>".contains(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let absent = self.take("!");
        self.skip_space();
        let start = self.at;
        let key = self.word();
        if !is_label_key(key) {
            self.at = start;
            return Err(self.error(format!("expected a label, found `{}`", self.rest())));
        }
        let key = key.to_owned();
        self.skip_space();
        if absent {
            return Ok(Requirement { key, operator: Operator::Absent });
        }
        let operator = if self.take("==") || self.take("=") {
            Operator::In(vec![self.value()?])
        } else if self.take("!=") {
            Operator::NotIn(vec![self.value()?])
        } else if self.take(">") {
            Operator::Greater(self.number()?)
        } else if self.take("<") {
            Operator::Less(self.number()?)
        } else if self.rest().is_empty() || self.rest().starts_with(',') {
            Operator::Exists
        } else {
            let start = self.at;
            match self.word() {
                "in" => Operator::In(self.values()?),
                "notin" => Operator::NotIn(self.values()?),
                _ => {
                    self.at = start;
                    return Err(self.error("expected `=`, `!=`, `in`, `notin`, `,` or the end"));
                }
            }
        };
        Ok(Requirement { key, operator })
    }

    fn value(&mut self) -> Result<String, SelectorError> {
        self.skip_space();
        let start = self.at;
        let value = self.word();
        if is_label_value(value) {
            return Ok(value.to_owned());
        }
        self.at = start;
        Err(self.error(format!("`{value}` is not a label value")))
    }

    fn number(&mut self) -> Result<i64, SelectorError> {
        let value = self.value()?;
        value.parse().map_err(|_| self.error(format!("expected a whole number, found `{value}`")))
    }

    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        self.skip_space();
        if !self.take("(") {
            return Err(self.error("expected `(`"));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            self.skip_space();
            if self.take(")") {
                return Ok(values);
            }
            if !self.take(",") {
                return Err(self.error("expected `,` or `)`"));
            }
        }
    }
}

fn is_label_value(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().next_back())
}

fn is_label_key(text: &str) -> bool {
    let name = match text.split_once('/') {
        Some((prefix, name)) => {
            let prefix_ok = !prefix.is_empty()
                && prefix.len() <= 253
                && prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c));
            if !prefix_ok {
                return false;
            }
            name
        }
        None => text,
    };
    !name.is_empty() && is_label_value(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &str) -> bool {
        let labels: Value = serde_json::from_str(labels).unwrap();
        Selector::parse(selector).unwrap_or_else(|e| panic!("{selector}: {e}")).matches(Some(&labels))
    }

    #[test]
    fn equality_sets_and_existence() {
        let labels = r#"{"team":"a","env":"prod","n":"5"}"#;
        for (selector, want) in [
            ("", true),
            ("team=a", true),
            ("team == a , env!=stage", true),
            ("team=b", false),
            ("env in (prod, stage)", true),
            ("env notin (prod)", false),
            ("missing notin (x)", true),
            ("missing!=x", true),
            ("missing=x", false),
            ("team,!missing", true),
            ("!team", false),
            ("n>4,n<6", true),
            ("app.kubernetes.io/name", false),
        ] {
            assert_eq!(matches(selector, labels), want, "{selector}");
        }
    }

    #[test]
    fn errors_have_a_column() {
        for (selector, column) in [("a=b c", 5), ("=x", 1), ("a in b", 6), ("a=b,", 5), ("a in (x", 8), ("a=!!", 3)] {
            assert_eq!(Selector::parse(selector).map_err(|e| e.column), Err(column), "{selector}");
        }
    }
}
