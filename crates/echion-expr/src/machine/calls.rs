//! Calls of functions and methods.

use std::borrow::Cow;

use echion_value::{Func, Method, Signature, Type, Value};

use super::{Machine, Ran, Watch, broken, size};
use crate::builtins::type_name;
use crate::error::EvalError;
use crate::fetch;

impl<'a, W: Watch> Machine<'a, '_, W> {
    /// Calls the value on the stack.
    pub(super) fn call(&mut self, count: usize) -> Ran {
        let callee = self.pop()?;
        match callee.as_ref() {
            Value::Nil => Err(EvalError::new("invalid operation: cannot call nil")),
            Value::Func(func) => self.call_function(func, count),
            other => {
                let message = format!("invalid operation: cannot call non-function of type {}", type_name(other));
                Err(EvalError::new(message))
            }
        }
    }

    /// Calls what a path leads to.
    pub(super) fn call_path(&mut self, path: u32, count: usize) -> Ran {
        if let Some(Value::Func(func)) = self.borrowed(path)? {
            return self.call_function(func, count);
        }
        let callee = self.path(path)?;
        self.stack.push(callee);
        self.call(count)
    }

    /// Calls a member of the value on the stack; a method needs no function value for that.
    pub(super) fn call_member(&mut self, member: u32, count: usize) -> Ran {
        let code = self.code;
        let member = &code.members[size(member)];
        let from = self.pop()?;
        let method = match from.as_ref() {
            Value::Time(_) => member.of_time,
            Value::Duration(_) => member.of_duration,
            Value::Map(_) => None,
            other => member.name.as_str().and_then(|name| other.method(name)),
        };
        if let Some(method) = method {
            return self.call_method(&from, method, count);
        }
        let callee = fetch::fetch(&from, &Value::Str(member.name.clone()))?;
        self.stack.push(callee);
        self.meter.work(1)?;
        self.call(count)
    }

    fn call_function(&mut self, func: &Func, count: usize) -> Ran {
        self.with_arguments(count, |args| {
            check_arguments(func.signature(), args)?;
            Ok(func.call(args)?)
        })
    }

    fn call_method(&mut self, receiver: &Value, method: &Method, count: usize) -> Ran {
        self.with_arguments(count, |args| {
            check_arguments(&method.signature, args)?;
            Ok((method.call)(receiver, args)?)
        })
    }

    /// Puts what `call` gives in the place of the last values of the stack, its arguments.
    fn with_arguments(&mut self, count: usize, call: impl FnOnce(&mut [Value]) -> Ran<Value>) -> Ran {
        let value = if count == 1 {
            call(&mut [self.pop()?.into_owned()])?
        } else {
            let first = self.stack.len().checked_sub(count).ok_or_else(broken)?;
            let mut args: Vec<Value> = self.stack.split_off(first).into_iter().map(Cow::into_owned).collect();
            call(&mut args)?
        };
        self.push(value);
        Ok(())
    }
}

/// Whether a function takes the arguments, as Go's reflection sees it; `nil` becomes the zero value of its type.
fn check_arguments(signature: &Signature, args: &mut [Value]) -> Ran {
    let expected = signature.params.len();
    if signature.variadic {
        if args.len() + 1 < expected {
            return Err(EvalError::new("reflect: Call with too few input arguments"));
        }
    } else if args.len() != expected {
        let message = format!("invalid number of arguments: expected {expected}, got {}", args.len());
        return Err(EvalError::new(message));
    }
    for (index, arg) in args.iter_mut().enumerate() {
        let wanted = signature.param(index).unwrap_or(Type::Any);
        match (&*arg, wanted) {
            // The usual arguments, without asking for types that cost more to compare.
            (Value::Str(_), Type::String)
            | (Value::Time(_), Type::Time)
            | (Value::Duration(_), Type::Duration)
            | (Value::Int(_), Type::Int) => continue,
            _ => {}
        }
        match arg.type_of() {
            None => *arg = fetch::zero(wanted),
            Some(found) if wanted != Type::Any && found != wanted => {
                return Err(EvalError::new(format!("reflect: Call using {found} as type {wanted}")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
