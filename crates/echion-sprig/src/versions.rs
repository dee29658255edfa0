//! Semantic versions and constraints, as Masterminds' semver understands them.

use std::any::Any;
use std::cmp::Ordering;
use std::sync::Arc;

use echion_template::{CallContext, Function, takes};
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
    /// Whether Go has it by value.
    is_copy: bool,
}

const POINTER: &str = "*semver.Version";
const STRUCT: &str = "semver.Version";
const NUMBER: Signature = Signature::new(&[], Type::Uint64);
const TEXT: Signature = Signature::new(&[], Type::String);
const BYTES: Signature = Signature::new(&[], Type::BYTES).fallible();
const TEST: Signature = Signature::new(&[Type::Named(POINTER)], Type::Bool);
const NEXT: Signature = Signature::new(&[], Type::Named(STRUCT));
const WITH: Signature = Signature::new(&[Type::String], Type::Named(STRUCT)).fallible();

const METHODS: &[Method] = &[
    Method {
        name: "Compare",
        signature: Signature::new(&[Type::Named(POINTER)], Type::Int),
        call: |v, args| Ok(Value::Int(this(v)?.cmp(other(args)?) as i64)),
    },
    Method { name: "Equal", signature: TEST, call: |v, args| test(v, args, Ordering::is_eq) },
    Method { name: "GreaterThan", signature: TEST, call: |v, args| test(v, args, Ordering::is_gt) },
    Method { name: "GreaterThanEqual", signature: TEST, call: |v, args| test(v, args, Ordering::is_ge) },
    Method {
        name: "IncMajor",
        signature: NEXT,
        call: |v, _| {
            this(v)?.next(|v| {
                (v.major, v.minor, v.patch) = (v.major.wrapping_add(1), 0, 0);
            })
        },
    },
    Method {
        name: "IncMinor",
        signature: NEXT,
        call: |v, _| {
            this(v)?.next(|v| {
                (v.minor, v.patch) = (v.minor.wrapping_add(1), 0);
            })
        },
    },
    Method {
        name: "IncPatch",
        signature: NEXT,
        call: |v, _| {
            this(v)?.next(|v| {
                // A version before a release is followed by the release.
                if v.pre.is_empty() {
                    v.patch = v.patch.wrapping_add(1);
                }
            })
        },
    },
    Method { name: "LessThan", signature: TEST, call: |v, args| test(v, args, Ordering::is_lt) },
    Method { name: "LessThanEqual", signature: TEST, call: |v, args| test(v, args, Ordering::is_le) },
    Method { name: "Major", signature: NUMBER, call: |v, _| Ok(Value::Uint64(this(v)?.major)) },
    Method {
        name: "MarshalJSON",
        signature: BYTES,
        call: |v, _| {
            let text = this(v)?.text();
            Ok(Value::Bytes(Some(format!("\"{text}\"").into_bytes().into())))
        },
    },
    Method {
        name: "MarshalText",
        signature: BYTES,
        call: |v, _| Ok(Value::Bytes(Some(this(v)?.text().into_bytes().into()))),
    },
    Method { name: "Metadata", signature: TEXT, call: |v, _| Ok(Value::from(this(v)?.metadata.as_str())) },
    Method { name: "Minor", signature: NUMBER, call: |v, _| Ok(Value::Uint64(this(v)?.minor)) },
    Method { name: "Original", signature: TEXT, call: |v, _| Ok(Value::from(this(v)?.original.as_str())) },
    Method { name: "Patch", signature: NUMBER, call: |v, _| Ok(Value::Uint64(this(v)?.patch)) },
    Method { name: "Prerelease", signature: TEXT, call: |v, _| Ok(Value::from(this(v)?.pre.as_str())) },
    Method {
        name: "SetMetadata",
        signature: WITH,
        call: |v, args| this(v)?.with(args, "Invalid Metadata string", |v, text| v.metadata = text),
    },
    Method {
        name: "SetPrerelease",
        signature: WITH,
        call: |v, args| this(v)?.with(args, "Invalid Prerelease string", |v, text| v.pre = text),
    },
    Method { name: "String", signature: TEXT, call: |v, _| Ok(Value::from(this(v)?.text())) },
];

static VERSION: ObjectType = ObjectType { name: POINTER, fields: &[], tags: &[], methods: METHODS };
/// What methods give back is no pointer.
static COPY: ObjectType = ObjectType { name: STRUCT, fields: &[], tags: &[], methods: METHODS };

impl Object for Version {
    fn object_type(&self) -> &'static ObjectType {
        if self.is_copy { &COPY } else { &VERSION }
    }

    /// Go's fields are private.
    fn field(&self, _: &str) -> Option<Value> {
        None
    }

    fn json(&self) -> Option<Result<String, CallError>> {
        Some(Ok(self.text()))
    }

    fn display(&self) -> Option<String> {
        Some(self.text())
    }
}

fn this(value: &Value) -> Result<&Version, CallError> {
    let version = match value {
        Value::Object(object) => (object.as_ref() as &dyn Any).downcast_ref(),
        _ => None,
    };
    version.ok_or_else(|| CallError::new("runtime error: invalid memory address or nil pointer dereference"))
}

fn other(args: &[Value]) -> Result<&Version, CallError> {
    this(args.first().unwrap_or(&Value::Nil))
}

fn test(value: &Value, args: &[Value], holds: fn(Ordering) -> bool) -> Result<Value, CallError> {
    Ok(Value::Bool(holds(this(value)?.cmp(other(args)?))))
}

fn semver(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
    let version = Version::parse(&string(args, 0)).ok_or_else(|| CallError::new("invalid semantic version"))?;
    Ok(Value::Object(Arc::new(version)))
}

fn compare(_: &mut CallContext<'_>, args: &[Value]) -> Result<Value, CallError> {
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
            is_copy: false,
        })
    }

    fn text(&self) -> String {
        let mut text = format!("{}.{}.{}", self.major, self.minor, self.patch);
        if !self.pre.is_empty() {
            text.push_str(&format!("-{}", self.pre));
        }
        if !self.metadata.is_empty() {
            text.push_str(&format!("+{}", self.metadata));
        }
        text
    }

    /// A changed copy, spelled as Go spells it: with the `v` of its original.
    fn changed(&self, change: impl FnOnce(&mut Self)) -> Value {
        let mut copy = Self { is_copy: true, ..self.clone() };
        change(&mut copy);
        copy.original = format!("{}{}", if self.original.starts_with('v') { "v" } else { "" }, copy.text());
        Value::Object(Arc::new(copy))
    }

    /// The release that follows.
    fn next(&self, change: impl FnOnce(&mut Self)) -> Result<Value, CallError> {
        Ok(self.changed(|version| {
            change(version);
            version.pre.clear();
            version.metadata.clear();
        }))
    }

    fn with(&self, args: &[Value], problem: &str, set: fn(&mut Self, String)) -> Result<Value, CallError> {
        let text = string(args, 0);
        let valid = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !text.is_empty() && !text.split('.').all(valid) {
            return Err(CallError::new(problem));
        }
        Ok(self.changed(|version| set(version, text)))
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
