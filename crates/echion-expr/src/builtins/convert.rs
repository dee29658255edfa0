//! From one type to another.

use echion_value::format::display;
use echion_value::{Signature, Str, Type, Value, json, strconv};

use super::{ANY, Args, Builtin, Check, exactly, printed, text, type_name};
use crate::base64;
use crate::error::EvalError;
use crate::limits::Meter;
use crate::nature::{FLOAT, INT, Nature};
use crate::operators::{float_of, float_to_int, kind_of};

const TEXT: &[Signature] = &[Signature::new(&[Type::String], Type::String)];

pub(super) const ALL: &[Builtin] = &[
    Builtin {
        name: "type",
        signature: "(any) string",
        about: "The name of the type.",
        example: ("type([1])", "array"),
        check: Check::Overloads(&[Signature::new(&[ANY], Type::String)]),
        run: |_, args| Ok(Value::from(type_word(args.first().map_or(&Value::Nil, AsRef::as_ref)))),
    },
    Builtin {
        name: "int",
        signature: "(number | string) int",
        about: "The whole number, the fraction cut off.",
        example: ("int('42') + int(1.9)", "43"),
        check: Check::Rule(|args| number_of("int", args, INT)),
        run: int,
    },
    Builtin {
        name: "float",
        signature: "(number | string) float",
        about: "The number as a float.",
        example: ("float('2.5')", "2.5"),
        check: Check::Rule(|args| number_of("float", args, FLOAT)),
        run: float,
    },
    Builtin {
        name: "toJSON",
        signature: "(any) string",
        about: "The value as indented JSON.",
        example: ("toJSON('a')", "\"a\""),
        check: Check::Overloads(&[Signature::new(&[ANY], Type::String)]),
        run: |meter, args| {
            let value = args.first().map_or(&Value::Nil, AsRef::as_ref);
            let text = json::marshal_indent_within(value, "", "  ", meter.room())?;
            let text = text.ok_or_else(|| EvalError::budget("memory budget exceeded"))?;
            meter.write(text.len())?;
            Ok(Value::Str(Str::from(text)))
        },
    },
    Builtin {
        name: "fromJSON",
        signature: "(string) any",
        about: "The value of a JSON text; every number is a float.",
        example: ("fromJSON('[1, 2]')[1]", "2"),
        check: Check::Overloads(&[Signature::new(&[Type::String], ANY)]),
        run: |meter, args| {
            let text = text(args, 0)?;
            meter.write(text.len())?;
            Ok(json::unmarshal(text)?)
        },
    },
    Builtin {
        name: "toBase64",
        signature: "(string) string",
        about: "The bytes in base64.",
        example: ("toBase64('hi')", "aGk="),
        check: Check::Overloads(TEXT),
        run: |meter, args| {
            let encoded = base64::encode(text(args, 0)?);
            meter.write(encoded.len())?;
            Ok(Value::from(encoded))
        },
    },
    Builtin {
        name: "fromBase64",
        signature: "(string) string",
        about: "The bytes that base64 encodes.",
        example: ("fromBase64('aGk=')", "hi"),
        check: Check::Overloads(TEXT),
        run: |meter, args| match base64::decode(text(args, 0)?) {
            Ok(bytes) => {
                meter.write(bytes.len())?;
                Ok(Value::Str(Str::from(bytes)))
            }
            Err(at) => Err(EvalError::new(format!("illegal base64 data at input byte {at}"))),
        },
    },
];

fn type_word(value: &Value) -> String {
    let Some(go_type) = value.type_of() else { return "nil".to_owned() };
    match go_type {
        Type::Duration | Type::Time | Type::Month | Type::Weekday => go_type.to_string(),
        // A pointer is followed, and a struct has its package's name.
        Type::Named(name) => name.trim_start_matches('*').to_owned(),
        _ => match kind_of(value) {
            "int" | "int64" | "int32" => "int",
            "uint8" | "uint64" => "uint",
            "float64" => "float",
            "slice" | "array" => "array",
            kind => kind,
        }
        .to_owned(),
    }
}

fn number_of(name: &str, args: &[Nature], result: Nature) -> Result<Nature, String> {
    exactly(1, args)?;
    match args[0].kind() {
        "interface" | "int" | "int64" | "int32" | "uint8" | "uint64" | "float64" | "string" => Ok(result),
        _ => Err(format!("invalid argument for {name} (type {})", printed(&args[0]))),
    }
}

fn int(_: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let value = args.first().map_or(&Value::Nil, AsRef::as_ref);
    let int = match value {
        Value::Float(f) => float_to_int(*f),
        Value::Int(n) | Value::Int64(n) | Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => *n,
        Value::Int32(n) => i64::from(*n),
        Value::Uint8(n) => i64::from(*n),
        Value::Uint64(n) => n.cast_signed(),
        Value::Str(s) => {
            let parsed = s.as_str().and_then(|s| strconv::atoi(s).ok());
            parsed.ok_or_else(|| EvalError::new(format!("invalid operation: int({s})")))?
        }
        other => return Err(EvalError::new(format!("invalid operation: int({})", type_name(other)))),
    };
    Ok(Value::Int(int))
}

fn float(_: &mut Meter<'_>, args: Args<'_, '_>) -> Result<Value, EvalError> {
    let value = args.first().map_or(&Value::Nil, AsRef::as_ref);
    let float = match value {
        Value::Str(s) => {
            parse_float(s).ok_or_else(|| EvalError::new(format!("invalid operation: float({})", display(value))))?
        }
        other => {
            float_of(other).ok_or_else(|| EvalError::new(format!("invalid operation: float({})", type_name(other))))?
        }
    };
    Ok(Value::Float(float))
}

fn parse_float(s: &Str) -> Option<f64> {
    strconv::parse_float(s.as_str()?).ok()
}
