//! The builtins that take a predicate, as loops over a scope.

use echion_value::Value;

use super::{Compiled, Compiler};
use crate::ast::{Binary, Builtin};
use crate::code::Op;

impl Compiler<'_> {
    /// The code of one element, in a loop over the elements of the current scope.
    fn each(&mut self, at: u32, body: impl FnOnce(&mut Self) -> Compiled) -> Compiled {
        let start = self.here();
        let end = self.emit(at, Op::JumpIfEnd(0))?;
        body(self)?;
        self.emit(at, Op::Next)?;
        self.emit(at, Op::Jump(start))?;
        self.land(end);
        Ok(())
    }

    fn each_backwards(&mut self, at: u32, body: impl FnOnce(&mut Self) -> Compiled) -> Compiled {
        self.emit(at, Op::LastIndex)?;
        let start = self.here();
        let end = self.emit(at, Op::JumpIfStart(0))?;
        // The reference leaves what it compared on the stack, where operators and lists find it.
        self.emit(at, Op::Bool(true))?;
        body(self)?;
        self.emit(at, Op::Previous)?;
        self.emit(at, Op::Jump(start))?;
        self.land(end);
        self.emit(at, Op::Bool(false)).map(drop)
    }

    /// Runs `body` when the value on the stack is true, and drops the value.
    fn when(&mut self, at: u32, body: impl FnOnce(&mut Self) -> Compiled) -> Compiled {
        let no = self.emit(at, Op::JumpIfFalse(0))?;
        self.emit(at, Op::Pop)?;
        body(self)?;
        let end = self.emit(at, Op::Jump(0))?;
        self.land(no);
        self.emit(at, Op::Pop)?;
        self.land(end);
        Ok(())
    }

    fn predicate_or_element(&mut self, at: u32, builtin: &Builtin) -> Compiled {
        match builtin.args.get(1) {
            Some(predicate) => self.node(*predicate),
            None => self.emit(at, Op::Element).map(drop),
        }
    }

    /// What becomes of an element that has passed.
    fn matched(&mut self, at: u32, builtin: &Builtin) -> Compiled {
        match builtin.mapped {
            Some(mapped) => self.node(mapped),
            None => self.emit(at, Op::Element).map(drop),
        }
    }

    pub(super) fn looping(&mut self, at: u32, builtin: &Builtin) -> Compiled {
        let Some(list) = builtin.args.first() else { return Ok(()) };
        self.node(*list)?;
        self.emit(at, Op::Begin)?;
        match builtin.name {
            "all" | "none" | "any" => self.quantifier(at, builtin)?,
            "one" | "count" => self.counting(at, builtin)?,
            "filter" => {
                self.each(at, |c| {
                    c.predicate_or_element(at, builtin)?;
                    c.when(at, |c| {
                        c.emit(at, Op::CountUp)?;
                        c.matched(at, builtin)
                    })
                })?;
                self.emit(at, Op::Count)?;
            }
            "map" => {
                self.each(at, |c| c.predicate_or_element(at, builtin))?;
                self.emit(at, Op::ScopeLength)?;
            }
            "find" | "findIndex" | "findLast" | "findLastIndex" => self.searching(at, builtin)?,
            "sum" => {
                self.emit(at, Op::Int(0))?;
                self.emit(at, Op::Accumulate)?;
                self.each(at, |c| {
                    c.predicate_or_element(at, builtin)?;
                    c.emit(at, Op::Accumulator)?;
                    c.emit(at, Op::Calculate(Binary::Add))?;
                    c.emit(at, Op::Accumulate).map(drop)
                })?;
                self.emit(at, Op::Accumulator)?;
            }
            "groupBy" => {
                self.each(at, |c| {
                    c.predicate_or_element(at, builtin)?;
                    c.emit(at, Op::Group).map(drop)
                })?;
                self.emit(at, Op::Groups)?;
            }
            "sortBy" => {
                match builtin.args.get(2) {
                    Some(order) => self.node(*order)?,
                    None => self.literal(at, Value::from("asc"))?,
                }
                self.emit(at, Op::SortOrder)?;
                self.each(at, |c| {
                    c.predicate_or_element(at, builtin)?;
                    c.emit(at, Op::SortKey).map(drop)
                })?;
                self.emit(at, Op::Sort)?;
            }
            _ => {
                match builtin.args.get(2) {
                    Some(start) => {
                        self.node(*start)?;
                        self.emit(at, Op::Accumulate)?;
                    }
                    None => drop(self.emit(at, Op::FirstToAccumulator)?),
                }
                self.each(at, |c| {
                    c.predicate_or_element(at, builtin)?;
                    c.emit(at, Op::Accumulate).map(drop)
                })?;
                self.emit(at, Op::Accumulator)?;
            }
        }
        self.emit(at, Op::End)?;
        if matches!(builtin.name, "filter" | "map") {
            self.emit(at, Op::CountedList)?;
        }
        Ok(())
    }

    fn quantifier(&mut self, at: u32, builtin: &Builtin) -> Compiled {
        let mut leave = 0;
        self.each(at, |c| {
            c.predicate_or_element(at, builtin)?;
            if builtin.name == "none" {
                c.emit(at, Op::Not)?;
            }
            leave = c.emit(at, if builtin.name == "any" { Op::JumpIfTrue(0) } else { Op::JumpIfFalse(0) })?;
            c.emit(at, Op::Pop).map(drop)
        })?;
        self.emit(at, Op::Bool(builtin.name != "any"))?;
        self.land(leave);
        Ok(())
    }

    fn counting(&mut self, at: u32, builtin: &Builtin) -> Compiled {
        let mut leave = None;
        self.each(at, |c| {
            c.predicate_or_element(at, builtin)?;
            c.when(at, |c| c.emit(at, Op::CountUp).map(drop))?;
            if let Some(enough) = builtin.enough {
                leave = Some(c.emit(at, Op::JumpIfEnough(enough, 0))?);
            }
            Ok(())
        })?;
        if let Some(leave) = leave {
            self.land(leave);
        }
        self.emit(at, Op::Count)?;
        if builtin.name == "one" {
            self.emit(at, Op::Int(1))?;
            self.emit(at, Op::Equal)?;
        }
        Ok(())
    }

    fn searching(&mut self, at: u32, builtin: &Builtin) -> Compiled {
        let mut leave = 0;
        let body = |c: &mut Self| {
            c.predicate_or_element(at, builtin)?;
            let no = c.emit(at, Op::JumpIfFalse(0))?;
            c.emit(at, Op::Pop)?;
            if builtin.name.ends_with("Index") {
                c.emit(at, Op::Index)?;
            } else {
                c.matched(at, builtin)?;
            }
            leave = c.emit(at, Op::Jump(0))?;
            c.land(no);
            c.emit(at, Op::Pop).map(drop)
        };
        if builtin.name.starts_with("findLast") {
            self.each_backwards(at, body)?
        } else {
            self.each(at, body)?
        }
        self.emit(at, if builtin.must_find { Op::NotFound } else { Op::Nil })?;
        self.land(leave);
        Ok(())
    }
}
