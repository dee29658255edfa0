//! Numbers and quoted text, written and read the way Go's `strconv` does it.
//!
//! Both languages expose Go's spelling of values everywhere: `%v` of a float, `%q` of a string, the text of a failed
//! conversion. Every function here is pure and total: any input gives an answer or a [`NumError`], never a panic.

mod float;
mod number;
mod quote;

pub use float::{FloatFormat, format_float, format_g_v, json_float};
pub use number::{NumError, NumErrorKind, atoi, parse_bool, parse_float, parse_int, parse_uint};
pub use quote::{
    can_backquote, decode_rune, is_print, quote, quote_rune, quote_rune_to_ascii, quote_to_ascii, unquote, unquote_char,
};
