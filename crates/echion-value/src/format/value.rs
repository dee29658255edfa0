//! Whole values: which of the other files prints which part, and containers.

use super::{DEPTH, Printer};
use crate::{Complex, Object, Type, Value};

/// What replaces the address of something that has none here. Go's own output differs from run to run.
const ADDRESS: u64 = 0xc0_0000_0000;

impl Printer<'_> {
    /// One operand of a print function; `None` cannot occur there but is Go's invalid value.
    pub(super) fn arg(&mut self, value: Option<&Value>, verb: char) {
        let value = match value {
            None | Some(Value::Nil) => {
                if matches!(verb, 'T' | 'v') {
                    self.pad(b"<nil>");
                } else {
                    self.bad_verb(&Value::Nil, verb);
                }
                return;
            }
            Some(value) => value,
        };
        match (verb, value) {
            ('T', _) => {
                let name = type_name(value);
                self.string(name.as_bytes(), 's');
            }
            ('p', _) => self.pointer(value, 'p'),
            // `%w` is for another function; the simple types complain about it themselves.
            (
                'w',
                Value::List(_)
                | Value::Map(_)
                | Value::Table(_)
                | Value::Object(_)
                | Value::Duration(_)
                | Value::Time(_),
            ) => {
                self.bad_verb(value, verb);
            }
            _ => self.value(value, verb, 0),
        }
    }

    /// `%!d(string=text)`
    fn bad_verb(&mut self, value: &Value, verb: char) {
        let before = std::mem::replace(&mut self.erroring, true);
        self.write(b"%!");
        self.write_char(verb);
        self.write(b"(");
        if matches!(value, Value::Nil) {
            self.write(b"<nil>");
        } else {
            self.write(type_name(value).as_bytes());
            self.write(b"=");
            self.value(value, 'v', 0);
        }
        self.write(b")");
        self.erroring = before;
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if self.full {
            return;
        }
        if depth > DEPTH {
            self.write(b"...");
            return;
        }
        if !self.erroring
            && !self.flags.sharp_v
            && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
            && let Some(text) = stringer(value)
        {
            self.string(text.as_bytes(), verb);
            return;
        }
        if let Value::Time(time) = value {
            // Only times have a `GoString`. Their fields are not exported, so every other verb prints their text too.
            let text = if self.flags.sharp_v { time.go_string() } else { time.string() };
            if self.flags.sharp_v {
                self.write(text.as_bytes());
            } else {
                self.string(text.as_bytes(), 's');
            }
            return;
        }
        let known = match value {
            Value::Nil => {
                self.nil_element();
                true
            }
            Value::Bool(b) => {
                let known = matches!(verb, 't' | 'v');
                if known {
                    self.pad(if *b { b"true" } else { b"false" });
                }
                known
            }
            Value::Int(n) | Value::Int64(n) | Value::Duration(n) | Value::Month(n) | Value::Weekday(n) => {
                self.integer(*n, verb)
            }
            Value::Int32(n) => self.integer(i64::from(*n), verb),
            Value::Uint8(n) => self.integer(u64::from(*n), verb),
            Value::Uint64(n) => self.integer(*n, verb),
            Value::Float(f) => self.float(*f, verb),
            Value::Str(s) => self.string(s.as_bytes(), verb),
            Value::Bytes(bytes) => {
                self.bytes(bytes.as_deref(), verb, depth);
                true
            }
            Value::List(list) => {
                let nil = list.is_nil();
                let open = self.open(value, nil, b"[");
                if open {
                    self.elements(list.items(), verb, depth);
                }
                self.close(open, b"]");
                true
            }
            Value::Map(map) => {
                let open = self.open(value, map.is_nil(), b"map[");
                if open {
                    for (i, (key, item)) in map.entries().iter().enumerate() {
                        self.separator(i);
                        self.value(&Value::Str(key.clone()), verb, depth + 1);
                        self.write(b":");
                        self.value(item, verb, depth + 1);
                        if self.full {
                            break;
                        }
                    }
                }
                self.close(open, b"]");
                true
            }
            Value::Table(table) => {
                let mut entries: Vec<_> = table.entries().iter().collect();
                entries.sort_by(|a, b| key_order(&a.0, &b.0));
                let open = self.open(value, false, b"map[");
                for (i, (key, item)) in entries.into_iter().enumerate() {
                    self.separator(i);
                    self.value(key, verb, depth + 1);
                    self.write(b":");
                    self.value(item, verb, depth + 1);
                }
                self.close(open, b"]");
                true
            }
            Value::Object(object) => match Complex::of(value) {
                Some(number) => self.complex(number, verb),
                None => {
                    self.object(value, object.as_ref(), verb, depth);
                    true
                }
            },
            Value::Time(_) => true,
            Value::Func(_) | Value::NilPointer(_) => {
                self.pointer(value, verb);
                true
            }
        };
        if !known {
            self.bad_verb(value, verb);
        }
    }

    /// A `nil` inside a container, which has no verb.
    fn nil_element(&mut self) {
        self.write(if self.flags.sharp_v { b"interface {}(nil)" } else { b"<nil>" });
    }

    /// Opens a container. Returns whether it has a body: `%#v` of a nil one is `T(nil)`.
    fn open(&mut self, value: &Value, nil: bool, bracket: &[u8]) -> bool {
        if self.flags.sharp_v {
            self.write(type_name(value).as_bytes());
            self.write(if nil { b"(nil)" } else { b"{" });
            return !nil;
        }
        self.write(bracket);
        true
    }

    fn close(&mut self, open: bool, bracket: &[u8]) {
        if open {
            self.write(if self.flags.sharp_v { b"}" } else { bracket });
        }
    }

    fn separator(&mut self, index: usize) {
        if index > 0 {
            self.write(if self.flags.sharp_v { b", " } else { b" " });
        }
    }

    fn elements(&mut self, items: &[Value], verb: char, depth: usize) {
        for (i, item) in items.iter().enumerate() {
            self.separator(i);
            self.value(item, verb, depth + 1);
            if self.full {
                break;
            }
        }
    }

    fn bytes(&mut self, bytes: Option<&[u8]>, verb: char, depth: usize) {
        let all = bytes.unwrap_or_default();
        match verb {
            's' => {
                self.string(all, 's');
            }
            'q' | 'x' | 'X' => {
                self.string(all, verb);
            }
            _ => {
                let open = if self.flags.sharp_v {
                    self.write(if depth == 0 { b"[]byte" } else { b"[]uint8" });
                    self.write(if bytes.is_none() { b"(nil)" } else { b"{" });
                    bytes.is_some()
                } else {
                    self.write(b"[");
                    true
                };
                for (i, byte) in all.iter().enumerate() {
                    self.separator(i);
                    self.value(&Value::Uint8(*byte), verb, depth + 1);
                    if self.full {
                        break;
                    }
                }
                self.close(open, b"]");
            }
        }
    }

    /// A struct, or `&` and the struct for a pointer that is not inside something else.
    fn object(&mut self, value: &Value, object: &dyn Object, verb: char, depth: usize) {
        let name = object.object_type().name;
        let pointee = name.strip_prefix('*');
        if pointee.is_some() {
            if depth > 0 {
                self.pointer(value, verb);
                return;
            }
            self.write(b"&");
        }
        if self.flags.sharp_v {
            self.write(pointee.unwrap_or(name).as_bytes());
        }
        self.write(b"{");
        for (i, field) in object.object_type().fields.iter().enumerate() {
            self.separator(i);
            if self.flags.plus_v || self.flags.sharp_v {
                self.write(field.as_bytes());
                self.write(b":");
            }
            self.value(&object.field(field).unwrap_or_default(), verb, depth + 1);
        }
        self.write(b"}");
    }

    fn pointer(&mut self, value: &Value, verb: char) {
        let address = match value {
            Value::NilPointer(_) | Value::Bytes(None) => 0,
            Value::List(list) if list.is_nil() => 0,
            Value::Map(map) if map.is_nil() => 0,
            Value::Object(object) if !object.object_type().name.starts_with('*') => {
                self.bad_verb(value, verb);
                return;
            }
            Value::Func(_) | Value::Map(_) | Value::Table(_) | Value::List(_) | Value::Bytes(_) | Value::Object(_) => {
                ADDRESS
            }
            _ => {
                self.bad_verb(value, verb);
                return;
            }
        };
        match verb {
            'v' if self.flags.sharp_v => {
                self.write(b"(");
                self.write(type_name(value).as_bytes());
                self.write(b")(");
                if address == 0 {
                    self.write(b"nil");
                } else {
                    self.hex_number(address, true);
                }
                self.write(b")");
            }
            'v' if address == 0 => self.pad(b"<nil>"),
            'v' | 'p' => {
                let prefix = !self.flags.sharp;
                self.hex_number(address, prefix);
            }
            'b' | 'o' | 'd' | 'x' | 'X' => {
                self.integer(address, verb);
            }
            _ => self.bad_verb(value, verb),
        }
    }
}

/// The text of types that have a `String` method.
fn stringer(value: &Value) -> Option<String> {
    match value {
        Value::Duration(nanoseconds) => Some(crate::time::format_duration(*nanoseconds)),
        Value::Month(month) => Some(crate::time::month_name(*month)),
        Value::Weekday(day) => Some(crate::time::weekday_name(*day)),
        Value::Time(time) => Some(time.string()),
        Value::Object(object) => object.display(),
        _ => None,
    }
}

fn type_name(value: &Value) -> String {
    value.type_of().map_or_else(|| "<nil>".to_owned(), |t| t.to_string())
}

/// The order in which map keys print: `nil`, then by kind, then by value.
fn key_order(a: &Value, b: &Value) -> std::cmp::Ordering {
    let rank = |v: &Value| match v.type_of() {
        None => 0,
        Some(Type::Bool) => 1,
        Some(Type::Int) => 2,
        Some(Type::Int32) => 3,
        Some(Type::Int64) => 4,
        Some(Type::Float64) => 6,
        Some(Type::String) => 7,
        Some(Type::Uint8 | Type::Uint64) => 5,
        Some(_) => 8,
    };
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b))
        | (Value::Int64(a), Value::Int64(b))
        | (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
        (Value::Uint8(a), Value::Uint8(b)) => a.cmp(b),
        (Value::Uint64(a), Value::Uint64(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}
