//! The expression language of `when` and `oncePer`: expr-lang/expr 1.17.8 with its default options.
//!
//! ```
//! use echion_expr::{Context, compile};
//! use echion_value::{Map, Value};
//!
//! let program = compile("1 + 1")?;
//! let value = program.eval(&Map::of_any(vec![]), &Context::default())?;
//! assert!(matches!(value, Value::Int(2)));
//! # Ok::<(), Box<echion_expr::Error>>(())
//! ```
//!
//! Nothing here does I/O or reads a clock. Every loop that a text can ask for is counted against [`Limits`].

mod ast;
mod base64;
pub mod builtins;
mod check;
mod code;
mod compile;
mod error;
mod fetch;
mod lexer;
mod limits;
mod literal;
mod machine;
mod nature;
mod operators;
mod optimize;
mod parser;
mod patterns;
mod power;
mod program;
mod reads;
mod sort;
mod trace;
mod unescape;

pub use error::{Error, ErrorKind};
pub use limits::{Context, Limits};
pub use program::{Program, compile};
pub use reads::Reads;
pub use trace::{Step, Trace};
