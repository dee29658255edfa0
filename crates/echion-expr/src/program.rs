//! A compiled expression.

use std::fmt;
use std::sync::Arc;

use echion_value::{Map, Value};

use crate::code::Code;
use crate::error::{CompileError, Error};
use crate::limits::{Context, Meter};
use crate::reads::{self, Reads};
use crate::trace::{Recorder, Trace};
use crate::{check, compile as codegen, machine, optimize, parser};

/// An expression that was compiled once and can be evaluated over any environment, by several threads at a time.
pub struct Program {
    source: Arc<str>,
    code: Code,
    reads: Reads,
}

/// Compiles an expression.
///
/// # Errors
/// When it is no expression, or one that can never work.
pub fn compile(source: &str) -> Result<Program, Box<Error>> {
    let source: Arc<str> = source.into();
    match translate(&source, false) {
        Ok((code, reads)) => Ok(Program { source, code, reads }),
        Err(finding) => Err(Error::new(finding.kind, finding.message, finding.at, &source)),
    }
}

fn translate(source: &str, traced: bool) -> Result<(Code, Reads), CompileError> {
    let (mut tree, root) = parser::parse(source)?;
    check::check(&mut tree, root)?;
    let reads = reads::reads(&tree, root);
    optimize::optimize(&mut tree, root)?;
    Ok((codegen::compile(&tree, root, traced)?, reads))
}

impl Program {
    /// The text that was compiled.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What evaluating it may read.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Evaluates the expression over the variables of `env`.
    ///
    /// # Errors
    /// When an operation fails, or a limit is reached.
    pub fn eval(&self, env: &Map, context: &Context<'_>) -> Result<Value, Box<Error>> {
        machine::run(&self.code, env, Meter::new(context), &mut ()).map_err(|(fault, at)| fault.at(at, &self.source))
    }

    /// Evaluates the expression and reports the value of every part of it that was evaluated.
    #[must_use]
    pub fn trace(&self, env: &Map, context: &Context<'_>) -> Trace {
        // Ordinary code does not know which part of the text it belongs to.
        let code = match translate(&self.source, true) {
            Ok((code, _)) => code,
            Err(finding) => {
                let error = Error::new(finding.kind, finding.message, finding.at, &self.source);
                return Trace { steps: Vec::new(), complete: false, outcome: Err(error) };
            }
        };
        let mut recorder = Recorder::new(&code.marks);
        let outcome = machine::run(&code, env, Meter::new(context), &mut recorder);
        recorder.finish(&self.source, outcome)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.source).finish()
    }
}
