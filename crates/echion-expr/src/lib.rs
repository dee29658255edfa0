//! The expression language of when and oncePer: lex, parse, check, compile, evaluate.
