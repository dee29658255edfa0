//! Evaluating pipelines, commands and operands.

use std::borrow::Cow;
use std::fmt;

use echion_value::{CallError, Map, Signature, Str, Type, Value};

use crate::exec::{Done, Place, Run};
use crate::function::Callee;
use crate::number::Number;
use crate::operand::{Operand, can_be_nil, is_true, prepare, zero};
use crate::tree::{Command, Expr, ExprKind, Pipe};

impl<'a> Run<'a, '_, '_> {
    /// The value of a pipeline, whose variables are declared or assigned.
    pub(crate) fn pipeline(&mut self, pipe: &'a Pipe, dot: &Operand<'a>) -> Done<Operand<'a>> {
        self.place = Place::Pipe(pipe);
        let mut last = None;
        for command in &pipe.commands {
            let mut operand = self.command(command, dot, last)?;
            // What is in an `interface {}` comes out here.
            operand.open = false;
            last = Some(operand);
        }
        let operand = last.unwrap_or(Operand::ABSENT);
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, operand.clone())?;
            } else {
                self.declare(name, operand.clone());
            }
        }
        Ok(operand)
    }

    /// One command; `last` is the value of the one before.
    fn command(&mut self, command: &'a Command, dot: &Operand<'a>, last: Option<Operand<'a>>) -> Done<Operand<'a>> {
        self.step()?;
        let args = command.args.as_slice();
        let Some(first) = args.first() else { return Ok(Operand::ABSENT) };
        match &first.kind {
            ExprKind::Field(_) | ExprKind::Chain(..) | ExprKind::Variable(..) => self.chain(first, dot, args, last),
            ExprKind::Function(name, callee) => {
                self.function(first, Place::Command(command), name, *callee, dot, args, last)
            }
            ExprKind::Pipe(pipe) => {
                self.refuse_arguments(args, last.as_ref())?;
                self.nested(pipe, dot)
            }
            ExprKind::Dot | ExprKind::Nil | ExprKind::Bool(..) | ExprKind::Number(_) | ExprKind::Text(..) => {
                self.place = Place::Expr(first);
                self.refuse_arguments(args, last.as_ref())?;
                match &first.kind {
                    ExprKind::Dot => Ok(dot.clone()),
                    ExprKind::Nil => self.fail("nil is not a command"),
                    _ => self.literal(first),
                }
            }
        }
    }

    fn nested(&mut self, pipe: &'a Pipe, dot: &Operand<'a>) -> Done<Operand<'a>> {
        self.enter()?;
        let operand = self.pipeline(pipe, dot)?;
        self.leave();
        Ok(operand)
    }

    fn refuse_arguments(&self, args: &'a [Expr], last: Option<&Operand<'a>>) -> Done<()> {
        match args {
            [first, rest @ ..] if !rest.is_empty() || last.is_some() => {
                let shown = Shown(first);
                self.fail(format_args!("can't give argument to non-function {shown}"))
            }
            _ => Ok(()),
        }
    }

    /// A constant where any type will do.
    fn literal(&mut self, expr: &'a Expr) -> Done<Operand<'a>> {
        self.place = Place::Expr(expr);
        match &expr.kind {
            ExprKind::Bool(_, value) | ExprKind::Text(_, value) => Ok(Operand::of(value)),
            ExprKind::Number(number) => match number.value() {
                Ok(value) => Ok(Operand::known(value)),
                Err(message) => self.fail(message),
            },
            _ => Ok(Operand::ABSENT),
        }
    }

    /// Fields, variables with fields, and fields of a parenthesized pipeline.
    fn chain(
        &mut self,
        expr: &'a Expr,
        dot: &Operand<'a>,
        args: &'a [Expr],
        last: Option<Operand<'a>>,
    ) -> Done<Operand<'a>> {
        self.place = Place::Expr(expr);
        match &expr.kind {
            ExprKind::Field(names) => self.fields(dot.clone(), names, expr, dot, args, last),
            ExprKind::Variable(name, names) => {
                let operand = self.variable(name)?;
                if names.is_empty() {
                    self.refuse_arguments(args, last.as_ref())?;
                    return Ok(operand);
                }
                self.fields(operand, names, expr, dot, args, last)
            }
            ExprKind::Chain(inner, names) => {
                if matches!(inner.kind, ExprKind::Nil) {
                    return self.fail(format_args!("indirection through explicit nil in {expr}"));
                }
                let operand = self.argument(inner, None, dot)?;
                self.fields(operand, names, expr, dot, args, last)
            }
            _ => Ok(Operand::ABSENT),
        }
    }

    /// Walks along `names`; the last one gets the arguments, in case it is a method.
    fn fields(
        &mut self,
        mut receiver: Operand<'a>,
        names: &'a [Box<str>],
        expr: &'a Expr,
        dot: &Operand<'a>,
        args: &'a [Expr],
        last: Option<Operand<'a>>,
    ) -> Done<Operand<'a>> {
        let Some((final_name, names)) = names.split_last() else { return Ok(receiver) };
        for name in names {
            receiver = self.field(receiver, name, expr, dot, &[], None)?;
        }
        self.field(receiver, final_name, expr, dot, args, last)
    }

    fn field(
        &mut self,
        receiver: Operand<'a>,
        name: &'a str,
        expr: &'a Expr,
        dot: &Operand<'a>,
        args: &'a [Expr],
        last: Option<Operand<'a>>,
    ) -> Done<Operand<'a>> {
        let has_arguments = args.len() > 1 || last.is_some();
        match &receiver.value {
            Cow::Borrowed(Value::Map(map)) if !has_arguments => return Ok(entry(map, name)),
            value if matches!(**value, Value::Nil) => {
                if receiver.is_absent() {
                    return Ok(Operand::ABSENT);
                }
                let seen = receiver.static_type();
                return self.fail(format_args!("nil pointer evaluating {seen}.{name}"));
            }
            _ => {}
        }
        if let Some(method) = receiver.value.method(name) {
            let mark = self.arguments(name, method.signature, args, dot, last)?;
            if let Err(problem) = check_results(name, &method.signature) {
                return self.fail(problem);
            }
            let result = (method.call)(&receiver.value, self.stack.get(mark..).unwrap_or_default());
            self.stack.truncate(mark);
            return self.finish(result, name, Place::Expr(expr), method.signature.result);
        }
        match &*receiver.value {
            Value::Map(_) | Value::Table(_) if has_arguments => {
                self.fail(format_args!("{name} is not a method but has arguments"))
            }
            Value::Map(map) => {
                let found = map.get(name).map(Cow::into_owned);
                Ok(found.map_or(Operand::ABSENT, |value| Operand::element(value, map.element())))
            }
            Value::Table(table) => {
                let found = table.entries().iter().find(|(k, _)| matches!(k, Value::Str(s) if *s == *name));
                Ok(found.map_or(Operand::ABSENT, |(_, v)| Operand::element(v.clone(), table.element())))
            }
            Value::Object(object) if object.object_type().fields.contains(&name) => {
                if has_arguments {
                    return self.fail(format_args!("{name} has arguments but cannot be invoked as function"));
                }
                Ok(Operand::known(object.field(name).unwrap_or_default()))
            }
            Value::NilPointer(_) => self.fail(format_args!("nil pointer evaluating {}.{name}", receiver.static_type())),
            _ => self.fail(format_args!("can't evaluate field {name} in type {}", receiver.static_type())),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are what Go's evaluator passes along as well")]
    fn function(
        &mut self,
        expr: &'a Expr,
        call: Place<'a>,
        name: &'a str,
        callee: Callee,
        dot: &Operand<'a>,
        args: &'a [Expr],
        last: Option<Operand<'a>>,
    ) -> Done<Operand<'a>> {
        self.place = Place::Expr(expr);
        let signature = callee.signature();
        match callee {
            Callee::And | Callee::Or => {
                self.check_count(name, 1, true, args, last.is_some())?;
                let stop = matches!(callee, Callee::Or);
                let mut operand = Operand::ABSENT;
                for arg in args.iter().skip(1) {
                    operand = self.argument(arg, None, dot)?;
                    if is_true(&operand.value) == stop {
                        return Ok(operand);
                    }
                }
                Ok(last.unwrap_or(operand))
            }
            Callee::Len => {
                self.check_count(name, 1, false, args, last.is_some())?;
                let operand = match (args.get(1), last) {
                    (_, Some(last)) => last,
                    (Some(arg), None) => self.argument(arg, None, dot)?,
                    (None, None) => Operand::ABSENT,
                };
                self.finish(length(&operand), name, call, Type::Int)
            }
            Callee::Call => {
                self.check_count(name, 1, true, args, last.is_some())?;
                let called = match (args.get(1), &last) {
                    (Some(arg), _) => Shown(arg).to_string(),
                    (None, Some(last)) => reflected(&last.value),
                    (None, None) => String::new(),
                };
                let mut values = Vec::with_capacity(args.len());
                for arg in args.iter().skip(1) {
                    values.push(self.argument(arg, None, dot)?.value.into_owned());
                }
                values.extend(last.map(|last| last.value.into_owned()));
                let result = call_value(&called, &values);
                self.finish(result, name, call, Type::Any)
            }
            Callee::Function(function) => {
                let mark = self.arguments(name, signature, args, dot, last)?;
                let result = (function.call)(self.call, self.stack.get(mark..).unwrap_or_default());
                self.stack.truncate(mark);
                self.finish(result, name, call, signature.result)
            }
        }
    }

    /// The result of a call, or its error at the place of the call.
    fn finish(
        &mut self,
        result: Result<Value, CallError>,
        name: &str,
        call: Place<'a>,
        result_type: Type,
    ) -> Done<Operand<'a>> {
        match result {
            Ok(value) => Ok(Operand::element(value, result_type)),
            Err(error) => {
                self.place = call;
                self.fail(format_args!("error calling {name}: {error}"))
            }
        }
    }

    fn check_count(&self, name: &str, fixed: usize, variadic: bool, args: &[Expr], last: bool) -> Done<()> {
        let given = args.len().saturating_sub(1);
        let all = given + usize::from(last);
        if variadic && all < fixed {
            return self.fail(format_args!("wrong number of args for {name}: want at least {fixed} got {given}"));
        }
        if !variadic && all != fixed {
            return self.fail(format_args!("wrong number of args for {name}: want {fixed} got {all}"));
        }
        Ok(())
    }

    /// The arguments of a call, evaluated for the types of the parameters: what is above the returned mark on the stack.
    fn arguments(
        &mut self,
        name: &str,
        signature: Signature,
        args: &'a [Expr],
        dot: &Operand<'a>,
        last: Option<Operand<'a>>,
    ) -> Done<usize> {
        let fixed = signature.params.len() - usize::from(signature.variadic && !signature.params.is_empty());
        self.check_count(name, fixed, signature.variadic, args, last.is_some())?;
        let mark = self.stack.len();
        for (i, arg) in args.iter().skip(1).enumerate() {
            let wanted = signature.param(i).unwrap_or(Type::Any);
            if let Some(Some(value)) = self.peek(arg, dot)
                && (wanted == Type::Any || value.type_of() == Some(wanted))
            {
                let value = value.clone();
                self.stack.push(value);
                continue;
            }
            let value = self.argument(arg, Some(wanted), dot)?.value;
            self.stack.push(value.into_owned());
        }
        if let Some(last) = last {
            let wanted = signature.param(self.stack.len() - mark).unwrap_or(Type::Any);
            let value = self.fit(last, Some(wanted))?.value;
            self.stack.push(value.into_owned());
        }
        Ok(mark)
    }

    /// One argument. Without a wanted type it is taken as it is.
    fn argument(&mut self, expr: &'a Expr, wanted: Option<Type>, dot: &Operand<'a>) -> Done<Operand<'a>> {
        self.place = Place::Expr(expr);
        let operand = match &expr.kind {
            ExprKind::Dot => dot.clone(),
            ExprKind::Nil => {
                let Some(t) = wanted else { return Ok(Operand::ABSENT) };
                if can_be_nil(t) {
                    return Ok(Operand::element(zero(t), t));
                }
                return self.fail(format_args!("cannot assign nil to {t}"));
            }
            ExprKind::Field(_) | ExprKind::Variable(..) | ExprKind::Chain(..) => self.chain(expr, dot, &[], None)?,
            ExprKind::Pipe(pipe) => self.nested(pipe, dot)?,
            ExprKind::Function(name, callee) => {
                self.step()?;
                self.function(expr, Place::Expr(expr), name, *callee, dot, &[], None)?
            }
            ExprKind::Bool(..) | ExprKind::Number(_) | ExprKind::Text(..) => {
                return match wanted {
                    None | Some(Type::Any) => self.literal(expr),
                    Some(wanted) => self.typed_literal(expr, wanted),
                };
            }
        };
        self.fit(operand, wanted)
    }

    /// A constant for a parameter of that type.
    fn typed_literal(&self, expr: &'a Expr, wanted: Type) -> Done<Operand<'a>> {
        let number = |make: fn(&Number, Type) -> Option<Value>| match &expr.kind {
            ExprKind::Number(number) => make(number, wanted),
            _ => None,
        };
        let (value, expected) = match wanted.kind() {
            "bool" => match expr.kind {
                ExprKind::Bool(value, _) => (Some(Value::Bool(value)), "bool"),
                _ => (None, "bool"),
            },
            "string" => match &expr.kind {
                ExprKind::Text(_, text) => (Some(text.clone()), "string"),
                _ => (None, "string"),
            },
            "int" | "int32" | "int64" => (number(Number::as_type), "integer"),
            "uint8" | "uint64" => (number(Number::as_type), "unsigned integer"),
            "float64" => (number(Number::as_type), "float"),
            _ => return self.fail(format_args!("can't handle {expr} for arg of type {wanted}")),
        };
        match value {
            Some(value) => Ok(Operand::known(value)),
            None => self.fail(format_args!("expected {expected}; found {expr}")),
        }
    }

    /// Checks that a value can be given to a parameter of that type.
    fn fit(&self, operand: Operand<'a>, wanted: Option<Type>) -> Done<Operand<'a>> {
        let Some(wanted) = wanted.filter(|t| *t != Type::Any) else { return Ok(operand) };
        match operand.value.type_of() {
            Some(own) if own == wanted => Ok(operand),
            Some(own) => self.fail(format_args!("wrong type for value; expected {wanted}; got {own}")),
            None if operand.open => {
                self.fail(format_args!("wrong type for value; expected {wanted}; got interface {{}}"))
            }
            None if can_be_nil(wanted) => Ok(Operand::known(zero(wanted))),
            None => self.fail(format_args!("invalid value; expected {wanted}")),
        }
    }
}

/// An operand as error texts show it: without the parentheses of a pipeline.
struct Shown<'a>(&'a Expr);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

fn entry<'a>(map: &'a Map, name: &str) -> Operand<'a> {
    match map.get(name) {
        Some(value) => Operand { value, open: map.element() == Type::Any },
        None => Operand::ABSENT,
    }
}

fn length(operand: &Operand<'_>) -> Result<Value, CallError> {
    let length = match &*operand.value {
        Value::Nil if operand.open => return Err(CallError::new("len of nil pointer")),
        Value::Nil => return Err(CallError::new("reflect: call of reflect.Value.Type on zero Value")),
        Value::NilPointer(_) => return Err(CallError::new("len of nil pointer")),
        Value::Str(s) => s.len(),
        Value::Bytes(bytes) => bytes.as_ref().map_or(0, |b| b.len()),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Table(table) => table.entries().len(),
        other => {
            let t = other.type_of().unwrap_or(Type::Any);
            return Err(CallError(format!("len of type {t}")));
        }
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// `call f args...`; `name` is how the template wrote `f`.
fn call_value(name: &str, values: &[Value]) -> Result<Value, CallError> {
    let Some((callee, args)) = values.split_first() else { return Err(CallError::new("call of nil")) };
    let func = match callee {
        Value::Func(func) => func,
        Value::Nil => return Err(CallError::new("call of nil")),
        other => {
            let t = other.type_of().unwrap_or(Type::Any);
            return Err(CallError(format!("non-function {name} of type {t}")));
        }
    };
    let signature = func.signature();
    check_results(name, signature).map_err(CallError)?;
    let count = signature.params.len();
    let wrong = |want: String| CallError(format!("wrong number of args for {name}: got {} want {want}", args.len()));
    if signature.variadic {
        let least = count.saturating_sub(1);
        if args.len() < least {
            return Err(wrong(format!("at least {least}")));
        }
    } else if args.len() != count {
        return Err(wrong(count.to_string()));
    }
    let mut prepared = Vec::with_capacity(args.len());
    for (i, arg) in args.iter().enumerate() {
        let wanted = signature.param(i).unwrap_or(Type::Any);
        prepared.push(prepare(arg, wanted).map_err(|e| CallError(format!("arg {i}: {e}")))?);
    }
    func.call(&prepared)
}

/// What Go's `reflect.Value.String` makes of a value: strings as they are, everything else by its type.
fn reflected(value: &Value) -> String {
    match value {
        Value::Str(s) => Str::to_text(s).into_owned(),
        Value::Nil => "<invalid Value>".to_owned(),
        other => format!("<{} Value>", other.type_of().unwrap_or(Type::Any)),
    }
}

/// Go's templates call what gives one value, or one and an error.
fn check_results(name: &str, signature: &Signature) -> Result<(), String> {
    match (signature.more, signature.results()) {
        ([], _) => Ok(()),
        ([second], 2) => {
            Err(format!("invalid function signature for {name}: second return value should be error; is {second}"))
        }
        (_, count) => Err(format!("function {name} has {count} return values; should be 1 or 2")),
    }
}
