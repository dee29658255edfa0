//! Random texts and numbers. The bytes come from the host.

use echion_template::{CallContext, Function, Uses, takes};
use echion_value::Value;

use crate::args::{INT, Result, TEXT, bytes, fail, int, make_text};
use crate::encoding::base64_of;
use crate::strings::runes;

pub(crate) static ALL: &[Function] = &[
    Function::new("randAlphaNum", takes(&[INT], TEXT), letters_and_digits)
        .doc("random letters and digits", "{{randAlphaNum 8 | len}}", "8")
        .using(Uses::RANDOM),
    Function::new("randAlpha", takes(&[INT], TEXT), letters)
        .doc("random letters", "{{randAlpha 8 | len}}", "8")
        .using(Uses::RANDOM),
    Function::new("randNumeric", takes(&[INT], TEXT), digits)
        .doc("random digits", "{{randNumeric 6 | len}}", "6")
        .using(Uses::RANDOM),
    Function::new("randAscii", takes(&[INT], TEXT), printable)
        .doc("random printable characters", "{{randAscii 8 | len}}", "8")
        .using(Uses::RANDOM),
    Function::new("randBytes", takes(&[INT], TEXT).fallible(), random_bytes)
        .doc("random bytes as base64", "{{randBytes 16 | len}}", "24")
        .using(Uses::RANDOM),
    Function::new("randInt", takes(&[INT, INT], INT), random_int)
        .doc("a random number from a start up to an end", "{{randInt 6 7}}", "6")
        .using(Uses::RANDOM),
    Function::new("shuffle", takes(&[TEXT], TEXT), shuffle)
        .doc("the characters in random order", "{{shuffle \"aaa\"}}", "aaa")
        .using(Uses::RANDOM),
    Function::new("uuidv4", takes(&[], TEXT), uuid)
        .doc("a random identifier", "{{uuidv4 | len}}", "36")
        .using(Uses::RANDOM),
];

/// A number below `end`, each as likely as the others.
fn below(call: &mut CallContext<'_>, end: u64) -> Result<u64> {
    let end = end.max(1);
    // Numbers of the last, incomplete round would favour the small ones.
    let rounds = u64::MAX - u64::MAX % end;
    loop {
        let mut bytes = [0; 8];
        call.random(&mut bytes)?;
        let number = u64::from_be_bytes(bytes);
        if number < rounds {
            return Ok(number % end);
        }
    }
}

fn text_of(call: &mut CallContext<'_>, args: &[Value], allowed: fn(char) -> bool) -> Result {
    let alphabet: Vec<u8> = (b' '..=b'~').filter(|b| allowed(char::from(*b))).collect();
    let count = usize::try_from(int(args, 0)).unwrap_or(0);
    // Randomness costs more than memory.
    call.reserve(count.saturating_mul(16))?;
    let mut text = Vec::with_capacity(count);
    for _ in 0..count {
        let at = below(call, u64::try_from(alphabet.len()).unwrap_or(1))?;
        text.extend(usize::try_from(at).ok().and_then(|at| alphabet.get(at)));
    }
    Ok(make_text(text))
}

fn letters_and_digits(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    text_of(call, args, |c| c.is_ascii_alphanumeric())
}

fn letters(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    text_of(call, args, |c| c.is_ascii_alphabetic())
}

fn digits(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    text_of(call, args, |c| c.is_ascii_digit())
}

fn printable(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    text_of(call, args, |_| true)
}

fn random_bytes(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let Ok(count) = usize::try_from(int(args, 0)) else {
        return fail("runtime error: makeslice: len out of range");
    };
    call.reserve(count.saturating_mul(2))?;
    let mut bytes = vec![0; count];
    call.random(&mut bytes)?;
    Ok(make_text(base64_of(&bytes)))
}

fn random_int(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let (start, end) = (int(args, 0), int(args, 1));
    match end.checked_sub(start).and_then(|width| u64::try_from(width).ok()) {
        Some(width) if width > 0 => {
            let number = below(call, width)?;
            Ok(Value::Int(start.wrapping_add(number.cast_signed())))
        }
        _ => fail("invalid argument to Intn"),
    }
}

fn shuffle(call: &mut CallContext<'_>, args: &[Value]) -> Result {
    let text = bytes(args, 0);
    call.reserve(text.len().saturating_mul(16))?;
    let mut characters: Vec<&[u8]> = runes(text).map(|(_, here)| here).collect();
    for last in (1..characters.len()).rev() {
        let other = below(call, u64::try_from(last + 1).unwrap_or(1))?;
        characters.swap(last, usize::try_from(other).unwrap_or(last));
    }
    Ok(make_text(characters.concat()))
}

fn uuid(call: &mut CallContext<'_>, _: &[Value]) -> Result {
    let mut bytes = [0; 16];
    call.random(&mut bytes)?;
    let number = u128::from_be_bytes(bytes);
    // Version 4, variant 1.
    let number = number & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default().to_owned());
    Ok(Value::from(parts.join("-")))
}
