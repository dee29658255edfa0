//! Semantic versions and constraints, as Masterminds' semver understands them.

use std::cmp::Ordering;
use std::sync::Arc;

use echion_template::{Function, Host, takes};
use echion_value::{CallError, Method, Object, ObjectType, Signature, Type, Value};

use crate::args::string;

/// The functions of this family.
pub(crate) static ALL: &[Function] = &[
    Function::new("semver", takes(&[Type::String], Type::Named("*semver.Version")).fallible(), semver).doc(
        "Reads a version; it has `Major`, `Minor`, `Patch`, `Prerelease`, `Metadata`.",
        r#"{{ (semver "v1.2").Minor }}"#,
        "2",
    ),
    Function::new("semverCompare", takes(&[Type::String, Type::String], Type::Bool).fallible(), compare).doc(
        "Whether a version satisfies a constraint.",
        r#"{{ semverCompare ">=1.2, <2" "1.9.3" }}"#,
        "true",
    ),
];

#[derive(Clone, Debug)]
struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    pre: String,
    metadata: String,
    original: String,
    /// How many of the three numbers were written.
    written: usize,
}

const NUMBER: Signature = Signature::new(&[], Type::Uint64);
const TEXT: Signature = Signature::new(&[], Type::String);

static VERSION: ObjectType = ObjectType {
    name: "*semver.Version",
    fields: &[],
    methods: &[
        Method { name: "Major", signature: NUMBER, call: |v, _| member(v, "major") },
        Method { name: "Minor", signature: NUMBER, call: |v, _| member(v, "minor") },
        Method { name: "Patch", signature: NUMBER, call: |v, _| member(v, "patch") },
        Method { name: "Prerelease", signature: TEXT, call: |v, _| member(v, "pre") },
        Method { name: "Metadata", signature: TEXT, call: |v, _| member(v, "metadata") },
        Method { name: "Original", signature: TEXT, call: |v, _| member(v, "original") },
        Method { name: "String", signature: TEXT, call: |v, _| member(v, "string") },
    ],
};

impl Object for Version {
    fn object_type(&self) -> &'static ObjectType {
        &VERSION
    }

    /// Go's fields are private; the names here are for the methods alone.
    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "major" => Value::Uint64(self.major),
            "minor" => Value::Uint64(self.minor),
            "patch" => Value::Uint64(self.patch),
            "pre" => Value::from(self.pre.as_str()),
            "metadata" => Value::from(self.metadata.as_str()),
            "original" => Value::from(self.original.as_str()),
            "string" => Value::from(self.display()?),
            _ => return None,
        })
    }

    fn display(&self) -> Option<String> {
        let mut text = format!("{}.{}.{}", self.major, self.minor, self.patch);
        if !self.pre.is_empty() {
            text.push_str(&format!("-{}", self.pre));
        }
        if !self.metadata.is_empty() {
            text.push_str(&format!("+{}", self.metadata));
        }
        Some(text)
    }
}

fn member(value: &Value, name: &str) -> Result<Value, CallError> {
    match value {
        Value::Object(object) => object.field(name).ok_or_else(|| CallError::new("not a version")),
        _ => Err(CallError::new("not a version")),
    }
}

fn semver(_: &mut Host<'_>, args: &[Value]) -> Result<Value, CallError> {
    let version = Version::parse(&string(args, 0)).ok_or_else(|| CallError::new("invalid semantic version"))?;
    Ok(Value::Object(Arc::new(version)))
}

fn compare(_: &mut Host<'_>, args: &[Value]) -> Result<Value, CallError> {
    let constraint = string(args, 0);
    let alternatives =
        constraints(&constraint).ok_or_else(|| CallError(format!("improper constraint: {constraint}")))?;
    let version = Version::parse(&string(args, 1)).ok_or_else(|| CallError::new("invalid semantic version"))?;
    let fits = alternatives.iter().any(|all| all.iter().all(|constraint| constraint.allows(&version)));
    Ok(Value::Bool(fits))
}

impl Version {
    /// Reads a version loosely: a leading `v` and missing numbers are fine.
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (rest, metadata) = match rest.split_once('+') {
            Some((rest, metadata)) => (rest, Some(metadata)),
            None => (rest, None),
        };
        let (numbers, pre) = match rest.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre)),
            None => (rest, None),
        };
        let identifiers = |text: Option<&str>| {
            text.is_none_or(|t| {
                t.split('.').all(|p| !p.is_empty() && p.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
            })
        };
        if !identifiers(pre) || !identifiers(metadata) {
            return None;
        }
        let mut parsed = Vec::new();
        for number in numbers.split('.') {
            if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            parsed.push(number.parse::<u64>().ok()?);
        }
        if parsed.len() > 3 {
            return None;
        }
        let number = |index: usize| parsed.get(index).copied().unwrap_or(0);
        Some(Self {
            major: number(0),
            minor: number(1),
            patch: number(2),
            pre: pre.unwrap_or_default().to_owned(),
            metadata: metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
            written: parsed.len(),
        })
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |v: &Self| (v.major, v.minor, v.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_pre(&self.pre, &other.pre),
        })
    }
}

fn compare_pre(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => {
                let order = match (x.parse::<u64>(), y.parse::<u64>()) {
                    (Ok(x), Ok(y)) => x.cmp(&y),
                    (Ok(_), Err(_)) => Ordering::Less,
                    (Err(_), Ok(_)) => Ordering::Greater,
                    (Err(_), Err(_)) => x.cmp(y),
                };
                if order != Ordering::Equal {
                    return order;
                }
            }
        }
    }
}

#[derive(Debug)]
struct Constraint {
    operator: &'static str,
    version: Version,
    /// How many numbers count: the rest was not written, or was `x` or `*`.
    precision: usize,
}

/// Alternatives (`||`) of requirements (blank or comma).
fn constraints(text: &str) -> Option<Vec<Vec<Constraint>>> {
    text.split("||").map(requirements).collect()
}

fn requirements(text: &str) -> Option<Vec<Constraint>> {
    // `1.2 - 2` is a range.
    let words: Vec<&str> = text.split_whitespace().collect();
    if let [from, "-", to] = words.as_slice() {
        return Some(vec![constraint(">=", from)?, constraint("<=", to)?]);
    }
    let mut found = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let operator = OPERATORS.iter().find(|o| rest.starts_with(**o)).copied().unwrap_or("");
        rest = rest[operator.len()..].trim_start();
        let end = rest.find([' ', ',']).unwrap_or(rest.len());
        let (version, tail) = rest.split_at(end);
        found.push(constraint(operator, version)?);
        rest = tail.trim_start_matches([' ', ',']);
    }
    Some(found)
}

/// Longer ones first.
const OPERATORS: &[&str; 10] = &["!=", ">=", "=>", "<=", "=<", "~>", "=", ">", "<", "~"];

fn constraint(operator: &'static str, text: &str) -> Option<Constraint> {
    let (operator, text) = match text.strip_prefix('^') {
        Some(rest) if operator.is_empty() => ("^", rest.trim_start()),
        _ => (operator, text),
    };
    let (numbers, tail) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let wild = |p: &&str| matches!(*p, "x" | "X" | "*");
    let parts: Vec<&str> = numbers.trim_start_matches('v').split('.').collect();
    let precision = parts.iter().position(wild).unwrap_or(parts.len());
    let filled: Vec<&str> = parts.iter().map(|p| if wild(p) { "0" } else { *p }).collect();
    let version = Version::parse(&format!("{}{tail}", filled.join(".")))?;
    let precision = precision.min(version.written);
    Some(Constraint { operator, version, precision })
}

impl Constraint {
    fn allows(&self, version: &Version) -> bool {
        let own = &self.version;
        // A prerelease is only considered where the constraint names one.
        if !version.pre.is_empty() && own.pre.is_empty() {
            return false;
        }
        let order = version.cmp(own);
        let same = |count: usize| {
            let numbers = |v: &Version| [v.major, v.minor, v.patch];
            numbers(version)[..count] == numbers(own)[..count]
        };
        match self.operator {
            "" | "=" if self.precision < 3 => same(self.precision),
            "" | "=" => order == Ordering::Equal,
            "!=" if self.precision < 3 => !same(self.precision),
            "!=" => order != Ordering::Equal,
            ">" if self.precision < 3 => order == Ordering::Greater && !same(self.precision),
            ">" => order == Ordering::Greater,
            "<" => order == Ordering::Less,
            ">=" | "=>" => order != Ordering::Less,
            "<=" | "=<" if self.precision < 3 => order == Ordering::Less || same(self.precision),
            "<=" | "=<" => order != Ordering::Greater,
            "~" | "~>" => order != Ordering::Less && same(self.precision.min(2)),
            "^" => {
                let fixed = match (own.major, own.minor, self.precision) {
                    (_, _, 0) => 0,
                    (0, 0, 3) => 3,
                    (0, _, 2 | 3) => 2,
                    _ => 1,
                };
                order != Ordering::Less && same(fixed)
            }
            _ => false,
        }
    }
}
