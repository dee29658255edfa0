//! A compiled expression.

use std::fmt;
use std::sync::Arc;

use echion_value::{Map, Value};

use crate::code::Code;
use crate::error::{Error, Finding};
use crate::limits::{Context, Meter};
use crate::reads::{self, Reads};
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
    match translate(&source) {
        Ok((code, reads)) => Ok(Program { source, code, reads }),
        Err(finding) => Err(Error::new(finding.kind, finding.message, finding.at, &source)),
    }
}

fn translate(source: &str) -> Result<(Code, Reads), Finding> {
    let (mut tree, root) = parser::parse(source)?;
    check::check(&mut tree, root)?;
    let reads = reads::reads(&tree, root);
    optimize::optimize(&mut tree, root)?;
    Ok((codegen::compile(&tree, root)?, reads))
}

impl Program {
    /// The text that was compiled.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What evaluating it may look at.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Evaluates the expression over the variables of `env`.
    ///
    /// # Errors
    /// When an operation fails, or a limit is reached.
    pub fn eval(&self, env: &Map, context: &Context<'_>) -> Result<Value, Box<Error>> {
        machine::run(&self.code, env, Meter::new(context))
            .map_err(|(fault, at)| Error::new(fault.kind, fault.message, at, &self.source))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.source).finish()
    }
}
