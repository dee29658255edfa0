//! Go's text/template: lex, parse, execute.
