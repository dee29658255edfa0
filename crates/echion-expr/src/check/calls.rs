//! Calls: of methods, of builtins, and of those that take a predicate.

use echion_value::{Signature, Type};

use super::{Checked, Checker, Scope};
use crate::ast::{Binary, Builtin, Id, Kind};
use crate::builtins::{self, Check};
use crate::error::CompileError;
use crate::nature::{BOOL, GROUPS, INT, LIST, Nature};

impl Checker<'_> {
    pub(super) fn call(&mut self, id: Id, callee: Id, args: &[Id]) -> Checked {
        let function = self.visit(callee)?;
        if matches!(self.tree.kind(callee), Kind::Identifier(name) if **name == *"$env") {
            return self.fail(id, format!("{function} is not callable"));
        }
        if function.is_unknown() {
            return Ok(Nature::Unknown);
        }
        let name = match self.tree.kind(callee) {
            Kind::Identifier(name) => name.to_string(),
            Kind::Member(member) => self.tree.text(member.property).map_or_else(String::new, ToString::to_string),
            _ => "function".to_owned(),
        };
        match function {
            Nature::Nil => self.fail(id, format!("{name} is nil; cannot call nil as function")),
            Nature::Method(method) => self.arguments(id, &name, &method.signature, args)?,
            other => self.fail(id, format!("{other} is not callable")),
        }
    }

    /// Whether the arguments fit the signature; the outer error is one within an argument, whatever the signature.
    fn arguments(&mut self, id: Id, name: &str, signature: &Signature, args: &[Id]) -> Result<Checked, CompileError> {
        if signature.results() > 2 {
            return Ok(self.fail(id, format!("func {name} returns more then two values")));
        }
        let least = signature.params.len() - usize::from(signature.variadic);
        let problem = if args.len() > signature.params.len() && !signature.variadic {
            Some("too many")
        } else {
            (args.len() < least).then_some("not enough")
        };
        if let Some(problem) = problem {
            for arg in args {
                self.visit(*arg)?;
            }
            return Ok(self.fail(id, format!("{problem} arguments to call {name}")));
        }
        for (index, arg) in args.iter().enumerate() {
            let nature = self.visit(*arg)?;
            let wanted = signature.param(index).unwrap_or(Type::Any);
            if wanted == Type::Float64 && nature.is_integer() {
                self.make_float(*arg);
                continue;
            }
            if Nature::of(wanted).is_integer() && nature.is_integer() {
                continue;
            }
            if nature.is_nil() {
                if wanted == Type::Any || wanted.kind() == "ptr" {
                    continue;
                }
                return Ok(self.fail(*arg, format!("cannot use nil as argument (type {wanted}) to call {name}")));
            }
            if !nature.is_unknown() && !nature.is_assignable(wanted) {
                let message = format!("cannot use {nature} as argument (type {wanted}) to call {name} ");
                return Ok(self.fail(*arg, message));
            }
        }
        Ok(Ok(Nature::of(signature.result)))
    }

    /// Whole numbers become floats where a float is wanted, as far as they are literals.
    fn make_float(&mut self, id: Id) {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            self.visited.remove(&id);
            match self.tree.kind(id).clone() {
                #[expect(clippy::cast_precision_loss, reason = "that is the conversion")]
                Kind::Int(value) => self.tree.node_mut(id).kind = Kind::Float(value as f64),
                Kind::Unary(_, node) => pending.push(node),
                Kind::Binary(Binary::Add | Binary::Subtract | Binary::Multiply, left, right) => {
                    pending.extend([left, right]);
                }
                _ => {}
            }
        }
    }

    pub(super) fn builtin(&mut self, id: Id, builtin: &Builtin) -> Checked {
        let Some(known) = builtins::find(builtin.name) else {
            return self.fail(id, format!("unknown builtin {}", builtin.name));
        };
        match &known.check {
            Check::Loop(_) => self.looping(builtin),
            Check::Overloads(overloads) => {
                let mut last = None;
                for signature in *overloads {
                    match self.arguments(id, builtin.name, signature, &builtin.args)? {
                        Ok(nature) => return Ok(nature),
                        Err(finding) => last = Some(finding),
                    }
                }
                Err(last.unwrap_or_else(|| {
                    CompileError::check(self.tree.at(id), format!("no matching overload for {}", builtin.name))
                }))
            }
            Check::Rule(rule) => {
                if builtin.name == "get" && builtin.args.len() == 2 {
                    return self.get(&builtin.args);
                }
                let mut natures = Vec::with_capacity(builtin.args.len());
                for arg in &builtin.args {
                    natures.push(self.visit(*arg)?.without_elements());
                }
                rule(&natures).or_else(|message| self.fail(id, message))
            }
        }
    }

    fn get(&mut self, args: &[Id]) -> Checked {
        let (base, key) = (self.visit(args[0])?, self.visit(args[1])?);
        if base.is_unknown() {
            return Ok(Nature::Unknown);
        }
        if base.is_list() {
            if !key.is_integer() && !key.is_unknown() {
                return self.fail(args[1], format!("non-integer slice index {key}"));
            }
            return Ok(base.element());
        }
        if base.is_map() {
            if !key.is_assignable(base.key()) && !key.is_unknown() {
                return self.fail(args[1], format!("cannot use {key} to get an element from {base}"));
            }
            return Ok(base.element());
        }
        self.fail(args[0], format!("type {base} does not support indexing"))
    }

    fn looping(&mut self, builtin: &Builtin) -> Checked {
        let Builtin { name, args, .. } = builtin;
        let collection = self.visit(args[0])?;
        if !collection.is_list() && !collection.is_unknown() {
            return self.fail(args[0], format!("builtin {name} takes only array (got {collection})"));
        }
        let element = collection.element();
        let Some(predicate) = args.get(1) else {
            return Ok(if *name == "count" { INT } else { element });
        };
        let reduce = *name == "reduce";
        let index = reduce || *name == "map";
        self.predicates.push(Scope { collection: collection.clone(), index, accumulator: reduce });
        let result = self.visit(*predicate)?;
        self.predicates.pop();
        if let Some(extra) = args.get(2) {
            let nature = self.visit(*extra)?;
            if *name == "sortBy" && !nature.is_text() && !nature.is_unknown() {
                return self.fail(*extra, format!("sortBy order argument must be a string (got {nature})"));
            }
        }
        let Nature::Predicate(result) = result else { return Ok(Nature::Unknown) };
        if result.is_nil() {
            let inputs = if reduce { "two" } else { "one" };
            return self.fail(*predicate, format!("predicate should has {inputs} input and one output param"));
        }
        let boolean = match *name {
            "all" | "none" | "any" | "one" => Some(BOOL),
            "filter" => Some(if collection.is_unknown() { LIST } else { Nature::list_of(element.clone()) }),
            "find" | "findLast" => Some(element.clone()),
            "findIndex" | "findLastIndex" | "count" => Some(INT),
            _ => None,
        };
        if let Some(nature) = boolean {
            if !result.is_bool() && !result.is_unknown() {
                return self.fail(*predicate, format!("predicate should return boolean (got {result})"));
            }
            return Ok(nature);
        }
        Ok(match *name {
            "map" => Nature::ListOf(result),
            "groupBy" => GROUPS,
            "sortBy" => collection,
            _ => *result,
        })
    }
}
